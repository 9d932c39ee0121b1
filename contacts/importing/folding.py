"""Names for comparison: of columns, fields, kinds and countries."""

import unicodedata


def fold(header: str) -> str:
    """A header name for comparison: lower case ASCII letters and digits only."""
    name = header.casefold().replace("ß", "ss").replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    return "".join(c for c in unicodedata.normalize("NFKD", name) if c.isascii() and c.isalnum())
