"""surveys/ with questions and results, and invitations/."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from contacts.models import Activity, Message
from feedback.links import invitation_url, survey_url
from feedback.models import Invitation, Question, Survey
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.feedback import InvitationFactory, ResponseFactory, SurveyFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
URL = "/api/v1/surveys/"
INVITATIONS = "/api/v1/invitations/"
NOW = timezone.now()


def codes(answer: Any) -> list[tuple[str, str]]:
    assert answer["Content-Type"] == "application/problem+json"
    return [(e["field"], e["code"]) for e in answer.json()["errors"]]


class TestSurveys:
    def test_a_life(self, cast: Cast, api: Api) -> None:
        client = api(cast.cx)
        body = {
            "name": "After delivery",
            "kind": "csat",
            "languages": ["de", "en"],
            "throttle": {"days": 30},
            "questions": [
                {
                    "key": "csat",
                    "type": "csat",
                    "text": "How was it?",
                    "required": True,
                    "options": {"scale": 7},
                },
                {"key": "parts", "type": "multi", "text": "What?", "options": {"choices": ["Box", "Driver"]}},
            ],
        }
        made = client.post(URL, body, format="json")
        assert made.status_code == 201, made.content
        survey = Survey.objects.get()
        data = made.json()
        assert data["questions"] == [
            {
                "key": "csat",
                "type": "csat",
                "text": "How was it?",
                "required": True,
                "options": {"scale": 7},
                "logic": {},
            },
            {
                "key": "parts",
                "type": "multi",
                "text": "What?",
                "required": False,
                "options": {"choices": ["Box", "Driver"]},
                "logic": {},
            },
        ]
        assert (data["id"], data["status"], data["throttle"]) == (str(survey.pk), "draft", {"days": 30})
        assert (data["languages"], data["url"], made["ETag"]) == (["de", "en"], survey_url(survey.pk), '"1"')
        url = f"{URL}{survey.pk}/"
        live = client.patch(
            url, {"status": "live", "thanks": "Ta"}, format="json", headers={"If-Match": '"1"'}
        )
        assert (live.status_code, live.json()["status"], live.json()["thanks"]) == (200, "live", "Ta")
        stale = client.patch(url, {"name": "x"}, format="json", headers={"If-Match": '"1"'})
        assert stale.status_code == 412
        assert client.patch(url, {"status": "draft"}, format="json").status_code == 409
        for status in ("paused", "live", "closed"):
            assert client.patch(url, {"status": status}, format="json").json()["status"] == status
        assert client.patch(url, {"status": "live"}, format="json").status_code == 409
        assert client.delete(url).status_code == 204
        assert not Survey.objects.exists()

    def test_questions_are_replaced_by_key_and_answered_ones_keep_their_meaning(
        self, cast: Cast, api: Api
    ) -> None:
        survey = SurveyFactory()
        kept = survey.questions.get(key="nps").pk
        ResponseFactory(survey=survey, answers={"nps": 9})
        client, url = api(cast.cx), f"{URL}{survey.pk}/"
        asked = [
            {"key": "why", "type": "text", "text": "Why so?"},
            {"key": "nps", "type": "nps", "text": "New words?", "required": True},
        ]
        answer = client.patch(url, {"questions": asked}, format="json")
        assert answer.status_code == 200, answer.content
        assert [q["key"] for q in answer.json()["questions"]] == ["why", "nps"]
        assert (answer["ETag"], survey.questions.get(key="nps").pk) == ('"2"', kept)
        for questions in (
            [asked[0]],
            [{"key": "nps", "type": "text", "text": "?"}],
        ):
            refused = client.patch(url, {"questions": questions}, format="json")
            assert refused.status_code == 409
            assert "nps" in refused.json()["detail"]
        assert [q.text for q in survey.questions.all()] == ["Why so?", "New words?"]
        assert client.delete(url).status_code == 409

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({}, [("name", "required")]),
            ({"name": "A", "colour": 1}, [("colour", "unknown_field")]),
            ({"name": "A", "version": 1}, [("version", "read_only")]),
            ({"name": "A", "kind": "quiz"}, [("kind", "invalid_choice")]),
            ({"name": "A", "status": "closed"}, [("status", "invalid_choice")]),
            ({"name": "A", "kind": "nps", "status": "live", "questions": []}, [("questions", "required")]),
            ({"name": "A", "throttle": {"days": -1}}, [("throttle", "invalid")]),
            ({"name": "A", "languages": ["xx"]}, [("languages", "invalid")]),
            ({"name": "A", "expires_after_days": 0}, [("expires_after_days", "min_value")]),
            (
                {"name": "A", "questions": [{"key": "a"}]},
                [("questions.0.type", "required"), ("questions.0.text", "required")],
            ),
            (
                {"name": "A", "questions": [{"key": "a b", "type": "text", "text": "?"}]},
                [("questions.0.key", "invalid")],
            ),
            (
                {"name": "A", "questions": [{"key": "a", "type": "text", "text": "?", "x": 1}]},
                [("questions.0.x", "unknown_field")],
            ),
            (
                {"name": "A", "questions": [{"key": "a", "type": "single", "text": "?"}]},
                [("questions.0.options", "invalid")],
            ),
            ({"name": "A", "questions": {"a": 1}}, [("questions.non_field_errors", "not_a_list")]),
        ],
    )
    def test_bad_bodies_change_nothing(
        self, cast: Cast, api: Api, body: dict[str, Any], expected: list[tuple[str, str]]
    ) -> None:
        answer = api(cast.cx).post(URL, body, format="json")
        assert answer.status_code == 400
        assert codes(answer) == expected
        assert not Survey.objects.exists()
        assert not Question.objects.exists()

    def test_reps_read_and_never_see_the_link(self, cast: Cast, api: Api) -> None:
        survey = SurveyFactory()
        client, url = api(cast.rep), f"{URL}{survey.pk}/"
        assert client.get(url).json()["url"] is None
        assert api(cast.cx, ["surveys:read"]).get(url).json()["url"] is None
        for answer in (
            client.post(URL, {"name": "A"}, format="json"),
            client.patch(url, {"name": "A"}, format="json"),
            client.delete(url),
        ):
            assert answer.status_code == 403
        assert Survey.objects.get().version == 1

    def test_the_list_costs_the_same_for_any_number(
        self, cast: Cast, api: Api, django_assert_max_num_queries: Any
    ) -> None:
        surveys = [SurveyFactory(name=f"S{n:02}") for n in range(30)]
        client = api(cast.cx)
        client.get(URL)
        for size in (3, 30):
            with django_assert_max_num_queries(4):
                rows = client.get(URL, {"page_size": size, "ordering": "name"}).json()["results"]
            assert [r["name"] for r in rows] == [s.name for s in surveys[:size]]
            assert [q["key"] for q in rows[0]["questions"]] == ["nps", "comment"]
        assert client.get(URL, {"status": "draft"}).json()["results"] == []
        assert client.get(URL, {"colour": "red"}).status_code == 400


class TestResults:
    def test_counts_and_figures_of_every_question(
        self, cast: Cast, api: Api, django_assert_max_num_queries: Any
    ) -> None:
        survey = SurveyFactory(
            questions=[
                {"key": "nps", "type": "nps", "text": "N", "required": True},
                {"key": "sat", "type": "csat", "text": "S", "options": {"scale": 5}},
                {"key": "ces", "type": "ces", "text": "E"},
                {"key": "why", "type": "text", "text": "W"},
                {"key": "one", "type": "single", "text": "O", "options": {"choices": ["a", "b"]}},
                {"key": "many", "type": "multi", "text": "M", "options": {"choices": ["x", "y"]}},
            ]
        )
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        sheets = [
            {"nps": 10, "sat": 5, "ces": 7, "why": "good", "one": "a", "many": ["x", "y"]},
            {"nps": 9, "sat": 4, "ces": 5, "why": "1", "many": ["x"]},
            {"nps": 7, "sat": 3, "ces": 2, "one": "old choice"},
            {"nps": 0},
        ]
        for day, sheet in enumerate(sheets):
            ResponseFactory(
                survey=survey, contact=contact, answers=sheet, nps=sheet["nps"], touchpoint=f"t{day % 2}",
                submitted_at=NOW - dt.timedelta(days=day),
            )  # fmt: skip
        ResponseFactory(
            survey=survey, contact=contact, status="partial", answers={"nps": 1}, submitted_at=None
        )
        ResponseFactory(survey=survey, answers={"nps": 0}, nps=0)  # somebody else's customer
        ResponseFactory()
        InvitationFactory(survey=survey, contact=contact, sent_at=NOW)
        InvitationFactory(survey=survey, contact=contact, sent_at=NOW, status="answered")
        client, url = api(cast.rep), f"{URL}{survey.pk}/results/"
        client.get(url)
        with django_assert_max_num_queries(7):
            data = client.get(url).json()
        assert (data["survey"], data["n"]) == (str(survey.pk), 4)
        assert dt.datetime.fromisoformat(data["last_at"]) == NOW
        assert dt.datetime.fromisoformat(data["first_at"]) == NOW - dt.timedelta(days=3)
        nps, sat, ces, why, one, many = data["questions"]
        assert [d["count"] for d in nps["distribution"]] == [1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1]
        assert {
            k: nps["nps"][k] for k in ("value", "n", "promoters", "passives", "detractors", "reliable")
        } == {
            "value": 25,
            "n": 4,
            "promoters": 2,
            "passives": 1,
            "detractors": 1,
            "reliable": False,
        }
        assert nps["nps"]["low"] == pytest.approx(25 - 1.96 * 100 * ((0.75 - 0.0625) / 4) ** 0.5, abs=1e-3)
        assert (sat["n"], sat["csat"]["value"], sat["nps"], sat["ces"]) == (
            3,
            pytest.approx(66.6667),
            None,
            None,
        )
        assert (ces["ces"]["value"], ces["ces"]["mean"]) == (pytest.approx(66.6667), pytest.approx(4.6667))
        assert (why["n"], why["distribution"]) == (2, [])
        assert [(d["value"], d["count"], d["percent"]) for d in one["distribution"]] == [
            ("a", 1, 50.0),
            ("b", 0, 0.0),
            ("old choice", 1, 50.0),
        ]
        assert (many["n"], [(d["value"], d["count"]) for d in many["distribution"]]) == (
            2,
            [("x", 2), ("y", 1)],
        )
        invitations = data["invitations"]
        assert (invitations["delivered"], invitations["complete"]) == (2, 1)
        assert (invitations["response_rate"]["value"], invitations["rr2"]["value"]) == (50, 50)
        assert api(cast.cx).get(url).json()["n"] == 5
        assert client.get(url, {"touchpoint": "t1"}).json()["n"] == 2
        since = (NOW - dt.timedelta(days=1, hours=1)).isoformat()
        assert client.get(url, {"submitted_at__gte": since}).json()["n"] == 2

    def test_nobody_has_no_figure(self, cast: Cast, api: Api) -> None:
        data = api(cast.cx).get(f"{URL}{SurveyFactory().pk}/results/").json()
        assert (data["n"], data["first_at"]) == (0, None)
        assert data["questions"][0]["nps"]["value"] is None
        assert data["invitations"]["response_rate"]["value"] is None

    def test_parameters_and_scope(self, cast: Cast, api: Api) -> None:
        url = f"{URL}{SurveyFactory().pk}/results/"
        assert codes(api(cast.cx).get(url, {"colour": "red"})) == [("colour", "unknown_parameter")]
        assert codes(api(cast.cx).get(url, {"submitted_at__gte": "x"})) == [("submitted_at__gte", "invalid")]
        assert api(cast.cx, ["surveys:read"]).get(url).status_code == 403


class TestInvitations:
    def test_asking_queues_one_mail_and_shows_the_link_to_those_who_may_send(
        self, cast: Cast, api: Api
    ) -> None:
        survey, contact = SurveyFactory(), ContactFactory(owner=cast.rep, team=cast.north)
        body = {"survey": str(survey.pk), "contact": str(contact.pk), "touchpoint": "shop"}
        extra = {"headers": {"Idempotency-Key": "k"}}
        answer = api(cast.cx).post(INVITATIONS, body, format="json", **extra)
        assert answer.status_code == 201, answer.content
        row = Invitation.objects.get()
        data = answer.json()
        assert (data["id"], data["status"], data["channel"]) == (str(row.pk), "queued", "email")
        assert (data["url"], data["touchpoint"]) == (invitation_url(row.pk), "shop")
        assert (data["suppressed_reason"], data["suppressed_detail"], data["sent_at"]) == ("", "", None)
        assert Message.objects.get().to_address == contact.email
        client = api(cast.rep)
        assert client.get(f"{INVITATIONS}{row.pk}/").json()["url"] is None
        assert client.post(INVITATIONS, body, format="json").status_code == 403
        assert api(cast.rep2).get(f"{INVITATIONS}{row.pk}/").status_code == 404
        assert api(cast.rep2).get(INVITATIONS).json()["results"] == []
        assert Invitation.objects.count() == 1

    def test_a_suppressed_one_says_why_and_sends_nothing(self, cast: Cast, api: Api) -> None:
        survey = SurveyFactory(throttle={"days": 30})
        silent = ContactFactory(consent={"email": {"status": "denied"}})
        unreachable = ContactFactory(email=None)
        asked = ContactFactory()
        InvitationFactory(survey=survey, contact=asked)
        client = api(cast.cx)
        for contact, reason in ((silent, "no_consent"), (unreachable, "no_address"), (asked, "throttle")):
            body = {"survey": str(survey.pk), "contact": str(contact.pk)}
            data = client.post(INVITATIONS, body, format="json").json()
            assert (data["status"], data["suppressed_reason"], data["url"]) == ("suppressed", reason, None)
            assert data["suppressed_detail"].startswith("The customer")
        assert not Message.objects.exists()
        assert Activity.objects.filter(kind="survey.suppressed").count() == 3
        found = client.get(INVITATIONS, {"suppressed_reason": "no_consent"}).json()["results"]
        assert [row["contact"] for row in found] == [str(silent.pk)]

    def test_a_link_to_hand_over_needs_no_address(self, cast: Cast, api: Api) -> None:
        contact = ContactFactory(email=None)
        body = {"survey": str(SurveyFactory().pk), "contact": str(contact.pk), "channel": "link"}
        data = api(cast.cx).post(INVITATIONS, body, format="json").json()
        assert data["status"] == "sent"
        assert data["url"] == invitation_url(int(data["id"]))
        assert not Message.objects.exists()

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"survey": None}, ("survey", "null")),
            ({"contact": "0"}, ("contact", "does_not_exist")),
            ({"channel": "fax"}, ("channel", "invalid_choice")),
            ({"touchpoint": "x" * 81}, ("touchpoint", "max_length")),
            ({"status": "sent"}, ("status", "read_only")),
            ({"url": "x"}, ("url", "read_only")),
            ({"mood": 1}, ("mood", "unknown_field")),
        ],
    )
    def test_bad_bodies(
        self, cast: Cast, api: Api, change: dict[str, Any], expected: tuple[str, str]
    ) -> None:
        body = {"survey": str(SurveyFactory().pk), "contact": str(ContactFactory().pk)} | change
        answer = api(cast.cx).post(INVITATIONS, body, format="json")
        assert (answer.status_code, codes(answer)) == (400, [expected])
        assert not Invitation.objects.exists()

    def test_a_draft_asks_nobody(self, cast: Cast, api: Api) -> None:
        body = {"survey": str(SurveyFactory(status="draft").pk), "contact": str(ContactFactory().pk)}
        assert codes(api(cast.cx).post(INVITATIONS, body, format="json")) == [("survey", "not_live")]

    def test_lists_expand_and_cost_the_same(
        self, cast: Cast, api: Api, django_assert_max_num_queries: Any
    ) -> None:
        company = CompanyFactory()
        for _ in range(20):
            InvitationFactory(contact=ContactFactory(company=company))
        client = api(cast.cx)
        client.get(INVITATIONS)
        for size in (2, 20):
            with django_assert_max_num_queries(5):
                rows = client.get(INVITATIONS, {"page_size": size, "expand": "contact,survey"}).json()[
                    "results"
                ]
            assert len(rows) == size
            assert rows[0]["contact"]["company"] == str(company.pk)
            assert rows[0]["survey"]["kind"] == "nps"
        assert client.put(f"{INVITATIONS}1/", {}).status_code == 405
        assert client.delete(f"{INVITATIONS}1/").status_code == 405
