"""The small marks of feedback: score, mood, priority, state and SLA, each with colour, icon and word."""

import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crmcem.lib.web import cells
from feedback.models import Case, Invitation, Response
from feedback.policies import sla_state

#: state of an SLA → tone, icon, word
SLA: dict[str, tuple[str, str, Any]] = {
    "overdue": ("red", "alarm", gettext_lazy("Overdue")),
    "due_soon": ("yellow", "clock-exclamation", gettext_lazy("Due soon")),
    "on_track": ("blue", "clock", gettext_lazy("On track")),
    "met": ("green", "circle-check", gettext_lazy("In time")),
    "missed": ("grey", "clock-x", gettext_lazy("Late")),
    "none": ("grey", "clock-off", gettext_lazy("No due time")),
}
PRIORITY: dict[str, tuple[str, str]] = {
    "urgent": ("red", "chevrons-up"),
    "high": ("orange", "chevron-up"),
    "normal": ("grey", "equal"),
    "low": ("grey", "chevron-down"),
}
STATUS: dict[str, tuple[str, str]] = {
    "open": ("orange", "lifebuoy"),
    "pending": ("purple", "hourglass"),
    "resolved": ("green", "circle-check"),
    "closed": ("grey", "archive"),
}
SOURCE = {"survey": "message-star", "inbox": "mail", "api": "plug", "manual": "hand-click"}
INVITATION: dict[str, tuple[str, str]] = {
    "queued": ("grey", "clock"),
    "sent": ("blue", "send"),
    "opened": ("blue", "eye"),
    "answered": ("green", "message-star"),
    "expired": ("grey", "clock-x"),
    "suppressed": ("yellow", "mail-off"),
}
_GROUPS: dict[str, tuple[str, str, Any]] = {
    "promoter": ("green", "mood-happy", gettext_lazy("promoter")),
    "passive": ("yellow", "mood-neutral", gettext_lazy("passive")),
    "detractor": ("red", "mood-sad", gettext_lazy("detractor")),
}
_MOODS: dict[str, tuple[str, str, Any]] = {
    "positive": ("green", "mood-smile", gettext_lazy("positive")),
    "neutral": ("grey", "mood-neutral", gettext_lazy("neutral")),
    "negative": ("red", "mood-angry", gettext_lazy("negative")),
}


def sla_mark(case: Case, now: dt.datetime | None = None) -> SafeString:
    """The clock of a case: its state as icon and word, and when it is (or was) due."""
    state = sla_state(case, now or timezone.now())
    tone, icon, word = SLA[state]
    badge = cells.badge(word, tone, icon)
    if case.sla_due_at is None or not case.is_open:
        return badge
    return mark_safe(f'<span class="sla">{badge} {cells.moment(case.sla_due_at)}</span>')  # noqa: S308


def priority_mark(case: Case) -> SafeString:
    tone, icon = PRIORITY[case.priority]
    return cells.badge(case.get_priority_display(), tone, icon)


def status_mark(case: Case) -> SafeString:
    tone, icon = STATUS[case.status]
    return cells.badge(case.get_status_display(), tone, icon)


def invitation_mark(invitation: Invitation) -> SafeString:
    tone, icon = INVITATION[invitation.status]
    return cells.badge(invitation.get_status_display(), tone, icon)


def score_mark(response: Response) -> SafeString:
    """The figures of an answer: NPS with its group, CSAT with its scale, CES."""
    parts: list[SafeString] = []
    if response.nps is not None:
        tone, icon, word = _GROUPS[response.group]
        label = _("NPS %(score)s · %(group)s") % {"score": response.nps, "group": word}
        parts.append(cells.badge(label, tone, icon))
    if response.csat is not None:
        parts.append(cells.badge(f"CSAT {response.csat}/{response.csat_scale or 5}", "blue", "star"))
    if response.ces is not None:
        parts.append(cells.badge(f"CES {response.ces}/7", "blue", "gauge"))
    return mark_safe(" ".join(parts)) if parts else cells.NONE  # noqa: S308


def mood_mark(response: Response) -> SafeString:
    """How the comment sounds; nothing where no engine could read it."""
    found = _MOODS.get(response.sentiment_label)
    return cells.badge(found[2], found[0], found[1]) if found else mark_safe("")
