"""Recent and favourite records: one's own, bounded, and shown only while they may be seen."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import Contact
from crmcem.lib import marked
from crmcem.workspace.models import Mark, User
from crmcem.workspace.services import marks
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]


def see(client: Client, kind: str, pk: object) -> int:
    return client.post(reverse("workspace:mark-seen"), {"kind": kind, "id": pk}).status_code


def star(client: Client, kind: str, pk: object, on: str = "1") -> int:
    return client.post(reverse("workspace:mark-star"), {"kind": kind, "id": pk, "on": on}).status_code


def test_every_kind_leads_to_a_page_that_asks_for_its_star(cast: Cast, web: Web) -> None:
    assert set(marked.kinds.keys()) == {
        "contact",
        "company",
        "task",
        "deal",
        "case",
        "survey",
        "automation",
        "segment",
    }
    contact = ContactFactory(owner=cast.rep, team=cast.north)
    page = web(cast.rep).get(reverse("contacts:contact", args=[contact.pk])).content.decode()
    assert f'{{"kind":"contact","id":"{contact.pk}"}}' in page
    assert "star-place" not in web(cast.rep).get(reverse("contacts:list") + "?view=all").content.decode()
    assert not Mark.objects.exists()  # looking by itself writes nothing


def test_what_was_opened_and_starred_is_in_palette_and_navigation(cast: Cast, web: Web) -> None:
    own = {"owner": cast.rep, "team": cast.north}
    contact = ContactFactory(first_name="Rita", last_name="Recent", **own)
    deal = DealFactory(name="Starred deal", **own)
    client = web(cast.rep)
    assert see(client, "contact", contact.pk) == 200
    assert star(client, "deal", deal.pk) == 200
    palette = client.get(reverse("workspace:search")).content.decode()
    assert palette.index("Starred deal") < palette.index("Rita Recent")
    nav = client.get(reverse("workspace:marks")).content.decode()
    assert reverse("sales:deal", args=[deal.pk]) in nav
    assert "Rita Recent" not in nav
    assert star(client, "deal", deal.pk, "") == 200
    assert "Starred deal" not in client.get(reverse("workspace:marks")).content.decode()
    other = web(cast.manager)
    assert "Rita Recent" not in other.get(reverse("workspace:search")).content.decode()


def test_a_record_that_is_hidden_by_now_is_shown_no_more(cast: Cast, web: Web) -> None:
    contact = ContactFactory(first_name="Gone", last_name="Elsewhere", owner=cast.rep, team=cast.north)
    client = web(cast.rep)
    star(client, "contact", contact.pk)
    Contact.objects.update(owner=cast.rep2, team=cast.south)
    for name in ("workspace:marks", "workspace:search"):
        assert b"Elsewhere" not in client.get(reverse(name)).content
    Contact.objects.update(owner=cast.rep, team=cast.north)
    assert b"Elsewhere" in client.get(reverse("workspace:marks")).content
    cast.rep.role.scopes = ["deals:read"]  # type: ignore[union-attr]
    cast.rep.role.save()  # type: ignore[union-attr]
    assert b"Elsewhere" not in client.get(reverse("workspace:marks")).content


@pytest.mark.parametrize("pk", ["hidden", "missing", "x", "", "-1", "9" * 30])
def test_a_hidden_record_is_a_missing_one(cast: Cast, web: Web, pk: str) -> None:
    hidden = ContactFactory(owner=cast.rep2, team=cast.south)
    asked = {"hidden": str(hidden.pk), "missing": "999999999"}.get(pk, pk)
    client = web(cast.rep)
    assert see(client, "contact", asked) == 404
    assert star(client, "contact", asked) == 404
    assert star(client, "nonsense", hidden.pk) == 404
    assert not Mark.objects.exists()


def test_only_so_many_are_kept(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "RECENT", 3)
    monkeypatch.setattr(marks, "STARRED", 2)
    rows = [ContactFactory(owner=cast.rep, team=cast.north) for _n in range(6)]
    marks.mark_star(user=cast.rep, kind="contact", record_id=rows[0].pk, on=True)
    for row in rows:
        marks.mark_seen(user=cast.rep, kind="contact", record_id=row.pk)
    kept = set(Mark.objects.values_list("record_id", flat=True))
    assert kept == {rows[0].pk, *(row.pk for row in rows[3:])}
    assert [each.url for each in marks.recents(cast.rep)] == [
        reverse("contacts:contact", args=[row.pk]) for row in (rows[5], rows[4], rows[3])
    ]
    marks.mark_star(user=cast.rep, kind="contact", record_id=rows[5].pk, on=True)
    marks.mark_star(user=cast.rep, kind="contact", record_id=rows[5].pk, on=True)
    with pytest.raises(Exception, match="starred enough"):
        marks.mark_star(user=cast.rep, kind="contact", record_id=rows[4].pk, on=True)


def test_the_palette_costs_the_same_for_many(cast: Cast, web: Web) -> None:
    client = web(cast.rep)

    def cost() -> int:
        with CaptureQueriesContext(connection) as said:
            client.get(reverse("workspace:search"))
        return len(said)

    for n in range(2):
        see(client, "contact", ContactFactory(owner=cast.rep, team=cast.north).pk)
        star(client, "company", CompanyFactory(name=f"C{n}", owner=cast.rep, team=cast.north).pk)
    few = cost()
    for n in range(20):
        see(client, "contact", ContactFactory(owner=cast.rep, team=cast.north).pk)
        star(client, "company", CompanyFactory(name=f"D{n}", owner=cast.rep, team=cast.north).pk)
    assert cost() == few <= 12
