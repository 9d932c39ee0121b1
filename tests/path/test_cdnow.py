"""One real customer after another walks the whole path, through the public API and the public page only.

2,357 customers of the CDNOW sample are imported, their 6,919 purchases sent as events (shuffled, with duplicates),
an automation asks whoever bought twice within 90 days, and they answer on the page that the e-mail leads to. What the
product tells then is compared with a recomputation in plain Python from the file and the answers.
"""

import csv
import datetime as dt
import io
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from analytics.demo.cdnow import Purchase, by_customer
from contacts.importing import runner
from contacts.services.outbox import send_messages
from crmcem.lib.stream_runner import pump
from journeys.defaults import survey_after_second_order
from journeys.engine.advance import advance_due
from tests.conftest import Cast, _roles

V1 = "/api/v1"
WINDOW = 90
COMMENTS = {
    "promoter": ["Wonderful shop, I love it.", "Great service and fast delivery!", ""],
    "passive": ["It was okay.", ""],
    "detractor": ["Terrible, my parcel was late again.", "Very bad experience, I am disappointed.", ""],
}


@dataclass
class Expected:
    """What must come of it, told from the file and the answers alone."""

    orders: dict[str, list[Purchase]]
    asked: set[str] = field(default_factory=set)
    scores: dict[str, int] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> Counter[str]:
        return Counter(group_of(score) for score in self.scores.values())

    @property
    def nps(self) -> float:
        return 100 * (self.groups["promoter"] - self.groups["detractor"]) / len(self.scores)


def group_of(score: int) -> str:
    return "promoter" if score >= 9 else "passive" if score >= 7 else "detractor"


def email_of(customer: str) -> str:
    return f"customer-{customer}@cdnow.example"


def expectation() -> Expected:
    orders = by_customer(timezone.localdate())
    asked = {
        customer
        for customer, rows in orders.items()
        if any((b.day - a.day).days <= WINDOW for a, b in pairwise(sorted(rows, key=lambda row: row.day)))
    }
    return Expected(orders, asked)


def read_stream() -> None:
    """Consumers, runs and the outbox, until nothing is left to do: what the worker does all day."""
    while pump(seconds=300) + advance_due(seconds=300) + send_messages():
        pass


@pytest.mark.django_db(transaction=True)
def test_customers_walk_all_the_way(cast: Cast, api: Callable[..., APIClient]) -> None:
    _roles()
    client = api(cast.integrator)
    expected = expectation()
    chance = random.Random(90)
    assert len(expected.orders) == 2357
    assert 500 < len(expected.asked) < 1500

    survey = survey_of(client)
    definition = survey_after_second_order(survey)
    made = client.post(
        f"{V1}/automations/", {"name": "Second order", "definition": definition, "status": "active"}
    )
    assert made.status_code == 201, made.json()

    import_customers(client, expected.orders)
    read_stream()
    assert not mail.outbox
    send_purchases(client, expected.orders, chance)
    read_stream()

    # exactly those customers got exactly one invitation
    sent = [address for message in mail.outbox for address in message.to]
    assert sorted(sent) == sorted(email_of(customer) for customer in expected.asked)

    answer(expected, chance)
    read_stream()
    compare_metrics(client, expected, survey)
    compare_pulse(client, expected)
    compare_timelines(client, expected, chance)
    compare_cases(client, expected)
    compare_answers(client, expected, survey)

    # the same again changes nothing
    send_purchases(client, expected.orders, chance, again=True)
    read_stream()
    assert len(mail.outbox) == len(expected.asked)
    compare_pulse(client, expected)


def survey_of(client: APIClient) -> str:
    data = {"name": "After the second order", "kind": "nps", "languages": ["en"], "status": "live"}
    made = client.post(f"{V1}/surveys/", data)
    assert made.status_code == 201, made.json()
    return str(made.json()["id"])


def everything(client: APIClient, path: str, **params: str) -> list[dict[str, Any]]:
    """All rows of a list, page by page."""
    query = "&".join(f"{name}={value}" for name, value in {"page_size": "200", **params}.items())
    url: str | None = f"{V1}/{path}/?{query}"
    rows: list[dict[str, Any]] = []
    while url:
        page = client.get(url).json()
        rows += page["results"]
        url = page["next"]
    return rows


def import_customers(client: APIClient, customers: Iterable[str]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Customer id", "First name", "Last name", "E-mail"])
    for customer in customers:
        writer.writerow([f"CDNOW-{customer}", "Customer", customer, email_of(customer).upper()])
    mapping = '{"Customer id": "external_id", "First name": "first_name", "Last name": "last_name", "E-mail": "email"}'
    file = SimpleUploadedFile("cdnow.csv", text.getvalue().encode(), content_type="text/csv")
    data = {"file": file, "object": "contacts", "mapping": mapping, "mode": "create"}
    job = client.post(f"{V1}/imports/", data, format="multipart").json()
    assert runner.run(int(job["id"])) == "done"
    job = client.get(f"{V1}/imports/{job['id']}/").json()
    assert (job["status"], job["created"], job["failed"]) == ("done", 2357, 0)


def send_purchases(
    client: APIClient, orders: dict[str, list[Purchase]], chance: random.Random, again: bool = False
) -> None:
    """In batches of 1,000, in any order, one in eight twice; the stream is read in between."""
    events = []
    for number, row in enumerate(row for rows in orders.values() for row in rows):
        who = {"external_id": f"CDNOW-{row.customer}"} if number % 2 else {"email": email_of(row.customer)}
        events.append(
            {
                "message_id": f"purchase-{number}",
                "event": "order.placed",
                "occurred_at": f"{row.day}T12:00:00Z" if row.day < timezone.localdate() else None,
                "contact": who,
                "properties": {"amount": str(row.amount), "items": row.items},
            }
        )
    total = len(events)
    assert total == 6919
    events += chance.sample(events, total // 8)
    chance.shuffle(events)
    accepted = duplicates = 0
    for start in range(0, len(events), 1000):
        said = client.post(f"{V1}/events/batch/", {"events": events[start : start + 1000]}).json()
        assert said["rejected"] == []
        accepted, duplicates = accepted + said["accepted"], duplicates + said["duplicates"]
        if start % 3000 == 0:
            pump(seconds=60)
    assert (accepted, duplicates) == ((0, len(events)) if again else (total, total // 8))


def answer(expected: Expected, chance: random.Random) -> None:
    """Nine in ten follow the link of their e-mail, fill in the form and send it; some try it twice."""
    by_address = {email_of(customer): customer for customer in expected.asked}
    for message in mail.outbox:
        customer = by_address[message.to[0]]
        [link] = set(re.findall(r"https?://[^/\s]+(/s/[^/\s]+/)(?![^\s]*score)", message.body))
        if chance.random() < 0.1:
            continue
        score = min(10, max(0, round(chance.gauss(8, 2))))
        text = chance.choice(COMMENTS[group_of(score)])
        browser = Client(enforce_csrf_checks=True)
        page = browser.get(f"{link}?score={score}")
        assert page.status_code == 200
        form = {"csrfmiddlewaretoken": browser.cookies["csrftoken"].value, "nps": str(score), "comment": text}
        assert browser.post(link, form).status_code in (200, 302)
        if chance.random() < 0.05:
            browser.post(link, form | {"nps": "0"})
        expected.scores[customer], expected.comments[customer] = score, text


def compare_metrics(client: APIClient, expected: Expected, survey: str) -> None:
    groups = expected.groups
    [row] = client.get(f"{V1}/metrics/nps/", {"survey": survey}).json()
    assert row["n"] == len(expected.scores)
    figures = (row["promoters"], row["passives"], row["detractors"])
    assert figures == (groups["promoter"], groups["passive"], groups["detractor"])
    assert row["value"] == pytest.approx(expected.nps)
    [rate] = client.get(f"{V1}/metrics/response-rate/", {"survey": survey}).json()
    assert rate["n"] == len(expected.asked)
    assert rate["value"] == pytest.approx(100 * len(expected.scores) / len(expected.asked))


def compare_pulse(client: APIClient, expected: Expected) -> None:
    """Every customer's Pulse, page by page."""
    rows = everything(client, "contacts", fields="external_id,pulse,id")
    found = {row["external_id"].removeprefix("CDNOW-"): row["pulse"] for row in rows}
    assert found.keys() == expected.orders.keys()
    for customer, orders in expected.orders.items():
        pulse = found[customer]
        score = expected.scores.get(customer)
        assert pulse["orders"] == len(orders), customer
        assert Decimal(pulse["revenue"]["amount"]) == sum(row.amount for row in orders), customer
        assert pulse["nps"] == score, customer
        assert pulse["open_cases"] == (1 if score is not None and score <= 6 else 0), customer


def compare_timelines(client: APIClient, expected: Expected, chance: random.Random) -> None:
    """Twelve customers of each sort: everything that happened to them, once, in the order of time."""
    bad = [c for c, score in expected.scores.items() if score <= 6]
    good = [c for c, score in expected.scores.items() if score > 6]
    silent = sorted(expected.orders.keys() - expected.asked)
    for customer in [*chance.sample(bad, 12), *chance.sample(good, 12), *chance.sample(silent, 12)]:
        [row] = client.get(f"{V1}/contacts/", {"external_id": f"CDNOW-{customer}"}).json()["results"]
        page = client.get(f"{V1}/contacts/{row['id']}/timeline/", {"page_size": 200}).json()
        kinds = Counter(activity["kind"] for activity in page["results"])
        told = kinds.pop("milestone.order", 0)  # only of orders of the last days: how many depends on today
        assert told <= len(expected.orders[customer])
        wanted = Counter({"contact.created": 1, "order.placed": len(expected.orders[customer])})
        if customer in expected.asked:
            wanted |= Counter(
                ["automation.started", "automation.done", "survey.invited", "message.sent", "survey.answered"]
            )
        if customer in bad:
            wanted["case.opened"] = 1
        assert kinds == wanted, customer
        times = [dt.datetime.fromisoformat(activity["occurred_at"]) for activity in page["results"]]
        assert times == sorted(times, reverse=True)


def compare_cases(client: APIClient, expected: Expected) -> None:
    """One open case for each bad answer, with the customer's words, at the customer's owner."""
    bad = {customer for customer, score in expected.scores.items() if score <= 6}
    cases = everything(client, "cases", expand="contact")
    found = [case["contact"]["external_id"].removeprefix("CDNOW-") for case in cases]
    assert sorted(found) == sorted(bad)
    for customer, case in zip(found, cases, strict=True):
        assert (case["status"], case["source"]) == ("open", "survey")
        assert case["body"] == expected.comments[customer]
        assert case["owner"] == case["contact"]["owner"]


def compare_answers(client: APIClient, expected: Expected, survey: str) -> None:
    """Every invitation's state and every answer as it was given."""
    ids = {row["id"]: row["external_id"].removeprefix("CDNOW-") for row in everything(client, "contacts")}
    asked = {ids[row["contact"]]: row["status"] for row in everything(client, "invitations", survey=survey)}
    assert asked == {c: "answered" if c in expected.scores else "sent" for c in expected.asked}
    rows = everything(client, "responses", survey=survey)
    assert {ids[row["contact"]]: row["nps"] for row in rows} == expected.scores
    assert {ids[row["contact"]]: row["comment"] for row in rows} == expected.comments
    assert len(rows) == len(expected.scores)
