"""What automations can do with a customer. Each works in the step's transaction and only once per ``run.key``."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.custom.definitions import Definition, active
from contacts.custom.links import check_links
from contacts.custom.values import cleaner_of
from contacts.merge_fields import FIELDS, merge_context
from contacts.models import Contact, Lifecycle, Message, Task
from contacts.recurrence import zone_of
from contacts.selectors.tags import as_known
from contacts.services.contacts import contact_update
from contacts.services.messages import message_queue
from contacts.services.tasks import task_create, zone_for
from crmcem.lib import personalise
from crmcem.lib.actions import Action, Outcome, Parameter, Run, register
from crmcem.lib.actors import SYSTEM
from crmcem.lib.cleaning import tags as clean_tags
from crmcem.lib.errors import DomainError
from crmcem.lib.records import lock
from crmcem.workspace.models import User
from crmcem.workspace.services.notifications import notify

Parameters = Mapping[str, Any]
Problems = list[tuple[str, str]]
MAX_DAYS = 3650


def _contact(run: Run) -> Contact:
    contact: Contact = Contact.objects.select_related("company", "owner__team").get(pk=run.contact_id)
    return contact


def _text(template: Any, contact: Contact, limit: int = 300) -> str:
    """A one-line template filled in."""
    filled = personalise.render(str(template), merge_context(contact), fields=FIELDS)
    return " ".join(filled.split())[:limit]


def _owner(contact: Contact) -> User | None:
    return contact.owner if contact.owner and contact.owner.is_active else None


def _templates(*names: str) -> Callable[[Parameters], Problems]:
    """A validation: these parameters are templates with known merge fields."""

    def validate(parameters: Parameters) -> Problems:
        found: Problems = []
        for name in names:
            text = str(parameters.get(name) or "")
            if not text.strip():
                found.append((name, _("This field is required.")))
            found += [(name, problem.detail) for problem in personalise.check(text, FIELDS)]
        return found

    return validate


# --- a task for the owner ----------------------------------------------------------------------------------
def _days(parameters: Parameters) -> int:
    return int(parameters.get("days") or 0)


def due_in(days: int, owner: User | None, now: dt.datetime) -> dt.datetime:
    """Nine o'clock in the owner's zone so many days from now; today means in an hour."""
    if days == 0:
        return now + dt.timedelta(hours=1)
    zone = zone_of(zone_for(owner))
    day = (now.astimezone(zone) + dt.timedelta(days=days)).date()
    return dt.datetime.combine(day, dt.time(9), tzinfo=zone).astimezone(dt.UTC)


def _create_task(run: Run, parameters: Parameters) -> Outcome:
    contact = _contact(run)
    owner = _owner(contact)
    due = due_in(_days(parameters), owner, timezone.now())
    task = task_create(
        data={
            "title": _text(parameters["title"], contact) or _("Task"),
            "kind": parameters.get("kind") or Task.Kind.TODO,
            "contact": contact,
            "assignee": owner,
            "due_at": due,
            "remind_at": due,
        },
        actor=run.actor,
        automation_key=run.key,
    )
    return Outcome(
        reason="" if owner else _("The contact has no owner: the task is nobody's yet."),
        result={"task": task.pk},
    )


def _preview_task(run: Run, parameters: Parameters) -> str:
    contact = _contact(run)
    return _("Would create the task “%(title)s” for %(owner)s, due in %(days)d days.") % {
        "title": _text(parameters["title"], contact),
        "owner": _owner(contact) or _("nobody"),
        "days": _days(parameters),
    }


def _validate_task(parameters: Parameters) -> Problems:
    found = _templates("title")(parameters)
    days = parameters.get("days") or 0
    if isinstance(days, bool) or not str(days).isdigit() or not 0 <= int(days) <= MAX_DAYS:
        found.append(("days", _("Choose a whole number from 0 to %d.") % MAX_DAYS))
    if (parameters.get("kind") or Task.Kind.TODO) not in Task.Kind.values:
        found.append(("kind", _("Choose one of the kinds.")))
    return found


# --- changes of the contact ----------------------------------------------------------------------------------
def _add_tag(run: Run, parameters: Parameters) -> Outcome:
    contact = lock(Contact, run.contact_id, run.actor)
    (tag,) = as_known(clean_tags(parameters["tag"]))
    if tag in contact.tags:
        return Outcome("skipped", _("The contact has this tag already."))
    contact_update(contact=contact, data={"tags": [*contact.tags, tag]}, actor=run.actor)
    return Outcome(result={"tag": tag})


def _preview_tag(run: Run, parameters: Parameters) -> str:
    return _("Would add the tag “%(tag)s”.") % {"tag": ", ".join(clean_tags(parameters["tag"]))}


def _validate_tag(parameters: Parameters) -> Problems:
    try:
        found = clean_tags(parameters.get("tag"))
    except ValueError as error:
        return [("tag", str(error))]
    return [] if len(found) == 1 else [("tag", _("Name one tag."))]


def _set_stage(run: Run, parameters: Parameters) -> Outcome:
    contact = lock(Contact, run.contact_id, run.actor)
    before = contact.lifecycle_stage
    if before == parameters["stage"]:
        return Outcome("skipped", _("The contact is in this stage already."))
    data = {"lifecycle_stage": parameters["stage"], "lifecycle_reason": parameters.get("reason")}
    contact_update(contact=contact, data=data, actor=run.actor)
    return Outcome(result={"from": before, "to": parameters["stage"]})


def _preview_stage(run: Run, parameters: Parameters) -> str:
    stages: dict[str, Any] = dict(Lifecycle.choices)
    return _("Would set the lifecycle stage to “%(stage)s”.") % {"stage": stages[parameters["stage"]]}


def _validate_stage(parameters: Parameters) -> Problems:
    found: Problems = []
    if parameters.get("stage") not in Lifecycle.values:
        found.append(("stage", _("Choose one of the lifecycle stages.")))
    if len(str(parameters.get("reason") or "")) > 300:
        found.append(("reason", _("This is too long: %(limit)s characters at most.") % {"limit": 300}))
    return found


# --- a custom field --------------------------------------------------------------------------------------------
def _settable() -> dict[str, Definition]:
    """The custom fields of contacts that people can set, by key."""
    return {key: each for key, each in active("contact").items() if not each.computed}


def _set_field(run: Run, parameters: Parameters) -> Outcome:
    field = _settable().get(str(parameters["field"]))
    if field is None:
        return Outcome("skipped", _("The field is archived."))
    contact = lock(Contact, run.contact_id, run.actor)
    value = cleaner_of(field)(parameters.get("value"))
    before = contact.custom.get(field.key)
    if before == value:
        return Outcome("skipped", _("The field has this value already."))
    contact_update(contact=contact, data={"custom": {field.key: value}}, actor=run.actor)
    return Outcome(result={"field": field.key, "from": before, "to": value})


def _preview_field(run: Run, parameters: Parameters) -> str:
    field = _settable().get(str(parameters["field"]))
    label = field.label if field is not None else parameters["field"]
    if not str(parameters.get("value") or "").strip():
        return _("Would empty the field “%(field)s”.") % {"field": label}
    return _("Would set the field “%(field)s” to “%(value)s”.") % {
        "field": label,
        "value": parameters["value"],
    }


def _validate_field(parameters: Parameters) -> Problems:
    field = _settable().get(str(parameters.get("field")))
    if field is None:
        return [("field", _("Choose one of the custom fields."))]
    try:
        value = cleaner_of(field)(parameters.get("value"))
        check_links("contact", {field.key: value}, SYSTEM)
    except ValueError as error:
        return [("value", str(error))]
    except DomainError as error:
        return [("value", each.detail) for each in error.errors]
    if value is None and field.required:
        return [("value", _("This field is required."))]
    return []


# --- telling the customer and the owner ------------------------------------------------------------------------
def _send_email(run: Run, parameters: Parameters) -> Outcome:
    contact = _contact(run)
    context = merge_context(contact)
    message = message_queue(
        actor=run.actor,
        contact=contact,
        purpose="automation",
        subject=personalise.render_subject(parameters["subject"], context, fields=FIELDS),
        text=personalise.render(parameters["body"], context, fields=FIELDS),
        idempotency_key=run.key,
    )
    if message.status == Message.Status.SUPPRESSED:
        return Outcome("skipped", message.error, {"message": message.pk})
    return Outcome(result={"message": message.pk})


def _preview_email(run: Run, parameters: Parameters) -> str:
    contact = _contact(run)
    subject = personalise.render_subject(parameters["subject"], merge_context(contact), fields=FIELDS)
    return _("Would send “%(subject)s” to %(to)s.") % {
        "subject": subject,
        "to": contact.email or _("nobody, because there is no e-mail address"),
    }


def _notify_owner(run: Run, parameters: Parameters) -> Outcome:
    contact = _contact(run)
    owner = _owner(contact)
    if owner is None:
        return Outcome("skipped", _("The contact has no owner."))
    told = notify(
        user=owner,
        kind="automation",
        title=_text(parameters["text"], contact),
        body=str(contact),
        url=f"/contacts/{contact.pk}/",
        dedupe_key=f"notify:{run.key}"[:120],
    )
    return Outcome() if told else Outcome("skipped", _("The owner was told before."))


def _preview_notify(run: Run, parameters: Parameters) -> str:
    contact = _contact(run)
    return _("Would tell %(owner)s: “%(text)s”") % {
        "owner": _owner(contact) or _("nobody"),
        "text": _text(parameters["text"], contact),
    }


def register_actions() -> None:
    """Called when the app is ready."""
    register(
        Action(
            "create_task",
            gettext_lazy("Create a task for the owner"),
            "checkbox",
            (
                Parameter("title", gettext_lazy("Title"), "template"),
                Parameter("days", gettext_lazy("Due in days"), "number", required=False, default=0),
                Parameter(
                    "kind",
                    gettext_lazy("Kind"),
                    "choice",
                    required=False,
                    default="todo",
                    choices=lambda: list(Task.Kind.choices),
                ),
            ),
            _create_task,
            _preview_task,
            _validate_task,
        ),
        Action(
            "add_tag",
            gettext_lazy("Add a tag"),
            "tag",
            (Parameter("tag", gettext_lazy("Tag"), "tag"),),
            _add_tag,
            _preview_tag,
            _validate_tag,
        ),
        Action(
            "set_lifecycle_stage",
            gettext_lazy("Set the lifecycle stage"),
            "arrows-right",
            (
                Parameter("stage", gettext_lazy("Stage"), "choice", choices=lambda: list(Lifecycle.choices)),
                Parameter("reason", gettext_lazy("Reason"), required=False, default=""),
            ),
            _set_stage,
            _preview_stage,
            _validate_stage,
        ),
        Action(
            "set_custom_field",
            gettext_lazy("Set a custom field"),
            "forms",
            (
                Parameter(
                    "field",
                    gettext_lazy("Field"),
                    "choice",
                    choices=lambda: [(key, each.label) for key, each in _settable().items()],
                ),
                Parameter("value", gettext_lazy("Value (empty removes it)"), required=False),
            ),
            _set_field,
            _preview_field,
            _validate_field,
        ),
        Action(
            "send_email",
            gettext_lazy("Send an e-mail"),
            "mail",
            (
                Parameter("subject", gettext_lazy("Subject"), "template"),
                Parameter("body", gettext_lazy("Text"), "template"),
            ),
            _send_email,
            _preview_email,
            _templates("subject", "body"),
        ),
        Action(
            "notify_owner",
            gettext_lazy("Notify the owner"),
            "bell",
            (Parameter("text", gettext_lazy("Text"), "template"),),
            _notify_owner,
            _preview_notify,
            _templates("text"),
        ),
    )
