"""The one vocabulary of permissions: a role grants scopes, a token carries some of its person's.

A scope is ``area:action``. ``area:*`` covers every action of an area, ``*:read`` reading everywhere, ``*`` all.
"""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

AREAS = {
    "contacts": _("Contacts and companies"),
    "interactions": _("Interactions"),
    "tasks": _("Tasks"),
    "imports": _("Imports"),
    "events": _("Tracked events"),
    "deals": _("Deals"),
    "pipelines": _("Pipelines"),
    "surveys": _("Surveys and invitations"),
    "responses": _("Survey answers"),
    "metrics": _("Experience metrics"),
    "cases": _("Cases"),
    "automations": _("Automations"),
    "fields": _("Custom fields and layouts"),
    "settings": _("Workspace settings"),
}
ACTIONS = {
    "read": _("see"),
    "write": _("create and change"),
    "delete": _("delete"),
    "export": _("export"),
    "assign": _("give to another owner"),
}
ALL_SCOPES = sorted(f"{area}:{action}" for area in AREAS for action in ACTIONS)


def is_scope(text: str) -> bool:
    """Whether ``text`` is a scope or one of its wildcards."""
    if text == "*":
        return True
    area, _sep, action = text.partition(":")
    return (area in AREAS or area == "*") and (action in ACTIONS or action == "*")


def covers(granted: Iterable[str], needed: str) -> bool:
    """Whether ``needed`` (``area:action``) lies within the granted scopes."""
    area, _sep, action = needed.partition(":")
    return not {"*", needed, f"{area}:*", f"*:{action}"}.isdisjoint(granted)
