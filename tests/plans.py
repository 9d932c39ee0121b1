"""The plan of a statement inside a PL/pgSQL function, under the settings that belong to the function."""

import re
from collections.abc import Mapping
from typing import Any


def options_of(cursor: Any, function: str) -> list[str]:
    """``["enable_sort=off", …]``: the settings that hold while the function runs."""
    cursor.execute("SELECT proconfig FROM pg_proc WHERE proname = %s", [function])
    return list(cursor.fetchone()[0])


def plans_in(
    cursor: Any, function: str, begin: str, types: Mapping[str, str], *calls: str, into: str = ""
) -> list[str]:
    """One plan a call of the statement that starts with ``begin``; ``types`` are its names with their types, in order.

    ``into`` is the statement's INTO, which a prepared one has not. The settings stay for the caller's transaction.
    """
    for option in options_of(cursor, function):
        cursor.execute(f"SET LOCAL {option}")
    cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [function])
    source = cursor.fetchone()[0]
    statement = source[source.index(begin) :].split(";")[0].replace(into, "")
    for number, name in enumerate(types, 1):
        statement = re.sub(rf"(?<![.\w]){re.escape(name)}\b", f"${number}", statement)
    cursor.execute(f"PREPARE explained ({', '.join(types.values())}) AS {statement}")
    found = []
    for call in calls:
        cursor.execute(f"EXPLAIN EXECUTE explained ({call})")
        found.append("\n".join(row[0] for row in cursor.fetchall()))
    cursor.execute("DEALLOCATE explained")
    return found
