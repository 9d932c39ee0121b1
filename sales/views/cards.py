"""What a deal looks like on cards, in lists and panels: words, icons and tones, never colour alone."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from contacts.models import Pulse
from crmcem.lib.web import cells
from sales.models import Deal
from sales.selectors.board import end_of_today, state_of

deal_url = cells.url_maker("sales:deal")

#: state of the next activity → (tone, icon, word)
STATES: dict[str, tuple[str, str, Any]] = {
    "overdue": ("red", "alert-circle", gettext_lazy("Overdue")),
    "today": ("green", "clock", gettext_lazy("Today")),
    "none": ("yellow", "alert-triangle", gettext_lazy("No activity")),
    "planned": ("grey", "calendar-event", gettext_lazy("Planned")),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A short sign: an icon and words in a tone; ``hint`` says more on hover."""

    tone: str
    icon: str
    word: str
    hint: str = ""

    @property
    def html(self) -> SafeString:
        return cells.badge(self.word, self.tone, self.icon)


def next_mark(due: dt.datetime | None, now: dt.datetime | None = None) -> Mark:
    """The state of a deal's next activity."""
    now = now or timezone.now()
    state = state_of(due, now, end_of_today())
    tone, icon, word = STATES[state]
    if due is None:
        return Mark(tone, icon, str(word), _("No task with a due time is open for this deal"))
    hint = _("Next activity: %(when)s") % {"when": _exact(due)}
    if state == "planned":
        return Mark(tone, icon, cells.relative(due, now), hint)
    if state == "today":
        return Mark(tone, icon, f"{word} {timezone.localtime(due):%H:%M}", hint)
    return Mark(tone, icon, str(word), hint)


def nps_mark(pulse: Pulse | None) -> Mark | None:
    """A person's last NPS answer with its class and age; None where they never answered."""
    if pulse is None or pulse.nps is None:
        return None
    age = cells.relative(pulse.nps_at) if pulse.nps_at else ""
    if pulse.nps >= 9:
        tone, icon, word = "green", "mood-smile", _("promoter")
    elif pulse.nps >= 7:
        tone, icon, word = "yellow", "mood-neutral", _("passive")
    else:
        tone, icon, word = "red", "mood-sad", _("detractor")
    return Mark(tone, icon, f"NPS {pulse.nps}", ", ".join(part for part in (word, age) if part))


def sentiment_mark(pulse: Pulse | None) -> Mark | None:
    """How a person felt last (−1 to 1), as word, icon and tone."""
    if pulse is None or pulse.sentiment is None:
        return None
    hint = cells.relative(pulse.sentiment_at) if pulse.sentiment_at else ""
    if pulse.sentiment >= 0.25:
        return Mark("green", "mood-smile", pgettext("mood", "Positive"), hint)
    if pulse.sentiment <= -0.25:
        return Mark("red", "mood-sad", pgettext("mood", "Negative"), hint)
    return Mark("grey", "mood-neutral", pgettext("mood", "Neutral"), hint)


def cases_mark(pulse: Pulse | None) -> Mark | None:
    """How many cases are open for a person; None where there are none."""
    if pulse is None or not pulse.open_cases:
        return None
    count = pulse.open_cases
    return Mark(
        "orange", "lifebuoy", ngettext("%(n)d case", "%(n)d cases", count) % {"n": count}, _("open now")
    )


def pulse_of(contact: Any) -> Pulse | None:
    return getattr(contact, "pulse", None)


def is_rotting(deal: Deal, now: dt.datetime) -> bool:
    return deal.status == Deal.Status.OPEN and deal.rots_at is not None and deal.rots_at < now


def span(since: dt.datetime, now: dt.datetime) -> str:
    """How long, in days (hours under one day)."""
    seconds = max(0, (now - since).total_seconds())
    if seconds < 86_400:
        return _("%(n)d h") % {"n": seconds // 3600}
    return _("%(n)d d") % {"n": seconds // 86_400}


def _exact(value: dt.datetime) -> str:
    from django.utils.formats import date_format

    return str(date_format(timezone.localtime(value), "DATETIME_FORMAT"))


def cards(deals: Iterable[Deal]) -> list[dict[str, Any]]:
    """What the template of the cards shows for ``carded`` deals."""
    now = timezone.now()
    return [_card(deal, now) for deal in deals]


def _card(deal: Any, now: dt.datetime) -> dict[str, Any]:
    person = deal.people[0].contact if deal.people else None
    pulse = pulse_of(person)
    owner = str(deal.owner) if deal.owner else ""
    return {
        "pk": deal.pk,
        "url": deal_url(deal.pk),
        "name": deal.name,
        "company": str(deal.company or person or ""),
        "amount": cells.money(deal.amount, deal.currency) if deal.amount is not None else "",
        "age": span(deal.stage_entered_at, now),
        "since": _("In this stage since %(when)s") % {"when": _exact(deal.stage_entered_at)},
        "next": next_mark(deal.next_activity_at, now),
        "signals": [m for m in (nps_mark(pulse), cases_mark(pulse)) if m],
        "owner": owner,
        "initials": cells.initials(owner) if owner else "",
        "rotting": is_rotting(deal, now),
    }
