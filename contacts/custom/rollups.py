"""Rollup fields: what the records related to a contact or company add up to, asked of the database when it is read.

For a person only the records are counted that they may see; for the system (segments, automations) all of them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import (
    Avg,
    Count,
    DateField,
    DecimalField,
    F,
    Max,
    Min,
    OuterRef,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce, Round, TruncDate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.custom.definitions import Definition
from contacts.custom.sources import Figure, Source, source_of, sources_of
from crmcem.lib import cleaning
from crmcem.lib.cleaning import Bad
from crmcem.workspace.organisation import organisation

NUMERIC: Any = DecimalField(max_digits=40, decimal_places=10)
MEASURES: dict[str, Any] = {
    "count": gettext_lazy("How many"),
    "sum": gettext_lazy("Sum"),
    "average": gettext_lazy("Average"),
    "min": gettext_lazy("Smallest"),
    "max": gettext_lazy("Largest"),
    "newest": gettext_lazy("Newest"),
    "oldest": gettext_lazy("Oldest"),
}
_OF_NUMBERS = ("sum", "average", "min", "max")
_OF_DAYS = ("newest", "oldest")
_AGGREGATES: dict[str, Callable[..., Any]] = {
    "sum": Sum,
    "average": Avg,
    "min": Min,
    "max": Max,
    "newest": Max,
    "oldest": Min,
}
#: what is asked for; ``result`` and ``decimals`` follow from it
_ASKED = ("source", "measure", "of", "only", "event")


# --- in SQL ----------------------------------------------------------------------------------------------------
def rollup(definition: Definition, user: Any = None) -> Any:
    """The value as an expression over the record's row; without a user over everything there is."""
    options = definition.options
    source = source_of(definition.entity, options["source"])
    output = DateField() if definition.result == "date" else NUMERIC
    if source is None:  # the app that had these records is gone
        return Value(None, output)
    rows: Any = source.rows()
    if user is not None and hasattr(rows, "visible_to"):
        rows = rows.visible_to(user)
    if source.events:
        rows = rows.filter(kind=options["event"])
    if part := source.parts.get(options.get("only", "")):
        rows = rows.filter(part.q)
    rows = rows.filter(**{source.link: OuterRef("pk")}).order_by()
    if options["measure"] == "count":
        made: Any = Count("pk")
    else:
        figure = source.figure(options["of"])
        if figure is None:
            return Value(None, output)
        if figure.currency:
            rows = rows.filter(**{figure.currency: organisation().currency})
        made = _AGGREGATES[options["measure"]](_value(figure))
        if options["measure"] == "average":
            made = Round(made, precision=definition.decimals, output_field=NUMERIC)
    found = Subquery(rows.values(source.link).annotate(rolled=made).values("rolled"), output_field=output)
    return Coalesce(found, Value(0, NUMERIC)) if options["measure"] in {"count", "sum"} else found


def rollup_reads(definition: Definition) -> tuple[str, ...]:
    """What moves the value (``Field.reads``)."""
    source = source_of(definition.entity, definition.options["source"])
    if source is None:
        return ()
    return (f"kind:{definition.options['event']}",) if source.events else source.reads


def _value(figure: Figure) -> Any:
    if figure.kind == "moment":
        return TruncDate(figure.value, tzinfo=ZoneInfo(organisation().time_zone))
    return F(figure.value) if isinstance(figure.value, str) else figure.value


# --- definitions -----------------------------------------------------------------------------------------------
def clean_rollup(entity: str, given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a rollup as they are kept. Raises ValueError that says how to mend them."""
    unknown = sorted(set(given) - {*_ASKED, "result", "decimals"})
    if unknown:
        raise Bad(
            "unknown_option",
            _("This type has no option %(name)s. Options: %(known)s.")
            % {"name": str(unknown[0])[:40], "known": ", ".join(_ASKED)},
        )
    if stored:
        if any(given.get(name) != stored.get(name) for name in given):
            raise Bad("fixed", _("What a rollup adds up can't be changed. Make a new field."))
        return dict(stored)
    source = _source(entity, given.get("source"))
    measure = given.get("measure")
    if measure not in MEASURES:
        raise Bad("invalid_choice", _("Choose one of: %(names)s.") % {"names": ", ".join(MEASURES)})
    options: dict[str, Any] = {"source": source.key, "measure": measure}
    if only := given.get("only"):
        if only not in source.parts:
            names = ", ".join(source.parts) or _("none yet")
            raise Bad(
                "invalid_choice",
                _("These records have no part %(name)s. Parts: %(names)s.")
                % {"name": str(only)[:40], "names": names},
            )
        options["only"] = only
    if source.event is not None:
        options["event"] = _event(source.event, given.get("event"))
    elif given.get("event"):
        raise Bad("unknown_option", _("Only tracked events have a name of an event."))
    return options | _result(source, measure, given.get("of"))


def _source(entity: str, key: Any) -> Source:
    found = source_of(entity, key) if isinstance(key, str) else None
    if found is None:
        names = ", ".join(each.key for each in sources_of(entity)) or _("none yet")
        raise Bad("invalid_choice", _("Choose one of: %(names)s.") % {"names": names})
    return found


def _event(check: Callable[[Any], str], value: Any) -> str:
    try:
        return check(cleaning.text(80)(value))
    except ValueError:
        raise Bad("event", _("Name a tracked event in lower case, such as order.placed.")) from None


def _result(source: Source, measure: str, of: Any) -> dict[str, Any]:
    """What is added up, and what comes out of it."""
    if measure == "count":
        if of:
            raise Bad("invalid", _("A number of records needs nothing that is added up."))
        return {"result": "number", "decimals": 0}
    figure = source.figure(of) if isinstance(of, str) and of else None
    if figure is None or measure not in measures_of(figure):
        names = ", ".join(name for name, each in source.figures.items() if measure in measures_of(each))
        raise Bad(
            "invalid_choice",
            _("Name what is meant in “of”. For this measure: %(names)s.") % {"names": names or _("none yet")},
        )
    if measure in _OF_DAYS:
        return {"of": of, "result": "date"}
    decimals = 2 if figure.kind == "money" or measure == "average" else figure.decimals
    return {"of": of, "result": figure.kind, "decimals": decimals}


def measures_of(figure: Figure) -> tuple[str, ...]:
    return _OF_NUMBERS if figure.kind in {"number", "money"} else _OF_DAYS


# --- words -----------------------------------------------------------------------------------------------------
def offered(source: Source) -> Iterator[tuple[str, str, str]]:
    """``(measure, figure, words)`` of everything that can be asked of a source."""
    yield "count", "", _("%(measure)s: %(records)s") % _words(source, "count")
    for name, figure in source.figures.items():
        for measure in measures_of(figure):
            yield measure, name, _named(source, measure, figure)
    if source.events:
        for measure in _OF_NUMBERS:
            words = {"measure": MEASURES[measure], "of": _("a number that the events carry")}
            yield measure, "*", _("%(measure)s: %(of)s") % words


def _words(source: Source, measure: str) -> dict[str, Any]:
    return {"measure": MEASURES[measure], "records": source.label}


def _named(source: Source, measure: str, figure: Figure) -> str:
    return _("%(measure)s: %(of)s (%(records)s)") % (_words(source, measure) | {"of": figure.label})


def explain_rollup(definition: Definition) -> list[str]:
    """What the field shows, in sentences."""
    options = definition.options
    source = source_of(definition.entity, options["source"])
    if source is None:
        return [_("What this field adds up is not there any more.")]
    figure = source.figure(options.get("of", ""))
    measure = options["measure"]
    first = (
        _named(source, measure, figure) if figure else _("%(measure)s: %(records)s") % _words(source, measure)
    )
    if part := source.parts.get(options.get("only", "")):
        first = _("%(what)s, only: %(part)s") % {"what": first, "part": part.label}
    if source.events:
        first = _("%(what)s, event %(event)s") % {"what": first, "event": options["event"]}
    found = [first]
    if figure is not None and figure.currency:
        found.append(
            _("Amounts in %(currency)s are counted; amounts in other currencies are left out.")
            % {"currency": organisation().currency}
        )
    return [*found, _("Everybody sees counted what they may see.")]
