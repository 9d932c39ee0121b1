"""Random rows and random conditions over them."""

import random
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from contacts.models import Activity, Company, Contact, Pulse
from tests.lib.condition_oracle import CUSTOM, KINDS, NAMES, NOW, REGISTRY, STAGES, TAGS, TODAY


def random_payload(rng: random.Random) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    if rng.random() < 0.8:
        payload["amount"] = rng.choice(
            [0, 5, 10, 10.5, -3, "12.50", "x", None, True, [1], 10**30, "1e9", {"a": 1}]
        )
    if rng.random() < 0.7:
        payload["city"] = rng.choice(["Bonn", "BONN", "Köln", "", 5, None])
    if rng.random() < 0.5:
        payload["paid"] = rng.choice([True, False, "true", None])
    if rng.random() < 0.5:
        payload["day"] = rng.choice(
            [TODAY.isoformat(), f"{TODAY - timedelta(3)}T09:00:00Z", "2026-02-30x", "soon", 7]
        )
    if rng.random() < 0.3:
        payload["0"] = {"b": rng.choice([1, 2, "two"])}
    return payload


def make_data(seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    companies = Company.objects.bulk_create([Company(name=name) for name in ("Acme", "Bolt")])
    near = [
        timedelta(days=d, hours=h)
        for d in (-400, -90, -31, -30, -8, -7, -1, 0, 1, 40)
        for h in (-5, -1, 0, 1)
    ]
    contacts = Contact.objects.bulk_create(
        [
            Contact(
                first_name=rng.choice(NAMES),
                email=rng.choice([None, f"p{n}@example.com", f"q{n}@test.example"]),
                lifecycle_stage=rng.choice(STAGES),
                tags=rng.sample(TAGS, rng.randint(0, 2)),
                company=rng.choice([None, *companies]),
                custom=random_custom(rng),
            )
            for n in range(30)
        ]
    )
    pulses = {
        c.pk: Pulse(
            contact=c,
            nps=rng.choice([None, 0, 6, 10]),
            clv=rng.choice([None, Decimal("10.50"), Decimal(0)]),
            last_seen_at=rng.choice([None, NOW + rng.choice(near)]),
        )
        for c in contacts
        if rng.random() < 0.8
    }
    Pulse.objects.bulk_create(pulses.values())
    Activity.objects.bulk_create(
        [
            Activity(
                contact_id=rng.choice([None, *(c.pk for c in contacts)]),
                kind=rng.choice(KINDS),
                occurred_at=NOW + rng.choice(near),
                received_at=NOW,
                payload=random_payload(rng),
            )
            for _ in range(120)
        ]
    )
    activities = defaultdict(list)
    for activity in Activity.objects.all():
        activities[activity.contact_id].append(activity)
    return [
        {
            "pk": c.pk,
            "name": c.first_name,
            "email": c.email,
            "stage": c.lifecycle_stage,
            "tags": c.tags,
            "nps": getattr(pulses.get(c.pk), "nps", None),
            "clv": getattr(pulses.get(c.pk), "clv", None),
            "seen": getattr(pulses.get(c.pk), "last_seen_at", None),
            "company": c.company_id,
            "company.name": c.company.name if c.company else None,
            "custom": c.custom,
            "activities": activities[c.pk],
        }
        for c in contacts
    ]


def random_custom(rng: random.Random) -> dict[str, Any]:
    custom = {key: rng.choice(values) for key, values in CUSTOM.items() if rng.random() < 0.8}
    if rng.random() < 0.7:
        custom["date"] = rng.choice([TODAY.isoformat(), (TODAY - timedelta(31)).isoformat(), None, 3])
    if rng.random() < 0.7:
        custom["flag"] = rng.choice([True, False])
    if rng.random() < 0.7:
        custom["many"] = rng.choice([[], ["a"], ["a", "b"], "a", None])
    return custom


DAY_SPANS = st.sampled_from(
    [{"days": 1}, {"days": 7}, {"weeks": 1}, {"months": 1}, {"days": 90}, {"years": 1}]
)
SPANS = DAY_SPANS | st.sampled_from([{"hours": 1}, {"hours": 36}, {"minutes": 60}])
DAYS = st.sampled_from(["today", "yesterday", "tomorrow", TODAY.isoformat()]) | st.builds(
    lambda s: {"ago": s}, DAY_SPANS
)
MOMENTS = (
    DAYS
    | st.sampled_from(["now", NOW.isoformat(), (NOW - timedelta(days=7)).isoformat()])
    | st.builds(lambda w, s: {w: s}, st.sampled_from(["ago", "from_now"]), SPANS)
)
NUMBERS = st.sampled_from([0, 1, 5, 6, 10, 10.5, 2.5, "3", -3, "12.50"])
WORDS = st.sampled_from(
    ["ann", "b", "_", "%", "100%", "zoë", "'", "\\", "x", "acme", "@example", "P1", "bonn", "5", "two"]
)


def in_order(pair: tuple[Any, Any]) -> list[Any]:
    """Two moments; fixed ones with the earlier first, as the language asks for."""
    fixed = all(isinstance(moment, str) and moment[:1].isdigit() for moment in pair)
    return sorted(pair) if fixed else list(pair)


def leaf(
    names: list[str], ops: list[str], value: st.SearchStrategy[Any] | None, head: str = "field"
) -> st.SearchStrategy[Any]:
    shape: dict[str, Any] = {head: st.sampled_from(names), "op": st.sampled_from(ops)}
    return st.fixed_dictionaries(shape if value is None else shape | {"value": value})


def pairs(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([[a, b] for n, a in enumerate(values) for b in values[n:]])


TEXTS = ["name", "email", "company.name", "c.text"]
NUMERICS = ["nps", "clv", "c.number"]
DATES = ["eq", "ne", "on", "before", "after", "gt", "gte", "lt", "lte"]
LAST = ["on", "before", "after", "gt", "gte", "lt", "lte"]
COUNTED = ["eq", "ne", "gt", "gte", "lt", "lte"]
TEXT_OPS = ["eq", "ne", "contains", "not_contains", "starts_with", "ends_with"]
FIELD_LEAVES = st.one_of(
    leaf(TEXTS, TEXT_OPS, WORDS),
    leaf(TEXTS, ["in", "not_in"], st.lists(WORDS, min_size=1, max_size=3)),
    leaf([f.name for f in REGISTRY.fields() if f.name != "price"], ["is_set", "is_not_set"], None),
    leaf(NUMERICS, COUNTED, NUMBERS),
    leaf(NUMERICS, ["between"], pairs([0, 6, 10.5])),
    leaf(["stage"], ["eq", "ne"], st.sampled_from(STAGES)),
    leaf(["stage"], ["in", "not_in"], st.lists(st.sampled_from(STAGES), min_size=1)),
    leaf(["2024"], ["eq", "ne"], st.sampled_from(["in", "out"])),
    leaf(["2024"], ["in", "not_in"], st.lists(st.sampled_from(["in", "out"]), min_size=1)),
    leaf(
        ["tags", "c.many"],
        ["has_any", "has_all", "has_none"],
        st.lists(st.sampled_from(["a", "b", *TAGS]), min_size=1),
    ),
    leaf(["seen"], DATES, MOMENTS),
    leaf(["seen"], ["in_last", "in_next", "not_in_last"], SPANS),
    leaf(["seen"], ["between"], st.tuples(MOMENTS, MOMENTS).map(in_order)),
    leaf(["c.date"], DATES, DAYS),
    leaf(["c.date"], ["in_last", "in_next", "not_in_last"], DAY_SPANS),
    leaf(["c.flag"], ["eq", "ne"], st.booleans()),
)
EVENT_LEAVES = st.one_of(
    leaf(["amount", "city", "0.b"], COUNTED, st.sampled_from([0, 5, 10, 10.5]), "property"),
    leaf(["amount"], ["between"], pairs([-3, 5, 11]), "property"),
    leaf(["city", "amount", "0.b"], TEXT_OPS, WORDS, "property"),
    leaf(["city", "amount"], ["in", "not_in"], st.lists(WORDS, min_size=1, max_size=3), "property"),
    leaf(["paid", "city"], ["eq", "ne"], st.booleans(), "property"),
    leaf(["day", "amount"], ["before", "after", "on"], DAYS, "property"),
    leaf(["amount", "city", "day", "0.b", "none"], ["is_set", "is_not_set"], None, "property"),
)


def activity(shape: dict[str, Any]) -> st.SearchStrategy[Any]:
    head: dict[str, Any] = {"activity": st.sampled_from(KINDS), "within": SPANS}
    return st.fixed_dictionaries(head | shape, optional={"where": st.lists(EVENT_LEAVES, max_size=2)})


CLOSE = st.sampled_from(
    [{"days": 1}, {"weeks": 1}, {"days": 400}, {"hours": 24}, {"hours": 5}, {"minutes": 1}]
)
ACTIVITY_LEAVES = st.one_of(
    activity({"op": st.sampled_from(COUNTED), "count": st.integers(0, 4)}),
    activity({"op": st.just("gte"), "count": st.integers(2, 3), "together": CLOSE}),
    activity({"op": st.just("between"), "count": pairs([0, 1, 2, 3])}),
    activity(
        {"op": st.sampled_from(COUNTED), "sum": st.sampled_from([-3, 0, 10, 22.5]), "of": st.just("amount")}
    ),
    activity({"op": st.just("between"), "sum": pairs([-3, 0, 10]), "of": st.just("amount")}),
    activity({"op": st.sampled_from(LAST), "last": MOMENTS}),
    activity({"op": st.sampled_from(["in_last", "not_in_last"]), "last": SPANS}),
)


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"not": inner}),
        ),
        max_leaves=6,
    )
