"""Automations and runs over the API: definitions, status, dry runs, visibility."""

from collections.abc import Callable
from typing import Any

import pytest

from contacts.models import Activity
from journeys.models import Automation, AutomationVersion, Run
from journeys.tasks import advance_runs
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.journeys.conftest import STEP, Notes

pytestmark = pytest.mark.django_db
Api = Callable[..., Any]
Make = Callable[..., Automation]
URL = "/api/v1/automations/"
RUNS = "/api/v1/automation-runs/"
DEFINITION = {"trigger": {"type": "event", "event": "order.placed"}, "steps": [STEP]}


def body(**values: Any) -> dict[str, Any]:
    return {"name": "Welcome", "definition": DEFINITION, **values}


def test_make_change_activate_pause_delete(cast: Cast, api: Api, notes: Notes) -> None:
    client = api(cast.cx)
    made = client.post(URL, body(), format="json")
    assert made.status_code == 201, made.content
    data = made.json()
    assert (data["status"], data["definition_version"], data["definition"]) == ("draft", 1, DEFINITION)
    assert data["trigger"] == "When “order.placed” happens"
    assert made["ETag"] == f'"{data["version"]}"'
    url = f"{URL}{data['id']}/"
    changed = client.patch(
        url,
        {"definition": {**DEFINITION, "reentry": {"policy": "always"}}, "status": "active"},
        format="json",
        HTTP_IF_MATCH=made["ETag"],
    )
    assert changed.status_code == 200, changed.content
    assert (changed.json()["status"], changed.json()["definition_version"]) == ("active", 2)
    assert client.patch(url, {"name": "x"}, format="json", HTTP_IF_MATCH=made["ETag"]).status_code == 412
    versions = client.get(f"{url}versions/").json()
    assert [v["number"] for v in versions] == [2, 1]
    assert versions[1]["definition"] == DEFINITION
    assert client.patch(url, {"status": "draft"}, format="json").status_code == 400
    assert client.patch(url, {"status": "paused"}, format="json").json()["status"] == "paused"
    assert client.delete(url).status_code == 204
    assert not Automation.objects.exists()


def test_faults_are_named_by_path_and_nothing_is_kept(cast: Cast, api: Api, notes: Notes) -> None:
    bad = {
        "trigger": {"type": "event", "event": "order.placed", "count": 0},
        "steps": [{"type": "wait", "for": {"days": 0}}, {**STEP, "action": "nott"}],
        "conditions": {"field": "emial", "op": "is_set"},
    }
    answer = api(cast.cx).post(URL, body(definition=bad), format="json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert {(e["field"], e["code"]) for e in answer.json()["errors"]} == {
        ("definition.trigger.count", "not_a_count"),
        ("definition.conditions.field", "unknown_field"),
        ("definition.steps.0.for", "span_out_of_range"),
        ("definition.steps.1.action", "unknown_action"),
    }
    assert not Automation.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"definition": None},
        {"definition": "x"},
        {"definition": []},
        {"definition": {"trigger": {}, "steps": 3}},
        {"name": "a\x00b"},
        {"name": "  "},
        {"name": 7, "definition": DEFINITION, "colour": "red"},
        {"description": "\x00"},
        {"status": "paused"},
        {"status": "running"},
        {"problem": "none"},
        {"created_by": "1"},
    ],
)
def test_bad_input(cast: Cast, api: Api, notes: Notes, values: dict[str, Any]) -> None:
    answer = api(cast.cx).post(URL, body(**values), format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"] or "NUL" in answer.json()["detail"]
    assert not Automation.objects.exists()


def test_a_name_is_taken_once(cast: Cast, api: Api, automation: Make) -> None:
    name = automation().name
    answer = api(cast.cx).post(URL, body(name=name), format="json")
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("name", "unique")]
    assert Automation.objects.count() == 1


def test_who_may_what(cast: Cast, api: Api, automation: Make) -> None:
    row = automation()
    url = f"{URL}{row.pk}/"
    for user in (cast.rep, cast.manager, cast.readonly):
        client = api(user)
        assert client.get(URL).status_code == 200
        assert client.get(url).status_code == 200
        assert client.post(URL, body(), format="json").status_code == 403
        assert client.patch(url, {"status": "paused"}, format="json").status_code == 403
        assert client.delete(url).status_code == 403
        assert client.get(f"{URL}actions/").status_code == 403
    for client, status in ((api(cast.nobody), 403), (api(None), 401), (api(cast.cx, ["contacts:read"]), 403)):
        for path in (URL, url, RUNS, f"{URL}definition-schema/", f"{url}versions/"):
            assert client.get(path).status_code == status
        assert client.post(f"{url}dry-run/", {"contact": "1"}, format="json").status_code == status
    row.refresh_from_db()
    assert (row.status, Automation.objects.count(), AutomationVersion.objects.count()) == ("active", 1, 1)


def test_one_that_ran_is_kept(cast: Cast, api: Api, automation: Make, happen: Any, drain: Any) -> None:
    row = automation()
    happen(ContactFactory())
    drain()
    assert api(cast.cx).delete(f"{URL}{row.pk}/").status_code == 409
    assert Automation.objects.filter(pk=row.pk).exists()


def test_runs_with_every_step(cast: Cast, api: Api, automation: Make, happen: Any, drain: Any) -> None:
    row = automation(steps=[STEP, {"key": "w", "type": "wait", "for": {"days": 1}}])
    contact = ContactFactory()
    happen(contact)
    drain()
    advance_runs()
    client = api(cast.cx)
    (listed,) = client.get(RUNS, {"automation": row.pk, "contact": contact.pk, "status": "active"}).json()[
        "results"
    ]
    assert (listed["contact"], listed["step_key"], "steps" in listed) == (str(contact.pk), "w", False)
    one = client.get(f"{RUNS}{listed['id']}/").json()
    first = one["steps"][0]
    assert (first["step_key"], first["status"], first["reason"]) == ("n", "done", "Noted hi")
    assert one["steps"][1]["status"] == "waiting"
    cancelled = client.post(f"{RUNS}{listed['id']}/cancel/")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["reason"].startswith("Cancelled by ")
    assert client.post(f"{RUNS}{listed['id']}/cancel/").status_code == 409
    assert client.post(f"{RUNS}{listed['id']}/retry/").status_code == 409
    assert client.get(RUNS, {"status": "active"}).json()["results"] == []
    for bad in ({"status": "x"}, {"automation": "x"}, {"contact": "x"}, {"colour": "x"}, {"cursor": "x"}):
        assert client.get(RUNS, bad).status_code == 400


def test_runs_are_seen_with_their_customer(
    cast: Cast, api: Api, automation: Make, happen: Any, drain: Any
) -> None:
    automation(steps=[{"key": "w", "type": "wait", "for": {"days": 1}}])
    mine = ContactFactory(owner=cast.rep, team=cast.north)
    theirs = ContactFactory(owner=cast.rep2, team=cast.south)
    for contact in (mine, theirs):
        happen(contact)
    drain()
    run, hidden = Run.objects.get(contact=mine), Run.objects.get(contact=theirs)
    client = api(cast.rep)
    assert [r["id"] for r in client.get(RUNS).json()["results"]] == [str(run.pk)]
    assert client.get(RUNS, {"contact": theirs.pk}).json()["results"] == []
    assert client.get(f"{RUNS}{hidden.pk}/").status_code == 404
    missing = client.get(f"{RUNS}{hidden.pk + 1000}/").json()
    assert client.get(f"{RUNS}{hidden.pk}/").json() == missing
    assert client.post(f"{RUNS}{run.pk}/cancel/").status_code == 403
    manager = api(cast.manager, ["*"])
    assert manager.post(f"{RUNS}{hidden.pk}/cancel/").status_code in {403, 404}
    assert set(Run.objects.values_list("status", flat=True)) == {"active"}


def test_dry_run(cast: Cast, api: Api, automation: Make, notes: Notes) -> None:
    row = automation()
    mine = ContactFactory(owner=cast.rep, team=cast.north)
    theirs = ContactFactory(owner=cast.rep2, team=cast.south)
    client = api(cast.rep)
    before = Activity.objects.count()
    found = client.post(f"{URL}{row.pk}/dry-run/", {"contact": str(mine.pk)}, format="json")
    assert found.status_code == 200, found.content
    assert found.json()["starts"] is True
    assert [(s["key"], s["outcome"], s["reason"]) for s in found.json()["steps"]] == [
        ("n", "do", "Would note hi")
    ]
    for bad in ({"contact": str(theirs.pk)}, {"contact": "x"}, {}, {"contact": str(mine.pk), "x": 1}):
        assert client.post(f"{URL}{row.pk}/dry-run/", bad, format="json").status_code == 400
    assert (Run.objects.count(), Activity.objects.count(), notes.done) == (0, before, [])


def test_what_a_definition_may_say(cast: Cast, api: Api, notes: Notes) -> None:
    schema = api(cast.rep).get(f"{URL}definition-schema/").json()
    assert schema["properties"]["conditions"]["$ref"] == "#/$defs/ConditionNode"
    assert "ConditionNode" in schema["$defs"]
    assert schema["required"] == ["trigger", "steps"]
    found = {a["key"]: a for a in api(cast.cx).get(f"{URL}actions/").json()}
    assert found["note"]["parameters"][0] == {
        "key": "text",
        "label": "Text",
        "type": "text",
        "required": True,
        "default": "hello",
        "choices": None,
    }
    assert {"create_task", "send_survey", "send_email"} <= set(found)


def test_lists_cost_the_same_whatever_their_length(
    cast: Cast, api: Api, automation: Make, happen: Any, drain: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        automation(reentry={"policy": "always"})
    for _ in range(12):
        happen(ContactFactory())
    drain()
    client = api(cast.cx)
    client.get(URL)
    for url in (URL, RUNS):
        for size in ("2", "30"):
            with django_assert_max_num_queries(4):
                assert client.get(url, {"page_size": size}).status_code == 200
