"""What happened around one case: its own steps, and what was said with the customer since it was opened."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from contacts.models import Activity, Contact, Interaction
from crmcem.lib.activities import kinds
from crmcem.workspace.models import ApiToken, User
from feedback.models import Case

#: more than this is read on the customer's own timeline
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the story; ``body`` is the text of a note or call, as it was typed."""

    label: str
    icon: str
    at: dt.datetime
    who: str
    summary: str
    body: str = ""


def case_story(case: Case, user: Any) -> tuple[list[Entry], bool]:
    """The newest entries, and whether there are older ones. A hidden customer's conversations stay hidden."""
    about = Q(subject_type="case", subject_id=case.pk)
    if Contact.objects.visible_to(user).filter(pk=case.contact_id).exists() and user.may("interactions:read"):
        about |= Q(kind="interaction.logged", occurred_at__gte=case.created_at)
    rows = Activity.objects.filter(about, contact_id=case.contact_id, received_at__gte=case.created_at)
    found = list(rows.order_by("-occurred_at", "-id")[: SHOWN + 1])
    spoken = [row.subject_id for row in found if row.kind == "interaction.logged"]
    said = {row.pk: row for row in Interaction.objects.visible_to(user).filter(pk__in=spoken)}
    names = _names(found)
    entries = [_entry(row, said, names, case.subject[:200]) for row in found[:SHOWN]]
    return [entry for entry in entries if entry is not None], len(found) > SHOWN


def _entry(
    row: Activity, said: dict[int, Interaction], names: dict[tuple[str, int | None], str], subject: str
) -> Entry | None:
    kind = kinds.get(row.kind)
    if kind is None:
        return None
    who = names.get((row.actor_kind, row.actor_id)) or _actor(row.actor_kind)
    if row.kind != "interaction.logged":
        return Entry(
            str(kind.label), kind.icon, row.occurred_at, who, _step(row) or kind.summary(row.payload)
        )
    spoken = said.get(row.subject_id or 0)
    if spoken is None:
        return None
    icons = {"call": "phone", "email": "mail", "meeting": "calendar-event", "note": "note"}
    icon = icons.get(spoken.kind, "message")
    about = "" if spoken.subject == subject else spoken.subject
    return Entry(spoken.get_kind_display(), icon, row.occurred_at, who, about, spoken.body)


def _step(row: Activity) -> str:
    """What a change of the case was, in words; empty where the kind's own summary says it."""
    payload = row.payload
    if row.kind == "case.resolved":
        settled = [str(payload.get(name) or "") for name in ("resolution", "root_cause")]
        return " · ".join(part for part in settled if part)
    if row.kind == "case.reopened":
        return str(payload.get("reason") or "")
    changes = payload.get("changes")
    if row.kind != "case.updated" or not isinstance(changes, dict):
        return ""
    words = {
        "subject": _("subject"),
        "priority": _("priority"),
        "status": _("status"),
        "owner": _("owner"),
        "sla_due_at": _("due time"),
        "root_cause": _("root cause"),
        "resolution": _("resolution"),
    }
    labels = {**dict(Case.Priority.choices), **dict(Case.Status.choices)}
    parts = []
    for name, pair in changes.items():
        word = words.get(name) or str(name)
        new = pair[1] if isinstance(pair, list) and len(pair) == 2 else None
        parts.append(f"{word}: {labels[new]}" if name in {"priority", "status"} and new in labels else word)
    return _("Changed %(what)s") % {"what": ", ".join(parts)}


def _names(rows: Iterable[Activity]) -> dict[tuple[str, int | None], str]:
    users = {row.actor_id or 0 for row in rows if row.actor_kind == "user"}
    tokens = {row.actor_id or 0 for row in rows if row.actor_kind == "token"}
    found: dict[tuple[str, int | None], str] = {}
    if users:
        found |= {("user", user.pk): str(user) for user in User.objects.filter(pk__in=users)}
    if tokens:
        rows_of = ApiToken.objects.filter(pk__in=tokens).values_list("pk", "name")
        found |= {("token", pk): name for pk, name in rows_of}
    return found


def _actor(kind: str) -> str:
    return {
        "customer": _("The customer"),
        "automation": _("An automation"),
        "import": _("An import"),
        "token": _("A token"),
        "user": _("Somebody"),
    }.get(kind, _("The system"))
