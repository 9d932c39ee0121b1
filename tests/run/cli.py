"""Helpers to start the command line of `crmcem.run` as a person would, in a folder of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHOSEN = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "PORT",
    "BASE_URL",
    "DEBUG",
    "DEMO",
    "STATIC_ROOT",
    "EMAIL_URL",
)

#: a program that runs the statement in its first argument and prints the rows
SQL = """
import os, sys, psycopg2
connection = psycopg2.connect(os.environ["DATABASE_URL"])
connection.autocommit = True
cursor = connection.cursor()
cursor.execute(sys.argv[1])
if cursor.description:
    print(cursor.fetchall())
"""


def plain_environment(**extra: str) -> dict[str, str]:
    """This process's environment without anything that names a server or a choice of the developer."""
    names = {*CHOSEN, *(f"{name}_FILE" for name in CHOSEN), "DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return kept | {"PYTHONPATH": str(ROOT)} | extra


def descendants(word: str) -> list[int]:
    """The live processes whose command line, environment or working folder mentions the word."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            text += os.readlink(folder / "cwd").encode()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if word.encode() in text and state != "Z":
            found.append(int(folder.name))
    return found


def cmdline(pid: int) -> bytes:
    """The command line of a process, words separated by NUL; empty where it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def eventually(check: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether the check comes true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if check():
            return True
        time.sleep(0.005)
    return check()


class Cli:
    """`python -m crmcem.run --var FOLDER …`; every process it starts carries a mark, so none can hide."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.mark = f"crmcem-test-{os.getpid()}-{var.parent.name}"
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "crmcem.run", "--var", str(self.var), *arguments],
            cwd=ROOT,
            env=plain_environment(CRMCEM_TEST_MARK=self.mark, **extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **extra)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def left(self) -> list[int]:
        """The processes of this test that still live: marked, or working in its folder."""
        return sorted({*descendants(self.mark), *descendants(str(self.var))})

    def runs(self, beginning: bytes, word: bytes = b"") -> bool:
        """Whether a process of this test has a command line that begins like that and holds the word."""
        lines = [cmdline(pid) for pid in self.left()]
        return any(line.startswith(beginning) and word in line for line in lines)

    def cleanup(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        eventually(lambda: not self.left())
        for pid in self.left():
            os.kill(pid, 9)
