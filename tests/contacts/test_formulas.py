"""Formula fields: the language, its kinds and its SQL, and what definitions refuse."""

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from contacts.conditions import contact_fields
from contacts.custom.computed import expression
from contacts.custom.definitions import every
from contacts.custom.formulas.checking import Scope, check
from contacts.custom.formulas.definition import located
from contacts.custom.formulas.reading import read
from contacts.custom.formulas.terms import Mistake
from contacts.models import Contact, CustomField, Segment, SegmentMember
from contacts.services.contacts import contact_update
from contacts.services.custom_fields import custom_field_create, custom_field_update
from contacts.services.segmenting.keeping import segments_keep
from contacts.services.segments import segment_create
from crmcem.lib.actors import Actor
from crmcem.lib.conditions import parse, to_q
from crmcem.lib.errors import DomainError
from crmcem.workspace import organisation
from crmcem.workspace.models import Organisation, User
from sales.models import DealContact
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.fields import CustomFieldFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
As = Callable[[User], Actor]
Api = Callable[..., APIClient]
Web = Callable[..., Client]
TIERS = {"choices": [{"value": "gold", "label": "Gold"}, {"value": "ag", "label": "Silver"}]}
CUSTOM = {
    "n": 7.5, "zero": 0, "budget": {"amount": "1200.00", "currency": "EUR"}, "renewal": "2026-05-31",
    "vip": True, "tier": "gold", "likes": ["gold"], "note": " Hello ",
}  # fmt: skip


@pytest.fixture
def fields(db: None) -> None:
    for key, kind, options in (
        ("n", "number", {"decimals": 1}), ("zero", "number", {}), ("none", "number", {}),
        ("budget", "money", {"currency": "EUR"}), ("francs", "money", {"currency": "CHF"}),
        ("renewal", "date", {}), ("vip", "boolean", {}), ("tier", "choice", TIERS),
        ("likes", "multichoice", TIERS), ("note", "text", {}), ("boss", "link", {"entity": "contact"}),
    ):  # fmt: skip
        CustomFieldFactory(key=key, label=key.capitalize(), type=kind, options=options)
    CustomFieldFactory(key="old", label="Old", archived=True)


@pytest.fixture
def ada(fields: None, cast: Cast) -> Contact:
    found: Contact = ContactFactory(
        first_name="Ada", last_name="Byron", custom=CUSTOM, owner=cast.rep, team=cast.north,
        birthday=dt.date(1815, 12, 10), pulse={"nps": 9, "revenue": Decimal("300")},
    )  # fmt: skip
    return found


def formula(actor: Actor, text: str, label: str = "Result", **options: Any) -> CustomField:
    data = {"entity": "contact", "label": label, "type": "formula", "options": {"formula": text, **options}}
    return custom_field_create(data=data, actor=actor)


def value(text: str, row: Contact, user: Any = None) -> Any:
    """What a formula gives for one contact."""
    made = check(text, Scope("contact", every("contact"))).make(user)
    return Contact.objects.filter(pk=row.pk).values_list(made, flat=True).get()


VALUES: list[tuple[str, Any]] = [
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3 - -1", 10),
    ("custom.n / 2", Decimal("3.75")),
    ("custom.n / custom.zero", None),
    ("custom.n + custom.none", None),
    ("coalesce(custom.none, 5) + 1", 6),
    ("round(custom.n / 7, 3)", Decimal("1.071")),
    ("floor(custom.n) + ceil(custom.n) + abs(-1)", 16),
    ("min(custom.n, 3, custom.none) + max(1, 2)", 5),
    ("custom.budget * 2 - 400", 2000),
    ("custom.budget / custom.budget", 1),
    ("custom.budget > 1000 and not custom.zero > 0", True),
    ("pulse.revenue + custom.budget", 1500),
    ("pulse.nps >= 9 or false", True),
    ('if custom.budget >= 1200 then "large" else "small"', "large"),
    ('IF(custom.none > 1, "yes", empty)', None),
    ('if (custom.n > 1) and (custom.n < 2) then 1 else 2', 2),
    ('custom.tier = "Gold"', True),
    ('custom.tier != "Silver"', True),
    ('lifecycle_stage = "lead"', True),
    ("custom.none = empty", True),
    ("custom.none < 3", False),
    ("is_empty(custom.none) and not is_empty(custom.n)", True),
    ('has(custom.likes, "gold") and not has(custom.likes, "Silver")', True),
    ("custom.vip", True),
    ('first_name & " " & upper(last_name)', "Ada BYRON"),
    ('concat(first_name, custom.none, "-", custom.n, "-", custom.budget, "-", custom.renewal)',
     "Ada-7.5-1200.00-2026-05-31"),
    ('trim(custom.note) + "!"', "Hello!"),
    ("length(trim(custom.note))", 5),
    ("lower(left(last_name, 2)) & right(last_name, 2)", "byon"),
    ('contains(last_name, "YRO")', True),
    ('custom.renewal - date("2026-05-01")', 30),
    ('days(date("2026-05-01"), custom.renewal)', 30),
    ("custom.renewal + 1", dt.date(2026, 6, 1)),
    ("custom.renewal - 100000", None),
    ("year(custom.renewal) * 10000 + month(custom.renewal) * 100 + day(custom.renewal)", 20260531),
    ("year(birthday)", 1815),
    ('custom.renewal < date("2026-06-01")', True),
    ("days(today(), today())", 0),
    ("created_at = today()", True),
    ("'it''s'", "it's"),
]  # fmt: skip


class TestLanguage:
    def test_values(self, ada: Contact) -> None:
        found = [(text, value(text, ada)) for text, _expected in VALUES]
        assert found == VALUES

    def test_whatever_is_stored_a_formula_never_fails(self, ada: Contact) -> None:
        for junk in (None, "x", 10**30, "2026-02-31", True, [1], {"amount": "x"}, {"amount": "9" * 18}, ""):
            Contact.objects.filter(pk=ada.pk).update(custom=dict.fromkeys(CUSTOM, junk))
            for text, _expected in VALUES:
                value(text, ada)

    @pytest.mark.parametrize(
        ("text", "at", "words"),
        [
            ("", 0, "Write a formula"),
            ("1 +", 3, "ends too early"),
            ("1 + )", 4, "before “)”"),
            ("(1 + 2", 6, "not closed"),
            ("1 2", 2, "operator is missing"),
            ("1 ; 2", 2, "no meaning"),
            ('"abc', 0, "has no end"),
            ("1 < 2 < 3", 6, "two things at a time"),
            ("if custom.vip 1 else 2", 14, "“then” is missing"),
            ("custom.budgt * 2", 0, "custom.budget"),
            ("custom.old", 0, "archived"),
            ("custom.boss", 0, "links to another record"),
            ("company.name", 0, "no field “company.name”"),
            ("rund(1)", 0, "round"),
            ("round()", 0, "round(a, decimals)"),
            ("round(1, custom.n)", 0, "whole number from 0 to 6"),
            ("custom.n + custom.budget", 9, "don't fit together"),
            ("custom.budget + custom.francs", 14, "CHF and EUR"),
            ("custom.budget * custom.budget", 14, "not by money"),
            ("custom.n / 0", 9, "divides by zero"),
            ("custom.note * 2", 12, "can't be used with"),
            ('if custom.n then 1 else "a"', 0, "needs yes or no"),
            ('if custom.vip then 1 else "a"', 0, "don't fit together"),
            ('custom.tier = "bronze"', 12, "gold, ag"),
            ("custom.likes = custom.likes", 13, "has(field, value)"),
            ("custom.likes", 0, "can't be a result"),
            ("empty", 0, "always empty"),
            ('date("2026-02-31")', 0, "date that exists"),
            ("1" + "0" * 16, 0, "15 digits"),
            ("(" * 40 + "1" + ")" * 40, 25, "Too many brackets"),
            ("+".join(["1"] * 400), 600, "too large"),
            ("1" * 2001, 2000, "2000 characters"),
        ],
    )
    def test_mistakes_point_at_the_place(self, text: str, at: int, words: str, fields: None) -> None:
        with pytest.raises(Mistake) as caught:
            check(text, Scope("contact", every("contact"), strict=True))
        assert words in str(caught.value)
        if at != 600:
            assert caught.value.at == at
        assert located(text, caught.value)

    @given(
        st.text(max_size=60)
        | st.lists(st.sampled_from([*"()+-*/=<>&,\"'", "if", "then", "1", "a"])).map(" ".join)
    )
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        at = 0
        try:
            read(text)
        except Mistake as mistake:
            at = mistake.at
        assert 0 <= at <= len(text)


class TestDefinition:
    def test_what_follows_is_kept(self, ada: Contact, cast: Cast, actor: As) -> None:
        made = formula(actor(cast.admin), "custom.budget * 2")
        assert made.options == {
            "formula": "custom.budget * 2", "result": "money", "currency": "EUR", "decimals": 2,
            "uses": ["custom.budget"], "today": False,
        }  # fmt: skip
        with pytest.raises(DomainError) as wrong:
            formula(actor(cast.admin), "custom.budget *\n custom.tierr", "Bad")
        assert wrong.value.errors[0].field == "options"
        assert "At character 18, “custom.tierr”" in wrong.value.errors[0].detail

    def test_formulas_use_formulas_and_rollups_but_not_themselves(
        self, ada: Contact, cast: Cast, actor: As
    ) -> None:
        by = actor(cast.admin)
        for amount, owner in ((100, cast.rep), (50, cast.rep2)):
            DealContact.objects.create(deal=DealFactory(amount=amount, owner=owner), contact=ada)
        custom_field_create(
            data={"entity": "contact", "label": "Open", "type": "rollup",
                  "options": {"source": "deals", "measure": "sum", "of": "amount", "only": "open"}},
            actor=by,
        )  # fmt: skip
        total = formula(by, "custom.open + custom.budget", "Total")
        tax = formula(by, "custom.total * 0.19", "Tax")
        definition = every("contact")["tax"]
        found = Contact.objects.filter(pk=ada.pk)
        assert found.values_list(expression(definition), flat=True).get() == Decimal("256.50")
        assert found.values_list(expression(definition, cast.rep), flat=True).get() == Decimal("247.00")
        for text in ("custom.tax", "custom.total + 1", "custom.budget + custom.tax"):
            with pytest.raises(DomainError, match="use itself"):
                custom_field_update(field=total, data={"options": {"formula": text}}, actor=by)
        with pytest.raises(DomainError, match="conditions that use the field"):
            custom_field_update(field=tax, data={"options": {"formula": "1"}}, actor=by)
        total.refresh_from_db()
        assert total.options["formula"] == "custom.open + custom.budget"

    def test_a_used_field_stays(self, ada: Contact, cast: Cast, actor: As) -> None:
        by = actor(cast.admin)
        formula(by, "custom.n * 2", "Double")
        fourfold = formula(by, "custom.double * 2", "Fourfold")
        used = CustomField.objects.get(key="n")
        with pytest.raises(DomainError, match="“Double”, “Fourfold”"):
            custom_field_update(field=used, data={"archived": True}, actor=by)
        used.refresh_from_db()
        assert not used.archived
        for key in ("fourfold", "double", "n"):
            custom_field_update(field=CustomField.objects.get(key=key), data={"archived": True}, actor=by)
        back = custom_field_update(field=fourfold, data={"archived": False}, actor=by)
        assert not back.archived
        assert Contact.objects.filter(pk=ada.pk).values_list(
            expression(every("contact")["fourfold"]), flat=True
        ).get() == 30  # fmt: skip

    def test_a_stored_formula_that_can_not_be_used_is_empty(self, ada: Contact) -> None:
        CustomFieldFactory(
            key="bad", type="formula", options={"formula": "custom.gone", "result": "number", "uses": []}
        )
        found = Contact.objects.filter(pk=ada.pk).values_list(expression(every("contact")["bad"]), flat=True)
        assert found.get() is None


def rows(data: Any, user: Any = None) -> set[int]:
    node = parse(data, contact_fields, user=user)
    return set(
        Contact.objects.filter(to_q(node, now=timezone.now(), tz=ZoneInfo("UTC"))).values_list(
            "pk", flat=True
        )
    )


class TestConditions:
    def test_in_conditions_by_their_kind(self, ada: Contact, cast: Cast, actor: As) -> None:
        by = actor(cast.admin)
        formula(by, "custom.n * 2", "Double")
        formula(by, "custom.renewal + 1", "Next")
        formula(by, 'if custom.n > 5 then "Large" else "small"', "Size")
        formula(by, "custom.n > 5", "Is large")
        other = ContactFactory()
        everybody = {ada.pk, other.pk}
        for leaf, expected in (
            ({"field": "custom.double", "op": "eq", "value": 15}, {ada.pk}),
            ({"field": "custom.next", "op": "on", "value": "2026-06-01"}, {ada.pk}),
            ({"field": "custom.size", "op": "eq", "value": "large"}, {ada.pk}),
            ({"field": "custom.size", "op": "contains", "value": "MALL"}, {other.pk}),
            ({"field": "custom.is_large", "op": "eq", "value": True}, {ada.pk}),
            ({"field": "custom.double", "op": "is_set"}, {ada.pk}),
        ):
            assert rows(leaf) == expected, leaf
            assert rows({"not": leaf}) == everybody - expected, leaf

    def test_live_segments_follow_what_a_formula_uses_and_the_formula(
        self, ada: Contact, cast: Cast, actor: As
    ) -> None:
        by = actor(cast.admin)
        made = formula(by, "custom.n + pulse.nps", "Score")
        leaf = {"field": "custom.score", "op": "gte", "value": 17}
        segment = segment_create(data={"name": "High", "conditions": leaf}, actor=by)
        assert segment.watches == ["contact", "pulse"]

        def members() -> set[int]:
            segments_keep(settled=True)
            return set(SegmentMember.objects.values_list("contact_id", flat=True))

        assert members() == set()
        contact_update(contact=ada, data={"custom": {"n": 8}}, actor=by)
        assert members() == {ada.pk}
        ada.pulse.nps = 1
        ada.pulse.save()
        assert members() == set()
        custom_field_update(field=made, data={"options": {"formula": "custom.n * 3"}}, actor=by)
        assert members() == {ada.pk}
        segment.refresh_from_db()
        assert segment.watches == ["contact"]
        with pytest.raises(DomainError, match="“High”"):
            custom_field_update(
                field=made, data={"options": {"formula": "custom.n * days(created_at, today())"}}, actor=by
            )
        made.refresh_from_db()
        assert made.options["formula"] == "custom.n * 3"

    def test_what_changes_with_the_day_is_for_lists_and_static_segments(
        self, ada: Contact, cast: Cast, actor: As
    ) -> None:
        by = actor(cast.admin)
        formula(by, "days(created_at, today())", "Age")
        leaf = {"field": "custom.age", "op": "eq", "value": 0}
        assert rows(leaf) == {ada.pk}
        with pytest.raises(DomainError, match="“Age” changes with the day") as refused:
            segment_create(data={"name": "New", "conditions": {"all": [leaf]}}, actor=by)
        assert [each.code for each in refused.value.errors] == ["by_clock"]
        assert not Segment.objects.exists()
        segment_create(data={"name": "New", "kind": "static", "conditions": leaf}, actor=by)
        segments_keep(settled=True)
        assert set(SegmentMember.objects.values_list("contact_id", flat=True)) == {ada.pk}


class TestPages:
    def test_a_formula_is_made_tried_and_explained(self, ada: Contact, cast: Cast, web: Web) -> None:
        client = web(cast.admin)
        preview = reverse("contacts:formula-preview")
        tried = client.post(preview, {"entity": "contact", "formula": "custom.budget / 7", "decimals": "2"})
        text = tried.content.decode()
        assert (tried.status_code, "171.43" in text, "Ada Byron" in text) == (200, True, True)
        assert "Budget <code>custom.budget</code>" in text
        wrong = client.post(preview, {"entity": "contact", "formula": "1 + <b>"}).content.decode()
        assert "<mark>&lt;b&gt;</mark>" in wrong
        assert web(cast.manager).post(preview, {"entity": "contact", "formula": "1"}).status_code == 403
        url = f"{reverse('contacts:custom-field-new')}?entity=contact&type=formula"
        page = client.get(url).content.decode()
        assert "pulse.revenue" in page
        bad = client.post(url, {"label": "Share", "formula": "custom.budgt / 7", "decimals": "1"})
        assert bad.status_code == 422
        assert "custom.budgt / 7</textarea>" in bad.content.decode()
        assert "At character 1," in bad.content.decode()
        sent = {"label": "Share", "formula": "custom.n / 7", "decimals": "3"}
        assert client.post(url, sent).status_code == 302
        made = CustomField.objects.get(key="share")
        assert (made.options["decimals"], made.options["uses"]) == (3, ["custom.n"])
        edit = client.get(reverse("contacts:custom-field-edit", args=[made.pk])).content.decode()
        assert "Uses N (custom.n)." in edit
        details = web(cast.rep).get(reverse("contacts:contact-details", args=[ada.pk])).content.decode()
        assert "1.071" in details
        listed = f"{reverse('contacts:list')}?columns=name,custom.share"
        assert "1.071" in web(cast.rep).get(listed).content.decode()
        file = client.post(listed, {"_export": "1"}).content.decode()
        assert "Ada Byron,1.071" in file
        archive = reverse("contacts:custom-field-archive", args=[CustomField.objects.get(key="n").pk])
        refused = client.post(archive, follow=True).content.decode()
        assert "These formulas use this field: “Share”" in refused
        assert not CustomField.objects.get(key="n").archived

    def test_text_in_a_file_is_no_formula_of_a_spreadsheet(
        self, ada: Contact, cast: Cast, actor: As, web: Web
    ) -> None:
        formula(actor(cast.admin), '"=1+" & first_name', "Trick")
        file = web(cast.admin).post(f"{reverse('contacts:list')}?columns=custom.trick", {"_export": "1"})
        assert "'=1+Ada" in file.content.decode()

    def test_over_the_api(self, ada: Contact, cast: Cast, api: Api) -> None:
        data = {"entity": "contact", "label": "Greeting", "type": "formula"}
        client = api(cast.admin)
        made = client.post(
            "/api/v1/custom-fields/",
            data | {"options": {"formula": '"Dear " & first_name'}}, format="json",
        )  # fmt: skip
        assert (made.status_code, made.json()["options"]["result"]) == (201, "text")
        assert client.get(f"/api/v1/contacts/{ada.pk}/").json()["computed"] == {"greeting": "Dear Ada"}
        bad = client.post(
            "/api/v1/custom-fields/", data | {"label": "B", "options": {"formula": "1 +"}}, format="json"
        )
        assert bad.status_code == 400
        assert "At the end" in json.dumps(bad.json())


def test_today_is_that_of_the_organisation_also_after_it_has_moved(
    fields: None, cast: Cast, actor: As
) -> None:
    made = formula(actor(cast.admin), "today()", "Now")
    assert made.options["today"]
    row = ContactFactory()
    for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        Organisation.objects.update_or_create(pk=1, defaults={"time_zone": name})
        organisation.forget()
        found = expression(every("contact")["now"])
        day = timezone.now().astimezone(ZoneInfo(name)).date()
        assert Contact.objects.filter(pk=row.pk).values_list(found, flat=True).get() == day


def test_of_a_company(cast: Cast, actor: As) -> None:
    CompanyFactory(name="Acme", size=30, owner=cast.rep)
    custom_field_create(
        data={"entity": "company", "label": "Desks", "type": "formula", "options": {"formula": "size * 1.1"}},
        actor=actor(cast.admin),
    )
    found = expression(every("company")["desks"])
    from contacts.models import Company

    assert Company.objects.values_list(found, flat=True).get() == 33
