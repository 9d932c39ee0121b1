"""Custom fields: their definitions, and one validation of their values for every way in."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from contacts.custom import definitions
from contacts.custom.values import clean_values
from contacts.models import Contact, CustomField
from contacts.services.contacts import contact_create, contact_update
from contacts.services.custom_fields import custom_field_create, custom_field_update, custom_fields_order
from crmcem.lib.actors import SYSTEM, Actor
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.workspace.models import AuditEntry, User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.fields import CustomFieldFactory, custom_texts

pytestmark = pytest.mark.django_db
As = Callable[[User], Actor]
Api = Callable[..., APIClient]
Web = Callable[[User], Client]
URL = "/api/v1/custom-fields/"
TIERS = {"choices": [{"value": "gold", "label": "Gold"}, {"value": "silver", "label": "Silver"}]}


def codes(error: DomainError) -> list[tuple[str, str]]:
    return [(each.field, each.code) for each in error.errors]


def clean(kind: str, value: Any, **options: Any) -> Any:
    """The stored value of a field of this kind, or the code of the refusal."""
    field = definitions.Definition(1, "contact", "x", "X", "", kind, False, False, "", False, options)
    values, errors = clean_values({"x": value}, {"x": field})
    return errors[0].code if errors else values["x"]


class TestDefinitions:
    def test_an_administrator_makes_one_and_it_is_audited(self, cast: Cast, actor: As) -> None:
        made = custom_field_create(
            data={
                "entity": "contact",
                "label": "Loyalty tier",
                "type": "choice",
                "options": {"choices": ["Gold", {"value": "ag", "label": "Silver"}]},
            },
            actor=actor(cast.admin),
        )
        assert (made.key, made.position, made.version) == ("loyalty_tier", 1, 1)
        assert made.options == {
            "choices": [
                {"value": "gold", "label": "Gold", "archived": False},
                {"value": "ag", "label": "Silver", "archived": False},
            ]
        }
        audit = AuditEntry.objects.get(table_name="contacts_customfield", row_id=made.pk)
        assert (audit.op, audit.actor_kind, audit.actor_id) == ("I", "user", cast.admin.pk)

    @pytest.mark.parametrize("who", ["rep", "manager", "cx", "integrator", "readonly"])
    def test_nobody_else_does(self, who: str, cast: Cast, actor: As) -> None:
        field = CustomFieldFactory()
        somebody = actor(getattr(cast, who))
        with pytest.raises(NotAllowed):
            custom_field_create(data={"entity": "contact", "label": "A", "type": "text"}, actor=somebody)
        with pytest.raises(NotAllowed):
            custom_field_update(field=field, data={"archived": True}, actor=somebody)
        with pytest.raises(NotAllowed):
            custom_fields_order(entity="contact", ids=[field.pk], actor=somebody)
        row = CustomField.objects.get()
        assert (row.pk, row.archived, row.version) == (field.pk, False, 1)

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            ({}, [("entity", "required"), ("label", "required"), ("type", "required")]),
            ({"entity": "invoice"}, [("entity", "invalid_choice")]),
            ({"type": "colour"}, [("type", "invalid_choice")]),
            ({"label": "!!!"}, [("key", "required")]),
            ({"key": "Bad Key"}, [("key", "key")]),
            ({"key": "a__gt"}, [("key", "key")]),
            ({"key": "x" * 61}, [("key", "key")]),
            ({"label": "x" * 81}, [("label", "max_length")]),
            ({"options": {"decimals": 2}}, [("options", "unknown_option")]),
            ({"options": []}, [("options", "type")]),
            ({"type": "money"}, [("options", "currency")]),
            ({"type": "money", "options": {"currency": "XXQ"}}, [("options", "currency")]),
            ({"type": "number", "options": {"decimals": 9}}, [("options", "range")]),
            ({"type": "choice"}, [("options", "required")]),
            ({"type": "choice", "options": {"choices": ["A", "a"]}}, [("options", "double")]),
            ({"type": "choice", "options": {"choices": [1]}}, [("options", "type")]),
            ({"type": "choice", "options": {"choices": [{"value": "a,b", "label": "A"}]}}, [("options", "characters")]),
            ({"type": "link", "options": {"entity": "invoice"}}, [("options", "invalid_choice")]),
            ({"type": "longtext", "filterable": True}, [("filterable", "invalid")]),
            ({"required": "yes"}, [("required", "type")]),
            ({"colour": 1}, [("colour", "unknown_field")]),
        ],
    )  # fmt: skip
    def test_a_bad_one_says_what_is_wrong(
        self, data: dict[str, Any], expected: list[tuple[str, str]], cast: Cast, actor: As
    ) -> None:
        base = {"entity": "contact", "label": "Size", "type": "text"} if data else {}
        with pytest.raises(DomainError) as caught:
            custom_field_create(data=base | data, actor=actor(cast.admin))
        assert codes(caught.value) == expected
        assert not CustomField.objects.exists()

    def test_a_key_is_taken_once_even_by_an_archived_field(self, cast: Cast, actor: As) -> None:
        field = CustomFieldFactory(key="size")
        CustomFieldFactory(key="size", entity="company")
        data = {"entity": "contact", "label": "Size", "type": "text"}
        with pytest.raises(DomainError, match="Another field has this key"):
            custom_field_create(data=data, actor=actor(cast.admin))
        custom_field_update(field=field, data={"archived": True}, actor=actor(cast.admin))
        with pytest.raises(DomainError, match="restore it"):
            custom_field_create(data=data, actor=actor(cast.admin))
        assert CustomField.objects.count() == 2

    def test_what_is_fixed_stays(self, cast: Cast, actor: As) -> None:
        field = CustomFieldFactory(type="money", options={"currency": "EUR"})
        for data, where in [
            ({"type": "text"}, "type"),
            ({"key": "other"}, "key"),
            ({"entity": "company"}, "entity"),
            ({"options": {"currency": "USD"}}, "options"),
        ]:
            with pytest.raises(DomainError) as caught:
                custom_field_update(field=field, data=data, actor=actor(cast.admin))
            assert codes(caught.value) == [(where, "fixed")]
        same = custom_field_update(
            field=field, data={"type": "money", "label": "Budget"}, actor=actor(cast.admin)
        )
        assert (same.label, same.version, same.options) == ("Budget", 2, {"currency": "EUR"})

    def test_choices_that_go_keep_their_label(self, cast: Cast, actor: As) -> None:
        field = CustomFieldFactory(key="tier", type="choice", options=TIERS)
        contact = ContactFactory(custom={"tier": "silver"})
        renamed = {"choices": [{"value": "gold", "label": "Golden"}, "New"]}
        custom_field_update(field=field, data={"options": renamed}, actor=actor(cast.admin))
        field.refresh_from_db()
        assert [(c["value"], c["label"], c["archived"]) for c in field.options["choices"]] == [
            ("gold", "Golden", False),
            ("new", "New", False),
            ("silver", "Silver", True),
        ]
        with pytest.raises(DomainError, match="gold, new"):
            contact_create(data={"first_name": "A", "custom": {"tier": "silver"}}, actor=SYSTEM)
        kept = contact_update(
            contact=contact, data={"first_name": "Bea", "custom": {"tier": "silver"}}, actor=SYSTEM
        )
        assert (kept.first_name, kept.custom) == ("Bea", {"tier": "silver"})

    def test_the_order_is_kept_without_gaps(self, cast: Cast, actor: As) -> None:
        first, second, third = (CustomFieldFactory(position=1) for _n in range(3))
        custom_fields_order(entity="contact", ids=[third.pk, first.pk], actor=actor(cast.admin))
        rows = CustomField.objects.order_by("position").values_list("pk", "position")
        assert list(rows) == [(third.pk, 1), (first.pk, 2), (second.pk, 3)]


class TestCache:
    def test_a_new_field_works_at_once_and_costs_one_small_statement(self) -> None:
        assert definitions.every("contact") == {}
        CustomFieldFactory(key="tier")
        assert list(definitions.every("contact")) == ["tier"]
        with CaptureQueriesContext(
            connection,
        ) as asked:
            definitions.every("contact")
        assert len(asked) == 1
        CustomField.objects.update(label="Rank", version=2)
        assert definitions.every("contact")["tier"].label == "Rank"
        CustomField.objects.all().delete()
        assert definitions.every("contact") == {}

    def test_a_request_asks_once(self) -> None:
        CustomFieldFactory(key="tier")
        definitions._begin()
        try:
            with CaptureQueriesContext(connection) as asked:
                definitions.every("contact")
                definitions.every("company")
            assert len(asked) <= 3  # the state, and the rows of two tables where it is new
            CustomFieldFactory(key="other")
            with CaptureQueriesContext(connection) as asked:
                assert list(definitions.every("contact")) == ["tier"]
            assert len(asked) == 0
            definitions.forget()
            assert list(definitions.every("contact")) == ["tier", "other"]
        finally:
            definitions._end()

    def test_what_was_rolled_back_is_forgotten(self) -> None:
        field = CustomFieldFactory(key="tier", label="A")
        with transaction.atomic():
            CustomField.objects.filter(pk=field.pk).update(label="B", version=2)
            assert definitions.every("contact")["tier"].label == "B"
            transaction.set_rollback(True)
        assert definitions.every("contact")["tier"].label == "A"


class TestValues:
    @pytest.mark.parametrize(
        ("kind", "value", "expected"),
        [
            ("text", "  a   b ", "a b"),
            ("text", 17, "17"),
            ("text", "x" * 501, "max_length"),
            ("text", "\x00", "characters"),
            ("text", ["a"], "type"),
            ("text", " ", None),
            ("longtext", "a\r\nb", "a\nb"),
            ("number", "1,234", 1234),
            ("number", "1.234,50", "decimals"),
            ("number", True, "invalid"),
            ("number", "NaN", "invalid"),
            ("number", "9" * 16, "invalid"),
            ("number", 10**18, "invalid"),
            ("number", "٣", "invalid"),
            ("date", "2026-03-31", "2026-03-31"),
            ("date", "31.3.2026", "2026-03-31"),
            ("date", dt.date(2026, 3, 31), "2026-03-31"),
            ("date", "2026-02-31", "invalid"),
            ("date", "0001-01-01", "range"),
            ("date", "03/31/2026", "invalid"),
            ("date", 20260331, "invalid"),
            ("boolean", "Ja", True),
            ("boolean", "no", False),
            ("boolean", False, False),
            ("boolean", "maybe", "invalid"),
            ("link", "0017", "17"),
            ("link", 17, "17"),
            ("link", "x", "invalid"),
            ("link", True, "invalid"),
        ],
    )
    def test_each_type_has_one_form(self, kind: str, value: Any, expected: Any) -> None:
        assert clean(kind, value) == expected

    def test_decimals_and_money(self) -> None:
        assert clean("number", "1.234,50", decimals=2) == 1234.5
        assert clean("number", 1e-7, decimals=6) == "decimals"
        assert clean("number", "-0,5", decimals=1) == -0.5
        euro = {"amount": "12.50", "currency": "EUR"}
        for given in ("12.5", "12,50 EUR", "EUR 12.50", "€ 12.50", 12.5, euro, {"amount": 12.5}):
            assert clean("money", given, currency="EUR") == euro, given
        for given, code in [
            ("12.505", "decimals"),
            ("12 USD", "currency"),
            ({"amount": "1", "currency": "USD"}, "currency"),
            ({"currency": "EUR"}, "type"),
            ({"amount": None}, "invalid"),
            ("EUR", "invalid"),
        ]:
            assert clean("money", given, currency="EUR") == code, given

    def test_choices_by_value_or_label(self) -> None:
        assert clean("choice", "GOLD", **TIERS) == "gold"
        assert clean("choice", "bronze", **TIERS) == "invalid_choice"
        assert clean("choice", ["gold"], **TIERS) == "invalid_choice"
        assert clean("multichoice", "Silver; gold, silver", **TIERS) == ["silver", "gold"]
        assert clean("multichoice", [], **TIERS) is None
        assert clean("multichoice", ["gold", 1], **TIERS) == "invalid_choice"
        assert clean("multichoice", {"gold": 1}, **TIERS) == "type"

    def test_an_unknown_key_names_the_known_ones(self, cast: Cast, actor: As) -> None:
        custom_texts("plan", "tier")
        CustomFieldFactory(key="gone", archived=True)
        for key in ("paln", "gone"):
            with pytest.raises(DomainError) as caught:
                contact_create(data={"first_name": "A", "custom": {key: "x"}}, actor=actor(cast.rep))
            assert codes(caught.value) == [(f"custom.{key}", "unknown_field")]
            assert "Known fields: plan, tier." in str(caught.value)
        assert not Contact.objects.exists()

    def test_what_no_definition_knows_stays_and_can_go(self) -> None:
        contact = ContactFactory(custom={"old": [1, {"a": 2}], "worse": "x"})
        same = contact_update(
            contact=contact, data={"first_name": "B", "custom": {"old": [1, {"a": 2}]}}, actor=SYSTEM
        )
        assert (same.first_name, same.custom) == ("B", {"old": [1, {"a": 2}], "worse": "x"})
        with pytest.raises(DomainError):
            contact_update(contact=contact, data={"custom": {"old": [2]}}, actor=SYSTEM)
        assert contact_update(contact=same, data={"custom": {"old": None}}, actor=SYSTEM).custom == {
            "worse": "x"
        }

    def test_required_is_asked_of_people_and_programs(self, cast: Cast, actor: As, api: Api) -> None:
        CustomFieldFactory(key="plan", required=True)
        for data in ({}, {"custom": {"plan": " "}}):
            answer = api(cast.rep).post("/api/v1/contacts/", {"first_name": "A"} | data, format="json")
            assert answer.status_code == 400
            assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("custom.plan", "required")]
        assert not Contact.objects.exists()
        assert contact_create(data={"first_name": "A"}, actor=SYSTEM).custom == {}
        made = contact_create(data={"first_name": "A", "custom": {"plan": "x"}}, actor=actor(cast.rep))
        contact_update(contact=made, data={"first_name": "B"}, actor=actor(cast.rep))
        with pytest.raises(DomainError):
            contact_update(contact=made, data={"custom": {"plan": None}}, actor=actor(cast.rep))

    def test_a_link_leads_to_what_one_may_see(self, cast: Cast, actor: As) -> None:
        CustomFieldFactory(key="partner", type="link", options={"entity": "company"})
        mine = CompanyFactory(owner=cast.rep)
        hidden = CompanyFactory(owner=cast.rep2)
        data = {"first_name": "A", "custom": {"partner": str(mine.pk)}}
        made = contact_create(data=data, actor=actor(cast.rep))
        assert made.custom == {"partner": str(mine.pk)}
        for pk in (hidden.pk, 10**12):
            for write in (
                lambda change: contact_create(data={"first_name": "B"} | change, actor=actor(cast.rep)),
                lambda change: contact_update(contact=made, data=change, actor=actor(cast.rep)),
            ):
                with pytest.raises(DomainError) as caught:
                    write({"custom": {"partner": str(pk)}})
                assert codes(caught.value) == [("custom.partner", "does_not_exist")]
        made.refresh_from_db()
        assert (Contact.objects.count(), made.custom) == (1, {"partner": str(mine.pk)})
        Contact.objects.filter(pk=made.pk).update(custom={"partner": str(hidden.pk)})
        kept = contact_update(
            contact=Contact.objects.get(), data={"custom": {"partner": str(hidden.pk)}}, actor=actor(cast.rep)
        )
        assert kept.custom == {"partner": str(hidden.pk)}


class TestApi:
    def test_made_read_changed_archived(self, cast: Cast, api: Api) -> None:
        client = api(cast.admin)
        body = {"entity": "contact", "label": "Tier", "type": "choice", "options": TIERS}
        made = client.post(URL, body, format="json")
        assert made.status_code == 201, made.content
        assert made.json() | {"id": "", "created_at": "", "updated_at": ""} == {
            "id": "", "entity": "contact", "key": "tier", "label": "Tier", "help": "", "type": "choice",
            "options": {"choices": [
                {"value": "gold", "label": "Gold", "archived": False},
                {"value": "silver", "label": "Silver", "archived": False},
            ]},
            "required": False, "filterable": False, "group": "", "position": 1, "archived": False,
            "created_at": "", "updated_at": "", "version": 1,
        }  # fmt: skip
        url = f"{URL}{made.json()['id']}/"
        contact = client.post(
            "/api/v1/contacts/", {"first_name": "A", "custom": {"tier": "Gold"}}, format="json"
        )
        assert (contact.status_code, contact.json()["custom"]) == (201, {"tier": "gold"})
        assert (
            client.patch(url, {"archived": True}, format="json", headers={"If-Match": '"7"'}).status_code
            == 412
        )
        changed = client.patch(url, {"archived": True}, format="json", headers={"If-Match": '"1"'})
        assert (changed.json()["archived"], changed["ETag"]) == (True, '"2"')
        assert client.delete(url).status_code == 405
        found = client.get(URL, {"archived": "true", "entity": "contact"}).json()["results"]
        assert [row["key"] for row in found] == ["tier"]
        read = client.get(f"/api/v1/contacts/{contact.json()['id']}/").json()
        assert read["custom"] == {"tier": "gold"}
        assert client.patch(url, {"id": "1"}, format="json").status_code == 400

    def test_read_by_those_who_may_read_the_records(self, cast: Cast, api: Api) -> None:
        field = CustomFieldFactory(key="tier")
        for who in (cast.rep, cast.readonly, cast.integrator):
            assert [row["key"] for row in api(who).get(URL).json()["results"]] == ["tier"]
        assert api(cast.rep, ["deals:read"]).get(URL).json()["results"] == []
        assert api(cast.rep, ["tasks:read"]).get(URL).status_code == 403
        for client in (api(cast.rep), api(cast.integrator), api(cast.admin, ["contacts:*"])):
            assert client.post(URL, {"entity": "contact", "label": "A", "type": "text"}).status_code == 403
            assert client.patch(f"{URL}{field.pk}/", {"label": "A"}).status_code == 403
        assert CustomField.objects.get().label == "Tier"

    def test_bulk_and_identify_meet_the_same_checks(self, cast: Cast, api: Api) -> None:
        CustomFieldFactory(key="age", type="number")
        client = api(cast.integrator)
        answer = client.post(
            "/api/v1/contacts/bulk/",
            {"operations": [
                {"op": "upsert", "match": {"external_id": "1"}, "data": {"custom": {"age": "x"}}},
                {"op": "upsert", "match": {"external_id": "2"}, "data": {"custom": {"age": "40"}}},
            ]},
            format="json",
        ).json()["results"]  # fmt: skip
        assert [row["status"] for row in answer] == [400, 201]
        assert answer[0]["errors"][0]["field"] == "custom.age"
        assert Contact.objects.get().custom == {"age": 40}
        refused = client.post(
            "/api/v1/identify/",
            {"contact": {"external_id": "2"}, "traits": {"custom": {"aeg": 1}}},
            format="json",
        )
        assert refused.status_code == 400
        assert [e["field"] for e in refused.json()["errors"]] == ["traits.custom.aeg"]


class TestPages:
    def test_from_the_choice_of_a_type_to_the_list(self, cast: Cast, web: Web) -> None:
        client = web(cast.admin)
        empty = client.get(reverse("contacts:custom-fields")).content.decode()
        assert "No custom fields yet" in empty
        new = reverse("contacts:custom-field-new") + "?entity=contact"
        assert "type=multichoice" in client.get(new).content.decode()
        page = client.get(f"{new}&type=choice").content.decode()
        assert page.count('name="choice_label"') == 4  # three rows and the blank one
        bad = client.post(
            f"{new}&type=choice", {"label": "Tier", "choice_value": ["", ""], "choice_label": ["", ""]}
        )
        assert bad.status_code == 422
        assert "List the values that can be chosen." in bad.content.decode()
        assert 'value="Tier"' in bad.content.decode()
        done = client.post(
            f"{new}&type=choice",
            {
                "label": "Tier",
                "group": "Loyalty",
                "choice_value": ["", ""],
                "choice_label": ["Gold", "Silver"],
            },
        )
        assert (done.status_code, done.url) == (302, reverse("contacts:custom-fields") + "?entity=contact")
        field = CustomField.objects.get()
        assert (field.key, field.group) == ("tier", "Loyalty")
        assert [c["value"] for c in field.options["choices"]] == ["gold", "silver"]
        shown = client.get(done.url).content.decode()
        assert "can be used at once" in shown
        assert "Gold, Silver" in shown

    def test_a_rename_a_lost_update_and_the_archive(self, cast: Cast, web: Web) -> None:
        field = CustomFieldFactory(key="tier", type="choice", options=TIERS)
        client = web(cast.admin)
        url = reverse("contacts:custom-field-edit", args=[field.pk])
        form = {"label": "Rank", "choice_value": ["gold"], "choice_label": ["Top"], "version": "1"}
        assert client.post(url, form).status_code == 302
        field.refresh_from_db()
        assert (field.label, field.version) == ("Rank", 2)
        assert [(c["label"], c["archived"]) for c in field.options["choices"]] == [
            ("Top", False),
            ("Silver", True),
        ]
        stale = client.post(url, form | {"label": "Mine"})
        assert stale.status_code == 422
        assert 'value="Mine"' in stale.content.decode()
        field.refresh_from_db()
        assert field.label == "Rank"
        assert (
            client.post(url, form | {"label": "Mine", "version": "2", "choice_again": "silver"}).status_code
            == 302
        )
        field.refresh_from_db()
        assert [(c["label"], c["archived"]) for c in field.options["choices"]] == [
            ("Top", False),
            ("Silver", False),
        ]
        archive = reverse("contacts:custom-field-archive", args=[field.pk])
        assert client.post(archive).status_code == 302
        assert CustomField.objects.get().archived
        assert client.post(archive, {"restore": "1"}).status_code == 302
        assert not CustomField.objects.get().archived

    def test_moving_and_who_may(self, cast: Cast, web: Web) -> None:
        first, second = CustomFieldFactory(position=1), CustomFieldFactory(position=2)
        url = reverse("contacts:custom-fields")
        assert web(cast.rep).get(url).status_code == 200
        assert reverse("contacts:custom-field-new") not in web(cast.rep).get(url).content.decode()
        assert web(cast.rep).post(url, {"field": second.pk, "move": "up"}).status_code == 403
        assert web(cast.admin).post(url, {"field": "x", "move": "up"}).status_code == 404
        assert web(cast.admin).post(url, {"field": second.pk, "move": "up"}).status_code == 302
        order = CustomField.objects.order_by("position").values_list("pk", flat=True)
        assert list(order) == [second.pk, first.pk]
        assert web(cast.admin).get(url, {"entity": "nothing"}).status_code == 404

    def test_the_query_count_does_not_grow(self, cast: Cast, web: Web) -> None:
        client, url = web(cast.admin), reverse("contacts:custom-fields")
        CustomFieldFactory()
        client.get(url)
        with CaptureQueriesContext(connection) as few:
            client.get(url)
        for _n in range(20):
            CustomFieldFactory()
        with CaptureQueriesContext(connection) as many:
            client.get(url)
        assert len(many) == len(few) <= 12
