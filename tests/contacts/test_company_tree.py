"""Companies above and below each other, and every domain of a company."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from contacts.importing.runner import run
from contacts.models import Company, CompanyDomain, ImportJob
from contacts.selectors.company_tree import DEPTH, company_tree
from contacts.services.companies import company_create, company_update
from contacts.services.domains import domain_add, domain_remove, domain_update
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.workspace.models import User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

As = Callable[[User], Actor]
pytestmark = pytest.mark.django_db


def codes(error: Any) -> list[tuple[str, str]]:
    return [(e.field, e.code) for e in error.value.errors]


def domains(company: Company) -> list[tuple[str, bool]]:
    return list(company.domains.order_by("id").values_list("domain", "is_primary"))


def chain(owner: User, length: int) -> list[Company]:
    rows: list[Company] = []
    for n in range(length):
        rows.append(CompanyFactory(name=f"Level {n}", owner=owner, parent=rows[-1] if rows else None))
    return rows


class TestTree:
    def test_no_circle_and_no_abyss(self, cast: Cast, actor: As) -> None:
        me = actor(cast.rep)
        top, middle, low = chain(cast.rep, 3)
        for other in (top, middle, low):
            with pytest.raises(DomainError) as error:
                company_update(company=top, data={"parent": other.pk}, actor=me)
            assert codes(error) == [("parent", "circle")]
        deep = chain(cast.rep, DEPTH - 2)
        with pytest.raises(DomainError) as error:
            company_update(company=top, data={"parent": deep[-1]}, actor=me)
        assert codes(error) == [("parent", "depth")]
        company_update(company=top, data={"parent": deep[-2]}, actor=me)
        with pytest.raises(DomainError) as error:
            company_create(data={"name": "X", "parent": low}, actor=me)
        assert codes(error) == [("parent", "depth")]
        with pytest.raises(DomainError) as error:
            company_update(company=low, data={"parent": CompanyFactory(owner=cast.rep2)}, actor=me)
        assert codes(error) == [("parent", "does_not_exist")]
        low.refresh_from_db()
        assert low.parent == middle

    def test_people_add_up_and_hidden_ones_have_no_name(
        self, cast: Cast, django_assert_max_num_queries: Any
    ) -> None:
        top, middle, low = chain(cast.rep, 3)
        Company.objects.filter(pk__in=[top.pk, middle.pk]).update(owner=cast.rep2)
        aside = CompanyFactory(owner=cast.rep, parent=middle)
        for company, owner in ((low, cast.rep), (low, cast.rep2), (aside, cast.rep), (top, cast.rep)):
            ContactFactory(company=company, owner=owner)
        cast.rep.role.visibility = "own"  # type: ignore[union-attr]
        with django_assert_max_num_queries(4):
            tree = company_tree(top, cast.admin)
        assert (tree.root.people, tree.root.nodes[0].people) == (4, 3)
        assert [node.people for node in tree.root.nodes[0].nodes] == [2, 1]
        mine = company_tree(low, cast.rep)
        assert [(node.pk, node.company) for node in mine.above] == [(top.pk, None), (middle.pk, None)]
        assert mine.root.people == 1

    def test_the_page_and_the_api(
        self, cast: Cast, web: Callable[..., Client], api: Callable[..., APIClient]
    ) -> None:
        top, low = chain(cast.rep, 2)
        hidden = CompanyFactory(name="Secret", owner=cast.rep2, parent=top)
        ContactFactory(company=low, owner=cast.rep)
        client = web(cast.rep)
        panel = client.get(f"/companies/{top.pk}/tree/").content.decode()
        assert "Level 1" in panel
        assert "Secret" not in panel
        assert client.get(f"/companies/{low.pk}/").content.decode().count("Level 0") >= 1
        saved = client.post(f"/companies/{low.pk}/field/parent/", {"value": "", "version": low.version})
        assert saved.status_code == 302
        low.refresh_from_db()
        assert low.parent is None
        answer = api(cast.rep).patch(f"/api/v1/companies/{low.pk}/", {"parent": str(top.pk)}, format="json")
        assert (answer.status_code, answer.json()["parent"]) == (200, str(top.pk))
        tree = api(cast.rep).get(f"/api/v1/companies/{top.pk}/tree/").json()
        assert tree["company"]["people"] == 1
        assert [(each["id"], each["name"]) for each in tree["company"]["companies"]] == [
            (str(low.pk), "Level 1"),
            (None, None),
        ]
        below = api(cast.rep).get("/api/v1/companies/", {"parent": top.pk}).json()["results"]
        assert [row["id"] for row in below] == [str(low.pk)]
        assert client.get(f"/companies/{hidden.pk}/tree/").status_code == 404

    def test_one_that_stands_alone_says_how_that_is_changed(
        self, cast: Cast, web: Callable[..., Client]
    ) -> None:
        alone = CompanyFactory(owner=cast.rep)
        url = f"/companies/{alone.pk}/tree/"
        told = web(cast.rep).get(url, headers={"HX-Request": "true"}).content.decode()
        assert f'href="/companies/new/?parent={alone.pk}"' in told
        assert "It stands alone." in told
        assert web(cast.readonly).get(url, headers={"HX-Request": "true"}).content.decode().strip() == ""


@pytest.mark.django_db(transaction=True)
def test_two_can_not_make_a_circle_together(cast: Cast, actor: As) -> None:
    one, two = CompanyFactory(owner=cast.rep), CompanyFactory(owner=cast.rep)

    def put(pair: tuple[Company, Company]) -> str:
        try:
            company_update(company=pair[0], data={"parent": pair[1].pk}, actor=actor(cast.rep))
            return "ok"
        except DomainError:
            return "circle"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(put, [(one, two), (two, one)])) == ["circle", "ok"]


class TestDomains:
    def test_the_primary_one_is_the_companys_own(self, cast: Cast, actor: As) -> None:
        me = actor(cast.rep)
        acme = company_create(data={"name": "Acme", "domain": "www.Acme.example"}, actor=me)
        assert domains(acme) == [("acme.example", True)]
        second = domain_add(data={"company": acme, "domain": "https://Acme.test/"}, actor=me)
        assert domains(acme) == [("acme.example", True), ("acme.test", False)]
        domain_update(domain=second, data={"is_primary": True}, actor=me)
        acme.refresh_from_db()
        assert acme.domain == "acme.test"
        assert domains(acme) == [("acme.example", False), ("acme.test", True)]
        company_update(company=acme, data={"domain": "acme.new"}, actor=me)
        assert domains(acme) == [("acme.example", False), ("acme.new", True)]
        company_update(company=acme, data={"domain": "acme.example"}, actor=me)
        assert domains(acme) == [("acme.example", True)]
        domain_remove(domain=acme.domains.get(), actor=me)
        acme.refresh_from_db()
        assert (acme.domain, domains(acme)) == (None, [])

    def test_each_belongs_to_one_company(self, cast: Cast, actor: As) -> None:
        me = actor(cast.rep)
        acme = CompanyFactory(name="Acme", domain="acme.example", owner=cast.rep)
        domain_add(data={"company": acme, "domain": "acme.test"}, actor=me)
        bolt = CompanyFactory(name="Bolt", owner=cast.rep)
        for data, service in (
            ({"company": bolt, "domain": "acme.test"}, domain_add),
            ({"company": bolt, "domain": "acme.example"}, domain_add),
        ):
            with pytest.raises(DomainError) as error:
                service(data=data, actor=me)
            assert codes(error) == [("domain", "unique")]
            assert "Acme" in error.value.errors[0].detail
        for data in ({"domain": "acme.test"}, {"domain": "no domain"}):
            with pytest.raises(DomainError):
                company_update(company=bolt, data=data, actor=me)
        with pytest.raises(NotAllowed):
            domain_add(data={"company": bolt, "domain": "b.example"}, actor=actor(cast.readonly))
        assert domains(bolt) == []

    def test_any_of_them_finds_the_company(
        self, cast: Cast, actor: As, api: Callable[..., APIClient], web: Callable[..., Client]
    ) -> None:
        acme = CompanyFactory(name="Acme", domain="acme.example", owner=cast.rep)
        CompanyDomain.objects.create(company=acme, domain="acme.test")
        client = api(cast.rep)
        found = client.get("/api/v1/companies/", {"domain": "ACME.test"}).json()["results"]
        assert [row["id"] for row in found] == [str(acme.pk)]
        operation = {"op": "upsert", "match": {"domain": "acme.test"}, "data": {"name": "Acme Inc."}}
        client.post("/api/v1/companies/bulk/", {"operations": [operation]}, format="json")
        acme.refresh_from_db()
        assert (acme.name, Company.objects.count()) == ("Acme Inc.", 1)
        page = web(cast.rep)
        assert "Acme Inc." in page.get("/companies/", {"search": "acme.tes"}).content.decode()
        assert "Acme Inc." in page.get("/companies/check/", {"domain": "acme.test"}).content.decode()
        made = client.post(
            "/api/v1/company-domains/", {"company": str(acme.pk), "domain": "acme.org"}, format="json"
        )
        assert made.status_code == 201, made.content
        added = page.post(f"/companies/{acme.pk}/domains/new/", {"domain": "acme.net", "is_primary": "on"})
        assert added.status_code == 302
        acme.refresh_from_db()
        assert acme.domain == "acme.net"
        assert "acme.org" in page.get(f"/companies/{acme.pk}/domains/").content.decode()

    def test_an_import_finds_it_by_each_and_keeps_the_primary_one(self, cast: Cast) -> None:
        acme = CompanyFactory(name="Acme", domain="acme.example", owner=cast.rep)
        CompanyDomain.objects.create(company=acme, domain="acme.test")
        for object_, header, row in (
            ("companies", "domain,industry", "acme.test,Shoes"),
            ("contacts", "email,company_domain", "ada@acme.test,acme.test"),
        ):
            columns = header.split(",")
            job = ImportJob.objects.create(
                owner=cast.rep,
                team=cast.north,
                object=object_,
                file_name="a.csv",
                file=ContentFile(f"{header}\n{row}\n".encode(), "a.csv"),
                columns=columns,
                mapping={name: name for name in columns},
                encoding="utf-8",
                delimiter=",",
                status="queued",
            )
            assert run(job.pk) == "done"
        acme.refresh_from_db()
        assert (acme.industry, acme.domain, Company.objects.count()) == ("Shoes", "acme.example", 1)
        assert domains(acme) == [("acme.example", True), ("acme.test", False)]
        assert acme.contacts.get().email == "ada@acme.test"
