"""What can end a command early."""

from __future__ import annotations


class RunError(Exception):
    """Something a person can mend. The text is one plain sentence and is printed without a traceback."""


class StopRequestedError(Exception):
    """Ctrl-C or SIGTERM arrived while something was being prepared."""
