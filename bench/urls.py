"""The product's addresses, and beside them the bare views that it is compared with. Only for benches."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import URLPattern, URLResolver, include, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.models import Contact, Pulse

ROWS = 50
TABLE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Contacts</title></head><body><table>
<thead><tr><th>Name</th><th>E-mail</th><th>Company</th><th>Stage</th><th>Owner</th><th>NPS</th>
<th>Last seen</th></tr></thead>
<tbody>{% for contact in contacts %}<tr><td><a href="/contacts/{{ contact.pk }}/">{{ contact.first_name }}
{{ contact.last_name }}</a></td><td>{{ contact.email|default:"" }}</td><td>{{ contact.company.name|default:"" }}</td>
<td>{{ contact.get_lifecycle_stage_display }}</td><td>{{ contact.owner|default:"" }}</td>
<td>{{ contact.pulse.nps|default_if_none:"" }}</td><td>{{ contact.pulse.last_seen_at|date:"j M Y" }}</td></tr>
{% endfor %}</tbody></table></body></html>"""


def _contacts():  # type: ignore[no-untyped-def]
    return Contact.objects.select_related("company", "owner", "pulse").order_by("-id")[:ROWS]


@login_required
def bare_list(request: HttpRequest) -> HttpResponse:
    """Fifty contacts in a plain template: the least that a page with this table can do."""
    template = (
        engines["django"].from_string(TABLE) if not hasattr(bare_list, "template") else bare_list.template
    )
    bare_list.template = template  # type: ignore[attr-defined]
    return HttpResponse(template.render({"contacts": _contacts()}, request))


def empty(request: HttpRequest) -> HttpResponse:
    """Nothing but the middleware."""
    return HttpResponse("<!doctype html><title>Empty</title>")


class BarePulse(serializers.ModelSerializer[Pulse]):
    class Meta:
        model = Pulse
        exclude = ["contact"]


class BareContact(serializers.ModelSerializer[Contact]):
    """The fields of ``contacts/``, by the framework's own means."""

    pulse = BarePulse()

    class Meta:
        model = Contact
        exclude = ["search_text", "team"]


class BareApi(APIView):
    scope = "contacts:read"

    def get(self, request: Request) -> Response:
        rows = Contact.objects.select_related("pulse").order_by("-id")[:ROWS]
        return Response({"next": None, "previous": None, "results": BareContact(rows, many=True).data})


urlpatterns: list[URLPattern | URLResolver] = [
    path("bench/list/", bare_list),
    path("bench/empty/", empty),
    path("bench/api/", BareApi.as_view()),
    path("", include("crmcem.urls")),
]
