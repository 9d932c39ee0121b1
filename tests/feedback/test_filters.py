"""What the filters of answers, invitations and cases find, and that they find nothing hidden."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crmcem.lib.errors import DomainError
from crmcem.lib.measures import Outcome
from feedback import filters
from feedback.filters import CaseFilter, InvitationFilter, ResponseFilter, SurveyFilter
from feedback.models import Case, Invitation, Response, Survey
from feedback.selectors.cases import cases_of_contact, open_cases
from feedback.selectors.invitations import outcome
from feedback.selectors.responses import responses_listed
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.feedback import CaseFactory, InvitationFactory, ResponseFactory, SurveyFactory

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def found(filterset: Any, rows: Any, user: Any = None, **params: Any) -> set[int]:
    request = RequestFactory().get("/")
    request.user = user
    filled = filterset(data=params, queryset=rows, request=request)
    assert filled.is_valid(), filled.errors
    return {row.pk for row in filled.qs}


def test_answers_by_everything(cast: Cast) -> None:
    survey = SurveyFactory()
    company = CompanyFactory()
    contact = ContactFactory(owner=cast.rep, company=company)
    rows = {
        nps: ResponseFactory(
            survey=survey,
            nps=nps,
            submitted_at=NOW - dt.timedelta(days=nps),
            comment="Déjà late" if nps == 2 else "",
            sentiment_label="negative" if nps == 2 else "",
            touchpoint="shop" if nps == 9 else "",
            topics=["delivery", "price"] if nps == 6 else [],
        )
        for nps in (2, 6, 7, 8, 9, 10)
    }
    mine = ResponseFactory(
        contact=contact, nps=None, csat=4, csat_scale=5, owner=cast.rep, company=company, submitted_at=NOW
    )
    CaseFactory(contact=rows[2].contact, response=rows[2])
    started = ResponseFactory(survey=survey, status="partial", nps=1, submitted_at=None)

    def nps_of(**params: Any) -> set[int | None]:
        ids = found(ResponseFilter, responses_listed(), cast.rep, **params)
        assert started.pk not in ids
        return set(Response.objects.filter(pk__in=ids).values_list("nps", flat=True))

    assert nps_of() == {2, 6, 7, 8, 9, 10, None}
    assert nps_of(group="detractor") == {2, 6}
    assert nps_of(group="passive") == {7, 8}
    assert nps_of(group="promoter") == {9, 10}
    assert nps_of(nps__gte="7", nps__lte="8") == {7, 8}
    assert nps_of(sentiment="negative") == {2}
    assert nps_of(touchpoint="shop") == {9}
    assert nps_of(topic="price, delivery") == {6}
    assert nps_of(topic="price,speed") == set()
    assert nps_of(has_comment="true") == {2}
    assert nps_of(has_case="true") == {2}
    assert nps_of(has_case="false") == {6, 7, 8, 9, 10, None}
    assert nps_of(submitted_at__gte=(NOW - dt.timedelta(days=6, hours=1)).isoformat()) == {2, 6, None}
    assert nps_of(survey=str(survey.pk)) == {2, 6, 7, 8, 9, 10}
    assert nps_of(contact=str(contact.pk)) == nps_of(owner="me") == nps_of(company=str(company.pk)) == {None}
    assert found(ResponseFilter, responses_listed(), cast.rep, csat="4") == {mine.pk}
    assert nps_of(search="DEJA") == nps_of(search="late déj") == nps_of(search="ja") == {2}
    assert nps_of(search="100%") == nps_of(search="late_") == set()
    assert nps_of(search="late", group="promoter") == set()


def test_a_search_is_capped_to_the_newest_and_uses_the_index(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey, contact = SurveyFactory(), ContactFactory()
    rows = [
        ResponseFactory(
            survey=survey, contact=contact, comment="slow", submitted_at=NOW - dt.timedelta(days=i)
        )
        for i in range(4)
    ]
    monkeypatch.setattr(filters, "CAP", 2)
    assert found(ResponseFilter, responses_listed(), cast.cx, search="slow") == {rows[0].pk, rows[1].pk}
    monkeypatch.setattr(filters, "NEWEST", 1)
    assert found(ResponseFilter, responses_listed(), cast.cx, search="sl") == {rows[0].pk}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            found(ResponseFilter, Response.objects.all(), cast.cx, search="slow")
        [statement] = [q["sql"] for q in captured if "crmcem_fold" in q["sql"]]
        cursor.execute(f"EXPLAIN {statement}")
        assert "response_search" in " ".join(row[0] for row in cursor.fetchall())


def test_a_search_that_takes_too_long_says_what_to_do(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    ResponseFactory(comment="slow")
    monkeypatch.setattr(filters, "SEARCH_MS", 1)
    rows = responses_listed().extra(where=["pg_sleep(0.2) IS NOT NULL"])
    with pytest.raises(DomainError) as error:
        found(ResponseFilter, rows, cast.cx, search="slow")
    assert [(e.field, e.code) for e in error.value.errors] == [("search", "too_slow")]
    assert Survey.objects.exists()  # the transaction goes on


def test_cases_by_everything(cast: Cast) -> None:
    company = CompanyFactory()
    contact = ContactFactory(owner=cast.rep, first_name="Zoë", last_name="Quist", company=company)
    response = ResponseFactory(contact=contact)
    late = CaseFactory(
        contact=contact, subject="Broken door", sla_due_at=NOW - dt.timedelta(hours=1), priority="high"
    )
    waiting = CaseFactory(contact=contact, status="pending", response=response, source="survey", subject="B")
    done = CaseFactory(status="resolved", sla_due_at=NOW - dt.timedelta(days=1), root_cause="Carrier")
    others = CaseFactory(owner=cast.rep2, subject="Other doors", sla_due_at=None)
    everything = {late.pk, waiting.pk, done.pk, others.pk}
    rows = Case.objects.all()

    def ids(**params: Any) -> set[int]:
        return found(CaseFilter, rows, cast.rep, **params)

    assert ids() == everything
    assert ids(open="true") == ids(status__in="open,pending") == everything - {done.pk}
    assert ids(open="false") == {done.pk}
    assert ids(overdue="true") == {late.pk}
    assert ids(overdue="false") == everything - {late.pk}
    assert ids(priority="high") == {late.pk}
    assert ids(owner="me") == {late.pk, waiting.pk}
    assert ids(owner="none") == {done.pk}
    assert ids(contact=str(contact.pk)) == ids(company=str(company.pk)) == {late.pk, waiting.pk}
    assert ids(response=str(response.pk)) == ids(survey=str(response.survey_id)) == {waiting.pk}
    assert ids(source="survey") == {waiting.pk}
    assert ids(root_cause="Carrier") == {done.pk}
    assert ids(sla_due_at__isnull="true") == {others.pk}
    assert ids(sla_due_at__lt=NOW.isoformat()) == {late.pk, done.pk}
    assert ids(search="dóor") == {late.pk, others.pk}
    assert ids(search="zoe quist") == {late.pk, waiting.pk}
    assert ids(search=f"#{late.pk}") == {late.pk}
    assert found(CaseFilter, rows, cast.rep2, search="zoe quist") == set()  # rep2 may not see that customer


def test_invitations_and_surveys(cast: Cast) -> None:
    contact = ContactFactory(owner=cast.rep, last_name="Quist")
    asked = InvitationFactory(contact=contact, touchpoint="shop")
    other = InvitationFactory(status="suppressed", suppressed_reason="throttle", channel="link")
    rows = Invitation.objects.all()
    assert found(InvitationFilter, rows, cast.rep, search="quist") == {asked.pk}
    assert found(InvitationFilter, rows, cast.rep2, search="quist") == set()
    assert found(InvitationFilter, rows, cast.rep, touchpoint="shop") == {asked.pk}
    assert found(InvitationFilter, rows, cast.rep, status="suppressed") == {other.pk}
    assert found(InvitationFilter, rows, cast.rep, suppressed_reason="throttle") == {other.pk}
    assert found(InvitationFilter, rows, cast.rep, channel="link") == {other.pk}
    assert found(InvitationFilter, rows, cast.rep, survey=str(asked.survey_id)) == {asked.pk}
    draft = SurveyFactory(status="draft", kind="ces", name="After delivery")
    assert found(SurveyFilter, Survey.objects.all(), cast.rep, search="DELIV") == {draft.pk}
    assert found(SurveyFilter, Survey.objects.all(), cast.rep, status="draft", kind="ces") == {draft.pk}
    assert draft.pk not in found(SurveyFilter, Survey.objects.all(), cast.rep, status__in="live,closed")


@pytest.mark.parametrize(
    ("filterset", "params"),
    [
        (ResponseFilter, {"survey": "x"}),
        (ResponseFilter, {"group": "hater"}),
        (ResponseFilter, {"nps__gte": "ten"}),
        (ResponseFilter, {"submitted_at__gte": "yesterday"}),
        (CaseFilter, {"status": "odd"}),
        (CaseFilter, {"owner": "-1"}),
        (InvitationFilter, {"channel": "fax"}),
        (SurveyFilter, {"kind": "quiz"}),
    ],
)
def test_bad_values_are_errors(filterset: Any, params: dict[str, str]) -> None:
    model = filterset._meta.model
    assert not filterset(data=params, queryset=model.objects.all(), request=None).is_valid()


def test_cases_stand_by_due_time(cast: Cast) -> None:
    contact = ContactFactory(owner=cast.rep)
    never = CaseFactory(contact=contact, sla_due_at=None)
    later = CaseFactory(contact=contact, sla_due_at=NOW + dt.timedelta(days=2))
    soon = CaseFactory(contact=contact, sla_due_at=NOW + dt.timedelta(hours=1), status="pending")
    older = CaseFactory(contact=contact, status="resolved", resolved_at=NOW - dt.timedelta(days=2))
    newer = CaseFactory(contact=contact, status="closed", resolved_at=NOW - dt.timedelta(days=1))
    CaseFactory(owner=cast.rep2)
    assert list(open_cases(cast.rep)) == [soon, later, never]
    assert list(cases_of_contact(contact.pk, cast.rep)) == [soon, later, never, newer, older]
    assert list(cases_of_contact(contact.pk, cast.rep2)) == []


def test_what_became_of_those_asked() -> None:
    survey = SurveyFactory()

    def asked(n: int, **values: Any) -> list[Invitation]:
        return [InvitationFactory(survey=survey, **values) for _ in range(n)]

    asked(3, status="answered", sent_at=NOW)
    asked(2, status="sent", sent_at=NOW)
    asked(1, status="expired", sent_at=NOW)
    asked(1, status="queued")
    asked(1, status="suppressed", suppressed_reason="not_delivered")
    asked(4, status="suppressed", suppressed_reason="throttle")
    [started] = asked(1, status="opened", sent_at=NOW)
    [looked] = asked(1, status="opened", sent_at=NOW)
    ResponseFactory(survey=survey, invitation=started, status="partial", submitted_at=None)
    ResponseFactory(survey=survey, invitation=looked, status="partial", submitted_at=None, answers={})
    result, delivered = outcome(Invitation.objects.filter(survey=survey))
    assert result == Outcome(complete=3, partial=1, refused=0, no_contact=4, unknown=2)
    assert delivered == 8
