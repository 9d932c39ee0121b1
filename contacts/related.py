"""What rollup fields may add up of the work with customers: tasks, interactions, tracked events, a company's people."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contacts.custom.sources import Figure, Part, Source, register
from contacts.models import Activity, Contact, Interaction, Task
from contacts.services.event_input import event_name

_TASK_FIGURES = {
    "due_at": Figure(_("due"), "moment", "due_at"),
    "completed_at": Figure(_("completed"), "moment", "completed_at"),
    "created_at": Figure(_("created"), "moment", "created_at"),
}
_TASK_PARTS = {
    key: Part(label, Q(status=key))
    for key, label in (
        ("open", _("open tasks")),
        ("done", _("done tasks")),
        ("cancelled", _("cancelled tasks")),
    )
}
_TALK_FIGURES = {
    "occurred_at": Figure(_("happened"), "moment", "occurred_at"),
    "duration_seconds": Figure(_("duration in seconds"), "number", "duration_seconds"),
    "sentiment": Figure(_("sentiment"), "number", "sentiment", decimals=2),
}
_TALK_PARTS = {kind: Part(label, Q(kind=kind)) for kind, label in Interaction.Kind.choices}
_PEOPLE_FIGURES = {
    "revenue": Figure(_("revenue"), "money", "pulse__revenue"),
    "clv": Figure(_("customer lifetime value"), "money", "pulse__clv"),
    "orders": Figure(_("orders"), "number", "pulse__orders"),
    "nps": Figure(_("NPS answer"), "number", "pulse__nps"),
    "health": Figure(_("health"), "number", "pulse__health"),
    "last_seen_at": Figure(_("last seen"), "moment", "pulse__last_seen_at"),
    "created_at": Figure(_("created"), "moment", "created_at"),
}


def register_related() -> None:
    """Called when the app is ready."""
    for entity in ("contact", "company"):
        register(
            Source(
                key="tasks",
                entity=entity,
                label=_("tasks"),
                scope="tasks:read",
                rows=Task.objects.all,
                link=f"{entity}_id",
                figures=_TASK_FIGURES,
                parts=_TASK_PARTS,
                reads=("tasks",),
            ),
            Source(
                key="interactions",
                entity=entity,
                label=_("interactions"),
                scope="interactions:read",
                rows=Interaction.objects.all,
                link=f"{entity}_id",
                figures=_TALK_FIGURES,
                parts=_TALK_PARTS,
                reads=("interactions",),
            ),
        )
    register(
        Source(
            key="events",
            entity="contact",
            label=_("tracked events"),
            scope="contacts:read",
            rows=Activity.objects.all,
            link="contact_id",
            figures={"occurred_at": Figure(_("happened"), "moment", "occurred_at")},
            event=event_name,
        ),
        Source(
            key="contacts",
            entity="company",
            label=_("people"),
            scope="contacts:read",
            rows=Contact.objects.all,
            link="company_id",
            figures=_PEOPLE_FIGURES,
        ),
    )
