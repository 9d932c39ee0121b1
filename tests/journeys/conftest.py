"""Automations whose actions only write down what they did."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from contacts.models import Activity
from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actions import Action, Outcome, Parameter, actions
from crmcem.lib.actors import SYSTEM
from journeys.models import Automation
from journeys.services.automations import automation_create


@dataclass
class Notes:
    """What the test actions were asked to do: (contact, key) in order; ``fail`` makes them raise."""

    done: list[tuple[int, str]] = field(default_factory=list)
    fail: Callable[[Any], None] = lambda run: None


@pytest.fixture
def notes() -> Iterator[Notes]:
    """Registers the actions ``note`` (leaves an activity ``note.made``) and ``skip``."""
    kept = Notes()

    def perform(run: Any, parameters: Mapping[str, Any]) -> Outcome:
        kept.fail(run)
        kept.done.append((run.contact_id, run.key))
        activity_append(
            actor=run.actor,
            activity=NewActivity(
                str(parameters.get("kind", "note.made")), contact_id=run.contact_id, payload={"key": run.key}
            ),
        )
        return Outcome(reason=f"Noted {parameters['text']}", result={"text": parameters["text"]})

    note = Action(
        key="note",
        label="Leave a note",
        icon="note",
        parameters=(Parameter("text", "Text", default="hello"), Parameter("kind", "Kind", required=False)),
        perform=perform,
        preview=lambda run, parameters: f"Would note {parameters['text']}",
        validate=lambda parameters: [("text", "No swearing.")] if parameters.get("text") == "damn" else [],
    )
    skip = Action(
        key="skip",
        label="Do nothing",
        icon="x",
        parameters=(),
        perform=lambda run, parameters: Outcome("skipped", "No consent"),
        preview=lambda run, parameters: "Would do nothing",
    )
    for action in (note, skip):
        actions._items[action.key] = action
    yield kept
    for action in (note, skip):
        actions._items.pop(action.key, None)


STEP = {"key": "n", "type": "action", "action": "note", "parameters": {"text": "hi"}}


@pytest.fixture
def automation(notes: Notes) -> Callable[..., Automation]:
    """``automation(trigger, steps=…, **rest)``: an active automation."""
    made = 0

    def make(
        trigger: dict[str, Any] | None = None,
        steps: list[dict[str, Any]] | None = None,
        activate: bool = True,
        **rest: Any,
    ) -> Automation:
        nonlocal made
        made += 1
        return automation_create(
            name=f"Automation {made}",
            definition={
                "trigger": trigger or {"type": "event", "event": "order.placed"},
                "steps": [STEP] if steps is None else steps,
                **rest,
            },
            actor=SYSTEM,
            activate=activate,
        )

    return make


@pytest.fixture
def happen() -> Callable[..., int]:
    """``happen(contact, "order.placed", at=…, **payload)``: append one activity, answer its id."""

    def make(
        contact: Any, kind: str = "order.placed", at: Any = None, actor: Any = SYSTEM, **payload: Any
    ) -> int:
        activity_append(
            actor=actor,
            activity=NewActivity(kind, contact_id=contact.pk, occurred_at=at, payload=payload),
        )
        return Activity.objects.order_by("-id").values_list("pk", flat=True)[0]

    return make
