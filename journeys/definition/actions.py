"""Are the parameters of an action step right? The actions themselves are registered by the apps."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from crmcem.lib.actions import Action, Parameter
from crmcem.lib.actions import actions as registry
from crmcem.lib.conditions import Problem, values
from crmcem.lib.conditions.errors import shown

MAX_TEXT = 20_000


def faults(name: Any, parameters: Any, *, judged: bool = True) -> Iterator[Problem]:
    """Everything wrong with an action step; paths are within the step.

    ``judged=False`` looks at the shape only (for what was accepted before).
    """
    if not isinstance(name, str) or not name:
        yield Problem("action", "required", _("Name the action."))
        return
    if not isinstance(parameters, Mapping):
        yield Problem("parameters", "not_an_object", _("Give the parameters as an object."))
        return
    if not judged:
        return
    action = registry.get(name)
    if action is None:
        yield Problem("action", "unknown_action", _unknown(name))
        return
    found = [*_shape(action, parameters)]
    yield from found
    if not found:
        for parameter, message in action.validate(parameters):
            yield Problem(f"parameters.{parameter}", "invalid", str(message))


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, registry.keys(), n=1)
    detail = _("There is no action “%(name)s”.") % {"name": shown(name)}
    return detail + (" " + _("Did you mean %(near)s?") % {"near": near[0]} if near else "")


def _shape(action: Action, parameters: Mapping[str, Any]) -> Iterator[Problem]:
    known = {parameter.key: parameter for parameter in action.parameters}
    for key in parameters:
        if key not in known:
            detail = _("This action takes: %(known)s.") % {"known": ", ".join(known) or _("nothing")}
            yield Problem(f"parameters.{shown(key)}", "unknown_key", detail)
    for key, parameter in known.items():
        value = parameters.get(key)
        path = f"parameters.{key}"
        if value is None or value == "":
            if parameter.required and parameter.default is None:
                detail = _("“%(label)s” is needed.") % {"label": parameter.label}
                yield Problem(path, "required", detail)
        elif (problem := _value(parameter, value, path)) is not None:
            yield problem


def _value(parameter: Parameter, value: Any, path: str) -> Problem | None:
    if parameter.type == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return Problem(path, "not_a_number", _("Give a number."))
    elif parameter.type == "boolean":
        if not isinstance(value, bool):
            return Problem(path, "not_a_boolean", _("Give true or false."))
    elif parameter.choices is None and isinstance(value, list | dict):
        return None  # an action with a shape of its own judges it by ``validate``
    elif not isinstance(value, str | int | float) or isinstance(value, bool):
        return Problem(path, "not_text", _("Give a text."))
    elif isinstance(value, str) and (len(value) > MAX_TEXT or not values.storable(value)):
        return Problem(path, "bad_characters", _("This text is too long, or holds a NUL character."))
    if parameter.choices is not None and not isinstance(value, list):
        options = {str(key) for key, _label in parameter.choices()}
        if str(value) not in options:
            detail = _("“%(value)s” can't be chosen; use one of: %(known)s.") % {
                "value": shown(value),
                "known": ", ".join(sorted(options)[:20]) or _("(there is nothing to choose yet)"),
            }
            return Problem(path, "unknown_choice", detail)
    return None


def filled(action: Action, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with the action's defaults where nothing was given."""
    out = {p.key: p.default for p in action.parameters if p.default is not None}
    out.update({key: value for key, value in parameters.items() if value is not None})
    return out
