"""What an administrator does with the readers of the stream."""

import structlog

from contacts.models import ConsumerOffset
from contacts.services.stream import wake_consumers
from crmcem.lib.actors import Actor, acting
from crmcem.workspace.policies import require

log = structlog.get_logger(__name__)


def consumers_retry(*, names: list[str], actor: Actor) -> int:
    """Let consumers that wait after a failure try at once. Returns how many waited.

    Only the pause is taken away: their place in the stream and the count of failures stay.
    """
    require(actor, "settings:write")
    with acting(actor):
        waiting = ConsumerOffset.objects.filter(name__in=names, retry_at__isnull=False)
        count = waiting.update(retry_at=None)
        if count:
            log.info("consumers_retried", consumers=names, actor=actor.id)
            wake_consumers()
    return count
