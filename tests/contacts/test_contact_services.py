"""Making, changing and deleting people and companies, by whom it may be done."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.http import Http404

from contacts.models import Activity, Company, Contact, ContactPoint, Interaction, Pulse
from contacts.services.companies import company_create, company_delete, company_update
from contacts.services.contacts import contact_create, contact_delete, contact_update
from crmcem.lib.actors import SYSTEM, Actor
from crmcem.lib.errors import DomainError, NotAllowed, StaleWrite
from crmcem.workspace.models import AuditEntry, Team, User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory
from tests.factories.fields import CustomFieldFactory, custom_texts

As = Callable[[User], Actor]


def codes(error: DomainError) -> list[tuple[str, str]]:
    return [(e.field, e.code) for e in error.errors]


def points(contact: Contact) -> list[tuple[str, str, bool]]:
    rows = ContactPoint.objects.filter(contact=contact).order_by("kind", "value")
    return list(rows.values_list("kind", "value", "is_primary"))


@pytest.mark.django_db
class TestCreate:
    def test_normal_forms_companions_and_activity(self, cast: Cast, actor: As) -> None:
        company = CompanyFactory(owner=cast.rep)
        custom_texts("plan", "gone")
        contact = contact_create(
            data={
                "first_name": "  Ada ",
                "last_name": "Love  lace",
                "email": "Ada@Example.COM",
                "phone": "+49 (30) 123456",
                "company": company.pk,
                "tags": ["VIP", "vip ", "New"],
                "custom": {"plan": "gold", "gone": None},
                "consent": {"email": {"status": "granted", "at": "2026-01-02T03:04:05Z", "source": "shop"}},
            },
            actor=actor(cast.rep),
        )
        saved = Contact.objects.get(pk=contact.pk)
        assert (saved.first_name, saved.last_name) == ("Ada", "Love lace")
        assert (saved.email, saved.phone) == ("ada@example.com", "+4930123456")
        assert saved.tags == ["vip", "new"]
        assert saved.custom == {"plan": "gold"}
        assert saved.consent == {
            "email": {"status": "granted", "at": "2026-01-02T03:04:05+00:00", "source": "shop"}
        }
        assert (saved.owner, saved.team, saved.company) == (cast.rep, cast.north, company)
        assert (saved.version, saved.lifecycle_stage) == (1, "lead")
        assert points(saved) == [("email", "ada@example.com", True), ("phone", "+4930123456", True)]
        pulse = Pulse.objects.get(pk=saved.pk)
        assert (pulse.owner, pulse.team, pulse.lifecycle_stage) == (cast.rep, cast.north, "lead")
        activity = Activity.objects.get(contact_id=saved.pk)
        assert (activity.kind, activity.company_id) == ("contact.created", company.pk)
        assert (activity.actor_kind, activity.actor_id) == ("user", cast.rep.pk)
        audit = AuditEntry.objects.get(table_name="contacts_contact", row_id=saved.pk)
        assert (audit.op, audit.actor_kind, audit.actor_id) == ("I", "user", cast.rep.pk)

    def test_every_fault_is_told(self, cast: Cast, actor: As) -> None:
        data = {"email": "x@y.de\nBcc: all@y.de", "phone": "12", "lifecycle_stage": "king", "colour": "red"}
        with pytest.raises(DomainError) as caught:
            contact_create(data=data, actor=actor(cast.rep))
        assert codes(caught.value) == [
            ("email", "characters"),
            ("phone", "invalid"),
            ("lifecycle_stage", "invalid_choice"),
            ("colour", "unknown_field"),
        ]
        assert not Contact.objects.exists()

    def test_a_contact_is_somebody(self, cast: Cast, actor: As) -> None:
        with pytest.raises(DomainError) as caught:
            contact_create(data={"job_title": "CEO"}, actor=actor(cast.rep))
        assert codes(caught.value) == [("non_field_errors", "required")]

    def test_a_taken_address_names_only_visible_records(self, cast: Cast, actor: As) -> None:
        theirs = ContactFactory(owner=cast.rep2, team=cast.south, first_name="Secret", email="a@b.de")
        ContactPoint.objects.create(contact=theirs, kind="email", value="second@b.de")
        for address in ("a@b.de", "second@b.de"):
            with pytest.raises(DomainError) as caught:
                contact_create(data={"email": address}, actor=actor(cast.rep))
            assert codes(caught.value) == [("email", "unique")]
            assert "Secret" not in str(caught.value)
        with pytest.raises(DomainError) as caught:
            contact_create(data={"email": "second@b.de"}, actor=actor(cast.rep2))
        assert f"Secret {theirs.last_name} (id {theirs.pk})" in str(caught.value)
        assert Contact.objects.count() == 1
        assert not Activity.objects.exists()

    def test_hidden_company_and_foreign_owner(self, cast: Cast, actor: As) -> None:
        hidden = CompanyFactory(owner=cast.rep2)
        with pytest.raises(DomainError) as caught:
            contact_create(data={"first_name": "A", "company": hidden.pk}, actor=actor(cast.rep))
        assert codes(caught.value) == [("company", "does_not_exist")]
        with pytest.raises(NotAllowed):
            contact_create(data={"first_name": "A", "owner": cast.manager.pk}, actor=actor(cast.rep))
        with pytest.raises(NotAllowed):
            contact_create(data={"first_name": "A"}, actor=actor(cast.readonly))
        assert not Contact.objects.exists()
        made = contact_create(data={"first_name": "A", "owner": cast.rep}, actor=actor(cast.manager))
        assert (made.owner, made.team) == (cast.rep, cast.north)

    def test_the_system_owns_nothing(self, db: None) -> None:
        made = contact_create(data={"external_id": "17"}, actor=SYSTEM)
        assert (made.owner, made.team) == (None, None)


@pytest.mark.django_db
class TestUpdate:
    def test_only_changes_are_written(self, cast: Cast, actor: As) -> None:
        for key in "abc":
            CustomFieldFactory(key=key, type="number")
        contact = contact_create(
            data={"first_name": "Ada", "email": "a@b.de", "custom": {"a": 1, "b": 2}}, actor=actor(cast.rep)
        )
        Activity.objects.all().delete()
        same = contact_update(contact=contact, data={"first_name": "Ada"}, actor=actor(cast.rep))
        assert same.version == 1
        assert not Activity.objects.exists()
        changed = contact_update(
            contact=contact,
            data={"email": "New@B.de", "custom": {"a": None, "c": 3}, "lifecycle_stage": "customer"},
            actor=actor(cast.rep),
            expected_version=1,
        )
        assert (changed.version, changed.email, changed.custom) == (2, "new@b.de", {"b": 2, "c": 3})
        assert points(changed) == [("email", "new@b.de", True)]
        assert Pulse.objects.get(pk=contact.pk).lifecycle_stage == "customer"
        activity = Activity.objects.get()
        assert activity.kind == "contact.updated"
        assert activity.payload == {
            "changes": {
                "email": ["a@b.de", "new@b.de"],
                "custom": [{"a": 1, "b": 2}, {"b": 2, "c": 3}],
                "lifecycle_stage": ["lead", "customer"],
            }
        }

    def test_a_second_address_is_promoted(self, cast: Cast, actor: As) -> None:
        contact = contact_create(data={"email": "a@b.de"}, actor=actor(cast.rep))
        ContactPoint.objects.create(contact=contact, kind="email", value="second@b.de")
        contact_update(contact=contact, data={"email": "second@b.de"}, actor=actor(cast.rep))
        assert points(contact) == [("email", "second@b.de", True)]
        contact_update(contact=contact, data={"email": None, "first_name": "A"}, actor=actor(cast.rep))
        assert points(contact) == []

    def test_stale_hidden_and_denied_writes_change_nothing(self, cast: Cast, actor: As) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north, first_name="Ada")
        with pytest.raises(StaleWrite):
            contact_update(
                contact=contact, data={"first_name": "X"}, actor=actor(cast.rep), expected_version=7
            )
        with pytest.raises(Http404):
            contact_update(contact=contact, data={"first_name": "X"}, actor=actor(cast.rep2))
        with pytest.raises(NotAllowed):
            contact_update(contact=contact, data={"first_name": "X"}, actor=actor(cast.readonly))
        with pytest.raises(NotAllowed):
            contact_update(contact=contact, data={"owner": cast.rep2.pk}, actor=actor(cast.rep))
        with pytest.raises(NotAllowed):
            contact_update(contact=contact, data={"owner": None}, actor=actor(cast.rep))
        with pytest.raises(DomainError):
            contact_update(
                contact=contact, data={"first_name": "", "last_name": "", "email": ""}, actor=actor(cast.rep)
            )
        saved = Contact.objects.get(pk=contact.pk)
        assert (saved.first_name, saved.owner, saved.version) == ("Ada", cast.rep, 1)
        assert not Activity.objects.exists()

    def test_a_new_owner_takes_the_copies_along(self, cast: Cast, actor: As) -> None:
        contact = ContactFactory(owner=cast.rep, team=cast.north)
        InteractionFactory(contact=contact, owner=cast.rep, team=cast.north)
        contact_update(contact=contact, data={"owner": cast.rep2.pk}, actor=actor(cast.manager))
        for model in (Contact, Pulse, Interaction):
            assert list(model.objects.values_list("owner", "team")) == [(cast.rep2.pk, cast.south.pk)]
        assert Activity.objects.get().payload == {
            "changes": {
                "owner": [cast.rep.pk, cast.rep2.pk],
                "team": [cast.north.pk, cast.south.pk],
            }
        }

    def test_a_person_and_a_team_that_go_leave_no_copy_behind(self, cast: Cast, actor: As) -> None:
        """The copies have no references of their own in the database: Django clears them, the contact's guard them."""
        team = Team.objects.create(name="Going")
        user = User.objects.create_user("going", team=team, role=cast.rep.role)
        gone = user.pk
        ContactFactory(owner=user, team=team)
        ContactFactory(owner=cast.rep, team=cast.north)
        assert set(Pulse.objects.values_list("owner", "team")) == {
            (gone, team.pk),
            (cast.rep.pk, cast.north.pk),
        }
        user.delete()
        team.delete()
        for model in (Contact, Pulse):
            left = set(model.objects.values_list("owner", "team"))
            assert left == {(None, None), (cast.rep.pk, cast.north.pk)}
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError):
            Contact.objects.update(owner=gone)

    def test_delete_keeps_the_stream(self, cast: Cast, actor: As) -> None:
        contact = contact_create(data={"first_name": "Ada", "external_id": "9"}, actor=actor(cast.rep))
        with pytest.raises(NotAllowed):
            contact_delete(contact=contact, actor=actor(cast.rep))
        assert Contact.objects.count() == 1
        contact_delete(contact=contact, actor=actor(cast.manager))
        assert not Contact.objects.exists()
        assert list(Activity.objects.order_by("id").values_list("kind", "payload")) == [
            ("contact.created", {"name": "Ada"}),
            ("contact.deleted", {"external_id": "9"}),
        ]


@pytest.mark.django_db
class TestCompany:
    def test_life_of_a_company(self, cast: Cast, actor: As) -> None:
        company = company_create(
            data={"name": "ACME", "domain": "https://www.Acme.example/about", "size": "1,200"},
            actor=actor(cast.rep),
        )
        assert (company.domain, company.size, company.owner) == ("acme.example", 1200, cast.rep)
        person = ContactFactory(owner=cast.rep, company=company)
        changed = company_update(
            company=company, data={"industry": "Anvils"}, actor=actor(cast.rep), expected_version=1
        )
        assert (changed.industry, changed.version) == ("Anvils", 2)
        with pytest.raises(DomainError) as caught:
            company_create(data={"name": "Other", "domain": "acme.example"}, actor=actor(cast.rep))
        assert codes(caught.value) == [("domain", "unique")]
        with pytest.raises(DomainError) as caught:
            company_update(company=company, data={"name": " "}, actor=actor(cast.rep))
        assert codes(caught.value) == [("name", "required")]
        with pytest.raises(Http404):
            company_update(company=company, data={"name": "X"}, actor=actor(cast.rep2))
        company_delete(company=company, actor=actor(cast.manager))
        assert not Company.objects.exists()
        person.refresh_from_db()
        assert person.company is None
        kinds = Activity.objects.order_by("id").values_list("kind", "company_id")
        assert list(kinds) == [
            ("company.created", company.pk),
            ("company.updated", company.pk),
            ("company.deleted", company.pk),
        ]


@pytest.mark.django_db(transaction=True)
def test_one_address_raced_for_is_given_once() -> None:
    """Twenty writers of one address: one contact, and a clear error for the others."""

    def write(number: int) -> str:
        try:
            contact_create(data={"first_name": f"N{number}", "email": "one@b.de"}, actor=SYSTEM)
            return "made"
        except DomainError as error:
            return error.errors[0].code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(write, range(20)))
    assert sorted(results) == ["made"] + ["unique"] * 19
    assert Contact.objects.count() == Pulse.objects.count() == ContactPoint.objects.count() == 1
    assert Activity.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_changes_lose_nothing() -> None:
    contact = contact_create(data={"first_name": "A"}, actor=SYSTEM)
    for number in range(20):
        CustomFieldFactory(key=f"k{number}", type="number")

    def write(number: int) -> None:
        contact_update(contact=contact, data={"custom": {f"k{number}": number}}, actor=SYSTEM)
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(20)))
    saved: Any = Contact.objects.get()
    assert saved.version == 21
    assert saved.custom == {f"k{n}": n for n in range(20)}
