"""A bound on how long the statements of a block may take."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def statement_timeout(milliseconds: int) -> Iterator[None]:
    """Within the block a statement is cut off after ``milliseconds``: OperationalError, shown as 503.

    The block is a savepoint (or a transaction), so what comes after goes on; the bound before is put back.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)",
            [f"{milliseconds}ms"],
        )
        before = cursor.fetchone()[0]
        yield
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
