"""What the condition builder shows: the fields a person may use, and the words of its buttons.

A page that builds conditions includes ``components/condition_builder.html`` with ``builder`` from here and
``static/js/condition_builder.js``. What is built is JSON in a ``<textarea>``, which also works by itself.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _

from crmcem.lib.conditions import FieldRegistry, describe
from crmcem.lib.conditions.moments import PERIODS, UNITS

Options = Sequence[tuple[str, str]]


def condition_builder(
    registry: FieldRegistry,
    user: Any,
    *,
    name: str = "conditions",
    value: Any = "",
    references: Mapping[str, Options] | None = None,
    lookups: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    segments: Options = (),
) -> dict[str, Any]:
    """The context of the component: ``{"name", "value", "spec"}``; ``spec`` is JSON for the script.

    ``value`` is the condition, or the text that was typed where that is no JSON. ``references`` gives the choices of
    reference fields, ``lookups`` the address that finds their records by name (see ``lookup.js``), ``labels`` the names
    of records that are in the conditions already (``company:17``). ``segments`` are id and name of those to choose.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    data = describe(registry, user)
    choices = references or {}
    for field in data["fields"]:
        if field["type"] == "reference" and field["name"] in choices:
            field["choices"] = [{"value": key, "label": label} for key, label in choices[field["name"]]]
        field["lookup"] = (lookups or {}).get(field["name"], "")
    data |= {
        "segments": [{"value": key, "label": label} for key, label in segments] if data["segments"] else [],
        "names": dict(labels or {}),
        "units": [{"value": unit, "label": label} for unit, label in zip(UNITS, _units(), strict=True)],
        "periods": [{"value": each, "label": label} for each, label in zip(PERIODS, _periods(), strict=True)],
        "texts": _texts(),
    }
    return {"name": name, "value": text, "spec": json.dumps(data, cls=DjangoJSONEncoder)}


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
