"""What every part of a definition is read with: faults, objects, happenings and conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from contacts.conditions import contact_fields
from crmcem.lib.conditions import ConditionError, Node, Problem, parse_where
from crmcem.lib.conditions import parse as parse_conditions
from crmcem.lib.conditions.errors import MAX_PROBLEMS, Fault, shown
from crmcem.lib.conditions.parser import activity_kind
from journeys.definition.nodes import ANYTHING, Happening


class Stop(Exception):
    """Enough faults, or a limit passed."""


class Reader:
    def __init__(self, user: Any, stored: bool) -> None:
        self.user = user
        self.stored = stored
        self.problems: list[Problem] = []

    def fault(self, path: str, code: str, detail: str) -> None:
        self.problems.append(Problem(path, code, detail))
        if len(self.problems) >= MAX_PROBLEMS:
            raise Stop

    def read(self, path: str, reader: Callable[[Any], Any], value: Any) -> Any:
        """What ``reader`` makes of the value, or None with the fault noted."""
        try:
            return reader(value)
        except Fault as fault:
            self.fault(join(path, fault.at), fault.code, fault.detail)
        except ConditionError as error:
            for problem in error.problems:
                self.fault(join(path, problem.path), problem.code, problem.detail)
        return None

    def mapping(self, data: Any, path: str, known: set[str]) -> Mapping[str, Any]:
        """The object at ``path``; {} with a fault noted where it is none. Unknown keys are faults."""
        if not isinstance(data, dict):
            self.fault(path, "not_an_object", _("Give an object, not %(value)s.") % {"value": shown(data)})
            return {}
        for key in data:
            if key not in known:
                names = ", ".join(sorted(known))
                self.fault(
                    join(path, shown(key)),
                    "unknown_key",
                    _("Unknown key; this object may have: %(known)s.") % {"known": names},
                )
        return data

    def kind(self, value: Any, path: str) -> str | None:
        def reader(item: Any) -> str:
            source = contact_fields.activities
            found = activity_kind(item)
            if found == ANYTHING:
                raise Fault("unknown_activity", _("Name one kind of activity, such as “order.placed”."))
            if source is not None and not source.allows(self.user, found):
                raise Fault("unknown_activity", _("There is no activity “%(kind)s”.") % {"kind": shown(item)})
            return found

        found: str | None = self.read(path, reader, value)
        return found

    def where(self, data: Any, path: str) -> Node | None:
        node: Node | None = None if data is None else self.read(path, parse_where, data)
        return node

    def conditions(self, data: Any, path: str) -> Node | None:
        if data is None or data == {}:
            return None
        node: Node | None = self.read(
            path, lambda value: parse_conditions(value, contact_fields, user=self.user, shared=True), data
        )
        return node

    def happening(self, data: Mapping[str, Any], path: str) -> Happening | None:
        event = self.kind(data.get("event"), join(path, "event"))
        where = self.where(data.get("where"), join(path, "where"))
        return Happening(event, where) if event else None


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key
