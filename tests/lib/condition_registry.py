"""A registry with a field of every type, for tests that need no database."""

from typing import Any

import pytest

from crmcem.lib.conditions import (
    ActivitySource,
    ConditionError,
    Field,
    FieldRegistry,
    FieldType,
    SegmentBody,
    parse,
)

SEGMENTS: dict[str, Any] = {
    "1": SegmentBody(name="Customers", conditions={"field": "stage", "op": "eq", "value": "customer"}),
    "2": SegmentBody(
        name="Both", conditions={"all": [{"segment": "1"}, {"field": "nps", "op": "gt", "value": 6}]}
    ),
    "3": SegmentBody(name="Round", conditions={"segment": "4"}),
    "4": SegmentBody(name="About", conditions={"not": {"segment": "3"}}),
    "5": SegmentBody(name="Broken", conditions={"field": "gone", "op": "eq", "value": 1}),
}


def make_registry() -> FieldRegistry:
    registry = FieldRegistry("contacts.Contact")
    registry.register(
        Field(name="email", label="E-mail", type=FieldType.TEXT, normalise=str.lower),
        Field(name="name", label="Name", type=FieldType.TEXT),
        Field(
            name="stage",
            label="Stage",
            type=FieldType.CHOICE,
            choices=[("lead", "Lead"), ("customer", "Customer")],
        ),
        Field(name="nps", label="NPS", type=FieldType.NUMBER, expression="pulse__nps"),
        Field(name="clv", label="Value", type=FieldType.MONEY),
        Field(name="amount", label="Amount", type=FieldType.MONEY, currency="currency"),
        Field(name="born", label="Birthday", type=FieldType.DATE),
        Field(name="seen", label="Last seen", type=FieldType.DATETIME),
        Field(name="active", label="Active", type=FieldType.BOOLEAN),
        Field(name="tags", label="Tags", type=FieldType.MULTI_CHOICE),
        Field(name="owner", label="Owner", type=FieldType.REFERENCE, is_user=True),
        Field(name="salary", label="Salary", type=FieldType.NUMBER, permission="salaries:read"),
    )
    size = Field(name="custom.size", label="Size", type=FieldType.TEXT, json=("custom", "size"))
    registry.register_dynamic("custom.", {"custom.size": size}.get, lambda: [size])
    registry.activities = ActivitySource(
        model="contacts.Activity",
        subject_model="contacts.Contact",
        kinds=lambda: [("order.placed", "placed an order")],
        permits=lambda user, kind: not kind.startswith("secret."),
    )
    registry.segments = lambda key, user: SEGMENTS.get(key)
    return registry


REGISTRY = make_registry()


class Person:
    def __init__(self, *scopes: str) -> None:
        self.scopes = scopes

    def may(self, scope: str) -> bool:
        return scope in self.scopes


def problems(data: Any, **kwargs: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConditionError) as caught:
        parse(data, REGISTRY, **kwargs)
    assert all(problem.detail for problem in caught.value.problems)
    return [(problem.path, problem.code) for problem in caught.value.problems]
