"""Who can own a record."""

from typing import Any

from crmcem.workspace.models import User

PEOPLE_LIMIT = 500


def people(*, current: Any = None) -> list[tuple[str, str]]:
    """``(id, name)`` of those who can own a record, and of ``current`` even if they have left."""
    rows = list(User.objects.filter(is_active=True, role__isnull=False)[:PEOPLE_LIMIT])
    if current is not None and all(row.pk != current.pk for row in rows):
        rows.append(current)
    return [(str(row.pk), str(row)) for row in rows]
