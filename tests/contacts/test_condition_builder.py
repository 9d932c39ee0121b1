"""What the condition builder offers: every kind of record that the person may ask about, its choices read once."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.builder import company_builder, contact_builder
from contacts.conditions import contact_fields
from crmcem.lib.conditions import describe
from crmcem.lib.web.condition_builder import Asked, offers
from feedback.models import Survey
from sales.builder import deal_builder
from sales.models import Pipeline
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory
from tests.factories.sales import PipelineFactory

pytestmark = pytest.mark.django_db


def spec(build: Callable[..., dict[str, Any]], user: Any, value: Any = "", **more: Any) -> Any:
    return json.loads(build(user, value, **more)["spec"])


def related(data: Any) -> list[str]:
    return [each["name"] for each in data["records"][data["record"]]["related"]]


def test_who_may_ask_about_what(cast: Cast) -> None:
    every = ["company", "tasks", "interactions", "deals", "answers", "cases"]
    assert sorted(related(spec(contact_builder, cast.cx))) == sorted(every)
    assert related(spec(contact_builder, cast.rep, shared=True)) == []
    mine = spec(contact_builder, cast.rep)
    assert {"company", "deals", "tasks"} <= set(related(mine))
    assert "people.count" in [each["name"] for each in mine["records"]["contacts.Company"]["fields"]]
    assert "contacts" in related(spec(company_builder, cast.rep))
    assert "contacts" in related(spec(deal_builder, cast.rep))
    assert related(spec(contact_builder, cast.nobody)) == []


def test_the_choices_of_related_records(cast: Cast) -> None:
    pipeline = PipelineFactory(name="Fleet")
    found = spec(contact_builder, cast.cx)["records"]
    fields = {f"{record}.{each['name']}": each for record, kit in found.items() for each in kit["fields"]}
    stages = [each["label"] for each in fields["sales.Deal.stage"]["choices"]]
    assert "Fleet: Offer" in stages
    assert {"value": str(pipeline.pk), "label": "Fleet"} in fields["sales.Deal.pipeline"]["choices"]
    assert len(stages) == sum(each.stages.count() for each in Pipeline.objects.all())
    assert len(fields["feedback.Response.survey"]["choices"]) == Survey.objects.count()
    assert {"value": str(cast.rep.pk), "label": str(cast.rep)} in fields["contacts.Task.owner"]["choices"]
    assert fields["contacts.Contact.tags"]["lookup"] == reverse("contacts:tag-proposals")
    assert fields["contacts.Company.parent"]["lookup"] == reverse("contacts:company-lookup")


def test_every_record_that_can_be_asked_about_has_an_offer() -> None:
    assert [each for each in describe(contact_fields)["records"] if each not in offers] == []


def test_names_behind_relations_are_told_as_far_as_one_may_see(cast: Cast) -> None:
    mine, theirs = CompanyFactory(name="Mine", owner=cast.rep), CompanyFactory(name="Theirs", owner=cast.rep2)
    leaf = {"field": "parent", "op": "in", "value": [str(mine.pk), str(theirs.pk)]}
    value = {"related": "company", "has": "any", "where": leaf}
    names = spec(contact_builder, cast.rep, value)["names"]
    assert names[f"parent:{mine.pk}"] == "Mine"
    assert "Theirs" not in names.values()


def test_several_builders_of_a_page_read_their_choices_once(cast: Cast) -> None:
    asked = Asked(cast.cx)
    with CaptureQueriesContext(connection) as first:
        contact_builder(cast.cx, "", shared=True, asked=asked)
    with CaptureQueriesContext(connection) as second:
        contact_builder(cast.cx, "", shared=True, asked=asked)
    assert len(first) <= 9
    assert [each["sql"] for each in second if "custom" not in each["sql"]] == []


def test_the_page_stays_short(cast: Cast) -> None:
    built = contact_builder(cast.cx, "", shared=True)
    assert len(built["spec"]) < 60_000
    data = json.loads(built["spec"])
    status = next(each for each in data["records"]["sales.Deal"]["fields"] if each["name"] == "status")
    assert status["operators"] == ["eq", "ne", "in", "not_in", "is_set", "is_not_set"]
    assert data["operators"]["in"] == {"label": "is one of", "arity": "many"}
