"""The pages of segments."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from contacts.models import SavedView, Segment, SegmentMember
from contacts.services.segmenting.keeping import segments_keep
from contacts.services.segments import segment_create
from crmcem.lib.actors import person
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db
Web = Callable[..., Client]
VIP = {"field": "tags", "op": "has_any", "value": ["vip"]}
HTMX = {"HTTP_HX_REQUEST": "true"}


def make(user: Any, **data: Any) -> Segment:
    segment = segment_create(
        data={"name": "Best", "conditions": VIP, "sharing": "all", **data}, actor=person(user)
    )
    segments_keep(settled=True)
    return segment


def typed(**values: Any) -> dict[str, Any]:
    return {"name": "Best", "kind": "live", "sharing": "private", "conditions": json.dumps(VIP), **values}


def test_a_segment_is_made_in_the_form(cast: Cast, web: Web) -> None:
    contact = ContactFactory(owner=cast.rep, tags=["vip"])
    client = web(cast.rep)
    page = client.get("/segments/new/").content.decode()
    assert "data-condition-builder" in page
    answer = client.post("/segments/new/", typed(form_key="x" * 20))
    segment = Segment.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/segments/{segment.pk}/")
    again = client.post("/segments/new/", typed(form_key="x" * 20))
    assert (again["Location"], Segment.objects.count()) == (answer["Location"], 1)
    segments_keep(settled=True)
    shown = client.get(f"/segments/{segment.pk}/").content.decode()
    assert "Tagged vip" in shown
    assert contact.full_name in shown


def test_what_was_typed_is_kept_when_it_is_refused(cast: Cast, web: Web) -> None:
    client = web(cast.rep)
    for conditions, detail in [
        ("{broken", "This is no JSON"),
        ('{"field": "nope", "op": "eq", "value": "x"}', "There is no field “nope”"),
        ("", "A live segment needs conditions."),
        ("[" * 5000, "This is no JSON"),
    ]:
        answer = client.post("/segments/new/", typed(name="Mine", conditions=conditions))
        page = answer.content.decode()
        assert answer.status_code == 422
        assert detail in page
        assert 'value="Mine"' in page
        assert conditions[:200].replace('"', "&quot;") in page
    assert "Give the segment a name." in client.post("/segments/new/", typed(name="")).content.decode()
    assert not Segment.objects.exists()


def test_a_segment_is_changed_and_a_stale_form_is_not_saved(cast: Cast, web: Web) -> None:
    segment = make(cast.cx)
    client = web(cast.cx)
    url = f"/segments/{segment.pk}/edit/"
    assert "vip" in client.get(url).content.decode()
    gold = json.dumps(VIP | {"value": ["gold"]})
    answer = client.post(url, typed(name="Gold", conditions=gold, version="1"))
    assert answer.status_code == 302
    stale = client.post(url, typed(name="Old", version="1"))
    assert stale.status_code == 422
    assert "Somebody else changed this segment" in stale.content.decode()
    segment.refresh_from_db()
    assert (segment.name, segment.conditions["value"], segment.version) == ("Gold", ["gold"], 2)


def test_the_preview_tells_size_words_and_examples(cast: Cast, web: Web) -> None:
    hidden = CompanyFactory(name="Hidden company", owner=cast.rep2)
    mine = ContactFactory(owner=cast.rep, tags=["vip"], company=hidden)
    ContactFactory(owner=cast.rep2, tags=["vip"], first_name="Notmine")
    client = web(cast.rep)
    page = client.post("/segments/preview/", {"conditions": json.dumps(VIP)}, **HTMX).content.decode()
    assert "<strong>1</strong>" in page
    assert "Tagged vip" in page
    assert mine.full_name in page
    assert "Notmine" not in page
    assert "Hidden company" not in page
    wrong = client.post(
        "/segments/preview/", {"conditions": '{"all": [{"field": "email", "op": "eq"}]}'}, **HTMX
    )
    assert 'data-fault="conditions.all.0.value"' in wrong.content.decode()
    assert "data-fault" in client.post("/segments/preview/", {"conditions": "{"}, **HTMX).content.decode()
    assert not Segment.objects.exists()


def test_the_members_are_a_list_like_any_other(cast: Cast, web: Web) -> None:
    mine = ContactFactory(owner=cast.rep, team=cast.north, tags=["vip"], first_name="Mina")
    ContactFactory(owner=cast.rep2, team=cast.south, tags=["vip"], first_name="Otto")
    segment = make(cast.cx)
    for user, names in ((cast.rep, {"Mina"}), (cast.rep2, {"Otto"}), (cast.cx, {"Mina", "Otto"})):
        page = web(user).get(f"/segments/{segment.pk}/").content.decode()
        assert {name for name in ("Mina", "Otto") if name in page} == names
        assert f"<strong>{len(names)}</strong>" in page
    found = web(cast.cx).get(f"/segments/{segment.pk}/", {"search": "Mina"}).content.decode()
    assert "Otto" not in found
    assert str(mine.pk) in found


def test_members_of_a_static_segment_come_and_go_by_bulk_actions(cast: Cast, web: Web) -> None:
    ann, bob = ContactFactory(owner=cast.rep), ContactFactory(owner=cast.rep)
    fixed = make(cast.rep, kind="static", conditions=None)
    live = make(cast.rep, name="Live")
    client = web(cast.rep)
    form = client.post("/contacts/", {"_bulk": "segment", "ids": [ann.pk]}, **HTMX).content.decode()
    assert ">Best</option>" in form
    assert ">Live</option>" not in form
    body = {"_bulk": "segment", "ids": [ann.pk, bob.pk], "_confirmed": "1", "segment": fixed.pk}
    assert client.post("/contacts/", body, **HTMX).status_code == 204
    assert set(SegmentMember.objects.values_list("contact_id", flat=True)) == {ann.pk, bob.pk}
    wrong = client.post("/contacts/", body | {"segment": live.pk}, **HTMX)
    assert wrong.status_code == 422
    leave = {"_bulk": "leave", "ids": [ann.pk], "_confirmed": "1"}
    assert client.post(f"/segments/{fixed.pk}/", leave, **HTMX).status_code == 204
    assert set(SegmentMember.objects.values_list("contact_id", flat=True)) == {bob.pk}
    assert client.post(f"/segments/{live.pk}/", leave, **HTMX).status_code == 403


def test_only_those_who_may_change_it_are_offered_to(cast: Cast, web: Web) -> None:
    segment = make(cast.cx)
    for user, offered in ((cast.cx, True), (cast.manager, True), (cast.rep, False), (cast.readonly, False)):
        page = web(user).get(f"/segments/{segment.pk}/").content.decode()
        assert (f"/segments/{segment.pk}/edit/" in page) is offered
    client = web(cast.rep)
    for path in ("edit", "delete", "refill"):
        assert client.post(f"/segments/{segment.pk}/{path}/", typed()).status_code == 403
    assert client.get(f"/segments/{segment.pk}/edit/").status_code == 403
    assert Segment.objects.get().name == "Best"
    answer = web(cast.manager).post(f"/segments/{segment.pk}/refill/")
    assert answer.status_code == 302
    segment.refresh_from_db()
    assert segment.filled_at is None
    assert web(cast.cx).post(f"/segments/{segment.pk}/delete/").status_code == 302
    assert not Segment.objects.exists()


def test_conditions_that_one_may_not_know_are_not_edited(cast: Cast, web: Web) -> None:
    segment = make(cast.cx, conditions={"field": "deals.open", "op": "gte", "value": 1})
    page = web(cast.manager).get(f"/segments/{segment.pk}/").content.decode()
    assert "By conditions that are not yours to see" in page
    assert web(cast.manager).get(f"/segments/{segment.pk}/edit/").status_code == 403


def test_a_segment_that_is_filled_says_so_and_follows(cast: Cast, web: Web) -> None:
    segment = segment_create(data={"name": "Best", "conditions": VIP}, actor=person(cast.cx))
    client = web(cast.cx)
    url = f"/segments/{segment.pk}/"
    assert "Being filled" in client.get(url).content.decode()
    assert "every 2s" in client.get(url, {"_part": "state"}, **HTMX).content.decode()
    segments_keep(settled=True)
    done = client.get(url, {"_part": "state"}, **HTMX)
    assert "every 2s" not in done.content.decode()
    assert json.loads(done["HX-Trigger"]) == {"list": True}


def test_lists_are_filtered_by_a_segment(cast: Cast, web: Web) -> None:
    ContactFactory(first_name="Mina", tags=["vip"])
    ContactFactory(first_name="Otto")
    segment = make(cast.cx)
    page = web(cast.cx).get("/contacts/", {"segment": segment.pk}).content.decode()
    assert "Mina" in page
    assert "Otto" not in page
    assert "Best" in page  # the chip names it
    panel = web(cast.cx).get("/contacts/", {"_part": "filters"}, **HTMX).content.decode()
    assert "Best" in panel
    private = make(cast.rep, name="Secret", sharing="private")
    assert web(cast.cx).get("/contacts/", {"segment": private.pk}).status_code == 400


def test_its_page_says_what_uses_it(cast: Cast, web: Web) -> None:
    segment = make(cast.rep)
    url = f"/segments/{segment.pk}/"
    assert 'hx-get="?_part=uses"' in web(cast.rep).get(url).content.decode()
    bare = web(cast.rep).get(url, {"_part": "uses"}, **HTMX).content.decode()
    assert "Nothing uses it yet" in bare
    for owner, name in ((cast.rep, "Mine <b>"), (cast.cx, "Theirs")):
        query = f"segment={segment.pk}"
        SavedView.objects.create(entity="contact", name=name, owner=owner, sharing="private", query=query)
    told = web(cast.rep).get(url, {"_part": "uses"}, **HTMX).content.decode()
    assert "saved view “Mine &lt;b&gt;”</a>, 1 more" in told
    assert "Theirs" not in told
    secret = make(cast.rep, name="Secret", sharing="private")
    assert web(cast.cx).get(f"/segments/{secret.pk}/", {"_part": "uses"}, **HTMX).status_code == 404


@pytest.mark.parametrize("n", [1, 40])
@pytest.mark.parametrize("who", ["rep", "cx"])
def test_query_counts(cast: Cast, web: Web, django_assert_max_num_queries: Any, n: int, who: str) -> None:
    segments = [
        Segment(name=f"S{k}", conditions=VIP, sharing="all", filled_at=timezone.now(), owner=cast.cx)
        for k in range(n)
    ]
    Segment.objects.bulk_create(segments)
    for _ in range(n):
        contact = ContactFactory(owner=cast.rep, company=CompanyFactory(owner=cast.rep))
        SegmentMember.objects.create(segment=segments[0], contact=contact, since=timezone.now())
    client = web(getattr(cast, who))
    for url in ("/segments/", f"/segments/{segments[0].pk}/"):
        client.get(url)
        with django_assert_max_num_queries(12):
            assert client.get(url).status_code == 200
