"""Making, renaming, merging and deleting tags: for those who manage fields and see every contact."""

from collections.abc import Mapping
from typing import Any

from django.db.models import F
from django.http import Http404
from django.utils.translation import gettext as _

from contacts.models import Tag
from contacts.selectors.tags import meant
from contacts.services.tagging import folded, job_begin, tag_made
from crmcem.lib import cleaning
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError, FieldError, NotAllowed, StaleWrite
from crmcem.lib.records import change
from crmcem.workspace.policies import can, require

WRITE = "fields:write"
_KNOWN = frozenset({"name", "colour"})


def may_manage(actor: Actor) -> bool:
    """With ``fields:write``, and with eyes for every contact: a tag is on contacts of everybody."""
    return can(actor, WRITE) and _sees_all(actor)


def _sees_all(actor: Actor) -> bool:
    return not actor.is_limited or actor.user.access.visibility == "all"


def _may(actor: Actor) -> None:
    require(actor, WRITE)
    if not _sees_all(actor):
        raise NotAllowed(
            WRITE, _("Tags are on everybody's contacts: only those who see all of them manage tags.")
        )


def tag_create(*, data: Mapping[str, Any], actor: Actor) -> Tag:
    """Make a tag that is everybody's: ``name``, ``colour``. Raises DomainError."""
    _may(actor)
    values = _clean(data, new=True)
    with acting(actor):
        _free(values["name"])
        return tag_made(values["name"], is_kept=True, colour=values.get("colour", Tag.Colour.GREY))


def tag_update(
    *, tag: Tag, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Tag:
    """Change ``name`` or ``colour``. A new name goes onto all contacts; the old one goes on meaning this tag.

    Raises DomainError, StaleWrite.
    """
    _may(actor)
    values = _clean(data)
    with acting(actor):
        tag = _locked(tag, expected_version)
        before, count = tag.name, tag.count
        if "name" in values and values["name"] != before:
            _free(values["name"], tag)
            values["names"] = list(dict.fromkeys([*tag.names, folded(values["name"])]))
            values["count"] = 0  # counted anew while the contacts follow
        changed = change(tag, values | {"is_kept": True})
        if "name" in changed:
            job_begin(old=before, new=tag.name, actor=actor, total=count)
    return tag


def tag_merge(*, tag: Tag, into: Tag, actor: Actor, expected_version: int | None = None) -> Tag:
    """Have ``tag`` become ``into`` on all contacts; whatever named it means ``into`` from now on."""
    _may(actor)
    if tag.pk == into.pk:
        raise DomainError.of("into", "same", _("Choose another tag: this one can't be merged into itself."))
    with acting(actor):
        rows = {
            row.pk: row
            for row in Tag.objects.select_for_update().filter(pk__in=(tag.pk, into.pk)).order_by("pk")
        }
        if len(rows) < 2:
            raise Http404
        tag, into = rows[tag.pk], rows[into.pk]
        if expected_version is not None and tag.version != expected_version:
            raise StaleWrite
        tag.delete()
        change(into, {"names": list(dict.fromkeys([*into.names, *tag.names])), "is_kept": True})
        job_begin(old=tag.name, new=into.name, actor=actor, total=tag.count)
    return into


def tag_delete(*, tag: Tag, actor: Actor, expected_version: int | None = None) -> None:
    """Take a tag from all contacts. Conditions that name it find nobody by it."""
    _may(actor)
    with acting(actor):
        tag = _locked(tag, expected_version)
        tag.delete()
        job_begin(old=tag.name, new="", actor=actor, total=tag.count)


def tags_colour(*, ids: list[int], colour: str, actor: Actor) -> int:
    """Give several tags one colour. How many changed."""
    _may(actor)
    values = _clean({"colour": colour})
    with acting(actor):
        rows = Tag.objects.filter(pk__in=ids).exclude(colour=values["colour"])
        return rows.update(**values, is_kept=True, version=F("version") + 1)


def tag_named(text: Any) -> Tag:
    """The tag that a word means. Raises DomainError."""
    names = _name_of(text)
    known = meant(names)
    tag: Tag | None = Tag.objects.filter(name__in=known.values()).first() if known else None
    if tag is None:
        raise DomainError.of("into", "does_not_exist", _("There is no such tag. Check the spelling."))
    return tag


def _locked(tag: Tag, expected_version: int | None) -> Tag:
    row: Tag | None = Tag.objects.select_for_update().filter(pk=tag.pk).first()
    if row is None:
        raise Http404
    if expected_version is not None and row.version != expected_version:
        raise StaleWrite
    return row


def _free(name: str, tag: Tag | None = None) -> None:
    other = Tag.objects.filter(names__contains=[folded(name)]).exclude(pk=tag.pk if tag else None).first()
    if other is not None:
        raise DomainError.of(
            "name",
            "unique",
            _("“%(name)s” is a tag already, or was one. Merge the two instead.") % {"name": other},
        )


def _name_of(value: Any) -> list[str]:
    try:
        return list(cleaning.tags(value if isinstance(value, str) else None))
    except ValueError as error:
        raise DomainError.of("name", getattr(error, "code", "invalid"), error) from error


def _clean(data: Mapping[str, Any], *, new: bool = False) -> dict[str, Any]:
    errors = [
        FieldError(name, "unknown_field", _("A tag has no such setting.")) for name in data.keys() - _KNOWN
    ]
    values: dict[str, Any] = {}
    if new or "name" in data:
        names = _name_of(data.get("name"))
        if len(names) == 1:
            values["name"] = names[0]
        else:
            errors.append(FieldError("name", "invalid", _("Give one name, without commas and semicolons.")))
    if "colour" in data:
        values["colour"] = data["colour"]
        if data["colour"] not in Tag.Colour.values:
            errors.append(FieldError("colour", "invalid_choice", _("Choose one of the colours.")))
    if errors:
        raise DomainError(*errors)
    return values
