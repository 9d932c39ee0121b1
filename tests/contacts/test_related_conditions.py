"""Conditions on related records: found in lists as far as one may see, and followed by live segments."""

import datetime as dt
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone, translation
from jsonschema import Draft202012Validator

from contacts.conditions import company_fields, contact_fields
from contacts.models import Company, Contact, Segment, SegmentDirty, SegmentMember, Task
from contacts.relations import interaction_fields, task_fields
from contacts.selectors.segments import explained, mark_readable, preview
from contacts.services.segmenting.keeping import segments_keep
from contacts.services.segments import segment_create
from crmcem.lib.actors import person
from crmcem.lib.conditions import FieldRegistry, Relation, explain, parse, schema, to_q
from crmcem.lib.conditions.operators import OPERATORS
from crmcem.lib.errors import DomainError
from feedback.models import Case
from feedback.relations import answer_fields, case_fields
from journeys.models import Automation
from journeys.services.automations import automation_create
from sales.deal_conditions import deal_fields
from sales.models import Deal
from tests.conftest import Cast
from tests.contacts.test_conditions import SAMPLES, SHAPES
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.feedback import CaseFactory, ResponseFactory
from tests.factories.sales import DealFactory, PipelineFactory

pytestmark = pytest.mark.django_db

OPEN = {"field": "status", "op": "eq", "value": "open"}
DEALS = {"related": "deals", "has": "any", "where": OPEN}
EVERY = [
    (registry, relation)
    for registry in (contact_fields, company_fields, deal_fields)
    for relation in registry.relations.values()
]


def rows(registry: FieldRegistry, data: Any, **kwargs: Any) -> set[int]:
    q = to_q(parse(data, registry), now=timezone.now(), tz=dt.UTC, **kwargs)
    return set(registry.model._base_manager.filter(q).values_list("pk", flat=True))


def test_what_is_related_to_what() -> None:
    assert {registry.model_label: sorted(registry.relations) for registry, _ in EVERY} == {
        "contacts.Contact": ["answers", "cases", "company", "deals", "interactions", "tasks"],
        "contacts.Company": ["answers", "cases", "contacts", "deals", "interactions", "tasks"],
        "sales.Deal": ["company", "contacts", "interactions", "tasks"],
    }


@pytest.mark.parametrize(("registry", "relation"), EVERY)
def test_every_relation_splits_all_rows_in_two(
    registry: FieldRegistry, relation: Relation, cast: Cast
) -> None:
    acme = CompanyFactory(name="Acme")
    contact = ContactFactory(company=acme, owner=cast.rep)
    deal = DealFactory(company=acme)
    deal.deal_contacts.create(contact=contact)
    Task.objects.create(title="Call", contact=contact, company=acme, deal_id=deal.pk)
    contact.interactions.create(kind="call", occurred_at=timezone.now(), company=acme, deal_id=deal.pk)
    ResponseFactory(contact=contact)
    CaseFactory(contact=contact)
    ContactFactory(company=None)
    DealFactory(company=None)
    every = set(registry.model._base_manager.values_list("pk", flat=True))
    valid = Draft202012Validator(schema(registry))
    some = {"related": relation.name, "has": "any"}
    assert len(rows(registry, some)) == 1
    forms: list[Any] = ["any", "none", *([] if relation.single else [{"at_least": 1}, {"at_least": 2}])]
    for has in forms:
        data = {"related": relation.name, "has": has}
        for user in (None, cast.admin, cast.rep):
            yes, no = rows(registry, data, user=user), rows(registry, {"not": data}, user=user)
            assert yes | no == every
            assert not yes & no
        assert valid.is_valid(data)
        with translation.override("en"):
            english = explain(parse(data, registry))
        with translation.override("de"):
            assert explain(parse(data, registry)) != english
    assert rows(registry, {"related": relation.name, "has": "none"}) == every - rows(registry, some)


@pytest.mark.parametrize("inner", [task_fields, interaction_fields, answer_fields, case_fields])
def test_every_field_of_related_records_can_be_compared(inner: FieldRegistry) -> None:
    for field in inner.fields():
        for op in field.ops:
            sample = next(iter(field.options() or [SAMPLES[field.type]]))
            leaf = {"field": field.name, "op": op, **SHAPES[OPERATORS[op].arity](sample)}
            assert rows(inner, leaf) == set()
            assert explain(parse(leaf, inner))


def test_what_is_found(cast: Cast) -> None:
    acme, zeta = CompanyFactory(name="Acme", industry="Toys"), CompanyFactory(name="Zeta")
    ann, bob = ContactFactory(company=acme), ContactFactory(company=zeta, lifecycle_stage="customer")
    pipeline = PipelineFactory()
    big = DealFactory(pipeline=pipeline, company=acme, amount=900, currency="EUR")
    small = DealFactory(pipeline=pipeline, company=acme, amount=10, currency="EUR", status="won")
    for deal, contact in ((big, ann), (small, ann), (small, bob)):
        deal.deal_contacts.create(contact=contact)
    worth = {"field": "amount", "op": "gt", "value": {"amount": "100", "currency": "EUR"}}
    toys = {"related": "company", "has": "any", "where": {"field": "industry", "op": "eq", "value": "toys"}}
    customers = {"field": "lifecycle_stage", "op": "eq", "value": "customer"}
    for registry, data, expected in [
        (contact_fields, {"related": "deals", "has": "any", "where": [OPEN, worth]}, {ann.pk}),
        (contact_fields, {"related": "deals", "has": {"at_least": 2}}, {ann.pk}),
        (contact_fields, {"related": "deals", "has": "none", "where": OPEN}, {bob.pk}),
        (contact_fields, toys, {ann.pk}),
        (company_fields, {"related": "deals", "has": {"at_least": 2}}, {acme.pk}),
        (company_fields, {"related": "contacts", "has": "any", "where": customers}, {zeta.pk}),
        (deal_fields, toys, {big.pk, small.pk}),
        (deal_fields, {"related": "contacts", "has": "any", "where": customers}, {small.pk}),
        (deal_fields, {"related": "contacts", "has": {"at_least": 2}}, {small.pk}),
        (
            contact_fields,
            {"related": "company", "has": "any", "where": {"related": "deals", "has": "any", "where": OPEN}},
            {ann.pk},
        ),
    ]:
        assert rows(registry, data) == expected, data
        assert rows(registry, data, user=cast.admin) == expected
        assert rows(registry, data, narrow=True) == expected


def test_unfinished_answers_are_none() -> None:
    contact = ContactFactory()
    ResponseFactory(contact=contact, status="partial")
    assert rows(contact_fields, {"related": "answers", "has": "any"}) == set()


# --- what a person may not see --------------------------------------------------------------------------
def listed(client: Any, path: str, conditions: Any) -> Any:
    answer = client.get(f"/api/v1/{path}/?{urlencode({'conditions': json.dumps(conditions)})}")
    assert answer.status_code == 200, answer.content
    return sorted(row["id"] for row in answer.json()["results"])


def test_hidden_records_do_not_leak_through_a_list(cast: Cast, api: Any) -> None:
    acme = CompanyFactory(owner=cast.rep, team=cast.north)
    mine, hidden = (ContactFactory(owner=who, company=acme) for who in (cast.rep, cast.rep2))
    secret = DealFactory(name="Secret", owner=cast.rep2, team=cast.south, company=acme)
    shown = DealFactory(name="Shown", owner=cast.rep, team=cast.north)
    for deal in (secret, shown):
        for contact in (mine, hidden):
            deal.deal_contacts.create(contact=contact)

    def named(name: str, has: Any = "any") -> Any:
        return {"related": "deals", "has": has, "where": {"field": "name", "op": "eq", "value": name}}

    rep, boss = api(cast.rep), api(cast.cx)
    assert listed(rep, "contacts", named("Secret")) == []
    assert listed(rep, "contacts", named("Secret", "none")) == [str(mine.pk)]
    assert listed(rep, "contacts", {"related": "deals", "has": {"at_least": 2}}) == []
    assert listed(rep, "contacts", named("Shown")) == [str(mine.pk)]
    assert listed(boss, "contacts", named("Secret")) == sorted([str(mine.pk), str(hidden.pk)])
    assert listed(boss, "contacts", {"related": "deals", "has": {"at_least": 2}}) != []
    assert listed(rep, "companies", named("Secret")) == []
    assert listed(boss, "companies", named("Secret")) == [str(acme.pk)]
    two = {"related": "contacts", "has": {"at_least": 2}}
    assert listed(rep, "companies", two) == []
    assert listed(boss, "companies", two) == [str(acme.pk)]
    assert listed(rep, "deals", two) == []
    behind = {"related": "company", "has": "any", "where": named("Secret")}
    assert listed(rep, "contacts", behind) == []
    assert len(listed(boss, "contacts", behind)) == 2


def test_a_company_of_somebody_else_is_none(cast: Cast, api: Any) -> None:
    theirs = CompanyFactory(name="Theirs", owner=cast.rep2, team=cast.south)
    ContactFactory(owner=cast.rep, company=theirs)
    any_company = {"related": "company", "has": "any"}
    assert listed(api(cast.rep), "contacts", any_company) == []
    assert len(listed(api(cast.cx), "contacts", any_company)) == 1


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [("name", "starts_with", "The"), ("industry", "eq", "Toys"), ("size", "gt", 5), ("size", "is_set", None)],
)
def test_what_a_hidden_company_is_like_is_not_told_by_a_list(
    cast: Cast, api: Any, field: str, op: str, value: Any
) -> None:
    theirs = CompanyFactory(name="Theirs", industry="Toys", size=9, owner=cast.rep2, team=cast.south)
    ours = CompanyFactory(name="These", industry="Toys", size=9, owner=cast.rep, team=cast.north)
    hidden, shown = (ContactFactory(owner=cast.rep, company=company) for company in (theirs, ours))
    asked = {"field": f"company.{field}", "op": op} | ({} if value is None else {"value": value})
    assert listed(api(cast.rep), "contacts", asked) == [str(shown.pk)]
    assert listed(api(cast.rep), "contacts", {"not": asked}) == [str(hidden.pk)]
    assert listed(api(cast.cx), "contacts", asked) == sorted([str(hidden.pk), str(shown.pk)])
    with pytest.raises(DomainError) as error:
        segment_create(data={"name": "A", "conditions": asked}, actor=person(cast.rep))
    assert faults(error) == [("conditions.field", "not_for_all")]
    assert not Segment.objects.exists()
    assert rows(contact_fields, asked) == {hidden.pk, shown.pk}, "the system sees all"


def faults(error: pytest.ExceptionInfo[DomainError]) -> list[tuple[str, str]]:
    return [(each.field, each.code) for each in error.value.errors]


def test_who_sees_only_some_makes_no_answer_for_all(cast: Cast) -> None:
    for who in (cast.rep, cast.manager):
        with pytest.raises(DomainError) as error:
            segment_create(data={"name": "A", "conditions": DEALS}, actor=person(who))
        assert faults(error) == [("conditions.related", "not_for_all")]
        with pytest.raises(DomainError) as error:
            preview(DEALS, who)
        assert faults(error) == [("conditions.related", "not_for_all")]
    definition = {
        "trigger": {"type": "event", "event": "order.placed"},
        "conditions": {"all": [DEALS]},
        "steps": [{"key": "a", "type": "action", "action": "add_tag", "parameters": {"tag": "vip"}}],
    }
    limited = cast.cx
    limited.role.visibility = "team"
    limited.role.save()
    limited = type(limited).objects.get(pk=limited.pk)
    with pytest.raises(DomainError) as error:
        automation_create(name="A", definition=definition, actor=person(limited))
    assert ("definition.conditions.all.0.related", "not_for_all") in faults(error)
    assert (Segment.objects.count(), Automation.objects.count()) == (0, 0)


def test_the_words_of_a_segment_are_for_those_who_know_all(cast: Cast) -> None:
    segment = segment_create(data={"name": "A", "conditions": DEALS, "sharing": "all"}, actor=person(cast.cx))
    assert explained(segment, cast.cx) == "Has a deal with Status is Open"
    assert "Status" not in explained(segment, cast.rep)
    for who, readable in ((cast.cx, True), (cast.rep, False)):
        mark_readable([segment], who)
        assert segment.is_readable is readable  # type: ignore[attr-defined]


def test_a_segment_that_is_not_filled_yet_is_everybodys_answer_too(cast: Cast, api: Any) -> None:
    contact = ContactFactory(owner=cast.rep)
    DealFactory(owner=cast.rep2).deal_contacts.create(contact=contact)
    segment = segment_create(data={"name": "A", "conditions": DEALS, "sharing": "all"}, actor=person(cast.cx))
    assert segment.filled_at is None
    answer = api(cast.rep).get(f"/api/v1/contacts/?segment={segment.pk}")
    assert [row["id"] for row in answer.json()["results"]] == [str(contact.pk)]
    assert listed(api(cast.rep), "contacts", {"segment": str(segment.pk)}) == [str(contact.pk)]
    segments_keep(settled=True)
    assert listed(api(cast.rep), "contacts", {"segment": str(segment.pk)}) == [str(contact.pk)]


# --- live segments --------------------------------------------------------------------------------------
def live(cast: Cast, conditions: Any) -> Segment:
    segment = segment_create(data={"name": "A", "conditions": conditions}, actor=person(cast.cx))
    segments_keep(settled=True)
    return segment


def members(segment: Segment) -> set[int]:
    segments_keep(settled=True)
    return set(SegmentMember.objects.filter(segment=segment).values_list("contact_id", flat=True))


def test_a_changed_deal_asks_its_people_again(cast: Cast) -> None:
    contact = ContactFactory()
    named = {"related": "deals", "has": "any", "where": {"field": "name", "op": "eq", "value": "Vans"}}
    segment = live(cast, named)
    assert segment.watches == ["deal", "deals"]
    deal = DealFactory(name="Bikes")
    deal.deal_contacts.create(contact=contact)
    assert members(segment) == set()
    Deal.objects.filter(pk=deal.pk).update(position=7)
    assert not SegmentDirty.objects.exists()
    Deal.objects.filter(pk=deal.pk).update(name="Vans")
    assert members(segment) == {contact.pk}
    Deal.objects.filter(pk=deal.pk).update(custom={"colour": "red"})
    assert SegmentDirty.objects.filter(what="deal", contact_id=contact.pk).exists()
    deal.deal_contacts.all().delete()
    assert members(segment) == set()
    deal.deal_contacts.create(contact=contact)
    assert members(segment) == {contact.pk}
    Deal.objects.filter(pk=deal.pk).delete()
    assert members(segment) == set()


def test_a_changed_company_asks_its_people_again(cast: Cast) -> None:
    acme, zeta = CompanyFactory(industry="Food"), CompanyFactory(industry="Toys")
    contact = ContactFactory(company=acme)
    toys = {"field": "industry", "op": "eq", "value": "toys"}
    segment = live(cast, {"related": "company", "has": "any", "where": toys})
    assert segment.watches == ["company", "contact"]
    assert members(segment) == set()
    Company.objects.filter(pk=acme.pk).update(industry="Toys")
    assert members(segment) == {contact.pk}
    Contact.objects.filter(pk=contact.pk).update(company=None)
    assert members(segment) == set()
    Contact.objects.filter(pk=contact.pk).update(company=zeta)
    assert members(segment) == {contact.pk}
    zeta.delete()
    assert members(segment) == set()


def test_changed_tasks_answers_and_cases_ask_their_customers_again(cast: Cast) -> None:
    contact = ContactFactory()
    for name, make in (
        ("tasks", lambda: Task.objects.create(title="Call", contact=contact)),
        ("interactions", lambda: contact.interactions.create(kind="call", occurred_at=timezone.now())),
        ("answers", lambda: ResponseFactory(contact=contact)),
        ("cases", lambda: CaseFactory(contact=contact)),
    ):
        segment = live(cast, {"related": name, "has": "any"})
        assert (name, members(segment)) == (name, set())
        row = make()
        assert (name, members(segment)) == (name, {contact.pk})
        row.delete()
        assert (name, members(segment)) == (name, set())
        segment.delete()
    assert not Case.objects.exists()


def test_the_clock_moves_members_by_their_related_records(cast: Cast) -> None:
    contact, now = ContactFactory(), timezone.now()
    Task.objects.create(title="Call", contact=contact, due_at=now + dt.timedelta(days=2), status="open")
    late = {"field": "due_at", "op": "before", "value": "now"}
    segment = live(cast, {"related": "tasks", "has": "any", "where": [OPEN, late]})
    assert segment.timed is True
    assert members(segment) == set()
    segments_keep(now=now + dt.timedelta(days=1), settled=True)
    assert not SegmentMember.objects.exists()
    segments_keep(now=now + dt.timedelta(days=2, minutes=2), settled=True)
    assert set(SegmentMember.objects.values_list("contact_id", flat=True)) == {contact.pk}


ORDERED = {"activity": "order.placed", "op": "gte", "count": 1, "within": {"days": 9}}
UNFOLLOWED = [
    {"related": "deals", "has": "any"},
    {"related": "contacts", "has": "any"},
    {"field": "people.count", "op": "gt", "value": 3},
    ORDERED,
]


@pytest.mark.parametrize("inner", UNFOLLOWED)
def test_what_no_note_tells_is_no_live_segment_but_a_static_one(cast: Cast, inner: Any) -> None:
    conditions = {"not": {"related": "company", "has": "any", "where": {"all": [inner]}}}
    with pytest.raises(DomainError) as error:
        segment_create(data={"name": "A", "conditions": conditions}, actor=person(cast.cx))
    assert faults(error) == [("conditions", "not_followed")]
    assert not Segment.objects.exists()
    contact = ContactFactory(company=None)
    data = {"name": "A", "conditions": conditions, "kind": "static"}
    segment = segment_create(data=data, actor=person(cast.cx))
    assert members(segment) == {contact.pk}


def test_me_is_nobody_in_a_segment_also_behind_a_relation(cast: Cast) -> None:
    mine = {"related": "tasks", "has": "any", "where": {"field": "owner", "op": "eq", "value": "me"}}
    with pytest.raises(DomainError) as error:
        segment_create(data={"name": "A", "conditions": mine}, actor=person(cast.cx))
    assert faults(error) == [("conditions", "me")]
