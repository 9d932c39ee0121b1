"""Custom fields of deals: in forms, on the page, in lists and files, over the API, computed ones too."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from contacts.models import CustomField
from contacts.services.custom_fields import custom_field_create
from contacts.services.field_layouts import field_layout_create
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import User
from sales.models import Deal
from sales.services.deals import deal_create, deal_update
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, TaskFactory
from tests.factories.fields import CustomFieldFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
As = Callable[[User], Actor]
Api = Callable[..., APIClient]
Web = Callable[..., Client]
TIERS = {"choices": [{"value": "gold", "label": "Gold"}, {"value": "ag", "label": "Silver"}]}


@pytest.fixture
def fields(db: None) -> None:
    for key, kind, options, group in (
        ("plan", "choice", TIERS, "Contract"),
        ("seats", "number", {"decimals": 0}, "Contract"),
        ("partner", "link", {"entity": "company"}, ""),
    ):
        CustomFieldFactory(
            entity="deal", key=key, label=key.capitalize(), type=kind, options=options, group=group,
            filterable=True,
        )  # fmt: skip


@pytest.fixture
def deal(fields: None, cast: Cast) -> Deal:
    found: Deal = DealFactory(
        name="Vans", amount=Decimal("100.00"), owner=cast.rep, team=cast.north,
        custom={"plan": "gold", "seats": 3},
    )  # fmt: skip
    return found


def sent(page: Any) -> dict[str, Any]:
    found = {bound.html_name: bound.value() for bound in page.context["form"]}
    return {name: "" if value is None else value for name, value in found.items()}


class TestServices:
    def test_values_are_checked_merged_and_told(self, deal: Deal, cast: Cast, actor: As) -> None:
        by = actor(cast.rep)
        made = deal_create(data={"name": "New", "custom": {"plan": "Silver", "seats": "4"}}, actor=by)
        assert made.custom == {"plan": "ag", "seats": 4}
        changed = deal_update(deal=deal, data={"custom": {"seats": 5}}, actor=by)
        assert (changed.custom, changed.version) == ({"plan": "gold", "seats": 5}, 2)
        changed = deal_update(deal=changed, data={"custom": {"plan": None}}, actor=by)
        assert changed.custom == {"seats": 5}
        for custom, code in (({"plan": "tin"}, "invalid_choice"), ({"nobody": 1}, "unknown_field")):
            with pytest.raises(DomainError) as wrong:
                deal_update(deal=changed, data={"custom": custom}, actor=by)
            assert [each.code for each in wrong.value.errors] == [code]
        changed.refresh_from_db()
        assert (changed.custom, changed.version) == ({"seats": 5}, 3)

    def test_what_was_stored_before_there_were_definitions_stays(self, cast: Cast, actor: As) -> None:
        old = DealFactory(owner=cast.rep, custom={"legacy": {"a": 1}})
        same = deal_update(
            deal=old, data={"name": "x", "custom": {"legacy": {"a": 1}}}, actor=actor(cast.rep)
        )
        assert same.custom == {"legacy": {"a": 1}}

    def test_links_lead_to_what_one_may_see(self, deal: Deal, cast: Cast, actor: As) -> None:
        secret = CompanyFactory(owner=cast.rep2)
        with pytest.raises(DomainError, match="not yours to see"):
            deal_update(deal=deal, data={"custom": {"partner": str(secret.pk)}}, actor=actor(cast.rep))
        deal.refresh_from_db()
        assert "partner" not in deal.custom

    def test_required_is_asked_of_people(self, cast: Cast, actor: As) -> None:
        CustomFieldFactory(entity="deal", key="must", required=True)
        with pytest.raises(DomainError, match="required"):
            deal_create(data={"name": "New"}, actor=actor(cast.rep))
        assert not Deal.objects.exists()


class TestPages:
    def test_form_page_and_change_in_place(self, deal: Deal, cast: Cast, web: Web) -> None:
        client = web(cast.rep)
        new = client.get(reverse("sales:deal-new"))
        assert "<legend>Contract</legend>" in new.content.decode()
        typed = {"name": "Cars", "custom.plan": "ag", "custom.seats": "many"}
        bad = client.post(reverse("sales:deal-new"), sent(new) | typed)
        assert (bad.status_code, 'value="many"' in bad.content.decode()) == (422, True)
        assert (
            client.post(reverse("sales:deal-new"), sent(new) | typed | {"custom.seats": "2"}).status_code
            == 302
        )
        assert Deal.objects.get(name="Cars").custom == {"plan": "ag", "seats": 2}
        edit = reverse("sales:deal-edit", args=[deal.pk])
        assert client.post(edit, sent(client.get(edit)) | {"custom.seats": "7"}).status_code == 302
        deal.refresh_from_db()
        assert (deal.custom, deal.name) == ({"plan": "gold", "seats": 7}, "Vans")
        page = client.get(reverse("sales:deal", args=[deal.pk])).content.decode()
        fact = reverse("sales:deal-fact", args=[deal.pk, "custom-seats"])
        assert ("Gold" in page, fact in page) == (True, True)
        form = client.get(fact)
        assert "_part=side" in form.content.decode()
        saved = client.post(fact, sent(form) | {"custom.seats": "8"}, headers={"HX-Request": "true"})
        assert saved.status_code == 204
        deal.refresh_from_db()
        assert deal.custom == {"plan": "gold", "seats": 8}
        assert web(cast.rep2).get(fact).status_code == 404
        gone = reverse("sales:deal-fact", args=[deal.pk, "custom-nobody"])
        assert client.get(gone).status_code == 404

    def test_a_hidden_link_stays_and_is_named_nowhere(self, deal: Deal, cast: Cast, web: Web) -> None:
        secret = CompanyFactory(pk=987654, name="Secret Ltd", owner=cast.rep2)
        Deal.objects.filter(pk=deal.pk).update(custom={"partner": str(secret.pk)})
        edit = reverse("sales:deal-edit", args=[deal.pk])
        page = web(cast.rep).get(edit)
        for text in (page.content.decode(), web(cast.rep).get(f"/deals/{deal.pk}/").content.decode()):
            assert ("987654" in text, "Secret" in text) == (False, False)
        assert web(cast.rep).post(edit, sent(page) | {"name": "Bikes"}).status_code == 302
        deal.refresh_from_db()
        assert (deal.name, deal.custom) == ("Bikes", {"partner": "987654"})

    def test_a_lost_update_says_what_is_stored(self, deal: Deal, cast: Cast, web: Web, actor: As) -> None:
        edit = reverse("sales:deal-edit", args=[deal.pk])
        page = web(cast.rep).get(edit)
        deal_update(deal=deal, data={"custom": {"seats": 9}}, actor=actor(cast.manager))
        stale = web(cast.rep).post(edit, sent(page) | {"custom.seats": "4"})
        assert (stale.status_code, "Seats: 9" in stale.content.decode()) == (422, True)
        deal.refresh_from_db()
        assert deal.custom["seats"] == 9

    def test_a_layout_places_and_hides(self, deal: Deal, cast: Cast, web: Web, actor: As) -> None:
        page = web(cast.admin).get(f"{reverse('contacts:field-layout')}?entity=deal").content.decode()
        assert ("Expected close" in page, "Seats" in page) == (True, True)
        field_layout_create(
            entity="deal", team=None, groups=[{"label": "First", "fields": ["custom.seats", "name"]}],
            hidden=["custom.plan", "competitors", "stage"], actor=actor(cast.admin),
        )  # fmt: skip
        form = web(cast.rep).get(reverse("sales:deal-new")).context["form"]
        label, first = form.groups()[0]
        assert (label, [field.name for field in first]) == ("First", ["custom.seats", "name"])
        assert {"custom.plan", "competitors"} & form.fields.keys() == set()
        assert "stage" in form.fields

    def test_the_quick_form_names_what_it_can_not_ask(self, cast: Cast, web: Web, deal: Deal) -> None:
        CustomFieldFactory(entity="deal", key="must", label="Must have", required=True)
        count = Deal.objects.count()
        answer = web(cast.rep).post(reverse("sales:board-quick", args=[deal.stage_id]), {"name": "x"})
        assert (answer.status_code, Deal.objects.count()) == (422, count)
        assert "Must have: This field is required." in answer.content.decode()
        page = web(cast.rep).get(reverse("sales:deal-new"))
        answer = web(cast.rep).post(reverse("sales:deal-new"), sent(page) | {"name": "x"})
        assert answer.context["form"]["custom.must"].errors == ["This field is required."]

    def test_list_file_filter_and_order(self, deal: Deal, cast: Cast, web: Web) -> None:
        DealFactory(name="Cars", owner=cast.rep, team=cast.north, custom={"seats": 1})
        client = web(cast.rep)
        url = f"{reverse('sales:deals')}?columns=name,custom.plan,custom.seats"
        client.get(url)
        with CaptureQueriesContext(connection) as two:
            assert "Gold" in client.get(url).content.decode()
        DealFactory(name="Ships", owner=cast.rep, team=cast.north, custom={"seats": 2})
        with CaptureQueriesContext(connection) as three:
            client.get(url)
        assert len(two) == len(three)
        page = client.get(f"{url}&ordering=-custom__seats").content.decode()
        assert page.index("Vans") < page.index("Ships") < page.index("Cars")
        page = client.get(f"{url}&custom__seats__gte=2").content.decode()
        assert ("Vans" in page, "Ships" in page, "Cars" in page) == (True, True, False)
        assert client.post(url, {"_export": "1"}).status_code == 403
        file = web(cast.manager).post(f"{url}&custom__plan=gold", {"_export": "1"}).content.decode()
        assert file.splitlines()[1:] == ["Vans,Gold,3"]


class TestConditions:
    def test_own_custom_and_computed_fields_over_what_one_sees(
        self, deal: Deal, cast: Cast, actor: As, api: Api, web: Web
    ) -> None:
        custom_field_create(
            data={"entity": "deal", "label": "Open tasks", "type": "rollup",
                  "options": {"source": "tasks", "measure": "count", "only": "open"}},
            actor=actor(cast.admin),
        )  # fmt: skip
        DealFactory(name="Cars", owner=cast.rep, team=cast.north, status="won", custom={"seats": 1})
        DealFactory(name="Hidden", owner=cast.rep2, team=cast.south, custom={"seats": 9, "plan": "gold"})
        for owner, team in ((cast.rep, cast.north), (cast.rep2, cast.south)):
            TaskFactory(deal_id=deal.pk, owner=owner, team=team)
        money = {"amount": "50", "currency": "EUR"}
        for leaf, expected in (
            ({"field": "custom.plan", "op": "eq", "value": "gold"}, ["Vans"]),
            ({"field": "custom.seats", "op": "lt", "value": 3}, ["Cars"]),
            ({"field": "status", "op": "eq", "value": "won"}, ["Cars"]),
            ({"field": "amount", "op": "gt", "value": money}, ["Vans"]),
            ({"field": "custom.open_tasks", "op": "gte", "value": 1}, ["Vans"]),
            ({"field": "custom.open_tasks", "op": "gte", "value": 2}, []),
        ):
            query = {"conditions": json.dumps(leaf), "fields": "name"}
            answer = api(cast.rep).get("/api/v1/deals/", query)
            assert [row["name"] for row in answer.json()["results"]] == expected, leaf
        unknown = json.dumps({"field": "salary", "op": "is_set"})
        assert api(cast.rep).get("/api/v1/deals/", {"conditions": unknown}).status_code == 400
        url = reverse("sales:deals")
        leaf = json.dumps({"field": "custom.seats", "op": "gt", "value": 2})
        page = web(cast.rep).get(url, {"conditions": leaf}).content.decode()
        assert ("Vans" in page, "Cars" in page, "Hidden" in page) == (True, False, False)
        assert "Seats is more than 2" in page
        panel = web(cast.rep).get(url, {"_part": "conditions"}).content.decode()
        assert ("custom.seats" in panel, "Lead" in panel) == (True, True)


class TestComputed:
    def test_formulas_and_rollups_of_deals(
        self, deal: Deal, cast: Cast, actor: As, web: Web, api: Api
    ) -> None:
        by = actor(cast.admin)
        for label, kind, options in (
            ("Open tasks", "rollup", {"source": "tasks", "measure": "count", "only": "open"}),
            ("A seat", "formula", {"formula": "amount / custom.seats"}),
            ("Busy", "formula", {"formula": 'if custom.open_tasks > 0 then name & "!" else empty'}),
        ):
            custom_field_create(
                data={"entity": "deal", "label": label, "type": kind, "options": options}, actor=by
            )
        TaskFactory(deal_id=deal.pk, owner=cast.rep, team=cast.north)
        TaskFactory(deal_id=deal.pk, owner=cast.rep2, team=cast.south)
        expected = {"open_tasks": 1, "a_seat": {"amount": "33.33", "currency": "EUR"}, "busy": "Vans!"}
        assert api(cast.rep).get(f"/api/v1/deals/{deal.pk}/").json()["computed"] == expected
        assert api(cast.cx).get(f"/api/v1/deals/{deal.pk}/").json()["computed"]["open_tasks"] == 2
        page = web(cast.rep).get(reverse("sales:deal", args=[deal.pk])).content.decode()
        assert "33.33" in page
        assert "custom-a_seat" not in page
        assert (
            web(cast.rep).get(reverse("sales:deal-fact", args=[deal.pk, "custom-a_seat"])).status_code == 404
        )
        url = f"{reverse('sales:deals')}?columns=name,custom.a_seat,custom.busy"
        assert "33.33" in web(cast.rep).get(url).content.decode()
        assert "Vans,33.33,Vans!" in web(cast.manager).post(url, {"_export": "1"}).content.decode()


class TestApi:
    def test_read_written_filtered(self, deal: Deal, cast: Cast, api: Api) -> None:
        client = api(cast.rep)
        url = f"/api/v1/deals/{deal.pk}/"
        found = client.patch(url, {"custom": {"seats": 6}}, format="json").json()
        assert (found["custom"], found["computed"]) == ({"plan": "gold", "seats": 6}, {})
        wrong = client.patch(url, {"custom": {"seats": "x", "no": 1}}, format="json")
        assert wrong.status_code == 400
        assert [each["field"] for each in wrong.json()["errors"]] == ["custom.seats", "custom.no"]
        DealFactory(name="Other", owner=cast.rep)
        listed = client.get("/api/v1/deals/?custom__seats__gte=5&ordering=custom__seats&fields=name").json()
        assert listed["results"] == [{"name": "Vans"}]
        deal.refresh_from_db()
        assert deal.custom == {"plan": "gold", "seats": 6}

    def test_who_may_not_read_deals_knows_none_of_their_fields(
        self, deal: Deal, cast: Cast, api: Api
    ) -> None:
        found = api(cast.rep, ["contacts:read"]).get("/api/v1/custom-fields/?entity=deal").json()
        assert found["results"] == []
        assert CustomField.objects.filter(entity="deal").count() == 3
        assert len(api(cast.rep).get("/api/v1/custom-fields/?entity=deal").json()["results"]) == 3
