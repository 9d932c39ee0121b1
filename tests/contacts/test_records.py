"""The helpers every service stands on: lock, reference, change."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.http import Http404

from contacts.models import Company, Contact
from crmcem.lib.actors import SYSTEM
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.records import change, lock, lock_all, reference
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db


def test_lock_answers_only_visible_rows(cast: Cast, actor: Callable[..., Any]) -> None:
    mine = ContactFactory(owner=cast.rep, team=cast.north)
    with transaction.atomic():
        assert lock(Contact, mine.pk, actor(cast.rep)) == mine
        assert lock(Contact, mine.pk, actor(cast.manager)) == mine
        assert lock(Contact, mine.pk, SYSTEM) == mine
        with pytest.raises(Http404):
            lock(Contact, mine.pk, actor(cast.rep2))
        with pytest.raises(Http404):
            lock(Contact, mine.pk + 1, SYSTEM)


def test_lock_refuses_a_stale_version(cast: Cast, actor: Callable[..., Any]) -> None:
    mine = ContactFactory(owner=cast.rep, version=3)
    with transaction.atomic():
        assert lock(Contact, mine.pk, actor(cast.rep), 3) == mine
        with pytest.raises(StaleWrite):
            lock(Contact, mine.pk, actor(cast.rep), 2)


def test_lock_all_leaves_out_what_is_hidden(cast: Cast, actor: Callable[..., Any]) -> None:
    mine = ContactFactory(owner=cast.rep)
    theirs = ContactFactory(owner=cast.rep2)
    with transaction.atomic():
        assert lock_all(Contact, [theirs.pk, mine.pk], actor(cast.rep)) == [mine]
        assert lock_all(Contact, [theirs.pk, mine.pk], SYSTEM) == [mine, theirs]


def test_reference_by_id_and_row(cast: Cast, actor: Callable[..., Any]) -> None:
    mine = CompanyFactory(owner=cast.rep)
    theirs = CompanyFactory(owner=cast.rep2)
    rep = actor(cast.rep)
    assert reference(Company, mine.pk, rep, "company") == mine
    assert reference(Company, mine, rep, "company") == mine
    assert reference(Company, None, rep, "company") is None
    for hidden in (theirs, theirs.pk, theirs.pk + 1):
        with pytest.raises(DomainError) as caught:
            reference(Company, hidden, rep, "company")
        assert [(e.field, e.code) for e in caught.value.errors] == [("company", "does_not_exist")]


def test_change_saves_only_what_differs(cast: Cast) -> None:
    company = CompanyFactory(name="Old", size=5)
    other = CompanyFactory()
    contact = ContactFactory(company=company, first_name="Ann")
    before = Contact.objects.get(pk=contact.pk).updated_at
    assert change(contact, {"first_name": "Ann", "company": company}) == {}
    assert Contact.objects.get(pk=contact.pk).version == 1
    assert change(contact, {"first_name": "Bea", "company": other}) == {
        "first_name": ["Ann", "Bea"],
        "company": [company.pk, other.pk],
    }
    saved = Contact.objects.get(pk=contact.pk)
    assert (saved.first_name, saved.company_id, saved.version) == ("Bea", other.pk, 2)
    assert saved.updated_at > before
