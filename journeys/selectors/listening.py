"""Which automations begin by themselves when something happens."""

from collections.abc import Collection
from typing import Any

from journeys.models import Automation
from journeys.policies import READ

#: more are not named
MOST = 4


def listening(kinds: Collection[str], user: Any) -> list[str]:
    """The names of active automations that such activities may start, "" each for who may not read automations."""
    rows = Automation.objects.filter(
        status=Automation.Status.ACTIVE,
        current_version__definition__trigger__type="event",
        current_version__definition__trigger__event__in=list(kinds),
    )
    names = list(rows.order_by("name").values_list("name", flat=True)[:MOST])
    return names if user.may(READ) else ["" for _name in names]
