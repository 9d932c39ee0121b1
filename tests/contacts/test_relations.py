"""Relationships, addresses and social profiles: kept clean, shown to those who may see them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import Http404
from django.test import Client
from rest_framework.test import APIClient

from contacts.models import Address, Relationship, SocialProfile
from contacts.services.places import (
    address_add,
    address_remove,
    address_update,
    profile_add,
    profile_update,
)
from contacts.services.relationships import relationship_add, relationship_remove, relationship_update
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, NotAllowed, StaleWrite
from crmcem.workspace.models import AuditEntry, User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

As = Callable[[User], Actor]
pytestmark = pytest.mark.django_db


def codes(error: Any) -> list[tuple[str, str]]:
    return [(e.field, e.code) for e in error.value.errors]


class TestRelationships:
    def test_said_once_and_not_of_oneself(self, cast: Cast, actor: As) -> None:
        me = actor(cast.rep)
        ada, bob = ContactFactory(owner=cast.rep), ContactFactory(owner=cast.rep)
        made = relationship_add(
            data={"contact": ada.pk, "related": bob.pk, "kind": "reports_to", "note": "since May"}, actor=me
        )
        cases = (
            ({"contact": ada, "related": ada, "kind": "influences"}, ("related", "self")),
            ({"contact": ada, "related": bob, "kind": "reports_to"}, ("kind", "duplicate")),
            ({"contact": bob, "related": ada, "kind": "reports_to"}, ("kind", "contradiction")),
            ({"contact": bob, "related": ada, "kind": "loves"}, ("kind", "invalid_choice")),
            ({"contact": bob, "kind": "spouse"}, ("related", "required")),
        )
        for data, wrong in cases:
            with pytest.raises(DomainError) as error:
                relationship_add(data=data, actor=me)
            assert codes(error) == [wrong]
        relationship_update(relationship=made, data={"kind": "spouse"}, actor=me)
        with pytest.raises(DomainError) as error:
            relationship_add(data={"contact": bob, "related": ada, "kind": "spouse"}, actor=me)
        assert codes(error) == [("kind", "duplicate")]
        relationship_remove(relationship=made, actor=me)
        assert not Relationship.objects.exists()
        told = AuditEntry.objects.filter(table_name="contacts_relationship").order_by("id")
        assert [row.op for row in told] == ["I", "U", "D"]

    def test_hidden_people_are_not_there(
        self, cast: Cast, actor: As, api: Callable[..., APIClient], web: Callable[..., Client]
    ) -> None:
        ada, bob = ContactFactory(owner=cast.rep), ContactFactory(first_name="Bob", owner=cast.rep)
        eve = ContactFactory(first_name="Eve", owner=cast.rep2)
        Relationship.objects.create(contact=ada, related=bob, kind="reports_to")
        secret = Relationship.objects.create(contact=eve, related=ada, kind="influences")
        client = api(cast.rep)
        listed = client.get("/api/v1/relationships/", {"contact": ada.pk}).json()["results"]
        assert [row["related"] for row in listed] == [str(bob.pk)]
        assert client.get(f"/api/v1/relationships/{secret.pk}/").status_code == 404
        with pytest.raises(DomainError):
            relationship_add(data={"contact": ada, "related": eve, "kind": "spouse"}, actor=actor(cast.rep))
        page = web(cast.rep)
        panel = page.get(f"/contacts/{ada.pk}/relationships/").content.decode()
        assert "reports to" in panel
        assert "Bob" in panel
        assert "Eve" not in panel
        assert "manages" in page.get(f"/contacts/{bob.pk}/relationships/").content.decode()
        for verb in ("get", "post"):
            url = f"/contacts/{ada.pk}/relationships/{secret.pk}/"
            assert getattr(page, verb)(url).status_code == 404
        assert page.post(f"/contacts/{ada.pk}/relationships/{secret.pk}/remove/").status_code == 404
        assert Relationship.objects.filter(pk=secret.pk).exists()

    def test_the_form_says_it_from_either_side(self, cast: Cast, web: Callable[..., Client]) -> None:
        ada, bob = ContactFactory(owner=cast.rep), ContactFactory(owner=cast.rep)
        page = web(cast.rep)
        sent = {"kind": "-reports_to", "related": bob.pk, "note": "both sites"}
        assert page.post(f"/contacts/{ada.pk}/relationships/new/", sent).status_code == 302
        row = Relationship.objects.get()
        assert (row.contact, row.related, row.kind) == (bob, ada, "reports_to")
        url = f"/contacts/{ada.pk}/relationships/{row.pk}/"
        assert "has as assistant" in page.get(url).content.decode()
        changed = page.post(url, {"kind": "-assistant_of", "note": "", "version": row.version})
        assert changed.status_code == 302
        row.refresh_from_db()
        assert (row.contact, row.kind, row.note) == (bob, "assistant_of", "")


class TestAddresses:
    def test_one_of_them_is_the_primary_one(self, cast: Cast, actor: As) -> None:
        me = actor(cast.rep)
        ada = ContactFactory(owner=cast.rep)
        home = address_add(
            data={"contact": ada, "lines": "1 Main St\r\nFlat 2", "city": "Berlin", "country": "de"}, actor=me
        )
        assert (home.is_primary, home.country, home.lines) == (True, "DE", "1 Main St\nFlat 2")
        work = address_add(
            data={"contact": ada, "city": "Bonn", "kind": "office", "is_primary": True}, actor=me
        )
        rows = Address.objects.filter(contact=ada).order_by("id")
        assert list(rows.values_list("city", "is_primary")) == [("Berlin", False), ("Bonn", True)]
        address_remove(address=work, actor=me)
        assert list(rows.values_list("city", "is_primary")) == [("Berlin", True)]
        home.refresh_from_db()
        with pytest.raises(StaleWrite):
            address_update(address=home, data={"city": "Bonn"}, actor=me, expected_version=99)
        with pytest.raises(Http404):
            address_update(address=home, data={"city": "Bonn"}, actor=actor(cast.rep2))
        with pytest.raises(NotAllowed):
            address_update(address=home, data={"city": "Bonn"}, actor=actor(cast.readonly))
        with pytest.raises(DomainError):
            address_update(address=home, data={"city": "", "lines": ""}, actor=me)
        home.refresh_from_db()
        assert home.city == "Berlin"

    @pytest.mark.parametrize(
        ("data", "wrong"),
        [
            ({"city": "Bonn", "country": "Germany"}, ("country", "invalid")),
            ({"city": "Bonn", "country": "XX"}, ("country", "invalid")),
            ({"country": "DE"}, ("lines", "required")),
            ({"city": "x" * 121}, ("city", "max_length")),
            ({"city": "Bonn", "kind": "moon"}, ("kind", "invalid_choice")),
        ],
    )
    def test_bad_input(self, cast: Cast, actor: As, data: dict[str, Any], wrong: tuple[str, str]) -> None:
        with pytest.raises(DomainError) as error:
            address_add(data={**data, "company": CompanyFactory(owner=cast.rep)}, actor=actor(cast.rep))
        assert codes(error) == [wrong]
        assert not Address.objects.exists()

    def test_of_one_record_only(self, cast: Cast, api: Callable[..., APIClient]) -> None:
        ada, acme = ContactFactory(owner=cast.rep), CompanyFactory(owner=cast.rep)
        client = api(cast.rep)
        both = {"contact": str(ada.pk), "company": str(acme.pk), "city": "Bonn"}
        assert client.post("/api/v1/addresses/", both, format="json").status_code == 400
        assert client.post("/api/v1/addresses/", {"city": "Bonn"}, format="json").status_code == 400
        made = client.post("/api/v1/addresses/", {"company": str(acme.pk), "city": "Bonn"}, format="json")
        assert (made.status_code, made.json()["is_primary"]) == (201, True)
        listed = client.get("/api/v1/addresses/", {"company": acme.pk}).json()["results"]
        assert [row["city"] for row in listed] == ["Bonn"]
        assert api(cast.rep2).get("/api/v1/addresses/").json()["results"] == []
        cast.rep2.role.visibility = "all"  # type: ignore[union-attr]
        cast.rep2.role.save()  # type: ignore[union-attr]
        assert len(api(cast.rep2).get("/api/v1/addresses/").json()["results"]) == 1


class TestProfiles:
    @pytest.mark.parametrize(
        "url",
        [
            "javascript:alert(1)",
            " JAVASCRIPT:x//a.b",
            "data:text/html,x",
            "ftp://a.example",
            "https://",
            "x y.z",
        ],
    )
    def test_nothing_runs(self, cast: Cast, actor: As, url: str) -> None:
        ada = ContactFactory(owner=cast.rep)
        with pytest.raises(DomainError) as error:
            profile_add(data={"contact": ada, "network": "other", "url": url}, actor=actor(cast.rep))
        assert codes(error) == [("url", "invalid")]
        assert not SocialProfile.objects.exists()

    def test_the_address_follows_the_name(self, cast: Cast, actor: As, web: Callable[..., Client]) -> None:
        me = actor(cast.rep)
        ada = ContactFactory(owner=cast.rep)
        row = profile_add(data={"contact": ada, "network": "github", "handle": "@ada/../x"}, actor=me)
        assert (row.handle, row.url) == ("ada/../x", "https://github.com/ada%2F..%2Fx")
        row = profile_update(profile=row, data={"handle": "ada"}, actor=me)
        assert row.url == "https://github.com/ada"
        with pytest.raises(DomainError):
            profile_add(data={"contact": ada, "network": "github", "handle": "ada"}, actor=me)
        other = profile_add(data={"contact": ada, "network": "other", "url": "ada.example/me"}, actor=me)
        assert other.url == "https://ada.example/me"
        SocialProfile.objects.filter(pk=other.pk).update(url="javascript:alert(1)")
        panel = web(cast.rep).get(f"/contacts/{ada.pk}/profiles/").content.decode()
        assert 'href="https://github.com/ada"' in panel
        assert 'href="javascript' not in panel
