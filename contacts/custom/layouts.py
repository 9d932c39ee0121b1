"""Which fields a page shows in which order: the layout of the person's team, that of everybody, or the usual one."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from contacts.custom.definitions import Definition, active, catalogue
from crmcem.lib import cleaning
from crmcem.lib.cleaning import Bad
from crmcem.lib.errors import FieldError

MAX_GROUPS = 40
MAX_NAMES = 400
_NAME = re.compile(r"(custom\.)?[a-z][a-z0-9_]{0,59}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Group:
    """A heading (empty: none) and the names of the fields under it; custom fields are ``custom.key``."""

    label: str
    names: list[str]


def arrange(
    entity: str, own: Sequence[str], team_id: int | None, *, always: Collection[str] = ()
) -> list[Group]:
    """The fields ``own`` of the page and the custom ones, in groups.

    Required custom fields, and what ``always`` names, are never hidden.
    """
    fields = active(entity)
    custom = {each.name: each for each in fields.values()}
    known = [*own, *custom]
    layouts = catalogue().layouts
    found = layouts.get((entity, team_id)) or layouts.get((entity, None))
    if found is None:
        return _usual(own, fields)
    groups, hidden = found
    placed: set[str] = set()
    shown = []
    for each in groups:
        names = [name for name in each["fields"] if name in known and name not in placed]
        placed.update(names)
        shown.append(Group(each["label"], names))
    kept = [
        name
        for name in known
        if name not in placed
        and (name not in hidden or name in always or (name in custom and custom[name].required))
    ]
    shown.append(Group(_("More") if placed else "", kept))
    return [group for group in shown if group.names]


def _usual(own: Sequence[str], fields: Mapping[str, Definition]) -> list[Group]:
    """The record's own fields, then the custom ones by their groups."""
    groups = {"": list(own)}
    for each in fields.values():
        groups.setdefault(each.group or _("Custom fields"), []).append(each.name)
    return [Group(label, names) for label, names in groups.items() if names]


def clean_layout(groups: Any, hidden: Any) -> tuple[list[dict[str, Any]], list[str], list[FieldError]]:
    """The clean groups and hidden fields of a layout, and what is wrong with them."""
    errors: list[FieldError] = []
    clean_groups: list[dict[str, Any]] = []
    clean_hidden: list[str] = []
    seen: set[str] = set()
    try:
        clean_groups = _groups(groups, seen)
    except ValueError as error:
        errors.append(FieldError("groups", getattr(error, "code", "invalid"), str(error)))
    try:
        clean_hidden = _names(hidden, seen)
    except ValueError as error:
        errors.append(FieldError("omitted", getattr(error, "code", "invalid"), str(error)))
    return clean_groups, clean_hidden, errors


def _groups(value: Any, seen: set[str]) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MAX_GROUPS:
        raise Bad("type", _('Send groups as [{"label": "Contract", "fields": ["email", "custom.tier"]}].'))
    found = []
    for each in value:
        if not isinstance(each, Mapping) or set(each) != {"label", "fields"}:
            raise Bad(
                "type", _('Send groups as [{"label": "Contract", "fields": ["email", "custom.tier"]}].')
            )
        found.append({"label": cleaning.text(80)(each["label"]), "fields": _names(each["fields"], seen)})
    return found


def _names(value: Any, seen: set[str]) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_NAMES:
        raise Bad("type", _("Send a list of names of fields."))
    for name in value:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Bad("name", _("Fields are named as in the API, custom ones custom.key."))
        if name in seen:
            raise Bad("double", _("The field %(name)s is there twice.") % {"name": name})
        seen.add(name)
    return list(value)
