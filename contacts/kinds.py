"""How the activities of customers, interactions and tasks look on a timeline."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts.models import Company, Contact, Interaction, Task
from crmcem.lib.activities import Kind, register

#: what hangs on a record in rows of its own
PARTS = {
    "employments": gettext_lazy("jobs"),
    "points": gettext_lazy("ways to reach"),
    "domains": gettext_lazy("domains"),
    "relationships": gettext_lazy("relationships"),
    "addresses": gettext_lazy("addresses"),
    "profiles": gettext_lazy("social profiles"),
    "attachments": gettext_lazy("files"),
}


def _name(payload: Mapping[str, Any]) -> str:
    return str(payload.get("name") or "")


def _labels(model: Any, payload: Mapping[str, Any]) -> str:
    """The names of the changed fields, as people know them."""
    names = []
    known = {field.name: field for field in model._meta.get_fields()}
    for name in [*(payload.get("changes") or ()), *(payload.get("fields") or ())]:
        field = known.get(name)
        names.append(str(PARTS.get(name) or getattr(field, "verbose_name", name)))
    return ", ".join(names)


def _contact_changes(payload: Mapping[str, Any]) -> str:
    return _labels(Contact, payload)


def _company_changes(payload: Mapping[str, Any]) -> str:
    return _labels(Company, payload)


def _task_changes(payload: Mapping[str, Any]) -> str:
    return ": ".join(part for part in (_title(payload), _labels(Task, payload)) if part)


def _interaction_changes(payload: Mapping[str, Any]) -> str:
    return _labels(Interaction, payload)


def _title(payload: Mapping[str, Any]) -> str:
    return str(payload.get("title") or "")


def said(payload: Mapping[str, Any]) -> str:
    """``Call, incoming: Subject (outcome)``"""
    kinds = dict(Interaction.Kind.choices)
    kind = str(kinds.get(payload.get("kind", ""), payload.get("kind") or ""))
    if payload.get("direction") == "in":
        kind = _("%(kind)s, incoming") % {"kind": kind}
    elif payload.get("direction") == "out":
        kind = _("%(kind)s, outgoing") % {"kind": kind}
    text = ": ".join(part for part in (kind, str(payload.get("subject") or "")) if part)
    outcome = payload.get("outcome")
    return f"{text} ({outcome})" if outcome else text


def _subject(payload: Mapping[str, Any]) -> str:
    return str(payload.get("subject") or "")


def _refused(payload: Mapping[str, Any]) -> str:
    reason = _("the customer refused it meanwhile")
    return f"{_subject(payload)} ({reason})" if _subject(payload) else reason


def _age(payload: Mapping[str, Any]) -> str:
    return _("turned %(n)s") % {"n": payload["n"]} if payload.get("n") else ""


def _years(payload: Mapping[str, Any]) -> str:
    n = payload.get("n")
    return ngettext("%(n)s year", "%(n)s years", n) % {"n": n} if isinstance(n, int) else ""


def _order(payload: Mapping[str, Any]) -> str:
    n = payload.get("n")
    return _("the first order") if n == 1 else _("order number %(n)s") % {"n": n}


def _removed(payload: Mapping[str, Any]) -> str:
    return said({"kind": payload.get("kind", "")})


def register_kinds() -> None:
    """Called when the app is ready."""
    people, work = "system", "tasks"
    register(
        Kind("contact.created", gettext_lazy("Contact created"), "user-plus", people, _name),
        Kind("contact.updated", gettext_lazy("Contact changed"), "user-edit", people, _contact_changes),
        Kind("contact.deleted", gettext_lazy("Contact deleted"), "user-minus", people),
        Kind("segment.entered", gettext_lazy("Entered a segment"), "door-enter", people, _name),
        Kind("segment.left", gettext_lazy("Left a segment"), "door-exit", people, _name),
        Kind("contact.merged", gettext_lazy("Contact merged"), "arrows-join", people, _name),
        Kind("contact.merge_undone", gettext_lazy("Merge undone"), "arrows-split", people, _name),
        Kind("company.merged", gettext_lazy("Company merged"), "arrows-join", people, _name),
        Kind("company.merge_undone", gettext_lazy("Merge undone"), "arrows-split", people, _name),
        Kind("milestone.birthday", gettext_lazy("Birthday"), "cake", people, _age),
        Kind("milestone.anniversary", gettext_lazy("Anniversary as a customer"), "confetti", people, _years),
        Kind("milestone.order", gettext_lazy("Number of orders"), "trophy", people, _order),
        Kind("company.created", gettext_lazy("Company created"), "building", people, _name),
        Kind("company.updated", gettext_lazy("Company changed"), "building", people, _company_changes),
        Kind("company.deleted", gettext_lazy("Company deleted"), "building", people),
        Kind("interaction.logged", gettext_lazy("Interaction"), "message", "interactions", said, touch=True),
        Kind(
            "interaction.updated",
            gettext_lazy("Interaction changed"),
            "edit",
            "interactions",
            _interaction_changes,
        ),
        Kind("interaction.deleted", gettext_lazy("Interaction deleted"), "trash", "interactions", _removed),
        Kind(
            "interaction.restored",
            gettext_lazy("Interaction brought back"),
            "arrow-back-up",
            "interactions",
            _removed,
        ),
        Kind("message.sent", gettext_lazy("E-mail sent"), "mail-check", "interactions", _subject),
        Kind("message.failed", gettext_lazy("E-mail not delivered"), "mail-x", "interactions", _subject),
        Kind("message.suppressed", gettext_lazy("E-mail not sent"), "mail-off", "interactions", _refused),
        Kind("task.created", gettext_lazy("Task created"), "checkbox", work, _title),
        Kind("task.updated", gettext_lazy("Task changed"), "edit", work, _task_changes),
        Kind("task.completed", gettext_lazy("Task done"), "check", work, _title),
        Kind("task.cancelled", gettext_lazy("Task cancelled"), "x", work, _title),
        Kind("task.reopened", gettext_lazy("Task reopened"), "refresh", work, _title),
        Kind("task.deleted", gettext_lazy("Task deleted"), "trash", work, _title),
        Kind("task.restored", gettext_lazy("Task brought back"), "arrow-back-up", work, _title),
    )
