"""One world for all tests of a module: made and committed once, because the thousand tests of access only look at it.

Each test works in a transaction of its own, which is rolled back, on copies of the people, so that none sees what
another did. It is committed, not held in an open transaction: that would keep the stream of every other test still.
"""

import copy
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings

from tests.conftest import Cast, make_cast

from .world import World, make_world


@pytest.fixture(scope="module")
def stage(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cast, World]]:
    """Who is there and what they have. Afterwards the tables are emptied as after any test that commits."""
    media = tmp_path_factory.mktemp("media")
    # Django's test case hangs up after each test, and a new connection reads the whole catalogue anew.
    with override_settings(MEDIA_ROOT=media), patch.object(connection, "close", lambda: None):
        with django_db_blocker.unblock(), transaction.atomic():
            cast = make_cast()
            world = make_world(cast)
            connection.run_on_commit.clear()  # no worker is to hear of it
        yield cast, world
    with django_db_blocker.unblock():
        call_command("flush", verbosity=0, interactive=False)
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE contacts_activity")
        connection.close()


@pytest.fixture
def staged(stage: tuple[Cast, World]) -> tuple[Cast, World]:
    return copy.deepcopy(stage)


@pytest.fixture
def cast(staged: tuple[Cast, World], db: None) -> Cast:
    return staged[0]


@pytest.fixture
def world(staged: tuple[Cast, World], db: None) -> World:
    return staged[1]
