"""venv.sh, with stand-ins for Python: what is missing is one plain sentence."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "crmcem" / "run" / "venv.sh"


class Machine:
    """A checkout and a PATH with nothing on it but the usual tools and what a test adds."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.bin = folder / "bin"
        self.root.mkdir()
        self.bin.mkdir()
        (self.root / "requirements.lock").write_text("a==1 --hash=sha256:00\n")
        for tool in ("sh", "cmp", "cp", "rm", "mktemp", "grep", "tail", "mkdir", "cat", "chmod"):
            (self.bin / tool).symlink_to(str(shutil.which(tool)))

    def add(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def run(self, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "sh"), str(SCRIPT), "requirements.lock", ".requirements"],
            cwd=self.root,
            env={"PATH": str(self.bin), "TMPDIR": os.environ.get("TMPDIR", "/tmp")} | extra,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


#: a Python that is new enough, has venv, and whose virtual environments are itself
GOOD = """
case "$*" in
  --version) echo Python 3.12.1 ;;
  "-m venv .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  "-m pip install"*) echo "$*" >>calls; {pip} ;;
  *) exit 0 ;;
esac
"""


def test_no_python_is_one_sentence(machine: Machine) -> None:
    done = machine.run()
    assert (done.returncode, done.stderr) == (
        1,
        "crmcem needs Python 3.11 or newer, but this machine has no python3; install one or name it with"
        " PYTHON=/path.\n",
    )


def test_an_old_python_is_one_sentence(machine: Machine) -> None:
    machine.add("python3", 'case "$1" in --version) echo Python 3.9.2 ;; *) exit 1 ;; esac')
    done = machine.run()
    assert (done.returncode, done.stderr) == (
        1,
        "crmcem needs Python 3.11 or newer, but this machine has Python 3.9.2; install one or name it with"
        " PYTHON=/path.\n",
    )


def test_a_newer_python_beside_an_old_one_is_found(machine: Machine) -> None:
    machine.add("python3", "exit 1")
    machine.add("python3.12", GOOD.format(pip="exit 0"))
    assert machine.run().returncode == 0
    assert (machine.root / ".venv/.requirements").read_text() == "a==1 --hash=sha256:00\n"


def test_a_missing_venv_module_is_one_sentence(machine: Machine) -> None:
    machine.add("python3", 'case "$2" in *"import venv"*) exit 1 ;; *) exit 0 ;; esac')
    done = machine.run()
    assert (done.returncode, done.stderr) == (
        1,
        "Python's venv module is missing; on Debian and Ubuntu install it with: apt install python3-venv\n",
    )
    assert not (machine.root / ".venv").exists()


def test_packages_are_installed_by_hash_once_per_lock(machine: Machine) -> None:
    machine.add("python3", GOOD.format(pip="exit 0"))
    assert machine.run().returncode == 0
    assert machine.run().stdout == ""
    (machine.root / "requirements.lock").write_text("a==2 --hash=sha256:11\n")
    assert machine.run().returncode == 0
    calls = (machine.root / "calls").read_text().splitlines()
    assert len(calls) == 2
    assert all("--require-hashes -r requirements.lock" in call for call in calls)


def test_a_failing_installation_is_one_sentence_and_tried_again(machine: Machine) -> None:
    machine.add("python3", GOOD.format(pip="echo 'ERROR: No space left on device'; exit 1"))
    done = machine.run()
    assert (done.returncode, done.stderr) == (
        1,
        "The Python packages could not be installed: ERROR: No space left on device\n",
    )
    machine.add("python3", GOOD.format(pip="exit 0"))
    shutil.rmtree(machine.root / ".venv")
    assert machine.run().returncode == 0


def test_a_working_environment_is_never_recreated(machine: Machine) -> None:
    machine.add("python3", GOOD.format(pip="exit 0"))
    assert machine.run().returncode == 0
    (machine.root / ".venv/own").touch()
    (machine.root / "requirements.lock").write_text("a==2 --hash=sha256:11\n")
    assert machine.run().returncode == 0
    assert (machine.root / ".venv/own").exists()


def test_a_broken_environment_is_one_sentence(machine: Machine) -> None:
    machine.add("python3", GOOD.format(pip="exit 0"))
    (machine.root / ".venv").mkdir()
    done = machine.run()
    assert (done.returncode, done.stderr) == (
        1,
        "The folder .venv holds no working Python 3.11 or newer; delete it and try again.\n",
    )
