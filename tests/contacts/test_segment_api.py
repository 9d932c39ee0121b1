"""Segments over the API, and ``segment=`` on lists and figures."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from contacts.models import SavedView, Segment, SegmentMember
from contacts.selectors import segments as selectors
from contacts.services.segmenting.keeping import segments_keep
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory, InteractionFactory, TaskFactory
from tests.factories.feedback import CaseFactory, InvitationFactory, ResponseFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]

BASE = "/api/v1/segments/"
VIP = {"field": "tags", "op": "has_any", "value": ["vip"]}


def post(client: APIClient, url: str, body: Any) -> Any:
    return client.post(url, body, format="json")


def make(client: APIClient, **data: Any) -> dict[str, Any]:
    answer = post(client, BASE, {"name": "VIP", "conditions": VIP, "sharing": "all", **data})
    assert answer.status_code == 201, answer.content
    segments_keep(settled=True)
    found: dict[str, Any] = answer.json()
    return found


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(e["field"], e["code"]) for e in answer.json()["errors"]]


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_a_segment_from_its_making_to_its_end(cast: Cast, api: Api) -> None:
    ann = ContactFactory(tags=["vip"])
    client = api(cast.cx)
    made = make(client)
    assert (made["kind"], made["is_filling"], made["conditions"], made["size"]) == ("live", True, VIP, 0)
    url = f"{BASE}{made['id']}/"
    shown = client.get(url)
    data = shown.json()
    assert (data["size"], data["size_is_exact"], data["is_filling"]) == (1, True, False)
    assert (data["explanation"], data["owner"]) == ("Tagged vip", str(cast.cx.pk))
    members = client.get(f"{url}members/")
    assert names(members) == [str(ann.pk)]
    assert members.json()["results"][0]["since"] is not None
    changed = client.patch(url, {"name": "Best"}, format="json", HTTP_IF_MATCH=shown["ETag"])
    assert (changed.status_code, changed.json()["name"], changed.json()["version"]) == (200, "Best", 2)
    stale = client.patch(url, {"name": "Worst"}, format="json", HTTP_IF_MATCH=shown["ETag"])
    assert stale.status_code == 412
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404
    assert not SegmentMember.objects.exists()


def test_bad_bodies_name_the_fault(cast: Cast, api: Api) -> None:
    client = api(cast.cx)
    for body, expected in [
        ({}, [("name", "required")]),
        ({"name": "A", "conditions": {"field": "nope", "op": "eq"}}, [("conditions.field", "unknown_field")]),
        ({"name": "A", "conditions": VIP, "size": 7}, [("size", "read_only")]),
        ({"name": "A", "conditions": VIP, "owner": "1"}, [("owner", "read_only")]),
        ({"name": "A", "conditions": VIP, "colour": "red"}, [("colour", "unknown_field")]),
        ({"name": "A", "conditions": VIP, "kind": "frozen"}, [("kind", "invalid_choice")]),
    ]:
        answer = post(client, BASE, body)
        assert (answer.status_code, codes(answer)) == (400, expected)
    assert not Segment.objects.exists()


def test_a_preview_saves_nothing(cast: Cast, api: Api) -> None:
    mine = ContactFactory(tags=["vip"], owner=cast.rep)
    ContactFactory(tags=["vip"], owner=cast.rep2)
    seen = post(api(cast.rep), f"{BASE}preview/", {"conditions": VIP}).json()
    assert (seen["size"], seen["size_is_exact"], seen["explanation"]) == (1, True, "Tagged vip")
    assert [row["id"] for row in seen["sample"]] == [str(mine.pk)]
    assert post(api(cast.cx), f"{BASE}preview/", {"conditions": VIP}).json()["size"] == 2
    hidden = {"conditions": {"field": "deals.won", "op": "gte", "value": 1}}
    answer = post(api(cast.rep), f"{BASE}preview/", hidden)
    assert (answer.status_code, codes(answer)) == (400, [("conditions.field", "unknown_field")])
    assert post(api(cast.cx), f"{BASE}preview/", hidden).json()["size"] == 0
    assert not Segment.objects.exists()


def test_a_preview_counts_up_to_the_cap(cast: Cast, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "CAP", 3)
    for _ in range(5):
        ContactFactory(owner=cast.rep)
    seen = post(api(cast.rep), f"{BASE}preview/", {"conditions": {"all": []}}).json()
    assert (seen["size"], seen["size_is_exact"], len(seen["sample"])) == (3, False, 5)
    made = make(api(cast.cx), conditions={"all": []})
    shown = api(cast.rep).get(f"{BASE}{made['id']}/").json()
    assert (shown["size"], shown["size_is_exact"]) == (3, False)
    assert api(cast.cx).get(f"{BASE}{made['id']}/").json()["size"] == 5


def test_everybody_sees_only_members_that_are_theirs_to_see(cast: Cast, api: Api) -> None:
    mine = ContactFactory(tags=["vip"], owner=cast.rep, team=cast.north)
    theirs = ContactFactory(tags=["vip"], owner=cast.rep2, team=cast.south)
    pk = make(api(cast.cx))["id"]
    for user, expected in (
        (cast.rep, {mine}),
        (cast.rep2, {theirs}),
        (cast.manager, {mine}),
        (cast.cx, {mine, theirs}),
    ):
        client = api(user)
        ids = {str(each.pk) for each in expected}
        assert set(names(client.get(f"{BASE}{pk}/members/"))) == ids
        assert set(names(client.get("/api/v1/contacts/", {"segment": pk}))) == ids
        assert client.get(f"{BASE}{pk}/").json()["size"] == len(ids)
        assert client.get(BASE).json()["results"][0]["size"] == len(ids)


def test_conditions_with_unknown_fields_are_not_shown(cast: Cast, api: Api) -> None:
    pk = make(api(cast.cx), conditions={"field": "deals.open", "op": "gte", "value": 1})["id"]
    seen = api(cast.rep).get(f"{BASE}{pk}/").json()
    assert (seen["conditions"], seen["explanation"]) == (None, "By conditions that are not yours to see")
    assert api(cast.cx).get(f"{BASE}{pk}/").json()["conditions"] is not None


def test_sharing(cast: Cast, api: Api) -> None:
    for sharing, who in (
        ("private", {"rep"}),
        ("team", {"rep", "manager"}),
        ("all", {"rep", "rep2", "manager", "cx"}),
    ):
        pk = make(api(cast.rep), name=sharing, sharing=sharing)["id"]
        for user in (cast.rep, cast.rep2, cast.manager, cast.cx):
            status = api(user).get(f"{BASE}{pk}/").status_code
            assert status == (200 if user.username in who else 404), (sharing, user)
            listed = api(user).get("/api/v1/contacts/", {"segment": pk})
            assert listed.status_code == (200 if user.username in who else 400)


def test_members_of_a_static_segment(cast: Cast, api: Api) -> None:
    ann, bob = ContactFactory(owner=cast.rep), ContactFactory(owner=cast.rep2)
    client = api(cast.rep)
    pk = make(client, kind="static", conditions=None)["id"]
    url = f"{BASE}{pk}/members/"
    assert post(client, url, {"add": [str(ann.pk)]}).json() == {"added": 1, "removed": 0}
    answer = post(client, url, {"add": [str(bob.pk)], "remove": [str(ann.pk)]})
    assert (answer.status_code, codes(answer)) == (400, [("add.0", "does_not_exist")])
    assert codes(post(client, url, {"add": ["x"]})) == [("add.0", "invalid")]
    assert codes(post(client, url, {"put": []})) == [("put", "unknown_field")]
    assert post(client, url, [1]).status_code == 400
    assert set(SegmentMember.objects.values_list("contact_id", flat=True)) == {ann.pk}
    assert post(client, url, {"remove": [str(ann.pk)]}).json() == {"added": 0, "removed": 1}
    live = make(client, name="Live")["id"]
    assert codes(post(client, f"{BASE}{live}/members/", {"add": [str(ann.pk)]})) == [("kind", "live")]


def test_lists_are_narrowed_to_a_segment(cast: Cast, api: Api) -> None:
    vip, other = ContactFactory(tags=["vip"]), ContactFactory()
    rows: dict[str, list[Any]] = {}
    for contact in (vip, other):
        invitation = InvitationFactory(contact=contact)
        deal = DealFactory()
        deal.deal_contacts.create(contact=contact)
        for name, row in (
            ("tasks", TaskFactory(contact=contact)),
            ("interactions", InteractionFactory(contact=contact)),
            ("invitations", invitation),
            ("responses", ResponseFactory(contact=contact, invitation=invitation, survey=invitation.survey)),
            ("cases", CaseFactory(contact=contact)),
            ("deals", deal),
        ):
            rows.setdefault(name, []).append(row)
    client = api(cast.admin)
    pk = make(client)["id"]
    for name, (wanted, _unwanted) in rows.items():
        assert names(client.get(f"/api/v1/{name}/", {"segment": pk})) == [str(wanted.pk)], name
        assert client.get(f"/api/v1/{name}/", {"segment": "999"}).status_code == 400
    for name in ("companies", "surveys", "pipelines", "automations"):
        assert client.get(f"/api/v1/{name}/", {"segment": pk}).status_code == 400, name


def test_a_list_about_hidden_people_tells_nothing(cast: Cast, api: Api) -> None:
    """A task of mine may be about somebody else's contact: whether that one is a member is not mine to know."""
    hidden = ContactFactory(tags=["vip"], owner=cast.rep2)
    TaskFactory(contact=hidden, owner=cast.rep)
    pk = make(api(cast.cx))["id"]
    assert names(api(cast.rep).get("/api/v1/tasks/", {"segment": pk})) == []


def test_figures_of_a_segment_are_those_of_its_members(cast: Cast, api: Api) -> None:
    vip, other = ContactFactory(tags=["vip"]), ContactFactory()
    for contact, nps in ((vip, 10), (vip, 9), (other, 0)):
        ResponseFactory(contact=contact, nps=nps, status="complete", submitted_at=timezone.now())
    client = api(cast.cx)
    pk = make(client)["id"]
    found = client.get("/api/v1/metrics/nps/", {"segment": pk}).json()
    assert [(row["n"], row["value"]) for row in found] == [(2, 100.0)]
    assert client.get("/api/v1/metrics/nps/", {"segment": "999"}).status_code == 400


def test_conditions_may_name_a_segment_that_is_still_filled(cast: Cast, api: Api) -> None:
    vip = ContactFactory(tags=["vip"])
    client = api(cast.cx)
    answer = post(client, BASE, {"name": "VIP", "conditions": VIP})
    pk = answer.json()["id"]
    assert names(client.get("/api/v1/contacts/", {"segment": pk})) == [str(vip.pk)]


def test_the_schema_describes_what_is_accepted(cast: Cast, api: Api) -> None:
    document = api(cast.cx).get(f"{BASE}schema/").json()
    validator = Draft202012Validator(document)
    assert validator.is_valid({"all": [VIP, {"segment": "1"}]})
    assert not validator.is_valid({"field": "nope", "op": "eq", "value": "x"})


@pytest.mark.parametrize("n", [2, 30])
@pytest.mark.parametrize("who", ["rep", "cx"])
def test_query_counts(cast: Cast, api: Api, django_assert_max_num_queries: Any, n: int, who: str) -> None:
    for number in range(n):
        contact = ContactFactory(owner=cast.rep)
        segment = Segment.objects.create(
            name=f"S{number}", conditions=VIP, sharing="all", filled_at=timezone.now(), owner=cast.cx
        )
        SegmentMember.objects.create(segment=segment, contact=contact, since=timezone.now())
    client = api(getattr(cast, who))
    for url in (BASE, f"{BASE}{segment.pk}/members/"):
        client.get(url)
        with django_assert_max_num_queries(8):
            assert client.get(url).status_code == 200


def test_a_segment_that_is_named_elsewhere_stays(cast: Cast, api: Any) -> None:
    client = api(cast.rep)
    segment = Segment.objects.get(pk=make(client, name="Named")["id"])
    named = {"segment": str(segment.pk)}
    outer = Segment.objects.get(pk=make(client, name="Outer", conditions=named)["id"])
    words = urlencode({"conditions": json.dumps({"all": [named]})})
    for name, query, owner in (
        ("Plain", f"segment={segment.pk}", cast.rep),
        ("Built", words, cast.rep),
        ("Private", f"segment={segment.pk}", cast.rep2),
        ("Another", f"segment={segment.pk}0", cast.rep),
        ("Word", f"search={segment.pk}", cast.rep),
    ):
        SavedView.objects.create(entity="contact", name=name, query=query, owner=owner)
    answer = api(cast.rep).delete(f"/api/v1/segments/{segment.pk}/")
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    body = answer.json()
    assert [link["label"] for link in body["links"]] == [
        "segment “Outer”",
        "saved view “Built”",
        "saved view “Plain”",
    ]
    assert body["links"][0]["url"] == f"/segments/{outer.pk}/"
    assert body["detail"] == (
        "“Named” is named by: segment “Outer”, saved view “Built”, saved view “Plain”, 1 more. Change those first;"
        " nothing was deleted."
    )
    assert "Private" not in answer.content.decode()
    assert Segment.objects.filter(pk=segment.pk).exists()
    SavedView.objects.exclude(name__in=["Another", "Word"]).delete()
    outer.delete()
    assert api(cast.rep).delete(f"/api/v1/segments/{segment.pk}/").status_code == 204
