"""Lists with custom fields: columns, filters, orders by key, links, and the indexes behind them."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from contacts.custom.definitions import every
from contacts.models import Company, Contact, CustomField
from contacts.services.field_indexes import existing, field_indexes_keep, index_of
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.fields import CustomFieldFactory

Api = Callable[..., APIClient]
Web = Callable[..., Client]
URL = "/api/v1/contacts/"
TIERS = {"choices": [{"value": "gold", "label": "Gold"}, {"value": "ag", "label": "Silver"}]}


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
def fields(db: None) -> None:
    for kind, options in {
        "text": {},
        "number": {"decimals": 1},
        "money": {"currency": "EUR"},
        "date": {},
        "boolean": {},
        "choice": TIERS,
        "multichoice": TIERS,
        "link": {"entity": "company"},
    }.items():
        CustomFieldFactory(
            key=kind, label=f"The {kind}", type=kind, options=options, filterable=True, position=1
        )
    CustomFieldFactory(key="hidden", label="Not a filter")


@pytest.fixture
def people(fields: None, cast: Cast) -> dict[str, Contact]:
    own = {"owner": cast.rep, "team": cast.north}
    acme = CompanyFactory(name="Acme", **own)
    values: dict[str, dict[str, Any]] = {
        "ada": {
            "text": "Zebra", "number": 2, "money": euro("9.50"), "date": "2026-03-01", "boolean": True,
            "choice": "gold", "multichoice": ["gold", "ag"], "link": str(acme.pk),
        },
        "bob": {
            "text": "apple", "number": 10.5, "money": euro("120.00"), "date": "2026-01-31", "boolean": False,
            "choice": "ag", "multichoice": ["ag"],
        },
        "cleo": {"text": "Ämter", "number": -1, "money": euro("30.00"), "date": "2025-12-24"},
        "dora": {"text": ["junk"], "number": "many", "money": 5, "date": "soon", "boolean": "x"},
        "emil": {},
    }  # fmt: skip
    return {name: ContactFactory(first_name=name, custom=custom, **own) for name, custom in values.items()}


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["first_name"] for row in answer.json()["results"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"custom__text": "ZEBRA"}, {"ada"}),
        ({"custom__text__contains": "PP"}, {"bob"}),
        ({"custom__number": "10.5"}, {"bob"}),
        ({"custom__number__gte": "2"}, {"ada", "bob"}),
        ({"custom__number__lt": "2"}, {"cleo"}),
        ({"custom__money__gt": "9.50", "custom__money__lte": "120"}, {"bob", "cleo"}),
        ({"custom__date__lt": "2026-02-01"}, {"bob", "cleo"}),
        ({"custom__date": "2026-03-01"}, {"ada"}),
        ({"custom__boolean": "false"}, {"bob"}),
        ({"custom__choice": "gold"}, {"ada"}),
        ({"custom__choice__in": "gold,ag"}, {"ada", "bob"}),
        ({"custom__multichoice": "ag"}, {"ada", "bob"}),
        ({"custom__multichoice": "gold"}, {"ada"}),
        ({"custom__link": "none"}, {"bob", "cleo", "dora", "emil"}),
        ({"custom__text__isset": "false"}, {"emil"}),
        ({"custom__number__isset": "true"}, {"ada", "bob", "cleo"}),
        ({"custom__multichoice__isset": "false"}, {"cleo", "dora", "emil"}),
    ],
)
def test_filters_over_the_api(
    query: dict[str, str], expected: set[str], people: dict[str, Contact], cast: Cast, api: Api
) -> None:
    assert set(names(api(cast.rep).get(URL, query))) == expected


def test_a_link_is_filtered_by_its_id(people: dict[str, Contact], cast: Cast, api: Api) -> None:
    acme = Company.objects.get()
    assert names(api(cast.rep).get(URL, {"custom__link": str(acme.pk)})) == ["ada"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"custom__hidden": "x"}, "unknown_parameter"),
        ({"custom__nothing": "x"}, "unknown_parameter"),
        ({"custom__number__gte": "many"}, "invalid"),
        ({"custom__date__gte": "31.12.2026"}, "invalid"),
        ({"custom__choice": "bronze"}, "invalid_choice"),
        ({"custom__link": "x"}, "invalid"),
        ({"ordering": "custom__hidden"}, "invalid"),
        ({"ordering": "custom__link"}, "invalid"),
    ],
)
def test_what_can_not_be_asked_is_named(
    query: dict[str, str], code: str, fields: None, cast: Cast, api: Api
) -> None:
    answer = api(cast.rep).get(URL, query)
    assert answer.status_code == 400
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [(next(iter(query)), code)]


@pytest.mark.parametrize("size", [1, 2, 10])
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("custom__number", ["cleo", "ada", "bob"]),
        ("-custom__number", ["bob", "ada", "cleo"]),
        ("custom__money", ["ada", "cleo", "bob"]),
        ("-custom__date", ["ada", "bob", "cleo"]),
        ("-custom__choice", ["ada", "bob"]),
    ],
)
def test_sorted_by_key_there_and_back(
    order: str, expected: list[str], size: int, people: dict[str, Contact], cast: Cast, api: Api
) -> None:
    """Rows without a value come last; walking by pages shows each row once, forwards and backwards."""
    client = api(cast.rep)
    url: str | None = f"{URL}?ordering={order}&page_size={size}"
    seen: list[str] = []
    pages: list[list[str]] = []
    while url:
        answer = client.get(url)
        pages.append(names(answer))
        seen += pages[-1]
        last, url = url, answer.json()["next"]
    assert seen[: len(expected)] == expected
    assert sorted(seen) == sorted(people)
    back = client.get(last).json()["previous"]
    for page in reversed(pages[:-1]):
        answer = client.get(back)
        assert names(answer) == page
        back = answer.json()["previous"]


def test_a_cursor_of_another_order_is_refused(people: dict[str, Contact], cast: Cast, api: Api) -> None:
    client = api(cast.rep)
    cursor = (
        client.get(URL, {"ordering": "-custom__text", "page_size": 1})
        .json()["next"]
        .split("cursor=")[1]
        .split("&")[0]
    )
    wrong = client.get(f"{URL}?ordering=custom__number&cursor={cursor}")
    assert wrong.status_code == 400, wrong.content


def test_columns_filters_and_chips_of_the_page(people: dict[str, Contact], cast: Cast, web: Web) -> None:
    client, url = web(cast.rep), reverse("contacts:list")
    plain = client.get(url).content.decode()
    assert "The money" not in plain
    parts = client.get(url, {"_part": "columns"}).content.decode()
    assert "The money" in parts
    assert "Not a filter" in parts
    panel = client.get(url, {"_part": "filters"}).content.decode()
    assert 'name="custom__money__gte"' in panel
    assert "The money at least" in panel
    assert 'name="custom__date__lte"' in panel
    query = {"columns": "name,custom.money,custom.link,custom.choice", "ordering": "-custom__money",
             "custom__money__gte": "5", "custom__choice": "gold"}  # fmt: skip
    page = client.get(url, query).content.decode()
    assert "The money at least" in page
    assert "9.50 <small>EUR</small>" in page
    assert reverse("contacts:company", args=[Company.objects.get().pk]) in page
    assert "Gold" in page
    assert client.get(url, {"custom__nothing": "1"}).status_code == 400


def test_query_counts_do_not_grow(people: dict[str, Contact], cast: Cast, web: Web) -> None:
    client = web(cast.rep)
    url = reverse("contacts:list") + "?columns=name,custom.link,custom.number&ordering=custom__number"
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    acme = Company.objects.get()
    for number in range(30):
        ContactFactory(owner=cast.rep, team=cast.north, custom={"link": str(acme.pk), "number": number})
    with CaptureQueriesContext(connection) as many:
        assert client.get(url).status_code == 200
    assert len(many) == len(few) <= 12


def test_a_hidden_link_is_shown_nowhere(people: dict[str, Contact], cast: Cast, api: Api, web: Web) -> None:
    secret = CompanyFactory(name="Secret Ltd", owner=cast.rep2, team=cast.south)
    row = people["ada"]
    Contact.objects.filter(pk=row.pk).update(custom={"link": str(secret.pk), "text": "x"})
    client = api(cast.rep)
    assert client.get(f"{URL}{row.pk}/").json()["custom"] == {"text": "x"}
    assert client.get(URL, {"custom__text": "x"}).json()["results"][0]["custom"] == {"text": "x"}
    page = web(cast.rep).get(reverse("contacts:list"), {"columns": "name,custom.link"}).content.decode()
    assert "Secret" not in page
    chip = web(cast.rep).get(reverse("contacts:list"), {"custom__link": secret.pk}).content.decode()
    assert "Secret" not in chip
    changed = client.patch(f"{URL}{row.pk}/", {"custom": {"text": "y"}}, format="json")
    assert changed.json()["custom"] == {"text": "y"}
    row.refresh_from_db()
    assert row.custom == {"link": str(secret.pk), "text": "y"}
    assert api(cast.rep2).get(f"/api/v1/companies/{secret.pk}/").status_code == 200


def test_links_of_an_expanded_company_stay_hidden(cast: Cast, api: Api) -> None:
    CustomFieldFactory(entity="company", key="parent", type="link", options={"entity": "company"})
    secret = CompanyFactory(owner=cast.rep2, team=cast.south)
    mine = CompanyFactory(owner=cast.rep, team=cast.north, custom={"parent": str(secret.pk), "old": 1})
    ContactFactory(owner=cast.rep, team=cast.north, company=mine)
    found = api(cast.rep).get(URL, {"expand": "company"}).json()["results"][0]
    assert found["company"]["custom"] == {"old": 1}


# --- indexes ----------------------------------------------------------------------------------------
def plan(client: APIClient, query: dict[str, str]) -> str:
    """The plan of the statement that the list runs, with sequential scans made unattractive."""
    with CaptureQueriesContext(connection) as asked:
        assert client.get(URL, query).status_code == 200
    sql = next(q["sql"] for q in asked if 'FROM "contacts_contact"' in q["sql"] and "LIMIT" in q["sql"])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"SET LOCAL enable_sort = {'off' if 'ordering' in query else 'on'}")
        cursor.execute("EXPLAIN " + sql)
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_indexes_come_serve_and_go(fields: None, cast: Cast, api: Api) -> None:
    for number in range(300):
        ContactFactory(
            custom={"number": number, "text": f"t{number}", "multichoice": ["gold"], "choice": "ag"}
        )
    try:
        assert field_indexes_keep() == (8, 0)
        assert field_indexes_keep() == (0, 0)
        assert all(valid for valid, _busy in existing().values())
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE contacts_contact")
        client = api(cast.admin)
        by_key = {
            key: index_of(every("contact")[key]).name for key in ("number", "text", "choice", "multichoice")
        }
        assert by_key["number"] in plan(client, {"custom__number__gte": "299"})
        assert by_key["number"] in plan(
            client, {"ordering": "-custom__number", "custom__number__isset": "true"}
        )
        assert by_key["text"] in plan(client, {"custom__text": "T7"})
        assert by_key["multichoice"] in plan(client, {"custom__multichoice": "ag"})
        assert by_key["choice"] in plan(
            client, {"conditions": '{"field": "custom.choice", "op": "eq", "value": "gold"}'}
        )
        assert by_key["multichoice"] in plan(
            client, {"conditions": '{"field": "custom.multichoice", "op": "has_any", "value": ["ag"]}'}
        )
        ContactFactory(
            custom={"text": "x" * 100_000, "choice": "y" * 5000, "number": "z" * 9000}
        )  # still fits
        CustomField.objects.filter(key="number").update(archived=True, version=2)
        CustomField.objects.filter(key="text").update(filterable=False, version=2)
        assert field_indexes_keep() == (0, 2)
        assert len(existing()) == 6
    finally:
        CustomField.objects.all().delete()
        field_indexes_keep()
    assert existing() == {}


@pytest.mark.django_db(transaction=True)
def test_an_index_that_a_killed_worker_left_is_made_again(fields: None) -> None:
    CustomField.objects.exclude(key="number").delete()
    index = index_of(every("contact")["number"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(index.statement)
            cursor.execute(
                "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [index.name]
            )
        assert existing() == {index.name: (False, False)}
        assert field_indexes_keep() == (1, 1)
        assert existing() == {index.name: (True, False)}
    finally:
        CustomField.objects.all().delete()
        field_indexes_keep()


def test_never_inside_a_transaction(db: None) -> None:
    with pytest.raises(transaction.TransactionManagementError):
        field_indexes_keep()


def test_an_export_holds_what_the_list_shows(people: dict[str, Contact], cast: Cast, web: Web) -> None:
    shown = "first,custom.text,custom.number,custom.money,custom.date,custom.choice"
    url = reverse("contacts:list")
    for columns, links in ((f"name,{shown}", False), (f"name,{shown},custom.multichoice,custom.link", True)):
        query = f"{url}?columns={columns}&ordering=-custom__money&custom__money__gte=1"
        answer = web(cast.manager).post(query, {"_export": "1"})
        assert answer.status_code == 200, answer.content
        rows = list(csv.reader(io.StringIO(answer.content.decode().removeprefix("\ufeff"))))
        assert [row[0].split()[0] for row in rows[1:]] == ["bob", "cleo", "ada"]
        assert rows[3][1:6] == ["Zebra", "2", "9.50", "2026-03-01", "Gold"]
        if links:
            assert rows[3][6:] == ["Gold Silver", "Acme"]
