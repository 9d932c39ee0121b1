"""The related records that conditions can ask about: a contact's company, a company's people, the work with both."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from contacts.condition_fields import chosen, plain, responsible
from contacts.conditions import company_fields, contact_fields
from contacts.models import Interaction, Task
from crmcem.lib.conditions import FieldRegistry, FieldType, Relation

task_fields = FieldRegistry("contacts.Task")
task_fields.register(
    *plain(FieldType.TEXT, ("title", _("Title"))),
    chosen("kind", _("Kind"), Task.Kind),
    chosen("status", _("Status"), Task.Status),
    chosen("priority", _("Priority"), Task.Priority),
    responsible(_("Assignee")),
    *plain(
        FieldType.DATETIME,
        ("due_at", _("Due")),
        ("completed_at", _("Completed")),
        ("created_at", _("Created")),
    ),
)
interaction_fields = FieldRegistry("contacts.Interaction")
interaction_fields.register(
    chosen("kind", _("Kind"), Interaction.Kind),
    chosen("direction", _("Direction"), Interaction.Direction),
    *plain(FieldType.TEXT, ("subject", _("Subject")), ("outcome", _("Outcome"))),
    *plain(FieldType.NUMBER, ("duration_seconds", _("Duration in seconds")), ("sentiment", _("Sentiment"))),
    responsible(_("Owner")),
    *plain(FieldType.DATETIME, ("occurred_at", _("Happened")), ("created_at", _("Created"))),
)


def work(link: str, *, followed: bool = False) -> tuple[Relation, Relation]:
    """Tasks and interactions whose column ``link`` names the record. ``followed``: live segments hear of them."""
    return (
        Relation(
            name="tasks",
            label=_("Tasks"),
            registry=task_fields,
            link=link,
            scope="tasks:read",
            any=_("has a task"),
            none=_("has no task"),
            at_least=ngettext_lazy("has at least %(n)s task", "has at least %(n)s tasks", "n"),
            reads=("tasks",) if followed else (),
        ),
        Relation(
            name="interactions",
            label=_("Interactions"),
            registry=interaction_fields,
            link=link,
            scope="interactions:read",
            any=_("has an interaction"),
            none=_("has no interaction"),
            at_least=ngettext_lazy("has at least %(n)s interaction", "has at least %(n)s interactions", "n"),
            reads=("interactions",) if followed else (),
        ),
    )


def people(link: str) -> Relation:
    """The contacts of whom ``link`` names the record."""
    return Relation(
        name="contacts",
        label=_("People"),
        registry=contact_fields,
        link=link,
        scope="contacts:read",
        any=_("has a contact"),
        none=_("has no contact"),
        at_least=ngettext_lazy("has at least %(n)s contact", "has at least %(n)s contacts", "n"),
    )


def employer(any_: Any, none: Any, reads: tuple[str, ...] = ()) -> Relation:
    """The company of a record with ``company_id``."""
    return Relation(
        name="company",
        label=_("Company"),
        registry=company_fields,
        link="pk",
        outer="company_id",
        single=True,
        scope="contacts:read",
        any=any_,
        none=none,
        reads=reads,
    )


def register_relations() -> None:
    """Called when the app is ready."""
    contact_fields.relate(
        employer(_("works for a company"), _("works for no company"), ("contact", "company")),
        *work("contact_id", followed=True),
    )
    company_fields.relate(people("company_id"), *work("company_id"))
