"""Serializer fields of the public contract: opaque ids, visible references, money."""

from decimal import Decimal
from typing import Any, NoReturn

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from crmcem.lib import references

MAX_ID = 2**63 - 1


def parse_id(value: Any) -> int | None:
    """The database id behind an opaque id string; None where it can't be one."""
    text = str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > MAX_ID:
        return None
    return int(text)


class ChoiceField(serializers.ChoiceField):
    """One of the choices; the error says which there are."""

    default_error_messages = {"invalid_choice": '"{input}" can\'t be chosen. Choose one of: {known}.'}

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        if key == "invalid_choice":
            known = ", ".join(str(choice) for choice in self.choices if choice != "")
            kwargs |= {"input": str(kwargs.get("input", ""))[:80], "known": known}
        super().fail(key, **kwargs)


class MomentField(serializers.DateTimeField):
    """RFC 3339 with its zone: a time without one is an error, never a guess."""

    default_error_messages = {
        "zone": "The zone is missing. Send a date and time with its zone, such as 2026-03-01T09:30:00Z."
    }

    def enforce_timezone(self, value: Any) -> Any:
        if value.tzinfo is None:
            self.fail("zone")
        return super().enforce_timezone(value)


@extend_schema_field({"type": "string"})
class IdField(serializers.Field):  # type: ignore[type-arg]
    """An opaque id: a string outside, a number inside. Read-only."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["read_only"] = True
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> str:
        return str(value)


@extend_schema_field({"type": ["string", "null"]})
class Reference(serializers.RelatedField):  # type: ignore[type-arg]
    """A related record by its opaque id; only one that the acting person may see can be named.

    The id that a merged record had names the one it became part of.
    """

    default_error_messages = {
        "does_not_exist": "There is no such record, or it is not yours to see.",
        "incorrect_type": "Send the id of the record as a string.",
    }

    def use_pk_only_optimization(self) -> bool:
        return True

    def get_queryset(self) -> QuerySet[Any]:
        queryset: QuerySet[Any] = super().get_queryset()  # type: ignore[assignment]
        user = self.context["request"].user
        visible = getattr(queryset, "visible_to", None)
        return visible(user) if visible else queryset

    def get_choices(self, cutoff: int | None = None) -> dict[Any, Any]:
        return {}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, (str, int)):
            self.fail("incorrect_type")
        pk = parse_id(data)
        rows = self.get_queryset()
        row = rows.filter(pk=pk).first() if pk is not None else None
        row = row or references.successor(rows, pk)
        if row is None:
            self.fail("does_not_exist")
        return row

    def to_representation(self, value: Any) -> str:
        return str(value.pk)


@extend_schema_field({"type": ["string", "null"]})
class SoftReference(serializers.Field):  # type: ignore[type-arg]
    """The opaque id of a record of a higher floor (a task's deal); the service checks that it is visible."""

    default_error_messages = {"incorrect_type": "Send the id of the record as a string."}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("allow_null", True)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        pk = parse_id(data) if isinstance(data, str | int) and not isinstance(data, bool) else None
        if pk is None:
            self.fail("incorrect_type")
        return pk

    def to_representation(self, value: Any) -> str:
        return str(value)


@extend_schema_field(
    {
        "type": ["object", "null"],
        "properties": {
            "amount": {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"},
            "currency": {"type": "string", "minLength": 3, "maxLength": 3},
        },
        "required": ["amount", "currency"],
    }
)
class MoneyField(serializers.Field):  # type: ignore[type-arg]
    """``{"amount": "12.50", "currency": "EUR"}`` over two columns (``amount``, ``currency``).

    Use with ``source="*"``; validated data carries both columns.
    """

    default_error_messages = {
        "shape": 'Send money as {"amount": "12.50", "currency": "EUR"}.',
        "amount": "The amount must be a decimal number as a string, such as 12.50.",
        "range": "The amount has too many digits: 12 before the point and 2 after it at most.",
        "currency": "The currency must be a three-letter ISO 4217 code such as EUR.",
    }

    def __init__(self, amount: str = "amount", currency: str = "currency", **kwargs: Any) -> None:
        self.amount, self.currency = amount, currency
        kwargs["source"] = "*"
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> dict[str, str] | None:
        amount = getattr(value, self.amount)
        if amount is None:
            return None
        return {"amount": f"{amount:.2f}", "currency": getattr(value, self.currency)}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is None and self.allow_null:
            return {self.amount: None}
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        from moneyed import CURRENCIES

        if not isinstance(data, dict) or set(data) != {"amount", "currency"}:
            self.fail("shape")
        if not isinstance(data["amount"], str) or len(data["amount"]) > 40:
            self.fail("amount")
        try:
            amount = Decimal(data["amount"])
        except ArithmeticError:
            self.fail("amount")
        if not amount.is_finite():
            self.fail("amount")
        if abs(amount) >= Decimal(10) ** 12 or amount != amount.quantize(Decimal("0.01")):
            self.fail("range")
        if not isinstance(data["currency"], str) or data["currency"] not in CURRENCIES:
            self.fail("currency")
        return {self.amount: amount, self.currency: data["currency"]}
