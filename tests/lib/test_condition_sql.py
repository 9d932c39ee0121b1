"""The SQL of a condition selects exactly the rows that a plain Python reading of its JSON selects."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from contacts.models import Activity, Contact
from crmcem.lib.conditions import (
    ActivitySource,
    Field,
    FieldRegistry,
    FieldType,
    Reason,
    SegmentBody,
    explain,
    matches,
    parse,
    parse_where,
    reasons,
    schema,
    to_json,
    to_q,
    where_q,
)
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.lib.condition_oracle import NOW, REGISTRY, TZ, evaluate
from tests.lib.condition_strategies import ACTIVITY_LEAVES, EVENT_LEAVES, FIELD_LEAVES, make_data, trees

pytestmark = pytest.mark.django_db

VALIDATOR = Draft202012Validator(schema(REGISTRY))


def compiled(data: Any, **kwargs: Any) -> set[int]:
    return set(
        Contact.objects.filter(to_q(parse(data, REGISTRY), now=NOW, tz=TZ, **kwargs)).values_list(
            "pk", flat=True
        )
    )


def check(rows: list[dict[str, Any]], data: Any) -> None:
    expected = {row["pk"] for row in rows if evaluate(data, row)}
    assert compiled(data) == expected
    assert compiled(data, narrow=True) == expected
    node = parse(data, REGISTRY)
    assert parse(to_json(node), REGISTRY) == node
    assert explain(node)
    assert VALIDATOR.is_valid(data), data


PROPERTY = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("seed", [1, 2])
def test_fields_equal_the_oracle(seed):
    rows = make_data(seed)

    @PROPERTY
    @given(trees(FIELD_LEAVES))
    def run(data):
        check(rows, data)

    run()


@pytest.mark.parametrize("seed", [3, 4])
def test_activities_equal_the_oracle(seed):
    rows = make_data(seed)

    @PROPERTY
    @given(trees(ACTIVITY_LEAVES | FIELD_LEAVES))
    def run(data):
        check(rows, data)

    run()


def test_event_filters_equal_the_oracle():
    make_data(5)
    activities = list(Activity.objects.all())
    source = REGISTRY.activities
    assert source is not None

    @PROPERTY
    @given(trees(EVENT_LEAVES))
    def run(data):
        q = where_q(parse_where(data), source, now=NOW, tz=TZ)
        found = set(Activity.objects.filter(q).values_list("pk", flat=True))
        assert found == {a.pk for a in activities if evaluate(data, a.payload)}

    run()


# Exact cases


def names(data: Any, registry: FieldRegistry = REGISTRY, **kwargs: Any) -> list[str]:
    """First names of the contacts that match, in every shape the compiler has."""
    node = parse(data, registry)
    found = [
        sorted(
            Contact.objects.filter(to_q(node, now=NOW, tz=TZ, narrow=narrow, **kwargs)).values_list(
                "first_name", flat=True
            )
        )
        for narrow in (False, True)
    ]
    assert found[0] == found[1]
    single = [
        c.first_name for c in Contact.objects.all() if matches(node, registry, c.pk, now=NOW, tz=TZ, **kwargs)
    ]
    assert sorted(single) == found[0]
    return found[0]


def place(contact: Contact, ago: timedelta, kind: str = "order.placed", **payload: Any) -> Activity:
    return Activity.objects.create(contact_id=contact.pk, kind=kind, occurred_at=NOW - ago, payload=payload)


def test_negatives_hold_for_rows_without_a_value():
    ContactFactory(first_name="nine", pulse={"nps": 9})
    ContactFactory(first_name="two", pulse={"nps": 2})
    ContactFactory(first_name="never")
    Contact.objects.create(first_name="no pulse at all")
    assert names({"field": "nps", "op": "ne", "value": 9}) == ["never", "no pulse at all", "two"]
    assert names({"not": {"field": "nps", "op": "gt", "value": 5}}) == ["never", "no pulse at all", "two"]
    assert names({"field": "nps", "op": "lte", "value": 5}) == ["two"]
    assert names({"field": "nps", "op": "is_not_set"}) == ["never", "no pulse at all"]
    assert names({"not": {"not": {"field": "nps", "op": "eq", "value": 9}}}) == ["nine"]


def test_empty_groups():
    ContactFactory(first_name="a")
    assert names({"all": []}) == ["a"]
    assert names({"any": []}) == []
    assert names({"not": {"any": []}}) == ["a"]
    assert names({"all": [{"any": []}, {"field": "name", "op": "is_set"}]}) == []


def test_not_seen_for_twelve_days_is_a_column_of_pulse():
    today = NOW.astimezone(TZ).date()
    edge = datetime.combine(today - timedelta(days=12), datetime.min.time(), tzinfo=TZ)
    ContactFactory(first_name="on the day", pulse={"last_seen_at": edge})
    ContactFactory(first_name="before", pulse={"last_seen_at": edge - timedelta(microseconds=1)})
    ContactFactory(first_name="never")
    data = {"field": "seen", "op": "before", "value": {"ago": {"days": 12}}}
    assert names(data) == ["before"]
    assert names({"field": "seen", "op": "not_in_last", "value": {"days": 12}}) == ["before", "never"]
    assert "contacts_activity" not in str(
        Contact.objects.filter(to_q(parse(data, REGISTRY), now=NOW, tz=TZ)).query
    )


def test_money_with_a_currency_per_row():
    registry = FieldRegistry("contacts.Contact")
    registry.register(
        Field(name="clv", label="Value", type=FieldType.MONEY, expression="pulse__clv", currency="language")
    )
    ContactFactory(first_name="eur", language="EUR", pulse={"clv": Decimal("12.50")})
    ContactFactory(first_name="usd", language="USD", pulse={"clv": Decimal("99")})
    ContactFactory(first_name="none", language="EUR")
    data = {"field": "clv", "op": "gte", "value": {"amount": "12.50", "currency": "EUR"}}
    assert names(data, registry) == ["eur"]
    assert names({"not": data}, registry) == ["none", "usd"]


def test_me_is_the_person_asking(cast: Cast):
    registry = FieldRegistry("contacts.Contact")
    registry.register(
        Field(name="owner", label="Owner", type=FieldType.REFERENCE, expression="owner_id", is_user=True)
    )
    ContactFactory(first_name="mine", owner=cast.rep)
    ContactFactory(first_name="theirs", owner=cast.rep2)
    ContactFactory(first_name="nobody's")
    mine = {"field": "owner", "op": "eq", "value": "me"}
    assert names(mine, registry, user=cast.rep) == ["mine"]
    assert names(mine, registry) == []
    assert names({"not": mine}, registry, user=cast.rep) == ["nobody's", "theirs"]
    both = {"field": "owner", "op": "in", "value": ["me", cast.rep2.pk]}
    assert names(both, registry, user=cast.rep) == ["mine", "theirs"]


def test_segments_live_and_static():
    registry = FieldRegistry("contacts.Contact")
    registry.register(Field(name="name", label="Name", type=FieldType.TEXT, expression="first_name"))
    for name in ("Ann", "Bob", "Cid"):
        ContactFactory(first_name=name)
    members = Contact.objects.filter(first_name="Cid").values("pk")
    bodies = {
        "1": SegmentBody(name="A", conditions={"field": "name", "op": "starts_with", "value": "a"}),
        "2": SegmentBody(name="Picked", members=to_q_of(members)),
        "3": SegmentBody(name="Either", conditions={"any": [{"segment": "1"}, {"segment": 2}]}),
    }
    registry.segments = lambda key, user: bodies.get(key)
    assert names({"segment": "3"}, registry) == ["Ann", "Cid"]
    assert names({"not": {"segment": "3"}}, registry) == ["Bob"]
    assert names({"not": {"segment": "2"}}, registry) == ["Ann", "Bob"]


def to_q_of(rows: Any) -> Any:
    from django.db.models import Q

    return Q(pk__in=rows)


def test_bought_twice_in_ninety_days():
    twice, once, old, none = (ContactFactory(first_name=name) for name in ("twice", "once", "old", "none"))
    place(twice, timedelta(days=1))
    place(twice, timedelta(days=89))
    place(once, timedelta(days=1))
    place(once, timedelta(days=1), kind="page.viewed")
    place(old, timedelta(days=1))
    place(old, timedelta(days=92))
    place(none, timedelta(days=-1))  # not yet
    count = {"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 90}}
    assert names(count) == ["twice"]
    assert names({"not": count}) == ["none", "old", "once"]
    assert names(count | {"op": "eq", "count": 0}) == ["none"]
    assert names(count | {"op": "lt"}) == ["none", "old", "once"]
    assert names(count | {"op": "between", "count": [0, 1]}) == ["none", "old", "once"]


def test_bought_twice_within_ninety_days_of_each_other_however_long_ago():
    pair, apart, edge = (ContactFactory(first_name=name) for name in ("pair", "apart", "edge"))
    for contact, days in [(pair, (400, 600, 350)), (apart, (10, 200, 400)), (edge, (100, 190))]:
        for n in days:
            place(contact, timedelta(days=n))
    data = {
        "activity": "order.placed",
        "op": "gte",
        "count": 2,
        "together": {"days": 90},
        "within": {"years": 2},
    }
    assert names(data) == ["edge", "pair"]
    assert names(data | {"together": {"days": 88}}) == ["pair"]
    assert names(data | {"count": 3}) == []
    assert names({"not": data}) == ["apart"]
    assert names(data | {"within": {"days": 398}}) == ["edge"]


def test_sums_and_filters_of_payloads_with_anything_in_them():
    ann, bob = (ContactFactory(first_name=name) for name in ("Ann", "Bob"))
    for amount in (10, "12.50", "lots", None, [99], {"a": 99}, True, "1e9", "٣"):
        place(ann, timedelta(days=1), amount=amount, shop={"city": "Köln"})
    place(bob, timedelta(days=1), amount=22, shop={"city": "Bonn"})
    total = {"activity": "order.placed", "sum": 22.5, "of": "amount", "op": "eq", "within": {"days": 7}}
    assert names(total) == ["Ann"]
    assert names(total | {"op": "lt"}) == ["Bob"]
    big = {"activity": "order.placed", "op": "eq", "count": 1, "within": {"days": 7}}
    assert names(big | {"where": [{"property": "amount", "op": "gt", "value": 10}]}) == ["Ann", "Bob"]
    assert names(big | {"where": [{"property": "shop.city", "op": "eq", "value": "BONN"}]}) == ["Bob"]


@pytest.mark.parametrize("narrow", [False, True])
def test_activities_are_read_from_the_partitions_of_the_window_only(narrow):
    node = parse({"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 2}}, REGISTRY)
    rows = Contact.objects.filter(to_q(node, now=NOW + timedelta(days=700), tz=TZ, narrow=narrow))
    plan = rows.explain()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'contacts_activity'::regclass")
        partitions = cursor.fetchone()[0]
    assert partitions >= 2
    assert plan.count("Scan") < partitions  # every partition would be a scan of its own
    sql, params = rows.query.sql_with_params()
    start = datetime.combine(
        (NOW + timedelta(days=698)).astimezone(TZ).date(), datetime.min.time(), tzinfo=TZ
    )
    assert '."received_at" >= ' in sql
    assert start.astimezone(UTC) - timedelta(days=1) in params


def test_late_events_count_by_when_they_happened():
    late = ContactFactory(first_name="late")
    place(late, timedelta(days=20))  # received now, happened twenty days ago
    count = {"activity": "order.placed", "op": "gte", "count": 1, "within": {"days": 10}}
    assert names(count) == []
    assert names(count | {"within": {"days": 20}}) == ["late"]


def test_one_statement_whatever_the_size(django_assert_num_queries: Any):
    leaf = {"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 90}}
    data = {
        "any": [leaf | {"count": n} for n in range(2, 60)]
        + [{"field": "nps", "op": "gt", "value": n} for n in range(60)]
    }
    with django_assert_num_queries(1):
        list(Contact.objects.filter(to_q(parse(data, REGISTRY), now=NOW, tz=TZ)))


def test_a_list_of_a_thousand_values():
    ContactFactory(first_name="N7")
    data = {"field": "name", "op": "in", "value": [f"n{n}" for n in range(1000)]}
    assert names(data) == ["N7"]
    assert names({"not": data}) == []


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE contacts_contact; --", "%s", "%(x)s", "{}", "\\", '"', "a' OR '1'='1", "$1"]
)
def test_values_and_names_are_never_sql(text):
    ann = ContactFactory(first_name=text, custom={"text": text})
    place(ann, timedelta(days=1), kind=text, **{text: text})
    for op in ("eq", "contains", "starts_with", "ends_with"):
        assert names({"field": "name", "op": op, "value": text}) == [text]
        assert names({"field": "c.text", "op": op, "value": text}) == [text]
    where = [{"property": text, "op": "eq", "value": text}]
    assert names({"activity": text, "op": "gte", "count": 2, "within": {"days": 2}, "where": where}) == []
    assert names({"activity": text, "op": "eq", "count": 1, "within": {"days": 2}, "where": where}) == [text]


def test_activities_of_another_subject():
    registry = FieldRegistry("contacts.Contact")
    registry.register(Field(name="name", label="Name", type=FieldType.TEXT, expression="first_name"))
    registry.activities = ActivitySource(
        model="contacts.Activity", subject_model="contacts.Company", subject="company_id", outer="company_id"
    )
    acme = CompanyFactory()
    ContactFactory(first_name="Ann", company=acme)
    ContactFactory(first_name="Bob", company=CompanyFactory())
    ContactFactory(first_name="Cid")
    for _ in range(2):
        Activity.objects.create(company_id=acme.pk, kind="deal.won", occurred_at=NOW)
    count = {"activity": "deal.won", "op": "gte", "count": 2, "within": {"days": 1}}
    assert names(count, registry) == ["Ann"]
    assert names({"not": count}, registry) == ["Bob", "Cid"]
    assert names(count | {"op": "eq", "count": 0}, registry) == ["Bob", "Cid"]


def test_reasons_tell_each_leaf_for_one_record(django_assert_num_queries: Any):
    ann = ContactFactory(first_name="Ann", tags=["vip"], pulse={"nps": 9})
    place(ann, timedelta(days=1))
    data = {
        "all": [
            {"field": "nps", "op": "gte", "value": 9},
            {"any": [{"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 90}}]},
            {"not": {"field": "tags", "op": "has_any", "value": ["vip"]}},
            {"field": "company", "op": "eq", "value": 1},
        ]
    }
    node = parse(data, REGISTRY)
    with django_assert_num_queries(1):
        found = reasons(node, REGISTRY, ann.pk, now=NOW, tz=TZ)
    assert found == [
        Reason("all.0", "NPS is at least 9", True),
        Reason("all.1.any.0", "Did order.placed at least 2 times in the last 90 days", False),
        Reason("all.2.not", "Tags has any of vip", True, negated=True),
        Reason("all.3", "Company is 1", False),
    ]
    assert reasons(node, REGISTRY, 0, now=NOW, tz=TZ) == []
    assert reasons(parse({"any": []}, REGISTRY), REGISTRY, ann.pk, now=NOW, tz=TZ) == []


def test_reasons_of_a_leaf_that_can_never_hold():
    registry = FieldRegistry("contacts.Contact")
    registry.register(
        Field(name="owner", label="Owner", type=FieldType.REFERENCE, expression="owner_id", is_user=True)
    )
    ann = ContactFactory(first_name="Ann")
    nobody = parse({"field": "owner", "op": "eq", "value": "me"}, registry)
    assert [reason.holds for reason in reasons(nobody, registry, ann.pk, now=NOW, tz=TZ)] == [False]
    somebody = parse({"field": "owner", "op": "ne", "value": "me"}, registry)
    assert [reason.holds for reason in reasons(somebody, registry, ann.pk, now=NOW, tz=TZ)] == [True]


def test_activities_with_a_further_filter():
    registry = FieldRegistry("contacts.Contact")
    registry.activities = ActivitySource(
        model="contacts.Activity", subject_model="contacts.Contact", filters={"subject_type": "deal"}
    )
    ann = ContactFactory(first_name="Ann")
    place(ann, timedelta(days=1), kind="deal.won")
    count = {"activity": "deal.won", "op": "eq", "count": 1, "within": {"days": 2}}
    assert names(count, registry) == []
    Activity.objects.create(contact_id=ann.pk, kind="deal.won", occurred_at=NOW, subject_type="deal")
    assert names(count, registry) == ["Ann"]


def test_a_narrow_window_at_the_spring_change():
    berlin = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 3, 29, 12, tzinfo=berlin)
    seen = ContactFactory(
        first_name="seen", pulse={"last_seen_at": datetime(2026, 3, 28, 0, 0, tzinfo=berlin)}
    )
    data = {"field": "seen", "op": "in_last", "value": {"days": 1}}
    assert matches(parse(data, REGISTRY), REGISTRY, seen.pk, now=now, tz=berlin)
    assert not matches(parse(data, REGISTRY), REGISTRY, seen.pk, now=now + timedelta(hours=12), tz=berlin)
    assert date(2026, 3, 30) == (now + timedelta(hours=12)).astimezone(berlin).date()
