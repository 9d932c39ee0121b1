"""The automations that run, and their parsed definitions."""

from collections.abc import Iterable

from journeys.definition import Definition, parse
from journeys.models import Automation, AutomationVersion


def active(pks: Iterable[int] | None = None) -> list[Automation]:
    """The active automations with their current version: one query."""
    rows = Automation.objects.filter(status=Automation.Status.ACTIVE, current_version__isnull=False)
    if pks is not None:
        rows = rows.filter(pk__in=list(pks))
    return list(rows.select_related("current_version").order_by("pk"))


def parsed(version: AutomationVersion) -> Definition:
    """The definition of a version, read again: what it points to may have changed since.

    Raises DefinitionError.
    """
    return parse(version.definition, stored=True)


def definition_of(automation: Automation) -> Definition:
    """The definition that new runs get. Raises DefinitionError."""
    assert automation.current_version is not None
    return parsed(automation.current_version)
