"""Pulse as the API shows it."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from crmcem.workspace.organisation import organisation

_WHEN = {"type": ["string", "null"], "format": "date-time"}
_MONEY = {
    "type": ["object", "null"],
    "properties": {"amount": {"type": "string"}, "currency": {"type": "string"}},
    "required": ["amount", "currency"],
}


def _number(description: str) -> dict[str, Any]:
    return {"type": ["number", "null"], "description": description}


FIGURES: dict[str, Any] = {
    "stage_since": _WHEN,
    "nps": _number("Latest NPS answer, 0 to 10; of a company: its score, -100 to 100."),
    "nps_at": _WHEN,
    "csat": _number("Latest CSAT answer."),
    "csat_at": _WHEN,
    "ces": _number("Latest CES answer."),
    "ces_at": _WHEN,
    "sentiment": _number("-1 to 1"),
    "sentiment_at": _WHEN,
    "open_cases": {"type": "integer"},
    "health": _number("0 to 100"),
    "health_at": _WHEN,
    "churn_risk": _number("0 to 1"),
    "churn_risk_at": _WHEN,
    "clv": _MONEY,
    "clv_at": _WHEN,
    "orders": {"type": "integer"},
    "revenue": _MONEY,
    "customer_since": {"type": ["string", "null"], "format": "date"},
    "last_seen_at": _WHEN,
    "last_touched_at": _WHEN,
    "next_activity_at": _WHEN,
}
_OF_COMPANY = {"contacts": {"type": "integer"}, "nps_n": {"type": "integer"}, "health_n": {"type": "integer"}}
_NOT_OF_COMPANY = (
    "stage_since",
    "customer_since",
    "csat",
    "csat_at",
    "ces",
    "ces_at",
    "sentiment",
    "sentiment_at",
)
COMPANY_FIGURES = {k: v for k, v in FIGURES.items() if k not in _NOT_OF_COMPANY} | _OF_COMPANY


def money(value: Any) -> dict[str, str] | None:
    return None if value is None else {"amount": f"{value:.2f}", "currency": organisation().currency}


@extend_schema_field({"type": ["object", "null"], "properties": FIGURES, "readOnly": True})
class PulseField(serializers.Field):  # type: ignore[type-arg]
    """A contact's figures, each with its time: one without was never measured."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> dict[str, Any]:
        data = {name: getattr(value, name) for name in FIGURES}
        data["clv"], data["revenue"] = money(data["clv"]), money(data["revenue"])
        return data


@extend_schema_field({"type": "object", "properties": COMPANY_FIGURES, "readOnly": True})
class CompanyPulseField(serializers.Field):  # type: ignore[type-arg]
    """What the people of a company add up to, as far as the reader may see them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return value | {"clv": money(value["clv"]), "revenue": money(value["revenue"])}
