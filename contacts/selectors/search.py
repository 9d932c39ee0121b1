"""Finding people and companies by what somebody types: bounded in rows and in time.

- Text with ``@``, a dot or a digit asks the b-trees first: the beginning of an address, number or external id.
- Words of one or two characters only find beginnings of names and addresses, never a scan.
- From three characters on, the trigram index finds them anywhere, without regard to case and accents;
  where nothing has the words as typed, names that are one typing error away are asked for by their index, and
  where there are none, similar ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import phonenumbers
from django.contrib.postgres.search import TrigramWordSimilarity
from django.db import OperationalError
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL

from contacts.models import Company, CompanyDomain, Contact, ContactPoint
from crmcem.lib.sqlfields import Fold
from crmcem.lib.timeouts import statement_timeout
from crmcem.lib.typos import neighbours
from crmcem.workspace.organisation import organisation

#: A list shows at most so many matches of a search; a narrower text shows the rest.
CAP = 1000
MAX_LENGTH = 200
MAX_WORDS = 5
SIMILAR_MS = 150


@dataclass(frozen=True, slots=True)
class Searched:
    """Where a model is searched: columns that keep one form (b-tree in byte order), and folded names."""

    model: type[Contact] | type[Company]
    exact: tuple[str, ...]
    names: tuple[str, ...]


PEOPLE = Searched(Contact, ("email", "external_id"), ("first_name", "last_name"))
COMPANIES = Searched(Company, ("domain", "external_id"), ("name",))


def matching(searched: Searched, rows: QuerySet[Any], text: str, cap: int = CAP) -> list[int]:
    """Ids of at most ``cap`` of ``rows`` (already limited to what the person may see) that match ``text``."""
    text = " ".join(text.split())[:MAX_LENGTH]
    if not text or "\x00" in text:
        return []
    rows = rows.order_by()
    if "@" in text or "." in text or any(c.isdigit() for c in text):
        found = _ids(_beginnings_of_addresses(searched, rows, text), cap)
        if not found and searched is PEOPLE:
            found = _within_numbers(rows, text, cap)
        if found:
            return found
    words = sorted(text.split()[:MAX_WORDS], key=len, reverse=True)
    if len(words[0]) < 3:
        return _ids(_beginnings_of_names(searched, rows, words), cap)
    found = _ids([_anywhere(rows, words)], cap)
    return found or _one_error_away(searched, rows, words, cap) or _similar(rows, text, cap)


def search_rows(searched: Searched, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """``rows`` cut down to those that match ``text``."""
    return rows.filter(pk__in=matching(searched, rows, text))


def best(searched: Searched, rows: QuerySet[Any], text: str, limit: int) -> list[Any]:
    """The ``limit`` best matches, the most similar first."""
    ids = matching(searched, rows, text, cap=200)
    if not ids:
        return []
    folded: Any = Fold(Value(text[:MAX_LENGTH]))  # expressions work; the stubs know text only
    likeness = TrigramWordSimilarity(folded, "search_text")
    ranked = rows.filter(pk__in=ids).annotate(score=likeness)
    asked = text.strip().lower()
    exact = Case(When(Q(**{searched.exact[0]: asked}), then=1), default=0)
    return list(ranked.order_by(exact.desc(), "-score", "-pk")[:limit])


def _ids(parts: Iterable[QuerySet[Any]], cap: int) -> list[int]:
    """The ids of all parts, each read no further than ``cap``."""
    found: dict[int, None] = {}
    for part in parts:
        if len(found) < cap:
            found.update(dict.fromkeys(part.values_list("pk", flat=True)[: cap - len(found)]))
    return list(found)


def _beginnings_of_addresses(searched: Searched, rows: QuerySet[Any], text: str) -> list[QuerySet[Any]]:
    parts = [rows.filter(**{f"{name}__startswith": text.lower()}) for name in searched.exact]
    if text != text.lower():
        parts.append(rows.filter(external_id__startswith=text))
    if searched is PEOPLE:
        points = Q(kind="email", value__startswith=text.lower())
        points |= Q(kind="external_id", value__startswith=text)
        for number in phone_beginnings(text):
            points |= Q(kind="phone", value__startswith=number)
        contacts = ContactPoint.objects.filter(points).order_by().values("contact_id")[:CAP]
        parts.append(rows.filter(pk__in=contacts))
    else:
        domains = CompanyDomain.objects.filter(domain__startswith=text.lower(), is_primary=False)
        parts.append(rows.filter(pk__in=domains.order_by().values("company_id")[:CAP]))
    return parts


def phone_beginnings(text: str) -> list[str]:
    """How a number that is typed in any format may begin in E.164; empty where ``text`` is no number."""
    digits = "".join(c for c in text if c.isdigit())
    if len(digits) < 3 or any(c.isalpha() for c in text) or "@" in text:
        return []
    if digits.startswith("00"):
        return [f"+{digits[2:]}"] if len(digits) > 4 else []
    own = phonenumbers.country_code_for_region(organisation().country)
    if digits.startswith("0"):
        return [f"+{own}{digits[1:]}"] if own else []
    plain = [f"+{digits}"]
    return plain if text.strip().startswith("+") or not own else [*plain, f"+{own}{digits}"]


def _within_numbers(rows: QuerySet[Any], text: str, cap: int) -> list[int]:
    """The last digits of a number, or some from its middle: by the trigram index, so at least five of them."""
    if not phone_beginnings(text):
        return []
    digits = "".join(c for c in text if c.isdigit()).lstrip("0")
    return _ids([rows.filter(search_text__contains=digits)], cap) if len(digits) >= 5 else []


def _beginnings_of_names(searched: Searched, rows: QuerySet[Any], words: list[str]) -> list[QuerySet[Any]]:
    """Names (or the address) that begin with the first word; the other words must begin names too."""
    lead, *others = words
    narrowed = rows
    for word in others:
        narrowed = narrowed.filter(_begins(searched, word))
    parts = [
        narrowed.annotate(folded=Fold(F(name))).filter(folded__startswith=Fold(Value(lead)))
        for name in searched.names
    ]
    return [*parts, narrowed.filter(**{f"{searched.exact[0]}__startswith": lead.lower()})]


def _begins(searched: Searched, word: str) -> Q:
    found = Q(**{f"{searched.exact[0]}__startswith": word.lower()})
    for name in searched.names:
        found |= Q(**{f"{name}__istartswith": word})
    return found


def _anywhere(rows: QuerySet[Any], words: list[str]) -> QuerySet[Any]:
    for word in words:
        rows = rows.filter(search_text__contains=Fold(Value(word)))
    return rows


_FIRST_WORD = """
SELECT c.id FROM unnest(%s::text[]) AS word (w)
JOIN contacts_company c ON crmcem_fold(c.name) ~>=~ w AND crmcem_fold(c.name) ~<~ (w || '!')
"""


def _one_error_away(searched: Searched, rows: QuerySet[Any], words: list[str], cap: int) -> list[int]:
    """Names with a letter swapped, missing, doubled or wrong. A courtesy too, and a few hundred looks at an index."""
    for word in words:
        near = neighbours(word)
        if searched is COMPANIES:
            # the name, or its first word: the blank is the last character before the mark
            close = Q(pk__in=RawSQL(_FIRST_WORD, [near]))  # noqa: S611 - parameters only
        else:
            rows = rows.alias(plain_first=Fold(F("first_name")), plain_last=Fold(F("last_name")))
            close = Q(plain_first__in=near) | Q(plain_last__in=near)
        if len(words) > 1:
            close |= Q(search_text__contains=Fold(Value(word)))
        rows = rows.filter(close)
    try:
        with statement_timeout(SIMILAR_MS):
            return _ids([rows], min(cap, 50))
    except OperationalError:
        return []


def _similar(rows: QuerySet[Any], text: str, cap: int) -> list[int]:
    """Matches in spite of a typing error. They are a courtesy: when they take too long there are none."""
    try:
        with statement_timeout(SIMILAR_MS):
            return _ids([rows.filter(search_text__trigram_word_similar=Fold(Value(text)))], min(cap, 50))
    except OperationalError:
        return []
