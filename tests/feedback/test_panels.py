"""What feedback shows on the pages of customers and companies, and on Today; asking a customer from there."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from contacts.models import Message
from crmcem.lib.panels import panels_for
from crmcem.workspace.models import Organisation
from crmcem.workspace.organisation import forget, organisation
from feedback.models import Invitation
from feedback.services.invitations import why_not, why_not_each
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.feedback import CaseFactory, InvitationFactory, ResponseFactory, SurveyFactory

pytestmark = pytest.mark.django_db
Web = Callable[[Any], Client]
HTMX = {"HX-Request": "true"}
NOW = timezone.now()


def ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def test_a_role_sees_the_panels_of_its_scopes(cast: Cast) -> None:
    def keys(user: Any, slot: str) -> set[str]:
        return {p["key"] for p in panels_for(slot, user.may, None if slot == "home" else 1)}

    assert {"answers", "cases"} <= keys(cast.rep, "contact")
    assert {"company-answers"} <= keys(cast.rep, "company")
    assert {"today-cases", "today-answers", "today-moods"} <= keys(cast.rep, "home")
    assert not {"answers", "cases", "today-cases"} & (
        keys(cast.nobody, "contact") | keys(cast.nobody, "home")
    )


class TestContact:
    def test_answers_invitations_and_cases(
        self, cast: Cast, web: Web, django_assert_max_num_queries: Any
    ) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        survey = SurveyFactory(name="Shop survey")
        for n in range(6):
            ResponseFactory(
                survey=survey, contact=contact, nps=n, comment=f"Words {n}", submitted_at=ago(n),
                sentiment_label="negative",
            )  # fmt: skip
        InvitationFactory(survey=survey, contact=contact, status="suppressed", suppressed_reason="throttle")
        CaseFactory(contact=contact, subject="Settled", status="resolved", resolved_at=NOW)
        CaseFactory(contact=contact, subject="Burning", sla_due_at=ago(1))
        client = web(cast.rep)
        answers = f"/panels/answers/contact/{contact.pk}/"
        client.get(answers)
        with django_assert_max_num_queries(8):
            page = text(client, answers)
        assert page.index("Words 0") < page.index("Words 4")
        assert "Words 5" not in page
        assert f"/responses/?contact={contact.pk}" in page
        assert "asked by this survey lately" in page
        assert "Send survey" not in page  # a rep may not send
        assert "Send survey" in text(web(cast.cx), answers)
        with django_assert_max_num_queries(6):
            cases = text(client, f"/panels/cases/contact/{contact.pk}/")
        assert cases.index("Burning") < cases.index("Settled")
        assert "Overdue" in cases
        assert f"/cases/new/?contact={contact.pk}" in cases
        for url in (answers, f"/panels/cases/contact/{contact.pk}/"):
            assert web(cast.rep2).get(url).status_code == 404
            assert web(cast.nobody).get(url).status_code == 403

    def test_nothing_yet_says_so(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        assert "not answered a survey yet" in text(web(cast.rep), f"/panels/answers/contact/{contact.pk}/")
        assert "nothing to settle" in text(web(cast.rep), f"/panels/cases/contact/{contact.pk}/")


class TestAsking:
    def test_sends_by_mail_and_says_so(self, cast: Cast, web: Web) -> None:
        contact, survey = ContactFactory(), SurveyFactory(name="Shop survey")
        SurveyFactory(name="A draft", status="draft")
        client, url = web(cast.cx), f"/contacts/{contact.pk}/ask/"
        dialog = client.get(url, headers=HTMX).content.decode()
        assert ("Shop survey" in dialog, "A draft" in dialog, "<html" in dialog) == (True, False, False)
        body = {"survey": str(survey.pk), "channel": "email"}
        sent = client.post(url, body, headers=HTMX)
        assert sent.status_code == 204
        events = json.loads(sent.headers["HX-Trigger"])
        assert events["panel-answers"] is True
        assert contact.email in events["toast"]["text"]
        assert Message.objects.count() == Invitation.objects.count() == 1

    def test_a_suppression_is_explained_before_and_after(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(consent={"email": {"status": "denied"}})
        survey = SurveyFactory()
        client, url = web(cast.cx), f"/contacts/{contact.pk}/ask/"
        assert "has refused e-mail" in client.get(url, headers=HTMX).content.decode()
        refused = client.post(url, {"survey": str(survey.pk), "channel": "email"}, headers=HTMX)
        assert refused.status_code == 200
        assert "Nothing was sent." in refused.content.decode()
        assert "has refused e-mail" in refused.content.decode()
        assert Invitation.objects.get().status == "suppressed"
        assert not Message.objects.exists()
        link = client.post(url, {"survey": str(survey.pk), "channel": "link"}, headers=HTMX).content.decode()
        assert "/s/" in link
        assert not Message.objects.exists()

    def test_bad_choices_and_people_who_may_not(self, cast: Cast, web: Web) -> None:
        contact = ContactFactory(owner=cast.rep)
        draft = SurveyFactory(status="draft")
        client, url = web(cast.cx), f"/contacts/{contact.pk}/ask/"
        assert client.post(url, {"survey": str(draft.pk), "channel": "email"}).status_code == 422
        assert client.post(url, {"survey": "x", "channel": "fax"}).status_code == 422
        assert "No survey is live" in client.get(url).content.decode()
        assert web(cast.rep).get(url).status_code == 403
        assert web(cast.rep).post(url, {}).status_code == 403
        assert web(cast.cx).get("/contacts/999999/ask/").status_code == 404
        assert not Invitation.objects.exists()

    def test_reasons_of_many_surveys_are_those_of_each(
        self, cast: Cast, django_assert_num_queries: Any
    ) -> None:
        contact = ContactFactory()
        throttled, other, free = (SurveyFactory(throttle={"days": days}) for days in (30, 3, 0))
        for survey, days in ((throttled, 10), (other, 5)):
            row = InvitationFactory(survey=survey, contact=contact)
            Invitation.objects.filter(pk=row.pk).update(created_at=ago(days))
        surveys = [throttled, other, free]
        Organisation.objects.update_or_create(pk=1, defaults={"contact_budget_days": 0})
        forget()
        organisation()
        with django_assert_num_queries(1):
            found = why_not_each(surveys, contact)
        assert found == {throttled.pk: "throttle", other.pk: "", free.pk: ""}
        Organisation.objects.update(contact_budget_days=7)
        forget()
        found = why_not_each(surveys, contact)
        assert found == {throttled.pk: "throttle", other.pk: "budget", free.pk: "budget"}
        assert found == {survey.pk: why_not(survey, contact) for survey in surveys}


def test_a_companys_people_and_their_nps(cast: Cast, web: Web, django_assert_max_num_queries: Any) -> None:
    company = CompanyFactory(owner=cast.rep, team=cast.north)
    for nps in (10, 9, 8, 2):
        contact = ContactFactory(
            company=company, owner=cast.rep, team=cast.north, pulse={"nps": nps, "nps_at": NOW}
        )
        ResponseFactory(contact=contact, nps=nps, comment=f"Words {nps}", submitted_at=ago(nps))
    ContactFactory(company=company, owner=cast.rep2, team=cast.south, pulse={"nps": 0, "nps_at": NOW})
    client, url = web(cast.rep), f"/panels/answers/company/{company.pk}/"
    client.get(url)
    with django_assert_max_num_queries(6):
        page = text(client, url)
    assert "<b>25</b>" in page  # the hidden detractor does not count
    assert "n = 4" in page
    assert "few answers" in page
    assert page.index("Words 2") < page.index("Words 10")
    assert web(cast.rep2).get(url).status_code == 404


class TestToday:
    def test_new_answers_detractors_first(self, cast: Cast, web: Web) -> None:
        mine = {"owner": cast.rep, "team": cast.north}
        for nps, days in ((10, 0.1), (3, 5), (8, 1), (0, 9)):
            ResponseFactory(
                contact=ContactFactory(**mine), nps=nps, comment=f"Words {nps}.", submitted_at=ago(days)
            )
        others = ContactFactory(owner=cast.rep2, team=cast.south)
        ResponseFactory(contact=others, nps=1, comment="Hidden", submitted_at=ago(1))
        page = text(web(cast.rep), "/panels/answers/today/")
        assert page.index("Words 3.") < page.index("Words 10.") < page.index("Words 8.")
        assert "Words 0." not in page  # nine days old
        assert "Hidden" not in page
        assert "Hidden" in text(web(cast.cx), "/panels/answers/today/")  # who has no customers sees all
        assert web(cast.nobody).get("/panels/answers/today/").status_code == 403

    def test_my_open_cases_by_due_time(self, cast: Cast, web: Web) -> None:
        assert text(web(cast.rep), "/panels/cases/today/") == ""
        for subject, hours in (("Later", 9), ("Sooner", 2)):
            CaseFactory(subject=subject, owner=cast.rep, sla_due_at=NOW + dt.timedelta(hours=hours))
        CaseFactory(subject="Others", owner=cast.rep2, sla_due_at=NOW)
        CaseFactory(subject="Settled", owner=cast.rep, status="closed")
        page = text(web(cast.rep), "/panels/cases/today/")
        assert page.index("Sooner") < page.index("Later")
        assert not {"Others", "Settled"} & set(page.split("<"))
        assert "Others" not in page
        assert "Settled" not in page
        assert "Others" in text(web(cast.cx), "/panels/cases/today/")

    def test_moods_that_fell(self, cast: Cast, web: Web, django_assert_max_num_queries: Any) -> None:
        def customer(name: str, *answers: tuple[int, float], owner: Any = cast.rep) -> None:
            contact = ContactFactory(owner=owner, first_name=name, last_name="")
            for nps, days in answers:
                ResponseFactory(contact=contact, nps=nps, submitted_at=ago(days))

        customer("Fell", (9, 60), (4, 2))
        customer("Recovered", (9, 60), (4, 20), (10, 1))
        customer("Steady", (8, 60), (7, 2))
        customer("Longago", (9, 90), (2, 40))
        customer("Firsttime", (1, 1))
        customer("Hiddenone", (9, 60), (0, 1), owner=cast.rep2)
        client = web(cast.rep)
        client.get("/panels/mood/today/")
        with django_assert_max_num_queries(6):
            page = text(client, "/panels/mood/today/")
        assert "Fell" in page
        for name in ("Recovered", "Steady", "Longago", "Firsttime", "Hiddenone"):
            assert name not in page, name
        assert text(web(cast.readonly), "/panels/mood/today/").count("trending-down") == 2
