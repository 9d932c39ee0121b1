"""What the condition builder shows: the fields a person may use, and the words of its buttons.

A page that builds conditions includes ``components/condition_builder.html`` with ``builder`` from here and
``static/js/condition_builder.js``. What is built is JSON in a ``<textarea>``, which also works by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _

from crmcem.lib.conditions import FieldRegistry, describe
from crmcem.lib.conditions.moments import PERIODS, UNITS
from crmcem.lib.registry import Registry

Options = Sequence[tuple[str, str]]
T = TypeVar("T")


class Asked:
    """What the builders of one page offer to a person: each list of choices is read once."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self._found: dict[Any, Any] = {}

    def once(self, read: Callable[[], T]) -> T:
        """What ``read`` (a function of a module) answers."""
        if read not in self._found:
            self._found[read] = read()
        found: T = self._found[read]
        return found

    def of(self, record: str) -> Offered:
        """What is offered for the fields of a kind of record."""
        offer = offers.get(record)
        if record not in self._found:
            self._found[record] = Offered() if offer is None else offer(self)
        found: Offered = self._found[record]
        return found


@dataclass(frozen=True, slots=True)
class Offered:
    """``references``: the choices of reference fields; ``lookups``: the address that finds the values of a field by
    what is typed (see ``lookup.js``); ``segments``: id and name of those to choose.
    """

    references: Mapping[str, Options] = field(default_factory=dict)
    lookups: Mapping[str, str] = field(default_factory=dict)
    segments: Options = ()


#: by model (``sales.Deal``): what a builder offers for its fields, beside what the fields themselves tell
offers: Registry[Callable[[Asked], Offered]] = Registry("offer of the condition builder")


def condition_builder(
    registry: FieldRegistry,
    user: Any,
    *,
    name: str = "conditions",
    value: Any = "",
    labels: Mapping[str, str] | None = None,
    shared: bool = False,
    asked: Asked | None = None,
    without: str = "",
) -> dict[str, Any]:
    """The context of the component: ``{"name", "value", "spec"}``; ``spec`` is JSON for the script.

    ``value`` is the condition, or the text that was typed where that is no JSON. ``labels`` are the names of records
    that are in the conditions already (``company:17``). ``shared``: the answer will be everybody's. ``asked`` is
    what several builders of a page share, ``without`` the segment that can't be named.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    data = describe(registry, user, shared=shared)
    asked = asked or Asked(user)
    for record, found in data["records"].items():
        _offer(found, asked.of(record), without)
    data |= {
        "operators": _named_once(data["records"]),
        "names": dict(labels or {}),
        "units": [{"value": unit, "label": label} for unit, label in zip(UNITS, _units(), strict=True)],
        "periods": [{"value": each, "label": label} for each, label in zip(PERIODS, _periods(), strict=True)],
        "texts": _texts(),
    }
    return {"name": name, "value": text, "spec": json.dumps(data, cls=DjangoJSONEncoder)}


def _named_once(records: dict[str, Any]) -> dict[str, Any]:
    """Label and arity of each operator; fields only name theirs from now on, which makes the page a third as long."""
    known: dict[str, Any] = {}
    for record in records.values():
        for each in record["fields"]:
            for operator in each["operators"]:
                known[operator["name"]] = {"label": operator["label"], "arity": operator["arity"]}
            each["operators"] = [operator["name"] for operator in each["operators"]]
    return known


def _offer(record: dict[str, Any], offered: Offered, without: str) -> None:
    """Put choices, addresses and segments to the description of a record."""
    for each in record["fields"]:
        if each["type"] == "reference" and each["name"] in offered.references:
            each["choices"] = [
                {"value": key, "label": label} for key, label in offered.references[each["name"]]
            ]
        each["lookup"] = offered.lookups.get(each["name"], "")
    segments = offered.segments if record["segments"] else ()
    record["segments"] = [{"value": key, "label": label} for key, label in segments if key != without]


def _units() -> list[str]:
    return [_("minutes"), _("hours"), _("days"), _("weeks"), _("months"), _("years")]


def _periods() -> list[str]:
    return [_("day"), _("week"), _("month"), _("quarter"), _("year")]


def _texts() -> dict[str, str]:
    return {
        "all": _("All of these hold"),
        "any": _("At least one of these holds"),
        "none": _("None of these holds"),
        "notall": _("Not all of these hold"),
        "match": _("How they go together"),
        "add": _("Add condition"),
        "addGroup": _("Add group"),
        "remove": _("Remove condition"),
        "removeGroup": _("Remove group"),
        "what": _("What to look at"),
        "choose": _("Choose what to look at"),
        "how": _("How it compares"),
        "value": _("Value"),
        "and": _("and"),
        "several": _("Several with commas between them"),
        "yes": _("yes"),
        "no": _("no"),
        "fields": _("Fields"),
        "activities": _("Activities"),
        "segments": _("Segments"),
        "activity": _("Something happened"),
        "segment": _("Is in a segment"),
        "related": _("Related records"),
        "has": _("How many"),
        "hasAny": _("there are some"),
        "hasNone": _("there are none"),
        "hasLeast": _("there are at least"),
        "hasOne": _("there is one"),
        "hasNoOne": _("there is none"),
        "least": _("At least how many"),
        "relatedEmpty": _("No condition on them yet: every one counts."),
        "kind": _("What happened"),
        "measure": _("What is measured"),
        "count": _("How often"),
        "sum": _("Sum of a property"),
        "last": _("The last time"),
        "of": _("Property"),
        "within": _("Looking back"),
        "together": _("all within"),
        "anytime": _("any time in between"),
        "where": _("only where"),
        "addWhere": _("Only where a property …"),
        "removeWhere": _("Remove this property"),
        "whereKept": _("It has a filter that only the JSON shows."),
        "amount": _("Number"),
        "unit": _("Unit"),
        "currency": _("Currency"),
        "moment": _("Kind of moment"),
        "date": _("on a day"),
        "now": _("now"),
        "today": _("today"),
        "yesterday": _("yesterday"),
        "tomorrow": _("tomorrow"),
        "ago": _("… ago"),
        "from_now": _("… from now"),
        "start_of": _("start of"),
        "end_of": _("end of"),
        "instant": _("at an exact time"),
        "offset": _("0 is this one, −1 the one before"),
        "period": _("Period"),
        "empty": _("No condition yet: all of them match."),
        "unreadable": _("The JSON can’t be read. Mend it, and the builder shows it again."),
        "added": _("Condition added."),
        "removed": _("Condition removed."),
        "typeName": _("Type a name"),
        "group": _("Group of conditions"),
        "condition": _("Condition"),
    }
