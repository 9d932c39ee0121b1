"""A web process does not look through what stays for good."""

import subprocess
import sys

SAYS = """
import gc
before = gc.get_threshold()
from crmcem.lib.garbage import YOUNG, settle
kept = [[] for _ in range(1000)]
settle()
print(gc.isenabled(), gc.get_freeze_count() > 1000, gc.get_threshold()[0] == YOUNG > before[0])
"""


def test_what_is_loaded_is_frozen_and_the_collector_goes_on_seldom() -> None:
    said = subprocess.run([sys.executable, "-c", SAYS], check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["True", "True", "True"]


def test_the_web_process_settles() -> None:
    program = "import crmcem.wsgi, gc; print(gc.get_freeze_count() > 10_000)"
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["True"]
