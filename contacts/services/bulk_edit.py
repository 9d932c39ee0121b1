"""One field of many contacts or companies set to one value (``crmcem.lib.bulk_edits``).

What tells a record from others (name, e-mail, external id; of a contact also its phone) is not set in bulk.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import F, JSONField, OuterRef, Q, Subquery, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.custom.definitions import every
from contacts.custom.links import check_links
from contacts.custom.rules import rules_for
from contacts.custom.values import clean_values
from contacts.models import Company, Contact, Interaction, Pulse
from contacts.selectors.tags import as_known
from contacts.services.company_tree import check_parent, tree_lock
from contacts.services.contacts import ASSIGN
from contacts.services.owners import owner_named
from contacts.services.stream import NewActivity, activities_append
from contacts.validation import clean_company, clean_contact, merged
from crmcem.lib import cleaning
from crmcem.lib.actors import Actor, acting
from crmcem.lib.bulk_edits import Written, register
from crmcem.lib.errors import DomainError, FieldError
from crmcem.lib.records import lock_all, plain, reference
from crmcem.workspace.models import User
from crmcem.workspace.policies import require

CUSTOM = "custom-"
TAGS = ("tags-add", "tags-remove")
REFERENCES = ("company", "parent")
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
CHUNK = 500
Values = dict[str, Any]


class RecordEditor:
    """The fields of contacts or companies. ``keys`` are their own; custom ones are ``custom-key``."""

    scope = "contacts:write"

    def __init__(self, model: type[Contact] | type[Company], keys: Sequence[str], clean: Callable[..., Any]):
        self.model, self.keys, self.clean = model, keys, clean
        self.entity = "contact" if model is Contact else "company"

    # --- what is asked for ------------------------------------------------------------------------------
    def check(self, *, key: str, raw: Any, actor: Actor) -> Any:
        require(actor, self.scope)
        if key.startswith(CUSTOM):
            return self._custom(key.removeprefix(CUSTOM), raw, actor)
        if key not in self.keys:
            raise DomainError.of("field", "unknown_field", _("This field can’t be set for many at once."))
        if key == "owner" or key in REFERENCES:
            pk = int(raw) if str(raw or "").isdecimal() else None
            if key == "owner":
                person = owner_named(pk, actor, ASSIGN)
                return person.pk if person else None
            model: Any = Company
            row = reference(model, pk, actor, "value")
            return row.pk if row else None
        if key in TAGS:
            return self._tags(raw)
        values, errors = self.clean({key: raw}, rules_for(self.entity, actor), partial=True)
        _refuse(errors)
        return plain(values[key])

    def _tags(self, raw: Any) -> list[str]:
        try:
            names: list[str] = cleaning.tags(raw)
        except ValueError as error:
            raise DomainError.of("value", getattr(error, "code", "invalid"), error) from error
        if not names:
            raise DomainError.of("value", "required", _("Name at least one tag."))
        return as_known(names)

    def _custom(self, name: str, raw: Any, actor: Actor) -> Any:
        values, errors = clean_values({name: raw}, every(self.entity))
        _refuse(errors)
        try:
            check_links(self.entity, values, actor)
        except DomainError as error:
            _refuse(error.errors)
        return values[name]

    def differing(self, *, key: str, value: Any) -> Q:
        if key.startswith(CUSTOM):
            name = key.removeprefix(CUSTOM)
            held = Q(custom__has_key=name)
            if value is None:
                return held
            return ~held | ~Q(Exact(KeyTransform(name, F("custom")), Value(value, JSONField())))
        if key == "tags-add":
            return ~Q(tags__contains=value)
        if key == "tags-remove":
            return Q(tags__overlap=value)
        column = f"{key}_id" if key == "owner" or key in REFERENCES else key
        if value is None:
            return Q(**{f"{column}__isnull": False})
        return ~Q(**{column: value}) | Q(**{f"{column}__isnull": True})

    # --- what is written --------------------------------------------------------------------------------
    def write(self, *, key: str, value: Any, ids: list[int], actor: Actor) -> Written:
        require(actor, ASSIGN if key == "owner" and value != getattr(actor.user, "pk", None) else self.scope)
        with acting(actor):
            if key == "parent":
                tree_lock()
            rows: list[Any] = lock_all(self.model, ids, actor)
            value = as_known(value) if key in TAGS else value  # a tag may have got another form since
            shared = self._shared(key, value, actor)
            wanted, failed = {}, []
            for row in rows:
                try:
                    wanted[row.pk] = self._wanted(row, key, value, shared)
                except DomainError as error:
                    failed.append((str(row), error.errors[0].detail))
            return Written(self._save(rows, key, wanted, actor), failed)

    def _shared(self, key: str, value: Any, actor: Actor) -> Values:
        """What all rows get, where it takes a look into the database."""
        if key == "owner":
            person = User.objects.filter(pk=value, is_active=True).first() if value else None
            if value and person is None:
                raise DomainError.of(
                    "value", "does_not_exist", _("There is no such person, or their account is closed.")
                )
            return {"owner_id": value, "team_id": person.team_id if person else None}
        if key in REFERENCES:
            model: Any = Company
            row = reference(model, value, actor, "value")
            return {f"{key}_id": value, "row": row}
        return {}

    def _wanted(self, row: Any, key: str, value: Any, shared: Values) -> Values:
        if key.startswith(CUSTOM):
            return {"custom": merged(row.custom, {key.removeprefix(CUSTOM): value})}
        if key == "tags-add":
            tags = sorted({*row.tags, *value}) if set(value) - set(row.tags) else row.tags
            if len(tags) > cleaning.MAX_TAGS:
                most = _("It would have more than %(most)s tags.") % {"most": cleaning.MAX_TAGS}
                raise DomainError.of("value", "too_many", most)
            return {"tags": tags}
        if key == "tags-remove":
            return {"tags": [tag for tag in row.tags if tag not in value]}
        if key == "owner":
            return {**shared} if row.owner_id != value else {}
        if key in REFERENCES:
            if key == "parent" and value != row.parent_id:
                check_parent(row.pk, shared["row"])
            return {f"{key}_id": value}
        return {key: self._typed(key, value)}

    def _typed(self, name: str, value: Any) -> Any:
        """A value that JSON carried, as the column has it."""
        return self.model._meta.get_field(name).to_python(value)  # type: ignore[union-attr]

    def restore(self, *, key: str, before: dict[int, tuple[Any, int]], actor: Actor) -> int:
        require(actor, ASSIGN if key == "owner" else self.scope)
        with acting(actor):
            if key == "parent":
                tree_lock()
            rows: list[Any] = lock_all(self.model, list(before), actor)
            rows = [row for row in rows if row.version == before[row.pk][1]]
            old = {row.pk: before[row.pk][0] for row in rows}
            alive = self._alive(old.values())
            wanted = {}
            for row in rows:
                values = {
                    name: value if name not in alive or value in alive[name] else None
                    for name, value in old[row.pk].items()
                }
                if key.startswith(CUSTOM):
                    values = {"custom": merged(row.custom, old[row.pk]["custom"])}
                elif key not in (*TAGS, "owner", *REFERENCES):
                    values = {key: self._typed(key, values[key])}
                wanted[row.pk] = values
            return len(self._save(rows, key, wanted, actor))

    def _alive(self, old: Iterable[Values]) -> dict[str, set[Any]]:
        """By column, which of the records that stood there still exist."""
        found: dict[str, set[Any]] = {}
        for values in old:
            for name, value in values.items():
                if name.endswith("_id"):
                    found.setdefault(name, set()).add(value)
        for name, ids in found.items():
            related: Any = self.model._meta.get_field(name.removesuffix("_id")).related_model
            found[name] = {None, *related._base_manager.filter(pk__in=ids).values_list("pk", flat=True)}
        return found

    def _save(
        self, rows: Sequence[Any], key: str, wanted: Mapping[int, Values], actor: Actor
    ) -> list[tuple[int, Any, int]]:
        """Store what differs as the rows' next versions. Answers ``(id, what stood there, version)``."""
        now = timezone.now()
        saved: list[Any] = []
        changed: list[tuple[int, Any, int]] = []
        said: dict[int, Values] = {}
        for row in rows:
            new = wanted.get(row.pk, {})
            old = {name: getattr(row, name) for name in new}
            if new == old:
                continue
            for name, value in new.items():
                setattr(row, name, value)
            row.version, row.updated_at = row.version + 1, now
            saved.append(row)
            changed.append((row.pk, _kept(key, old), row.version))
            said[row.pk] = {
                name.removesuffix("_id"): [plain(old[name]), plain(new[name])]
                for name in new
                if name != "team_id"
            }
        if saved:
            names = [name.removesuffix("_id") for name in next(filter(None, wanted.values()))]
            manager: Any = self.model._default_manager
            manager.bulk_update(saved, [*names, "version", "updated_at"], batch_size=CHUNK)
            self._follow(key, list(said))
            activities_append(actor=actor, activities=[self._activity(row, said[row.pk]) for row in saved])
        return changed

    def _follow(self, key: str, ids: list[int]) -> None:
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

    def _activity(self, row: Any, changes: Values) -> NewActivity:
        if isinstance(row, Contact):
            whose: Values = {"contact_id": row.pk, "company_id": row.company_id}
        else:
            whose = {"company_id": row.pk}
        return NewActivity(f"{self.entity}.updated", **whose, payload={"changes": changes})


def _kept(key: str, old: Values) -> Values:
    """What stood there, as JSON; of the custom fields only the one that was set."""
    if key.startswith(CUSTOM):
        name = key.removeprefix(CUSTOM)
        return {"custom": {name: old["custom"].get(name)}}
    return {name: plain(value) for name, value in old.items()}


def _refuse(errors: Iterable[FieldError]) -> None:
    """Whatever the field is called, its input is ``value``."""
    found = [FieldError("value", each.code, each.detail) for each in errors]
    if found:
        raise DomainError(*found)


CONTACTS = RecordEditor(Contact, CONTACT_KEYS, clean_contact)
COMPANIES = RecordEditor(Company, COMPANY_KEYS, clean_company)


def register_editors() -> None:
    """Called when the app is ready."""
    register(Contact._meta.label, CONTACTS)
    register(Company._meta.label, COMPANIES)
