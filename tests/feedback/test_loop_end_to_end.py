"""The closed loop from the invitation to the case: exactly once, whoever dies, repeats or competes."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.db import connection, connections
from django.test import Client
from rest_framework.test import APIClient

from contacts.models import Activity, ConsumerOffset, Contact, Message, Pulse
from contacts.services.contacts import contact_update
from contacts.services.outbox import send_messages
from crmcem.lib.actors import SYSTEM, person
from crmcem.lib.stream_runner import pump
from crmcem.workspace.models import Notification
from feedback import consumers, links
from feedback.models import Case, Invitation
from feedback.services.cases import case_resolve
from feedback.services.invitations import invitation_create
from feedback.services.responses import response_submit
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import SurveyFactory

Api = Callable[..., APIClient]
Drain = Callable[[], int]


def state(contact: Contact) -> dict[str, Any]:
    """Everything that the loop leaves behind for one customer."""
    pulse = Pulse.objects.get(pk=contact.pk)
    kinds = Activity.objects.filter(contact_id=contact.pk).order_by("id").values_list("kind", flat=True)
    return {
        "cases": list(Case.objects.values_list("response_id", "owner_id", "status", "version")),
        "notes": list(Notification.objects.order_by("id").values_list("user_id", "url")),
        "pulse": (pulse.nps, pulse.nps_at, pulse.open_cases, pulse.sentiment),
        "kinds": list(kinds),
    }


def again_from_the_beginning() -> None:
    """What a restored backup or a lost offset means: every consumer reads the whole stream once more."""
    ConsumerOffset.objects.update(txid="0", last_id=0, retry_at=None)


@pytest.mark.django_db
class TestOneCustomer:
    def test_from_the_mail_to_the_case_and_back(self, cast: Cast, api: Api, drain: Drain) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        survey = SurveyFactory()
        invitation = invitation_create(survey=survey, contact=contact, actor=person(cast.cx))
        assert send_messages() == 1
        drain()
        invitation.refresh_from_db()
        assert (invitation.status, len(mail.outbox)) == ("sent", 1)
        path = "/s/" + links.invitation_url(invitation.pk).partition("/s/")[2]
        assert path in mail.outbox[0].body
        customer = Client()
        customer.get(path, {"score": "2"})
        drain()
        assert not Case.objects.exists()  # a mail scanner has looked, nobody has answered
        answer = {"nps": "2", "comment": "The parcel was terribly late and nobody answered."}
        assert customer.post(path, answer).status_code in {200, 302}
        for _ in range(2):
            drain()
        case = Case.objects.get()
        assert (case.contact, case.owner, case.priority, case.source) == (contact, cast.rep, "high", "survey")
        assert Notification.objects.get().user == cast.rep
        assert (Pulse.objects.get(pk=contact.pk).nps, Pulse.objects.get(pk=contact.pk).open_cases) == (2, 1)
        invitation.refresh_from_db()
        assert invitation.status == "answered"
        timeline = api(cast.rep).get(f"/api/v1/contacts/{contact.pk}/timeline/").json()["results"]
        kinds = [row["kind"] for row in timeline]
        for kind in ("survey.invited", "message.sent", "survey.answered", "case.opened"):
            assert kinds.count(kind) == 1, kind
        case_resolve(case=case, resolution="Refund", actor=person(cast.rep))
        drain()
        assert Pulse.objects.get(pk=contact.pk).open_cases == 0

    def test_reading_the_stream_again_doubles_nothing(self, cast: Cast, drain: Drain) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        for nps in (9, 2):
            response_submit(survey=SurveyFactory(), answers={"nps": nps}, actor=SYSTEM, contact=contact)
        drain()
        drain()
        before = state(contact)
        assert (len(before["cases"]), len(before["notes"]), before["pulse"][2]) == (1, 1, 1)
        for _ in range(2):
            again_from_the_beginning()
            drain()
        assert state(contact) == before

    def test_a_settled_case_is_not_opened_again_by_reading_the_stream_again(
        self, cast: Cast, drain: Drain
    ) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        response_submit(survey=SurveyFactory(), answers={"nps": 1}, actor=SYSTEM, contact=contact)
        drain()
        case_resolve(case=Case.objects.get(), resolution="Refund", actor=person(cast.rep))
        drain()
        before = state(contact)
        again_from_the_beginning()
        drain()
        assert state(contact) == before
        assert before["pulse"][2] == 0

    def test_a_handler_that_dies_after_its_writes_leaves_none_of_them(
        self, cast: Cast, drain: Drain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        response_submit(survey=SurveyFactory(), answers={"nps": 1}, actor=SYSTEM, contact=contact)

        def dies(**values: Any) -> None:
            assert Case.objects.count() == 1
            raise MemoryError("the worker is out of memory")

        with monkeypatch.context() as patched:
            patched.setattr(consumers, "activities_append", dies)
            drain()
        assert not Case.objects.exists()
        assert not Notification.objects.exists()
        ConsumerOffset.objects.update(retry_at=None)
        drain()
        assert (Case.objects.count(), Notification.objects.count()) == (1, 1)


@pytest.mark.django_db
class TestRefusal:
    def test_who_refuses_between_asking_and_sending_gets_no_mail(self, cast: Cast, drain: Drain) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        invitation = invitation_create(survey=SurveyFactory(), contact=contact, actor=person(cast.cx))
        assert invitation.status == "queued"
        refusal = {"consent": {"email": {"status": "denied"}}}
        contact_update(contact=contact, data=refusal, actor=person(cast.rep))
        send_messages()
        drain()
        invitation.refresh_from_db()
        assert (invitation.status, invitation.suppressed_reason) == ("suppressed", "no_consent")
        assert (Message.objects.get().status, len(mail.outbox)) == ("suppressed", 0)
        kinds = Activity.objects.filter(contact_id=contact.pk).values_list("kind", flat=True)
        assert list(kinds).count("message.suppressed") == 1
        # Nothing was asked, so the throttle does not count it once they agree again.
        agreed = {"consent": {"email": {"status": "granted"}}}
        contact_update(contact=contact, data=agreed, actor=person(cast.rep))
        invitation.survey.throttle = {"days": 30}
        contact.refresh_from_db()
        again = invitation_create(survey=invitation.survey, contact=contact, actor=person(cast.cx))
        assert again.status == "queued"

    def test_who_had_refused_before_is_not_asked(self, cast: Cast, drain: Drain) -> None:
        contact = ContactFactory(consent={"email": {"status": "denied"}})
        invitation = invitation_create(survey=SurveyFactory(), contact=contact, actor=SYSTEM)
        send_messages()
        drain()
        assert (invitation.status, invitation.suppressed_reason) == ("suppressed", "no_consent")
        assert (Message.objects.count(), len(mail.outbox)) == (0, 0)


@pytest.mark.django_db(transaction=True)
class TestWorkers:
    def test_a_worker_whose_connection_is_cut_in_the_middle_changes_nothing(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        response_submit(survey=SurveyFactory(), answers={"nps": 0}, actor=SYSTEM, contact=contact)
        inside, cut = threading.Event(), threading.Event()
        pids: list[int] = []
        tell = consumers.tell_owner

        def slowly(*args: Any) -> None:
            tell(*args)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pids.append(cursor.fetchone()[0])
            inside.set()
            cut.wait(20)

        def work() -> None:
            try:
                pump()
            except Exception:
                pass  # whatever a dead connection does to a worker
            finally:
                connections.close_all()

        monkeypatch.setattr(consumers, "tell_owner", slowly)
        worker = threading.Thread(target=work)
        worker.start()
        assert inside.wait(20)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", pids)
        cut.set()
        worker.join(30)
        assert (Case.objects.count(), Notification.objects.count()) == (0, 0)
        monkeypatch.setattr(consumers, "tell_owner", tell)
        ConsumerOffset.objects.update(retry_at=None)
        pump()
        assert (Case.objects.count(), Notification.objects.count()) == (1, 1)
        assert Activity.objects.filter(kind="case.opened").count() == 1
        assert Pulse.objects.get(pk=contact.pk).open_cases == 1

    def test_many_workers_at_once_open_one_case(self, cast: Cast) -> None:
        contacts = [ContactFactory(owner=cast.rep, team=cast.north) for _ in range(5)]
        survey = SurveyFactory()
        for contact in contacts:
            response_submit(survey=survey, answers={"nps": 3}, actor=SYSTEM, contact=contact)
        start = threading.Barrier(4)

        def work() -> None:
            start.wait(20)
            try:
                pump()
            finally:
                connections.close_all()

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        pump()
        assert sorted(Case.objects.values_list("contact_id", flat=True)) == [c.pk for c in contacts]
        assert Notification.objects.count() == 5
        assert Activity.objects.filter(kind="case.opened").count() == 5
        assert set(Pulse.objects.values_list("open_cases", flat=True)) == {1}
        assert not Invitation.objects.exists()
