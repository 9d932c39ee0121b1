"""The customers' page: what it accepts, what it refuses, and that looking at it changes nothing."""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from contacts.models import Activity
from crmcem.lib import tokens
from crmcem.workspace.models import AuditEntry
from feedback import links
from feedback.models import Invitation, Response
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import InvitationFactory, SurveyFactory

EVERY_TYPE = [
    {"key": "nps", "type": "nps", "text": "How likely?", "required": True},
    {"key": "csat", "type": "csat", "text": "How satisfied?", "options": {"scale": 5}},
    {"key": "ces", "type": "ces", "text": "Easy?", "options": {"low": "No", "high": "Yes"}},
    {"key": "why", "type": "text", "text": "Why?"},
    {"key": "from", "type": "single", "text": "Where from?", "options": {"choices": ["Web", "Shop"]}},
    {"key": "used", "type": "multi", "text": "What did you use?", "options": {"choices": ["A", "B", "C"]}},
]


def path_of(invitation: Invitation) -> str:
    return links.invitation_url(invitation.pk).removeprefix("http://localhost:8000")


def post(client: Client, path: str, data: dict[str, Any]) -> Any:
    """What a browser does: fetch the form, send its cookie and hidden field along."""
    client.get(path)
    return client.post(path, {"csrfmiddlewaretoken": client.cookies["csrftoken"].value, **data})


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


def counts() -> dict[str, int]:
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.managed
    } | {"stream": Activity.objects.count()}


@pytest.mark.django_db
class TestLooking:
    def test_shows_the_form_without_session_or_scripts_needed(self, client: Client) -> None:
        survey = SurveyFactory(questions=EVERY_TYPE, name="<b>Us</b>", intro="Hello <script>x</script>")
        response = client.get(path_of(InvitationFactory(survey=survey)))
        page = response.content.decode()
        assert response.status_code == 200
        assert page.count('name="nps" value=') == 11
        assert page.count('name="csat" value=') == 5
        assert page.count('name="ces" value=') == 7
        assert page.count('type="checkbox" name="used"') == 3
        assert "&lt;b&gt;Us&lt;/b&gt;" in page
        assert "<script>x" not in page
        assert "style=" not in page
        assert "onclick" not in page
        assert len(response.content) < 15_000
        assert response["Cache-Control"] == "private, no-store"
        assert response["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
        assert "sessionid" not in response.cookies

    def test_a_get_changes_no_table(self, client: Client) -> None:
        invitation = InvitationFactory()
        before, state = counts(), Invitation.objects.values().get()
        for query in ("", "?score=0", "?score=10", "?score=11", "?score=x", "?_partial=1&nps=3"):
            assert client.get(path_of(invitation) + query).status_code == 200
        assert client.head(path_of(invitation) + "?score=9").status_code == 200
        assert counts() == before
        assert Invitation.objects.values().get() == state

    @pytest.mark.parametrize(
        ("score", "filled"), [("9", True), ("0", True), ("11", False), ("-1", False), ("९", False)]
    )
    def test_the_score_of_the_link_is_filled_in(self, client: Client, score: str, filled: bool) -> None:
        page = client.get(path_of(InvitationFactory()), {"score": score}).content.decode()
        assert page.count(" checked") == (1 if filled else 0)
        assert (f'value="{score}" checked' in page) is filled

    def test_a_look_takes_at_most_three_queries(
        self, client: Client, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        path = path_of(InvitationFactory())
        client.get(path)
        with django_assert_max_num_queries(1):
            assert client.get(path).status_code == 200

    def test_a_changed_question_shows_at_once(self, client: Client, cast: Any, actor: Any) -> None:
        from feedback.services.surveys import survey_update

        invitation = InvitationFactory()
        assert "How likely?" in client.get(path_of(invitation)).content.decode()
        asked = [{"key": "nps", "type": "nps", "text": "Would you?", "required": True}]
        survey_update(survey=invitation.survey, actor=actor(cast.cx), questions=asked)
        assert "Would you?" in client.get(path_of(invitation)).content.decode()

    def test_speaks_the_customers_language(self, client: Client) -> None:
        survey = SurveyFactory(languages=["en", "de"])
        german = InvitationFactory(survey=survey, contact=ContactFactory(language="de"))
        french = InvitationFactory(survey=survey, contact=ContactFactory(language="fr"))
        response = client.get(path_of(german))
        assert response["Content-Language"] == "de"
        assert '<html lang="de">' in response.content.decode()
        assert "Antwort absenden" in response.content.decode()
        assert client.get(path_of(french))["Content-Language"] == "en"


@pytest.mark.django_db
class TestAnswering:
    def test_every_type(self, client: Client) -> None:
        survey = SurveyFactory(questions=EVERY_TYPE, thanks="Merci & bye")
        contact = ContactFactory()
        invitation = InvitationFactory(survey=survey, contact=contact, touchpoint="delivery")
        data = {"nps": "3", "csat": "4", "ces": "7", "why": "  Terrible. I hate waiting.  ", "from": "Shop"}
        response = post(client, path_of(invitation), {**data, "used": ["C", "A"]})
        assert response.status_code == 200
        assert "Merci &amp; bye" in response.content.decode()
        row = Response.objects.get()
        assert row.answers == {
            "nps": 3,
            "csat": 4,
            "ces": 7,
            "why": "Terrible. I hate waiting.",
            "from": "Shop",
            "used": ["A", "C"],
        }
        assert (row.nps, row.csat, row.csat_scale, row.ces) == (3, 4, 5, 7)
        assert (row.contact, row.invitation, row.touchpoint, row.status) == (
            contact,
            invitation,
            "delivery",
            "complete",
        )
        assert (row.comment, row.language, row.sentiment_label) == (
            "Terrible. I hate waiting.",
            "en",
            "negative",
        )
        assert row.sentiment_score is not None
        assert row.sentiment_score < -0.4
        assert row.sentiment_by.startswith("vader ")
        invitation.refresh_from_db()
        assert (invitation.status, invitation.answered_at) == ("answered", row.submitted_at)
        activity = Activity.objects.get(kind="survey.answered")
        assert (activity.contact_id, activity.actor_kind, activity.actor_id) == (
            contact.pk,
            "customer",
            contact.pk,
        )
        assert (activity.subject_type, activity.subject_id) == ("response", row.pk)
        assert activity.payload["nps"] == 3
        assert activity.payload["touchpoint"] == "delivery"
        audit = AuditEntry.objects.filter(table_name="feedback_response", row_id=row.pk).get()
        assert (audit.op, audit.actor_kind, audit.actor_id) == ("I", "customer", contact.pk)

    @pytest.mark.parametrize(
        ("data", "wrong"),
        [
            ({}, "nps"),
            ({"nps": ""}, "nps"),
            ({"nps": "11"}, "nps"),
            ({"nps": "-1"}, "nps"),
            ({"nps": "9.5"}, "nps"),
            ({"nps": "nine"}, "nps"),
            ({"nps": "٩"}, "nps"),
            ({"nps": "9", "csat": "6"}, "csat"),
            ({"nps": "9", "csat": "0"}, "csat"),
            ({"nps": "9", "ces": "8"}, "ces"),
            ({"nps": "9", "from": "Moon"}, "from"),
            ({"nps": "9", "used": ["A", "Z"]}, "used"),
            ({"nps": "9", "why": "x" * 5001}, "why"),
            ({"nps": "9", "why": "a\x00b"}, "why"),
        ],
    )
    def test_a_wrong_answer_gives_the_form_again_and_records_nothing(
        self, client: Client, data: dict[str, Any], wrong: str
    ) -> None:
        invitation = InvitationFactory(survey=SurveyFactory(questions=EVERY_TYPE))
        before = Activity.objects.count()
        response = post(client, path_of(invitation), {"why": 'Because <i>"so"</i>', **data})
        page = response.content.decode()
        assert response.status_code == 422
        assert f'id="e-{wrong}"' in page
        assert page.count('class="error"') == 1
        if "why" not in data:
            assert "Because &lt;i&gt;&quot;so&quot;&lt;/i&gt;" in page
        if data.get("nps") == "9":
            assert 'name="nps" value="9" checked' in page
        assert not Response.objects.exists()
        assert Activity.objects.count() == before
        invitation.refresh_from_db()
        assert invitation.status == "sent"

    @pytest.mark.parametrize("score", [0, 6, 7, 8, 9, 10])
    def test_the_ends_of_the_scale(self, client: Client, score: int) -> None:
        post(client, path_of(InvitationFactory()), {"nps": str(score)})
        row = Response.objects.get()
        assert row.nps == score
        assert row.group == {0: "detractor", 6: "detractor", 7: "passive", 8: "passive"}.get(
            score, "promoter"
        )

    def test_a_second_answer_changes_nothing(self, client: Client) -> None:
        invitation = InvitationFactory()
        assert post(client, path_of(invitation), {"nps": "9"}).status_code == 200
        first = Response.objects.values().get()
        again = client.post(
            path_of(invitation), {"csrfmiddlewaretoken": client.cookies["csrftoken"].value, "nps": "1"}
        )
        assert again.status_code == 410
        assert "Already answered" in again.content.decode()
        assert client.get(path_of(invitation)).status_code == 410
        assert Response.objects.values().get() == first
        assert Activity.objects.filter(kind="survey.answered").count() == 1

    def test_needs_the_token_of_the_form(self, client: Client) -> None:
        invitation = InvitationFactory()
        assert client.post(path_of(invitation), {"nps": "9"}).status_code == 403
        assert not Response.objects.exists()

    def test_parts_are_kept_and_completed(self, client: Client) -> None:
        survey = SurveyFactory(questions=EVERY_TYPE)
        invitation = InvitationFactory(survey=survey)
        response = post(
            client, path_of(invitation), {"_partial": "1", "nps": "8", "csat": "99", "why": "Well"}
        )
        assert response.status_code == 204
        row = Response.objects.get()
        assert (row.status, row.answers, row.submitted_at) == ("partial", {"nps": 8, "why": "Well"}, None)
        invitation.refresh_from_db()
        assert invitation.status == "opened"
        assert invitation.opened_at is not None
        post(client, path_of(invitation), {"_partial": "1", "nps": "7", "why": "Well"})
        assert Activity.objects.filter(kind="survey.opened").count() == 1
        assert not Activity.objects.filter(kind="survey.answered").exists()
        page = client.get(path_of(invitation)).content.decode()
        assert 'name="nps" value="7" checked' in page
        assert "Well</textarea>" in page
        post(client, path_of(invitation), {"nps": "10"})
        row = Response.objects.get()
        assert (row.status, row.answers, row.nps) == ("complete", {"nps": 10}, 10)
        assert post(client, path_of(invitation), {"_partial": "1", "nps": "1"}).status_code == 410
        assert Response.objects.get().nps == 10

    def test_too_many_posts_are_slowed_down(self, client: Client) -> None:
        path = path_of(InvitationFactory())
        client.get(path)
        data = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value, "nps": "x"}
        answers = [client.post(path, data).status_code for _ in range(121)]
        assert answers == [422] * 120 + [429]


@pytest.mark.django_db
class TestLinks:
    def test_unknown_ones_are_404_and_never_500(self, client: Client) -> None:
        invitation = InvitationFactory()
        token = tokens.make(links.INVITATION, invitation.pk)
        foreign = tokens.make("unsubscribe", invitation.pk)
        as_survey = tokens.make(links.SURVEY, invitation.pk)
        other = tokens.make(links.INVITATION, invitation.pk + 1).split(".")[1]
        gone = tokens.make(links.INVITATION, 2**62)
        forged = [
            token[:-1],
            token + "x",
            foreign,
            as_survey,
            f"{invitation.pk}.{other}",
            f"0{token}",
            gone,
            "s",
            "s.",
            ".",
        ]
        forged += [
            f"{invitation.pk}",
            "%00",
            "é.ü",
            "9" * 200,
            "s" + gone,
            "s" + tokens.make(links.SURVEY, 2**62),
        ]
        for bad in forged:
            response = client.get(f"/s/{bad}/")
            assert response.status_code == 404, bad
        assert "copy the whole address" in client.get(f"/s/{token}x/").content.decode()

    def test_a_token_has_at_least_128_bits(self) -> None:
        signature = tokens.make(links.INVITATION, 1).split(".")[1]
        assert len(signature) * 6 >= 256

    @pytest.mark.parametrize(
        ("invitation", "survey", "text"),
        [
            ({"expires_at": timezone.now() - dt.timedelta(seconds=1)}, {}, "has expired"),
            ({"status": "expired"}, {}, "has expired"),
            ({"status": "suppressed"}, {}, "has expired"),
            ({}, {"status": "closed"}, "is closed"),
            ({}, {"status": "paused"}, "is closed"),
        ],
    )
    def test_what_is_over_is_410(
        self, client: Client, invitation: dict[str, Any], survey: dict[str, Any], text: str
    ) -> None:
        open_one = path_of(InvitationFactory())
        client.get(open_one)
        path = path_of(InvitationFactory(survey=SurveyFactory(**survey), **invitation))
        data = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value, "nps": "9"}
        for response in (client.get(path), client.post(path, data)):
            assert response.status_code == 410
            assert text in response.content.decode()
        assert not Response.objects.exists()

    def test_the_surveys_own_link_is_anonymous_and_a_double_click_counts_once(self, client: Client) -> None:
        survey = SurveyFactory()
        path = links.survey_url(survey.pk).removeprefix("http://localhost:8000")
        page = client.get(path).content.decode()
        once = page.split('name="_once" value="')[1].split('"')[0]
        data = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value, "_once": once, "nps": "4"}
        assert [client.post(path, data).status_code for _ in range(2)] == [200, 200]
        row = Response.objects.get()
        assert (row.contact, row.invitation, row.nps) == (None, None, 4)
        second = client.get(path).content.decode()
        assert once not in second
        assert client.post(path, {**data, "_once": "", "_partial": "1"}).status_code == 204
        assert Response.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_fifty_parallel_posts_are_one_answer() -> None:
    invitation = InvitationFactory()
    path = path_of(invitation)
    opener = Client()
    page = opener.get(path)
    assert page.status_code == 200
    statuses: list[int] = []
    start = threading.Barrier(50)

    def answer(score: int) -> None:
        client = Client(enforce_csrf_checks=True)
        client.cookies["csrftoken"] = opener.cookies["csrftoken"].value
        start.wait()
        try:
            data = {"csrfmiddlewaretoken": opener.cookies["csrftoken"].value, "nps": str(score % 11)}
            statuses.append(client.post(path, data).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=answer, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(statuses)) in ([200, 409], [200, 410], [200, 409, 410])
    assert (len(statuses), statuses.count(200)) == (50, 1)
    assert Response.objects.count() == 1
    assert Activity.objects.filter(kind="survey.answered").count() == 1
    assert connection.vendor == "postgresql"
