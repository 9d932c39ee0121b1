"""Places in the stream, told exactly also while other transactions come and go."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from journeys.definition import Happening
from journeys.engine import marks
from tests.factories.contacts import ContactFactory

pytestmark = pytest.mark.django_db(transaction=True)
VIEW = Happening("page.viewed")


@contextmanager
def elsewhere() -> Iterator[Any]:
    """A cursor in a transaction of another connection, which commits at the end."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_current_xact_id()")
            yield cursor
            cursor.execute("COMMIT")
    finally:
        other.close()


def test_the_marks_own_transaction_goes_on(happen: Callable[..., int]) -> None:
    """What the transaction of a mark writes behind it is later, whoever commits in between.

    A snapshot doesn't list the transaction that takes it: once a later one has ended it counts as committed.
    """
    contact = ContactFactory()
    with transaction.atomic():
        before = happen(contact, "page.viewed")
        with elsewhere():
            pass
        mark = marks.here()
        assert marks.happened(VIEW, contact.pk, mark, timezone.now()) is None
        after = happen(contact, "page.viewed")
        found = marks.happened(VIEW, contact.pk, mark, timezone.now())
    assert found is not None
    assert (found[0], before < after) == (after, True)


def test_what_was_open_at_the_mark_is_later(happen: Callable[..., int]) -> None:
    contact = ContactFactory()
    happen(contact, "page.viewed")
    with elsewhere() as other:
        other.execute(
            "INSERT INTO contacts_activity (received_at, occurred_at, kind, contact_id, subject_type, actor_kind,"
            " payload) VALUES (clock_timestamp(), clock_timestamp(), 'page.viewed', %s, '', 'system', '{}')",
            [contact.pk],
        )
        mark = marks.here()
    assert marks.happened(VIEW, contact.pk, mark, timezone.now()) is not None
    assert marks.happened(VIEW, contact.pk, marks.here(), timezone.now()) is None
