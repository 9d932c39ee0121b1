"""``python -m bench``: fill the databases, run the benches one after the other, print the table."""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from typing import Any

import django

from .database import SIZES, ensure, environment
from .timing import Line

BENCHES = (
    "imports",
    "exports",
    "events",
    "consumers",
    "lists",
    "counts",
    "timelines",
    "searches",
    "duplicates",
    "segments",
    "dashboards",
    "surveys",
    "queries",
)


def main() -> int:
    """Returns 1 where a bound was missed."""
    options = _options()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crmcem.settings")
    django.setup()
    sizes = list(SIZES)[: list(SIZES).index(options.size) + 1]
    for size in sizes:
        ensure(size, fresh=options.fresh)
    lines: list[Line] = []
    for name in options.only or BENCHES:
        module = importlib.import_module(f"bench.{name}")
        wanted = [size for size in sizes if size in module.SIZES]
        found: dict[str, dict[str, Any]] = {}
        for size in wanted or sizes[-1:]:
            found[size] = _measure(name, size)
        lines += module.lines(found)
        for line in module.lines(found):
            print(_shown(line), flush=True)
    print()
    _print_table(lines)
    return 0 if all(line.holds for line in lines) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--size", choices=[*SIZES], default="1M", help="the largest database")
    parser.add_argument("--only", action="append", choices=BENCHES, help="only this bench (may be repeated)")
    parser.add_argument("--fresh", action="store_true", help="fill the databases anew")
    return parser.parse_args()


def _measure(name: str, size: str) -> dict[str, Any]:
    begin = time.monotonic()
    print(f"{name} at {size} …", end=" ", flush=True)
    command = [sys.executable, "-m", "bench.worker", name]
    said = subprocess.run(
        command, env=environment(size), check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    print(f"{time.monotonic() - begin:.0f} s", flush=True)
    result = next(line for line in reversed(said.splitlines()) if line.startswith("RESULT "))
    figures: dict[str, Any] = json.loads(result.removeprefix("RESULT "))
    return figures


def _shown(line: Line) -> str:
    mark = "ok    " if line.holds else "MISSED"
    return f"  {mark} {line.text}: {line.value:.3g}{line.unit} ({line.bound}{line.unit}) {line.note}"


def _print_table(lines: list[Line]) -> None:
    print("| what | measured | bound | holds | how |")
    print("|---|---:|---:|---|---|")
    for line in lines:
        holds = "yes" if line.holds else "**no**"
        print(
            f"| {line.text} | {line.value:.3g}{line.unit} | {line.bound}{line.unit} | {holds} | {line.note} |"
        )
    missed = sum(not line.holds for line in lines)
    print(f"\n{len(lines)} bounds, {missed} missed.")


if __name__ == "__main__":
    raise SystemExit(main())
