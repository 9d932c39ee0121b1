"""How apps make the fields of their conditions: plain columns, choices, and references by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crmcem.lib.conditions import Field, FieldType
from crmcem.workspace.models import User

Names = Callable[[Sequence[Any]], Mapping[Any, Any]]


def plain(kind: FieldType, *pairs: tuple[str, Any]) -> list[Field]:
    """Columns of one type: ``(name, label)`` each."""
    return [Field(name=name, label=label, type=kind) for name, label in pairs]


def chosen(name: str, label: Any, choices: Any) -> Field:
    """A column with the values of a ``TextChoices``."""
    return Field(name=name, label=label, type=FieldType.CHOICE, choices=lambda: choices.choices)


def reference(name: str, label: Any, names: Names, *, is_user: bool = False) -> Field:
    """A foreign key of that name; ``names`` gives the names of ids."""
    return Field(
        name=name,
        label=label,
        type=FieldType.REFERENCE,
        expression=f"{name}_id",
        names=names,
        is_user=is_user,
    )


def named(model: Any) -> Names:
    """The names of records that have a ``name``."""
    return lambda ids: dict(model.objects.filter(pk__in=ids).values_list("pk", "name"))


def _users(ids: Sequence[Any]) -> dict[int, str]:
    return {user.pk: str(user) for user in User.objects.filter(pk__in=ids)}


def responsible(label: Any) -> Field:
    """Who is responsible for the record."""
    return reference("owner", label, _users, is_user=True)
