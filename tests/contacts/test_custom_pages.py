"""Custom fields on forms and record pages, and the layouts of teams."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation
from rest_framework.test import APIClient

from contacts.custom.layouts import arrange
from contacts.models import Company, Contact, CustomField, FieldLayout
from contacts.services.contacts import contact_update
from contacts.services.field_layouts import field_layout_create, field_layout_delete, field_layout_update
from contacts.views import rollup_forms
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.workspace.models import User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.fields import CustomFieldFactory

pytestmark = pytest.mark.django_db
As = Callable[[User], Actor]
Api = Callable[..., APIClient]
Web = Callable[..., Client]
TIERS = {"choices": [{"value": "gold", "label": "Gold"}, {"value": "ag", "label": "Silver"}]}
FULL: dict[str, Any] = {
    "text": "a <b>",
    "longtext": "x\ny",
    "number": 1234.5,
    "money": {"amount": "12.50", "currency": "EUR"},
    "date": "2026-03-31",
    "boolean": True,
    "choice": "gold",
    "multichoice": ["ag", "gold"],
}


@pytest.fixture
def fields(db: None) -> None:
    options = {"number": {"decimals": 1}, "money": {"currency": "EUR"}, "choice": TIERS, "multichoice": TIERS}
    for place, kind in enumerate(FULL):
        CustomFieldFactory(
            key=kind,
            label=f"The {kind}",
            type=kind,
            options=options.get(kind, {}),
            position=place,
            group="Special",
        )
    CustomFieldFactory(key="link", label="The link", type="link", options={"entity": "company"}, position=20)


def mine(cast: Cast, **values: Any) -> Contact:
    made: Contact = ContactFactory(owner=cast.rep, team=cast.north, **values)
    return made


def form_of(page: Any) -> dict[str, Any]:
    """What the form of the page would send as it stands."""
    form = page.context["form"]
    found: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        found[bound.html_name] = "" if value is None else value
    return found


class TestForm:
    def test_a_record_is_made_and_changed_with_every_type(self, fields: None, cast: Cast, web: Web) -> None:
        client = web(cast.rep)
        page = client.get(reverse("contacts:new"))
        text = page.content.decode()
        assert "<legend>Special</legend>" in text
        assert text.index("The text") < text.index("The multichoice") < text.index("The link")
        typed = {
            "first_name": "Ada", "lifecycle_stage": "lead", "custom.text": "a <b>", "custom.longtext": "x\r\ny",
            "custom.number": "1.234,5", "custom.money": "12,50 EUR", "custom.date": "2026-03-31",
            "custom.boolean": "true", "custom.choice": "gold", "custom.multichoice": ["gold", "ag"],
        }  # fmt: skip
        bad = client.post(
            reverse("contacts:new"),
            form_of(page) | typed | {"custom.number": "many", "custom.date": "2026-02-31"},
        )
        assert bad.status_code == 422
        shown = bad.content.decode()
        assert "This date does not exist" in shown
        assert "Send a number" in shown
        assert 'value="many"' in shown
        assert not Contact.objects.exists()
        assert client.post(reverse("contacts:new"), form_of(page) | typed).status_code == 302
        made = Contact.objects.get()
        assert made.custom == FULL | {"multichoice": ["gold", "ag"]}
        edit = reverse("contacts:edit", args=[made.pk])
        same = form_of(client.get(edit))
        assert client.post(edit, same).status_code == 302
        made.refresh_from_db()
        assert made.version == 1
        emptied = {name: value for name, value in same.items() if name != "custom.multichoice"} | {
            "custom.text": ""
        }
        assert client.post(edit, emptied).status_code == 302
        made.refresh_from_db()
        assert made.custom == {
            key: value for key, value in FULL.items() if key not in ("text", "multichoice")
        }

    def test_what_does_not_fit_its_type_any_more_does_not_stop_a_change(
        self, fields: None, cast: Cast, web: Web
    ) -> None:
        odd = {"number": "many", "choice": "bronze", "money": 5, "nobody": {"a": 1}}
        row = mine(cast, custom=odd)
        edit = reverse("contacts:edit", args=[row.pk])
        sent = form_of(web(cast.rep).get(edit))
        assert web(cast.rep).post(edit, sent | {"first_name": "New", "custom.text": "t"}).status_code == 302
        row.refresh_from_db()
        assert (row.first_name, row.custom) == ("New", odd | {"text": "t"})

    def test_a_form_that_does_not_show_a_field_leaves_it(self, fields: None, cast: Cast, web: Web) -> None:
        row = mine(cast, custom=FULL)
        edit = {"first_name": "New", "lifecycle_stage": "lead", "version": "1"}
        assert web(cast.rep).post(reverse("contacts:edit", args=[row.pk]), edit).status_code == 302
        row.refresh_from_db()
        assert (row.first_name, row.custom) == ("New", FULL)

    def test_required_on_a_new_record(self, cast: Cast, web: Web) -> None:
        CustomFieldFactory(key="plan", label="Plan", required=True)
        url = reverse("contacts:new")
        page = web(cast.rep).get(url)
        answer = web(cast.rep).post(url, form_of(page) | {"first_name": "Ada", "lifecycle_stage": "lead"})
        assert answer.status_code == 422
        assert answer.context["form"]["custom.plan"].errors == ["This field is required."]

    def test_a_lost_update_shows_what_is_stored(self, fields: None, cast: Cast, web: Web, actor: As) -> None:
        row = mine(cast, custom={"choice": "gold"})
        edit = reverse("contacts:edit", args=[row.pk])
        sent = form_of(web(cast.rep).get(edit))
        contact_update(contact=row, data={"custom": {"choice": "ag"}}, actor=actor(cast.manager))
        stale = web(cast.rep).post(edit, sent | {"custom.choice": "gold"})
        assert stale.status_code == 422
        assert "The choice: <b>Silver</b>" in stale.content.decode()

    def test_links_are_found_and_hidden_ones_named_nowhere(self, fields: None, cast: Cast, web: Web) -> None:
        secret = CompanyFactory(name="Secret Ltd", owner=cast.rep2)
        own = CompanyFactory(name="Acme", owner=cast.rep)
        row = mine(cast, custom={"link": str(secret.pk)})
        edit = reverse("contacts:edit", args=[row.pk])
        page = web(cast.rep).get(edit)
        assert "Secret" not in page.content.decode()
        assert (form_of(page)["custom.link"], 'value="hidden"' in page.content.decode()) == ("kept", True)
        assert f'value="{secret.pk}"' not in page.content.decode()
        assert web(cast.rep).post(edit, form_of(page) | {"job_title": "x"}).status_code == 302
        row.refresh_from_db()
        assert (row.job_title, row.custom) == ("x", {"link": str(secret.pk)})
        other = CompanyFactory(name="Other secret", owner=cast.rep2)
        sent = form_of(web(cast.rep).get(edit))
        refused = web(cast.rep).post(edit, sent | {"custom.link": str(other.pk)})
        assert refused.status_code == 422
        assert "Other secret" not in refused.content.decode()
        assert web(cast.rep).post(edit, sent | {"custom.link": str(own.pk)}).status_code == 302
        row.refresh_from_db()
        assert row.custom == {"link": str(own.pk)}

    def test_a_hidden_link_stays_in_place_too_and_can_be_removed(
        self, fields: None, cast: Cast, web: Web
    ) -> None:
        secret = CompanyFactory(pk=987654, name="Secret Ltd", owner=cast.rep2)
        row = mine(cast, custom={"link": str(secret.pk), "text": "kept"})
        url = reverse("contacts:contact-field", args=[row.pk, "custom-link"])
        page = web(cast.rep).get(url, headers={"HX-Request": "true"}).content.decode()
        assert ('value="kept"' in page, "987654" in page, "Secret" in page) == (True, False, False)
        answers = [
            web(cast.rep).post(url, {"value": value, "version": ""}, headers={"HX-Request": "true"})
            for value in ("kept", "")
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        text = reverse("contacts:contact-field", args=[row.pk, "custom-text"])
        Contact.objects.filter(pk=row.pk).update(custom={"link": str(secret.pk), "text": "old"})
        sent = {"value": "kept", "version": ""}
        assert web(cast.rep).post(text, sent, headers={"HX-Request": "true"}).status_code == 200
        row.refresh_from_db()
        assert row.custom == {"link": str(secret.pk), "text": "kept"}


class TestRecordPage:
    def test_the_panel_shows_values_in_groups_and_what_is_older(
        self, fields: None, cast: Cast, web: Web
    ) -> None:
        CustomFieldFactory(key="gone", label="Gone <i>", archived=True)
        row = mine(cast, custom=FULL | {"old_key": [1], "gone": "g"})
        text = web(cast.rep).get(reverse("contacts:contact-details", args=[row.pk])).content.decode()
        assert '<h3 class="fields-group">Special</h3>' in text
        for piece in (
            "a &lt;b&gt;",
            "1,234.5",
            "12.50 <small>EUR</small>",
            "Gold",
            "Silver",
            "Old key",
            "[1]",
            "Gone &lt;i&gt;",
        ):
            assert piece in text, piece

    @pytest.mark.parametrize("model", [Contact, Company])
    def test_in_place(self, model: Any, cast: Cast, web: Web) -> None:
        entity = model._meta.model_name
        CustomFieldFactory(entity=entity, key="age", label="Age", type="number")
        make = ContactFactory if model is Contact else CompanyFactory
        row = make(owner=cast.rep, team=cast.north, custom={"age": 7})
        url = reverse(f"contacts:{entity}-field", args=[row.pk, "custom-age"])
        client = web(cast.rep)
        assert 'value="7"' in client.get(url, headers={"HX-Request": "true"}).content.decode()
        bad = client.post(url, {"value": "old", "version": "1"}, headers={"HX-Request": "true"})
        assert bad.status_code == 422
        assert 'value="old"' in bad.content.decode()
        done = client.post(url, {"value": "8", "version": "1"}, headers={"HX-Request": "true"})
        assert done.status_code == 200
        row.refresh_from_db()
        assert (row.custom, row.version) == ({"age": 8}, 2)
        assert (
            client.get(reverse(f"contacts:{entity}-field", args=[row.pk, "custom-nope"])).status_code == 404
        )
        assert web(cast.readonly).post(url, {"value": "9"}).status_code == 403
        row.refresh_from_db()
        assert row.custom == {"age": 8}

    def test_history_names_fields_and_keeps_links_to_itself(
        self, fields: None, cast: Cast, web: Web, actor: As
    ) -> None:
        secret = CompanyFactory(name="Secret Ltd", owner=cast.manager, team=cast.north)
        row = mine(cast, custom={"choice": "gold"})
        change = {"custom": {"choice": "ag", "link": str(secret.pk), "money": "5"}}
        contact_update(contact=row, data=change, actor=actor(cast.manager))
        text = web(cast.rep).get(reverse("contacts:contact-history", args=[row.pk])).content.decode()
        assert "The choice" in text
        assert "Gold" in text
        assert "Silver" in text
        assert "5.00 EUR" in text
        assert "The link" in text
        assert "Secret" not in text

    def test_query_counts(self, fields: None, cast: Cast, web: Web) -> None:
        row = mine(cast, custom=FULL)
        url = reverse("contacts:contact-details", args=[row.pk])
        client = web(cast.rep)
        client.get(url)
        with CaptureQueriesContext(connection) as few:
            client.get(url)
        for _n in range(20):
            CustomFieldFactory()
        client.get(url)
        with CaptureQueriesContext(connection) as many:
            client.get(url)
        assert len(many) == len(few) <= 8


class TestLayouts:
    OWN = ("first_name", "email", "language")

    def layout(self, team_id: int | None = None) -> list[tuple[str, list[str]]]:
        return [(g.label, g.names) for g in arrange("contact", self.OWN, team_id)]

    def test_of_a_team_of_everybody_or_the_usual_one(self, cast: Cast, actor: As) -> None:
        CustomFieldFactory(key="tier", group="Loyalty")
        CustomFieldFactory(key="plan")
        usual = [("", [*self.OWN]), ("Loyalty", ["custom.tier"]), ("Custom fields", ["custom.plan"])]
        assert self.layout() == usual
        field_layout_create(
            entity="contact", team=None, groups=[{"label": "Top", "fields": ["custom.tier", "email"]}],
            hidden=["language"], actor=actor(cast.admin),
        )  # fmt: skip
        everybody = [("Top", ["custom.tier", "email"]), ("More", ["first_name", "custom.plan"])]
        assert self.layout() == self.layout(cast.south.pk) == everybody
        made = field_layout_create(
            entity="contact", team=cast.south, groups=[{"label": "", "fields": ["first_name", "gone"]}],
            hidden=["custom.tier", "custom.plan", "email"], actor=actor(cast.admin),
        )  # fmt: skip
        assert self.layout(cast.south.pk) == [("", ["first_name"]), ("More", ["language"])]
        CustomField.objects.filter(key="plan").update(required=True, version=2)
        CustomFieldFactory(key="new")
        assert self.layout(cast.south.pk) == [
            ("", ["first_name"]),
            ("More", ["language", "custom.plan", "custom.new"]),
        ]
        field_layout_delete(layout=made, actor=actor(cast.admin))
        assert self.layout(cast.south.pk)[0] == ("Top", ["custom.tier", "email"])

    @pytest.mark.parametrize(
        ("groups", "hidden", "field"),
        [
            ("x", [], "groups"),
            ([{"label": "A"}], [], "groups"),
            ([{"label": "A", "fields": ["email", "email"]}], [], "groups"),
            ([{"label": "A", "fields": ["Not a name"]}], [], "groups"),
            ([{"label": "A" * 81, "fields": []}], [], "groups"),
            ([{"label": "A", "fields": ["email"]}], ["email"], "omitted"),
            ([], "email", "omitted"),
            ([{"label": "", "fields": []}] * 41, [], "groups"),
        ],
    )
    def test_bad_ones(self, groups: Any, hidden: Any, field: str, cast: Cast, actor: As) -> None:
        with pytest.raises(DomainError) as caught:
            field_layout_create(
                entity="contact", team=None, groups=groups, hidden=hidden, actor=actor(cast.admin)
            )
        assert [each.field for each in caught.value.errors] == [field]
        assert not FieldLayout.objects.exists()

    def test_who_may_and_once_a_team(self, cast: Cast, actor: As) -> None:
        with pytest.raises(NotAllowed):
            field_layout_create(entity="contact", team=None, groups=[], hidden=[], actor=actor(cast.manager))
        made = field_layout_create(entity="contact", team=None, groups=[], hidden=[], actor=actor(cast.admin))
        with pytest.raises(DomainError, match="has a layout already"):
            field_layout_create(entity="contact", team=None, groups=[], hidden=[], actor=actor(cast.admin))
        for change in (
            lambda who: field_layout_update(layout=made, hidden=["email"], actor=who),
            lambda who: field_layout_delete(layout=made, actor=who),
        ):
            with pytest.raises(NotAllowed):
                change(actor(cast.manager))
        assert FieldLayout.objects.get().hidden == []

    def test_the_page_and_what_follows_from_it(self, cast: Cast, web: Web) -> None:
        CustomFieldFactory(key="tier", label="Tier")
        client = web(cast.admin)
        url = f"{reverse('contacts:field-layout')}?entity=contact&team={cast.north.pk}"
        page = client.get(url)
        names = [row["name"] for row in page.context["rows"]]
        assert names[:2] == ["first_name", "last_name"]
        assert "custom.tier" in names
        names.remove("custom.tier")
        names.insert(0, "custom.tier")
        groups = ["Loyalty" if name == "custom.tier" else "" for name in names]
        saved = client.post(
            url, {"name": names, "group": groups, "hidden": ["language", "email"], "version": ""}
        )
        assert (saved.status_code, FieldLayout.objects.get().team) == (302, cast.north)
        assert FieldLayout.objects.get().groups[0] == {"label": "Loyalty", "fields": ["custom.tier"]}
        new = web(cast.rep).get(reverse("contacts:new")).content.decode()
        assert new.index("<legend>Loyalty</legend>") < new.index("First name")
        assert 'name="language"' not in new
        assert 'name="email"' not in new
        assert 'name="language"' in web(cast.rep2).get(reverse("contacts:new")).content.decode()
        row = mine(cast, language="de", email="a@b.example")
        edit = reverse("contacts:edit", args=[row.pk])
        assert (
            web(cast.rep).post(edit, form_of(web(cast.rep).get(edit)) | {"first_name": "New"}).status_code
            == 302
        )
        row.refresh_from_db()
        assert (row.first_name, row.language, row.email) == ("New", "de", "a@b.example")
        panel = web(cast.rep).get(reverse("contacts:contact-details", args=[row.pk])).content.decode()
        assert "Loyalty" in panel
        assert 'data-field="language"' not in panel
        stale = client.post(url, {"name": ["email"], "group": ["A"], "version": "9"})
        assert stale.status_code == 422
        assert client.post(url, {"reset": "1"}).status_code == 302
        assert not FieldLayout.objects.exists()
        assert web(cast.manager).get(url).status_code == 403
        assert client.get(f"{url}0").status_code == 404

    def test_a_company_always_has_its_name(self, cast: Cast, web: Web, actor: As) -> None:
        field_layout_create(
            entity="company", team=None, groups=[], hidden=["name", "domain"], actor=actor(cast.admin)
        )
        page = web(cast.rep).get(reverse("contacts:company-new")).content.decode()
        assert 'name="name"' in page
        assert 'name="domain"' not in page
        assert web(cast.rep).post(reverse("contacts:company-new"), {"name": "Acme"}).status_code == 302

    def test_over_the_api(self, cast: Cast, api: Api) -> None:
        client = api(cast.admin)
        body = {
            "entity": "contact",
            "team": str(cast.north.pk),
            "groups": [{"label": "Top", "fields": ["custom.tier"]}],
            "omitted": ["email"],
        }
        made = client.post("/api/v1/field-layouts/", body, format="json")
        assert made.status_code == 201, made.content
        assert {key: made.json()[key] for key in body} == body
        url = f"/api/v1/field-layouts/{made.json()['id']}/"
        assert client.patch(url, {"team": None}, format="json").status_code == 400
        changed = client.patch(url, {"omitted": []}, format="json", headers={"If-Match": '"1"'})
        assert (changed.status_code, changed.json()["omitted"], changed["ETag"]) == (200, [], '"2"')
        assert client.delete(url, headers={"If-Match": '"1"'}).status_code == 412
        assert api(cast.rep).get(url).json()["groups"] == body["groups"]
        assert api(cast.rep).delete(url).status_code == 403
        assert client.delete(url).status_code == 204
        assert not FieldLayout.objects.exists()


def test_records_of_rollups_keep_their_capitals_in_german(cast: Cast) -> None:
    with translation.override("de"):
        groups = [label for label, _choices in rollup_forms.fields("contact")["rollup"].choices]  # type: ignore[attr-defined]
    assert "Erfasste Ereignisse" in groups
