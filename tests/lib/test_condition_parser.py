"""Every fault of a condition is found, named and located; limits hold; only ConditionError is raised."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from crmcem.lib.conditions import (
    ConditionError,
    Field,
    FieldType,
    SegmentBody,
    fields_used,
    kinds_used,
    parse,
    parse_where,
    to_json,
)
from crmcem.lib.conditions.moments import Edge, Fixed, Relative, Span
from crmcem.lib.conditions.nodes import ActivityLeaf, All, AnyOf, Compare, CurrentUser, Money, Not, Property
from crmcem.lib.errors import FieldError
from tests.lib.condition_registry import REGISTRY, Person, make_registry, problems


def spec(name: str) -> Field:
    field = REGISTRY.get(name)
    assert field is not None
    return field


def test_groups_and_leaves():
    data = {
        "all": [
            {"field": "email", "op": "contains", "value": "@Example.com"},
            {
                "any": [
                    {"field": "nps", "op": "lte", "value": 6},
                    {"not": {"field": "tags", "op": "has_any", "value": ["vip"]}},
                ]
            },
        ]
    }
    assert parse(data, REGISTRY) == All(
        (
            Compare("email", "contains", "@example.com", spec=spec("email")),
            AnyOf(
                (
                    Compare("nps", "lte", Decimal(6), spec=spec("nps")),
                    Not(Compare("tags", "has_any", ("vip",), spec=spec("tags"))),
                )
            ),
        )
    )


@pytest.mark.parametrize(
    ("field", "op", "raw", "expected"),
    [
        ("nps", "between", [1, "2.50"], (Decimal(1), Decimal("2.5"))),
        ("clv", "gt", "12.50", Money(Decimal("12.5"))),
        ("amount", "gte", {"amount": "12.50", "currency": "EUR"}, Money(Decimal("12.5"), "EUR")),
        ("born", "on", "2024-02-29", Fixed(date(2024, 2, 29))),
        ("born", "in_last", {"years": 30.0}, Span("years", 30)),
        ("seen", "before", {"ago": {"days": 12}}, Relative("ago", Span("days", 12))),
        ("seen", "after", "2026-03-01T10:00:00+02:00", Fixed(datetime(2026, 3, 1, 8, tzinfo=UTC))),
        ("seen", "gte", {"start_of": "month", "offset": -1}, Edge("start_of", "month", -1)),
        ("seen", "lt", "now", Relative("now")),
        ("active", "eq", True, True),
        ("stage", "in", ["lead", "customer", "lead"], ("lead", "customer")),
        ("owner", "eq", "me", CurrentUser()),
        ("owner", "in", ["7", 8, "me"], (7, 8, CurrentUser())),
        ("custom.size", "is_set", None, None),
    ],
)
def test_values_are_typed_and_written_back(field, op, raw, expected):
    data = {"field": field, "op": op} | ({} if raw is None else {"value": raw})
    node = parse(data, REGISTRY)
    assert node == Compare(field, op, expected, spec=spec(field))
    assert parse(json.loads(json.dumps(to_json(node))), REGISTRY) == node


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, [("", "not_an_object")]),
        ([], [("", "not_an_object")]),
        ({}, [("", "unknown_shape")]),
        ({"all": [], "any": []}, [("", "unknown_shape")]),
        ({"all": {}}, [("all", "not_a_list")]),
        ({"all": [], "al": 1}, [("al", "unknown_key")]),
        ({"field": "nps", "op": "gt", "valeu": 3}, [("valeu", "unknown_key"), ("value", "missing_value")]),
        ({"field": "nps", "op": "contains", "value": "x"}, [("op", "operator_not_allowed")]),
        ({"field": "nps", "value": 1}, [("op", "missing_operator")]),
        ({"field": "nps", "op": ["eq"], "value": 1}, [("op", "operator_not_allowed")]),
        ({"field": "nps", "op": "gt", "value": "ten"}, [("value", "not_a_number")]),
        ({"field": "nps", "op": "gt", "value": " "}, [("value", "blank")]),
        ({"field": "owner", "op": "eq", "value": ""}, [("value", "blank")]),
        ({"field": "nps", "op": "gt", "value": True}, [("value", "not_a_number")]),
        ({"field": "nps", "op": "gt", "value": float("nan")}, [("value", "not_a_number")]),
        ({"field": "nps", "op": "gt", "value": 10**30}, [("value", "number_too_large")]),
        ({"field": "nps", "op": "gt", "value": 10**5000}, [("value", "number_too_large")]),
        ({"field": "nps", "op": "between", "value": [9, 1]}, [("value", "reversed")]),
        ({"field": "nps", "op": "between", "value": [9]}, [("value", "not_a_pair")]),
        ({"field": "nps", "op": "is_set", "value": 1}, [("value", "unexpected_value")]),
        ({"field": "amount", "op": "gt", "value": 5}, [("value", "currency_missing")]),
        (
            {"field": "amount", "op": "gt", "value": {"amount": 5, "currency": "eur"}},
            [("value", "unknown_currency")],
        ),
        (
            {"field": "clv", "op": "gt", "value": {"amount": 5, "currency": "EUR"}},
            [("value", "unexpected_currency")],
        ),
        ({"field": "born", "op": "on", "value": "2026-02-30"}, [("value", "impossible_date")]),
        ({"field": "born", "op": "on", "value": "now"}, [("value", "invalid_value")]),
        ({"field": "born", "op": "before", "value": {"ago": {"hours": 3}}}, [("value", "invalid_value")]),
        ({"field": "born", "op": "in_last", "value": {"hours": 3}}, [("value", "invalid_value")]),
        ({"field": "born", "op": "on", "value": "0001-01-01"}, [("value", "date_out_of_range")]),
        ({"field": "seen", "op": "after", "value": "2026-03-01T10:00:00"}, [("value", "offset_missing")]),
        ({"field": "seen", "op": "after", "value": "2026-03-01T25:00:00Z"}, [("value", "impossible_date")]),
        (
            {"field": "seen", "op": "after", "value": {"ago": {"days": 1, "hours": 2}}},
            [("value", "not_a_span")],
        ),
        ({"field": "seen", "op": "after", "value": {"ago": {"days": -1}}}, [("value", "span_out_of_range")]),
        (
            {"field": "seen", "op": "after", "value": {"ago": {"days": 10**9}}},
            [("value", "span_out_of_range")],
        ),
        ({"field": "seen", "op": "in_last", "value": {"days": 0}}, [("value", "span_out_of_range")]),
        ({"field": "seen", "op": "gte", "value": {"start_of": "decade"}}, [("value", "unknown_period")]),
        (
            {"field": "seen", "op": "gte", "value": {"start_of": "day", "offset": 0.5}},
            [("value", "offset_out_of_range")],
        ),
        ({"field": "name", "op": "eq", "value": ""}, [("value", "blank")]),
        ({"field": "name", "op": "eq", "value": 5}, [("value", "not_text")]),
        ({"field": "name", "op": "eq", "value": "a\x00b"}, [("value", "bad_characters")]),
        ({"field": "name", "op": "eq", "value": "\ud800"}, [("value", "bad_characters")]),
        ({"field": "name", "op": "eq", "value": "x" * 1001}, [("value", "text_too_long")]),
        ({"field": "name", "op": "in", "value": []}, [("value", "empty_list")]),
        ({"field": "name", "op": "in", "value": ["a"] * 1001}, [("value", "list_too_long")]),
        ({"field": "name", "op": "in", "value": ["a", 2]}, [("value.1", "not_text")]),
        ({"field": "name", "op": "regex", "value": "(a+)+"}, [("op", "operator_not_allowed")]),
        ({"field": "stage", "op": "eq", "value": "vip"}, [("value", "unknown_choice")]),
        ({"field": "owner", "op": "eq", "value": "x"}, [("value", "bad_reference")]),
        ({"field": "owner", "op": "eq", "value": 2**63}, [("value", "bad_reference")]),
        ({"field": "gone", "op": "eq", "value": 1}, [("field", "unknown_field")]),
        ({"field": "custom.gone", "op": "eq", "value": 1}, [("field", "unknown_field")]),
        ({"field": {"a": 1}, "op": "eq", "value": 1}, [("field", "unknown_field")]),
        ({"segment": "99"}, [("segment", "unknown_segment")]),
        ({"segment": None}, [("segment", "unknown_segment")]),
        ({"segment": "3"}, [("segment", "segment_cycle")]),
        ({"segment": "5"}, [("segment", "broken_segment")]),
        ({"property": "amount", "op": "gt", "value": 1}, [("", "unknown_shape")]),
    ],
)
def test_faults(data, expected):
    assert problems(data) == expected


def test_every_fault_is_found_at_its_place():
    data = {
        "all": [
            {"field": "nps", "op": "gt", "value": "x"},
            {"any": [{"field": "gone", "op": "eq", "value": 1}, 7]},
            {
                "activity": "order.placed",
                "op": "gte",
                "count": -1,
                "where": [{"property": "", "op": "gt", "value": 1}],
            },
        ]
    }
    assert problems(data) == [
        ("all.0.value", "not_a_number"),
        ("all.1.any.0.field", "unknown_field"),
        ("all.1.any.1", "not_an_object"),
        ("all.2.count", "not_a_count"),
        ("all.2.within", "missing_window"),
        ("all.2.where.0.property", "bad_property"),
    ]


def test_the_nearest_fields_are_named():
    with pytest.raises(ConditionError) as caught:
        parse({"field": "emial", "op": "eq", "value": "x"}, REGISTRY)
    detail = "There is no field “emial”. Did you mean email?"
    assert caught.value.errors == [FieldError("conditions.field", "unknown_field", detail)]
    assert caught.value.under("filter").errors == [FieldError("filter.field", "unknown_field", detail)]


def test_ids_are_written_as_text():
    data = {"field": "owner", "op": "in", "value": [7, "8", "me"]}
    assert to_json(parse(data, REGISTRY)) == data | {"value": ["7", "8", "me"]}


def test_a_hidden_field_is_unknown_and_never_suggested():
    data = {"field": "salary", "op": "gt", "value": 1}
    assert problems(data, user=Person()) == [("field", "unknown_field")]
    with pytest.raises(ConditionError) as caught:
        parse(data | {"field": "salry"}, REGISTRY, user=Person())
    assert "salary" not in str(caught.value)
    assert fields_used(parse(data, REGISTRY, user=Person("salaries:read"))) == {"salary"}
    assert fields_used(parse(data, REGISTRY)) == {"salary"}


def test_a_hidden_activity_is_unknown():
    data = {"activity": "secret.deal", "op": "gte", "count": 1, "within": {"days": 1}}
    assert problems(data, user=Person()) == [("activity", "unknown_activity")]
    assert kinds_used(parse(data, REGISTRY)) == {"secret.deal"}


def test_activities():
    data = {
        "activity": "order.placed",
        "op": "gte",
        "count": 2,
        "within": {"days": 90},
        "where": [
            {"property": "amount", "op": "gt", "value": 10},
            {"property": "shop.city", "op": "eq", "value": "Bonn"},
        ],
    }
    where = All(
        (Property("amount", "gt", Decimal(10), FieldType.NUMBER), Property("shop.city", "eq", "Bonn"))
    )
    node = parse(data, REGISTRY)
    assert isinstance(node, ActivityLeaf)
    assert node == ActivityLeaf(
        "order.placed", "count", "gte", Decimal(2), Span("days", 90), "", where, source=node.source
    )
    assert to_json(node) == data
    total = {
        "activity": "order.placed",
        "op": "between",
        "sum": [1, 2.5],
        "of": "amount",
        "within": {"years": 1},
    }
    assert to_json(parse(total, REGISTRY)) == total
    pair = {"activity": "x", "op": "gte", "count": 2, "together": {"days": 90}, "within": {"years": 2}}
    assert to_json(parse(pair, REGISTRY)) == pair
    assert problems(pair | {"count": 1}) == [("together", "bad_together")]
    assert problems(pair | {"op": "lt"}) == [("together", "bad_together")]
    assert problems(pair | {"together": {"months": 1}}) == [("together", "bad_together")]
    late = {key: pair[key] for key in ("activity", "together", "within")} | {"op": "before", "last": "today"}
    assert problems(late) == [("together", "unknown_key")]
    last = {"activity": "order.placed", "op": "in_last", "last": {"days": 3}, "within": {"years": 1}}
    assert to_json(parse(last, REGISTRY)) == last


def test_the_filter_of_an_event_stands_alone():
    node = parse_where([{"property": "amount", "op": "gt", "value": 10}])
    assert node == All((Property("amount", "gt", Decimal(10), FieldType.NUMBER),))
    with pytest.raises(ConditionError) as caught:
        parse_where([{"field": "email", "op": "eq", "value": "x"}])
    assert [(p.path, p.code) for p in caught.value.problems] == [("0", "unknown_shape")]


def test_segments_are_read_once_and_keep_their_id():
    node = parse({"any": [{"segment": "2"}, {"segment": "1"}]}, REGISTRY)
    assert to_json(node) == {"any": [{"segment": "2"}, {"segment": "1"}]}
    assert fields_used(node) == {"stage", "nps"}


def test_a_segment_cannot_refer_to_itself():
    assert problems({"not": {"segment": "1"}}, segment_id="1") == [("not.segment", "segment_cycle")]
    assert problems({"segment": "2"}, segment_id="1") == [("segment", "segment_cycle")]


def test_segments_that_multiply_are_refused():
    registry = make_registry()
    levels = {str(n): {"any": [{"segment": str(n + 1)}] * 30} for n in range(4)}
    levels["4"] = {"any": [{"field": "nps", "op": "gt", "value": 1}] * 30}
    registry.segments = lambda key, user: SegmentBody(name=key, conditions=levels[key])
    with pytest.raises(ConditionError) as caught:
        parse({"segment": "0"}, registry)
    assert caught.value.problems[0].code == "too_many_segments"


def test_registering_a_name_twice_or_a_foreign_operator_is_refused():
    with pytest.raises(ValueError, match="already has"):
        make_registry().register(Field(name="email", label="x", type=FieldType.TEXT))
    with pytest.raises(ValueError, match="do not exist"):
        Field(name="x", label="x", type=FieldType.BOOLEAN, operators=("gt",))
