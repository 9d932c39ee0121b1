"""What conditions may say about deals themselves, for their list and the API. Names are those of the API."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from contacts.custom.in_conditions import register_custom
from crmcem.lib.conditions import Field, FieldRegistry, FieldType
from crmcem.workspace.models import Team, User
from sales.models import Deal, Pipeline, Stage


def _users(ids: Sequence[Any]) -> Mapping[int, str]:
    return {user.pk: str(user) for user in User.objects.filter(pk__in=ids)}


def _named(model: Any) -> Any:
    return lambda ids: dict(model.objects.filter(pk__in=ids).values_list("pk", "name"))


def _reference(name: str, label: Any, names: Any, **more: Any) -> Field:
    return Field(
        name=name, label=label, type=FieldType.REFERENCE, expression=f"{name}_id", names=names, **more
    )


def _plain(kind: FieldType, *pairs: tuple[str, Any]) -> Iterable[Field]:
    return (Field(name=name, label=label, type=kind) for name, label in pairs)


deal_fields = FieldRegistry("sales.Deal")
deal_fields.register(
    *_plain(FieldType.TEXT, ("name", _("Name"))),
    Field(
        name="status",
        label=_("Status"),
        type=FieldType.CHOICE,
        choices=lambda: Deal.Status.choices,
    ),
    _reference("pipeline", _("Pipeline"), _named(Pipeline)),
    _reference("stage", _("Stage"), _named(Stage)),
    Field(name="amount", label=_("Amount"), type=FieldType.MONEY, currency="currency"),
    *_plain(FieldType.NUMBER, ("probability", _("Probability in percent"))),
    *_plain(FieldType.DATE, ("expected_close", _("Expected close"))),
    _reference("owner", _("Owner"), _users, is_user=True),
    _reference("team", _("Team"), _named(Team)),
    Field(name="competitors", label=_("Competitors"), type=FieldType.MULTI_CHOICE),
    *_plain(
        FieldType.TEXT,
        ("lost_reason", _("Reason for the loss")),
        ("won_reason", _("Reason for the win")),
        ("external_id", _("External id")),
    ),
    *_plain(
        FieldType.DATETIME,
        ("stage_entered_at", _("In this stage since")),
        ("closed_at", _("Closed")),
        ("created_at", _("Created")),
        ("updated_at", _("Changed")),
    ),
)
register_custom(deal_fields, "deal")
