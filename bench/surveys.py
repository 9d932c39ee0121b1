"""The customers' page against an empty view behind the same middleware."""

from typing import Any

from django.test import Client

from feedback.links import invitation_url
from feedback.models import Invitation

from .browser import getter, with_bare_views
from .timing import Line, interleaved

SIZES = ("1M",)


def measure() -> dict[str, Any]:
    with_bare_views()
    invitation = Invitation.objects.filter(status="sent").latest("id")
    path = "/s/" + invitation_url(invitation.pk).split("/s/")[1]
    client = Client()
    return interleaved(
        {"page": getter(client, path), "empty": getter(client, "/bench/empty/")}, rounds=150, warm=20
    )


def lines(found: dict[str, dict[str, Any]]) -> list[Line]:
    figures = list(found.values())[-1]
    note = f"{1000 * figures['page']:.2f} ms against {1000 * figures['empty']:.2f} ms"
    return [Line("public survey page, rate ÷ empty view", figures["empty"] / figures["page"], "≥ 0.5", note)]
