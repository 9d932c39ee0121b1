"""A consumer with set-based effects (Pulse) against COPY of the same activities, and the price of an idle look.

Activities come in visits of five of one customer, anywhere among all customers. At its worst every activity is of
another customer: then each of them is an update of another row.
"""

import statistics
from typing import Any

from contacts.consumers.pulse import PulseConsumer
from crmcem.lib.stream import Consumer, consumers
from crmcem.lib.stream_runner import poll, run

from .stream import contact_ids, copy_orders, copy_sessions, forget, newest, pulses, put_back, skip
from .timing import Line, busy, percentile

SIZES = ("100k", "1M")
EVENTS = 25_000
BATCHES = (1000, 2000, 5000)
ROUNDS = 3


def measure() -> dict[str, Any]:
    skip()
    start, ids = newest(), contact_ids(EVENTS)
    visitors = ids[: EVENTS // 5]
    before = pulses(ids)
    consumer = consumers[PulseConsumer.name]
    usual = type(consumer).batch_size
    taken: dict[str, list[float]] = {}
    try:
        for _ in range(ROUNDS):
            for batch in BATCHES:
                type(consumer).batch_size = batch
                taken.setdefault("copy", []).append(busy(lambda: copy_sessions(visitors)))
                taken.setdefault(f"batches of {batch}", []).append(busy(lambda: _all(consumer)))
            taken.setdefault("copy of singles", []).append(busy(lambda: copy_orders(ids)))
            taken.setdefault("singles", []).append(busy(lambda: _all(consumer)))
            forget(start)
    finally:
        type(consumer).batch_size = usual
        forget(start)
        put_back(before)
        skip()
    poll()
    looks = [busy(poll) for _ in range(300)]
    rates = {name: EVENTS / statistics.median(values) for name, values in taken.items()}
    return rates | {"poll": percentile(looks, 0.5)}


def _all(consumer: Consumer) -> None:
    handled = run(consumer)
    if handled != EVENTS:
        raise RuntimeError(f"{consumer.name} has handled {handled}, not {EVENTS}")


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    figures = list(found.values())[-1]
    pairs = [(f"batches of {batch}", "copy") for batch in BATCHES]
    pairs.append(("singles", "copy of singles"))
    result = [
        Line(
            f"consumer (Pulse), {name} ÷ COPY",
            figures[name] / figures[copy],
            "≥ 1",
            f"{figures[name]:,.0f}/s against {figures[copy]:,.0f}/s",
        )
        for name, copy in pairs
    ]
    return [
        *result,
        Line("idle poll", 1000 * figures["poll"], "≤ 2", f"{len(consumers.keys())} consumers", " ms"),
    ]
