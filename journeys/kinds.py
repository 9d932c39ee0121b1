"""How the activities of automations look on a timeline."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from crmcem.lib import activities
from crmcem.lib.activities import Kind


def _started(payload: Mapping[str, Any]) -> str:
    return str(payload.get("name") or "")


def _done(payload: Mapping[str, Any]) -> str:
    parts = (payload.get("name"), payload.get("reason"))
    return ": ".join(str(part) for part in parts if part)


def register() -> None:
    activities.register(
        Kind("automation.started", gettext_lazy("Automation began"), "player-play", "system", _started),
        Kind("automation.done", gettext_lazy("Automation ended"), "player-stop", "system", _done),
    )
