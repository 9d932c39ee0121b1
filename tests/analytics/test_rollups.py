"""The rollups always say what the raw answers say."""

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from analytics.consumers import Rollups
from analytics.models import CountedResponse, InvitationDay, MetricDay, RollupState
from analytics.selectors.counting import DIMENSIONS, RATE, TIME_GROUPS, Scope, counts
from analytics.services.rollups import rebuild, rebuild_if_moved
from contacts.models import Activity, Message
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib import stream_runner
from crmcem.lib.actors import SYSTEM
from crmcem.lib.stream_runner import Reach, step
from crmcem.workspace import organisation
from crmcem.workspace.models import Organisation
from feedback.models import Response, Survey
from feedback.services.invitations import invitation_create
from feedback.services.responses import response_correct_sentiment, response_save_partial, response_submit
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.feedback import SurveyFactory

pytestmark = pytest.mark.django_db
Drain = Callable[[], int]
ASKED: list[dict[str, object]] = [
    {"key": "nps", "type": "nps", "text": "?"},
    {"key": "csat", "type": "csat", "text": "?", "options": {"scale": 7}},
    {"key": "ces", "type": "ces", "text": "?"},
    {"key": "why", "type": "text", "text": "?"},
]
WORDS = ("Great service, thank you!", "Terrible, I hate waiting.", "The parcel came on Monday.", "")
METRICS = ("nps", "csat", "ces", "mood", RATE)
NOW = timezone.now()


def scope(cast: Cast, **values: Any) -> Scope:
    return Scope(
        cast.cx, (NOW - dt.timedelta(days=400)).date(), (NOW + dt.timedelta(days=2)).date(), **values
    )


def same(cast: Cast, **values: Any) -> dict[str, dict[Any, Any]]:
    """Every grouping from the rollups equals the one from the raw rows; returns the plain figures."""
    wanted = scope(cast, **values)
    for group in ("", *TIME_GROUPS, *DIMENSIONS, "survey"):
        rolled, raw = counts(wanted, METRICS, group), counts(wanted, METRICS, group, raw=True)
        assert rolled == raw, group
    return counts(wanted, METRICS)


def submit(survey: Survey, contact: Any, chance: random.Random, days: float, touchpoint: str) -> Response:
    answers = {
        "nps": chance.randint(0, 10),
        "csat": chance.randint(1, 7) if chance.random() < 0.7 else None,
        "ces": chance.randint(1, 7) if chance.random() < 0.5 else None,
        "why": chance.choice(WORDS),
    }
    at = NOW - dt.timedelta(days=days)
    return response_submit(
        survey=survey, answers=answers, actor=SYSTEM, contact=contact, touchpoint=touchpoint, submitted_at=at
    ).response


def world(cast: Cast) -> tuple[list[Survey], list[Any]]:
    companies = [CompanyFactory(), None]
    people = [
        ContactFactory(owner=owner, team=owner.team if owner else None, company=company)
        for owner in (cast.rep, cast.rep2, None)
        for company in companies
    ]
    return [SurveyFactory(questions=ASKED), SurveyFactory(questions=ASKED)], people


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland"])
def test_any_history_ends_in_the_raw_figures(cast: Cast, drain: Drain, seed: int, zone: str) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"time_zone": zone, "contact_budget_days": 0})
    organisation.forget()
    chance = random.Random(f"{seed}{zone}")
    surveys, people = world(cast)
    made: list[Response] = []
    for _turn in range(50):
        what = chance.random()
        if what < 0.55 or not made:
            days = chance.choice([0, 0.2, 1, 1.1, 33.4, 200.7, 365])
            touchpoint = chance.choice(["", "delivery", "support"])
            made.append(submit(chance.choice(surveys), chance.choice(people), chance, days, touchpoint))
        elif what < 0.65:
            response_correct_sentiment(
                response=chance.choice(made),
                label=chance.choice(["positive", "neutral", "negative"]),
                actor=SYSTEM,
            )
        elif what < 0.72:
            Response.objects.filter(pk=chance.choice(made).pk).update(
                nps=chance.randint(0, 10), touchpoint="moved"
            )
        elif what < 0.78:
            made.remove(gone := chance.choice(made))
            gone.delete()
        elif what < 0.9:
            invited = invitation_create(
                survey=chance.choice(surveys), contact=chance.choice(people), actor=SYSTEM, channel="link"
            )
            if chance.random() < 0.4:
                response_save_partial(invitation=invited, answers={"nps": 3}, actor=SYSTEM)
            if chance.random() < 0.5:
                sheet = {"nps": chance.randint(0, 10), "why": chance.choice(WORDS)}
                made.append(
                    response_submit(
                        survey=invited.survey, answers=sheet, actor=SYSTEM, invitation=invited
                    ).response
                )
        else:
            drain()
    drain()
    figures = same(cast)
    assert figures["nps"][None].n == Response.objects.filter(nps__isnull=False, status="complete").count()
    same(cast, surveys=(surveys[0].pk,))
    same(cast, touchpoint="delivery")
    before = sorted(
        MetricDay.objects.exclude(n=0).values_list("metric", "dimension", "survey", "value", "day", "n")
    )
    rebuild()
    after = sorted(MetricDay.objects.values_list("metric", "dimension", "survey", "value", "day", "n"))
    assert after == before
    same(cast)


def test_the_definitions_of_the_boxes(cast: Cast, drain: Drain) -> None:
    survey, contact = SurveyFactory(questions=ASKED), ContactFactory(owner=cast.rep)
    for nps, csat, ces in [(10, 7, 7), (9, 6, 5), (8, 5, 4), (7, 1, 1), (6, 6, 5), (0, 6, 5)]:
        response_submit(
            survey=survey, answers={"nps": nps, "csat": csat, "ces": ces}, actor=SYSTEM, contact=contact
        )
    drain()
    row = MetricDay.objects.get(metric="nps", dimension="owner", value=str(cast.rep.pk))
    assert (row.n, row.top, row.middle, row.bottom, row.total) == (6, 2, 2, 2, 40)
    assert [row.s0, row.s6, row.s7, row.s8, row.s9, row.s10] == [1, 1, 1, 1, 1, 1]
    csat = MetricDay.objects.get(metric="csat", dimension="all")
    assert (csat.n, csat.top, csat.middle, csat.bottom) == (6, 4, 0, 2)
    ces = MetricDay.objects.get(metric="ces", dimension="all")
    assert (ces.n, ces.top, ces.bottom, ces.total) == (6, 4, 2, 27)


def test_an_announcement_counts_once_however_often_it_comes(cast: Cast, drain: Drain) -> None:
    submit(SurveyFactory(questions=ASKED), ContactFactory(), random.Random(1), 0, "x")
    drain()
    first = list(MetricDay.objects.order_by("pk").values())
    row = Activity.objects.get(kind="survey.answered")
    for _again in range(3):
        Activity.objects.create(
            kind=row.kind, subject_type=row.subject_type, subject_id=row.subject_id, payload=row.payload
        )
    drain()
    assert list(MetricDay.objects.order_by("pk").values()) == first


def test_a_batch_that_dies_leaves_nothing_and_is_done_once_afterwards(cast: Cast, drain: Drain) -> None:
    survey, contact = SurveyFactory(questions=ASKED), ContactFactory()
    for _n in range(5):
        submit(survey, contact, random.Random(2), 1, "shop")
    consumer = Rollups()
    stream_runner.ensure(consumer)

    def die() -> None:
        with transaction.atomic():
            assert step(consumer, Reach(settled=True)) > 0
            assert MetricDay.objects.exists()
            raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError):
        die()
    assert not MetricDay.objects.exists()
    assert not CountedResponse.objects.exists()
    drain()
    assert same(cast)["nps"][None].n == 5


def test_another_time_zone_is_answered_from_raw_until_the_days_are_cut_anew(cast: Cast, drain: Drain) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"time_zone": "UTC"})
    organisation.forget()
    survey, contact = SurveyFactory(questions=ASKED), ContactFactory()
    at = dt.datetime(2026, 3, 31, 23, 30, tzinfo=dt.UTC)
    response_submit(survey=survey, answers={"nps": 9}, actor=SYSTEM, contact=contact, submitted_at=at)
    drain()
    assert list(counts(scope(cast), ["nps"], "month")["nps"]) == [dt.date(2026, 3, 1)]
    Organisation.objects.filter(pk=1).update(time_zone="Europe/Berlin")
    organisation.forget()
    assert list(counts(scope(cast), ["nps"], "month")["nps"]) == [dt.date(2026, 4, 1)]
    assert rebuild_if_moved() is True
    assert rebuild_if_moved() is False
    assert RollupState.objects.get().time_zone == "Europe/Berlin"
    assert MetricDay.objects.get(metric="nps", dimension="all").day == dt.date(2026, 4, 1)
    same(cast)


def test_what_belonged_to_a_deleted_contact_or_survey_is_taken_out(cast: Cast, drain: Drain) -> None:
    surveys, people = world(cast)
    for survey in surveys:
        for contact in people[:2]:
            submit(survey, contact, random.Random(3), 2, "")
            invitation_create(survey=survey, contact=contact, actor=SYSTEM, channel="link")
    drain()
    assert same(cast)["nps"][None].n == 4
    people[0].delete()
    drain()
    assert same(cast)["nps"][None].n == 2
    with connection.cursor() as cursor:  # by SQL, past every service
        cursor.execute("UPDATE feedback_case SET response_id = NULL")
        cursor.execute("DELETE FROM feedback_response WHERE survey_id = %s", [surveys[0].pk])
        cursor.execute("DELETE FROM feedback_question WHERE survey_id = %s", [surveys[0].pk])
    surveys[0].delete()
    drain()
    assert same(cast)["nps"][None].n == 1
    assert not InvitationDay.objects.filter(survey_id=surveys[0].pk).exists()


def test_a_mail_that_was_sent_counts_as_delivered(cast: Cast, drain: Drain) -> None:
    survey, contact = SurveyFactory(questions=ASKED), ContactFactory()
    invited = invitation_create(survey=survey, contact=contact, actor=SYSTEM)
    drain()
    assert same(cast)[RATE] == {}
    message = Message.objects.get(pk=invited.message_id)
    activity_append(
        actor=SYSTEM, activity=NewActivity("message.sent", contact.pk, None, ("message", message.pk))
    )
    drain()
    rate = same(cast)[RATE][None]
    assert (rate.n, rate.top, rate.middle) == (1, 0, 0)
