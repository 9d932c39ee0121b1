"""The answers inbox and the page of one answer: what is shown to whom, correcting a mood, writing back."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from contacts.models import Activity, Message
from crmcem.workspace.models import AuditEntry
from feedback.models import Case, Response
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import CaseFactory, ResponseFactory, SurveyFactory

pytestmark = pytest.mark.django_db
XSS = "<script>alert(1)</script>"


def inbox(client: Client, **query: Any) -> Any:
    return client.get(reverse("feedback:responses"), query)


def answer(client: Client, row: Response) -> Any:
    return client.get(reverse("feedback:response", args=[row.pk]))


def write(client: Client, name: str, row: Response, **data: Any) -> Any:
    return client.post(reverse(f"feedback:{name}", args=[row.pk]), data)


class TestRights:
    def test_who_may_read(self, cast: Cast, web: Any) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        row = ResponseFactory(contact=contact, comment="Secret words")
        wanted = {
            "rep": 200,
            "rep2": 404,
            "manager": 200,
            "cx": 200,
            "admin": 200,
            "integrator": 200,
            "readonly": 200,
            "nobody": 403,
        }
        for user in cast:
            client = web(user)
            assert answer(client, row).status_code == wanted[user.username], user.username
            listed = inbox(client)
            assert listed.status_code == (403 if user is cast.nobody else 200)
            assert ("Secret words" in listed.content.decode()) is (wanted[user.username] == 200)
        assert answer(Client(), row).status_code == 302
        assert (
            answer(web(cast.rep2), row).content == answer(web(cast.rep2), Response(pk=row.pk + 999)).content
        )

    def test_anonymous_ones_are_for_those_who_see_all(self, cast: Cast, web: Any) -> None:
        row = ResponseFactory(contact=None, comment="Nobody knows")
        assert answer(web(cast.rep), row).status_code == 404
        text = answer(web(cast.cx), row).content.decode()
        assert "over the public link" in text
        assert reverse("feedback:response-reply", args=[row.pk]) not in text
        assert "case-new" not in text

    def test_started_sheets_are_nobodys_answer(self, cast: Cast, web: Any) -> None:
        row = ResponseFactory(status="partial", comment="Not sent", submitted_at=None)
        assert answer(web(cast.cx), row).status_code == 404
        assert "Not sent" not in inbox(web(cast.cx)).content.decode()

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("response-mood", {"label": "negative"}),
            ("response-reply", {"subject": "Hi", "text": "Words", "once": "12345678"}),
        ],
    )
    def test_who_may_not_write(self, cast: Cast, web: Any, name: str, data: dict[str, str]) -> None:
        row = ResponseFactory(
            contact=ContactFactory(owner=cast.rep, team=cast.north),
            comment="Fine",
            sentiment_label="positive",
        )
        before = Response.objects.values().get()
        refused = {
            "response-mood": [cast.rep, cast.manager, cast.readonly, cast.nobody],
            "response-reply": [cast.readonly, cast.nobody],
        }
        for user in refused[name]:
            assert write(web(user), name, row, **data).status_code == 403, user.username
        if name == "response-reply":
            assert write(web(cast.rep2), name, row, **data).status_code == 404
        assert Response.objects.values().get() == before
        assert not Message.objects.exists()


class TestInbox:
    @pytest.fixture
    def rows(self, cast: Cast) -> dict[str, Response]:
        survey = SurveyFactory(name="Delivery")
        now = timezone.now()
        make = {
            "angry": {
                "nps": 1,
                "comment": "Terrible wait",
                "sentiment_label": "negative",
                "sentiment_score": -0.8,
                "touchpoint": "delivery",
                "survey": survey,
                "owner": cast.rep,
            },
            "meh": {"nps": 7, "comment": "", "submitted_at": now - dt.timedelta(days=40)},
            "happy": {
                "nps": 10,
                "comment": "Lovely shop",
                "sentiment_label": "positive",
                "sentiment_score": 0.7,
                "submitted_at": now - dt.timedelta(days=2),
            },
        }
        return {
            name: ResponseFactory(contact=ContactFactory(first_name=name, last_name=""), **values)
            for name, values in make.items()
        }

    def shown(self, client: Client, **query: Any) -> list[str]:
        text = inbox(client, **query).content.decode()
        found = [(text.find(f">{name}</a>"), name) for name in ("angry", "meh", "happy")]
        return [name for at, name in sorted(found) if at >= 0]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ({}, ["angry", "happy", "meh"]),
            ({"ordering": "nps"}, ["angry", "meh", "happy"]),
            ({"ordering": "-nps"}, ["happy", "meh", "angry"]),
            ({"group": "detractor"}, ["angry"]),
            ({"group": "passive"}, ["meh"]),
            ({"group": "promoter"}, ["happy"]),
            ({"sentiment": "negative"}, ["angry"]),
            ({"has_comment": "true"}, ["angry", "happy"]),
            ({"touchpoint": "delivery"}, ["angry"]),
            ({"owner": "none"}, ["happy", "meh"]),
            ({"search": "lovely"}, ["happy"]),
        ],
    )
    def test_filters_and_orders(
        self, cast: Cast, web: Any, rows: dict[str, Response], query: dict[str, str], names: list[str]
    ) -> None:
        assert self.shown(web(cast.cx), **query) == names

    def test_by_survey_and_period(self, cast: Cast, web: Any, rows: dict[str, Response]) -> None:
        client = web(cast.cx)
        assert self.shown(client, survey=rows["angry"].survey_id) == ["angry"]
        since = (timezone.now() - dt.timedelta(days=10)).isoformat()
        assert self.shown(client, submitted_at__gte=since) == ["angry", "happy"]

    @pytest.mark.parametrize(
        "query",
        [
            {"group": "moon"},
            {"ordering": "comment"},
            {"moon": "1"},
            {"survey": "x"},
            {"submitted_at__gte": "soon"},
            {"cursor": "x"},
        ],
    )
    def test_wrong_parameters_are_named(self, cast: Cast, web: Any, query: dict[str, str]) -> None:
        assert inbox(web(cast.cx), **query).status_code == 400

    def test_the_filter_panel_opens(self, cast: Cast, web: Any, rows: dict[str, Response]) -> None:
        text = inbox(web(cast.cx), _part="filters").content.decode()
        assert ">Delivery</option>" in text
        assert text.count('type="date"') == 2
        assert "Answered before" in text
        day = timezone.localdate().isoformat()
        assert self.shown(web(cast.cx), submitted_at__gte=day) == ["angry"]
        assert self.shown(web(cast.cx), submitted_at__lt=day) == ["happy", "meh"]
        chips = inbox(web(cast.cx), survey=rows["angry"].survey_id, owner=cast.rep.pk).content.decode()
        assert "Survey: <b>Delivery</b>" in chips
        assert f"Owner: <b>{cast.rep}</b>" in chips

    def test_queries_do_not_grow(self, cast: Cast, web: Any, django_assert_max_num_queries: Any) -> None:
        client = web(cast.cx)
        for _ in range(3):
            CaseFactory(response=ResponseFactory(owner=cast.rep))
        inbox(client)
        with django_assert_max_num_queries(12) as few:
            inbox(client)
        for _ in range(40):
            CaseFactory(response=ResponseFactory(owner=cast.rep))
        with django_assert_max_num_queries(12) as many:
            inbox(client)
        assert len(many) == len(few)

    def test_words_of_customers_are_text(self, cast: Cast, web: Any) -> None:
        ResponseFactory(
            comment=XSS,
            contact=ContactFactory(first_name=XSS),
            survey=SurveyFactory(name=XSS),
            touchpoint=XSS,
        )
        text = inbox(web(cast.cx), columns="contact,comment,survey,touchpoint").content.decode()
        assert "<script>alert" not in text
        assert text.count("&lt;script&gt;alert(1)") >= 4


class TestPage:
    def test_everything_about_the_answer(
        self, cast: Cast, web: Any, django_assert_max_num_queries: Any
    ) -> None:
        questions = [
            {"key": "nps", "type": "nps", "text": "How likely?"},
            {
                "key": "used",
                "type": "multi",
                "text": "What did you use?",
                "options": {"choices": ["App", XSS]},
            },
            {"key": "why", "type": "text", "text": XSS},
            {"key": "more", "type": "text", "text": "Anything else?"},
        ]
        contact = ContactFactory(first_name=XSS, pulse={"nps": 2, "orders": 7, "revenue": 1234, "clv": 5600})
        row = ResponseFactory(
            survey=SurveyFactory(questions=questions, name=XSS),
            contact=contact,
            nps=2,
            answers={"nps": 2, "used": ["App", XSS], "why": f"{XSS} slow", "gone": "old"},
            comment=f"{XSS} slow",
            sentiment_score=-0.4,
            sentiment_label="negative",
            sentiment_by="vader 3.3.2",
        )
        client = web(cast.cx)
        answer(client, row)
        with django_assert_max_num_queries(20):
            text = answer(client, row).content.decode()
        assert "<script>alert" not in text
        for words in (
            "How likely?",
            "What did you use?",
            "Anything else?",
            "not answered",
            "2 Detractor",
            "vader 3.3.2",
            "-0.40",
            "1,234",
            "5,600",
            "old",
        ):
            assert words in text, words
        assert f"/cases/new/?contact={contact.pk}&amp;response={row.pk}" in text

    def test_a_case_is_opened_once(self, cast: Cast, web: Any) -> None:
        row = ResponseFactory()
        assert "/cases/new/?contact=" in answer(web(cast.cx), row).content.decode()
        case = CaseFactory(response=row, contact=row.contact)
        text = answer(web(cast.cx), row).content.decode()
        assert "/cases/new/?contact=" not in text
        assert reverse("feedback:case", args=[case.pk]) in text
        assert Case.objects.count() == 1


class TestMood:
    def test_a_person_corrects_it(self, cast: Cast, web: Any, drain: Any) -> None:
        row = ResponseFactory(
            comment="Great, another broken parcel",
            sentiment_score=0.6,
            sentiment_label="positive",
            sentiment_by="vader 3.3.2",
        )
        assert write(web(cast.cx), "response-mood", row, label="negative").status_code == 302
        row.refresh_from_db()
        assert (row.sentiment_score, row.sentiment_label, row.sentiment_by) == (-0.6, "negative", "person")
        done = Activity.objects.get(kind="survey.corrected")
        assert (done.contact_id, done.actor_kind, done.actor_id, done.payload["label"]) == (
            row.contact_id,
            "user",
            cast.cx.pk,
            "negative",
        )
        audit = AuditEntry.objects.get(table_name="feedback_response", row_id=row.pk, op="U")
        assert (audit.actor_kind, audit.actor_id) == ("user", cast.cx.pk)
        assert audit.changes["sentiment_label"] == ["positive", "negative"]
        assert "set by a person" in answer(web(cast.cx), row).content.decode()
        drain()
        row.contact.pulse.refresh_from_db()
        assert row.contact.pulse.sentiment == -0.6

    @pytest.mark.parametrize("label", ["", "moon", "NEGATIVE"])
    def test_only_the_three_words(self, cast: Cast, web: Any, label: str) -> None:
        row = ResponseFactory(comment="Fine", sentiment_label="neutral")
        assert write(web(cast.cx), "response-mood", row, label=label).status_code == 400
        row.refresh_from_db()
        assert row.sentiment_label == "neutral"


class TestReply:
    def test_is_queued_once(self, cast: Cast, web: Any) -> None:
        row = ResponseFactory(contact=ContactFactory(owner=cast.rep, team=cast.north))
        client = web(cast.rep)
        text = answer(client, row).content.decode()
        once = text.split('name="once" value="')[1].split('"')[0]
        for _ in range(2):
            assert (
                write(
                    client,
                    "response-reply",
                    row,
                    subject="About your answer",
                    text=f"Sorry!\n\n{XSS}",
                    once=once,
                ).status_code
                == 302
            )
        mail = Message.objects.get()
        assert (mail.contact, mail.purpose, mail.subject, mail.status) == (
            row.contact,
            "reply",
            "About your answer",
            "queued",
        )
        assert (mail.subject_type, mail.subject_id) == ("response", row.pk)
        assert "<script>" not in mail.body_html
        assert "About your answer" in answer(client, row).content.decode()

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            ({"subject": ""}, "required"),
            ({"text": ""}, "required"),
            ({"text": "x" * 20_001}, "at most 20000"),
            ({"once": ""}, "required"),
            ({"once": "short"}, "Open the answer again"),
            ({"subject": "a\x00b"}, "Null"),
        ],
    )
    def test_wrong_input_is_kept(self, cast: Cast, web: Any, data: dict[str, str], words: str) -> None:
        row = ResponseFactory()
        found = write(
            web(cast.cx),
            "response-reply",
            row,
            **{"subject": "Kept", "text": "Kept words", "once": "12345678", **data},
        )
        text = found.content.decode()
        assert found.status_code == 422
        assert "Kept" in text
        assert words in text
        assert not Message.objects.exists()

    def test_refused_mail_is_not_queued(self, cast: Cast, web: Any) -> None:
        row = ResponseFactory(contact=ContactFactory(consent={"email": {"status": "denied"}}))
        found = write(web(cast.cx), "response-reply", row, subject="Hi", text="Words", once="12345678")
        assert found.status_code == 422
        assert "has refused e-mail" in found.content.decode()
        assert not Message.objects.exists()
