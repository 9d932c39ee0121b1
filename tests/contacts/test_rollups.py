"""Rollup fields: what related records add up to, for everybody what they may see."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from contacts.conditions import company_fields, contact_fields
from contacts.custom.computed import expression
from contacts.custom.definitions import every
from contacts.custom.entities import entities
from contacts.models import Activity, Contact, CustomField, Pulse, SegmentMember
from contacts.services.contacts import contact_update
from contacts.services.custom_fields import custom_field_create, custom_field_update
from contacts.services.segmenting.keeping import segments_keep
from contacts.services.segments import segment_create
from crmcem.lib.actors import Actor
from crmcem.lib.conditions import parse, to_q
from crmcem.lib.conditions.errors import ConditionError
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.workspace import organisation
from crmcem.workspace.models import Organisation, User
from sales.models import Deal, DealContact
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory
from tests.factories.feedback import CaseFactory, ResponseFactory
from tests.factories.fields import CustomFieldFactory
from tests.factories.sales import DealFactory, PipelineFactory

pytestmark = pytest.mark.django_db
As = Callable[[User], Actor]
Api = Callable[..., APIClient]
Web = Callable[..., Client]
OPEN_SUM = {"source": "deals", "measure": "sum", "of": "amount", "only": "open"}


def rollup(actor: Actor, label: str = "Open deals", entity: str = "contact", **options: Any) -> CustomField:
    data = {"entity": entity, "label": label, "type": "rollup", "options": options or OPEN_SUM}
    return custom_field_create(data=data, actor=actor)


def ask(row: Any, key: str, user: Any = None) -> Any:
    """The value of the field for one record, as the database has it."""
    entity = "contact" if isinstance(row, Contact) else "company"
    found = expression(every(entity)[key], user)
    return entities[entity].model.objects.filter(pk=row.pk).values_list(found, flat=True).get()


def deal(contact: Contact, amount: Any = "10.00", **values: Any) -> Deal:
    made: Deal = DealFactory(amount=amount and Decimal(amount), **values)
    DealContact.objects.create(deal=made, contact=contact)
    return made


@pytest.fixture
def ada(cast: Cast) -> Contact:
    """A contact of rep's with two open deals (one of rep2's), one in another currency, one won."""
    found: Contact = ContactFactory(first_name="Ada", owner=cast.rep, team=cast.north)
    same = {"pipeline": PipelineFactory()}
    deal(found, "100.00", owner=cast.rep, team=cast.north, **same)
    deal(found, "50.00", owner=cast.rep2, team=cast.south, **same)
    deal(found, "7.00", currency="CHF", owner=cast.rep, team=cast.north, **same)
    deal(found, "1000.00", status="won", closed_at=dt.datetime(2026, 3, 31, 22, 30, tzinfo=dt.UTC),
         owner=cast.rep, team=cast.north, **same)  # fmt: skip
    return found


class TestDefinition:
    def test_options_say_what_comes_out(self, cast: Cast, actor: As) -> None:
        found = rollup(actor(cast.admin), **OPEN_SUM)
        assert found.options == OPEN_SUM | {"result": "money", "decimals": 2}
        assert rollup(actor(cast.admin), "N", source="deals", measure="count").options["result"] == "number"
        newest = rollup(actor(cast.admin), "Newest", source="tasks", measure="newest", of="due_at")
        assert newest.options["result"] == "date"

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"source": "moon", "measure": "count"}, "invalid_choice"),
            ({"source": "deals", "measure": "median"}, "invalid_choice"),
            ({"source": "deals", "measure": "sum"}, "invalid_choice"),
            ({"source": "deals", "measure": "sum", "of": "closed_at"}, "invalid_choice"),
            ({"source": "deals", "measure": "newest", "of": "amount"}, "invalid_choice"),
            ({"source": "deals", "measure": "count", "of": "amount"}, "invalid"),
            ({"source": "deals", "measure": "count", "only": "cases.open"}, "invalid_choice"),
            ({"source": "deals", "measure": "count", "event": "a.b"}, "unknown_option"),
            ({"source": "deals", "measure": "count", "sql": "1"}, "unknown_option"),
            ({"source": "events", "measure": "count"}, "event"),
            ({"source": "events", "measure": "count", "event": "deal.won"}, "event"),
            ({"source": "events", "measure": "sum", "event": "a.b", "of": "a b"}, "invalid_choice"),
            ({"source": ["deals"], "measure": "count"}, "invalid_choice"),
        ],
    )
    def test_wrong_ones(self, options: Any, code: str, cast: Cast, actor: As) -> None:
        with pytest.raises(DomainError) as error:
            rollup(actor(cast.admin), **options)
        assert [(each.field, each.code) for each in error.value.errors] == [("options", code)]
        assert not CustomField.objects.exists()

    def test_what_it_adds_up_stays_and_nobody_types_it(self, cast: Cast, actor: As, ada: Contact) -> None:
        found = rollup(actor(cast.admin))
        same = custom_field_update(
            field=found, data={"label": "Deals", "options": dict(found.options)}, actor=actor(cast.admin)
        )
        assert (same.label, same.options["only"]) == ("Deals", "open")
        for data in ({"options": {"only": "won"}}, {"required": True}, {"filterable": True}):
            with pytest.raises(DomainError):
                custom_field_update(field=found, data=data, actor=actor(cast.admin))
        with pytest.raises(DomainError, match="computed"):
            contact_update(contact=ada, data={"custom": {"open_deals": 5}}, actor=actor(cast.admin))
        with pytest.raises(NotAllowed):
            rollup(actor(cast.manager))
        ada.refresh_from_db()
        assert ada.custom == {}


class TestValues:
    def test_of_deals(self, cast: Cast, actor: As, ada: Contact) -> None:
        by = actor(cast.admin)
        rollup(by, "Open", **OPEN_SUM)
        rollup(by, "Number", source="deals", measure="count")
        rollup(by, "Mean", source="deals", measure="average", of="amount")
        rollup(by, "Most", source="deals", measure="max", of="amount")
        rollup(by, "Won at", source="deals", measure="newest", of="closed_at", only="won")
        Organisation.objects.update_or_create(pk=1, defaults={"time_zone": "Europe/Berlin"})
        organisation.forget()
        nobody = ContactFactory()
        keys = ("open", "number", "mean", "most", "won_at")
        assert [ask(ada, key) for key in keys] == [
            Decimal("150.00"), 4, Decimal("383.33"), Decimal("1000.00"), dt.date(2026, 4, 1),
        ]  # fmt: skip
        assert [ask(nobody, key) for key in keys] == [0, 0, None, None, None]

    def test_only_what_the_person_may_see_is_counted(self, cast: Cast, actor: As, ada: Contact) -> None:
        rollup(actor(cast.admin))
        seen = {
            name: ask(ada, "open_deals", getattr(cast, name)) for name in ("rep", "rep2", "manager", "cx")
        }
        assert seen == {"rep": 100, "rep2": 50, "manager": 100, "cx": 150}

    def test_of_work_feedback_and_events(self, cast: Cast, actor: As, ada: Contact) -> None:
        by = actor(cast.admin)
        rollup(by, "Open tasks", source="tasks", measure="count", only="open")
        rollup(by, "Calls", source="interactions", measure="sum", of="duration_seconds", only="call")
        rollup(by, "Detractor", source="answers", measure="min", of="nps")
        rollup(by, "Cases", source="cases", measure="count", only="open")
        rollup(by, "Spent", source="events", measure="sum", event="order.placed", of="total")
        rollup(by, "Last order", source="events", measure="newest", event="order.placed", of="occurred_at")
        TaskFactory(contact=ada, title="a")
        TaskFactory(contact=ada, title="b", status="done")
        InteractionFactory(contact=ada, kind="call", duration_seconds=60)
        InteractionFactory(contact=ada, kind="meeting", duration_seconds=600)
        ResponseFactory(contact=ada, nps=3)
        ResponseFactory(contact=ada, nps=1, status="partial")
        CaseFactory(contact=ada)
        CaseFactory(contact=ada, status="closed")
        for total, kind in (
            ("12.5", "order.placed"),
            (7.5, "order.placed"),
            ("x", "order.placed"),
            (9, "a.b"),
        ):
            Activity.objects.create(
                kind=kind, contact_id=ada.pk, payload={"total": total},
                occurred_at=dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC),
            )  # fmt: skip
        keys = ("open_tasks", "calls", "detractor", "cases", "spent", "last_order")
        assert [ask(ada, key) for key in keys] == [1, 60, 3, 1, 20, dt.date(2026, 5, 4)]

    def test_of_a_company(self, cast: Cast, actor: As) -> None:
        by = actor(cast.admin)
        acme = CompanyFactory(owner=cast.rep, team=cast.north)
        for owner, revenue in ((cast.rep, 10), (cast.rep2, 20)):
            contact = ContactFactory(company=acme, owner=owner, pulse={"revenue": revenue})
            ResponseFactory(contact=contact, nps=9)
            Pulse.objects.filter(contact=contact).update(owner=owner)
        DealFactory(company=acme, amount=5, owner=cast.rep)
        rollup(by, "People", "company", source="contacts", measure="count")
        rollup(by, "Revenue", "company", source="contacts", measure="sum", of="revenue")
        rollup(by, "Promoters", "company", source="answers", measure="count", only="promoters")
        rollup(by, "Deals", "company", **OPEN_SUM)
        keys = ("people", "revenue", "promoters", "deals")
        assert [ask(acme, key) for key in keys] == [2, 30, 2, 5]
        assert [ask(acme, key, cast.rep) for key in keys] == [1, 10, 1, 5]
        leaf = {"field": "custom.revenue", "op": "gt", "value": 25}
        assert (rows(company_fields, leaf), rows(company_fields, leaf, cast.rep)) == ({acme.pk}, set())
        with pytest.raises(ConditionError):
            parse(leaf, company_fields, user=cast.nobody)


def rows(registry: Any, data: Any, user: Any = None) -> set[int]:
    q = to_q(parse(data, registry, user=user), now=timezone.now(), tz=ZoneInfo("Europe/Berlin"), user=user)
    return set(registry.model._base_manager.filter(q).values_list("pk", flat=True))


class TestConditions:
    def test_every_type_compares_and_splits_all_rows(self, cast: Cast, actor: As, ada: Contact) -> None:
        by = actor(cast.admin)
        rollup(by)
        rollup(by, "Won at", source="deals", measure="newest", of="closed_at", only="won")
        other = ContactFactory()
        for leaf, expected in (
            ({"field": "custom.open_deals", "op": "gte", "value": "150.00"}, {ada.pk}),
            ({"field": "custom.open_deals", "op": "eq", "value": 0}, {other.pk}),
            ({"field": "custom.won_at", "op": "is_set"}, {ada.pk}),
            ({"field": "custom.won_at", "op": "on", "value": "2026-03-31"}, {ada.pk}),
            ({"field": "custom.won_at", "op": "not_in_last", "value": {"days": 3}}, {ada.pk, other.pk}),
        ):
            assert rows(contact_fields, leaf) == expected, leaf
            assert rows(contact_fields, {"not": leaf}) == {ada.pk, other.pk} - expected, leaf

    def test_only_those_who_see_all_of_it_know_the_field(self, cast: Cast, actor: As, ada: Contact) -> None:
        rollup(actor(cast.admin))
        leaf = {"field": "custom.open_deals", "op": "gte", "value": 150}
        for name in ("rep", "manager", "nobody"):
            with pytest.raises(ConditionError):
                parse(leaf, contact_fields, user=getattr(cast, name))
            known = {each.name for each in contact_fields.fields(getattr(cast, name))}
            assert "custom.open_deals" not in known
        assert rows(contact_fields, leaf, cast.cx) == {ada.pk}

    def test_a_live_segment_follows_the_related_records(self, cast: Cast, actor: As, ada: Contact) -> None:
        by = actor(cast.admin)
        rollup(by)
        rollup(by, "Tasks", source="tasks", measure="count", only="open")
        rollup(by, "Cases", source="cases", measure="count")
        rollup(by, "Answers", source="answers", measure="count")
        rollup(by, "Talks", source="interactions", measure="newest", of="occurred_at")
        other = ContactFactory()
        leaves = {
            "deals": {"field": "custom.open_deals", "op": "gte", "value": 150},
            "tasks": {"field": "custom.tasks", "op": "gte", "value": 1},
            "cases": {"field": "custom.cases", "op": "gte", "value": 1},
            "answers": {"field": "custom.answers", "op": "gte", "value": 1},
            "interactions": {"field": "custom.talks", "op": "in_last", "value": {"days": 5}},
        }
        made = {
            name: segment_create(data={"name": name, "conditions": leaf, "sharing": "all"}, actor=by)
            for name, leaf in leaves.items()
        }
        assert {name: segment.watches for name, segment in made.items()} == {n: [n] for n in leaves}
        assert made["interactions"].timed

        def members() -> dict[str, set[int]]:
            segments_keep(settled=True)
            found = SegmentMember.objects.values_list("segment__name", "contact_id")
            return {name: {pk for key, pk in found if key == name} for name in leaves}

        nothing: dict[str, set[int]] = {name: set() for name in leaves}
        assert members() == nothing | {"deals": {ada.pk}}
        task, case = TaskFactory(contact=ada), CaseFactory(contact=ada)
        answer = ResponseFactory(contact=ada)
        talk = InteractionFactory(contact=ada)
        Deal.objects.filter(amount=50).update(amount=49)
        assert members() == {name: {ada.pk} for name in leaves} | {"deals": set()}
        task.status = "done"
        task.save()
        case.delete()
        type(answer).objects.filter(pk=answer.pk).update(contact=other)
        talk.occurred_at = timezone.now() - dt.timedelta(days=6)
        talk.save()
        Deal.objects.filter(amount=49).update(amount=51)
        assert members() == nothing | {"deals": {ada.pk}, "answers": {other.pk}}


class TestPages:
    def test_the_list_has_a_column_and_the_file_has_it(
        self, cast: Cast, actor: As, web: Web, ada: Contact
    ) -> None:
        rollup(actor(cast.admin))
        url = f"{reverse('contacts:list')}?columns=name,custom.open_deals&_part=rows"
        web(cast.rep).get(url)
        with CaptureQueriesContext(connection) as one:
            page = web(cast.rep).get(url).content.decode()
        assert ">100 <small>EUR<" in page
        for owner in (cast.rep, cast.rep):
            deal(ContactFactory(owner=owner), "3.00", owner=owner)
        with CaptureQueriesContext(connection) as three:
            assert ">3 <small>EUR<" in web(cast.rep).get(url).content.decode()
        assert len(one) == len(three)
        assert "ordering=custom__open_deals" not in page
        assert ">150 <small>EUR<" in web(cast.admin).get(url).content.decode()
        for who, amount in ((cast.manager, "100.00"), (cast.admin, "150.00")):
            file = web(who).post(url.replace("&_part=rows", ""), {"_export": "1"}).content.decode()
            assert f"Ada Last1,{amount}" in file.replace(ada.last_name, "Last1")

    def test_the_record_page_shows_it_and_does_not_change_it(
        self, cast: Cast, actor: As, web: Web, ada: Contact
    ) -> None:
        rollup(actor(cast.admin))
        details = web(cast.rep).get(reverse("contacts:contact-details", args=[ada.pk])).content.decode()
        assert ("Open deals" in details, ">100 <small>EUR<" in details) == (True, True)
        url = reverse("contacts:contact-field", args=[ada.pk, "custom-open_deals"])
        assert url not in details
        assert web(cast.rep).post(url, {"value": "5", "version": "1"}).status_code == 404
        edit = web(cast.rep).get(reverse("contacts:edit", args=[ada.pk]))
        assert "custom.open_deals" not in edit.context["form"].fields

    def test_the_form_of_a_definition(self, cast: Cast, web: Web) -> None:
        url = f"{reverse('contacts:custom-field-new')}?entity=contact&type=rollup"
        page = web(cast.admin).get(url).content.decode()
        assert '<optgroup label="Deals">' in page
        assert 'value="deals:sum:amount"' in page
        bad = web(cast.admin).post(url, {"label": "X", "rollup": "deals:count:", "only": "cases:open"})
        assert bad.status_code == 422
        assert "cases.open" in bad.content.decode()
        assert not CustomField.objects.exists()
        sent = {
            "label": "Spent",
            "rollup": "events:sum:*",
            "only": "",
            "event": "order.placed",
            "property": "total",
        }
        assert web(cast.admin).post(url, sent).status_code == 302
        made = CustomField.objects.get()
        assert made.options == {
            "source": "events", "measure": "sum", "event": "order.placed", "of": "total",
            "result": "number", "decimals": 2,
        }  # fmt: skip
        edit = reverse("contacts:custom-field-edit", args=[made.pk])
        page = web(cast.admin).get(edit).content.decode()
        assert "event order.placed" in page
        assert web(cast.admin).post(edit, {"label": "Spent all", "version": "1"}).status_code == 302
        made.refresh_from_db()
        assert (made.label, made.options["of"]) == ("Spent all", "total")
        listed = web(cast.admin).get(f"{reverse('contacts:custom-fields')}?entity=contact").content.decode()
        assert "event order.placed" in listed


class TestApi:
    def test_it_is_read_sparsely_and_never_written(
        self, cast: Cast, actor: As, api: Api, ada: Contact
    ) -> None:
        rollup(actor(cast.admin))
        url = f"/api/v1/contacts/{ada.pk}/"
        found = api(cast.rep).get(url).json()
        assert (found["computed"], found["custom"]) == (
            {"open_deals": {"amount": "100.00", "currency": "EUR"}},
            {},
        )
        with CaptureQueriesContext(connection) as lean:
            assert api(cast.rep).get("/api/v1/contacts/?fields=id").json()["results"] == [{"id": str(ada.pk)}]
        assert not any("sales_deal" in each["sql"] for each in lean)
        for data in ({"computed": {"open_deals": 1}}, {"custom": {"open_deals": 1}}):
            refused = api(cast.rep).patch(url, data, format="json")
            assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "read_only")
        ada.refresh_from_db()
        assert (ada.custom, ada.version) == ({}, 1)

    def test_who_may_not_read_deals_has_no_such_field(
        self, cast: Cast, actor: As, api: Api, ada: Contact
    ) -> None:
        rollup(actor(cast.admin))
        found = api(cast.rep, ["contacts:read"]).get(f"/api/v1/contacts/{ada.pk}/").json()
        assert found["computed"] == {}

    def test_made_over_the_api(self, cast: Cast, api: Api) -> None:
        data = {"entity": "contact", "label": "Open deals", "type": "rollup", "options": OPEN_SUM}
        made = api(cast.admin).post("/api/v1/custom-fields/", data, format="json")
        assert (made.status_code, made.json()["options"]["result"]) == (201, "money")
        bad = api(cast.admin).post(
            "/api/v1/custom-fields/", data | {"label": "B", "options": {"source": "x"}}, format="json"
        )
        assert (bad.status_code, bad.json()["errors"][0]["field"]) == (400, "options")


def test_a_field_is_no_target_of_an_import_and_stored_values_stay_hidden(cast: Cast) -> None:
    from contacts.importing.fields import custom_targets

    CustomFieldFactory(key="sum", type="rollup", options=OPEN_SUM | {"result": "money", "decimals": 2})
    assert custom_targets("contacts") == []
