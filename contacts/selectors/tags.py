"""Tags by their names: which one a word means, which ones begin with what is typed, how many contacts have them."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import OperationalError, connection
from django.db.models import Case, F, Value, When

from contacts.models import Contact, Tag, TagJob
from crmcem.lib.sqlfields import Fold
from crmcem.lib.timeouts import statement_timeout

#: contacts counted for somebody who sees only some
CAP = 1_000
TIMEOUT_MS = 1_000
PROPOSED = 8

_MEANT = """
SELECT asked.name, t.name FROM unnest(%s::text[]) AS asked (name)
JOIN contacts_tag t ON t.names @> ARRAY[crmcem_fold(asked.name)]::varchar[]
"""


def meant(names: Iterable[str]) -> dict[str, str]:
    """Word → the tag that it means, by whatever case, accents or former name; unknown words are missing."""
    words = list(dict.fromkeys(names))
    if not words:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_MEANT, [words])
        return dict(cursor.fetchall())


def as_known(names: Sequence[str]) -> list[str]:
    """The words as the tags that they mean, each once; new words stay as they are."""
    known = meant(names)
    return list(dict.fromkeys(known.get(name, name) for name in names))


def spellings(names: Sequence[str]) -> dict[str, list[str]]:
    """Word → what may stand on contacts that means it: the tag, and what is becoming it at this moment."""
    known = meant(names)
    found = {name: [known.get(name, name)] for name in names}
    running = TagJob.objects.filter(finished_at=None, new__in={each[0] for each in found.values()})
    for old, new in running.values_list("old", "new"):
        for each in found.values():
            if each[0] == new:
                each.append(old)
    return found


def proposals(text: str, user: Any, limit: int = PROPOSED) -> list[Tag]:
    """Tags that begin with ``text``, the most used first, then those that have it within."""
    rows = Tag.objects.visible_to(user).annotate(asked=Fold(Value(text)))
    if not text:
        return list(rows.order_by("-count", "pk")[:limit])
    begins = Case(When(folded__startswith=F("asked"), then=0), default=1)
    return list(rows.filter(folded__contains=F("asked")).order_by(begins, "-count", "pk")[:limit])


def colours(names: Iterable[str]) -> dict[str, str]:
    """The colours of these tags, without the grey ones."""
    words = set(names)
    rows = Tag.objects.filter(name__in=words).exclude(colour=Tag.Colour.GREY) if words else Tag.objects.none()
    return dict(rows.values_list("name", "colour"))


def give_counts(rows: Sequence[Tag], user: Any) -> None:
    """Give each tag ``shown_count`` and ``is_exact``, over the contacts that the person may see."""
    for row in rows:
        row.shown_count, row.is_exact = row.count, True  # type: ignore[attr-defined]
    if not rows or user.access.visibility == "all":
        return
    counts = _counts([row.name for row in rows], user)
    for row, n in zip(rows, counts, strict=True):
        row.shown_count, row.is_exact = min(n or 0, CAP), n is not None and n <= CAP  # type: ignore[attr-defined]


def _counts(names: Sequence[str], user: Any) -> list[int | None]:
    """One statement, each count capped and all of it bounded in time."""
    parts: list[str] = []
    params: list[Any] = []
    for name in names:
        rows = Contact.objects.visible_to(user).filter(tags__contains=[name]).order_by().values("pk")
        sql, values = rows[: CAP + 1].query.sql_with_params()
        parts.append(f"(SELECT count(*) FROM ({sql}) counted)")  # noqa: S608 - made by the ORM
        params += values
    try:
        with statement_timeout(TIMEOUT_MS), connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(parts)}", params)
            return list(cursor.fetchone())
    except OperationalError:
        return [None] * len(names)


def running() -> list[TagJob]:
    """What is being changed now, the newest first."""
    return list(TagJob.objects.filter(finished_at=None).select_related("user")[:20])
