"""What the stream makes of answers and messages: Pulse, cases, delivered invitations."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from contacts.models import Activity, Message, Pulse
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import SYSTEM, Actor
from crmcem.workspace.models import Notification
from feedback.models import Case, Invitation, Response
from feedback.services.cases import case_create, case_reopen, case_resolve
from feedback.services.responses import response_correct_sentiment, response_submit
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import InvitationFactory, SurveyFactory

pytestmark = pytest.mark.django_db
Drain = Callable[[], int]
NOW = timezone.now()


def answer(survey: Any, contact: Any, days_ago: float = 0, **answers: Any) -> Response:
    at = NOW - dt.timedelta(days=days_ago)
    submitted = response_submit(
        survey=survey, answers=answers, actor=SYSTEM, contact=contact, submitted_at=at
    )
    return submitted.response


def pulse(contact: Any) -> Pulse:
    return Pulse.objects.get(pk=contact.pk)


class TestPulse:
    def test_shows_the_latest_answers_and_late_ones_overwrite_nothing(self, drain: Drain) -> None:
        asked = [
            {"key": "nps", "type": "nps", "text": "?"},
            {"key": "csat", "type": "csat", "text": "?"},
            {"key": "ces", "type": "ces", "text": "?"},
            {"key": "why", "type": "text", "text": "?"},
        ]
        survey, contact, other = SurveyFactory(questions=asked), ContactFactory(), ContactFactory()
        answer(survey, contact, days_ago=5, nps=9, csat=4)
        answer(survey, contact, days_ago=3, nps=7, why="This is a great and wonderful shop.")
        answer(survey, contact, days_ago=4, nps=2, ces=6)
        drain()
        row = pulse(contact)
        assert (row.nps, row.csat, row.ces) == (7, 4, 6)
        assert row.nps_at == NOW - dt.timedelta(days=3)
        assert row.csat_at == NOW - dt.timedelta(days=5)
        assert row.ces_at == NOW - dt.timedelta(days=4)
        assert row.sentiment is not None
        assert row.sentiment > 0.5
        assert row.sentiment_at == NOW - dt.timedelta(days=3)
        answer(survey, contact, days_ago=3.5, nps=0, csat=1)
        drain()
        row = pulse(contact)
        assert (row.nps, row.nps_at) == (7, NOW - dt.timedelta(days=3))
        assert (row.csat, row.csat_at) == (1, NOW - dt.timedelta(days=3.5))
        assert pulse(other).nps is None

    def test_a_corrected_mood_counts_for_the_newest_answer_only(
        self, drain: Drain, cast: Any, actor: Any
    ) -> None:
        survey, contact = SurveyFactory(), ContactFactory()
        old = answer(survey, contact, days_ago=3, nps=9, comment="It was great, thank you for all of it.")
        new = answer(survey, contact, days_ago=1, nps=9, comment="Well, that was brilliant of you, was it?")
        drain()
        response_correct_sentiment(response=new, label="negative", actor=actor(cast.cx))
        response_correct_sentiment(response=old, label="neutral", actor=actor(cast.cx))
        drain()
        assert (pulse(contact).sentiment, pulse(contact).sentiment_at) == (-0.6, NOW - dt.timedelta(days=1))
        new.refresh_from_db()
        assert (new.sentiment_label, new.sentiment_by) == ("negative", "person")

    def test_a_forged_event_of_the_same_name_changes_nothing(self, drain: Drain) -> None:
        contact = ContactFactory()
        payload = {"nps": "x'; drop", "response": 1, "sentiment": []}
        activity_append(actor=SYSTEM, activity=NewActivity("survey.answered", contact.pk, payload=payload))
        activity_append(actor=SYSTEM, activity=NewActivity("case.opened", contact.pk, payload=payload))
        drain()
        assert (pulse(contact).nps, pulse(contact).open_cases) == (None, 0)
        assert not Case.objects.exists()

    def test_counts_open_cases(self, drain: Drain, cast: Any, actor: Any) -> None:
        contact = ContactFactory(owner=cast.rep)
        first = case_create(contact=contact, subject="One", actor=actor(cast.rep))
        case_create(contact=contact, subject="Two", actor=actor(cast.rep))
        drain()
        assert pulse(contact).open_cases == 2
        case_resolve(case=first, actor=actor(cast.rep), resolution="Done")
        drain()
        assert pulse(contact).open_cases == 1
        case_reopen(case=first, actor=actor(cast.rep))
        drain()
        assert pulse(contact).open_cases == 2


class TestDetractors:
    @pytest.mark.parametrize(
        ("nps", "pulse_values", "priority", "hours"),
        [
            (0, {}, "high", 24),
            (3, {}, "high", 24),
            (3, {"orders": 5}, "urgent", 4),
            (4, {}, "normal", 48),
            (6, {"churn_risk": 0.5}, "high", 24),
            (6, {"orders": 4, "churn_risk": 0.4}, "normal", 48),
        ],
    )
    def test_get_a_case_at_their_owner(
        self, drain: Drain, cast: Any, nps: int, pulse_values: dict[str, Any], priority: str, hours: int
    ) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north, pulse=pulse_values)
        row = answer(SurveyFactory(), contact, nps=nps, comment="Late again")
        drain()
        case = Case.objects.get()
        assert (case.contact, case.owner, case.team) == (contact, cast.rep, cast.north)
        assert (case.source, case.status, case.priority, case.response) == ("survey", "open", priority, row)
        assert case.subject == f"Rated us {nps} of 10: “Late again”"
        assert case.sla_due_at is not None
        assert abs(case.sla_due_at - case.created_at - dt.timedelta(hours=hours)) < dt.timedelta(seconds=5)
        note = Notification.objects.get()
        assert (note.user, note.url) == (cast.rep, f"/cases/{case.pk}/")
        opened = Activity.objects.get(kind="case.opened")
        assert (opened.contact_id, opened.subject_id, opened.actor_kind) == (contact.pk, case.pk, "system")
        drain()
        assert pulse(contact).open_cases == 1

    @pytest.mark.parametrize("nps", [7, 8, 9, 10])
    def test_others_get_none(self, drain: Drain, nps: int) -> None:
        answer(SurveyFactory(), ContactFactory(), nps=nps)
        drain()
        assert not Case.objects.exists()

    def test_once_per_answer_whoever_opened_it(self, drain: Drain, cast: Any, actor: Any) -> None:
        contact = ContactFactory(owner=cast.rep)
        by_hand = answer(SurveyFactory(), contact, nps=1)
        case_create(contact=contact, subject="Called already", actor=actor(cast.rep), response=by_hand)
        second = answer(SurveyFactory(), contact, nps=2)
        activity_append(
            actor=SYSTEM,
            activity=NewActivity("survey.answered", contact.pk, subject=("response", second.pk)),
        )
        drain()
        activity_append(
            actor=SYSTEM,
            activity=NewActivity("survey.answered", contact.pk, subject=("response", second.pk)),
        )
        drain()
        assert sorted(Case.objects.values_list("response_id", flat=True)) == [by_hand.pk, second.pk]
        assert Notification.objects.count() == 1

    def test_old_and_anonymous_answers_open_none(self, drain: Drain) -> None:
        answer(SurveyFactory(), ContactFactory(), days_ago=31, nps=0)
        answer(SurveyFactory(), None, nps=0)
        drain()
        assert not Case.objects.exists()

    def test_a_contact_without_owner_gets_a_case_without_owner(self, drain: Drain, cast: Any) -> None:
        answer(SurveyFactory(), ContactFactory(team=cast.south), nps=0)
        drain()
        assert (Case.objects.get().owner, Case.objects.get().team) == (None, cast.south)
        assert not Notification.objects.exists()


class TestDelivery:
    def message(self, invitation: Invitation, status: str = "sent") -> Message:
        return Message.objects.create(
            contact=invitation.contact,
            to_address="a@b.example",
            idempotency_key=f"k{invitation.pk}",
            status=status,
        )

    def test_an_invitation_is_sent_when_its_message_was(self, drain: Drain) -> None:
        waiting = InvitationFactory(status="queued")
        opened = InvitationFactory(status="opened")
        other = InvitationFactory(status="queued")
        for row in (waiting, opened):
            row.message = self.message(row)
            row.save()
            about = ("message", row.message.pk)
            activity_append(actor=SYSTEM, activity=NewActivity("message.sent", row.contact_id, None, about))
        drain()
        for row in (waiting, opened, other):
            row.refresh_from_db()
        assert (waiting.status, opened.status, other.status) == ("sent", "opened", "queued")
        assert waiting.sent_at is not None
        assert opened.sent_at is not None
        assert other.sent_at is None

    def test_one_that_could_not_be_delivered_is_suppressed(self, drain: Drain) -> None:
        failed, unsure = InvitationFactory(status="queued"), InvitationFactory(status="queued")
        for row, status in ((failed, "failed"), (unsure, "uncertain")):
            row.message = self.message(row, status)
            row.save()
            about = ("message", row.message.pk)
            activity_append(actor=SYSTEM, activity=NewActivity("message.failed", row.contact_id, None, about))
        drain()
        failed.refresh_from_db()
        unsure.refresh_from_db()
        assert (failed.status, failed.suppressed_reason) == ("suppressed", "not_delivered")
        assert unsure.status == "queued"


def test_the_customer_is_the_actor_of_an_answer_and_the_case_is_the_systems(drain: Drain) -> None:
    invitation = InvitationFactory()
    response_submit(
        survey=invitation.survey,
        answers={"nps": 0},
        actor=Actor("customer", invitation.contact_id),
        invitation=invitation,
    )
    drain()
    kinds = dict(Activity.objects.filter(contact_id=invitation.contact_id).values_list("kind", "actor_kind"))
    assert kinds["survey.answered"] == "customer"
    assert kinds["case.opened"] == "system"
