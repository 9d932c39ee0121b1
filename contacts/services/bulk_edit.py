"""One field of many contacts or companies set to one value (``contacts.services.field_edits``).

What tells a record from others (name, e-mail, external id; of a contact also its phone) is not set in bulk.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, Interaction, Pulse
from contacts.selectors.tags import as_known
from contacts.services.company_tree import check_parent, tree_lock
from contacts.services.contacts import ASSIGN
from contacts.services.field_edits import FieldEditor, Values, changes_of
from contacts.services.stream import NewActivity, activities_append
from contacts.validation import clean_company, clean_contact
from crmcem.lib import cleaning
from crmcem.lib.actors import Actor
from crmcem.lib.bulk_edits import Page, register
from crmcem.lib.errors import DomainError
from crmcem.lib.records import plain

TAGS = ("tags-add", "tags-remove")
CONTACT_KEYS = (
    "lifecycle_stage",
    "owner",
    "company",
    "job_title",
    "birthday",
    "language",
    "time_zone",
    *TAGS,
)
COMPANY_KEYS = ("owner", "industry", "size", "phone", "website", "parent")


class RecordEditor(FieldEditor):
    """The fields of contacts or companies."""

    lists: ClassVar[Mapping[str, str]] = dict.fromkeys(TAGS, "tags")

    def checked(self, key: str, raw: Any, actor: Actor) -> Any:
        if key == "lifecycle_stage" and (raw is None or raw == ""):
            raise DomainError.of("value", "required", _("Choose one of the stages."))
        return self._tags(raw) if key in TAGS else super().checked(key, raw, actor)

    def _tags(self, raw: Any) -> list[str]:
        try:
            names: list[str] = cleaning.tags(raw)
        except ValueError as error:
            raise DomainError.of("value", getattr(error, "code", "invalid"), error) from error
        if not names:
            raise DomainError.of("value", "required", _("Name at least one tag."))
        return as_known(names)

    def differing(self, *, key: str, value: Any) -> Q:
        if key == "tags-add":
            return ~Q(tags__contains=value)
        if key == "tags-remove":
            return Q(tags__overlap=value)
        return super().differing(key=key, value=value)

    def hold(self, key: str, value: Any) -> None:
        if key == "parent":
            tree_lock()

    def shared(self, key: str, value: Any, actor: Actor) -> Values:
        if key in TAGS:
            return {"tags": as_known(value)}  # a tag may have got another form since
        return super().shared(key, value, actor)

    def wanted(self, row: Any, key: str, value: Any, shared: Values) -> Values:
        if key == "tags-add":
            names = shared["tags"]
            return _few({"tags": sorted({*row.tags, *names}) if set(names) - set(row.tags) else row.tags})
        if key == "tags-remove":
            return {"tags": [tag for tag in row.tags if tag not in shared["tags"]]}
        if key == "parent" and value != row.parent_id:
            check_parent(row.pk, shared["row"])
        return super().wanted(row, key, value, shared)

    def put_back(self, row: Any, key: str, old: Values, new: Values, alive: Mapping[str, set[Any]]) -> Values:
        values = super().put_back(row, key, old, new, alive)
        if key == "parent" and values["parent_id"]:
            # what stood above it may stand below it by now
            check_parent(row.pk, Company.objects.get(pk=values["parent_id"]))
        return _few(values)

    def follow(self, key: str, ids: list[int]) -> None:
        """The copies of owner, team and stage that visibility and lists stand on."""
        if self.model is not Contact or key not in {"owner", "lifecycle_stage"}:
            return

        def of(path: str, name: str) -> Any:
            return Subquery(Contact.objects.filter(pk=OuterRef(path)).values(name)[:1])

        owned = ("owner_id", "team_id")
        copied = {name: of("pk", name) for name in (*owned, "lifecycle_stage")}
        Pulse.objects.filter(pk__in=ids).update(**copied)
        if key == "owner":
            rows = Interaction.objects.filter(contact_id__in=ids)
            rows.update(**{name: of("contact_id", name) for name in owned})

    def beside(self, key: str, ids: list[int]) -> dict[int, Values]:
        """Since when a contact is in its stage: the database sets it anew with each change."""
        if key != "lifecycle_stage":
            return {}
        found = Pulse.objects.filter(pk__in=ids).values_list("pk", "stage_since")
        return {pk: {"stage_since": plain(since)} for pk, since in found}

    def put_back_beside(self, key: str, values: Mapping[int, Values]) -> None:
        since = Pulse._meta.get_field("stage_since")
        rows = [Pulse(pk=pk, stage_since=since.to_python(each["stage_since"])) for pk, each in values.items()]
        Pulse.objects.bulk_update(rows, ["stage_since"])

    def tell(
        self, key: str, rows: Sequence[Any], olds: Mapping[int, Values], actor: Actor, back: bool
    ) -> None:
        activities_append(actor=actor, activities=[self._activity(row, olds[row.pk]) for row in rows])

    def _activity(self, row: Any, old: Values) -> NewActivity:
        if isinstance(row, Contact):
            whose: Values = {"contact_id": row.pk, "company_id": row.company_id}
        else:
            whose = {"company_id": row.pk}
        return NewActivity(f"{self.entity}.updated", **whose, payload={"changes": changes_of(row, old)})


def _few(values: Values) -> Values:
    """The values, if they hold no more tags than a contact may have. Raises DomainError."""
    if len(values.get("tags", ())) > cleaning.MAX_TAGS:
        most = _("It would have more than %(most)s tags.") % {"most": cleaning.MAX_TAGS}
        raise DomainError.of("value", "too_many", most)
    return values


CONTACTS = RecordEditor(
    Contact,
    "contact",
    scope="contacts:write",
    assign=ASSIGN,
    keys=CONTACT_KEYS,
    references={"company": Company},
    clean=clean_contact,
)
COMPANIES = RecordEditor(
    Company,
    "company",
    scope="contacts:write",
    assign=ASSIGN,
    keys=COMPANY_KEYS,
    references={"parent": Company},
    clean=clean_company,
)


def register_editors() -> None:
    """Called when the app is ready."""
    register(Contact._meta.label, CONTACTS, Page("contacts", "contacts:list"))
    register(Company._meta.label, COMPANIES, Page("companies", "contacts:companies"))
