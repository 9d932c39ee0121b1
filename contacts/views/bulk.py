"""What can be done to many contacts, companies or tasks of a list at once."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from contacts.models import Company, Contact, Interaction, Lifecycle, MergeRecord, Segment, Task
from contacts.services import bulk, work_bulk
from contacts.services.merge_forget import merges_of
from contacts.services.segments import may_change, segment_members_change
from contacts.views.bulk_edit import EDIT_COMPANIES, EDIT_CONTACTS
from contacts.views.common import people
from contacts.views.listing import ids_of
from contacts.views.tag_inputs import TagsInput
from crmcem.lib.actors import Actor, person
from crmcem.lib.web.bulk import BulkAction, BulkDone
from crmcem.workspace.trashing import Deletion


class OwnerForm(forms.Form):
    owner = forms.ChoiceField(label=_("New owner"), required=False)

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["owner"]
        field.choices = [("", _("Nobody")), *people()]

    def clean_owner(self) -> int | None:
        return int(self.cleaned_data["owner"]) if self.cleaned_data["owner"] else None


class TagForm(forms.Form):
    tags = forms.CharField(
        label=_("Tags"),
        max_length=400,
        help_text=_("Several tags with commas between them."),
        widget=TagsInput,
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class StageForm(forms.Form):
    lifecycle_stage = forms.ChoiceField(label=_("Lifecycle stage"), choices=Lifecycle.choices)
    reason = forms.CharField(
        label=_("Reason"), max_length=300, required=False, help_text=_("It stands in their history.")
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


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


def _assign(service: Any) -> Any:
    def run(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
        return BulkDone(service(ids=ids_of(rows), owner=data["owner"], actor=actor))

    return run


def _tag(remove: bool) -> Any:
    def run(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
        return BulkDone(bulk.contacts_tag(ids=ids_of(rows), tags=data["tags"], actor=actor, remove=remove))

    return run


def _stage(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
    stage, reason = data["lifecycle_stage"], data.get("reason") or ""
    return BulkDone(bulk.contacts_stage(ids=ids_of(rows), stage=stage, actor=actor, reason=reason))


def _plain(service: Any) -> Any:
    def run(*, actor: Actor, rows: Any, data: dict[str, Any]) -> BulkDone:
        return BulkDone(service(ids=ids_of(rows), actor=actor))

    return run


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

CONTACT_ACTIONS = (
    EDIT_CONTACTS,
    BulkAction(
        "assign",
        _("Assign owner"),
        "user-share",
        "contacts:assign",
        _assign(bulk.contacts_assign),
        _("They are given to another owner, with what was logged with them."),
        OwnerForm,
    ),
    BulkAction("tag", _("Add tags"), "tag", "contacts:write", _tag(False), _("The tags are added."), TagForm),
    BulkAction(
        "untag",
        _("Remove tags"),
        "tag-off",
        "contacts:write",
        _tag(True),
        _("The tags are taken away."),
        TagForm,
    ),
    BulkAction(
        "stage",
        _("Set stage"),
        "stairs-up",
        "contacts:write",
        _stage,
        _("They are moved to another lifecycle stage."),
        StageForm,
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
    EDIT_COMPANIES,
    BulkAction(
        "assign",
        _("Assign owner"),
        "user-share",
        "contacts:assign",
        _assign(bulk.companies_assign),
        _("They are given to another owner. Their people keep theirs."),
        OwnerForm,
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

TASK_ACTIONS = (
    BulkAction(
        "assign",
        _("Assign"),
        "user-share",
        "tasks:assign",
        _assign(bulk.tasks_assign),
        _("They are given to somebody else."),
        OwnerForm,
    ),
    BulkAction(
        "cancel",
        _("Cancel tasks"),
        "x",
        "tasks:write",
        _plain(bulk.tasks_cancel),
        _("Open ones are given up; each can be reopened."),
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
