"""What the figures of Pulse look like in a cell: colour, icon and word say the same."""

import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from contacts.models import Lifecycle
from crmcem.lib.web import cells

STAGES = dict(Lifecycle.choices)
STAGE_TONES = {
    "subscriber": "grey",
    "lead": "blue",
    "qualified": "purple",
    "opportunity": "yellow",
    "customer": "green",
    "former": "orange",
}

#: icons of the kinds of interaction
ICONS = {
    "call": "phone",
    "email": "mail",
    "meeting": "users",
    "note": "note",
    "chat": "message-circle",
    "social": "brand-mastodon",
    "visit": "map-pin",
}

contact_url = cells.url_maker("contacts:contact")
company_url = cells.url_maker("contacts:company")


def mood(nps: int) -> tuple[str, str, str]:
    """Word, colour and icon of an answer from 0 to 10."""
    if nps >= 9:
        return _("promoter"), "green", "mood-happy"
    if nps >= 7:
        return _("passive"), "yellow", "mood-neutral"
    return _("detractor"), "red", "mood-sad"


def nps(value: int | None, at: dt.datetime | None) -> SafeString:
    """``9 · 3 d ago``: never a figure without its age."""
    if value is None or at is None:
        return cells.NONE
    word, tone, icon = mood(value)
    return mark_safe(  # noqa: S308
        f'<span class="tag tag-{tone}" title="{escape(word)}"><i class="ti ti-{icon}" aria-hidden="true"></i>'
        f'{value}<span class="visually-hidden"> {escape(word)}</span></span> '
        f'<span class="soft">{cells.moment(at)}</span>'
    )


def score(value: int | None, n: int, at: dt.datetime | None) -> SafeString:
    """The NPS of many people, signed, with how many stand behind it and the age of the newest answer."""
    if value is None or at is None:
        return cells.NONE
    tone = "green" if value >= 30 else "yellow" if value >= 0 else "red"
    icon = "mood-happy" if value >= 30 else "mood-neutral" if value >= 0 else "mood-sad"
    return mark_safe(  # noqa: S308
        f'<span class="tag tag-{tone}"><i class="ti ti-{icon}" aria-hidden="true"></i>{cells.signed(value)}</span> '
        f'<span class="soft">n&#8239;=&#8239;{n} · {cells.moment(at)}</span>'
    )


def cases(value: int) -> SafeString:
    """How many cases are open, marked where there are any."""
    if not value:
        return cells.NONE
    return cells.badge(value, "red", "lifebuoy")


def stage(value: str) -> SafeString:
    return cells.badge(STAGES.get(value, value), STAGE_TONES.get(value, "grey"))


def due_state(due: dt.datetime | None, now: dt.datetime | None = None) -> str:
    """``overdue``, ``today``, ``upcoming`` or ``none``, by the person's own day."""
    if due is None:
        return "none"
    now = now or timezone.now()
    if due < now:
        return "overdue"
    return "today" if timezone.localdate(due) == timezone.localdate(now) else "upcoming"


def due_words() -> dict[str, tuple[str, str, str]]:
    """Word, colour and icon of each state."""
    return {
        "overdue": (_("Overdue"), "red", "alert-circle"),
        "today": (_("Today"), "green", "sun"),
        "upcoming": (_("Upcoming"), "grey", "calendar"),
        "none": (_("Without a date"), "grey", "calendar-off"),
    }


def next_activity(due: dt.datetime | None) -> SafeString:
    """When something is due next, tinted by its state."""
    if due is None:
        return cells.NONE
    word, tone, icon = due_words()[due_state(due)]
    return mark_safe(  # noqa: S308
        f'<span class="tag tag-{tone}" title="{escape(word)}"><i class="ti ti-{icon}" aria-hidden="true"></i>'
        f'{cells.moment(due)}<span class="visually-hidden"> {escape(word)}</span></span>'
    )


def reference(row: Any, name: str) -> SafeString:
    """The contact or company of a row that ``mark_hidden`` has seen and that has it selected."""
    pk = getattr(row, f"{name}_id")
    if pk is None:
        return cells.NONE
    if name in row.hidden:
        word = escape(_("hidden"))
        return mark_safe(f'<span class="soft"><i class="ti ti-lock" aria-hidden="true"></i> {word}</span>')  # noqa: S308
    url = contact_url if name == "contact" else company_url
    return cells.link(url(pk), getattr(row, name))


def company_link(row: Any) -> SafeString:
    return reference(row, "company")
