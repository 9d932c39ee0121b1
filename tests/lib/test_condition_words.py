"""Conditions in plain words, as a JSON Schema, and as the builder's description."""

import json
from typing import Any

import pytest
from django.utils import translation
from jsonschema import Draft202012Validator

from crmcem.lib.conditions import (
    ActivitySource,
    ConditionError,
    Field,
    FieldRegistry,
    FieldType,
    describe,
    explain,
    parse,
    schema,
)
from tests.lib.condition_registry import REGISTRY, Person

ORDERS = {"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 90}}


def words(data: Any, registry: FieldRegistry = REGISTRY) -> str:
    return explain(parse(data, registry))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"field": "stage", "op": "eq", "value": "customer"}, "Stage is Customer"),
        ({"field": "stage", "op": "in", "value": ["lead", "customer"]}, "Stage is one of Lead and Customer"),
        ({"field": "name", "op": "not_contains", "value": "x"}, "Name does not contain “x”"),
        ({"field": "nps", "op": "between", "value": [0, 6.5]}, "NPS is between 0 and 6.5"),
        ({"field": "nps", "op": "gt", "value": 10000}, "NPS is more than 10000"),
        (
            {"field": "amount", "op": "gte", "value": {"amount": "12.50", "currency": "EUR"}},
            "Amount is at least 12.50 EUR",
        ),
        ({"field": "active", "op": "eq", "value": True}, "Active is yes"),
        ({"field": "owner", "op": "eq", "value": "me"}, "Owner is me"),
        ({"field": "email", "op": "is_not_set"}, "E-mail has no value"),
        ({"field": "born", "op": "on", "value": "2026-03-31"}, "Birthday is on March 31, 2026"),
        (
            {"field": "seen", "op": "before", "value": {"ago": {"days": 12}}},
            "Last seen is before 12 days ago",
        ),
        ({"field": "seen", "op": "in_last", "value": {"days": 1}}, "Last seen is in the last 1 day"),
        (
            {"field": "seen", "op": "gte", "value": {"start_of": "month", "offset": -1}},
            "Last seen is at least the start of last month",
        ),
        (
            {"field": "seen", "op": "after", "value": "2026-03-01T10:00:00+02:00"},
            "Last seen is after 03/01/2026 8 a.m. UTC",
        ),
        (ORDERS, "Placed an order (order.placed) at least 2 times in the last 90 days"),
        (
            ORDERS | {"count": 1, "op": "eq"},
            "Placed an order (order.placed) exactly 1 time in the last 90 days",
        ),
        (
            ORDERS | {"where": [{"property": "amount", "op": "gt", "value": 10}]},
            "Placed an order (order.placed) at least 2 times in the last 90 days with amount is more than 10",
        ),
        (
            {"activity": "page.viewed", "op": "lt", "sum": 5, "of": "seconds", "within": {"weeks": 1}},
            "Did page.viewed, where the sum of seconds is less than 5 in the last 1 week",
        ),
        (
            {"activity": "page.viewed", "op": "before", "last": "yesterday", "within": {"years": 1}},
            "Did page.viewed in the last 1 year, the last time is before yesterday",
        ),
        (
            ORDERS | {"together": {"days": 30}, "within": {"years": 1}},
            "Placed an order (order.placed) at least 2 times within 30 days of each other in the last 1 year",
        ),
        ({"segment": "1"}, "In segment “Customers”"),
        ({"all": []}, "Everyone"),
        ({"any": []}, "No one"),
        ({"not": {"field": "nps", "op": "gt", "value": 6}}, "Not (NPS is more than 6)"),
    ],
)
def test_one_leaf(data, expected):
    assert words(data) == expected


def test_groups_and_own_phrases():
    registry = FieldRegistry("contacts.Contact")
    registry.register(
        Field(
            name="stage", label="Lifecycle stage", type=FieldType.CHOICE, choices=[("customer", "customer")]
        ),
        Field(
            name="tags", label="Tags", type=FieldType.MULTI_CHOICE, phrases={"has_none": "not tagged {value}"}
        ),
        Field(name="nps", label="NPS", type=FieldType.NUMBER),
    )
    registry.activities = ActivitySource(
        model="contacts.Activity",
        subject_model="contacts.Contact",
        kinds=lambda: [("order.placed", "placed an order")],
    )
    stage = {"field": "stage", "op": "eq", "value": "customer"}
    tags = {"field": "tags", "op": "has_none", "value": ["vip"]}
    either = {"any": [{"field": "nps", "op": "is_not_set"}, {"field": "nps", "op": "lte", "value": 6}]}
    assert words({"all": [stage, ORDERS, tags]}, registry) == (
        "Lifecycle stage is customer, and placed an order (order.placed) at least 2 times in the last 90 days, "
        "and not tagged vip"
    )
    assert words({"all": [stage, either]}, registry) == (
        "Lifecycle stage is customer, and (NPS has no value, or NPS is at most 6)"
    )


def test_references_are_named_and_long_lists_are_cut():
    registry = FieldRegistry("contacts.Contact")
    asked: list[Any] = []

    def names(ids: Any) -> dict[Any, str]:
        asked.append(list(ids))
        return {key: f"Person {key}" for key in ids if key != 3}

    registry.register(Field(name="owner", label="Owner", type=FieldType.REFERENCE, is_user=True, names=names))
    assert words({"field": "owner", "op": "in", "value": [1, 2, 3, "me"]}, registry) == (
        "Owner is one of Person 1, Person 2, 3, me"
    )
    assert asked == [[1, 2, 3]]  # one look-up for all
    many = words({"field": "owner", "op": "in", "value": list(range(10, 30))}, registry)
    assert many.endswith("Person 19 and 10 more")


def test_a_percent_sign_in_a_label_or_value_is_only_text():
    registry = FieldRegistry("contacts.Contact")
    registry.register(Field(name="p", label="100%s", type=FieldType.TEXT, phrases={"eq": "{value} {0} %s"}))
    assert (
        words({"field": "p", "op": "contains", "value": "%(field)s"}, registry)
        == "100%s contains “%(field)s”"
    )
    assert words({"field": "p", "op": "eq", "value": "{0}"}, registry) == "“{0}” {0} %s"


# Schema

VALID: list[Any] = [
    {"all": [{"field": "email", "op": "contains", "value": "x"}, {"not": {"segment": "1"}}]},
    {"any": [ORDERS | {"where": [{"property": "a", "op": "in", "value": ["x"]}]}]},
    {"field": "amount", "op": "gte", "value": {"amount": "12.50", "currency": "EUR"}},
    {"field": "seen", "op": "in_last", "value": {"hours": 3}},
    {"field": "born", "op": "between", "value": ["2026-01-01", {"end_of": "year"}]},
]
INVALID: list[Any] = [
    None,
    {},
    {"all": {}},
    {"all": [], "any": []},
    {"field": "gone", "op": "eq", "value": 1},
    {"field": "nps", "op": "contains", "value": "x"},
    {"field": "nps", "op": "gt", "value": "ten"},
    {"field": "nps", "op": "gt"},
    {"field": "nps", "op": "is_set", "value": 1},
    {"field": "stage", "op": "eq", "value": "vip"},
    {"field": "stage", "op": "in", "value": []},
    {"field": "born", "op": "in_last", "value": {"hours": 3}},
    {"field": "seen", "op": "in_last", "value": {"days": 0}},
    {"field": "name", "op": "in", "value": ["a"] * 1001},
    {"field": "email", "op": "eq", "value": "x", "extra": 1},
    ORDERS | {"within": None},
    {"activity": "order.placed", "op": "gte", "count": 2},
    ORDERS | {"count": -1},
    ORDERS | {"where": [{"field": "email", "op": "is_set"}]},
]


def test_the_schema_is_valid_and_says_what_the_parser_says():
    document = schema(REGISTRY)
    Draft202012Validator.check_schema(document)
    json.dumps(document)
    validator = Draft202012Validator(document)
    for data in VALID:
        parse(data, REGISTRY)
        assert validator.is_valid(data), data
    for data in INVALID:
        with pytest.raises(ConditionError):
            parse(data, REGISTRY)
        assert not validator.is_valid(data), data


def test_the_schema_can_live_in_openapi():
    document = schema(REGISTRY, refs="#/components/schemas/")
    assert document["$ref"] == "#/components/schemas/ConditionNode"
    whole = {"$ref": document["$ref"], "components": {"schemas": document["$defs"]}}
    assert Draft202012Validator(whole).is_valid(VALID[0])
    assert '"#/$defs/' not in json.dumps(document)


def test_schema_and_description_hide_what_the_person_may_not_know():
    assert "salary" in json.dumps(schema(REGISTRY, Person("salaries:read")))
    assert "salary" not in json.dumps(schema(REGISTRY, Person()))
    assert "salary" not in json.dumps(describe(REGISTRY, Person()))


def test_the_description_of_the_builder():
    with translation.override("en"):
        described = describe(REGISTRY, Person())["records"]["contacts.Contact"]
    assert described["segments"] is True
    assert described["activities"] == [{"kind": "order.placed", "label": "placed an order"}]
    fields = {field["name"]: field for field in described["fields"]}
    assert list(fields)[-1] == "custom.size"
    assert fields["stage"] == {
        "name": "stage",
        "label": "Stage",
        "group": "",
        "type": "choice",
        "currency": False,
        "operators": [
            {"name": "eq", "label": "is", "arity": "one"},
            {"name": "ne", "label": "is not", "arity": "one"},
            {"name": "in", "label": "is one of", "arity": "many"},
            {"name": "not_in", "label": "is none of", "arity": "many"},
            {"name": "is_set", "label": "has a value", "arity": "none"},
            {"name": "is_not_set", "label": "has no value", "arity": "none"},
        ],
        "choices": [{"value": "lead", "label": "Lead"}, {"value": "customer", "label": "Customer"}],
    }
