"""Mappings that are remembered: the same header is mapped the same way the next time, by its person and their team."""

import hashlib
from collections.abc import Sequence

from contacts.importing.fields import NEW_FIELD, target
from contacts.importing.report import ERROR_COLUMN
from contacts.models import ImportJob, ImportMapping
from crmcem.lib.actors import Actor
from crmcem.workspace.policies import can

SETTINGS = ("mode", "separator", "make_companies")


def header_digest(columns: Sequence[str]) -> str:
    """Of the names of the columns in any order; the column with reasons that a report adds doesn't count."""
    names = sorted(name for name in map(str.casefold, columns) if name != ERROR_COLUMN)
    return hashlib.sha256("\x1f".join(names).encode()).hexdigest()


def mapping_remembered(*, kind: str, columns: Sequence[str], actor: Actor) -> ImportMapping | None:
    """How the person, or else somebody of their team, mapped this header last; without fields that are not there.

    A field that the person may not write stays, so that they are told; one that they would have to make does not.
    """
    if actor.user is None:
        return None
    rows = ImportMapping.objects.filter(object=kind, digest=header_digest(columns))
    found: ImportMapping | None = rows.filter(owner=actor.user).first()
    if found is None and actor.user.team_id is not None:
        found = rows.filter(team_id=actor.user.team_id).first()
    if found is not None:
        usable = {
            column: _usable(kind, found.mapping.get(column.casefold(), ""), actor) for column in columns
        }
        found.mapping = usable
    return found


def _usable(kind: str, key: str, actor: Actor) -> str:
    known = target(kind, key) if key else None
    return key if known is not None and (known.needs != NEW_FIELD or can(actor, NEW_FIELD)) else ""


def mapping_remember(*, job: ImportJob) -> None:
    """Keep how the job is mapped, for the next file with its header."""
    ImportMapping.objects.update_or_create(
        owner_id=job.owner_id,
        object=job.object,
        digest=header_digest(job.columns),
        defaults={
            "team_id": job.team_id,
            "mapping": {column.casefold(): key for column, key in job.mapping.items() if key},
            "settings": {name: getattr(job, name) for name in SETTINGS},
            "file_name": job.file_name,
        },
    )
