"""The figures of Pulse that any activity can move: last seen, last touched, orders and revenue."""

from typing import ClassVar

from contacts.services.event_input import RESERVED
from crmcem.lib.activities import kinds
from crmcem.lib.stream import FunctionConsumer

ORDER = "order.placed"
STITCHED = "contact.stitched"


class PulseConsumer(FunctionConsumer):
    """Set-based, and independent of the order of events: times only grow, counts and sums add up.

    Orphans that a stitch attributes are counted by making the figures of their contact anew, up to the end of the
    range. A kind that nobody registered and that isn't the house's own is a tracked event: the customer did it. Both
    happen in ``contacts_pulse_step`` (contacts' migration 0035).
    """

    name = "contacts.pulse"
    batch_size: ClassVar[int] = 5000
    function = "contacts_pulse_step"

    def arguments(self) -> list[str]:
        """Kinds by which the customer is seen, and touched; all registered ones; first words of the house's own."""
        seen = [kind.key for kind in kinds if kind.seen]
        touch = [kind.key for kind in kinds if kind.touch]
        return [_array(seen), _array(touch), _array(kinds.keys()), _array(sorted(RESERVED))]


def _array(names: list[str]) -> str:
    """A ``text[]`` as one literal: half a hundred quoted names a call would cost more than the range they judge.

    Names of kinds are words with dots and underscores, which need no quotes.
    """
    return "{" + ",".join(names) + "}"
