"""What a condition may speak about: typed fields, activities, segments and related records of one model.

The app that owns the model makes the registry, and apps above it register fields of their own::

    contact_fields = FieldRegistry("contacts.Contact")
    contact_fields.register(Field(name="email", label=_("E-mail"), type=FieldType.TEXT, normalise=str.lower))
    contact_fields.register(Field(name="nps", label=_("NPS"), type=FieldType.NUMBER, expression="pulse__nps"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from django.apps import apps
from django.db.models import Model, Q
from django.utils.functional import Promise

from crmcem.lib.conditions.operators import TYPE_OPERATORS, FieldType

if TYPE_CHECKING:
    from crmcem.lib.conditions.relations import Relation

Text = str | Promise
Choices = Iterable[tuple[str, Text]]
Permission = str | Callable[[Any], bool]


class Expression(Protocol):
    """Anything Django can resolve in a query."""

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any: ...


def big_integer_key(value: Any) -> int:
    """The default reader of a reference: the id of a row, as a number or its digits."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 20):
        raise ValueError
    number = int(value)
    if not 0 <= number < 2**63:
        raise ValueError
    return number


@dataclass(frozen=True, eq=False, kw_only=True)
class Field:
    """One thing that can be compared.

    ``expression`` is an ORM path over to-one relations or an expression (default: the name as path). ``json``
    is ``(path of a jsonb column, key)`` for a custom field. ``normalise`` makes text compare exactly as
    stored, for columns kept in one form (e-mail); without it text compares without regard to case. ``key``
    reads the id of a reference (raises ValueError) and ``names`` gives the names of some ids for
    explanations. ``currency`` is the path of the currency of a money field that has one per row. ``phrases``
    replaces wording: operator → ``"tagged {value}"``. ``permission`` is a permission's name or a test of the
    user; whoever lacks it does not know the field. ``reads`` names what moves the value, for those who keep
    answers up to date (``pulse``, ``deals``); empty: the record's own row. ``by_clock``: time
    alone moves it, in ways that nobody knows beforehand. ``spellings`` gives for each text
    of a multi-choice without choices what may stand in the column that means it, the present form first.
    ``seen_by`` makes the expression for who asks, where the value comes from records of which each person may see
    others (None: the system, all).
    """

    name: str
    label: Text
    type: FieldType
    expression: str | Expression | None = None
    json: tuple[str, str] | None = None
    operators: tuple[str, ...] | None = None
    choices: Choices | Callable[[], Choices] | None = None
    permission: Permission | None = None
    normalise: Callable[[str], str] | None = None
    currency: str = ""
    key: Callable[[Any], Any] = big_integer_key
    names: Callable[[Sequence[Any]], Mapping[Any, Text]] | None = None
    is_user: bool = False
    group: Text = ""
    phrases: Mapping[str, Text] = field(default_factory=dict)
    spellings: Callable[[Sequence[str]], Mapping[str, Sequence[str]]] | None = None
    reads: tuple[str, ...] = ()
    seen_by: Callable[[Any], Expression] | None = None
    by_clock: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.operators or ()) - set(TYPE_OPERATORS[self.type])
        if unknown:
            raise ValueError(f"field {self.name}: operators {sorted(unknown)} do not exist for {self.type}")

    @property
    def ops(self) -> tuple[str, ...]:
        return self.operators if self.operators is not None else TYPE_OPERATORS[self.type]

    def options(self) -> dict[str, str] | None:
        """Value → label, or None where any value goes."""
        if self.choices is None:
            return None
        pairs = self.choices() if callable(self.choices) else self.choices
        return {value: str(label) for value, label in pairs}

    def known_to(self, user: Any) -> bool:
        """May this person know and use the field? No user means the system itself."""
        return allowed(self.permission, user)

    def usable_by(self, user: Any, shared: bool) -> bool:
        """May this person ask by it, in an answer that is theirs alone or everybody's (``shared``)?

        What each sees differently (``seen_by``) is everybody's only from those who see all of it.
        """
        if not self.known_to(user):
            return False
        whole = user is None or self.seen_by is None or user.access.visibility == "all"
        return whole or not shared


@dataclass(frozen=True, eq=False, kw_only=True)
class ActivitySource:
    """Where the activities of a record are: a model partitioned by ``received``.

    ``subject`` is the column that points at a row of ``subject_model``, ``outer`` the path on the registry's
    model that it equals. ``kinds`` lists the known kinds with a phrase in the past tense (``("order.placed",
    "placed an order")``); others may be used too. ``filters`` narrows the rows further (``{"subject_type":
    "deal"}``). ``permits`` tells whether a person may ask about a kind.
    """

    model: str
    subject_model: str
    subject: str = "contact_id"
    outer: str = "pk"
    kind: str = "kind"
    occurred: str = "occurred_at"
    received: str = "received_at"
    payload: str = "payload"
    filters: Mapping[str, Any] = field(default_factory=dict)
    kinds: Callable[[], Choices] | None = None
    permits: Callable[[Any, str], bool] | None = None

    def get_model(self) -> type[Model]:
        return apps.get_model(self.model)

    def get_subject_model(self) -> type[Model]:
        """The model of the rows that activities are about."""
        return apps.get_model(self.subject_model)

    def labels(self, user: Any = None) -> dict[str, str]:
        pairs = self.kinds() if self.kinds else ()
        return {kind: str(label) for kind, label in pairs if self.allows(user, kind)}

    def allows(self, user: Any, kind: str) -> bool:
        return user is None or self.permits is None or self.permits(user, kind)


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentBody:
    """A saved segment: ``conditions`` (JSON) of a live one, or ``members`` (a Q on the model) of a static
    one.

    ``members`` is best an ``Exists``: its complement is an anti join, where ``NOT IN`` a long list is slow.
    """

    name: str
    conditions: Any = None
    members: Q | None = None


SegmentLoader = Callable[[str, Any], SegmentBody | None]
"""``(id, user)`` → the segment, or None where there is none that this user may see. Must not raise."""


@dataclass(frozen=True, eq=False)
class _Dynamic:
    prefix: str
    find: Callable[[str], Field | None]
    every: Callable[[], Iterable[Field]]
    example: Field | None


class FieldRegistry:
    """Fields of one model, by name."""

    def __init__(self, model: str) -> None:
        self.model_label = model
        self.activities: ActivitySource | None = None
        self.segments: SegmentLoader | None = None
        self.relations: dict[str, Relation] = {}
        self._fields: dict[str, Field] = {}
        self._dynamic: list[_Dynamic] = []

    @property
    def model(self) -> type[Model]:
        return apps.get_model(self.model_label)

    def register(self, *fields: Field) -> None:
        """Add fields; a name can be taken once."""
        for item in fields:
            if item.name in self._fields:
                raise ValueError(f"{self.model_label} already has a condition field {item.name}")
            self._fields[item.name] = item

    def relate(self, *relations: Relation) -> None:
        """Add ways to related records; a name can be taken once."""
        for item in relations:
            if item.name in self.relations:
                raise ValueError(f"{self.model_label} is already related to {item.name}")
            self.relations[item.name] = item

    def related(self, user: Any = None, *, shared: bool = False) -> list[Relation]:
        """The ways to related records that this person may ask by (see ``Relation.usable_by``)."""
        return [item for item in self.relations.values() if item.usable_by(user, shared)]

    def register_dynamic(
        self,
        prefix: str,
        find: Callable[[str], Field | None],
        every: Callable[[], Iterable[Field]],
        *,
        example: Field | None = None,
    ) -> None:
        """Fields known only at run time: ``find`` takes the whole name (``custom.size``), ``every`` lists
        them.

        Where not all can be listed, ``example`` stands in the schema for any name with the prefix.
        """
        self._dynamic.append(_Dynamic(prefix, find, every, example))

    def get(self, name: str, user: Any = None) -> Field | None:
        """The field of that name, unless it is hidden from the user."""
        found = self._fields.get(name)
        if found is None:
            for source in self._dynamic:
                if name.startswith(source.prefix) and (found := source.find(name)) is not None:
                    break
        return found if found is not None and found.known_to(user) else None

    def examples(self, user: Any = None) -> list[tuple[str, Field]]:
        """Prefix and example of the dynamic fields that can't be listed."""
        found = [(source.prefix, source.example) for source in self._dynamic]
        return [(prefix, item) for prefix, item in found if item is not None and item.known_to(user)]

    def fields(self, user: Any = None, *, shared: bool = False) -> list[Field]:
        """Every field this person may use (see ``Field.usable_by``), in order of registration."""
        every = [*self._fields.values()]
        for source in self._dynamic:
            every.extend(source.every())
        return [item for item in every if item.usable_by(user, shared)]


def allowed(permission: Permission | None, user: Any) -> bool:
    """Does the user (None: the system) hold a scope, or pass a test?"""
    if user is None or permission is None:
        return True
    if callable(permission):
        return bool(permission(user))
    return bool(user.may(permission))
