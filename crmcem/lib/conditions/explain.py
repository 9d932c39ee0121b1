"""A condition in plain words, for people to check what they built."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import formats
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from crmcem.lib.conditions.moments import Edge, Fixed, Relative, Span
from crmcem.lib.conditions.nodes import (
    ActivityLeaf,
    All,
    AnyOf,
    Compare,
    CurrentUser,
    Money,
    Node,
    Not,
    Property,
    RelatedLeaf,
    SegmentLeaf,
)
from crmcem.lib.conditions.operators import FieldType
from crmcem.lib.conditions.registry import Field

MAX_LISTED = 10


def explain(node: Node) -> str:
    """One sentence without a full stop: "Lifecycle stage is customer, and not tagged vip"."""
    return capfirst(_phrase(node, top=True))


def _phrase(node: Node, *, top: bool = False) -> str:
    match node:
        case All(children):
            return _joined(children, _(", and "), _("everyone"), top)
        case AnyOf(children):
            return _joined(children, _(", or "), _("no one"), top)
        case Not(child):
            return _("not (%(what)s)") % {"what": _phrase(child, top=True)}
        case Compare():
            return _compare(node)
        case Property():
            return _worded(node.name, node.op, _value(node.value))
        case SegmentLeaf():
            return _("in segment “%(name)s”") % {"name": node.name}
        case ActivityLeaf():
            return _activity(node)
        case RelatedLeaf():
            return _related(node)


def _joined(children: tuple[Node, ...], glue: str, nothing: str, top: bool) -> str:
    if not children:
        return nothing
    if len(children) == 1:
        return _phrase(children[0], top=top)
    text = glue.join(_phrase(child) for child in children)
    return text if top else f"({text})"


def _compare(node: Compare) -> str:
    field = node.spec
    value = _value(_labelled(field, node.value), quoted=field.type is FieldType.TEXT)
    own = field.phrases.get(node.op)
    if own is not None:
        return str(own).replace("{value}", value)
    return _worded(str(field.label), node.op, value)


def _worded(field: str, op: str, value: str) -> str:
    return _patterns()[op] % {"field": field, "value": value}


def _patterns() -> dict[str, str]:
    return {
        "eq": _("%(field)s is %(value)s"),
        "ne": _("%(field)s is not %(value)s"),
        "gt": _("%(field)s is more than %(value)s"),
        "gte": _("%(field)s is at least %(value)s"),
        "lt": _("%(field)s is less than %(value)s"),
        "lte": _("%(field)s is at most %(value)s"),
        "between": _("%(field)s is between %(value)s"),
        "contains": _("%(field)s contains %(value)s"),
        "not_contains": _("%(field)s does not contain %(value)s"),
        "starts_with": _("%(field)s starts with %(value)s"),
        "ends_with": _("%(field)s ends with %(value)s"),
        "in": _("%(field)s is one of %(value)s"),
        "not_in": _("%(field)s is none of %(value)s"),
        "has_any": _("%(field)s has any of %(value)s"),
        "has_all": _("%(field)s has all of %(value)s"),
        "has_none": _("%(field)s has none of %(value)s"),
        "before": _("%(field)s is before %(value)s"),
        "after": _("%(field)s is after %(value)s"),
        "on": _("%(field)s is on %(value)s"),
        "in_last": _("%(field)s is in the last %(value)s"),
        "not_in_last": _("%(field)s is not in the last %(value)s"),
        "in_next": _("%(field)s is in the next %(value)s"),
        "is_set": _("%(field)s has a value"),
        "is_not_set": _("%(field)s has no value"),
    }


def _activity(leaf: ActivityLeaf) -> str:
    label = leaf.source.labels().get(leaf.kind)
    what = f"{label} ({leaf.kind})" if label else _("did %(kind)s") % {"kind": leaf.kind}
    within = span_words(leaf.within)
    if leaf.measure == "sum":
        amount = _worded(_("the sum of %(property)s") % {"property": leaf.of}, leaf.op, _value(leaf.value))
        text = _("%(what)s, where %(amount)s in the last %(within)s") % {
            "what": what,
            "amount": amount,
            "within": within,
        }
    elif leaf.measure == "last":
        when = _worded(_("the last time"), leaf.op, _value(leaf.value))
        text = _("%(what)s in the last %(within)s, %(when)s") % {"what": what, "within": within, "when": when}
    else:
        text = _("%(what)s %(times)s in the last %(within)s") % {
            "what": what,
            "times": _times(leaf),
            "within": within,
        }
    if leaf.together is not None:
        apart = span_words(leaf.together)
        text = _("%(what)s %(times)s within %(apart)s of each other in the last %(within)s") % {
            "what": what,
            "times": _times(leaf),
            "apart": apart,
            "within": within,
        }
    if leaf.where is not None:
        text = _("%(text)s with %(where)s") % {"text": text, "where": _phrase(leaf.where, top=True)}
    return text


def _related(leaf: RelatedLeaf) -> str:
    has = leaf.spec.words(leaf.has, leaf.least)
    if leaf.where is None or leaf.where == All(()):
        return has
    return pgettext("related record", "%(has)s with %(where)s") % {"has": has, "where": _phrase(leaf.where)}


def _times(leaf: ActivityLeaf) -> str:
    if leaf.op == "between":
        low, high = leaf.value
        return _("between %(low)s and %(high)s times") % {"low": int(low), "high": int(high)}
    n = int(leaf.value)
    pattern = {
        "eq": ngettext("exactly %(n)s time", "exactly %(n)s times", n),
        "ne": ngettext("other than %(n)s time", "other than %(n)s times", n),
        "gt": ngettext("more than %(n)s time", "more than %(n)s times", n),
        "gte": ngettext("at least %(n)s time", "at least %(n)s times", n),
        "lt": ngettext("less than %(n)s time", "fewer than %(n)s times", n),
        "lte": ngettext("at most %(n)s time", "at most %(n)s times", n),
    }[leaf.op]
    return pattern % {"n": n}


def _labelled(field: Field, value: Any) -> Any:
    """Choices and references by their names."""
    if value is None or field.type not in (FieldType.CHOICE, FieldType.MULTI_CHOICE, FieldType.REFERENCE):
        return value
    keys = value if isinstance(value, tuple) else (value,)
    if field.type is FieldType.REFERENCE:
        ids = [key for key in keys if not isinstance(key, CurrentUser)]
        names = {key: str(name) for key, name in field.names(ids).items()} if field.names and ids else {}
    elif field.spellings is not None:
        names = {key: each[0] for key, each in field.spellings(keys).items()}
    else:
        names = dict(field.options() or {})
    out = tuple(key if isinstance(key, CurrentUser) else names.get(key, str(key)) for key in keys)
    return out if isinstance(value, tuple) else out[0]


def _value(value: Any, *, quoted: bool = False) -> str:
    match value:
        case None:
            return ""
        case tuple():
            return _listed([_value(item, quoted=quoted) for item in value])
        case bool():
            return _("yes") if value else _("no")
        case Decimal():
            return f"{value:f}"
        case Money():
            return f"{value.amount:f} {value.currency}".strip()
        case CurrentUser():
            return _("me")
        case Span():
            return span_words(value)
        case Fixed() | Relative() | Edge():
            return _moment(value)
        case _:
            return _("“%(quote)s”") % {"quote": value} if quoted else str(value)


def _listed(items: list[str]) -> str:
    if len(items) == 2:
        return _("%(first)s and %(second)s") % {"first": items[0], "second": items[1]}
    if len(items) > MAX_LISTED:
        more = len(items) - MAX_LISTED
        return _("%(items)s and %(n)s more") % {"items": ", ".join(items[:MAX_LISTED]), "n": more}
    return ", ".join(items)


def span_words(span: Span) -> str:
    """ "3 days"."""
    n = span.amount
    pattern = {
        "minutes": ngettext("%(n)s minute", "%(n)s minutes", n),
        "hours": ngettext("%(n)s hour", "%(n)s hours", n),
        "days": ngettext("%(n)s day", "%(n)s days", n),
        "weeks": ngettext("%(n)s week", "%(n)s weeks", n),
        "months": ngettext("%(n)s month", "%(n)s months", n),
        "years": ngettext("%(n)s year", "%(n)s years", n),
    }[span.unit]
    return pattern % {"n": n}


def _moment(moment: Fixed | Relative | Edge) -> str:
    if isinstance(moment, Fixed):
        if isinstance(moment.at, datetime):
            return _("%(at)s UTC") % {"at": formats.date_format(moment.at, "SHORT_DATETIME_FORMAT")}
        return formats.date_format(moment.at, "DATE_FORMAT")
    if isinstance(moment, Edge):
        return _edge(moment)
    if moment.span is not None:
        pattern = _("%(span)s ago") if moment.word == "ago" else _("%(span)s from now")
        return pattern % {"span": span_words(moment.span)}
    return {"now": _("now"), "today": _("today"), "yesterday": _("yesterday"), "tomorrow": _("tomorrow")}[
        moment.word
    ]


def _edge(edge: Edge) -> str:
    which = _nearby(edge.period, edge.offset)
    if which is None:
        period = {
            "day": _("day"),
            "week": _("week"),
            "month": _("month"),
            "quarter": _("quarter"),
            "year": _("year"),
        }[edge.period]
        if edge.offset < 0:
            which = _("the %(period)s %(n)s before this one") % {"period": period, "n": -edge.offset}
        else:
            which = _("the %(period)s %(n)s after this one") % {"period": period, "n": edge.offset}
    pattern = _("the start of %(which)s") if edge.edge == "start_of" else _("the end of %(which)s")
    return pattern % {"which": which}


def _nearby(period: str, offset: int) -> str | None:
    """Whole phrases: in other languages the words around a period take its gender and case."""
    return {
        ("day", -1): pgettext("start or end of", "last day"),
        ("day", 0): pgettext("start or end of", "this day"),
        ("day", 1): pgettext("start or end of", "next day"),
        ("week", -1): pgettext("start or end of", "last week"),
        ("week", 0): pgettext("start or end of", "this week"),
        ("week", 1): pgettext("start or end of", "next week"),
        ("month", -1): pgettext("start or end of", "last month"),
        ("month", 0): pgettext("start or end of", "this month"),
        ("month", 1): pgettext("start or end of", "next month"),
        ("quarter", -1): pgettext("start or end of", "last quarter"),
        ("quarter", 0): pgettext("start or end of", "this quarter"),
        ("quarter", 1): pgettext("start or end of", "next quarter"),
        ("year", -1): pgettext("start or end of", "last year"),
        ("year", 0): pgettext("start or end of", "this year"),
        ("year", 1): pgettext("start or end of", "next year"),
    }.get((period, offset))
