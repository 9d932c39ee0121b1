"""One field of many records set to one value: what records with an owner and custom fields share.

``FieldEditor`` is the ``Editor`` of ``crmcem.lib.bulk_edits``. An app says in a class of its own which fields there
are, what is locked before the rows, and what a change leaves behind. Custom fields are ``custom-key``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import F, JSONField, Q, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.custom.definitions import every
from contacts.custom.links import check_links
from contacts.custom.rules import rules_for
from contacts.custom.values import clean_values
from contacts.services.owners import owner_named
from contacts.validation import merged
from crmcem.lib.actors import Actor, acting
from crmcem.lib.bulk_edits import Line, Restored, Written
from crmcem.lib.errors import DomainError, FieldError
from crmcem.lib.records import lock_all, plain, reference, visible_rows
from crmcem.workspace.models import User
from crmcem.workspace.policies import require

CUSTOM = "custom-"
#: what the person is called to whom a record belongs
OWNERS = ("owner", "assignee")
CHUNK = 500
Values = dict[str, Any]


class FieldEditor:
    """``keys`` are the fields that can be set, ``references`` those that lead to another record, with its model.

    ``assign`` is the scope of giving records away, ``clean`` the app's validation.
    """

    at_once: int | None = None
    chunk: int | None = None
    #: fields that put words into a list or take them out of it, with the column
    lists: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        model: type[Any],
        entity: str,
        *,
        scope: str,
        assign: str,
        keys: Sequence[str],
        references: Mapping[str, type[Any]],
        clean: Callable[..., Any],
    ) -> None:
        self.model, self.entity, self.scope, self.assign = model, entity, scope, assign
        self.keys, self.references, self.clean = keys, references, clean

    # --- what an app adds -------------------------------------------------------------------------------
    def checked(self, key: str, raw: Any, actor: Actor) -> Any:
        """The clean value of an own field, as JSON. Raises DomainError."""
        values, errors = self.clean({key: raw}, rules_for(self.entity, actor), partial=True)
        refuse(errors)
        return plain(values[key])

    def barred(self, *, key: str, value: Any) -> list[tuple[Q, str]]:
        """Rows that can't take the value (each is in one at most), and a sentence with ``%(count)s``."""
        return []

    def kinds(self, key: str) -> tuple[str, ...]:
        """The kinds of activity that setting the field leaves behind."""
        return (f"{self.entity}.updated",)

    def hold(self, key: str, value: Any) -> None:
        """Take the locks that come before those of the rows."""

    def hold_back(self, key: str, olds: Iterable[Values]) -> None:
        """The same before an undo; ``olds`` is what stood in the rows."""
        self.hold(key, None)

    def shared(self, key: str, value: Any, actor: Actor) -> Values:
        """What all rows get, where it takes a look into the database."""
        if key in OWNERS:
            person = User.objects.filter(pk=value, is_active=True).first() if value else None
            if value and person is None:
                raise DomainError.of(
                    "value", "does_not_exist", _("There is no such person, or their account is closed.")
                )
            return {"owner_id": value, "team_id": person.team_id if person else None}
        if key in self.references:
            return {"row": reference(self.references[key], value, actor, "value")}
        return {}

    def wanted(self, row: Any, key: str, value: Any, shared: Values) -> Values:
        """What one locked row gets, by column; nothing where it has it. Raises DomainError where it can't."""
        if key.startswith(CUSTOM):
            return {"custom": merged(row.custom, {key.removeprefix(CUSTOM): value})}
        if key in OWNERS:
            return {**shared} if row.owner_id != value else {}
        if key in self.references:
            return {f"{key}_id": value}
        return {key: self._typed(key, value)}

    def arrange(self, key: str, wanted: Mapping[int, Values], shared: Values) -> None:
        """Add what depends on which rows of the chunk can take the value."""

    def stands(self, row: Any, key: str, old: Values, new: Values) -> bool:
        """Whether a row that was changed since still has what the edit gave it: ``new`` in place of ``old``."""
        if key.startswith(CUSTOM):
            name = key.removeprefix(CUSTOM)
            return bool(row.custom.get(name) == new["custom"].get(name))
        if key in self.lists:
            held = getattr(row, self.lists[key])
            return bool(taken_back(held, old[self.lists[key]], new[self.lists[key]]) != held)
        return all(getattr(row, name) == value for name, value in new.items() if name != "team_id")

    def put_back(self, row: Any, key: str, old: Values, new: Values, alive: Mapping[str, set[Any]]) -> Values:
        """What a row gets when it is taken back. Raises DomainError where what stood there is gone for good.

        ``alive`` are, by column, the records that still exist among those that stood there.
        """
        if key.startswith(CUSTOM):
            return {"custom": merged(row.custom, old["custom"])}
        if key in self.lists and new:
            column = self.lists[key]
            return {column: taken_back(getattr(row, column), old[column], new[column])}
        return {
            name: value if name not in alive or value in alive[name] else None for name, value in old.items()
        }

    def follow(self, key: str, ids: list[int]) -> None:
        """Keep copies of what was changed."""

    def beside(self, key: str, ids: list[int]) -> dict[int, Values]:
        """What stands elsewhere and goes with the field by itself, as JSON: an undo puts it back, too."""
        return {}

    def put_back_beside(self, key: str, values: Mapping[int, Values]) -> None:
        """The other way round."""

    def tell(
        self, key: str, rows: Sequence[Any], olds: Mapping[int, Values], actor: Actor, back: bool
    ) -> None:
        """One activity for each of the saved rows; ``olds`` is what stood there, ``back`` that it is an undo."""
        raise NotImplementedError

    # --- what is asked for ------------------------------------------------------------------------------
    def check(self, *, key: str, raw: Any, actor: Actor) -> Any:
        require(actor, self.scope)
        if key.startswith(CUSTOM):
            return self._custom(key.removeprefix(CUSTOM), raw, actor)
        if key not in self.keys:
            raise DomainError.of("field", "unknown_field", _("This field can’t be set for many at once."))
        if key in OWNERS or key in self.references:
            pk = record_id(raw)
            if key in OWNERS:
                person = owner_named(pk, actor, self.assign)
                return person.pk if person else None
            row: Any = reference(self.references[key], pk, actor, "value")
            return row.pk if row else None
        return self.checked(key, raw, actor)

    def _custom(self, name: str, raw: Any, actor: Actor) -> Any:
        values, errors = clean_values({name: raw}, every(self.entity))
        refuse(errors)
        try:
            check_links(self.entity, values, actor)
        except DomainError as error:
            refuse(error.errors)
        return values[name]

    def differing(self, *, key: str, value: Any) -> Q:
        if key.startswith(CUSTOM):
            name = key.removeprefix(CUSTOM)
            held = Q(custom__has_key=name)
            if value is None:
                return held
            return ~held | ~Q(Exact(KeyTransform(name, F("custom")), Value(value, JSONField())))
        column = "owner_id" if key in OWNERS else f"{key}_id" if key in self.references else key
        if value is None:
            return Q(**{f"{column}__isnull": False})
        return ~Q(**{column: value}) | Q(**{f"{column}__isnull": True})

    # --- what is written --------------------------------------------------------------------------------
    def write(self, *, key: str, value: Any, ids: list[int], actor: Actor) -> Written:
        away = key in OWNERS and value != getattr(actor.user, "pk", None)
        require(actor, self.assign if away else self.scope)
        with acting(actor):
            self.hold(key, value)
            rows: list[Any] = lock_all(self.model, ids, actor)
            shared = self.shared(key, value, actor)
            wanted: dict[int, Values] = {}
            failed: list[Line] = []
            for row in rows:
                try:
                    wanted[row.pk] = self.wanted(row, key, value, shared)
                except DomainError as error:
                    failed.append((str(row), error.errors[0].detail))
            self.arrange(key, wanted, shared)
            return Written(self.save(rows, key, wanted, actor), failed)

    def restore(self, *, key: str, before: dict[int, tuple[Any, int]], actor: Actor) -> Restored:
        require(actor, self.assign if key in OWNERS else self.scope)
        with acting(actor):
            self.hold_back(key, [_parts(journal)[0] for journal, _version in before.values()])
            rows, seen = self._lock_back(key, list(before), actor)
            parts = {pk: self._typed_parts(journal) for pk, (journal, _version) in before.items()}
            alive = self._alive(old for old, _new in parts.values())
            wanted = {}
            kept: list[Line] = []
            for row in rows:
                old, new = parts[row.pk]
                try:
                    if row.version != before[row.pk][1] and not (new and self.stands(row, key, old, new)):
                        raise DomainError.of("value", "changed", _("It was changed again since."))
                    wanted[row.pk] = self.put_back(row, key, old, new, alive)
                except DomainError as error:
                    if row.pk in seen:
                        kept.append((str(row), error.errors[0].detail))
            back = [pk for pk, _journal, _version in self.save(rows, key, wanted, actor, back=True)]
            self.put_back_beside(
                key, {pk: before[pk][0]["beside"] for pk in back if before[pk][0].get("beside")}
            )
            return Restored(len(back), kept)

    def _lock_back(self, key: str, ids: list[int], actor: Actor) -> tuple[list[Any], set[int]]:
        """The rows to take back, locked, and which of them the actor sees.

        Who gives records away may lose sight of them by it, and still takes that back.
        """
        if key not in OWNERS:
            rows: list[Any] = lock_all(self.model, ids, actor)
            return rows, {row.pk for row in rows}
        seen = set(visible_rows(self.model, actor).filter(pk__in=ids).values_list("pk", flat=True))
        found = self.model._default_manager.select_for_update(of=("self",)).filter(pk__in=ids)
        return list(found.order_by("pk")), seen

    def _typed(self, name: str, value: Any) -> Any:
        """A value that JSON carried, as the column has it."""
        return self.model._meta.get_field(name).to_python(value)

    def _typed_all(self, old: Values) -> Values:
        return {name: value if name == "custom" else self._typed(name, value) for name, value in old.items()}

    def _typed_parts(self, journal: Values) -> tuple[Values, Values]:
        old, new = _parts(journal)
        return self._typed_all(old), self._typed_all(new)

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

    def save(
        self, rows: Sequence[Any], key: str, wanted: Mapping[int, Values], actor: Actor, *, back: bool = False
    ) -> list[tuple[int, Any, int]]:
        """Store what differs as the rows' next versions. Answers ``(id, what stood there, version)``."""
        now = timezone.now()
        saved: list[Any] = []
        olds: dict[int, Values] = {}
        for row in rows:
            new = wanted.get(row.pk, {})
            old = {name: getattr(row, name) for name in new}
            if new == old:
                continue
            for name, value in new.items():
                setattr(row, name, value)
            row.version, row.updated_at = row.version + 1, now
            saved.append(row)
            olds[row.pk] = old
        if not saved:
            return []
        beside = {} if back else self.beside(key, list(olds))
        names = [name.removesuffix("_id") for name in next(filter(None, wanted.values()))]
        manager: Any = self.model._default_manager
        manager.bulk_update(saved, [*names, "version", "updated_at"], batch_size=CHUNK)
        self.follow(key, list(olds))
        self.tell(key, saved, olds, actor, back)
        return [(row.pk, _kept(key, row, olds[row.pk], beside.get(row.pk)), row.version) for row in saved]


def changes_of(row: Any, old: Values) -> Values:
    """``{field: [old, new]}`` as activities say it; the team goes with the owner and is not named."""
    return {
        name.removesuffix("_id"): [plain(value), plain(getattr(row, name))]
        for name, value in old.items()
        if name != "team_id"
    }


def taken_back(held: Sequence[Any], old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    """``held`` without what made ``old`` into ``new``: what others put in or took out since stays so."""
    if held == new:
        return list(old)
    added, removed = set(new) - set(old), set(old) - set(new)
    there = [each for each in held if each not in added]
    return [*there, *(each for each in old if each in removed and each not in held)]


def record_id(raw: Any) -> int | None:
    """An id of the input; nothing is None. Raises DomainError for what can't be one."""
    if raw is None or raw == "":
        return None
    text = str(raw)
    if isinstance(raw, bool) or not (text.isascii() and text.isdecimal() and len(text) < 19):
        gone = _("There is no such record, or it is not yours to see.")
        raise DomainError.of("value", "does_not_exist", gone)
    return int(text)


def _kept(key: str, row: Any, old: Values, beside: Values | None) -> Values:
    """What stood there and what stands there now, as JSON; of the custom fields only the one that was set."""
    new = {name: getattr(row, name) for name in old}
    if key.startswith(CUSTOM):
        name = key.removeprefix(CUSTOM)
        old, new = ({"custom": {name: each["custom"].get(name)}} for each in (old, new))
    journal = {
        at: {name: plain(value) for name, value in each.items()} for at, each in (("was", old), ("is", new))
    }
    return journal | ({"beside": beside} if beside else {})


def _parts(kept: Values) -> tuple[Values, Values]:
    """What stood there and what the edit put there; of one from before that was noted, the latter is empty."""
    return (kept["was"], kept["is"]) if "was" in kept else (kept, {})


def refuse(errors: Iterable[FieldError]) -> None:
    """Whatever the field is called, its input is ``value``. Raises DomainError where there are any."""
    found = [FieldError("value", each.code, each.detail) for each in errors]
    if found:
        raise DomainError(*found)
