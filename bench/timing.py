"""Measuring: things that are compared run in turns, and the median counts.

The machine may have other work. So what takes milliseconds is measured by the time that this process and its
database connection are really at work (``busy``), which waiting for a processor doesn't change.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: what was measured, the figure, its bound (``>=`` or ``<=``), and how it came about."""

    text: str
    value: float
    bound: str
    note: str = ""
    unit: str = ""

    @property
    def holds(self) -> bool:
        sign, limit = self.bound.split()[:2]
        return self.value >= float(limit) if sign == "≥" else self.value <= float(limit)


def _worked() -> float:
    """Seconds of processor time of this process and of the server process of its connection, if it is here."""
    from django.db import connection

    own = time.process_time()
    if connection.connection is None:
        return own
    try:
        said = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text()
    except OSError:
        raise RuntimeError("Run the benches on the machine of the database: see crmcem.run exec.") from None
    return own + int(said.split()[0]) / 1e9


def busy(run: Callable[[], Any]) -> float:
    """How long one run is really at work."""
    begin = _worked()
    run()
    return _worked() - begin


def seconds(run: Callable[[], Any]) -> float:
    """How long one run takes."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def interleaved(runs: Mapping[str, Callable[[], Any]], rounds: int = 15, warm: int = 2) -> dict[str, float]:
    """``{name: median busy seconds}`` of ``rounds`` turns, after ``warm`` turns that don't count."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    gc.collect()
    for turn in range(warm + rounds):
        for name, run in runs.items():
            spent = busy(run)
            if turn >= warm:
                taken[name].append(spent)
    return {name: statistics.median(values) for name, values in taken.items()}


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
