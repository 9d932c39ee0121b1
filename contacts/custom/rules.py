"""What the validation needs to know in the moment: the organisation's country and the custom fields."""

from typing import Any

from contacts.custom.definitions import every
from contacts.validation import Rules
from crmcem.lib.actors import Actor
from crmcem.workspace.organisation import organisation


def rules_for(entity: str, actor: Actor, record: Any = None) -> Rules:
    """The rules for a new record, or for a change of ``record``.

    Required custom fields are asked of people and programs that make a record on purpose; imports, tracked events
    and automations bring what they have.
    """
    return Rules(
        organisation().country,
        custom=every(entity),
        stored=None if record is None else record.custom,
        complete=record is None and actor.kind in {"user", "token"},
    )
