"""The pages of surveys: who may open and change what, the editor, previews that record nothing, sending."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from contacts.models import Activity, Message
from crmcem.lib.actors import person
from feedback.models import Invitation, Question, Response, Survey
from feedback.services.surveys import survey_update
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import InvitationFactory, ResponseFactory, SurveyFactory

pytestmark = pytest.mark.django_db
XSS = "<script>alert(1)</script>"


def page(client: Client, name: str, *args: Any, **query: Any) -> Any:
    return client.get(reverse(f"feedback:{name}", args=args), query)


def sheet(survey: Survey, **changes: Any) -> dict[str, Any]:
    """What the editor's form posts for the survey as it is."""
    data: dict[str, Any] = {
        "name": survey.name,
        "kind": survey.kind,
        "languages": survey.languages,
        "intro": survey.intro,
        "thanks": survey.thanks,
        "email_subject": survey.email_subject,
        "email_body": survey.email_body,
        "throttle_days": survey.throttle.get("days", 0),
        "expires_after_days": survey.expires_after_days,
        "version": survey.version,
        "q": [],
    }
    for number, question in enumerate(survey.questions.all()):
        data["q"].append(str(number))
        prefix = f"q{number}-"
        data |= {
            f"{prefix}key": question.key,
            f"{prefix}type": question.type,
            f"{prefix}text": question.text,
            f"{prefix}low": question.options.get("low", ""),
            f"{prefix}high": question.options.get("high", ""),
            f"{prefix}scale": question.options.get("scale", 5),
            f"{prefix}choices": "\n".join(question.options.get("choices", [])),
        }
        if question.required:
            data[f"{prefix}required"] = "1"
    return data | changes


def edit(client: Client, survey: Survey, **changes: Any) -> Any:
    return client.post(reverse("feedback:survey-edit", args=[survey.pk]), sheet(survey, **changes))


class TestRights:
    @pytest.mark.parametrize(
        ("name", "readers", "needs_survey"),
        [
            ("surveys", "rep rep2 manager cx admin integrator readonly", False),
            ("survey", "rep rep2 manager cx admin integrator readonly", True),
            ("invitations", "rep rep2 manager cx admin integrator readonly", True),
            ("survey-try", "rep rep2 manager cx admin integrator readonly", True),
            ("survey-mail", "rep rep2 manager cx admin integrator readonly", True),
            ("survey-preview", "rep rep2 manager cx admin integrator readonly", True),
            ("survey-new", "cx admin integrator", False),
            ("survey-edit", "cx admin integrator", True),
            ("survey-send", "cx admin integrator", True),
            ("survey-code", "cx admin integrator", True),
        ],
    )
    def test_who_may_open(self, cast: Cast, web: Any, name: str, readers: str, needs_survey: bool) -> None:
        survey = SurveyFactory()
        args = [survey.pk] if needs_survey else []
        for user in cast:
            wanted = 200 if user.username in readers.split() else 403
            assert page(web(user), name, *args).status_code == wanted, user.username
        assert page(Client(), name, *args).status_code == 302
        if needs_survey:
            assert page(web(cast.cx), name, survey.pk + 999).status_code == 404

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("survey-edit", {"name": "Changed"}),
            ("survey-status", {"to": "closed"}),
            ("survey-delete", {}),
            ("survey-send", {"contact": "1", "channel": "email"}),
            ("survey-preview", {"name": "x"}),
        ],
    )
    def test_who_may_not_change(self, cast: Cast, web: Any, name: str, data: dict[str, Any]) -> None:
        survey = SurveyFactory()
        before = Survey.objects.values().get()
        for user in (cast.rep, cast.manager, cast.readonly, cast.nobody):
            answer = web(user).post(reverse(f"feedback:{name}", args=[survey.pk]), data)
            assert answer.status_code == 403
        assert Survey.objects.values().get() == before
        assert not Invitation.objects.exists()

    def test_buttons_follow_the_rights(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory()
        mine = page(web(cast.cx), "survey", survey.pk).content.decode()
        theirs = page(web(cast.rep), "survey", survey.pk).content.decode()
        for text in (
            "Send invitation",
            "Public link",
            'value="closed"',
            reverse("feedback:survey-edit", args=[survey.pk]),
        ):
            assert text in mine
            assert text not in theirs

    def test_counts_show_only_what_a_person_may_see(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory()
        mine = ContactFactory(owner=cast.rep, team=cast.north, first_name="Mine")
        hidden = ContactFactory(owner=cast.rep2, team=cast.south, first_name="Hidden")
        for contact in (mine, hidden, hidden):
            ResponseFactory(survey=survey, contact=contact, nps=10, comment=f"Word of {contact.first_name}")
            InvitationFactory(survey=survey, contact=contact, status="answered")
        text = page(web(cast.rep), "survey", survey.pk).content.decode()
        assert "Counted over 1 answer." in text
        assert "Word of Mine" in text
        assert "Hidden" not in text
        assert "1 answered of 1 delivered" in text
        assert "3 answered of 3 delivered" in page(web(cast.cx), "survey", survey.pk).content.decode()
        listed = page(web(cast.rep), "invitations", survey.pk).content.decode()
        assert "Mine" in listed
        assert "Hidden" not in listed


class TestList:
    def test_figures_of_ninety_days(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(name="Delivery")
        for nps in [10] * 6 + [8] * 2 + [3] * 2:
            ResponseFactory(survey=survey, nps=nps)
        ResponseFactory(survey=survey, nps=0, submitted_at=timezone.now() - dt.timedelta(days=91))
        ResponseFactory(survey=survey, nps=0, status="partial")
        for status in ("sent", "opened", "answered", "expired", "suppressed", "queued"):
            InvitationFactory(survey=survey, status=status)
        text = page(web(cast.cx), "surveys").content.decode()
        assert '<td class="num wide">10</td>' in text
        assert "25 %" in text
        assert "+40 <small>" in text
        assert "fewer than 30 answers" in text

    def test_queries_do_not_grow(self, cast: Cast, web: Any, django_assert_max_num_queries: Any) -> None:
        client = web(cast.cx)
        for _ in range(3):
            ResponseFactory(survey=SurveyFactory())
        page(client, "surveys")
        with django_assert_max_num_queries(12) as few:
            page(client, "surveys")
        for _ in range(40):
            ResponseFactory(survey=SurveyFactory())
        with django_assert_max_num_queries(12) as many:
            page(client, "surveys")
        assert len(many) == len(few)

    def test_pages_of_one_survey(self, cast: Cast, web: Any, django_assert_max_num_queries: Any) -> None:
        survey = SurveyFactory()
        for _ in range(12):
            ResponseFactory(survey=survey, contact=InvitationFactory(survey=survey).contact)
        client = web(cast.cx)
        for name, most in (("survey", 20), ("invitations", 12), ("survey-edit", 12)):
            page(client, name, survey.pk)
            with django_assert_max_num_queries(most):
                assert page(client, name, survey.pk).status_code == 200
        with django_assert_max_num_queries(12):
            assert (
                page(client, "survey-send", survey.pk, q="customer.example")
                .content.decode()
                .count('type="radio" name="contact"')
                == 8
            )

    def test_an_unknown_filter_is_named(self, cast: Cast, web: Any) -> None:
        answer = page(web(cast.cx), "surveys", moon="1")
        assert answer.status_code == 400
        assert "moon" in answer.content.decode()


class TestNew:
    @pytest.mark.parametrize("kind", ["nps", "csat", "ces", "custom"])
    def test_from_a_template(self, cast: Cast, web: Any, kind: str) -> None:
        answer = web(cast.cx).post(
            reverse("feedback:survey-new"), {"name": "After sales", "kind": kind, "languages": ["de", "en"]}
        )
        survey = Survey.objects.get()
        assert answer["Location"] == reverse("feedback:survey-edit", args=[survey.pk])
        assert (survey.status, survey.kind, survey.languages, survey.created_by) == (
            "draft",
            kind,
            ["de", "en"],
            cast.cx,
        )
        first = survey.questions.first()
        assert first.type == ("text" if kind == "custom" else kind)
        assert survey.questions.count() == (1 if kind == "custom" else 2)

    @pytest.mark.parametrize(
        "data",
        [
            {"name": "", "kind": "nps"},
            {"name": "x" * 201, "kind": "nps"},
            {"name": "a\x00", "kind": "nps"},
            {"name": "Kept", "kind": "moon"},
            {"name": "Kept", "kind": "nps", "languages": ["xx"]},
        ],
    )
    def test_wrong_input_is_kept(self, cast: Cast, web: Any, data: dict[str, Any]) -> None:
        answer = web(cast.cx).post(reverse("feedback:survey-new"), data)
        assert answer.status_code == 422
        if data["name"] == "Kept":
            assert 'value="Kept"' in answer.content.decode()
        assert not Survey.objects.exists()


class TestEditor:
    def test_saves_questions_in_their_new_order(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(status="draft")
        data = {
            "q": ["1", "x7", "0"],
            "qx7-key": "",
            "qx7-type": "multi",
            "qx7-text": "What did you use?",
            "qx7-choices": " Web \n\nShop\r\nPhone",
            "throttle_days": "45",
            "thanks": "Thank you",
        }
        answer = edit(web(cast.cx), survey, **data)
        assert answer.status_code == 302
        survey.refresh_from_db()
        assert [(q.key, q.position) for q in survey.questions.all()] == [
            ("comment", 0),
            ("what-did-you-use", 1),
            ("nps", 2),
        ]
        assert survey.questions.get(key="what-did-you-use").options == {"choices": ["Web", "Shop", "Phone"]}
        assert (survey.throttle, survey.thanks, survey.version) == ({"days": 45}, "Thank you", 2)

    @pytest.mark.parametrize(
        ("button", "order", "size"),
        [
            ("up:1", ["1", "0"], 2),
            ("down:0", ["1", "0"], 2),
            ("up:0", ["0", "1"], 2),
            ("remove:0", ["1"], 1),
            ("add:text", ["0", "1", "2"], 3),
            ("add:nps", ["0", "1"], 2),
            ("down:99", ["0", "1"], 2),
            ("x", ["0", "1"], 2),
        ],
    )
    def test_works_without_scripts(
        self, cast: Cast, web: Any, button: str, order: list[str], size: int
    ) -> None:
        survey = SurveyFactory(status="draft")
        before = list(Question.objects.values())
        answer = edit(web(cast.cx), survey, _do=button, intro="Typed but not saved", **{"q0-text": ""})
        text = answer.content.decode()
        assert answer.status_code == 200
        assert [part.split('"')[0] for part in text.split('name="q" value="')[1:]] == order
        assert text.count("data-question") - text.count("data-questions") == size
        assert "Typed but not saved" in text
        assert "is-invalid" not in text
        assert list(Question.objects.values()) == before
        survey.refresh_from_db()
        assert (survey.intro, survey.version) == ("", 1)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"name": ""}, "This field is required"),
            ({"q0-text": " "}, "Ask in 1 to 500 characters"),
            ({"q1-type": "single", "q1-choices": "Only one"}, "two to fifty choices"),
            ({"q1-type": "nps"}, "one question of this type"),
            ({"q1-type": "moon"}, "The type is one of"),
            ({"q1-type": "csat", "q1-scale": "99"}, "The scale must be"),
            ({"q1-type": "ces", "q1-low": "x" * 81}, "at most 80 characters"),
            ({"throttle_days": "-1"}, "greater than or equal to 0"),
            ({"expires_after_days": "many"}, "whole number"),
            ({"email_body": "Hello {{ contact.password }}"}, "contact.password"),
            ({"email_subject": "{% if %}"}, "if"),
            ({"q": []}, "Add a question first"),
            ({"q0-required": ""}, "must be required"),
            ({"languages": ["xx"]}, "xx"),
        ],
    )
    def test_wrong_input_is_kept_and_explained(
        self, cast: Cast, web: Any, changes: dict[str, Any], words: str
    ) -> None:
        survey = SurveyFactory(status="live")
        before = (list(Survey.objects.values()), list(Question.objects.values()))
        answer = edit(web(cast.cx), survey, intro="Kept words", **changes)
        text = answer.content.decode()
        assert answer.status_code == 422
        assert words in text
        assert "Kept words" in text
        assert (list(Survey.objects.values()), list(Question.objects.values())) == before

    def test_two_people_at_once(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(status="draft")
        client = web(cast.cx)
        survey_update(survey=survey, actor=person(cast.admin), name="Theirs")
        answer = edit(client, survey, intro="My words")
        text = answer.content.decode()
        assert answer.status_code == 412
        assert "Somebody else changed this survey" in text
        assert "My words" in text
        now = Survey.objects.get()
        assert (now.name, now.intro, now.version) == ("Theirs", "", 2)
        assert edit(client, survey, intro="My words").status_code == 412
        assert edit(client, survey, intro="My words", _over="2").status_code == 302
        now = Survey.objects.get()
        assert (now.name, now.intro, now.version) == (survey.name, "My words", 3)

    def test_answered_questions_stay(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory()
        ResponseFactory(survey=survey, answers={"nps": 9, "comment": "Well"})
        client = web(cast.cx)
        text = page(client, "survey-edit", survey.pk).content.decode()
        assert text.count("has answers") == 2
        assert "data-remove " not in text
        before = list(Question.objects.values())
        for changes in ({"q": ["0"]}, {"q1-type": "single", "q1-choices": "A\nB"}):
            answer = edit(client, survey, **changes)
            assert answer.status_code == 422
            assert "has answers" in answer.content.decode()
        assert edit(client, survey, _do="remove:1").content.decode().count('name="q" value') == 2
        assert list(Question.objects.values()) == before
        assert edit(client, survey, **{"q1-text": "Why so?"}).status_code == 302
        assert survey.questions.get(key="comment").text == "Why so?"

    def test_a_closed_survey_is_not_edited(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(status="closed")
        assert page(web(cast.cx), "survey-edit", survey.pk)["Location"] == reverse(
            "feedback:survey", args=[survey.pk]
        )
        answer = edit(web(cast.cx), survey, name="Other")
        assert answer.status_code == 422
        assert "is closed" in answer.content.decode()
        assert Survey.objects.get().name == survey.name

    def test_the_frame_may_be_shown_here_and_only_here(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory()
        client = web(cast.cx)
        assert "frame-src 'self'" in page(client, "survey-edit", survey.pk)["Content-Security-Policy"]
        shown = page(client, "survey-preview", survey.pk)
        assert shown["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in shown["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page(client, "survey-try", survey.pk)["Content-Security-Policy"]


class TestPreview:
    def test_shows_what_is_typed_and_saves_nothing(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory()
        before = (list(Survey.objects.values()), list(Question.objects.values()))
        data = sheet(
            survey,
            name=XSS,
            intro="Typed",
            **{"q1-type": "single", "q1-text": "Where?", "q1-choices": f"A\n{XSS}", "q0-text": "New words?"},
        )
        answer = web(cast.cx).post(reverse("feedback:survey-preview", args=[survey.pk]), data)
        text = answer.content.decode()
        assert answer.status_code == 200
        assert "New words?" in text
        assert text.count('type="radio" name="comment"') == 2
        assert "<script>alert" not in text
        assert (list(Survey.objects.values()), list(Question.objects.values())) == before

    @pytest.mark.parametrize(
        "changes",
        [
            {"q": []},
            {"q0-type": "moon"},
            {"q0-type": "csat", "q0-scale": "x"},
            {"q0-text": ""},
            {"q": ["0", "0", "../x", "é"]},
        ],
    )
    def test_never_fails(self, cast: Cast, web: Any, changes: dict[str, Any]) -> None:
        survey = SurveyFactory()
        path = reverse("feedback:survey-preview", args=[survey.pk])
        assert web(cast.cx).post(path, sheet(survey, **changes)).status_code == 200

    def test_a_test_run_is_checked_and_forgotten(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(status="draft", thanks="Merci <b>")
        client = web(cast.readonly)
        path = reverse("feedback:survey-try", args=[survey.pk])
        stream = Activity.objects.count()
        assert "Test run" in client.get(path).content.decode()
        wrong = client.post(path, {"nps": "11", "comment": "Kept"})
        assert wrong.status_code == 422
        assert "Kept</textarea>" in wrong.content.decode()
        assert client.post(path, {}).status_code == 422
        done = client.post(path, {"nps": "3", "comment": "Bad"})
        assert done.status_code == 200
        assert "Merci &lt;b&gt;" in done.content.decode()
        assert reverse("feedback:survey", args=[survey.pk]) in done.content.decode()
        assert not Response.objects.exists()
        assert Activity.objects.count() == stream

    def test_the_mail_is_shown_and_not_sent(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(
            name=XSS, languages=["en", "de"], email_body=f"Hi {{{{ contact.first_name }}}} {XSS}"
        )
        text = page(web(cast.rep), "survey-mail", survey.pk).content.decode()
        assert "Hi Alex" in text
        assert "<script>alert" not in text
        assert text.count(f"{reverse('feedback:survey-try', args=[survey.pk])}?score=") == 11
        assert (
            "Jetzt antworten"
            in page(
                web(cast.rep),
                "survey-mail",
                SurveyFactory(languages=["de"], questions=[{"key": "c", "type": "text", "text": "?"}]).pk,
            ).content.decode()
        )
        assert not Message.objects.exists()
        assert not Invitation.objects.exists()


class TestLife:
    def test_publish_pause_close(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(status="draft")
        client = web(cast.cx)
        path = reverse("feedback:survey-status", args=[survey.pk])
        for to in ("live", "paused", "live", "closed"):
            version = Survey.objects.get().version
            assert client.post(path, {"to": to, "version": version}).status_code == 302
            assert Survey.objects.get().status == to
        answer = client.post(path, {"to": "live"}, follow=True)
        assert "can’t become" in answer.content.decode() or "can&#x27;t become" in answer.content.decode()
        assert Survey.objects.get().status == "closed"
        assert client.post(path, {"to": "moon"}).status_code == 400

    def test_says_what_will_happen_in_numbers(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory()
        for status in ("sent", "queued", "opened", "answered"):
            InvitationFactory(survey=survey, status=status)
        text = page(web(cast.cx), "survey", survey.pk).content.decode()
        assert "3 open invitations can no longer be answered" in text
        assert "3 open invitations show that the survey takes no answers" in text

    def test_what_is_missing_is_said(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(status="draft", questions=[])
        path = reverse("feedback:survey-status", args=[survey.pk])
        answer = web(cast.cx).post(path, {"to": "live"}, follow=True)
        assert "Add a question first." in answer.content.decode()
        assert Survey.objects.get().status == "draft"

    def test_a_decision_on_an_old_version_is_asked_again(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory()
        survey_update(survey=survey, actor=person(cast.admin), name="Theirs")
        path = reverse("feedback:survey-status", args=[survey.pk])
        answer = web(cast.cx).post(path, {"to": "closed", "version": "1"}, follow=True)
        assert "Somebody changed this survey meanwhile" in answer.content.decode()
        assert Survey.objects.get().status == "live"

    def test_delete_a_draft_and_nothing_else(self, cast: Cast, web: Any) -> None:
        draft, used = SurveyFactory(status="draft"), SurveyFactory()
        InvitationFactory(survey=used)
        client = web(cast.cx)
        assert client.post(reverse("feedback:survey-delete", args=[draft.pk]))["Location"] == reverse(
            "feedback:surveys"
        )
        answer = client.post(reverse("feedback:survey-delete", args=[used.pk]), follow=True)
        assert "Close it instead." in answer.content.decode()
        assert [row.pk for row in Survey.objects.all()] == [used.pk]


class TestSending:
    def post(self, client: Client, survey: Survey, **data: Any) -> Any:
        return client.post(
            reverse("feedback:survey-send", args=[survey.pk]), {"channel": "email", **data}, follow=True
        )

    def test_by_mail(self, cast: Cast, web: Any) -> None:
        survey, contact = SurveyFactory(), ContactFactory()
        answer = self.post(web(cast.cx), survey, contact=contact.pk, touchpoint="delivery")
        made = Invitation.objects.get()
        assert (made.contact, made.status, made.touchpoint, made.channel) == (
            contact,
            "queued",
            "delivery",
            "email",
        )
        assert "is on its way" in answer.content.decode()
        assert Message.objects.get().to_address == contact.email

    def test_as_a_personal_link(self, cast: Cast, web: Any) -> None:
        survey, contact = SurveyFactory(), ContactFactory(email=None)
        answer = self.post(web(cast.cx), survey, contact=contact.pk, channel="link")
        made = Invitation.objects.get()
        assert f"/s/{made.pk}." in answer.content.decode()
        assert not Message.objects.exists()

    def test_why_somebody_is_not_asked(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(throttle={"days": 30})
        refused = ContactFactory(consent={"email": {"status": "denied"}})
        client = web(cast.cx)
        assert "has refused e-mail" in self.post(client, survey, contact=refused.pk).content.decode()
        assert Invitation.objects.get().suppressed_reason == "no_consent"
        assert "has refused e-mail" in page(client, "invitations", survey.pk).content.decode()
        assert "1 customer was not asked" in page(client, "survey", survey.pk).content.decode()

    @pytest.mark.parametrize("contact", ["", "x", "0", "99999999", "9" * 30])
    def test_nobody_chosen(self, cast: Cast, web: Any, contact: str) -> None:
        survey = SurveyFactory()
        answer = self.post(web(cast.cx), survey, contact=contact, touchpoint="kept words", q="smith")
        assert answer.status_code == 422
        assert 'value="kept words"' in answer.content.decode()
        assert not Invitation.objects.exists()

    def test_a_survey_that_is_not_live(self, cast: Cast, web: Any) -> None:
        survey = SurveyFactory(status="paused")
        answer = self.post(web(cast.cx), survey, contact=ContactFactory().pk)
        assert answer.status_code == 422
        assert "not live" in answer.content.decode()
        assert not Invitation.objects.exists()

    def test_finds_only_visible_customers(self, cast: Cast, web: Any) -> None:
        cast.rep.role.scopes = [*cast.rep.role.scopes, "surveys:write"]
        cast.rep.role.save()
        survey = SurveyFactory()
        mine = ContactFactory(owner=cast.rep, team=cast.north, last_name="Meier")
        hidden = ContactFactory(owner=cast.rep2, team=cast.south, last_name="Meierhof")
        client = web(cast.rep)
        text = page(client, "survey-send", survey.pk, q="meier", contact=hidden.pk).content.decode()
        assert str(mine) in text
        assert "Meierhof" not in text
        assert self.post(client, survey, contact=hidden.pk).status_code == 422
        assert not Invitation.objects.exists()

    def test_the_public_link_is_shown_only_while_it_answers(self, cast: Cast, web: Any) -> None:
        live, draft = SurveyFactory(), SurveyFactory(status="draft")
        assert 'id="public-link"' in page(web(cast.cx), "survey", live.pk).content.decode()
        assert 'id="public-link"' not in page(web(cast.cx), "survey", draft.pk).content.decode()
        code = page(web(cast.cx), "survey-code", live.pk)
        assert code["Content-Type"] == "image/svg+xml"
        assert b"<script" not in code.content


def test_results_equal_a_plain_count(cast: Cast, web: Any) -> None:
    questions = [
        {"key": "nps", "type": "nps", "text": "How likely?", "required": True},
        {"key": "from", "type": "single", "text": XSS, "options": {"choices": ["Web", XSS]}},
        {"key": "used", "type": "multi", "text": "Used?", "options": {"choices": ["A", "B"]}},
    ]
    survey = SurveyFactory(questions=questions)
    for number in range(20):
        answers: dict[str, Any] = {"nps": number % 11}
        if number % 2:
            answers |= {"used": ["A", "B"] if number % 4 == 1 else ["B"], "from": XSS}
        ResponseFactory(survey=survey, nps=number % 11, answers=answers)
    from feedback.views.results import results_of

    found = results_of(survey, survey.questions.all(), cast.cx)
    assert (found["answers"], found["capped"]) == (20, False)
    nps, single, multi = found["questions"]
    assert [row["count"] for row in nps["rows"]] == [2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1]
    assert [(row["label"], row["count"], row["share"]) for row in single["rows"]] == [
        ("Web", 0, "0 %"),
        (XSS, 10, "100 %"),
    ]
    assert (multi["n"], [(row["label"], row["count"], row["share"]) for row in multi["rows"]]) == (
        10,
        [("A", 5, "50 %"), ("B", 10, "100 %")],
    )
    assert "<script>alert" not in page(web(cast.cx), "survey", survey.pk).content.decode()


def test_in_the_navigation_and_the_palette(cast: Cast, web: Any) -> None:
    SurveyFactory(name="Delivery survey")
    text = web(cast.cx).get(reverse("workspace:search"), {"q": "delivery"}).content.decode()
    assert "Delivery survey" in text
    home = page(web(cast.cx), "surveys").content.decode()
    assert reverse("feedback:responses") in home
    assert reverse("feedback:survey-new") in home
    assert reverse("feedback:survey-new") not in page(web(cast.rep), "surveys").content.decode()
    nobody = web(cast.nobody).get(reverse("workspace:search"), {"q": "delivery"}).content.decode()
    assert "Delivery survey" not in nobody
