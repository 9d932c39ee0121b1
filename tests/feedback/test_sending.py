"""A survey for everybody of a segment: who is asked, who is not and why, and that nobody is asked twice."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from contacts.models import Contact, Message, Segment, SegmentMember
from crmcem.lib.actors import person
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import BulkEdit, User
from crmcem.workspace.services import edits
from crmcem.workspace.services.edits import edit_run, edit_undo
from feedback.models import Invitation, Survey
from feedback.services.sending import sending_forecast, survey_send_to_segment
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import SurveyFactory

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]
HTMX = {"HX-Request": "true"}


def segment_of(owner: User, *contacts: Contact, **values: Any) -> Segment:
    values = {"name": "Fans", "kind": "static", "sharing": "all", **values}
    made: Segment = Segment.objects.create(owner=owner, filled_at=timezone.now(), **values)
    for contact in contacts:
        SegmentMember.objects.create(segment=made, contact=contact, since=timezone.now())
    return made


def send(client: Client, survey: Survey, segment: Segment | int, **data: Any) -> Any:
    url = reverse("feedback:survey-send-segment", args=[survey.pk])
    return client.post(url, {"segment": getattr(segment, "pk", segment), **data})


def test_each_member_is_asked_and_who_is_not_is_named(cast: Cast, web: Web) -> None:
    survey = SurveyFactory(name="Pulse")
    ada, bob = ContactFactory(first_name="Ada"), ContactFactory(first_name="Bob")
    refused = ContactFactory(first_name="Ref", last_name="Used", consent={"email": {"status": "denied"}})
    ContactFactory(first_name="Out")
    client = web(cast.cx)
    answer = send(client, survey, segment_of(cast.cx, ada, bob, refused), touchpoint="delivery")
    edit = BulkEdit.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, reverse("workspace:edit", args=[edit.pk]))
    assert (edit.status, edit.rows_total, Invitation.objects.count()) == ("queued", 3, 0)
    assert edit_run(edit.pk) == "done"
    asked = Invitation.objects.order_by("contact_id").values_list("contact", "status", "touchpoint")
    assert list(asked) == [
        (ada.pk, "queued", "delivery"),
        (bob.pk, "queued", "delivery"),
        (refused.pk, "suppressed", "delivery"),
    ]
    assert Message.objects.count() == 2
    page = client.get(answer["Location"]).content.decode()
    assert "2 customers are asked." in page
    assert "<b>Ref Used</b>: The customer has refused e-mail." in page
    assert "Undo" not in page
    edit.refresh_from_db()
    with pytest.raises(DomainError):
        edit_undo(edit=edit, actor=person(cast.cx))
    assert "Fans" not in client.get(reverse("workspace:trash")).content.decode()


def test_the_page_offers_segments_and_says_what_it_would_mean(cast: Cast, web: Web) -> None:
    survey = SurveyFactory()
    segment = segment_of(cast.cx, ContactFactory(), ContactFactory(email=None))
    secret = segment_of(cast.rep, name="Private <b>", sharing="private")
    client = web(cast.cx)
    page = client.get(reverse("feedback:survey-send", args=[survey.pk])).content.decode()
    assert f'<option value="{segment.pk}">Fans</option>' in page
    assert "Private" not in page
    url = reverse("feedback:survey-send-segment", args=[survey.pk])
    told = client.get(url, {"segment": segment.pk}, headers=HTMX).content.decode()
    assert "2 customers whom you may see." in told
    assert "1 of them has no e-mail address" in told
    for hidden in (secret.pk, "x", 2**63):
        assert client.get(url, {"segment": hidden}, headers=HTMX).content.decode().strip() == ""
    found = sending_forecast(segment, cast.cx)
    assert (found.members, found.exact, found.unreachable) == (2, True, 1)


def test_the_same_form_sent_twice_is_one_job(cast: Cast, web: Web) -> None:
    survey, segment = SurveyFactory(), segment_of(cast.cx, ContactFactory())
    client = web(cast.cx)
    answers = [send(client, survey, segment, form_key="k" * 20) for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert BulkEdit.objects.count() == 1


def test_who_may_not_and_what_can_not_be_sent_begins_nothing(cast: Cast, web: Web) -> None:
    live, draft = SurveyFactory(), SurveyFactory(status="draft")
    segment = segment_of(cast.cx, ContactFactory(owner=cast.rep, team=cast.north))
    secret = segment_of(cast.rep, sharing="private")
    assert send(web(cast.readonly), live, segment).status_code == 403
    client = web(cast.cx)
    for survey, chosen, data, words in (
        (draft, segment, {}, "This survey is not live"),
        (live, secret, {}, "not one of the available choices"),
        (live, "", {}, "Choose a segment."),
        (live, segment, {"touchpoint": "x" * 81}, "at most 80 characters"),
    ):
        answer = send(client, survey, chosen, **data)  # type: ignore[arg-type]
        assert (answer.status_code, words in answer.content.decode()) == (422, True), words
    assert (BulkEdit.objects.count(), Invitation.objects.count()) == (0, 0)


def test_nobody_who_is_hidden_from_the_sender_is_asked(cast: Cast) -> None:
    own = ContactFactory(owner=cast.rep, team=cast.north)
    segment = segment_of(cast.cx, own, ContactFactory(owner=cast.rep2, team=cast.south))
    cast.rep.role.visibility, cast.rep.role.scopes = "own", ["*"]  # type: ignore[union-attr]
    cast.rep.role.save()  # type: ignore[union-attr]
    edit = survey_send_to_segment(survey=SurveyFactory(), segment=segment, actor=person(cast.rep))
    assert edit_run(edit.pk) == "done"
    assert list(Invitation.objects.values_list("contact", flat=True)) == [own.pk]


def test_a_worker_that_dies_half_way_leaves_nobody_asked_twice(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts = [ContactFactory() for _ in range(5)]
    edit = survey_send_to_segment(
        survey=SurveyFactory(), segment=segment_of(cast.cx, *contacts), actor=person(cast.cx)
    )
    monkeypatch.setattr(edits, "CHUNK", 2)
    step, done = edits._step, []

    def dying(*args: Any) -> bool:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(step(*args))
        return done[-1]

    monkeypatch.setattr(edits, "_step", dying)
    with pytest.raises(KeyboardInterrupt):
        edit_run(edit.pk)
    assert Invitation.objects.count() == 4
    monkeypatch.setattr(edits, "_step", step)
    BulkEdit.objects.update(claimed_until=timezone.now())
    assert edit_run(edit.pk) == "done"
    assert Invitation.objects.count() == Message.objects.count() == 5
    assert BulkEdit.objects.get().changed == 5


def test_a_survey_that_is_closed_meanwhile_stops_the_job(cast: Cast) -> None:
    survey = SurveyFactory()
    edit = survey_send_to_segment(
        survey=survey, segment=segment_of(cast.cx, ContactFactory()), actor=person(cast.cx)
    )
    Survey.objects.update(status="closed")
    assert edit_run(edit.pk) == "failed"
    assert "not live" in BulkEdit.objects.get().error
    assert not Invitation.objects.exists()
