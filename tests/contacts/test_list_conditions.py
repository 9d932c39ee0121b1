"""The condition builder in the lists: what is built stands in the URL and counts for everything the list does."""

import json
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import Contact, SavedView
from crmcem.workspace.models import Export, User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]
CUSTOMERS = {"field": "lifecycle_stage", "op": "eq", "value": "customer"}
HX = {"HTTP_HX_REQUEST": "true"}


def address(conditions: Any, path: str | None = None, **more: str) -> str:
    return f"{path or reverse('contacts:list')}?{urlencode({'conditions': json.dumps(conditions), **more})}"


def apply(client: Client, url: str, conditions: Any, do: str = "apply", **headers: str) -> Any:
    text = conditions if isinstance(conditions, str) else json.dumps(conditions)
    return client.post(url, {"conditions": text, "conditions_do": do}, **{**HX, **headers})  # type: ignore[arg-type]


def text(response: Any) -> str:
    return str(response.content.decode())


@pytest.fixture
def people(cast: Cast) -> dict[str, Contact]:
    return {
        "anna": ContactFactory(
            first_name="Anna", lifecycle_stage="customer", owner=cast.rep, team=cast.north, tags=["vip"]
        ),
        "bert": ContactFactory(
            first_name="Bert", lifecycle_stage="customer", owner=cast.rep, team=cast.north
        ),
        "carl": ContactFactory(first_name="Carl", lifecycle_stage="lead", owner=cast.rep),
        "dora": ContactFactory(first_name="Dora", lifecycle_stage="customer", owner=cast.rep2),
    }


def test_what_was_built_becomes_the_urls_and_leaves_search_order_and_columns(
    cast: Cast, web: Web, people: dict[str, Contact]
) -> None:
    url = reverse("contacts:list") + "?search=a&ordering=-created_at&columns=name,stage&cursor=old"
    response = apply(web(cast.rep), url, CUSTOMERS)
    assert response.status_code == 204
    goal = json.loads(response["HX-Location"])
    assert (goal["target"], goal["swap"]) == ("#list", "outerHTML")
    params = parse_qs(urlsplit(goal["path"]).query)
    assert params == {
        "search": ["a"],
        "ordering": ["-created_at"],
        "columns": ["name,stage"],
        "conditions": [json.dumps(CUSTOMERS, separators=(",", ":"))],
    }
    assert json.loads(response["HX-Trigger"])["conditions-applied"] is True
    plain = web(cast.rep).post(url, {"conditions": json.dumps(CUSTOMERS), "conditions_do": "apply"})
    assert (plain.status_code, plain["Location"]) == (302, goal["path"])


def test_no_condition_takes_them_out_of_the_url(cast: Cast, web: Web) -> None:
    for nothing in ("", '{"all": []}'):
        response = apply(web(cast.rep), address(CUSTOMERS, ordering="last_name"), nothing)
        assert json.loads(response["HX-Location"])["path"] == reverse("contacts:list") + "?ordering=last_name"


def test_the_list_holds_who_fits_and_says_so_in_the_persons_language(
    cast: Cast, web: Web, people: dict[str, Contact]
) -> None:
    client = web(cast.rep)
    page = text(client.get(address(CUSTOMERS)))
    assert "Anna" in page
    assert "Bert" in page
    assert "Carl" not in page
    assert "Dora" not in page
    assert "<b>Lifecycle stage is Customer</b>" in page
    for file in ("condition_builder.js", "lookup.js", "segments.css"):
        assert page.count(file) == 1
    german = text(client.get(address(CUSTOMERS), HTTP_ACCEPT_LANGUAGE="de"))
    assert "<b>Lebensphase ist" in german or "Lebenszyklus" in german


def test_the_preview_counts_with_the_search_and_writes_nothing(
    cast: Cast, web: Web, people: dict[str, Contact]
) -> None:
    client = web(cast.rep)
    shown = text(apply(client, reverse("contacts:list") + "?search=anna", CUSTOMERS, "preview"))
    assert "<strong>1</strong> contacts" in shown
    assert "Lifecycle stage is Customer" in shown
    bad = apply(client, reverse("contacts:list"), {"field": "nonsense", "op": "eq", "value": "x"}, "preview")
    assert bad.status_code == 200
    assert 'data-fault="conditions.field"' in text(bad)
    assert "There is no field" in text(bad)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ("{not json", "This is no JSON."),
        ({"field": "nonsense", "op": "eq", "value": "x"}, "There is no field “nonsense”."),
        (
            {"field": "last_name", "op": "in", "value": [f"{n}" * 40 for n in range(90)]},
            "Make a segment of them",
        ),
    ],
)
def test_what_cant_be_used_stays_in_the_panel_and_the_list_stays_as_it_is(
    cast: Cast, web: Web, sent: Any, says: str
) -> None:
    response = apply(web(cast.rep), address(CUSTOMERS), sent)
    assert response.status_code == 422
    assert "HX-Location" not in response
    page = text(response)
    assert says in page
    assert ("{not json" if isinstance(sent, str) else "&quot;op&quot;: ") in page


def test_an_outdated_condition_in_a_url_is_an_error_that_keeps_the_page(
    cast: Cast, web: Web, people: dict[str, Contact]
) -> None:
    client = web(cast.rep)
    url = address({"field": "pulse.gone", "op": "eq", "value": "x"}, search="anna", columns="name,email")
    response = client.get(url)
    page = text(response)
    assert response.status_code == 400
    assert "There is no field “pulse.gone”." in page
    assert "can’t be used any more" in page
    assert 'value="anna"' in page
    assert "Mend the conditions" in page
    panel = client.get(url + "&_part=conditions", **HX)  # type: ignore[arg-type]
    assert panel.status_code == 200
    assert "pulse.gone" in text(panel)
    bulk = client.post(url, {"_bulk": "tag", "_all": "1", "_confirmed": "1", "value": "x"})
    assert bulk.status_code == 400
    assert not Contact.objects.filter(tags__contains=["x"]).exists()


def test_a_bulk_action_over_all_that_match_touches_only_those(
    cast: Cast, web: Web, people: dict[str, Contact]
) -> None:
    data = {"_bulk": "tag", "_all": "1", "_confirmed": "1", "value": "touched"}
    assert web(cast.rep).post(address(CUSTOMERS), data).status_code == 204
    tagged = Contact.objects.filter(tags__contains=["touched"]).values_list("first_name", flat=True)
    assert sorted(tagged) == ["Anna", "Bert"]


def test_an_export_holds_who_fits(cast: Cast, web: Web, people: dict[str, Contact]) -> None:
    response = web(cast.manager).post(address(CUSTOMERS, columns="name"), {"_export": "1"})
    lines = response.content.decode("utf-8-sig").splitlines()
    assert sorted(line.split()[0] for line in lines[1:]) == ["Anna", "Bert"]
    assert Export.objects.get().rows_done == 2


def test_a_saved_view_keeps_them_and_shows_each_reader_their_own_rows(
    cast: Cast, web: Web, people: dict[str, Contact]
) -> None:
    client = web(cast.rep)
    query = urlsplit(address(CUSTOMERS)).query
    data = {
        "name": "Ours",
        "sharing": "all",
        "entity": "contact",
        "query": query,
        "path": reverse("contacts:list"),
    }
    assert client.post(reverse("workspace:view-new"), data).status_code == 302
    view = SavedView.objects.get()
    url = f"{reverse('contacts:list')}?view={view.pk}&{view.query}"
    assert "Anna" in text(client.get(url))
    assert "Dora" not in text(client.get(url))
    theirs = text(web(cast.rep2).get(url))
    assert "Dora" in theirs
    assert "Anna" not in theirs
    changed = json.loads(
        apply(client, url, {"all": [CUSTOMERS, {"field": "tags", "op": "has_any", "value": ["vip"]}]})[
            "HX-Location"
        ]
    )
    page = text(client.get(changed["path"], **HX))  # type: ignore[arg-type]
    assert "changed, not saved" in page
    assert "Bert" not in page
    assert "Anna" in page


def test_companies_have_them_too(cast: Cast, web: Web) -> None:
    CompanyFactory(name="Bigco", size=900, owner=cast.rep)
    CompanyFactory(name="Smallco", size=3, owner=cast.rep)
    big = {"field": "size", "op": "gte", "value": 100}
    client = web(cast.rep)
    page = text(client.get(address(big, reverse("contacts:companies"))))
    assert "Bigco" in page
    assert "Smallco" not in page
    assert "Employees is at least 100" in page
    panel = text(client.get(reverse("contacts:companies") + "?_part=conditions", **HX))  # type: ignore[arg-type]
    assert "data-spec=" in panel
    spec = json.loads(unescape(panel.split('data-spec="')[1].split('"')[0]))
    assert spec["record"] == "contacts.Company"
    names = [each["name"] for each in spec["records"]["contacts.Company"]["fields"]]
    assert ("size" in names, "lifecycle_stage" in names) == (True, False)


def test_the_list_of_the_api_takes_the_same_conditions(
    cast: Cast, api: Callable[..., Any], people: dict[str, Contact]
) -> None:
    found = api(cast.rep).get("/api/v1/contacts/", {"conditions": json.dumps(CUSTOMERS)}).json()["results"]
    assert sorted(each["first_name"] for each in found) == ["Anna", "Bert"]


def test_conditions_cost_no_statement_of_their_own(cast: Cast, web: Web, people: dict[str, Contact]) -> None:
    client = web(cast.rep)
    several = {
        "all": [CUSTOMERS, {"activity": "order.placed", "op": "lt", "count": 5, "within": {"days": 90}}]
    }
    client.get(address(several))

    def cost(url: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url).status_code == 200
        return len(captured)

    # one more: the organisation's zone, for relative dates
    assert cost(address(several)) == 1 + cost(reverse("contacts:list") + "?view=all")


def test_lists_without_a_registry_offer_none(cast: Cast, web: Web) -> None:
    page = text(web(cast.rep).get(reverse("contacts:tasks")))
    assert "list-conditions" not in page
    assert web(cast.rep).post(reverse("contacts:tasks"), {"conditions_do": "apply"}).status_code == 403


def test_companies_are_found_by_those_of_their_people_whom_one_may_see(cast: Cast, web: Web) -> None:
    shared, quiet = (
        CompanyFactory(name="Sharedco", owner=cast.rep),
        CompanyFactory(name="Quietco", owner=cast.rep),
    )
    for nps in (9, 8):
        ContactFactory(company=shared, owner=cast.rep, lifecycle_stage="customer", pulse={"nps": nps})
    ContactFactory(company=shared, owner=cast.rep2, lifecycle_stage="lead", pulse={"nps": 1, "open_cases": 4})
    ContactFactory(company=quiet, owner=cast.rep, lifecycle_stage="subscriber", pulse={"nps": 7})

    def found(user: User, field: str, op: str, value: Any) -> list[str]:
        rule = {"field": f"people.{field}", "op": op, "value": value}
        page = text(web(user).get(address(rule, reverse("contacts:companies"))))
        return [name for name in ("Sharedco", "Quietco") if name in page]

    assert found(cast.rep, "count", "eq", 2) == ["Sharedco"]
    assert found(cast.rep, "customer", "gte", 1) == ["Sharedco"]
    assert found(cast.rep, "lead", "eq", 0) == ["Sharedco", "Quietco"]
    assert found(cast.rep, "lowest_nps", "lte", 6) == []
    assert found(cast.rep, "open_cases", "gt", 0) == []
    assert found(cast.admin, "count", "eq", 3) == ["Sharedco"]
    assert found(cast.admin, "lowest_nps", "lte", 6) == ["Sharedco"]
    assert found(cast.admin, "lead", "eq", 0) == ["Quietco"]
