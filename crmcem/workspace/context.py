"""What every page's frame needs, computed only when a template asks for it."""

from functools import cached_property
from itertools import groupby
from typing import Any

from django.http import HttpRequest

from crmcem.lib import marked, nav

from .organisation import organisation
from .theme import theme_version


class Shell:
    """The frame around a page. Costs no query of its own: the person's access is read once per request."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @property
    def user(self) -> Any:
        return getattr(self.request, "user", None)

    @property
    def signed_in(self) -> bool:
        return self.user is not None and self.user.is_authenticated

    @cached_property
    def entries(self) -> list[dict[str, Any]]:
        """The person's navigation entries, see ``nav.navigation``."""
        return nav.navigation(self.user.may, self.request.path) if self.signed_in else []

    @cached_property
    def sections(self) -> list[dict[str, Any]]:
        """The entries grouped by section, in the order in which sections first appear."""
        order: dict[str, int] = {}
        for item in self.entries:
            order.setdefault(str(item["entry"].section), len(order))
        grouped = sorted(self.entries, key=lambda item: order[str(item["entry"].section)])
        return [
            {"label": label, "entries": list(items)}
            for label, items in groupby(grouped, key=lambda item: str(item["entry"].section))
        ]

    @property
    def bottom(self) -> list[dict[str, Any]]:
        """The entries of the phone's bottom bar; the rest lies behind "More"."""
        return self.entries[:4]

    @cached_property
    def creatable(self) -> list[dict[str, Any]]:
        """The entries of the Create menu."""
        return [item for item in self.entries if item["create_url"]]

    @property
    def record(self) -> dict[str, Any] | None:
        """Kind and id of the record that this page shows, where it is one that can be starred."""
        found = marked.record_of(self.request.resolver_match) if self.signed_in else None
        return {"kind": found[0], "id": found[1]} if found else None

    @property
    def initials(self) -> str:
        """At most two letters for the round button of the person's menu."""
        return "".join(word[0] for word in str(self.user).split()[:2]).upper()

    @property
    def theme(self) -> str:
        return self.user.theme if self.signed_in else "auto"

    @property
    def density(self) -> str:
        return self.user.density if self.signed_in else "normal"

    @property
    def theme_version(self) -> str:
        return theme_version(organisation().accent)


def shell(request: HttpRequest) -> dict[str, Any]:
    """``organisation`` and ``shell`` for every template."""
    return {"organisation": organisation(), "shell": Shell(request)}
