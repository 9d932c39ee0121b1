"""What the kinds of activity look like on a timeline; each app registers its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from .registry import Registry

#: who acted, in words, where the person, token or automation has no name to show
ACTORS = {
    "automation": gettext_lazy("an automation"),
    "import": gettext_lazy("an import"),
    "customer": gettext_lazy("the customer"),
    "system": gettext_lazy("the system"),
    "token": gettext_lazy("an API token"),
    "user": gettext_lazy("a former colleague"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One dotted kind (``deal.won``).

    ``summary`` turns a payload into one plain sentence (it is escaped where it is shown). ``group`` is what the
    timeline's filter offers: interactions, tasks, deals, feedback, events, system. ``touch`` says that we were in
    contact (Pulse.last_touched_at), ``seen`` that the customer did something (Pulse.last_seen_at).
    """

    key: str
    label: Any
    icon: str
    group: str
    summary: Callable[[Mapping[str, Any]], str] = lambda payload: ""
    touch: bool = False
    seen: bool = False


kinds: Registry[Kind] = Registry("kind of activity")


def register(*items: Kind) -> None:
    for item in items:
        kinds.add(item.key, item)
