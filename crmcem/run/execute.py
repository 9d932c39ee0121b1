"""`exec [--profile NAME] -- COMMAND …`: run a command with servers of its own around it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crmcem.run import environment
from crmcem.run.errors import RunError, StopRequestedError
from crmcem.run.process import Child, Program, Signals, stop_all
from crmcem.run.profiles import PROFILES
from crmcem.run.servers import Servers, address_of_running

COMMAND_SECONDS = 20.0


def execute(root: Path, var: Path, profile_name: str, command: Sequence[str]) -> int:
    """Run the command and return its exit code (128 + number where a signal ended it).

    With the profile `run`, and `serve` running in this folder, the command joins its servers.
    """
    if not command:
        raise RunError("Say which command to run: python -m crmcem.run exec -- COMMAND …")
    signals = Signals()
    signals.install()
    profile = PROFILES[profile_name]()
    variables = environment.base(root)
    servers = Servers(var, profile, signals)
    if profile_name == "run":
        address_of_running(var, variables, profile)
    clean = False
    try:
        servers.open(variables, alone=False)
        code = _run(
            servers, Program(name="command", command=command, environment=variables, folder=Path.cwd())
        )
        clean = True
    except StopRequestedError:
        return 128 + signals.last
    finally:
        servers.close(clean=clean)
    return code if code >= 0 else 128 - code


def _run(servers: Servers, program: Program) -> int:
    """Run the program to its end, passing on the signals that arrive here."""
    child = Child.start(program, servers.watchdog)
    try:
        return child.wait(servers.signals)
    except StopRequestedError:
        number = servers.signals.last
        child.signal(number)
        stop_all([child], COMMAND_SECONDS, servers.signals)
        return 128 + number
