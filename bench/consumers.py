"""A consumer with set-based effects (Pulse) against COPY of the same activities, and the price of an idle look.

Like with like: both work in batches of the same size, a transaction each. COPY of everything in one transaction stands
beside it. Activities come in visits of five of one customer, anywhere among all customers. At its worst every activity
is of another customer: then each of them is an update of another row.
"""

import statistics
from collections.abc import Callable
from typing import Any

from contacts.consumers.pulse import PulseConsumer
from crmcem.lib.stream import StreamConsumer, consumers
from crmcem.lib.stream_runner import poll, run

from .stream import contact_ids, copy_orders, copy_sessions, forget, newest, pulses, put_back, skip
from .timing import Line, busy, percentile

SIZES = ("100k", "1M")
EVENTS = 25_000
VISIT = 5
BATCHES = (1000, 2000, 5000)
ROUNDS = 3


def measure() -> dict[str, Any]:
    skip()
    start, ids = newest(), contact_ids(EVENTS)
    visitors = ids[: EVENTS // VISIT]
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
                copied = busy(lambda batch=batch: _copies(copy_sessions, visitors, batch // VISIT))
                taken.setdefault(f"copies of {batch}", []).append(copied)
                taken[f"batches of {batch}"].append(busy(lambda: _all(consumer)))
            taken.setdefault("copies of singles", []).append(
                busy(lambda: _copies(copy_orders, ids, BATCHES[-1]))
            )
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


def _copies(copy: Callable[[list[int]], None], ids: list[int], size: int) -> None:
    for at in range(0, len(ids), size):
        copy(ids[at : at + size])


def _all(consumer: StreamConsumer) -> None:
    handled = run(consumer)
    if handled != EVENTS:
        raise RuntimeError(f"{consumer.name} has handled {handled}, not {EVENTS}")


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    figures = list(found.values())[-1]
    pairs = [(f"batches of {batch}", f"copies of {batch}", "≥ 1") for batch in BATCHES]
    pairs.append(("singles", "copies of singles", "≥ 0.5"))
    result = [
        Line(
            f"consumer (Pulse), {name} ÷ COPY in such batches",
            figures[name] / figures[copies],
            bound,
            f"{figures[name]:,.0f}/s against {figures[copies]:,.0f}/s"
            + (f"; in one COPY {figures['copy']:,.0f}/s" if copies != "copies of singles" else ""),
        )
        for name, copies, bound in pairs
    ]
    return [
        *result,
        Line("idle poll", 1000 * figures["poll"], "≤ 2", f"{len(consumers.keys())} consumers", " ms"),
    ]
