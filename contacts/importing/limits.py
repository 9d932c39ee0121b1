"""How large the parts of a file may be. What is larger is an error of its row, or of the header."""

MAX_LINE = 1024 * 1024
MAX_CELL = 256 * 1024
MAX_COLUMNS = 500
MAX_HEADER_CELL = 200
