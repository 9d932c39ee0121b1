"""The definition of a formula field: checked as a whole, with the place of what is wrong."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from contacts.custom.definitions import Definition
from contacts.custom.formulas.checking import Scope, check, custom_term
from contacts.custom.formulas.fields import Fields
from contacts.custom.formulas.terms import Mistake, Term
from crmcem.lib import cleaning
from crmcem.lib.cleaning import Bad

_ASKED = ("formula", "decimals")
#: what follows from the formula; may be sent back
_FOLLOWS = ("result", "currency", "uses", "today")


def located(text: str, mistake: Mistake) -> str:
    """What is wrong and where, in one line."""
    rest = text[mistake.at :].split("\n")[0][:20].strip()
    if not rest:
        return _("At the end: %(detail)s") % {"detail": mistake}
    return _("At character %(at)s, “%(rest)s”: %(detail)s") % {
        "at": mistake.at + 1,
        "rest": rest,
        "detail": mistake,
    }


def clean_formula(
    entity: str, key: str, given: Mapping[str, Any], stored: Mapping[str, Any], fields: Fields
) -> dict[str, Any]:
    """The options of a formula as they are kept. Raises ValueError that says what is wrong, and where."""
    unknown = sorted(set(given) - {*_ASKED, *_FOLLOWS})
    if unknown:
        raise Bad(
            "unknown_option",
            _("This type has no option %(name)s. Options: %(known)s.")
            % {"name": str(unknown[0])[:40], "known": ", ".join(_ASKED)},
        )
    text = given.get("formula", stored.get("formula"))
    if not isinstance(text, str):
        raise Bad("required", _("Write a formula, such as custom.price * 1.2"))
    text = text.replace("\r\n", "\n").strip()
    decimals = cleaning.integer(0, 6)(given.get("decimals", stored.get("decimals")))
    try:
        found = check(text, Scope(entity, fields, (key,), strict=True))
    except Mistake as mistake:
        raise Bad("formula", located(text, mistake)) from None
    options = options_of(text, found, decimals)
    for name in ("result", "currency"):
        if stored and options.get(name) != stored.get(name):
            raise Bad(
                "fixed",
                _(
                    "This would give %(kind)s now, which conditions that use the field don't expect. Make a new field."
                )
                % {"kind": found.words},
            )
    return options


def options_of(text: str, found: Term, decimals: int | None = None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "formula": text,
        "result": found.kind,
        "uses": list(found.uses),
        "today": found.today,
    }
    if found.kind in {"number", "money"}:
        options["decimals"] = 2 if decimals is None or found.kind == "money" else decimals
    return options | ({"currency": found.currency} if found.currency else {})


def users_of(name: str, fields: Iterable[Definition]) -> list[Definition]:
    """The formulas in use that use this field, directly or by way of another formula."""
    formulas = [each for each in fields if each.type == "formula" and not each.archived]
    found: list[Definition] = []
    wanted = {name}
    while more := [
        each for each in formulas if each not in found and wanted & set(each.options.get("uses", ()))
    ]:
        found += more
        wanted |= {each.name for each in more}
    return found


def term_in(definition: Definition, fields: Fields) -> Term:
    """What a computed field gives with these definitions. Raises Mistake."""
    return custom_term(definition, 0, Scope(definition.entity, fields))


def explain_formula(definition: Definition, fields: Fields, labels: Mapping[str, str]) -> list[str]:
    """What the field shows, in sentences."""
    try:
        found = term_in(definition, fields)
    except Mistake as mistake:
        return [_("This formula can't be used any more: %(why)s") % {"why": mistake}]
    used = [f"{labels.get(name, name)} ({name})" for name in definition.options.get("uses", ())]
    lines = [str(definition.options["formula"]), _("Gives %(kind)s.") % {"kind": found.words}]
    if used:
        lines.append(_("Uses %(names)s.") % {"names": ", ".join(used)})
    if found.sources:
        lines.append(_("Everybody sees counted what they may see."))
    if found.today:
        lines.append(_("Depends on the day it is: live segments can't use it."))
    return lines
