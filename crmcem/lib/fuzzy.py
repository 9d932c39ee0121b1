"""Finding rows by words in one indexed text, also with a typing error, always bounded in rows and in time.

The column is folded (lower case, no accents) and has a trigram index.
"""

from typing import Any

from django.db import OperationalError, connection
from django.db.models import F, QuerySet, Value

from .sqlfields import Fold
from .timeouts import statement_timeout

MAX_LENGTH = 200
MAX_WORDS = 8
#: texts of one or two characters are looked for among so many of the newest rows
NEWEST = 1000
#: similar ones are a courtesy: when they take longer there are none
SIMILAR_MS = 150
SIMILAR_ROWS = 50
#: one wrong letter in a word of six leaves a likeness of 0.57
LIKE = 0.5


def ids_by_words(rows: QuerySet[Any], column: Any, text: str, cap: int) -> list[int]:
    """Ids of at most ``cap`` of ``rows`` whose ``column`` (an expression) has every word; else similar ones."""
    text = " ".join(text.replace("\x00", "").split())[:MAX_LENGTH]
    if not text:
        return []
    rows = rows.order_by()
    if len(text) < 3:
        newest = list(rows.order_by("-id").values_list("pk", flat=True)[:NEWEST])
        found = rows.filter(pk__in=newest).alias(searched=column)
        return list(found.filter(searched__startswith=Fold(Value(text))).values_list("pk", flat=True)[:cap])
    found = rows.alias(searched=column)
    for word in text.split()[:MAX_WORDS]:
        found = found.filter(searched__contains=Fold(Value(word)))
    try:
        with statement_timeout(10 * SIMILAR_MS):
            ids = list(found.values_list("pk", flat=True)[:cap])
    except OperationalError:
        return []
    return ids or similar(rows, column, text, cap)


def similar(rows: QuerySet[Any], column: Any, text: str, cap: int = SIMILAR_ROWS) -> list[int]:
    """Ids of rows whose ``column`` has a word like each one of ``text``, in spite of a typing error."""
    found = rows.order_by().alias(searched=column)
    for word in text[:MAX_LENGTH].split()[:MAX_WORDS]:
        found = found.filter(searched__trigram_word_similar=Fold(Value(word)))
    try:
        with statement_timeout(SIMILAR_MS), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)", [str(LIKE)])
            ids = list(found.values_list("pk", flat=True)[: min(cap, SIMILAR_ROWS)])
            cursor.execute("SELECT set_config('pg_trgm.word_similarity_threshold', '0.6', true)")
            return ids
    except OperationalError:
        return []


def folded(name: str) -> Any:
    """The expression of a column's folded text, as its index has it."""
    return Fold(F(name))
