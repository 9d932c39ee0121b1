"""The signal strip: how a customer is doing, each figure with its age, its basis and a word for its colour."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.models import Pulse
from contacts.views.cells import due_state, due_words, mood
from crmcem.lib.web import cells
from crmcem.workspace.organisation import organisation


@dataclass(frozen=True, slots=True)
class Signal:
    """``value`` is empty where nothing was measured; ``word`` says what ``tone`` and ``icon`` mean."""

    label: str
    value: SafeString | str = ""
    word: str = ""
    tone: str = ""
    icon: str = ""
    at: dt.datetime | None = None
    basis: str = ""
    missing: str = ""
    hint: str = ""


def contact_signals(pulse: Pulse | None) -> list[Signal]:
    """The strip of one contact. A figure without its time was never measured."""
    if pulse is None:
        return signals({})
    names = ("health", "nps", "open_cases", "churn_risk", "clv", "next_activity_at")
    figures = {name: getattr(pulse, name) for name in names}
    return signals(
        figures | {f"{n}_at": getattr(pulse, f"{n}_at") for n in ("health", "nps", "churn_risk", "clv")}
    )


def company_signals(figures: Mapping[str, Any]) -> list[Signal]:
    """The strip of a company: what its people add up to, as far as the person sees them."""
    return signals(figures, many=True)


def signals(f: Mapping[str, Any], *, many: bool = False) -> list[Signal]:
    return [_health(f, many), _nps(f, many), _cases(f), _churn(f, many), _clv(f), _next(f)]


def _measured(f: Mapping[str, Any], name: str) -> bool:
    return f.get(name) is not None and f.get(f"{name}_at") is not None


def _people(n: int | None) -> str:
    return ngettext("of %(n)d person", "of %(n)d people", n or 0) % {"n": n or 0} if n else ""


def _health(f: Mapping[str, Any], many: bool) -> Signal:
    label, hint = _("Health"), _("0 to 100: a weighted mean of what is known about the customer.")
    if not _measured(f, "health"):
        return Signal(label, missing=_("not measured yet"), hint=hint)
    value = f["health"]
    word, tone, icon = (
        (_("good"), "green", "heart")
        if value >= 70
        else (_("watch"), "yellow", "heart-half")
        if value >= 40
        else (_("poor"), "red", "heart-broken")
    )
    basis = _people(f.get("health_n")) if many else ""
    return Signal(label, str(value), word, tone, icon, f["health_at"], basis, hint=hint)


def _nps(f: Mapping[str, Any], many: bool) -> Signal:
    if not _measured(f, "nps"):
        hint = _("How likely they are to recommend us, from 0 to 10.")
        return Signal(_("NPS") if many else _("Last NPS"), missing=_("not measured yet"), hint=hint)
    value = f["nps"]
    if many:
        tone = "green" if value >= 30 else "yellow" if value >= 0 else "red"
        word = {"green": _("good"), "yellow": _("mixed"), "red": _("negative")}[tone]
        icon = {"green": "mood-happy", "yellow": "mood-neutral", "red": "mood-sad"}[tone]
        hint = _("Share of promoters less share of detractors among the latest answers of its people.")
        basis = _("n = %(n)d") % {"n": f.get("nps_n") or 0}
        return Signal(_("NPS"), cells.signed(value), word, tone, icon, f["nps_at"], basis, hint=hint)
    word, tone, icon = mood(value)
    hint = _("Their latest answer: 0 to 6 is a detractor, 7 and 8 passive, 9 and 10 a promoter.")
    return Signal(_("Last NPS"), str(value), word, tone, icon, f["nps_at"], hint=hint)


def _cases(f: Mapping[str, Any]) -> Signal:
    value = f.get("open_cases") or 0
    word = _("needs an answer") if value else _("all clear")
    tone, icon = ("red", "lifebuoy") if value else ("green", "circle-check")
    return Signal(_("Open cases"), str(value), word, tone, icon, hint=_("Cases that are not resolved yet."))


def _churn(f: Mapping[str, Any], many: bool) -> Signal:
    label = _("Highest churn risk") if many else _("Churn risk")
    hint = _("How likely they are to leave, by the model of that date.")
    if not _measured(f, "churn_risk"):
        return Signal(label, missing=_("not measured yet"), hint=hint)
    value = f["churn_risk"]
    word, tone, icon = (
        (_("high"), "red", "trending-down")
        if value >= 0.6
        else (_("medium"), "yellow", "minus")
        if value >= 0.3
        else (_("low"), "green", "trending-up")
    )
    return Signal(label, f"{value:.0%}", word, tone, icon, f["churn_risk_at"], hint=hint)


def _clv(f: Mapping[str, Any]) -> Signal:
    label, hint = _("Lifetime value"), _("What they are expected to spend, by the model of that date.")
    if not _measured(f, "clv"):
        return Signal(label, missing=_("not measured yet"), hint=hint)
    value = cells.money(Decimal(round(f["clv"])), organisation().currency)
    return Signal(label, value, at=f["clv_at"], hint=hint, icon="coin")


def _next(f: Mapping[str, Any]) -> Signal:
    due = f.get("next_activity_at")
    hint = _("The earliest due time of their open tasks.")
    if due is None:
        return Signal(_("Next activity"), missing=_("none planned"), hint=hint)
    word, tone, icon = due_words()[due_state(due)]
    tone = "blue" if tone == "grey" else tone
    return Signal(_("Next activity"), cells.moment(due), word, tone, icon, hint=hint)
