"""Definitions: every fault is found and named, and what is accepted is written back with its keys."""

from typing import Any

import pytest
from django.utils import translation

from journeys.definition import (
    AbsenceTrigger,
    BranchStep,
    DefinitionError,
    EventTrigger,
    SplitStep,
    WaitUntilStep,
    parse,
)
from journeys.explain import step_title
from tests.journeys.conftest import STEP, Notes

pytestmark = pytest.mark.django_db

EVENT = {"type": "event", "event": "order.placed"}


def faults(data: Any) -> set[tuple[str, str]]:
    with pytest.raises(DefinitionError) as caught:
        parse(data)
    assert all(problem.detail for problem in caught.value.problems)
    return {(problem.path, problem.code) for problem in caught.value.problems}


def full() -> dict[str, Any]:
    return {
        "trigger": {
            **EVENT,
            "count": 2,
            "within": {"days": 90},
            "where": [{"property": "amount", "op": "gt", "value": 10}],
        },
        "conditions": {"field": "lifecycle_stage", "op": "eq", "value": "customer"},
        "steps": [
            STEP,
            {"type": "wait", "for": {"days": 3}},
            {"key": "u", "type": "wait_until", "event": "survey.answered", "timeout": {"days": 14}},
            {
                "key": "b",
                "type": "branch",
                "conditions": {"field": "tags", "op": "has_any", "value": ["vip"]},
                "then": [{**STEP, "key": "yes"}],
                "else": [
                    {
                        "key": "s",
                        "type": "split",
                        "paths": [
                            {"percent": 30, "steps": [{**STEP, "key": "a"}]},
                            {"name": "Rest", "percent": 70},
                        ],
                    }
                ],
            },
            {**STEP, "key": "last"},
        ],
        "goal": {"event": "deal.won"},
        "exit": {"field": "tags", "op": "has_any", "value": ["gone"]},
        "reentry": {"policy": "after", "days": 30},
        "quiet_hours": {"from": "21:00", "to": "08:00"},
        "frequency_cap": {"count": 2, "within": {"days": 7}},
        "holdout_percent": 5,
        "timeout": {"days": 60},
    }


def test_a_full_definition_is_read_and_written_back(notes: Notes) -> None:
    found = parse(full())
    assert isinstance(found.trigger, EventTrigger)
    assert found.trigger.count == 2
    assert found.trigger.within is not None
    assert found.trigger.within.as_json() == {"days": 90}
    kinds = [type(step).__name__ for step in found.steps]
    assert kinds == ["ActionStep", "WaitStep", "WaitUntilStep", "BranchStep", "ActionStep"]
    assert isinstance(found.steps[2], WaitUntilStep)
    assert found.data["steps"][1]["key"] == "wait-2"
    assert parse(found.data) == found
    assert parse(found.data).data == found.data


def test_what_follows_a_step(notes: Notes) -> None:
    found = parse(full())
    order = {step.key: found.after(step.key) for step in found.walk()}
    assert order == {
        "n": "wait-2",
        "wait-2": "u",
        "u": "b",
        "b": "last",
        "yes": "last",
        "s": "last",
        "a": "last",
        "last": "",
    }
    branch = found.find("b")
    assert isinstance(branch, BranchStep)
    assert isinstance(branch.otherwise[0], SplitStep)
    assert [path.name for path in branch.otherwise[0].paths] == ["A", "Rest"]


def test_an_absence(notes: Notes) -> None:
    found = parse({"trigger": {"type": "absence", "for": {"days": 12}}, "steps": [STEP]})
    assert isinstance(found.trigger, AbsenceTrigger)
    assert found.trigger.event == "*"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"trigger": None}, {("trigger", "unknown_shape")}),
        ({"trigger": {"type": "moon"}}, {("trigger.type", "unknown_shape")}),
        ({"trigger": {**EVENT, "count": 2}}, {("trigger.within", "missing_window")}),
        ({"trigger": {**EVENT, "count": 0}}, {("trigger.count", "not_a_count")}),
        ({"trigger": {**EVENT, "count": True}}, {("trigger.count", "not_a_count")}),
        ({"trigger": {**EVENT, "event": "*"}}, {("trigger.event", "unknown_activity")}),
        ({"trigger": {**EVENT, "event": 7}}, {("trigger.event", "unknown_activity")}),
        ({"trigger": {**EVENT, "wher": []}}, {("trigger.wher", "unknown_key")}),
        (
            {"trigger": {**EVENT, "where": [{"property": "a", "op": "resembles", "value": 1}]}},
            {("trigger.where.0.op", "operator_not_allowed")},
        ),
        ({"trigger": {"type": "absence"}}, {("trigger.for", "not_a_span")}),
        (
            {"conditions": {"field": "nonsense", "op": "eq", "value": 1}},
            {("conditions.field", "unknown_field")},
        ),
        ({"steps": []}, {("steps", "required")}),
        ({"steps": {}}, {("steps", "not_a_list")}),
        ({"steps": [7]}, {("steps.0", "not_an_object")}),
        ({"steps": [{"type": "dance"}]}, {("steps.0.type", "unknown_shape")}),
        ({"steps": [{**STEP, "key": "Not a key"}]}, {("steps.0.key", "invalid")}),
        ({"steps": [STEP, STEP]}, {("steps.1.key", "duplicate")}),
        ({"steps": [{**STEP, "action": "fly"}]}, {("steps.0.action", "unknown_action")}),
        ({"steps": [{**STEP, "parameters": {"tex": 1}}]}, {("steps.0.parameters.tex", "unknown_key")}),
        ({"steps": [{**STEP, "parameters": {"text": "damn"}}]}, {("steps.0.parameters.text", "invalid")}),
        (
            {"steps": [{**STEP, "parameters": {"text": "a\x00"}}]},
            {("steps.0.parameters.text", "bad_characters")},
        ),
        ({"steps": [{"type": "wait", "for": {"days": 0}}]}, {("steps.0.for", "span_out_of_range")}),
        ({"steps": [{"type": "wait", "for": {"years": 90}}]}, {("steps.0.for", "span_out_of_range")}),
        ({"steps": [{"type": "wait_until", "timeout": {"days": 1}}]}, {("steps.0", "unknown_shape")}),
        (
            {"steps": [{"type": "wait_until", "event": "a.b"}]},
            {("steps.0.timeout", "not_a_span")},
        ),
        ({"steps": [{"type": "branch", "then": []}]}, {("steps.0.conditions", "required")}),
        (
            {"steps": [{"type": "split", "paths": [{"percent": 50}, {"percent": 40}]}]},
            {("steps.0.paths", "invalid")},
        ),
        ({"steps": [{"type": "split", "paths": [{"percent": 100}]}]}, {("steps.0.paths", "not_a_list")}),
        ({"goal": {"event": 1}}, {("goal.event", "unknown_activity")}),
        ({"goal": {"field": "x", "op": "eq", "value": 1}}, {("goal.field", "unknown_field")}),
        ({"exit": []}, {("exit", "not_an_object")}),
        ({"reentry": {"policy": "never"}}, {("reentry.policy", "unknown_choice")}),
        ({"reentry": {"policy": "after"}}, {("reentry.days", "not_a_count")}),
        ({"reentry": {"policy": "once", "days": 3}}, {("reentry.days", "unexpected_value")}),
        (
            {"quiet_hours": {"from": "25:00", "to": "8:00"}},
            {("quiet_hours.from", "not_a_time"), ("quiet_hours.to", "not_a_time")},
        ),
        ({"quiet_hours": {"from": "08:00", "to": "08:00"}}, {("quiet_hours.to", "invalid")}),
        ({"frequency_cap": {"count": 1}}, {("frequency_cap.within", "not_a_span")}),
        ({"holdout_percent": 95}, {("holdout_percent", "not_a_number")}),
        ({"timeout": {"years": 100}}, {("timeout", "span_out_of_range")}),
        ({"colour": "red"}, {("colour", "unknown_key")}),
    ],
)
def test_faults_are_named(notes: Notes, change: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert faults({"trigger": EVENT, "steps": [STEP]} | change) == expected


@pytest.mark.parametrize("data", [None, [], "x", 7, {}])
def test_no_definition_at_all(data: Any) -> None:
    assert faults(data)


def test_every_fault_is_told_at_once(notes: Notes) -> None:
    found = faults({"trigger": {"type": "x"}, "steps": [{"type": "y"}, {**STEP, "action": "z"}], "extra": 1})
    assert found == {
        ("extra", "unknown_key"),
        ("trigger.type", "unknown_shape"),
        ("steps.0.type", "unknown_shape"),
        ("steps.1.action", "unknown_action"),
    }


def test_limits(notes: Notes) -> None:
    many = [{**STEP, "key": f"k{n}"} for n in range(101)]
    assert ("steps.100", "too_many_steps") in faults({"trigger": EVENT, "steps": many})
    condition = {"field": "tags", "op": "is_set"}
    inner: list[dict[str, Any]] = [STEP]
    for n in range(5):
        inner = [{"key": f"b{n}", "type": "branch", "conditions": condition, "then": inner}]
    assert {code for _path, code in faults({"trigger": EVENT, "steps": inner})} == {"too_deep"}


def test_a_stored_definition_outlives_its_action(notes: Notes) -> None:
    data = {"trigger": EVENT, "steps": [{**STEP, "action": "gone"}]}
    assert parse(data, stored=True).first == "n"


def test_a_branch_in_words_keeps_the_capitals_of_german_nouns() -> None:
    step = {"type": "branch", "conditions": {"field": "lifecycle_stage", "op": "eq", "value": "customer"}}
    then = [{"type": "action", "action": "add_tag", "parameters": {"tag": "vip"}}]
    [branch] = parse({"trigger": EVENT, "steps": [{**step, "then": then, "else": []}]}).steps
    assert step_title(branch).startswith("If lifecycle stage")
    with translation.override("de"):
        assert step_title(branch).startswith("Wenn Lebenszyklusphase")
