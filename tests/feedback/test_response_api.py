"""responses/ as integrators see them."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from contacts.models import Activity, ContactPoint, Pulse
from feedback.models import Case, Response
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.feedback import ResponseFactory, SurveyFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
URL = "/api/v1/responses/"
NOW = timezone.now()


def codes(answer: Any) -> list[tuple[str, str]]:
    assert answer["Content-Type"] == "application/problem+json"
    return [(e["field"], e["code"]) for e in answer.json()["errors"]]


def test_an_answer_is_taken_in_once_and_closes_the_loop(
    cast: Cast, api: Api, drain: Callable[[], int]
) -> None:
    company = CompanyFactory()
    contact = ContactFactory(external_id="C-1", owner=cast.rep, team=cast.north, company=company)
    survey = SurveyFactory()
    at = (NOW - dt.timedelta(hours=3)).isoformat()
    body = {
        "survey": str(survey.pk),
        "answers": {"nps": 2, "comment": "The parcel was terribly late, I am very angry."},
        "contact": {"external_id": "C-1"},
        "message_id": "m-1",
        "touchpoint": "delivery",
        "submitted_at": at,
        "language": "en",
    }
    client = api(cast.integrator)
    first = client.post(URL, body, format="json")
    assert first.status_code == 201, first.content
    row = Response.objects.get()
    data = first.json()
    started = data.pop("started_at")
    assert dt.datetime.fromisoformat(started) == row.started_at
    assert dt.datetime.fromisoformat(data.pop("submitted_at")) == NOW - dt.timedelta(hours=3)
    mood = data.pop("sentiment")
    assert (mood["label"], mood["by"].split()[0]) == ("negative", "vader")
    assert -1 <= mood["score"] < -0.3
    assert data == {
        "id": str(row.pk),
        "survey": str(survey.pk),
        "contact": str(contact.pk),
        "invitation": None,
        "touchpoint": "delivery",
        "answers": body["answers"],
        "nps": 2,
        "csat": None,
        "csat_scale": None,
        "ces": None,
        "comment": body["answers"]["comment"],  # type: ignore[index]
        "language": "en",
        "emotions": {},
        "topics": [],
        "owner": str(cast.rep.pk),
        "company": str(company.pk),
        "message_id": "m-1",
    }
    again = client.post(URL, body, format="json")
    assert (again.status_code, again.json()["id"]) == (200, str(row.pk))
    drain()
    drain()
    assert Response.objects.count() == Case.objects.count() == 1
    assert Activity.objects.filter(kind="survey.answered").count() == 1
    assert (Case.objects.get().owner, Pulse.objects.get(contact=contact).nps) == (cast.rep, 2)
    corrected = client.patch(f"{URL}{row.pk}/", {"sentiment": {"label": "neutral"}}, format="json")
    assert corrected.json()["sentiment"] == {"score": 0.0, "label": "neutral", "by": "person"}


def test_customers_by_mail_id_or_nobody(cast: Cast, api: Api) -> None:
    contact, survey = ContactFactory(), SurveyFactory()
    ContactPoint.objects.create(contact=contact, kind="email", value="second@x.example")
    client = api(cast.integrator)
    for named in ({"email": contact.email.upper()}, {"email": "Second@X.example"}, str(contact.pk)):
        body = {"survey": str(survey.pk), "answers": {"nps": 9}, "contact": named}
        assert client.post(URL, body, format="json").json()["contact"] == str(contact.pk)
    for rest in ({}, {"contact": None}):
        body = {"survey": str(survey.pk), "answers": {"nps": 9}, **rest}
        answer = client.post(URL, body, format="json")
        assert (answer.status_code, answer.json()["contact"]) == (201, None)
    assert Response.objects.count() == 5


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"answers": {}}, ("nps", "required")),
        ({"answers": {"nps": 11}}, ("nps", "out_of_range")),
        ({"answers": {"nps": 5, "colour": "red"}}, ("colour", "unknown_question")),
        ({"answers": "9"}, ("answers", "not_a_dict")),
        ({"survey": "0"}, ("survey", "does_not_exist")),
        ({"contact": {"email": "no@body.example"}}, ("contact", "does_not_exist")),
        ({"contact": {"phone": "1"}}, ("contact", "invalid")),
        ({"contact": {"email": "a", "external_id": "b"}}, ("contact", "invalid")),
        ({"contact": {"email": ["a"]}}, ("contact", "invalid")),
        ({"contact": 7.5}, ("contact", "invalid")),
        ({"submitted_at": "soon"}, ("submitted_at", "invalid")),
        ({"submitted_at": "2026-01-31T12:00:00"}, ("submitted_at", "zone")),
        ({"submitted_at": "2999-01-01T00:00:00Z"}, ("submitted_at", "future")),
        ({"nps": 9}, ("nps", "unknown_field")),
        ({"owner": "1"}, ("owner", "unknown_field")),
    ],
)
def test_bad_bodies_change_nothing(
    cast: Cast, api: Api, change: dict[str, Any], expected: tuple[str, str]
) -> None:
    body = {"survey": str(SurveyFactory().pk), "answers": {"nps": 9}} | change
    answer = api(cast.integrator).post(URL, body, format="json")
    assert (answer.status_code, codes(answer)) == (400, [expected])
    assert not Response.objects.exists()


def test_a_closed_survey_takes_nothing(cast: Cast, api: Api) -> None:
    for status in ("draft", "closed"):
        body = {"survey": str(SurveyFactory(status=status).pk), "answers": {"nps": 9}}
        assert api(cast.integrator).post(URL, body, format="json").status_code == 409
    assert not Response.objects.exists()


def test_only_what_one_may_see_and_only_what_was_submitted(cast: Cast, api: Api) -> None:
    mine = ResponseFactory(contact=ContactFactory(owner=cast.rep, team=cast.north))
    theirs = ResponseFactory(contact=ContactFactory(owner=cast.rep2, team=cast.south))
    anonymous = ResponseFactory(contact=None)
    started = ResponseFactory(contact=mine.contact, status="partial", submitted_at=None)

    def seen(user: Any) -> set[str]:
        return {row["id"] for row in api(user).get(URL).json()["results"]}

    assert seen(cast.rep) == seen(cast.manager) == {str(mine.pk)}
    assert seen(cast.cx) == {str(mine.pk), str(theirs.pk), str(anonymous.pk)}
    assert api(cast.cx).get(f"{URL}{started.pk}/").status_code == 404
    client = api(cast.rep)
    body = {"sentiment": {"label": "positive"}}
    assert client.patch(f"{URL}{mine.pk}/", body, format="json").status_code == 403
    assert api(cast.cx).patch(f"{URL}{mine.pk}/", {"nps": 1}, format="json").status_code == 400
    assert (
        api(cast.cx).patch(f"{URL}{mine.pk}/", {"sentiment": {"label": "odd"}}, format="json").status_code
        == 400
    )
    assert client.delete(f"{URL}{mine.pk}/").status_code == 405
    mine.refresh_from_db()
    assert (mine.sentiment_by, mine.nps) == ("", 9)


def test_lists_filter_sort_and_cost_the_same(
    cast: Cast, api: Api, django_assert_max_num_queries: Any
) -> None:
    survey = SurveyFactory()
    rows = [
        ResponseFactory(survey=survey, nps=n % 11, submitted_at=NOW - dt.timedelta(hours=n))
        for n in range(24)
    ]
    client = api(cast.cx)
    client.get(URL)
    for size in (2, 24):
        with django_assert_max_num_queries(5):
            found = client.get(URL, {"page_size": size, "expand": "contact,survey"}).json()["results"]
        assert [row["id"] for row in found] == [str(row.pk) for row in rows[:size]]
    page = client.get(URL, {"group": "promoter", "ordering": "nps"}).json()["results"]
    assert [row["nps"] for row in page] == [9, 9, 10, 10]
    assert client.get(URL, {"ordering": "comment"}).status_code == 400
    assert client.get(URL, {"answers": "x"}).status_code == 400
