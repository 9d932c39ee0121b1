"""The organisation's settings, cached for a few seconds per process."""

import time

from .models import Organisation

_TTL = 5.0
_cached: tuple[float, Organisation] | None = None


def organisation() -> Organisation:
    """The one row (made with defaults where it is missing). A change is seen within five seconds."""
    global _cached
    now = time.monotonic()
    if _cached is None or now - _cached[0] > _TTL:
        row = Organisation.objects.filter(pk=1).first() or Organisation(pk=1)
        _cached = (now, row)
    return _cached[1]


def forget() -> None:
    """Drop the cached row (after a change in this process, and between tests)."""
    global _cached
    _cached = None
