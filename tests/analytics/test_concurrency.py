"""Writers and several consumers at once: every answer is counted once."""

import datetime as dt
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from analytics.consumers import Rollups
from analytics.models import CountedResponse
from analytics.selectors.counting import Scope, counts
from analytics.services.rollups import rebuild
from contacts.models import Activity
from crmcem.lib.stream_runner import ensure, run
from feedback.models import Response, Survey
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import ResponseFactory, SurveyFactory

pytestmark = pytest.mark.django_db(transaction=True)


def _guarded(work: Callable[[], None], failures: list[BaseException]) -> threading.Thread:
    def start() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    return threading.Thread(target=start)


def _writer(seed: int, survey: Survey, contact: Any) -> Callable[[], None]:
    """Inserts with a rollback now and then, changes and deletions of what was committed."""

    def work() -> None:
        chance = random.Random(seed)
        mine: list[int] = []
        for _turn in range(25):
            with transaction.atomic():
                row = ResponseFactory(
                    survey=survey, contact=contact, nps=chance.randint(0, 10), touchpoint="x"
                )
                Activity.objects.create(kind="survey.answered", subject_type="response", subject_id=row.pk)
                lost = chance.random() < 0.2
                transaction.set_rollback(lost)
            if not lost:
                mine.append(row.pk)
            if mine and chance.random() < 0.3:
                Response.objects.filter(pk=chance.choice(mine)).update(nps=chance.randint(0, 10))
            if mine and chance.random() < 0.1:
                Response.objects.filter(pk=mine.pop()).delete()

    return work


def test_writers_consumers_and_a_rebuild_together(cast: Cast) -> None:
    survey, contact = SurveyFactory(), ContactFactory(owner=cast.rep)
    consumer = Rollups()
    ensure(consumer)
    written = threading.Event()
    failures: list[BaseException] = []

    def consume() -> None:
        while not written.is_set():
            run(consumer, 3)

    writers = [_guarded(_writer(seed, survey, contact), failures) for seed in range(3)]
    readers = [_guarded(consume, failures) for _n in range(2)]
    for thread in [*writers, *readers]:
        thread.start()
    rebuild()
    for thread in writers:
        thread.join(120)
    written.set()
    for thread in readers:
        thread.join(120)
    run(consumer)
    assert not failures
    today = timezone.now().date()
    scope = Scope(cast.cx, today - dt.timedelta(days=2), today + dt.timedelta(days=1))
    rolled = counts(scope, ["nps"], "touchpoint")["nps"]
    assert rolled == counts(scope, ["nps"], "touchpoint", raw=True)["nps"]
    assert rolled["x"].n == Response.objects.count() == CountedResponse.objects.count() > 20
