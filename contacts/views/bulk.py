"""What can be done to many contacts, companies, tasks or interactions of a list at once.

Whatever sets a field is an edit (``contacts.views.bulk_edit``) that can be taken back, and so is each deletion.
"""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from contacts.models import Company, Contact, Interaction, MergeRecord, Segment, Task
from contacts.services import bulk, work_bulk
from contacts.services.bulk_edit import COMPANIES as COMPANY_EDITOR
from contacts.services.bulk_edit import CONTACTS as CONTACT_EDITOR
from contacts.services.merge_forget import merges_of
from contacts.services.segments import may_change, segment_members_change
from contacts.services.task_edits import CANCELLED
from contacts.services.task_edits import TASKS as TASK_EDITOR
from contacts.services.tasks import ASSIGN as ASSIGN_TASKS
from contacts.views.bulk_edit import NEW_OWNER, TEAM, Choice, edit_action, own_choices
from contacts.views.common import people
from contacts.views.listing import ids_of
from crmcem.lib.actors import Actor, person
from crmcem.lib.web.bulk import BulkAction, BulkDone
from crmcem.workspace.trashing import Deletion


class SegmentForm(forms.Form):
    segment = forms.ChoiceField(
        label=_("Segment"),
        help_text=_("Static segments that you may change. Live ones follow their conditions."),
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Segment.objects.visible_to(user).filter(kind=Segment.Kind.STATIC)[:200]
        self.found = {str(row.pk): row for row in rows if may_change(row, person(user))}
        field: Any = self.fields["segment"]
        field.choices = [(pk, row.name) for pk, row in self.found.items()]

    def clean_segment(self) -> Segment:
        segment: Segment = self.found[self.cleaned_data["segment"]]
        return segment


def _join(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
    come, _gone = segment_members_change(segment=data["segment"], actor=actor, add=ids_of(rows))
    return BulkDone(come)


def leave_segment(segment: Segment) -> BulkAction:
    """Taking members out of a static segment."""

    def run(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
        return BulkDone(segment_members_change(segment=segment, actor=actor, remove=ids_of(rows))[1])

    return BulkAction(
        "leave",
        _("Take out of the segment"),
        "user-minus",
        "contacts:write",
        run,
        _("They stay contacts, but are no longer in this segment."),
    )


def _merges(entity: str) -> Any:
    return lambda ids: {MergeRecord: merges_of(entity=entity, ids=ids)}


def _deletion(model: Any, entity: str, title: Any, page: str, service: Any) -> Deletion:
    return Deletion(model, entity, title, "contacts:delete", page, service, _merges(entity))


CONTACTS = _deletion(Contact, "contact", _("Contacts"), "contacts:list", bulk.contacts_delete)
COMPANIES = _deletion(Company, "company", _("Companies"), "contacts:companies", bulk.companies_delete)
TASKS = Deletion(Task, "task", _("Tasks"), "tasks:delete", "contacts:tasks", work_bulk.tasks_delete)
INTERACTIONS = Deletion(
    Interaction,
    "interaction",
    _("Interactions"),
    "interactions:delete",
    "contacts:interactions",
    work_bulk.interactions_delete,
)

OF_CONTACTS, OF_COMPANIES = own_choices(CONTACT_EDITOR), own_choices(COMPANY_EDITOR)

CONTACT_ACTIONS = (
    edit_action(CONTACT_EDITOR, OF_CONTACTS),
    edit_action(
        CONTACT_EDITOR,
        OF_CONTACTS,
        key="owner",
        name="assign",
        label=_("Assign owner"),
        icon="user-share",
        explain=_(
            "They are given to another owner, with what was logged with them. You can undo it for half an hour."
        ),
    ),
    edit_action(CONTACT_EDITOR, OF_CONTACTS, key="tags-add", name="tag", label=_("Add tags"), icon="tag"),
    edit_action(
        CONTACT_EDITOR, OF_CONTACTS, key="tags-remove", name="untag", label=_("Remove tags"), icon="tag-off"
    ),
    edit_action(
        CONTACT_EDITOR,
        OF_CONTACTS,
        key="lifecycle_stage",
        name="stage",
        label=_("Set stage"),
        icon="stairs-up",
    ),
    BulkAction(
        "segment",
        _("Add to segment"),
        "chart-pie",
        "contacts:write",
        _join,
        _("They are put into a static segment."),
        SegmentForm,
    ),
    BulkAction(
        "delete",
        _("Delete"),
        "trash",
        "contacts:delete",
        CONTACTS.run,
        _("They are deleted, with their interactions, tasks and messages. You can undo it for half an hour."),
        danger=True,
    ),
)

COMPANY_ACTIONS = (
    edit_action(COMPANY_EDITOR, OF_COMPANIES),
    edit_action(
        COMPANY_EDITOR,
        OF_COMPANIES,
        key="owner",
        name="assign",
        label=_("Assign owner"),
        icon="user-share",
        explain=_(
            "They are given to another owner. Their people keep theirs. You can undo it for half an hour."
        ),
    ),
    BulkAction(
        "delete",
        _("Delete"),
        "trash",
        "contacts:delete",
        COMPANIES.run,
        _("They are deleted; their people stay, without a company. You can undo it for half an hour."),
        danger=True,
    ),
)


def _assignee() -> forms.Field:
    return forms.ChoiceField(choices=[("", _("Nobody")), *people()])


TASK_CHOICES: Mapping[str, Choice] = {
    "assignee": Choice(_("Assignee"), _assignee, ASSIGN_TASKS, NEW_OWNER, TEAM),
    CANCELLED: Choice(_("Cancel tasks"), None, "tasks:write"),
}


def task_choices() -> Mapping[str, Choice]:
    return TASK_CHOICES


TASK_ACTIONS = (
    edit_action(
        TASK_EDITOR, task_choices, key="assignee", name="assign", label=_("Assign"), icon="user-share"
    ),
    edit_action(
        TASK_EDITOR,
        task_choices,
        key=CANCELLED,
        name="cancel",
        label=_("Cancel tasks"),
        icon="x",
        explain=_("Open ones are given up; each can be reopened. You can undo it for half an hour."),
        danger=True,
    ),
    BulkAction(
        "delete",
        _("Delete"),
        "trash",
        "tasks:delete",
        TASKS.run,
        _("They are deleted, with their reminders. You can undo it for half an hour."),
        danger=True,
    ),
)

INTERACTION_ACTIONS = (
    BulkAction(
        "delete",
        _("Delete"),
        "trash",
        "interactions:delete",
        INTERACTIONS.run,
        _("They are deleted; the timeline keeps that they were there. You can undo it for half an hour."),
        danger=True,
    ),
)
