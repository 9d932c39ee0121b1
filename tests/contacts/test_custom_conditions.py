"""Custom fields in conditions, automations and imports: typed the moment they are made."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from contacts.conditions import company_fields, contact_fields
from contacts.models import Contact, CustomField
from crmcem.lib.actions import actions
from crmcem.lib.actors import Actor
from crmcem.lib.conditions import FieldRegistry, describe, explain, parse, schema, to_q
from crmcem.lib.conditions.errors import ConditionError
from crmcem.lib.conditions.operators import OPERATORS, Arity
from tests.conftest import Cast
from tests.contacts.imports import counts, errors, run_import
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.fields import CustomFieldFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
TIERS = {"choices": [{"value": "gold", "label": "Gold"}, {"value": "ag", "label": "Silver"}]}
KINDS: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "text": ({}, "Acme", "acme"),
    "longtext": ({}, "Acme\nLtd", "acme"),
    "number": ({"decimals": 1}, 3.5, 3.5),
    "money": ({"currency": "EUR"}, {"amount": "12.50", "currency": "EUR"}, "12.50"),
    "date": ({}, "2026-05-01", "2026-05-01"),
    "boolean": ({}, True, True),
    "choice": (TIERS, "gold", "gold"),
    "multichoice": (TIERS, ["gold", "ag"], "gold"),
    "link": ({"entity": "company"}, "17", "17"),
}


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def every_kind() -> None:
    for kind, (options, _value, _sample) in KINDS.items():
        for entity in ("contact", "company"):
            CustomFieldFactory(entity=entity, key=kind, label=f"The {kind}", type=kind, options=options)


def rows(registry: FieldRegistry, data: Any) -> set[int]:
    q = to_q(parse(data, registry), now=NOW, tz=ZoneInfo("Europe/Berlin"))
    return set(registry.model._base_manager.filter(q).values_list("pk", flat=True))


def leaf(kind: str, op: str, value: Any) -> dict[str, Any]:
    shapes = {
        Arity.NONE: {},
        Arity.ONE: {"value": value},
        Arity.TWO: {"value": [value, value]},
        Arity.MANY: {"value": [value]},
        Arity.SPAN: {"value": {"days": 30}},
    }
    return {"field": f"custom.{kind}", "op": op, **shapes[OPERATORS[op].arity]}


@pytest.mark.parametrize("registry", [contact_fields, company_fields])
def test_every_operator_of_every_kind_splits_all_rows_in_two(
    registry: FieldRegistry, every_kind: None
) -> None:
    make = ContactFactory if registry is contact_fields else CompanyFactory
    full = make(custom={kind: value for kind, (_options, value, _sample) in KINDS.items()})
    make()
    for junk in (
        None,
        "",
        "junk",
        10**30,
        -1,
        True,
        [],
        ["x", 1],
        {},
        {"amount": "x"},
        {"amount": 1},
        "2026-99-99",
    ):
        make(custom=dict.fromkeys(KINDS, junk))
    everyone = set(registry.model._base_manager.values_list("pk", flat=True))
    valid = Draft202012Validator(schema(registry)).is_valid
    for kind, (_options, _value, sample) in KINDS.items():
        field = registry.get(f"custom.{kind}")
        assert field is not None
        assert str(field.label) == f"The {kind}"
        for op in field.ops:
            data = leaf(kind, op, sample)
            assert valid(data), data
            yes, no = rows(registry, data), rows(registry, {"not": data})
            assert (yes | no, yes & no) == (everyone, set()), data
            assert f"The {kind}" in explain(parse(data, registry))
        positive = next(op for op in ("eq", "has_any") if op in field.ops)
        if kind != "longtext":
            assert full.pk in rows(registry, leaf(kind, positive, sample)), kind


def test_words_choices_and_types(every_kind: None) -> None:
    said = explain(parse({"field": "custom.multichoice", "op": "has_any", "value": ["ag"]}, contact_fields))
    assert said == "The multichoice has any of Silver"
    said = explain(parse({"field": "custom.money", "op": "gte", "value": "10"}, contact_fields))
    assert said == "The money is at least 10"
    for field, op, value in [
        ("custom.choice", "eq", "bronze"),
        ("custom.number", "contains", "1"),
        ("custom.date", "before", "soon"),
        ("custom.link", "eq", "x"),
    ]:
        with pytest.raises(ConditionError):
            parse({"field": field, "op": op, "value": value}, contact_fields)
    described = {
        each["name"]: each for each in describe(contact_fields)["records"]["contacts.Contact"]["fields"]
    }
    assert described["custom.choice"]["choices"] == [
        {"value": "gold", "label": "Gold"},
        {"value": "ag", "label": "Silver"},
    ]
    assert described["custom.money"]["type"] == "money"


def test_a_condition_outlives_its_field() -> None:
    CustomFieldFactory(key="age", type="number", archived=True)
    old, young = ContactFactory(custom={"age": 70, "old": "x"}), ContactFactory(custom={"age": 7})
    assert rows(contact_fields, {"field": "custom.age", "op": "gt", "value": 65}) == {old.pk}
    assert rows(contact_fields, {"field": "custom.old", "op": "eq", "value": "X"}) == {old.pk}
    assert "custom.age" not in {each.name for each in contact_fields.fields()}
    assert young.pk not in rows(contact_fields, {"field": "custom.nobody", "op": "is_set"})


def test_a_list_over_the_api_understands_a_new_field_at_once(cast: Cast, api: Api) -> None:
    client = api(cast.admin)
    body = {"entity": "contact", "label": "Age", "type": "number"}
    assert client.post("/api/v1/custom-fields/", body, format="json").status_code == 201
    client.post("/api/v1/contacts/", {"first_name": "A", "custom": {"age": 70}}, format="json")
    client.post("/api/v1/contacts/", {"first_name": "B", "custom": {"age": 7}}, format="json")
    asked = client.get(
        "/api/v1/contacts/", {"conditions": '{"field": "custom.age", "op": "gt", "value": 65}'}
    )
    assert [row["first_name"] for row in asked.json()["results"]] == ["A"]


class Run:
    """A step of a run as an action sees it."""

    key, depth, context = "run:1", 0, {}

    def __init__(self, contact: Contact) -> None:
        self.contact_id, self.actor = contact.pk, Actor("automation", 1)


def test_an_automation_sets_a_field_by_the_same_checks() -> None:
    CustomFieldFactory(key="age", label="Age", type="number")
    contact = ContactFactory(custom={"plan": "x"})
    action = actions["set_custom_field"]
    assert action.validate({"field": "aeg"}) == [("field", "Choose one of the custom fields.")]
    assert [name for name, _text in action.validate({"field": "age", "value": "old"})] == ["value"]
    good = {"field": "age", "value": "40"}
    assert action.validate(good) == []
    assert action.preview(Run(contact), good) == "Would set the field “Age” to “40”."
    done = action.perform(Run(contact), good)
    assert (done.status, done.result) == ("done", {"field": "age", "from": None, "to": 40})
    contact.refresh_from_db()
    assert contact.custom == {"plan": "x", "age": 40}
    assert action.perform(Run(contact), good).status == "skipped"
    action.perform(Run(contact), {"field": "age", "value": ""})
    contact.refresh_from_db()
    assert contact.custom == {"plan": "x"}
    CustomField.objects.update(archived=True, version=2)
    assert action.perform(Run(contact), good).status == "skipped"


def test_a_column_is_a_custom_field_by_its_name_or_key(cast: Cast) -> None:
    CustomFieldFactory(key="age", label="Lebensalter", type="number")
    CustomFieldFactory(key="tier", label="Loyalty tier", type="multichoice", options=TIERS)
    CustomFieldFactory(key="budget", label="Budget", type="money", options={"currency": "EUR"})
    CustomFieldFactory(key="since", label="Customer since", type="date")
    text = (
        "External id,First name,lebensalter,loyalty_TIER,custom.budget,Customer since\n"
        '1,Ada,40,Gold; silver,"1.200,50",31.3.2026\n'
        "2,Bob,old,,,\n"
        "3,Cleo,,,12 USD,2026-02-30\n"
    )
    job = run_import(text, cast.rep)
    assert counts(job) == (1, 0, 0, 2)
    assert Contact.objects.get().custom == {
        "age": 40,
        "tier": ["gold", "ag"],
        "budget": {"amount": "1200.50", "currency": "EUR"},
        "since": "2026-03-31",
    }
    assert errors(job) == [
        (2, "custom.age", "invalid"),
        (3, "custom.budget", "currency"),
        (3, "custom.since", "invalid"),
    ]


def test_an_import_makes_fields_for_those_who_may(cast: Cast) -> None:
    text = "First name,Shoe size\nAda,38\n"
    mapping = {"First name": "first_name", "Shoe size": "custom.shoe_size"}
    from crmcem.lib.errors import DomainError

    with pytest.raises(DomainError, match="There is no field"):
        run_import(text, cast.rep, mapping=mapping)
    assert (CustomField.objects.count(), Contact.objects.count()) == (0, 0)
    job = run_import(text, cast.admin, mapping=mapping)
    assert counts(job) == (1, 0, 0, 0)
    field = CustomField.objects.get()
    assert (field.entity, field.key, field.label, field.type) == ("contact", "shoe_size", "Shoe size", "text")
    assert Contact.objects.get().custom == {"shoe_size": "38"}
