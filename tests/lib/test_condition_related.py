"""Conditions on related records: the SQL finds exactly whom a plain Python reading finds, and bad ones say why."""

import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils.translation import ngettext_lazy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contacts.models import Company, Contact, Task
from crmcem.lib.conditions import (
    ConditionError,
    Field,
    FieldRegistry,
    FieldType,
    Node,
    Relation,
    describe,
    due,
    explain,
    fields_used,
    kinds_used,
    matches,
    parse,
    possible,
    reasons,
    schema,
    timed,
    to_json,
    to_q,
)
from crmcem.lib.conditions.parse_related import MAX_RELATED
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.lib import condition_oracle
from tests.lib.condition_oracle import NOW, TODAY, TZ, evaluate
from tests.lib.condition_strategies import (
    DATES,
    FIELD_LEAVES,
    MOMENTS,
    SPANS,
    TEXT_OPS,
    leaf,
    make_data,
    pairs,
)

pytestmark = pytest.mark.django_db

TASKS = FieldRegistry("contacts.Task")
TASKS.register(
    Field(name="title", label="Title", type=FieldType.TEXT),
    Field(name="status", label="Status", type=FieldType.CHOICE, choices=Task.Status.choices),
    Field(name="due_at", label="Due", type=FieldType.DATETIME),
    Field(name="owner", label="Owner", type=FieldType.REFERENCE, expression="owner_id", is_user=True),
)
COMPANIES = FieldRegistry("contacts.Company")
COMPANIES.register(
    Field(name="name", label="Name", type=FieldType.TEXT),
    Field(name="size", label="Employees", type=FieldType.NUMBER),
)
PEOPLE = FieldRegistry("contacts.Contact")
PEOPLE.register(*condition_oracle.REGISTRY.fields())
PEOPLE.activities = condition_oracle.REGISTRY.activities


def relation(name: str, registry: FieldRegistry, link: str, **more: Any) -> Relation:
    words = ngettext_lazy("has at least %(n)s " + name, "has at least %(n)s " + name, "n")
    return Relation(
        name=name,
        label=name.capitalize(),
        registry=registry,
        link=link,
        any=f"has {name}",
        none=f"has no {name}",
        at_least=words,
        **more,
    )


PEOPLE.relate(
    relation("company", COMPANIES, "pk", outer="company_id", single=True),
    relation("tasks", TASKS, "contact_id", scope="tasks:read"),
)
COMPANIES.relate(relation("contacts", PEOPLE, "company_id"))
TASKS.relate(relation("contact", PEOPLE, "pk", outer="contact_id", single=True))
VALIDATOR = Draft202012Validator(schema(PEOPLE))

TASK_TYPES = {"title": "text", "status": "same", "due_at": "date", "owner": "same"}
COMPANY_TYPES = {"name": "text", "size": "number"}


def make_related(seed: int) -> list[dict[str, Any]]:
    """The random contacts, each with its company and tasks, and those with theirs."""
    rng = random.Random(seed)
    rows = make_data(seed)
    for company in Company.objects.all():
        Company.objects.filter(pk=company.pk).update(size=rng.choice([None, 0, 5, 10]))
    Company.objects.create(name="Nobody's", size=5)
    by_pk = {row["pk"]: row for row in rows}
    companies = {
        company.pk: {
            "types": COMPANY_TYPES,
            "name": company.name,
            "size": company.size,
            "related": {"contacts": [row for row in rows if row["company"] == company.pk]},
        }
        for company in Company.objects.all()
    }
    for row in rows:
        found = companies.get(row["company"])
        row["related"] = {"company": [found] if found else [], "tasks": []}
    near = [timedelta(days=d, hours=h) for d in (-31, -8, -7, -1, 0, 1, 40) for h in (-1, 0, 1)]
    for _ in range(50):
        contact = rng.choice([None, *by_pk])
        task = Task.objects.create(
            title=rng.choice(["Ann", "b", "100%", "5", "x"]),
            status=rng.choice(Task.Status.values),
            due_at=rng.choice([None, NOW + rng.choice(near)]),
            contact_id=contact,
        )
        if contact is not None:
            values = {name: getattr(task, name) for name in ("title", "status", "due_at")}
            related = {"contact": [by_pk[contact]]}
            mine = {"types": TASK_TYPES, "owner": None, "related": related, **values}
            by_pk[contact]["related"]["tasks"].append(mine)
    return rows


def compiled(data: Any, **kwargs: Any) -> set[int]:
    q = to_q(parse(data, PEOPLE), now=NOW, tz=TZ, **kwargs)
    return set(Contact.objects.filter(q).values_list("pk", flat=True))


def check(rows: list[dict[str, Any]], data: Any) -> None:
    expected = {row["pk"] for row in rows if evaluate(data, row)}
    assert compiled(data) == expected
    assert compiled(data, narrow=True) == expected
    node = parse(data, PEOPLE)
    could = to_q_of_possible(node)
    assert expected <= could
    assert parse(to_json(node), PEOPLE) == node
    assert explain(node)
    assert VALIDATOR.is_valid(data), data


def to_q_of_possible(node: Node) -> set[int]:
    """Whom it could hold for some day; the expression of when must be one that the database takes."""
    rows = Contact.objects.filter(possible(node, now=NOW, tz=TZ))
    moment = due(node, now=NOW, tz=TZ)
    assert (moment is not None) is timed(node)
    if moment is not None:
        rows = rows.annotate(next_at=moment)
        assert all(
            at is None or at >= NOW - timedelta(days=6) for at in rows.values_list("next_at", flat=True)
        )
    return set(rows.values_list("pk", flat=True))


def small(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    few = st.lists(leaves, max_size=2)
    return st.one_of(
        leaves,
        st.builds(lambda items: {"all": items}, few),
        st.builds(lambda items: {"any": items}, few),
        st.builds(lambda item: {"not": item}, leaves),
    )


def asked(name: str, where: st.SearchStrategy[Any], *, single: bool = False) -> st.SearchStrategy[Any]:
    has: st.SearchStrategy[Any] = st.sampled_from(["any", "none"])
    if not single:
        has |= st.builds(lambda n: {"at_least": n}, st.integers(1, 3))
    shape: dict[str, Any] = {"related": st.just(name), "has": has}
    return st.fixed_dictionaries(shape, optional={"where": where | st.lists(where, max_size=2)})


TASK_LEAVES = st.one_of(
    leaf(["title"], TEXT_OPS, st.sampled_from(["ann", "b", "5", "%"])),
    leaf(["status"], ["eq", "ne"], st.sampled_from(Task.Status.values)),
    leaf(["due_at"], DATES, MOMENTS),
    leaf(["due_at"], ["in_last", "in_next", "not_in_last"], SPANS),
    leaf(["title", "status", "due_at", "owner"], ["is_set", "is_not_set"], None),
)
COMPANY_LEAVES = st.one_of(
    leaf(["name"], TEXT_OPS, st.sampled_from(["acme", "b", "o"])),
    leaf(["size"], ["eq", "ne", "gt", "lte"], st.sampled_from([0, 5, 6])),
    leaf(["size"], ["between"], pairs([0, 5, 10])),
    leaf(["name", "size"], ["is_set", "is_not_set"], None),
)
COLLEAGUES = asked("contacts", small(FIELD_LEAVES))
RELATED = st.one_of(
    asked("tasks", small(TASK_LEAVES)),
    asked("tasks", small(TASK_LEAVES | asked("contact", small(FIELD_LEAVES), single=True))),
    asked("company", small(COMPANY_LEAVES), single=True),
    asked("company", small(COLLEAGUES | COMPANY_LEAVES), single=True),
)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_related_records_equal_the_oracle(seed: int) -> None:
    rows = make_related(seed)

    @settings(
        max_examples=120,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(small(small(RELATED | FIELD_LEAVES)))
    def run(data: Any) -> None:
        check(rows, data)

    run()


# Exact cases

OPEN = {"field": "status", "op": "eq", "value": "open"}


@pytest.fixture
def world() -> dict[str, Contact]:
    """ann has two open tasks and a done one, bob a done one, cid nothing; ann and bob work for Acme."""
    acme = CompanyFactory(name="Acme", size=5)
    ann, bob = (ContactFactory(first_name=name, company=acme) for name in ("ann", "bob"))
    cid = ContactFactory(first_name="cid", company=None)
    for contact, status in ((ann, "open"), (ann, "open"), (ann, "done"), (bob, "done")):
        Task.objects.create(title="Call", contact=contact, status=status)
    return {"ann": ann, "bob": bob, "cid": cid}


def names(data: Any, **kwargs: Any) -> list[str]:
    node = parse(data, PEOPLE)
    found = [
        sorted(
            Contact.objects.filter(to_q(node, now=NOW, tz=TZ, narrow=narrow, **kwargs)).values_list(
                "first_name", flat=True
            )
        )
        for narrow in (False, True)
    ]
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"related": "tasks", "has": "any"}, ["ann", "bob"]),
        ({"related": "tasks", "has": "none"}, ["cid"]),
        ({"related": "tasks", "has": "any", "where": OPEN}, ["ann"]),
        ({"related": "tasks", "has": "none", "where": [OPEN]}, ["bob", "cid"]),
        ({"not": {"related": "tasks", "has": "none", "where": OPEN}}, ["ann"]),
        ({"related": "tasks", "has": {"at_least": 1}, "where": OPEN}, ["ann"]),
        ({"related": "tasks", "has": {"at_least": 2}, "where": OPEN}, ["ann"]),
        ({"related": "tasks", "has": {"at_least": 3}, "where": OPEN}, []),
        ({"related": "tasks", "has": {"at_least": 3}}, ["ann"]),
        ({"not": {"related": "tasks", "has": {"at_least": 2}}}, ["bob", "cid"]),
        ({"related": "tasks", "has": "any", "where": {"any": []}}, []),
        ({"related": "tasks", "has": "none", "where": {"any": []}}, ["ann", "bob", "cid"]),
        ({"related": "tasks", "has": "none", "where": {"field": "owner", "op": "eq", "value": "me"}}, None),
        ({"related": "company", "has": "any"}, ["ann", "bob"]),
        ({"related": "company", "has": "none"}, ["cid"]),
        (
            {
                "related": "company",
                "has": "any",
                "where": {"related": "contacts", "has": {"at_least": 2}},
            },
            ["ann", "bob"],
        ),
        (
            {
                "related": "company",
                "has": "none",
                "where": {
                    "related": "contacts",
                    "has": "any",
                    "where": {"field": "name", "op": "eq", "value": "BOB"},
                },
            },
            ["cid"],
        ),
    ],
)
def test_exact_answers(world: dict[str, Contact], data: Any, expected: list[str] | None) -> None:
    assert names(data) == (["ann", "bob", "cid"] if expected is None else expected)


def test_a_condition_is_one_statement(world: dict[str, Contact]) -> None:
    data = {
        "all": [
            {"related": "tasks", "has": {"at_least": 2}, "where": OPEN},
            {"related": "company", "has": "any", "where": {"related": "contacts", "has": "any"}},
        ]
    }
    for narrow in (False, True):
        with CaptureQueriesContext(
            connection,
        ) as seen:
            node = parse(data, PEOPLE)
            found = Contact.objects.filter(to_q(node, now=NOW, tz=TZ, narrow=narrow))
            assert [row.pk for row in found] == [world["ann"].pk]
        assert len(seen) == 1
    node = parse(data, PEOPLE)
    assert matches(node, PEOPLE, world["ann"].pk, now=NOW, tz=TZ) is True
    assert matches(node, PEOPLE, world["bob"].pk, now=NOW, tz=TZ) is False
    told = reasons(node, PEOPLE, world["bob"].pk, now=NOW, tz=TZ)
    assert [(each.path, each.holds) for each in told] == [("all.0", False), ("all.1", True)]
    assert fields_used(node) == set()
    assert kinds_used(node) == set()


def test_only_leaves_out_what_is_none(world: dict[str, Contact]) -> None:
    some = FieldRegistry("contacts.Contact")
    some.relate(relation("tasks", TASKS, "contact_id", only=Q(status="open")))
    node = parse({"related": "tasks", "has": "any"}, some)
    assert set(Contact.objects.filter(to_q(node, now=NOW, tz=TZ))) == {world["ann"]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"related": "tasks", "has": "any"}, "Has tasks"),
        ({"related": "tasks", "has": "none", "where": {"all": []}}, "Has no tasks"),
        ({"related": "tasks", "has": "any", "where": OPEN}, "Has tasks with Status is Open"),
        (
            {
                "related": "tasks",
                "has": {"at_least": 2},
                "where": [OPEN, {"field": "due_at", "op": "before", "value": "today"}],
            },
            "Has at least 2 tasks with (Status is Open, and Due is before today)",
        ),
        (
            {"related": "company", "has": "any", "where": {"related": "contacts", "has": {"at_least": 5}}},
            "Has company with has at least 5 contacts",
        ),
    ],
)
def test_words(data: Any, words: str) -> None:
    assert explain(parse(data, PEOPLE)) == words


def faults(data: Any, **kwargs: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConditionError) as caught:
        parse(data, PEOPLE, **kwargs)
    assert all(problem.detail for problem in caught.value.problems)
    return [(problem.path, problem.code) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"related": "tasks"}, [("has", "missing_has")]),
        ({"related": "tasks", "has": "all"}, [("has", "unknown_has")]),
        ({"related": "tasks", "has": ["any"]}, [("has", "unknown_has")]),
        ({"related": "tasks", "has": {"at_most": 2}}, [("has", "unknown_has")]),
        *(
            ({"related": "tasks", "has": {"at_least": n}}, [("has.at_least", "not_a_count")])
            for n in (0, -1, 1001, 1.5, True, "2", None, [], {})
        ),
        ({"related": "company", "has": {"at_least": 2}}, [("has", "only_one")]),
        ({"related": "deals", "has": "any"}, [("related", "unknown_related")]),
        ({"related": 3, "has": "any"}, [("related", "unknown_related")]),
        ({"related": ["tasks"], "has": "some"}, [("related", "unknown_related"), ("has", "unknown_has")]),
        ({"related": "tasks", "has": "any", "when": {}}, [("when", "unknown_key")]),
        ({"related": "tasks", "has": "any", "where": 3}, [("where", "not_an_object")]),
        ({"related": "tasks", "has": "any", "where": "x"}, [("where", "not_an_object")]),
        (
            {"all": [{"related": "tasks", "has": "any", "where": {"field": "email", "op": "is_set"}}]},
            [("all.0.where.field", "unknown_field")],
        ),
        (
            {"related": "tasks", "has": "any", "where": [OPEN, {"field": "status", "op": "x"}]},
            [("where.1.op", "operator_not_allowed")],
        ),
        (
            {
                "related": "tasks",
                "has": "any",
                "where": {"activity": "x", "op": "gte", "count": 1, "within": {"days": 1}},
            },
            [("where.activity", "unknown_shape")],
        ),
        ({"related": "tasks", "field": "x", "has": "any"}, [("", "unknown_shape")]),
    ],
)
def test_what_is_wrong_is_named(data: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(data) == expected
    assert not VALIDATOR.is_valid(data)


def test_after_the_inner_condition_the_outer_fields_are_known_again() -> None:
    parse(
        {"all": [{"related": "tasks", "has": "any", "where": OPEN}, {"field": "email", "op": "is_set"}]},
        PEOPLE,
    )
    assert faults({"all": [{"related": "tasks", "has": "any", "where": {"all": [3]}}, OPEN]}) == [
        ("all.0.where.all.0", "not_an_object"),
        ("all.1.field", "unknown_field"),
    ]


def test_how_far_and_how_often_one_may_ask() -> None:
    company: Any = {"related": "company", "has": "any"}
    two = company | {"where": {"related": "contacts", "has": "any"}}
    parse(two, PEOPLE)
    three = company | {"where": {"related": "contacts", "has": "any", "where": company}}
    assert faults(three) == [("where.where.related", "too_far")]
    parse({"all": [company] * MAX_RELATED}, PEOPLE)
    assert faults({"all": [company] * (MAX_RELATED + 1)}) == [
        (f"all.{MAX_RELATED}.related", "too_many_related")
    ]
    deep: Any = OPEN
    for _ in range(9):
        deep = {"not": deep}
    assert faults({"related": "tasks", "has": "any", "where": deep})[0][1] == "too_deep"
    loop: dict[str, Any] = {"related": "tasks", "has": "any"}
    loop["where"] = loop
    assert faults(loop) == [("where", "cycle")]
    rows: list[Any] = []
    rows.append({"any": rows})
    assert faults({"related": "tasks", "has": "any", "where": rows}) == [("where.0.any", "cycle")]


class Person:
    is_authenticated = True
    pk = 0

    def __init__(self, visibility: str, *scopes: str) -> None:
        self.scopes = scopes
        self.access = type("Access", (), {"visibility": visibility, "team_ids": ()})()

    def may(self, scope: str) -> bool:
        return scope in self.scopes


def test_who_may_not_read_them_does_not_know_them(world: dict[str, Contact]) -> None:
    data = {"related": "tasks", "has": "any"}
    for shared in (False, True):
        assert faults(data, user=Person("all"), shared=shared) == [("related", "unknown_related")]
    some, every = Person("own", "tasks:read"), Person("all", "tasks:read")
    assert faults(data, user=some, shared=True) == [("related", "not_for_all")]
    parse(data, PEOPLE, user=every, shared=True)
    parse(data, PEOPLE, user=some)
    assert names(data, user=some) == []
    assert names(data, user=every) == ["ann", "bob"]
    offered = {
        (visibility, shared): [
            each["name"]
            for each in describe(PEOPLE, Person(visibility, "tasks:read"), shared=shared)["records"][
                "contacts.Contact"
            ]["related"]
        ]
        for visibility in ("own", "all")
        for shared in (False, True)
    }
    assert offered[("own", False)] == offered[("all", True)] == ["company", "tasks"]
    assert offered[("own", True)] == []
    blind = Draft202012Validator(schema(PEOPLE, some, shared=True))
    assert not blind.is_valid(data)


def test_the_schema_and_the_builder_know_every_record() -> None:
    found = describe(PEOPLE)
    assert found["record"] == "contacts.Contact"
    assert set(found["records"]) == {"contacts.Contact", "contacts.Company", "contacts.Task"}
    assert found["records"]["contacts.Company"]["related"] == [
        {"name": "contacts", "label": "Contacts", "single": False, "record": "contacts.Contact"}
    ]
    Draft202012Validator.check_schema(schema(PEOPLE))
    assert set(schema(PEOPLE)["$defs"]) >= {"ConditionNode", "ConditionNodeTask", "ConditionNodeCompany"}


def test_the_clock_is_followed_through_related_records(world: dict[str, Contact]) -> None:
    Task.objects.filter(contact=world["ann"]).update(due_at=NOW + timedelta(days=3))
    data = {"related": "tasks", "has": "any", "where": {"field": "due_at", "op": "before", "value": "now"}}
    node = parse(data, PEOPLE)
    assert timed(node) is True
    assert compiled(data) == set()
    rows = Contact.objects.filter(possible(node, now=NOW, tz=TZ)).annotate(next_at=due(node, now=NOW, tz=TZ))
    (only,) = rows
    assert only == world["ann"]
    assert NOW < only.next_at <= NOW + timedelta(days=3, seconds=1)
    assert only.next_at.date() >= TODAY
    assert timed(parse({"related": "tasks", "has": "any", "where": OPEN}, PEOPLE)) is False
