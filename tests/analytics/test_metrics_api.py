"""metrics/: pinned definitions, groups, comparison, and nothing of other people's customers."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from analytics.selectors.counting import Scope, counts
from contacts.models import Activity
from feedback.models import Response
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.feedback import InvitationFactory, ResponseFactory, SurveyFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
Drain = Callable[[], int]
NPS = "/api/v1/metrics/nps/"


def answered(**values: Any) -> Response:
    """A raw answer that the stream announces."""
    contact = values.setdefault("contact", ContactFactory())
    row = ResponseFactory(
        owner_id=values.pop("owner_id", contact.owner_id if contact else None),
        company_id=contact.company_id if contact else None,
        **values,
    )
    Activity.objects.create(kind="survey.answered", subject_type="response", subject_id=row.pk)
    return row


def many(survey: Any, contact: Any, promoters: int, passives: int, detractors: int, **values: Any) -> None:
    for nps, how_many in ((10, promoters), (7, passives), (0, detractors)):
        for _n in range(how_many):
            answered(survey=survey, contact=contact, nps=nps, **values)


def test_fifty_thirty_twenty_is_thirty_give_or_take_fifteen(cast: Cast, api: Api, drain: Drain) -> None:
    many(SurveyFactory(), ContactFactory(), 50, 30, 20)
    drain()
    [row] = api(cast.cx).get(NPS).json()
    assert (row["n"], row["promoters"], row["passives"], row["detractors"]) == (100, 50, 30, 20)
    assert row["value"] == pytest.approx(30)
    assert (row["low"], row["high"]) == (
        pytest.approx(30 - 15.31, abs=0.005),
        pytest.approx(30 + 15.31, abs=0.005),
    )
    assert (row["group"], row["reliable"], row["previous"]) == (None, True, None)


def test_nobody_asked_is_no_value(cast: Cast, api: Api) -> None:
    for name in ("nps", "csat", "ces", "response-rate"):
        [row] = api(cast.cx).get(f"/api/v1/metrics/{name}/").json()
        assert (row["n"], row["value"], row["low"], row["high"], row["reliable"]) == (
            0,
            None,
            None,
            None,
            False,
        )


def test_csat_is_wilsons_eighty_of_hundred(cast: Cast, api: Api, drain: Drain) -> None:
    survey, contact = SurveyFactory(), ContactFactory()
    for csat, how_many in ((5, 50), (4, 30), (3, 20)):
        for _n in range(how_many):
            answered(survey=survey, contact=contact, nps=None, csat=csat, csat_scale=5)
    drain()
    [row] = api(cast.cx).get("/api/v1/metrics/csat/").json()
    assert (row["n"], row["satisfied"], row["value"]) == (100, 80, pytest.approx(80))
    assert (row["low"], row["high"]) == (pytest.approx(71.1, abs=0.05), pytest.approx(86.7, abs=0.05))


def test_ces_has_share_and_mean(cast: Cast, api: Api, drain: Drain) -> None:
    survey, contact = SurveyFactory(), ContactFactory()
    for ces in (7, 5, 4, 1):
        answered(survey=survey, contact=contact, nps=None, ces=ces)
    drain()
    [row] = api(cast.cx).get("/api/v1/metrics/ces/").json()
    assert (row["n"], row["value"], row["mean"]) == (4, pytest.approx(50), pytest.approx(4.25))


def test_the_period_before_and_whether_it_is_chance(cast: Cast, api: Api, drain: Drain) -> None:
    survey, contact, now = SurveyFactory(), ContactFactory(), timezone.now()
    many(survey, contact, 60, 25, 15, submitted_at=now - dt.timedelta(days=2))
    many(survey, contact, 50, 30, 20, submitted_at=now - dt.timedelta(days=9))
    drain()
    [row] = api(cast.cx).get(NPS, {"period": "7d", "compare": "previous"}).json()
    before = row["previous"]
    assert (row["value"], before["value"], before["delta"]) == (
        pytest.approx(45),
        pytest.approx(30),
        pytest.approx(15),
    )
    assert (before["n"], before["z"], before["significant"]) == (100, pytest.approx(1.394, abs=0.0005), False)
    last = dt.date.fromisoformat(before["last"])
    assert last == now.date() - dt.timedelta(days=7)
    assert dt.date.fromisoformat(before["first"]) == now.date() - dt.timedelta(days=13)


def test_response_rate_with_aapor_beside_it(cast: Cast, api: Api, drain: Drain) -> None:
    survey, contact, now = SurveyFactory(), ContactFactory(), timezone.now()
    for status in ("answered", "answered", "sent", "expired", "opened"):
        row = InvitationFactory(survey=survey, contact=contact, status=status, sent_at=now, touchpoint="shop")
        if status == "opened":
            ResponseFactory(
                survey=survey, contact=contact, invitation=row, status="partial", submitted_at=None
            )
        Activity.objects.create(kind="survey.invited", subject_type="invitation", subject_id=row.pk)
    InvitationFactory(survey=survey, contact=contact, status="suppressed", sent_at=None)
    drain()
    [row] = api(cast.cx).get("/api/v1/metrics/response-rate/", {"group_by": "touchpoint"}).json()
    assert (row["group"], row["delivered"], row["answered"], row["partial"]) == ("shop", 5, 2, 1)
    assert (row["value"], row["rr1"], row["rr2"]) == (pytest.approx(40), pytest.approx(40), pytest.approx(60))


def test_every_day_of_the_period_is_there(cast: Cast, api: Api, drain: Drain) -> None:
    answered(survey=SurveyFactory(), nps=9, submitted_at=dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC))
    drain()
    client = api(cast.cx)
    rows = client.get(NPS, {"from": "2026-03-01", "to": "2026-03-03", "group_by": "day"}).json()
    assert [(r["group"], r["n"], r["value"]) for r in rows] == [
        ("2026-03-01", 0, None),
        ("2026-03-02", 1, pytest.approx(100)),
        ("2026-03-03", 0, None),
    ]
    weeks = client.get(NPS, {"from": "2026-03-01", "to": "2026-03-03", "group_by": "week"}).json()
    assert [(r["group"], r["n"]) for r in weeks] == [("2026-02-23", 0), ("2026-03-02", 1)]
    months = client.get(NPS, {"from": "2026-02-27", "to": "2026-03-03", "group_by": "month"}).json()
    assert [(r["group"], r["n"]) for r in months] == [("2026-02-01", 0), ("2026-03-01", 1)]


def test_groups_by_what_answers_carry(cast: Cast, api: Api, drain: Drain) -> None:
    survey, company = SurveyFactory(name="After delivery"), CompanyFactory(name="Acme")
    known = ContactFactory(owner=cast.rep, company=company)
    answered(survey=survey, contact=known, nps=10, touchpoint="delivery", topics=["price", "speed"])
    answered(survey=survey, contact=known, nps=0, touchpoint="delivery", topics=["speed"])
    answered(survey=survey, contact=ContactFactory(), nps=7)
    drain()

    def rows(group: str, **more: Any) -> list[tuple[Any, ...]]:
        found = api(cast.cx).get(NPS, {"group_by": group, **more}).json()
        return [(r["group"], r["label"], r["n"], r["value"]) for r in found]

    assert rows("touchpoint") == [("delivery", "delivery", 2, 0), (None, "No touchpoint", 1, 0)]
    assert rows("owner") == [(str(cast.rep.pk), "Rep", 2, 0), (None, "No owner", 1, 0)]
    assert rows("company") == [(str(company.pk), "Acme", 2, 0), (None, "No company", 1, 0)]
    assert rows("survey") == [(str(survey.pk), "After delivery", 3, 0)]
    assert rows("topic") == [("speed", "speed", 2, 0), ("price", "price", 1, 100)]
    assert rows("touchpoint", owner=str(cast.rep.pk)) == [("delivery", "delivery", 2, 0)]
    assert rows("owner", touchpoint="none") == [(None, "No owner", 1, 0)]
    assert rows("touchpoint", limit=1) == [("delivery", "delivery", 2, 0)]


def test_conditions_narrow_to_their_contacts(cast: Cast, api: Api, drain: Drain) -> None:
    survey = SurveyFactory()
    answered(survey=survey, contact=ContactFactory(lifecycle_stage="customer"), nps=10)
    answered(survey=survey, contact=ContactFactory(lifecycle_stage="lead"), nps=0)
    drain()
    asked = '{"field": "lifecycle_stage", "op": "eq", "value": "customer"}'
    [row] = api(cast.cx).get(NPS, {"conditions": asked}).json()
    assert (row["n"], row["value"]) == (1, 100)


class TestNoSideDoor:
    @pytest.fixture
    def mixed(self, cast: Cast, drain: Drain) -> dict[str, Any]:
        survey = SurveyFactory()
        south = CompanyFactory(name="Secret South", owner=cast.rep2, team=cast.south)
        mine = ContactFactory(owner=cast.rep, team=cast.north)
        theirs = ContactFactory(owner=cast.rep2, team=cast.south, company=south)
        ours = ContactFactory(owner=cast.manager, team=cast.north, company=south)
        answered(survey=survey, contact=mine, nps=10, touchpoint="north")
        answered(survey=survey, contact=theirs, nps=0, touchpoint="south", topics=["hidden"])
        answered(survey=survey, contact=ours, nps=8, touchpoint="north")
        answered(survey=survey, contact=None, nps=3, touchpoint="anonymous")
        before = timezone.now() - dt.timedelta(days=40)
        answered(survey=survey, contact=theirs, nps=0, submitted_at=before)
        invited = InvitationFactory(survey=survey, contact=theirs, status="sent", sent_at=timezone.now())
        Activity.objects.create(kind="survey.invited", subject_type="invitation", subject_id=invited.pk)
        drain()
        return {"survey": survey, "south": south, "theirs": theirs, "mine": mine}

    def total(self, client: APIClient, **asked: Any) -> list[tuple[Any, int]]:
        answer = client.get(NPS, asked)
        assert answer.status_code == 200, answer.content
        return [(row["group"], row["n"]) for row in answer.json()]

    def test_each_sees_the_answers_of_their_contacts(self, cast: Cast, api: Api, mixed: Any) -> None:
        assert self.total(api(cast.rep)) == [(None, 1)]
        assert self.total(api(cast.rep2)) == [(None, 1)]
        assert self.total(api(cast.manager)) == [(None, 2)]
        assert self.total(api(cast.cx)) == [(None, 4)]

    def test_no_group_filter_or_comparison_shows_others(self, cast: Cast, api: Api, mixed: Any) -> None:
        client, me, other = api(cast.rep), str(cast.rep.pk), str(cast.rep2.pk)
        assert self.total(client, group_by="touchpoint") == [("north", 1)]
        assert self.total(client, group_by="owner") == [(me, 1)]
        assert self.total(client, group_by="topic") == []
        assert self.total(client, owner=other) == [(None, 0)]
        assert self.total(client, touchpoint="south") == [(None, 0)]
        assert self.total(client, touchpoint="anonymous") == [(None, 0)]
        assert self.total(client, company=str(mixed["south"].pk)) == [(None, 0)]
        assert self.total(client, survey=str(mixed["survey"].pk)) == [(None, 1)]
        everyone = f'{{"field": "id", "op": "eq", "value": "{mixed["theirs"].pk}"}}'
        assert client.get(NPS, {"conditions": everyone}).status_code in {200, 400}
        [row] = client.get(NPS, {"compare": "previous", "period": "30d"}).json()
        assert (row["previous"]["n"], row["previous"]["value"]) == (0, None)
        [rate] = client.get("/api/v1/metrics/response-rate/").json()
        assert rate["n"] == 0
        [rate] = api(cast.rep2).get("/api/v1/metrics/response-rate/").json()
        assert rate["n"] == 1

    def test_a_hidden_companys_name_stays_hidden(self, cast: Cast, api: Api, mixed: Any) -> None:
        rows = api(cast.manager).get(NPS, {"group_by": "company"}).json()
        assert sorted(row["label"] for row in rows) == ["Hidden company", "No company"]

    def test_figures_follow_the_contact_to_its_new_owner(self, cast: Cast, api: Api, mixed: Any) -> None:
        contact = mixed["mine"]
        contact.owner, contact.team = cast.rep2, cast.south
        contact.save()
        assert self.total(api(cast.rep)) == [(None, 0)]
        assert self.total(api(cast.rep2)) == [(None, 2)]
        assert (str(cast.rep.pk), 1) in self.total(api(cast.cx), group_by="owner")

    def test_scope_and_sign_in(self, cast: Cast, api: Api, mixed: Any) -> None:
        assert api(None).get(NPS).status_code == 401
        assert api(cast.nobody).get(NPS).status_code == 403
        assert api(cast.cx, ["contacts:read"]).get(NPS).status_code == 403
        assert api(cast.cx, ["metrics:read"]).get(NPS).status_code == 200
        assert api(cast.cx).post(NPS, {}).status_code == 405


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"foo": "1"}, "foo"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"to": "0001-01-01"}, "to"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "from"),
        ({"from": "1990-01-01", "to": "2026-02-01"}, "from"),
        ({"group_by": "password"}, "group_by"),
        ({"group_by": "day", "from": "2020-01-01", "to": "2026-01-01"}, "group_by"),
        ({"compare": "always"}, "compare"),
        ({"compare": "previous", "group_by": "day"}, "compare"),
        ({"survey": "x"}, "survey"),
        ({"survey": "999999"}, "survey"),
        ({"survey": "99999999999999999999999"}, "survey"),
        ({"owner": "bob"}, "owner"),
        ({"company": "-1"}, "company"),
        ({"segment": "999"}, "segment"),
        ({"conditions": "{"}, "conditions"),
        ({"conditions": '{"field": "nope", "op": "eq", "value": 1}'}, "conditions"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"touchpoint": "a\x00b"}, "touchpoint"),
        ({"period": "3y"}, "period"),
    ],
)
def test_bad_parameters_are_named(cast: Cast, api: Api, asked: dict[str, str], field: str) -> None:
    answer = api(cast.cx).get(NPS, asked)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"].startswith("application/problem+json")
    assert field in {error["field"] for error in answer.json()["errors"]}


def test_invitations_have_no_topics(cast: Cast, api: Api) -> None:
    answer = api(cast.cx).get("/api/v1/metrics/response-rate/", {"group_by": "topic"})
    assert answer.status_code == 400


def test_queries_do_not_grow_with_the_answers(
    cast: Cast, api: Api, drain: Drain, django_assert_max_num_queries: Any
) -> None:
    client = api(cast.cx)
    many(SurveyFactory(), ContactFactory(owner=cast.rep), 5, 5, 5, touchpoint="a")
    many(SurveyFactory(), ContactFactory(owner=cast.rep2), 5, 5, 5, touchpoint="b")
    drain()
    client.get(NPS)
    with django_assert_max_num_queries(7):
        assert len(client.get(NPS, {"group_by": "owner", "compare": "previous"}).json()) == 2


def test_the_api_says_what_the_raw_answers_say(cast: Cast, api: Api, drain: Drain) -> None:
    survey = SurveyFactory()
    many(survey, ContactFactory(owner=cast.rep), 7, 2, 4, touchpoint="a")
    many(survey, ContactFactory(owner=cast.rep2), 1, 3, 4, touchpoint="b")
    drain()
    today = timezone.now().date()
    raw = counts(Scope(cast.cx, today - dt.timedelta(days=29), today), ["nps"], "touchpoint", raw=True)["nps"]
    for row in api(cast.cx).get(NPS, {"group_by": "touchpoint"}).json():
        of = raw[row["group"]]
        assert (row["n"], row["promoters"], row["passives"], row["detractors"]) == (
            of.n,
            of.top,
            of.middle,
            of.bottom,
        )
