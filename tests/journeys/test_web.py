"""The pages of automations: who may what, the form, the run log, the dry run, what comes from customers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crmcem.lib.actors import SYSTEM
from crmcem.lib.nav import navigation
from journeys.models import Automation, AutomationVersion, Run
from journeys.services.automations import automation_update
from journeys.tasks import advance_runs
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import SurveyFactory
from tests.journeys.conftest import STEP, Notes

pytestmark = pytest.mark.django_db
Web = Callable[..., Any]
Make = Callable[..., Automation]
XSS = '<script>alert("x")</script>'
VIP = {"field": "tags", "op": "has_any", "value": ["vip"]}
FAULTY = {"event", "count", "cond-0-value", "step-0-p-text", "step-1-n", "quiet_from"}
LIST, NEW = "/automations/", "/automations/new/"


def form(**values: str) -> dict[str, str]:
    """What a browser sends for one note after an order."""
    return {
        "do": "save",
        "name": "Welcome",
        "description": "",
        "trigger": "event",
        "event": "order.placed",
        "count": "1",
        "within_n": "",
        "within_unit": "days",
        "match": "all",
        "reentry": "once",
        "step-0-type": "action",
        "step-0-key": "",
        "step-0-action": "note",
        "step-0-p-text": "hi",
        **values,
    }


def text(response: Any) -> str:
    return str(response.content.decode())


@pytest.fixture
def ran(automation: Make, happen: Any, drain: Any, notes: Notes, cast: Cast) -> Run:
    """A run that waits, of the rep's customer."""
    automation(steps=[STEP, {"key": "w", "type": "wait", "for": {"days": 3}}])
    happen(ContactFactory(first_name="Ada", last_name=XSS, owner=cast.rep, team=cast.north), amount=XSS)
    drain()
    advance_runs()
    return Run.objects.get()


def pages(run: Run) -> list[str]:
    pk = run.automation_id
    return [
        LIST,
        f"{LIST}{pk}/",
        f"{LIST}{pk}/versions/1/",
        f"{LIST}{pk}/dry-run/",
        f"{LIST}{pk}/dry-run/?q=ada",
        f"{LIST}{pk}/dry-run/?contact={run.contact_id}",
        "/automation-runs/",
        f"/automation-runs/?automation={pk}&status=active",
        f"/automation-runs/{run.pk}/",
        f"/automation-runs/of/{run.contact_id}/",
    ]


def test_who_may_open_what(cast: Cast, web: Web, ran: Run) -> None:
    pk = ran.automation_id
    writing = [NEW, f"{LIST}start/", f"{LIST}{pk}/edit/"]
    posts = [f"{LIST}{pk}/{what}/" for what in ("activate", "pause", "delete", "edit")]
    posts += [NEW, f"{LIST}start/", f"/automation-runs/{ran.pk}/cancel/", f"/automation-runs/{ran.pk}/retry/"]
    for user in (cast.rep, cast.manager, cast.readonly):
        client = web(user)
        assert [client.get(url).status_code for url in pages(ran)] == [200] * 10
        assert [client.get(url).status_code for url in writing] == [403] * 3
        assert [client.post(url, form()).status_code for url in posts] == [403] * 8
    client = web(cast.nobody)
    assert {client.get(url).status_code for url in [*pages(ran), *writing]} == {403}
    assert {client.post(url, form()).status_code for url in posts} == {403}
    ran.refresh_from_db()
    assert (ran.status, ran.automation.status) == ("active", "active")
    assert (Automation.objects.count(), AutomationVersion.objects.count()) == (1, 1)
    client = web(cast.cx)
    assert [client.get(url).status_code for url in [*pages(ran), *writing]] == [200] * 13


def test_another_teams_customer_is_nowhere(cast: Cast, web: Web, ran: Run) -> None:
    client = web(cast.rep2)
    hidden = [
        f"/automation-runs/{ran.pk}/",
        f"/automation-runs/of/{ran.contact_id}/",
        f"{LIST}{ran.automation_id}/dry-run/?contact={ran.contact_id}",
    ]
    assert [client.get(url).status_code for url in hidden] == [404] * 3
    for url in (
        f"{LIST}{ran.automation_id}/",
        "/automation-runs/",
        f"{LIST}{ran.automation_id}/dry-run/?q=ada",
    ):
        assert "Ada" not in text(client.get(url))
    row = client.get(LIST).context["rows_html"]
    assert '<td class="num wide">1</td>' not in row
    assert '<td class="num wide">1</td>' in web(cast.rep).get(LIST).context["rows_html"]


def test_nothing_from_outside_is_markup(cast: Cast, web: Web, ran: Run) -> None:
    Run.objects.filter(pk=ran.pk).update(error=XSS, reason=XSS)
    automation_update(automation=ran.automation, values={"name": XSS, "description": XSS}, actor=SYSTEM)
    client = web(cast.cx)
    for url in [*pages(ran), f"{LIST}{ran.automation_id}/edit/"]:
        assert "<script>alert" not in text(client.get(url)), url
    for url in (f"{LIST}{ran.automation_id}/", f"/automation-runs/{ran.pk}/"):
        assert "&lt;script&gt;alert" in text(client.get(url))
    answer = client.post(NEW, form(name=XSS, **{"step-0-p-text": "damn", "event": XSS}))
    assert answer.status_code == 422
    assert "<script>alert" not in text(answer)


def test_the_form_makes_what_it_says(cast: Cast, web: Web, notes: Notes) -> None:
    client = web(cast.cx)
    answer = client.post(
        NEW,
        form(
            **{
                "count": "2",
                "within_n": "90",
                "where-0-field": "amount",
                "where-0-op": "gt",
                "where-0-value": "10",
                "cond-0-field": "lifecycle_stage",
                "cond-0-op": "eq",
                "cond-0-value": "customer",
                "cond-3-field": "pulse.last_seen_at",
                "cond-3-op": "in_last",
                "cond-3-value": "12 days",
                "step-4-type": "wait",
                "step-4-n": "3",
                "step-4-unit": "days",
                "step-7-type": "wait_until",
                "step-7-event": "survey.answered",
                "step-7-n": "2",
                "step-7-unit": "weeks",
                "step-8-type": "json",
                "step-8-json": '{"type": "branch", "conditions": {"field": "tags", "op": "has_any", "value": ["vip"]}}',
                "reentry": "after",
                "reentry_days": "30",
                "quiet_from": "21:00",
                "quiet_to": "08:00",
                "cap": "2",
                "cap_n": "7",
                "cap_unit": "days",
                "holdout": "5",
                "timeout_n": "60",
                "timeout_unit": "days",
                "rules_json": '{"goal": {"event": "deal.won"}}',
            }
        ),
    )
    made = Automation.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{LIST}{made.pk}/")
    assert made.current_version is not None
    assert made.current_version.definition == {
        "trigger": {
            "type": "event",
            "event": "order.placed",
            "count": 2,
            "within": {"days": 90},
            "where": [{"property": "amount", "op": "gt", "value": 10}],
        },
        "conditions": {
            "all": [
                {"field": "lifecycle_stage", "op": "eq", "value": "customer"},
                {"field": "pulse.last_seen_at", "op": "in_last", "value": {"days": 12}},
            ]
        },
        "steps": [
            {"key": "action-1", "type": "action", "action": "note", "parameters": {"text": "hi"}},
            {"key": "wait-2", "type": "wait", "for": {"days": 3}},
            {
                "key": "wait_until-3",
                "type": "wait_until",
                "event": "survey.answered",
                "timeout": {"weeks": 2},
            },
            {"key": "branch-4", "type": "branch", "conditions": VIP, "then": [], "else": []},
        ],
        "reentry": {"policy": "after", "days": 30},
        "quiet_hours": {"from": "21:00", "to": "08:00"},
        "frequency_cap": {"count": 2, "within": {"days": 7}},
        "holdout_percent": 5,
        "timeout": {"days": 60},
        "goal": {"event": "deal.won"},
    }
    assert (made.status, made.created_by) == ("draft", cast.cx)
    page = client.get(f"{LIST}{made.pk}/edit/")
    fields = page.context["draft"].values
    again = client.post(f"{LIST}{made.pk}/edit/", {**fields, "do": "save"})
    assert again.status_code == 302
    assert made.versions.count() == 1  # what is read into the form is written back unchanged


def test_a_definition_that_the_form_can_not_show_stays_whole(cast: Cast, web: Web, automation: Make) -> None:
    row = automation(
        {"type": "event", "event": "order.placed", "where": [{"any": [{"property": "a", "op": "is_set"}]}]},
        [
            {"key": "u", "type": "wait_until", "conditions": VIP, "timeout": {"days": 2}},
            {
                "key": "s",
                "type": "split",
                "paths": [
                    {"name": "A", "percent": 50, "steps": [STEP]},
                    {"name": "B", "percent": 50, "steps": []},
                ],
            },
        ],
        conditions={
            "not": {
                "any": [VIP, {"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 9}}]
            }
        },
        exit=VIP,
    )
    before = AutomationVersion.objects.get().definition
    client = web(cast.cx)
    fields = client.get(f"{LIST}{row.pk}/edit/").context["draft"].values
    client.post(f"{LIST}{row.pk}/edit/", {**fields, "name": "Renamed", "do": "save"})
    row.refresh_from_db()
    assert row.name == "Renamed"
    assert row.current_version is not None
    assert {**row.current_version.definition, "reentry": 0} == {**before, "reentry": 0}


def test_an_error_stands_at_its_field_and_what_was_typed_stays(cast: Cast, web: Web, notes: Notes) -> None:
    answer = web(cast.cx).post(
        NEW,
        form(
            **{
                "name": "",
                "event": "*",
                "count": "many",
                "cond-0-field": "lifecycle_stage",
                "cond-0-op": "eq",
                "cond-0-value": "emperor",
                "step-0-p-text": "damn",
                "step-1-type": "wait",
                "step-1-n": "0",
                "step-1-unit": "days",
                "step-2-type": "json",
                "step-2-json": "{not json",
                "quiet_from": "25:00",
                "quiet_to": "08:00",
            }
        ),
    )
    assert answer.status_code == 422
    errors = answer.context["draft"].errors
    assert set(errors) == {*FAULTY, "step-2-json"}
    assert len(errors["step-2-json"]) == 1
    answer = web(cast.cx).post(
        NEW,
        form(
            **{
                "event": "*",
                "count": "many",
                "cond-0-field": "lifecycle_stage",
                "cond-0-op": "eq",
                "cond-0-value": "emperor",
                "step-0-p-text": "damn",
                "step-1-type": "wait",
                "step-1-n": "0",
                "step-1-unit": "days",
                "step-2-type": "json",
                "step-2-json": '{"type": "branch", "then": [{"type": "wait"}]}',
                "quiet_from": "25:00",
                "quiet_to": "08:00",
            }
        ),
    )
    assert answer.status_code == 422
    assert set(answer.context["draft"].errors) == {*FAULTY, "step-2-json"}
    shown = text(answer)
    assert "No swearing." in shown
    for typed in ('value="many"', "emperor", 'value="damn"', 'value="25:00"'):
        assert typed in shown
    assert not Automation.objects.exists()


SEVERAL = {
    "any": [VIP, {"activity": "order.placed", "op": "gte", "count": 2, "within": {"days": 90}}],
}


def test_conditions_are_built_and_not_typed(cast: Cast, web: Web, notes: Notes) -> None:
    client = web(cast.cx)
    row = {"cond-0-field": "tags", "cond-0-op": "has_any", "cond-0-value": "vip"}
    shown = client.post(NEW, form(do="cond-build", **row))
    draft = shown.context["draft"]
    assert (draft.get("cond_mode"), json.loads(draft.get("cond_json"))) == ("json", VIP)
    assert draft.row_parts("cond") == []
    page = text(shown)
    assert page.count("data-condition-builder ") == 1
    assert 'name="cond_json"' in page
    assert "js/condition_builder.js" in page
    made = client.post(NEW, form(cond_mode="json", cond_json=json.dumps(SEVERAL)))
    assert made.status_code == 302
    automation = Automation.objects.get()
    assert automation.current_version is not None
    assert automation.current_version.definition["conditions"] == SEVERAL
    again = text(client.get(f"/automations/{automation.pk}/edit/"))
    assert again.count("data-condition-builder ") == 1
    refused = client.post(
        NEW, form(name="Other", cond_mode="json", cond_json='{"field": "gone", "op": "eq"}')
    )
    assert refused.status_code == 422
    assert "There is no field “gone”." in text(refused)


def test_a_branch_has_the_builder_and_comes_back_as_it_was(cast: Cast, web: Web, notes: Notes) -> None:
    client = web(cast.cx)
    added = client.post(NEW, form(do="add", add="branch"))
    assert added.context["draft"].get("step-1-type") == "branch"
    assert 'name="step-1-conditions"' in text(added)
    branch = {
        "step-1-type": "branch",
        "step-1-key": "good",
        "step-1-conditions": json.dumps(SEVERAL),
        "step-1-then_json": '[{"type": "wait", "for": {"days": 1}}]',
        "step-1-else_json": "",
    }
    assert client.post(NEW, form(**branch)).status_code == 302
    automation = Automation.objects.get()
    assert automation.current_version is not None
    step = automation.current_version.definition["steps"][1]
    assert (step["key"], step["type"], step["conditions"], step["else"]) == ("good", "branch", SEVERAL, [])
    assert [each["type"] for each in step["then"]] == ["wait"]
    edit = client.get(f"/automations/{automation.pk}/edit/")
    shown = edit.context["draft"]
    assert shown.get("step-1-type") == "branch"
    assert json.loads(shown.get("step-1-conditions")) == SEVERAL
    client.post(f"/automations/{automation.pk}/edit/", {**shown.values, "do": "save"})
    automation.refresh_from_db()
    assert AutomationVersion.objects.count() == 1, "nothing was changed"
    wrong = client.post(NEW, form(name="Other", **{**branch, "step-1-conditions": "{not"}))
    assert wrong.status_code == 422
    assert set(wrong.context["draft"].errors) == {"step-1-conditions"}


def test_the_form_costs_the_same_however_many_branches(cast: Cast, web: Web, automation: Make) -> None:
    client = web(cast.cx)

    def cost(size: int) -> int:
        branch = {"type": "branch", "conditions": VIP, "then": [], "else": []}
        row = automation(steps=[STEP, *({"key": f"b{n}", **branch} for n in range(size))])
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"/automations/{row.pk}/edit/").status_code == 200
        return len(captured)

    cost(1)
    assert cost(1) == cost(6)


def test_a_taken_name_and_a_lost_update(cast: Cast, web: Web, automation: Make, notes: Notes) -> None:
    row = automation()
    client = web(cast.cx)
    answer = client.post(NEW, form(name=row.name))
    assert answer.status_code == 422
    assert list(answer.context["draft"].errors) == ["name"]
    url = f"{LIST}{row.pk}/edit/"
    fields = client.get(url).context["draft"].values
    automation_update(automation=row, values={"description": "meanwhile"}, actor=SYSTEM)
    answer = client.post(url, {**fields, "description": "mine", "do": "save"})
    assert (answer.status_code, list(answer.context["draft"].errors)) == (422, [""])
    row.refresh_from_db()
    assert row.description == "meanwhile"
    assert client.post(url, {**answer.context["draft"].values, "do": "save"}).status_code == 302
    row.refresh_from_db()
    assert row.description == "mine"


def test_every_button_works_without_javascript(cast: Cast, web: Web, notes: Notes) -> None:
    client = web(cast.cx)
    values = form(do="add", add="action:create_task")

    def press(do: str, **extra: str) -> dict[str, str]:
        answer = client.post(NEW, {**values, **extra, "do": do})
        assert answer.status_code == 200
        return dict(answer.context["draft"].values)

    def kinds() -> list[str]:
        found = sorted(k for k in values if k.startswith("step-") and k.endswith("-type"))
        return [values[k] + values.get(k.replace("type", "action"), "") for k in found]

    values = press("add", add="action:create_task")
    values = press("add", add="wait")
    assert kinds() == ["actionnote", "actioncreate_task", "wait"]
    assert values["step-1-p-kind"] == "todo"
    values = press("up:2")
    assert kinds() == ["actionnote", "wait", "actioncreate_task"]
    values = press("remove:0")
    assert kinds() == ["wait", "actioncreate_task"]
    values = press("cond-add")
    values = press("cond-add")
    values = press("cond-remove:0")
    assert [k for k in values if k.startswith("cond-")] == ["cond-0-field", "cond-0-op", "cond-0-value"]
    values = press("where-add")
    assert values["where-0-op"] == "gte"
    for nonsense in ("up:99", "remove:x", "add", "dance", "remove:" + "9" * 400):
        press(nonsense, add="action:nothing")
    assert not Automation.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"trigger": "moon"},
        {"event": "\x00"},
        {"name": "a" * 300},
        {"step-0-type": "dance"},
        {"step-0-action": "fly"},
        {"step-0-p-text": "\x00"},
        {"step-0-p-nothing": "x"},
        {"step-0-key": "NOT A KEY"},
        {"step-1-type": "json", "step-1-json": "[" * 5000},
        {"step-1-type": "json", "step-1-json": "NaN"},
        {"step-1-type": "json", "step-1-json": "7"},
        {"rules_json": "[]"},
        {"rules_json": '{"steps": []}'},
        {"cond_mode": "json", "cond_json": '{"field": "email"}'},
        {"cond_mode": "json", "cond_json": "7"},
        {"where_mode": "json", "where_json": '[{"property": 1}]'},
        {"cond-0-field": "nothing", "cond-0-op": "like", "cond-0-value": ""},
        {"reentry": "sometimes"},
        {"reentry": "after", "reentry_days": "soon"},
        {"cap": "1"},
        {"holdout": "95"},
        {"timeout_n": "9" * 30},
        {"version": "x" * 20, "count": "0"},
    ],
)
def test_bad_input_is_told_and_nothing_is_written(
    cast: Cast, web: Web, notes: Notes, values: dict[str, str]
) -> None:
    answer = web(cast.cx).post(NEW, form(**values))
    assert answer.status_code in {400, 422}
    if answer.status_code == 422:
        assert answer.context["fault_count"] >= 1
    assert not Automation.objects.exists()


def test_a_form_too_large(cast: Cast, web: Web, notes: Notes) -> None:
    many = {f"cond-{n}-field": "email" for n in range(900)}
    assert web(cast.cx).post(NEW, form(**many)).status_code in {200, 400, 422}
    assert web(cast.cx).post(NEW, form(description="x" * 70_000)).status_code in {400, 422}
    assert not Automation.objects.exists()


def test_activate_pause_delete(cast: Cast, web: Web, automation: Make) -> None:
    row = automation(activate=False)
    client = web(cast.cx)
    page = text(client.get(f"{LIST}{row.pk}/"))
    assert "What happened before starts nothing" in page
    assert client.get(f"{LIST}{row.pk}/activate/").status_code == 405
    for what, status in (("activate", "active"), ("pause", "paused")):
        assert client.post(f"{LIST}{row.pk}/{what}/").status_code == 302
        row.refresh_from_db()
        assert row.status == status
    assert client.post(f"{LIST}{row.pk}/delete/").status_code == 302
    assert not Automation.objects.exists()
    assert client.post(f"{LIST}{row.pk}/pause/").status_code == 404


def test_activation_says_how_many_start_at_once(cast: Cast, web: Web, automation: Make) -> None:
    import datetime as dt

    from django.utils import timezone

    for days in (3, 13, 14):
        ContactFactory(pulse={"last_seen_at": timezone.now() - dt.timedelta(days=days)})
    row = automation({"type": "absence", "for": {"days": 12}}, activate=False)
    page = text(web(cast.cx).get(f"{LIST}{row.pk}/"))
    assert "2 customers are away long enough already and start at once." in page


def test_a_definition_that_can_not_be_used_is_told(cast: Cast, web: Web, automation: Make) -> None:
    row = automation()
    AutomationVersion.objects.update(
        definition={"trigger": {"type": "moon"}, "steps": [{"type": "dance"}], "conditions": 7}
    )
    client = web(cast.cx)
    for url in (LIST, f"{LIST}{row.pk}/", f"{LIST}{row.pk}/versions/1/", f"{LIST}{row.pk}/edit/"):
        assert client.get(url).status_code == 200, url
    assert "use this definition" in text(client.get(f"{LIST}{row.pk}/"))
    assert client.get(f"{LIST}{row.pk}/dry-run/?contact={ContactFactory().pk}").status_code == 400


def test_a_run_is_cancelled_and_tried_again(cast: Cast, web: Web, ran: Run, notes: Notes) -> None:
    client = web(cast.cx)
    page = text(client.get(f"/automation-runs/{ran.pk}/"))
    assert "Noted hi" in page
    assert "Waits 3 days" in page
    assert client.post(f"/automation-runs/{ran.pk}/cancel/").status_code == 302
    ran.refresh_from_db()
    assert ran.status == "cancelled"
    again = client.post(f"/automation-runs/{ran.pk}/cancel/", follow=True)
    assert "This run has ended already." in text(again)
    Run.objects.filter(pk=ran.pk).update(status="failed", step_key="n", error="It broke.")
    assert "It broke." in text(client.get(f"/automation-runs/{ran.pk}/"))
    client.post(f"/automation-runs/{ran.pk}/retry/")
    ran.refresh_from_db()
    assert ran.status == "active"


def test_start_with_two(cast: Cast, web: Web) -> None:
    client = web(cast.cx)
    empty = text(client.get(LIST))
    assert f'href="{reverse("journeys:defaults")}"' in empty
    survey = SurveyFactory(name="Loyalty")
    assert f'<option value="{survey.pk}" selected>' in text(client.get(f"{LIST}start/"))
    assert client.post(f"{LIST}start/", {"survey": "x"}).status_code == 422
    for _ in range(2):
        assert client.post(f"{LIST}start/", {"survey": survey.pk, "activate": "on"}).status_code == 302
    assert set(Automation.objects.values_list("name", "status")) == {
        ("Ask for NPS after the second order", "active"),
        ("Follow up customers who stay away", "active"),
    }
    listed = text(client.get(LIST))
    assert "When “order.placed” happens 2 times within 90 days" in listed
    assert "When a customer is not seen for 12 days" in listed


def test_the_palette_and_the_panel(cast: Cast, web: Web, ran: Run) -> None:
    from journeys.selectors.search import find

    assert [hit.label for hit in find("automation", cast.rep, 5)] == [ran.automation.name]
    assert find("nothing\x00", cast.rep, 5) == []
    panel = text(web(cast.rep).get(f"/automation-runs/of/{ran.contact_id}/"))
    assert ran.automation.name in panel
    other = ContactFactory(owner=cast.rep, team=cast.north)
    assert text(web(cast.rep).get(f"/automation-runs/of/{other.pk}/")).strip() == ""


def test_pages_cost_the_same_whatever_their_length(
    cast: Cast,
    web: Web,
    automation: Make,
    happen: Any,
    drain: Any,
    django_assert_max_num_queries: Any,
) -> None:
    first = automation(reentry={"policy": "always"})
    client = web(cast.cx)
    contact = ContactFactory()

    def measure() -> None:
        for url, most in (
            (LIST, 12),
            ("/automation-runs/", 12),
            (f"{LIST}{first.pk}/", 20),
            (f"{LIST}{first.pk}/edit/", 12),
            (f"/automation-runs/of/{contact.pk}/", 8),
        ):
            client.get(url)
            with django_assert_max_num_queries(most):
                assert client.get(url).status_code == 200

    happen(contact)
    drain()
    advance_runs()
    measure()
    for _ in range(4):
        automation(reentry={"policy": "always"})
    for _ in range(15):
        happen(ContactFactory())
        happen(contact)
    drain()
    advance_runs()
    measure()
    run = Run.objects.latest("pk")
    with django_assert_max_num_queries(12):
        client.get(f"/automation-runs/{run.pk}/")


@pytest.mark.parametrize(
    "query", ["status=x", "automation=x", "colour=1", "cursor=x", "ordering=x", "contact=y"]
)
def test_a_wrong_url_is_explained(cast: Cast, web: Web, query: str) -> None:
    assert web(cast.cx).get(f"/automation-runs/?{query}").status_code == 400


@pytest.mark.parametrize(
    "path", ["/automations/", "/automations/3/", "/automation-runs/", "/automation-runs/3/"]
)
def test_automations_are_the_active_entry_on_their_pages_and_on_those_of_runs(path: str) -> None:
    shown = navigation(lambda scope: True, path)
    assert [item["entry"].key for item in shown if item["active"]] == ["automations"]
