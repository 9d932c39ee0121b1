"""Who names a segment: other segments, saved views, and what the floors above register."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from contacts.models import SavedView, Segment
from crmcem.lib.api.fields import parse_id
from crmcem.lib.registry import Registry

#: where the lists of saved views are, as far as contacts knows them
_LISTS = {"contact": "contacts:list", "company": "contacts:companies", "task": "contacts:tasks"}


@dataclass(frozen=True, slots=True)
class Use:
    """Something that names the segment. ``is_hidden``: it is not the person's to know."""

    label: str
    url: str
    is_hidden: bool = False


#: ``find(segment id, user)``; without a user nothing is hidden
Finder = Callable[[int, Any], list[Use]]
finders: Registry[Finder] = Registry("finder of uses of segments")


def uses_of(pk: int, user: Any) -> list[Use]:
    """Everything that names the segment."""
    return [use for find in finders for use in find(pk, user)]


def names_segment(data: Any, pk: int) -> bool:
    """Whether conditions, or a filter on ``segment.entered``, name the segment anywhere in this JSON."""
    if isinstance(data, Mapping):
        if _is(data.get("segment"), pk):
            return True
        if data.get("property") == "segment" and _is(data.get("value"), pk):
            return True
        return any(names_segment(each, pk) for each in data.values())
    return (
        isinstance(data, Sequence)
        and not isinstance(data, str)
        and any(names_segment(each, pk) for each in data)
    )


def segments_in(data: Any) -> set[int]:
    """The ids of the segments that conditions, or a filter on ``segment.entered``, name anywhere in this JSON."""
    if isinstance(data, Mapping):
        named = [data.get("segment"), data.get("value") if data.get("property") == "segment" else None]
        found = {pk for value in named for pk in _ids(value)}
        return found.union(*(segments_in(each) for each in data.values()))
    if isinstance(data, Sequence) and not isinstance(data, str):
        return set().union(*(segments_in(each) for each in data))
    return set()


def segments_in_query(query: str) -> set[int]:
    """The ids of the segments that the address of a list names."""
    found = parse_qs(query)
    out = {pk for text in found.get("segment", ()) for pk in _ids(text)}
    for text in found.get("conditions", ()):
        with suppress(ValueError, RecursionError):
            out |= segments_in(json.loads(text))
    return out


def _ids(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        for each in value:
            yield from _ids(each)
    elif isinstance(value, str | int) and not isinstance(value, bool) and (pk := parse_id(value)) is not None:
        yield pk


def _is(value: Any, pk: int) -> bool:
    if isinstance(value, list):
        return any(_is(each, pk) for each in value)
    return not isinstance(value, bool | Mapping) and str(value) == str(pk)


def _segments(pk: int, user: Any) -> list[Use]:
    rows = Segment.objects.filter(uses__contains=[pk]).order_by("name", "pk")
    seen = None if user is None else set(rows.visible_to(user).values_list("pk", flat=True))
    return [
        Use(
            _("segment “%(name)s”") % {"name": row.name},
            reverse("contacts:segment", args=[row.pk]),
            seen is not None and row.pk not in seen,
        )
        for row in rows
    ]


def _views(pk: int, user: Any) -> list[Use]:
    perhaps = SavedView.objects.filter(query__contains=str(pk)).order_by("name", "pk")
    rows = [row for row in perhaps if _view_names(row.query, pk)]
    shown = {row.pk for row in rows}
    if user is not None:
        shown = set(SavedView.objects.visible_to(user).filter(pk__in=shown).values_list("pk", flat=True))
    return [
        Use(_("saved view “%(name)s”") % {"name": row.name}, _list_url(row), row.pk not in shown)
        for row in rows
    ]


def _view_names(query: str, pk: int) -> bool:
    found = parse_qs(query)
    if str(pk) in found.get("segment", ()):
        return True
    for text in found.get("conditions", ()):
        try:
            if names_segment(json.loads(text), pk):
                return True
        except (ValueError, RecursionError):
            continue
    return False


def _list_url(row: SavedView) -> str:
    try:
        return f"{reverse(_LISTS.get(row.entity, ''))}?view={row.pk}&{row.query}"
    except NoReverseMatch:
        return ""


finders.add("segments", _segments)
finders.add("views", _views)
