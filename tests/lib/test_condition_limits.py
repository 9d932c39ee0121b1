"""Limits and garbage: a condition costs little to refuse, and only ConditionError is raised."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crmcem.lib.conditions import ConditionError, explain, parse, parse_where, to_json
from crmcem.lib.conditions.parser import MAX_DEPTH, MAX_NODES
from crmcem.lib.errors import FieldError
from tests.lib.condition_registry import REGISTRY, problems


def test_depth_is_limited():
    data: Any = {"field": "nps", "op": "gt", "value": 1}
    for _ in range(MAX_DEPTH - 1):
        data = {"not": data}
    assert to_json(parse(data, REGISTRY)) == data
    assert problems({"not": data}) == [(".".join(["not"] * MAX_DEPTH), "too_deep")]


def test_depth_counts_inside_where():
    leaf = {"activity": "x", "op": "gte", "count": 1, "within": {"days": 1}}
    where: Any = {"property": "a", "op": "is_set"}
    for _ in range(20):
        where = {"not": where}
    assert problems(leaf | {"where": where})[0][1] == "too_deep"


def test_the_number_of_parts_is_limited():
    leaf = {"field": "nps", "op": "gt", "value": 1}
    parse({"all": [leaf] * (MAX_NODES - 1)}, REGISTRY)
    assert problems({"all": [leaf] * MAX_NODES}) == [(f"all.{MAX_NODES - 1}", "too_many_nodes")]
    assert len(problems({"all": [{}] * 10**6})) == 50  # a million faults cost no more than fifty


def test_python_objects_that_contain_themselves():
    group: dict[str, Any] = {"not": None}
    group["not"] = group
    assert problems(group) == [("not", "cycle")]
    items: list[Any] = []
    items.append({"any": items})
    assert problems({"all": items}) == [("all.0.any", "cycle")]
    value: list[Any] = []
    value.append(value)
    assert problems({"field": "name", "op": "in", "value": value}) == [("value.0", "not_text")]
    where: list[Any] = []
    where.append({"all": where})
    leaf = {"activity": "x", "op": "gte", "count": 1, "within": {"days": 1}, "where": where}
    assert problems(leaf) == [("where.0.all", "cycle")]


WORDS = st.sampled_from(
    [
        *(
            "all",
            "any",
            "not",
            "field",
            "op",
            "value",
            "activity",
            "segment",
            "related",
            "has",
            "property",
            "count",
            "sum",
            "last",
        ),
        *(
            "of",
            "within",
            "where",
            "email",
            "nps",
            "seen",
            "tags",
            "owner",
            "stage",
            "born",
            "amount",
            "eq",
            "gt",
        ),
        *(
            "between",
            "in",
            "is_set",
            "in_last",
            "days",
            "ago",
            "from_now",
            "start_of",
            "offset",
            "month",
            "me",
            "1",
        ),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS
GARBAGE = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=25,
)
LEAVES = st.fixed_dictionaries(
    {"field": st.sampled_from([f.name for f in REGISTRY.fields()]), "op": WORDS, "value": GARBAGE}
)


@given(GARBAGE | LEAVES | st.fixed_dictionaries({"all": st.lists(GARBAGE | LEAVES, max_size=4)}))
def test_garbage_raises_condition_error_or_is_a_condition(data):
    node, errors = None, list[FieldError]()
    try:
        node = parse(data, REGISTRY)
    except ConditionError as error:
        errors = error.errors
    json.dumps([e.detail for e in errors], ensure_ascii=False).encode()
    assert (node is None) is bool(errors)
    if node is not None:
        assert parse(to_json(node), REGISTRY) == node
        assert explain(node)


@given(GARBAGE)
def test_garbage_in_an_event_filter(data):
    node, errors = None, []
    try:
        node = parse_where(data)
    except ConditionError as error:
        errors = error.problems
    assert (node is None) is bool(errors)
    if node is not None:
        assert parse_where(to_json(node)) == node
