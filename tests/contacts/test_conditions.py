"""The fields of contacts and companies: each one, with each of its operators, is a statement that runs."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator

from contacts.conditions import company_fields, contact_fields
from contacts.models import Company, Contact
from crmcem.lib.conditions import FieldRegistry, FieldType, describe, explain, parse, schema, to_q
from crmcem.lib.conditions.moments import MAX_AMOUNT, MAX_OFFSET
from crmcem.lib.conditions.operators import OPERATORS, Arity
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db

NOW = dt.datetime.now(dt.UTC)
SAMPLES: dict[str, Any] = {
    FieldType.TEXT: "acme",
    FieldType.NUMBER: 1,
    FieldType.MONEY: "1.50",
    FieldType.DATE: "today",
    FieldType.DATETIME: "today",
    FieldType.CHOICE: "customer",
    FieldType.MULTI_CHOICE: "vip",
    FieldType.REFERENCE: "1",
}
SHAPES = {
    Arity.NONE: lambda value: {},
    Arity.ONE: lambda value: {"value": value},
    Arity.TWO: lambda value: {"value": [value, value]},
    Arity.MANY: lambda value: {"value": [value]},
    Arity.SPAN: lambda value: {"value": {"days": 3}},
}


@pytest.fixture
def valid() -> Any:
    """``valid(leaf)``: does the JSON schema allow it?"""
    return Draft202012Validator(schema(contact_fields)).is_valid


def rows(registry: FieldRegistry, data: Any, **kwargs: Any) -> set[int]:
    q = to_q(parse(data, registry), now=NOW, tz=ZoneInfo("Europe/Berlin"), **kwargs)
    return set(registry.model._base_manager.filter(q).values_list("pk", flat=True))


@pytest.mark.parametrize("registry", [contact_fields, company_fields])
def test_every_field_and_operator_splits_all_rows_in_two(registry):
    ContactFactory(company=CompanyFactory(name="Acme", size=1), tags=["vip"], lifecycle_stage="customer")
    ContactFactory(pulse={"nps": 1, "clv": "1.50", "last_seen_at": NOW})
    Contact.objects.create(first_name="no pulse")
    CompanyFactory(name="Other")
    everyone = set(registry.model._base_manager.values_list("pk", flat=True))
    for field in [*registry.fields(), registry.get("custom.colour")]:
        for op in field.ops:
            leaf = {"field": field.name, "op": op, **SHAPES[OPERATORS[op].arity](SAMPLES[field.type])}
            yes, no = rows(registry, leaf), rows(registry, {"not": leaf})
            assert yes | no == everyone, leaf
            assert not yes & no, leaf
            assert explain(parse(leaf, registry))


def test_fields_find_what_they_say():
    acme = CompanyFactory(name="Acme", industry="Toys")
    ann = ContactFactory(email="ann@acme.example", company=acme, tags=["vip"], custom={"colour": "Red"})
    bob = ContactFactory(pulse={"nps": 3, "last_seen_at": NOW - dt.timedelta(days=13)})
    for data, expected in [
        ({"field": "email", "op": "eq", "value": "ANN@acme.example"}, {ann.pk}),
        ({"field": "company.industry", "op": "eq", "value": "toys"}, {ann.pk}),
        ({"field": "company", "op": "eq", "value": str(acme.pk)}, {ann.pk}),
        ({"field": "tags", "op": "has_any", "value": ["vip"]}, {ann.pk}),
        ({"field": "custom.colour", "op": "eq", "value": "red"}, {ann.pk}),
        ({"field": "pulse.nps", "op": "lte", "value": 6}, {bob.pk}),
        ({"field": "pulse.last_seen_at", "op": "before", "value": {"ago": {"days": 12}}}, {bob.pk}),
    ]:
        assert rows(contact_fields, data) == expected
    assert rows(company_fields, {"field": "name", "op": "starts_with", "value": "ac"}) == {acme.pk}


EXTREMES: dict[str, list[Any]] = {
    FieldType.TEXT: ["x" * 1000, "\u0301\U0001f600", "%_\\'\";", "\x01"],
    FieldType.NUMBER: [10**18 - 1, -(10**18) + 1, 1e-10, "0.0000000001", 1e17],
    FieldType.DATETIME: [
        *("1900-01-01", "2200-12-31", "2200-12-31T23:59:59.999999Z", "1900-01-01T00:00:00+00:00", "now"),
        *({word: {unit: most}} for word in ("ago", "from_now") for unit, most in MAX_AMOUNT.items()),
        *(
            {"end_of": period, "offset": sign * most}
            for period, most in MAX_OFFSET.items()
            for sign in (-1, 1)
        ),
    ],
}
TARGETS = {
    FieldType.TEXT: ["email", "first_name", "external_id", "custom.colour"],
    FieldType.NUMBER: ["pulse.nps", "pulse.sentiment", "pulse.clv", "company.size"],
    FieldType.DATE: ["birthday", "pulse.customer_since"],
    FieldType.DATETIME: ["created_at", "pulse.last_seen_at"],
}
EXTREMES[FieldType.DATE] = ["1900-01-01", "2200-12-31", {"ago": {"days": MAX_AMOUNT["days"]}}, "today"]


@pytest.mark.parametrize("kind", list(EXTREMES))
def test_extreme_values_are_only_values(kind, valid):
    ContactFactory(pulse={"nps": 1, "sentiment": 0.5, "last_seen_at": NOW}, custom={"colour": "x"})
    for name in TARGETS[kind]:
        for value in EXTREMES[kind]:
            for op in ("eq", "ne", "contains", "gte", "before"):
                field = contact_fields.get(name)
                if field is not None and op in field.ops:
                    leaf = {"field": name, "op": op, "value": value}
                    rows(contact_fields, leaf)
                    assert explain(parse(leaf, contact_fields))
                    assert valid(leaf), leaf


def test_the_schema_knows_custom_fields_that_nobody_listed(valid):
    assert valid({"field": "custom.anything", "op": "contains", "value": "x"})
    assert not valid({"field": "custom.anything", "op": "gt", "value": 1})
    assert not valid({"field": "customer", "op": "contains", "value": "x"})


def test_owners_are_named_and_companies_are_not(cast: Cast):
    owner = {"field": "owner", "op": "in", "value": [str(cast.rep.pk), "me"]}
    assert explain(parse(owner, contact_fields)) == f"Owner is one of {cast.rep} and me"
    hidden = CompanyFactory(name="Secret Ltd")
    company = {"field": "company", "op": "eq", "value": hidden.pk}
    assert "Secret" not in explain(parse(company, contact_fields))


def test_tags_read_well():
    data = {
        "all": [
            {"field": "lifecycle_stage", "op": "eq", "value": "customer"},
            {"field": "tags", "op": "has_none", "value": ["vip"]},
        ]
    }
    assert explain(parse(data, contact_fields)) == "Lifecycle stage is Customer, and not tagged vip"


def test_the_builder_gets_every_field_with_a_label():
    for registry, model in [(contact_fields, Contact), (company_fields, Company)]:
        assert registry.model is model
        described = describe(registry)["records"][registry.model_label]
        assert all(field["label"] and field["operators"] for field in described["fields"])
