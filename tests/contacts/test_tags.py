"""The register of tags: counted from notes, one form of each word, changed on all contacts in steps."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.http import Http404
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from contacts.conditions import contact_fields
from contacts.models import Activity, Contact, Segment, SegmentMember, Tag, TagChange, TagJob
from contacts.selectors.tags import give_counts, proposals
from contacts.services import tagging
from contacts.services import tags as services
from contacts.services.contacts import contact_create, contact_update
from contacts.services.segmenting.keeping import segments_keep
from contacts.services.segments import segment_create
from crmcem.lib.actors import person
from crmcem.lib.conditions import explain, parse, to_q
from crmcem.lib.errors import DomainError, NotAllowed, StaleWrite
from crmcem.workspace.models import AuditEntry
from tests.conftest import Cast
from tests.contacts.editing import set_contacts
from tests.factories.contacts import ContactFactory

pytestmark = pytest.mark.django_db
Web = Callable[..., Client]
Api = Callable[..., APIClient]
HTMX = {"HTTP_HX_REQUEST": "true"}


def counts() -> dict[str, int]:
    tagging.tags_keep()
    return dict(Tag.objects.values_list("name", "count"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of two contacts, so that five of them are a job of its own."""
    monkeypatch.setattr(tagging, "STEP", 2)


# --- counts ----------------------------------------------------------------------------------------------------
def test_tags_are_counted_whoever_writes() -> None:
    first = ContactFactory(tags=["vip", "press"])
    ContactFactory.create_batch(2, tags=["vip"])
    assert counts() == {"vip": 3, "press": 1}
    Contact.objects.filter(pk=first.pk).update(tags=["press", "new"])
    assert counts() == {"vip": 2, "press": 1, "new": 1}
    first.delete()
    assert counts() == {"vip": 2}  # what nobody kept goes with its last contact
    assert not TagChange.objects.exists()


def test_a_new_count_mends_what_went_astray() -> None:
    ContactFactory(tags=["vip"])
    counts()
    Tag.objects.create(name="kept", names=["kept"], is_kept=True, count=7)
    Tag.objects.filter(name="vip").update(count=99)
    ContactFactory(tags=["vip"])
    tagging.tags_recount()
    assert counts() == {"vip": 2, "kept": 0}


# --- one form of each word ---------------------------------------------------------------------------------------
def test_case_and_accents_mean_the_same_tag(cast: Cast) -> None:
    actor = person(cast.rep)
    contact = contact_create(data={"last_name": "A", "tags": ["Café"]}, actor=actor)
    assert counts() == {"café": 1}
    contact_update(contact=contact, data={"tags": ["CAFE", "café", "new"]}, actor=actor)
    contact.refresh_from_db()
    assert contact.tags == ["café", "new"]
    other = ContactFactory(owner=cast.rep)
    assert set_contacts([other.pk], "tags-add", "Cafe", actor) == 1
    other.refresh_from_db()
    assert other.tags == ["café"]
    assert set_contacts([other.pk], "tags-remove", "CAFÉ", actor) == 1


def test_another_spelling_that_came_past_the_services_becomes_the_known_tag() -> None:
    ContactFactory(tags=["café"])
    counts()
    contact = ContactFactory(tags=["Cafe", "x"])
    assert counts() == {"café": 2, "x": 1}
    contact.refresh_from_db()
    assert contact.tags == ["café", "x"]


# --- changes -----------------------------------------------------------------------------------------------------
def test_a_rename_reaches_all_contacts_in_steps(cast: Cast, few: None) -> None:
    contacts = ContactFactory.create_batch(5, tags=["a", "vip", "z"], owner=cast.rep2)
    contacts[0].tags = ["vip", "key account"]
    contacts[0].save()
    counts()
    tag = Tag.objects.get(name="vip")
    versions = dict(Contact.objects.values_list("pk", "version"))
    AuditEntry.objects.all().delete()
    services.tag_merge(tag=tag, into=Tag.objects.get(name="key account"), actor=person(cast.admin))
    assert Contact.objects.filter(tags__contains=["vip"]).count() == 5  # the workers do it
    job = TagJob.objects.get()
    assert (job.old, job.new, job.total, job.done) == ("vip", "key account", 5, 0)
    assert counts() == {"key account": 5, "a": 4, "z": 4}
    assert [c.tags for c in Contact.objects.order_by("pk")] == [["key account"]] + [
        ["a", "key account", "z"]
    ] * 4
    assert all(c.version == versions[c.pk] + 1 for c in Contact.objects.all())
    job.refresh_from_db()
    assert (job.done, job.finished_at is not None) == (5, True)
    said = Activity.objects.filter(kind="contact.updated", contact_id=contacts[1].pk).get()
    assert said.payload == {"changes": {"tags": [["a", "vip", "z"], ["a", "key account", "z"]]}}
    assert (said.actor_kind, said.actor_id) == ("user", cast.admin.pk)
    rows = AuditEntry.objects.filter(table_name="contacts_contact", op="U")
    assert {(r.actor_id, r.row_id) for r in rows} == {(cast.admin.pk, c.pk) for c in contacts}


def test_few_contacts_follow_at_once_and_old_names_go_on(cast: Cast) -> None:
    contact = ContactFactory(tags=["vip"], owner=cast.rep)
    counts()
    tag = services.tag_update(tag=Tag.objects.get(), data={"name": "Key Account"}, actor=person(cast.admin))
    contact.refresh_from_db()
    assert (tag.name, contact.tags) == ("key account", ["key account"])
    assert counts() == {"key account": 1}
    contact_update(contact=contact, data={"tags": ["VIP", "b"]}, actor=person(cast.rep))
    contact.refresh_from_db()
    assert contact.tags == ["key account", "b"]


def test_segments_follow_a_rename_without_anybody_leaving(cast: Cast, few: None) -> None:
    inside = ContactFactory.create_batch(3, tags=["vip"])
    counts()
    vip = {"field": "tags", "op": "has_any", "value": ["vip"]}
    segment = segment_create(
        data={"name": "S", "conditions": vip, "sharing": "all"}, actor=person(cast.admin)
    )
    segments_keep(settled=True)
    before = Activity.objects.filter(kind__startswith="segment.").count()
    services.tag_update(tag=Tag.objects.get(), data={"name": "gold"}, actor=person(cast.admin))
    job = TagJob.objects.get()
    assert tagging.job_step(job.pk) == 2
    Contact.objects.filter(pk=inside[2].pk).update(
        first_name="Touched"
    )  # asked again with the old word still
    segments_keep()
    assert SegmentMember.objects.filter(segment=segment).count() == 3
    tagging.tags_keep()
    ContactFactory(tags=["gold"])
    segments_keep()
    assert Segment.objects.get().size == 4
    assert Activity.objects.filter(kind__startswith="segment.").count() == before + 1
    node = parse(vip, contact_fields)
    assert explain(node) == "Tagged gold"
    assert Contact.objects.filter(to_q(node, now=timezone.now(), tz=dt.UTC)).count() == 4


def test_a_deleted_tag_leaves_all_contacts(cast: Cast) -> None:
    contact = ContactFactory(tags=["a", "vip"])
    counts()
    services.tag_delete(tag=Tag.objects.get(name="vip"), actor=person(cast.admin))
    contact.refresh_from_db()
    assert contact.tags == ["a"]
    assert counts() == {"a": 1}
    assert AuditEntry.objects.filter(table_name="contacts_tag", op="D").count() == 1


def test_a_killed_job_goes_on_where_it_was(cast: Cast, few: None) -> None:
    ContactFactory.create_batch(5, tags=["vip"])
    counts()
    services.tag_delete(tag=Tag.objects.get(), actor=person(cast.admin))
    job = TagJob.objects.get()
    tagging.job_step(job.pk)
    ContactFactory(tags=["vip"])  # written by somebody meanwhile
    assert counts() == {}
    assert not Contact.objects.exclude(tags=[]).exists()
    job.refresh_from_db()
    assert (job.done, job.finished_at is not None) == (6, True)


def test_what_is_wrong_is_refused_and_changes_nothing(cast: Cast) -> None:
    admin = person(cast.admin)
    ContactFactory(tags=["vip", "press"])
    counts()
    vip, press = Tag.objects.get(name="vip"), Tag.objects.get(name="press")
    for call, field, code in [
        (lambda: services.tag_create(data={"name": "VIP"}, actor=admin), "name", "unique"),
        (lambda: services.tag_create(data={"name": "a, b"}, actor=admin), "name", "invalid"),
        (lambda: services.tag_create(data={"name": ""}, actor=admin), "name", "invalid"),
        (lambda: services.tag_create(data={"name": "x" * 61}, actor=admin), "name", "max_length"),
        (lambda: services.tag_update(tag=vip, data={"name": "Préss"}, actor=admin), "name", "unique"),
        (
            lambda: services.tag_update(tag=vip, data={"colour": "pink"}, actor=admin),
            "colour",
            "invalid_choice",
        ),
        (lambda: services.tag_update(tag=vip, data={"count": 3}, actor=admin), "count", "unknown_field"),
        (lambda: services.tag_merge(tag=vip, into=vip, actor=admin), "into", "same"),
        (lambda: services.tag_named("nope"), "into", "does_not_exist"),
    ]:
        with pytest.raises(DomainError) as caught:
            call()
        assert [(e.field, e.code) for e in caught.value.errors] == [(field, code)]
    with pytest.raises(StaleWrite):
        services.tag_update(tag=vip, data={"name": "x"}, actor=admin, expected_version=9)
    press.delete()
    with pytest.raises(Http404):
        services.tag_merge(tag=vip, into=press, actor=admin)
    assert list(Tag.objects.values_list("name", "colour", "version")) == [("vip", "grey", 1)]
    assert Contact.objects.get().tags == ["vip", "press"]


def test_only_those_who_see_every_contact_manage_tags(cast: Cast) -> None:
    ContactFactory(tags=["vip"])
    counts()
    cast.manager.role.scopes = [*cast.manager.role.scopes, "fields:write"]
    cast.manager.role.save()
    for user in (cast.rep, cast.manager, cast.cx):
        user = type(user).objects.get(pk=user.pk)
        with pytest.raises(NotAllowed):
            services.tag_delete(tag=Tag.objects.get(), actor=person(user))
    assert Contact.objects.get().tags == ["vip"]
    assert Tag.objects.get().name == "vip"


# --- who sees what -----------------------------------------------------------------------------------------------
def test_tags_and_numbers_of_others_are_not_told(cast: Cast) -> None:
    ContactFactory.create_batch(2, tags=["shared", "secret"], owner=cast.rep2, team=cast.south)
    ContactFactory(tags=["shared"], owner=cast.rep, team=cast.north)
    counts()
    Tag.objects.create(name="season", names=["season"], is_kept=True)

    def seen(user: Any) -> list[tuple[str, int]]:
        rows = proposals("s", user)
        give_counts(rows, user)
        return [(row.name, row.shown_count) for row in rows]  # type: ignore[attr-defined]

    assert seen(cast.admin) == [("shared", 3), ("secret", 2), ("season", 0)]
    assert seen(cast.rep) == [("shared", 1), ("season", 0)]
    assert seen(cast.manager) == [("shared", 1), ("season", 0)]
    assert seen(cast.rep2) == [("shared", 2), ("secret", 2), ("season", 0)]


def test_proposals_begin_with_what_is_typed_in_three_statements(
    cast: Cast, web: Web, django_assert_max_num_queries: Any
) -> None:
    for n, name in enumerate(["vip", "viper", "not a vip", "other"]):
        ContactFactory.create_batch(n + 1, tags=[name])
    counts()
    page = web(cast.admin).get("/tags/proposals/?q=VÍP", **HTMX).content.decode()
    assert [page.index(f'data-text="{name}"') for name in ("viper", "vip", "not a vip")] == sorted(
        page.index(f'data-text="{name}"') for name in ("viper", "vip", "not a vip")
    )
    assert "other" not in page
    with django_assert_max_num_queries(1):
        proposals("vip", cast.admin)
    with django_assert_max_num_queries(1):
        proposals("vip", cast.rep)


# --- pages -------------------------------------------------------------------------------------------------------
def test_the_page_lists_renames_merges_and_colours(cast: Cast, web: Web) -> None:
    ContactFactory.create_batch(2, tags=["vip"], last_name="Kay")
    ContactFactory(tags=["v.i.p."])
    counts()
    client = web(cast.admin)
    vip, dots = Tag.objects.get(name="vip"), Tag.objects.get(name="v.i.p.")
    page = client.get("/tags/?ordering=-count").content.decode()
    assert page.index(">vip<") < page.index(">v.i.p.<")
    assert '<a href="/contacts/?tag=vip">2</a>' in page
    assert "Kay" in client.get("/contacts/?tag=vip").content.decode()
    done = client.post(
        "/tags/", {"_bulk": "merge", "ids": [dots.pk], "_confirmed": "1", "into": "VIP"}, **HTMX
    )
    assert done.status_code in {200, 204}
    assert Contact.objects.filter(tags=["vip"]).count() == 3
    wrong = client.post(
        "/tags/", {"_bulk": "merge", "ids": [vip.pk], "_confirmed": "1", "into": "nope"}, **HTMX
    )
    assert (wrong.status_code, "no such tag" in wrong.content.decode()) == (422, True)
    client.post("/tags/", {"_bulk": "colour", "ids": [vip.pk], "_confirmed": "1", "colour": "red"}, **HTMX)
    vip.refresh_from_db()
    assert vip.colour == "red"
    assert 'tag-red">vip' in client.get("/contacts/?columns=name,tags").content.decode()
    cell = {"_cell": "name", "_row": vip.pk, "version": vip.version, "value": "Gold"}
    assert "gold" in client.post("/tags/", cell, **HTMX).content.decode()
    assert Contact.objects.filter(tags=["gold"]).count() == 3
    client.post("/tags/", {"_bulk": "delete", "ids": [vip.pk], "_confirmed": "1"}, **HTMX)
    assert not Contact.objects.exclude(tags=[]).exists()
    made = client.post("/tags/new/", {"name": "Press", "colour": "blue"})
    assert (made.status_code, made["Location"]) == (302, "/tags/")
    again = client.post("/tags/new/", {"name": "PRESS"})
    assert (again.status_code, "is a tag already" in again.content.decode()) == (422, True)
    assert list(Tag.objects.values_list("name", "colour", "is_kept")) == [("press", "blue", True)]


def test_a_tag_is_renamed_from_its_row_without_a_double_click(cast: Cast, web: Web) -> None:
    contacts = [ContactFactory(tags=["vip"]), ContactFactory(tags=["vip", "press"])]
    counts()
    vip, press = Tag.objects.get(name="vip"), Tag.objects.get(name="press")
    client = web(cast.admin)

    def rename(ids: list[int], **more: str) -> Any:
        return client.post("/tags/", {"_bulk": "rename", "ids": ids, **more}, **HTMX)

    assert "It is on 2 contacts." in rename([vip.pk]).content.decode()
    refused = rename([vip.pk, press.pk], _confirmed="1", name="gold")
    assert (refused.status_code, "Choose one tag to rename." in refused.content.decode()) == (422, True)
    taken = rename([vip.pk], _confirmed="1", name="press")
    assert (taken.status_code, 'value="press"' in taken.content.decode()) == (422, True)
    assert counts() == {"vip": 2, "press": 1}
    assert rename([vip.pk], _confirmed="1", name="gold").status_code == 204
    assert counts() == {"gold": 2, "press": 1}
    assert [
        sorted(row.tags) for row in Contact.objects.filter(pk__in=[c.pk for c in contacts]).order_by("pk")
    ] == [
        ["gold"],
        ["gold", "press"],
    ]
    both = client.post("/tags/", {"_bulk": "delete", "ids": [vip.pk, press.pk]}, **HTMX).content.decode()
    assert "2 tags, on 3 contacts at most." in both


def test_the_page_shows_what_is_on_its_way_to_those_who_manage(cast: Cast, web: Web, few: None) -> None:
    ContactFactory.create_batch(5, tags=["vip"], owner=cast.rep, team=cast.north)
    counts()
    services.tag_update(tag=Tag.objects.get(), data={"name": "gold"}, actor=person(cast.admin))
    assert "0 of 5 contacts" in web(cast.admin).get("/tags/").content.decode()
    assert "0 of 5 contacts" in web(cast.admin).get("/tags/?_part=jobs", **HTMX).content.decode()
    page = web(cast.rep).get("/tags/").content.decode()
    assert "0 of 5" not in page
    assert web(cast.rep).get("/tags/?ordering=count").status_code == 400
    assert web(cast.rep).post("/tags/", {"_bulk": "delete", "ids": [1]}).status_code == 403
    assert web(cast.rep).get("/tags/new/").status_code == 403


def test_the_list_costs_the_same_for_many_tags(
    cast: Cast, web: Web, django_assert_max_num_queries: Any
) -> None:
    ContactFactory(tags=[f"t{n}" for n in range(30)], owner=cast.rep)
    counts()
    client = web(cast.rep)
    client.get("/tags/")
    with django_assert_max_num_queries(14):
        assert client.get("/tags/").content.decode().count("row-") >= 30


def test_tags_are_completed_where_they_are_typed(cast: Cast, web: Web) -> None:
    contact = ContactFactory(owner=cast.rep, tags=["vip"])
    client = web(cast.rep)
    needle = 'data-lookup="/tags/proposals/" data-many'
    for url in (
        "/contacts/new/",
        f"/contacts/{contact.pk}/edit/",
        f"/contacts/{contact.pk}/field/tags/",
        f"/contacts/?columns=name,tags&_cell=tags&_row={contact.pk}",
    ):
        page = client.get(url, **(HTMX if "_cell" in url else {})).content.decode()
        assert needle in page, url
    bulk = client.post("/contacts/", {"_bulk": "tag", "ids": [contact.pk]}, **HTMX).content.decode()
    assert needle in bulk


# --- the API -----------------------------------------------------------------------------------------------------
def test_the_api_makes_renames_merges_and_deletes(cast: Cast, api: Api) -> None:
    ContactFactory(tags=["vip"], owner=cast.rep, team=cast.north)
    ContactFactory(tags=["gold"], owner=cast.rep2, team=cast.south)
    counts()
    admin, rep = api(cast.admin), api(cast.rep)
    listed = admin.get("/api/v1/tags/?search=I").json()["results"]
    assert [(t["name"], t["count"], t["count_is_exact"], t["is_kept"]) for t in listed] == [
        ("vip", 1, True, False)
    ]
    assert [t["name"] for t in rep.get("/api/v1/tags/").json()["results"]] == ["vip"]
    gold, vip = Tag.objects.get(name="gold"), Tag.objects.get(name="vip")
    assert rep.get(f"/api/v1/tags/{gold.pk}/").status_code == 404
    assert rep.patch(f"/api/v1/tags/{vip.pk}/", {"name": "x"}, format="json").status_code == 403
    made = admin.post("/api/v1/tags/", {"name": "Press", "colour": "blue"}, format="json")
    assert (made.status_code, made.json()["name"], made.json()["count"]) == (201, "press", 0)
    twice = admin.post("/api/v1/tags/", {"name": "PRESS"}, format="json")
    assert (twice.status_code, twice.json()["errors"][0]["code"]) == (400, "unique")
    stale = admin.patch(f"/api/v1/tags/{vip.pk}/", {"name": "x"}, format="json", HTTP_IF_MATCH='"9"')
    assert stale.status_code == 412
    merged = admin.post(f"/api/v1/tags/{vip.pk}/merge/", {"into": str(gold.pk)}, format="json")
    assert (merged.status_code, merged.json()["name"]) == (200, "gold")
    assert Contact.objects.filter(tags=["gold"]).count() == 2
    assert [
        len(admin.get(f"/api/v1/contacts/?tag={word}").json()["results"]) for word in ("VIP", "gold")
    ] == [2, 2]
    renamed = admin.patch(f"/api/v1/tags/{gold.pk}/", {"name": "Best"}, format="json")
    assert (renamed.status_code, renamed.json()["name"]) == (200, "best")
    assert admin.delete(f"/api/v1/tags/{gold.pk}/").status_code == 204
    assert not Contact.objects.exclude(tags=[]).exists()


def test_the_admin_shows_tags_and_changes_none(cast: Cast, web: Web) -> None:
    cast.admin.is_staff = cast.admin.is_superuser = True
    cast.admin.save()
    ContactFactory(tags=["café"])
    counts()
    client = web(cast.admin)
    assert "café" in client.get("/admin/contacts/tag/?q=Cafe").content.decode()
    assert client.get("/admin/contacts/tagjob/").status_code == 200
    assert client.get("/admin/contacts/tag/add/").status_code == 403
