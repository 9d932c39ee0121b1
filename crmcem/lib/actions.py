"""The actions that automations can take. Apps register them; the engine knows none by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .actors import Actor
from .registry import Registry


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did: ``status`` done or skipped, ``reason`` in plain words, ``result`` for the run log."""

    status: str = "done"
    reason: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


class Run(Protocol):
    """What an action gets to know of the run it is a step of.

    ``key`` is unique per run and step: pass it on as the idempotency key of whatever is made.
    """

    @property
    def contact_id(self) -> int: ...
    @property
    def actor(self) -> Actor: ...
    @property
    def key(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def context(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting of an action, as the form and the definition's validation need it.

    ``type``: text, longtext, tag, number, choice, template, survey, user … ; ``choices`` a callable giving
    ``[(value, label)]``.
    """

    key: str
    label: Any
    type: str = "text"
    required: bool = True
    default: Any = None
    choices: Callable[[], list[tuple[str, Any]]] | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """``perform(run, parameters)`` runs inside the step's transaction: rows only, never SMTP or HTTP.

    ``preview`` says what it would do, for the dry run, and writes nothing. ``validate`` returns
    ``[(parameter, message)]`` for bad parameters.
    """

    key: str
    label: Any
    icon: str
    parameters: tuple[Parameter, ...]
    perform: Callable[[Run, Mapping[str, Any]], Outcome]
    preview: Callable[[Run, Mapping[str, Any]], str]
    validate: Callable[[Mapping[str, Any]], list[tuple[str, str]]] = lambda parameters: []


actions: Registry[Action] = Registry("action")


def register(*items: Action) -> None:
    for item in items:
        actions.add(item.key, item)
