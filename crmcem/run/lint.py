"""`make lint`: every check of the code, one after the other; all of them run, then the failures are named."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from crmcem.run.assets import say

ROOT = Path(__file__).resolve().parents[2]

STEPS: Sequence[tuple[str, Sequence[str]]] = (
    ("style", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "--quiet", "."]),
    ("repository", [sys.executable, "-m", "crmcem.run.checks"]),
    ("templates", ["djlint", "templates", "--lint", "--quiet"]),
    ("layers", ["lint-imports"]),
    ("settings", [sys.executable, "manage.py", "check", "--fail-level", "WARNING"]),
    ("migrations missing", [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"]),
    ("migrations safe", [sys.executable, "-m", "crmcem.run.migrations"]),
    ("types", ["mypy"]),
)


def main() -> int:
    """Run the steps; 1 where any of them found something."""
    failed = []
    for name, command in STEPS:
        began = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        verdict = "failed" if done.returncode else "ok"
        say(f"{name:20} {verdict:6} {time.monotonic() - began:5.1f} s")
        if done.returncode:
            failed.append(name)
            say(done.stdout)
    if failed:
        say(f"make lint found something in: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
