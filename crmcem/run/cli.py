"""The command line of `python -m crmcem.run`."""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from crmcem.run import assets
from crmcem.run.errors import RunError
from crmcem.run.execute import execute
from crmcem.run.process import PR_SET_PDEATHSIG
from crmcem.run.profiles import PROFILES
from crmcem.run.serve import Supervisor

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str]) -> int:
    """Run one command. What a person can mend is one sentence on stderr and exit code 1."""
    options = parser().parse_args(argv)
    try:
        if options.stop_with_parent:
            stop_with_parent()
        return run(options)
    except RunError as problem:
        sys.stderr.write(f"{problem}\n")
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        sys.stderr.write(f"{problem.filename or ROOT} cannot be written: {problem.strerror}.\n")
    return 1


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    top = argparse.ArgumentParser(prog="python -m crmcem.run", description="Run crmcem on one machine.")
    top.add_argument(
        "--stop-with-parent", action="store_true", help="stop when the process that started this one ends"
    )
    top.add_argument("--var", type=Path, default=ROOT / "var", help="the folder for data, secrets and logs")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="web server, worker, beat and the servers they need")
    fetch = commands.add_parser("assets", help="fetch the browser files into static/vendor")
    fetch.add_argument("--force", action="store_true", help="fetch them again even if they are up to date")
    around = commands.add_parser("exec", help="run a command with database and broker around it")
    around.add_argument("--profile", choices=sorted(PROFILES), default="run")
    around.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    return top


def run(options: argparse.Namespace) -> int:
    """Dispatch to the command."""
    var = options.var.resolve()
    if options.command == "serve":
        return Supervisor(ROOT, var).run()
    if options.command == "exec":
        words = options.words[1:] if options.words[:1] == ["--"] else options.words
        return execute(ROOT, var, options.profile, words)
    assets.fetch(ROOT, force=options.force)
    return 0


def stop_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent (make) is killed."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        raise RunError("The process that started this one has gone.")
