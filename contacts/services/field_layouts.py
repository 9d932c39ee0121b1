"""The layouts of fields: for those with ``fields:write``."""

from typing import Any

from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils.translation import gettext as _

from contacts.custom import definitions
from contacts.custom.entities import entities
from contacts.custom.layouts import clean_layout
from contacts.models import FieldLayout
from contacts.services.custom_fields import WRITE
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.records import change
from crmcem.workspace.models import Team
from crmcem.workspace.policies import require


def field_layout_create(
    *, entity: str, team: Team | None, groups: Any, hidden: Any, actor: Actor
) -> FieldLayout:
    """Make the layout of a team, or (without one) of everybody. Each has one. Raises DomainError."""
    require(actor, WRITE)
    if entity not in entities:
        known = ", ".join(entities.keys())
        raise DomainError.of("entity", "invalid_choice", _("Choose one of: %(names)s.") % {"names": known})
    clean_groups, clean_hidden, errors = clean_layout(groups, hidden)
    if errors:
        raise DomainError(*errors)
    with acting(actor):
        try:
            with transaction.atomic():
                row = FieldLayout.objects.create(
                    entity=entity, team=team, groups=clean_groups, hidden=clean_hidden
                )
        except IntegrityError as error:
            raise DomainError.of(
                "team", "unique", _("This team has a layout already: change that one.")
            ) from error
    definitions.forget()
    return row


def field_layout_update(
    *,
    layout: FieldLayout,
    actor: Actor,
    groups: Any = None,
    hidden: Any = None,
    expected_version: int | None = None,
) -> FieldLayout:
    """Change what is given. Raises DomainError, StaleWrite."""
    require(actor, WRITE)
    with acting(actor):
        row = _locked(layout, expected_version)
        clean_groups, clean_hidden, errors = clean_layout(
            row.groups if groups is None else groups, row.hidden if hidden is None else hidden
        )
        if errors:
            raise DomainError(*errors)
        change(row, {"groups": clean_groups, "hidden": clean_hidden})
    definitions.forget()
    return row


def field_layout_delete(*, layout: FieldLayout, actor: Actor, expected_version: int | None = None) -> None:
    """Back to the layout of everybody, or to the usual one."""
    require(actor, WRITE)
    with acting(actor):
        _locked(layout, expected_version).delete()
    definitions.forget()


def _locked(layout: FieldLayout, expected_version: int | None) -> FieldLayout:
    row = FieldLayout.objects.select_for_update().filter(pk=layout.pk).first()
    if row is None:
        raise Http404
    if expected_version is not None and row.version != expected_version:
        raise StaleWrite
    return row
