"""The experience dashboard: the API's figures, only visible customers, a URL that is the whole state."""

import csv
import datetime as dt
import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from contacts.services.segmenting.keeping import segments_keep
from tests.analytics.test_metrics_api import answered, many
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.feedback import SurveyFactory

pytestmark = pytest.mark.django_db
Web = Callable[..., Client]
Api = Callable[..., APIClient]
Drain = Callable[[], int]
PAGE = "/experience/"
PARTS = ("headline", "trend", "distribution", "comments", "touchpoint", "owner")


def part(client: Client, name: str, **asked: Any) -> str:
    answer = client.get(f"/experience/parts/{name}/", asked, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def spec(text: str) -> Any:
    found = re.search(r'data-chart="([^"]+)"', text)
    assert found
    return json.loads(html.unescape(found[1]))


def rows(client: Client, chart: str, **asked: Any) -> list[list[str]]:
    answer = client.get(f"/experience/data/{chart}.csv", asked)
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment")
    return list(csv.reader(answer.content.decode("utf-8-sig").splitlines()))


@pytest.fixture
def answers(cast: Cast, drain: Drain) -> dict[str, Any]:
    survey = SurveyFactory(name="After an order")
    north = ContactFactory(first_name="Nora", last_name="North", owner=cast.rep, team=cast.north)
    south = ContactFactory(first_name="Sven", last_name="South", owner=cast.rep2, team=cast.south)
    many(survey, north, 6, 3, 1, touchpoint="delivery", comment="Northern words")
    many(survey, south, 10, 5, 25, touchpoint="returns", comment="Southern words", sentiment_label="negative")
    drain()
    return {"survey": survey, "north": north, "south": south}


def test_the_page_lays_out_its_parts(cast: Cast, web: Web, answers: Any) -> None:
    page = web(cast.cx).get(PAGE, {"period": "90d"}).content.decode()
    for name in PARTS:
        assert f"/experience/parts/{name}/?period=90d" in page
    assert "js/charts.js" in page
    assert "After an order" in page
    fragment = web(cast.cx).get(PAGE, {"touchpoint": "", "period": "7d"}, headers={"HX-Request": "true"})
    assert b"<html" not in fragment.content
    assert fragment["HX-Push-Url"] == "/experience/?period=7d"


def test_nothing_yet_teaches(cast: Cast, web: Web) -> None:
    page = web(cast.cx).get(PAGE).content.decode()
    assert "No answers yet" in page
    assert "/experience/parts/" not in page


def test_shows_what_the_api_says(cast: Cast, web: Web, api: Api, answers: Any) -> None:
    [nps] = api(cast.cx).get("/api/v1/metrics/nps/").json()
    assert (nps["n"], nps["value"]) == (50, pytest.approx(-20))
    headline = part(web(cast.cx), "headline")
    assert "<strong>−20</strong>" in headline
    assert "50 answers" in headline
    gauge = spec(headline)
    assert (gauge["value"], gauge["low"], gauge["high"]) == (-20, round(nps["low"], 2), round(nps["high"], 2))
    days = api(cast.cx).get("/api/v1/metrics/nps/", {"group_by": "day"}).json()
    drawn = spec(part(web(cast.cx), "trend"))
    assert drawn["values"] == [None if d["value"] is None else round(d["value"], 2) for d in days]
    assert drawn["n"] == [d["n"] for d in days]
    spread = spec(part(web(cast.cx), "distribution"))
    assert (spread["labels"], sum(spread["values"])) == ([str(i) for i in range(11)], 50)
    assert (spread["values"][10], spread["values"][7], spread["values"][0]) == (16, 8, 26)
    touchpoints = api(cast.cx).get("/api/v1/metrics/nps/", {"group_by": "touchpoint"}).json()
    table = rows(web(cast.cx), "touchpoint")[1:]
    assert [(r[0], int(r[1]), float(r[2])) for r in table] == [
        (t["group"], t["n"], round(t["value"], 4)) for t in touchpoints
    ]


def test_an_interval_over_few_is_marked(cast: Cast, web: Web, answers: Any) -> None:
    text = part(web(cast.cx), "touchpoint")
    returns, delivery = text.split(">delivery</a>")
    assert "Fewer than 30" not in returns
    assert "Fewer than 30" in delivery


def test_a_rep_sees_only_their_customers(cast: Cast, web: Web, answers: Any) -> None:
    client = web(cast.rep)
    assert "<strong>+50</strong>" in part(client, "headline")
    for name in PARTS:
        text = part(client, name)
        for hidden in ("Southern", "Sven", "returns", "Rep2", "negative"):
            assert hidden not in text, (name, hidden)
    assert "Nora North" in part(client, "comments")
    page = client.get(PAGE).content.decode()
    assert "returns" not in page
    assert 'name="owner"' not in page
    for name in PARTS:
        assert "Southern" not in part(client, name, owner=str(cast.rep2.pk))
        assert "Southern" not in part(client, name, touchpoint="returns")
    assert [row[0] for row in rows(client, "owner")[1:]] == ["Rep"]
    assert "Rep2" not in web(cast.manager).get(PAGE).content.decode()


def test_who_may_come_in(cast: Cast, web: Web, answers: Any) -> None:
    urls = [PAGE, "/experience/wallboard/", "/experience/parts/trend/", "/experience/data/trend.csv"]
    urls += ["/experience/panels/home/"]
    for url in urls:
        assert Client().get(url).status_code == 302
        assert web(cast.nobody).get(url).status_code == 403
        assert web(cast.rep).get(url).status_code == 200
    assert web(cast.cx).get("/experience/parts/nothing/").status_code == 404
    assert web(cast.cx).get("/experience/data/nothing.csv").status_code == 404


def test_comments_need_the_scope_for_answers(cast: Cast, web: Web, answers: Any) -> None:
    role = cast.rep.role
    assert role is not None
    role.scopes = ["metrics:read"]
    role.save()
    client = web(cast.rep)
    assert "parts/comments" not in client.get(PAGE).content.decode()
    assert client.get("/experience/parts/comments/").status_code == 404


def test_detractors_first(cast: Cast, web: Web, answers: Any) -> None:
    newest = part(web(cast.cx), "comments")
    first = part(web(cast.cx), "comments", order="detractors")
    assert first.count("score-detractor") == 8
    assert newest != first


def test_compared_with_the_period_before_in_words(cast: Cast, web: Web, drain: Drain) -> None:
    survey, contact, now = SurveyFactory(), ContactFactory(), timezone.now()
    many(survey, contact, 60, 25, 15, submitted_at=now - dt.timedelta(days=1))
    many(survey, contact, 50, 30, 20, submitted_at=now - dt.timedelta(days=8))
    drain()
    text = part(web(cast.cx), "headline", period="7d")
    assert "+15" in text
    assert "could be chance" in text
    assert "against +30 from" in text
    many(survey, contact, 40, 0, 0, submitted_at=now - dt.timedelta(days=1))
    drain()
    assert "more than chance" in part(web(cast.cx), "headline", period="7d")


def test_the_wallboard_names_nobody(cast: Cast, web: Web, answers: Any) -> None:
    page = web(cast.cx).get("/experience/wallboard/", {"period": "7d"}).content.decode()
    assert 'data-refresh-seconds="30"' in page
    assert "/experience/parts/comments/?period=7d&amp;wall=1" in page
    text = part(web(cast.cx), "comments", wall="1")
    assert "Southern words" in text
    assert "Sven" not in text


@pytest.mark.parametrize(
    "asked", [{"metric": "x"}, {"by": "hour"}, {"order": "x"}, {"nope": "1"}, {"from": "x"}]
)
def test_a_wrong_parameter_is_a_page_that_names_it(cast: Cast, web: Web, answers: Any, asked: Any) -> None:
    for url in (PAGE, "/experience/parts/trend/", "/experience/data/trend.csv", "/experience/wallboard/"):
        assert web(cast.cx).get(url, asked).status_code == 400


def test_formulas_leave_as_text(cast: Cast, web: Web, drain: Drain) -> None:
    answered(survey=SurveyFactory(), touchpoint='=HYPERLINK("http://x")', nps=0)
    answered(survey=SurveyFactory(), touchpoint="\t+1", nps=9)
    drain()
    table = rows(web(cast.cx), "touchpoint")[1:]
    assert sorted(row[0] for row in table) == ["'\t+1", '\'=HYPERLINK("http://x")']
    assert sorted(row[2] for row in table) == ["-100.0", "100.0"]


def test_touchpoints_and_comments_are_text_not_markup(cast: Cast, web: Web, drain: Drain) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    answered(survey=SurveyFactory(name=evil), touchpoint=evil, comment=evil, nps=3)
    drain()
    client = web(cast.cx)
    assert "<img src=x" not in client.get(PAGE).content.decode()
    for name in PARTS:
        assert "<img src=x" not in part(client, name), name


def test_other_metrics_have_a_course_and_a_spread(cast: Cast, web: Web, drain: Drain) -> None:
    survey = SurveyFactory(kind="csat")
    for csat in (5, 4, 1):
        answered(survey=survey, nps=None, csat=csat, csat_scale=5, ces=6)
    drain()
    client = web(cast.cx)
    spread = spec(part(client, "distribution", metric="csat"))
    assert (spread["labels"], spread["values"]) == (["1", "2", "3", "4", "5"], [1, 0, 0, 1, 1])
    assert "CSAT by day" in part(client, "trend", survey=str(survey.pk))  # what this survey asks for
    assert "CES by month" in part(client, "trend", metric="ces", by="month")
    assert "No answers in this period" in part(client, "trend", metric="nps")


class TestPanels:
    def test_today(self, cast: Cast, web: Web, answers: Any) -> None:
        assert "<strong>−20</strong>" in web(cast.cx).get("/experience/panels/home/").content.decode()
        assert "<strong>+50</strong>" in web(cast.rep).get("/experience/panels/home/").content.decode()

    def test_nothing_measured_hides_the_panel(self, cast: Cast, web: Web) -> None:
        assert web(cast.cx).get("/experience/panels/home/").content == b""
        company = CompanyFactory()
        assert web(cast.cx).get(f"/experience/panels/company/{company.pk}/").content == b""

    def test_a_company_shows_its_visible_people(self, cast: Cast, web: Web, drain: Drain) -> None:
        company = CompanyFactory(owner=cast.rep, team=cast.north)
        survey = SurveyFactory()
        mine = ContactFactory(company=company, owner=cast.rep, team=cast.north)
        theirs = ContactFactory(company=company, owner=cast.rep2, team=cast.south)
        many(survey, mine, 3, 0, 0)
        many(survey, theirs, 0, 0, 3)
        drain()
        url = f"/experience/panels/company/{company.pk}/"
        assert "<strong>+100</strong>" in web(cast.rep).get(url).content.decode()
        assert "<strong>0</strong>" in web(cast.cx).get(url).content.decode()
        assert web(cast.rep2).get(url).status_code == 404


def test_queries(cast: Cast, web: Web, answers: Any, django_assert_max_num_queries: Any) -> None:
    for user in (cast.cx, cast.rep):
        client = web(user)
        with django_assert_max_num_queries(12):
            client.get(PAGE)
        for name in PARTS:
            with django_assert_max_num_queries(16):
                part(client, name)


def test_figures_of_one_segment(cast: Cast, web: Web, api: Api, answers: Any) -> None:
    conditions = {"field": "first_name", "op": "eq", "value": "Nora"}
    body = {"name": "Northerners", "conditions": conditions, "sharing": "all"}
    pk = api(cast.cx).post("/api/v1/segments/", body, format="json").json()["id"]
    segments_keep(settled=True)
    page = web(cast.cx).get(PAGE, {"segment": pk}).content.decode()
    assert f'<option value="{pk}" selected>Northerners</option>' in page
    assert f"/experience/parts/headline/?segment={pk}" in page
    assert part(web(cast.cx), "headline", segment=pk) != part(web(cast.cx), "headline")
    assert "Northern words" in part(web(cast.cx), "comments", segment=pk)
    assert "Southern words" not in part(web(cast.cx), "comments", segment=pk)
    assert web(cast.cx).get(PAGE, {"segment": "999"}).status_code == 400
