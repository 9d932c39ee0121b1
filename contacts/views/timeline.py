"""The timeline of a contact or company: activities as people read them, by key, in groups."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from contacts.kinds import said
from contacts.models import Activity, Company, Contact, Interaction
from contacts.selectors.timeline import GROUPS, NEWEST_FIRST, hide_the_hidden, timeline
from contacts.views.cells import ICONS
from contacts.views.common import names_of, seen
from contacts.views.words import changes_of
from crmcem.lib.activities import ACTORS, kinds
from crmcem.lib.keyset import keyset_page
from crmcem.lib.references import references
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import is_fragment, render_page

SIZE = 25
MAX_PROPERTIES = 20
MAX_TEXT = 400

GROUP_LABELS = {
    "interactions": (gettext_lazy("Interactions"), "message"),
    "tasks": (gettext_lazy("Tasks"), "checkbox"),
    "deals": (gettext_lazy("Deals"), "coin"),
    "feedback": (gettext_lazy("Feedback"), "message-star"),
    "events": (gettext_lazy("Events"), "activity"),
    "system": (gettext_lazy("Changes"), "history"),
}


@dataclass(slots=True)
class Entry:
    """One activity as the page shows it."""

    id: int
    at: Any
    label: str
    icon: str
    group: str
    summary: str = ""
    actor: str = ""
    hidden: bool = False
    url: str = ""
    body: str = ""
    tone: str = ""
    who: tuple[str, str] | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    properties: list[tuple[str, str]] = field(default_factory=list)


def entries(rows: Sequence[Activity], user: Any, *, contact_id: int | None = None) -> list[Entry]:
    """``rows`` as entries; costs a statement each for hidden records, actors and interactions' texts."""
    before = {row.pk: row.subject_id for row in rows}
    shown = hide_the_hidden(rows, user, contact_id=contact_id)
    names = names_of({(row.actor_kind, row.actor_id) for row in shown})
    bodies = _bodies(shown, user)
    found = []
    for row in shown:
        entry = _entry(row, hidden=before[row.pk] is not None and row.subject_id is None)
        who = names.get((row.actor_kind, row.actor_id))
        entry.actor = who or str(ACTORS.get(row.actor_kind, row.actor_kind))
        if row.subject_type == "interaction" and row.kind == "interaction.logged":
            entry.body = bodies.get(row.subject_id or 0, "")
        found.append(entry)
    return found


def _bodies(rows: Sequence[Activity], user: Any) -> dict[int, str]:
    ids = [r.subject_id for r in rows if r.kind == "interaction.logged" and r.subject_id is not None]
    if not ids:
        return {}
    texts = Interaction.objects.visible_to(user).filter(pk__in=ids).exclude(body="")
    return dict(texts.values_list("pk", "body"))


def _entry(row: Activity, *, hidden: bool) -> Entry:
    kind = kinds.get(row.kind)
    if kind is None:
        label = row.kind.replace(".", " ").replace("_", " ").strip().capitalize()
        properties = [] if hidden else readable(row.payload)
        return Entry(row.pk, row.occurred_at, label, "bolt", "events", properties=properties, hidden=hidden)
    entry = Entry(
        row.pk, row.occurred_at, str(kind.label), kind.icon.removeprefix("ti-"), kind.group, hidden=hidden
    )
    if hidden:
        return entry
    entry.summary = kind.summary(row.payload)
    entry.tone = _tone(row)
    if row.kind == "interaction.logged":
        _spoken(entry, row.payload)
    if row.kind in {"contact.updated", "company.updated"}:
        model = Contact if row.kind == "contact.updated" else Company
        changes = row.payload.get("changes")
        entry.changes = changes_of(model, changes) if isinstance(changes, Mapping) else []
        entry.summary = "" if entry.changes else entry.summary
    reference = references.get(row.subject_type)
    if reference is not None and row.subject_id is not None and not row.kind.endswith(".deleted"):
        entry.url = reference.url(row.subject_id)
    return entry


def _spoken(entry: Entry, payload: Mapping[str, Any]) -> None:
    """``Call, incoming`` with its own icon, and what it was about (and how it ended)."""
    kind = str(payload.get("kind") or "")
    entry.label = said({"kind": kind, "direction": payload.get("direction")})
    entry.icon = ICONS.get(kind, entry.icon)
    outcome = f"({payload['outcome']})" if payload.get("outcome") else ""
    entry.summary = " ".join(part for part in (str(payload.get("subject") or ""), outcome) if part)


def _tone(row: Activity) -> str:
    """Colour of the mark: what the customer felt, or how it ended."""
    nps = row.payload.get("nps")
    if row.kind == "survey.answered" and isinstance(nps, int):
        return "green" if nps >= 9 else "yellow" if nps >= 7 else "red"
    ends = {"deal.won": "green", "deal.lost": "red", "message.failed": "red", "case.opened": "red"}
    return ends.get(row.kind, "green" if row.kind in {"task.completed", "case.resolved"} else "")


def readable(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The properties of a tracked event as names and short texts, the first few of them."""
    found = []
    payload = _with_price(payload)
    for key, value in list(payload.items())[:MAX_PROPERTIES]:
        name = str(key).replace("_", " ").strip().capitalize()
        found.append((name, _text(value)))
    if len(payload) > MAX_PROPERTIES:
        found.append(("…", _("%(count)d more") % {"count": len(payload) - MAX_PROPERTIES}))
    return found


def _with_price(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """An amount and its currency beside it are one thing, and come first."""
    amount, currency = payload.get("amount"), payload.get("currency")
    if not isinstance(amount, int | float | str) or not isinstance(currency, str):
        return payload
    rest = {key: value for key, value in payload.items() if key not in {"amount", "currency"}}
    return {"amount": {"amount": amount, "currency": currency}} | rest


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Mapping) and set(value) == {"amount", "currency"}:
        text = f"{value['amount']} {value['currency']}"
    elif isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
        text = ", ".join(str(v) for v in value)
    elif isinstance(value, Mapping | list):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = "" if value is None else str(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


# --- the fragment ---------------------------------------------------------------------------------
def timeline_context(request: HttpRequest, record: Any, base_url: str) -> dict[str, Any]:
    """What ``contacts/timeline.html`` shows of a contact or company. Raises DomainError for a wrong cursor."""
    groups = [g for g in dict.fromkeys(request.GET.getlist("group")) if g in GROUPS]
    is_contact = isinstance(record, Contact)
    of: dict[str, Any] = {"contact_id" if is_contact else "company_id": record.pk}
    page = keyset_page(timeline(groups=groups, **of), NEWEST_FIRST, request.GET.get("cursor"), SIZE)
    known = record.pk if is_contact else None
    chosen = "".join(f"&group={group}" for group in groups)
    return {
        "record": record,
        "timeline_url": base_url,
        "timeline_now": f"{base_url}?{chosen.removeprefix('&')}",
        "entries": entries(page.rows, request.user, contact_id=known),
        "groups": [
            {"key": key, "label": label, "icon": icon, "chosen": groups == [key]}
            for key, (label, icon) in GROUP_LABELS.items()
        ],
        "group": groups[0] if len(groups) == 1 else "",
        "older_url": f"{base_url}?cursor={page.next}{chosen}" if page.next else "",
        "continued": bool(request.GET.get("cursor")),
    }


class Timeline(ScopedView, View):
    """The timeline alone: another group, older entries, or again after something new."""

    scope = "contacts:read"
    model: Any = Contact

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        record = seen(self.model.objects.all(), request, pk)
        context = timeline_context(request, record, request.path)
        fragment = "contacts/timeline_entries.html" if context["continued"] else "contacts/timeline.html"
        if not is_fragment(request):
            fragment = "contacts/timeline_page.html"
        return render_page(request, fragment, context)
