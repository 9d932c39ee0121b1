"""``{% load house %}``: the few filters that templates share. They are ``crmcem.lib.web.cells`` in templates."""

from typing import Any

from django import template
from django.conf import settings

from crmcem.lib.web import cells
from crmcem.workspace import demo
from crmcem.workspace.models import User

register = template.Library()
register.filter("moment", cells.moment)
register.filter("day", cells.day)
register.filter("money", cells.money)
register.filter("number", cells.number)
register.filter("initials", cells.initials)


@register.filter
def cursor_url(cursor: str | None) -> str:
    """The query string of a plain list's neighbouring page; empty at an end."""
    return f"?cursor={cursor}" if cursor else ""


@register.simple_tag
def demo_people() -> dict[str, Any] | None:
    """The demo sign-ins and their password on a demo instance that holds the demo data; None elsewhere."""
    if not settings.DEMO:
        return None
    found = {
        user.username: user
        for user in User.objects.select_related("role", "team").filter(
            username__in=demo.PEOPLE, is_active=True
        )
    }
    if "rep2" not in found:
        return None
    return {"people": [found[name] for name in demo.PEOPLE if name in found], "password": demo.PASSWORD}
