"""Feedback in the admin: bounded look-ups, nothing to change past the services."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.conftest import Cast
from tests.factories.contacts import ContactFactory
from tests.factories.feedback import CaseFactory, InvitationFactory, ResponseFactory, SurveyFactory

pytestmark = pytest.mark.django_db
Web = Callable[[Any], Client]
MAKERS = {"case": CaseFactory, "response": ResponseFactory, "invitation": InvitationFactory}


@pytest.mark.parametrize("name", list(MAKERS))
def test_rows_are_found_by_their_keys_without_counting_them(cast: Cast, web: Web, name: str) -> None:
    contact = ContactFactory(external_id="C-17", email="ada@x.example")
    row = MAKERS[name](contact=contact)
    other = MAKERS[name]()
    client, url = web(cast.admin), reverse(f"admin:feedback_{name}_changelist")

    def found(text: str) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            page = client.get(url, {"q": text})
        assert len(queries) <= 14
        counting = [q["sql"] for q in queries if "COUNT(*)" in q["sql"] and "LIMIT 10001" not in q["sql"]]
        assert counting == []
        return [str(r.pk) for r in page.context["cl"].result_list]

    assert found(str(row.pk)) == found("C-17") == found("ADA@x.example") == [str(row.pk)]
    assert found("nobody") == []
    assert set(found("")) == {str(row.pk), str(other.pk)}
    page = client.get(reverse(f"admin:feedback_{name}_change", args=[row.pk]))
    assert page.status_code == 200
    assert (
        client.post(reverse(f"admin:feedback_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code
        == 403
    )
    row.refresh_from_db()


def test_a_survey_shows_its_questions(cast: Cast, web: Web) -> None:
    survey = SurveyFactory()
    page = web(cast.admin).get(reverse("admin:feedback_survey_change", args=[survey.pk])).content.decode()
    assert "How likely?" in page
