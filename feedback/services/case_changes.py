"""One request that changes several things of a case at once: texts, state and owner, all or nothing."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.lib.records import lock
from crmcem.workspace.policies import require
from feedback.models import Case
from feedback.services.cases import case_assign, case_close, case_reopen, case_resolve, case_update

_OPEN = frozenset({Case.Status.OPEN, Case.Status.PENDING})


def case_change(
    *, case: Case, changes: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Case:
    """Make the case what ``changes`` says; ``status`` takes the way that leads there (resolve, close, reopen).

    Keys: those of ``case_update``, and ``owner``. Raises DomainError for a bad value or a missing resolution,
    Conflict where no way leads to the status, StaleWrite, NotAllowed.
    """
    require(actor, "cases:write")
    edits = dict(changes)
    names_owner, owner = "owner" in edits, edits.pop("owner", None)
    status = edits.pop("status", None)
    with acting(actor):
        row = lock(Case, case.pk, actor, expected_version)
        if names_owner and owner is None and row.owner_id is not None:
            raise DomainError.of("owner", "required", _("Name the person who takes care of the case."))
        if status is not None and status != row.status:
            row = _to_status(row, str(status), edits, actor)
        if edits:
            row = case_update(case=row, changes=edits, actor=actor)
        if owner is not None and owner.pk != row.owner_id:
            # The last step: with the owner the right to see the case may go.
            row = case_assign(case=row, owner=owner, actor=actor)
    return row


def _to_status(row: Case, status: str, edits: dict[str, Any], actor: Actor) -> Case:
    """Take ``row`` to ``status``; the texts that the way needs are taken out of ``edits``."""
    if status in _OPEN:
        if not row.is_open:
            row = case_reopen(case=row, actor=actor)
        edits["status"] = status
        return row
    if status == Case.Status.CLOSED and not row.is_open:
        return case_close(case=row, actor=actor)
    if status not in {Case.Status.RESOLVED, Case.Status.CLOSED}:
        edits["status"] = status  # case_update says what is wrong with it
        return row
    row = case_resolve(
        case=row,
        actor=actor,
        resolution=edits.pop("resolution", row.resolution),
        root_cause=edits.pop("root_cause", row.root_cause),
    )
    return case_close(case=row, actor=actor) if status == Case.Status.CLOSED else row
