from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from crmcem.lib.keyset import Order, keyset_page
from crmcem.lib.web.htmx import is_fragment, render_page, trigger
from crmcem.workspace.models import Notification
from crmcem.workspace.policies import user_of
from crmcem.workspace.services.notifications import notifications_read

SHOWN_UNREAD = 99


@login_required
@require_safe
def unread_count(request: HttpRequest) -> HttpResponse:
    """The number on the bell, empty at none."""
    unread = Notification.objects.filter(user=user_of(request), read_at__isnull=True)
    context = {"count": unread.order_by()[: SHOWN_UNREAD + 1].count(), "cap": SHOWN_UNREAD}
    return render_page(request, "workspace/notifications_count.html", context)


@login_required
@require_safe
def menu(request: HttpRequest) -> HttpResponse:
    """The newest notifications under the bell."""
    rows = list(Notification.objects.filter(user=user_of(request))[:10])
    context = {"rows": rows, "unread": any(row.read_at is None for row in rows)}
    return render_page(request, "workspace/notifications_menu.html", context)


@login_required
@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """Every notification, newest first."""
    mine = Notification.objects.filter(user=user_of(request))
    page = keyset_page(mine, Order("id", descending=True), request.GET.get("cursor"), 50)
    return render_page(request, "workspace/notifications.html", {"page": page})


@login_required
@require_POST
def open_one(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark as read and go to what it is about."""
    row = get_object_or_404(Notification, pk=pk, user=user_of(request))
    notifications_read(user=user_of(request), ids=[row.pk])
    own = row.url.startswith("/") and not row.url.startswith(("//", "/\\"))
    return redirect(row.url if own else "workspace:notifications")


@login_required
@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    notifications_read(user=user_of(request))
    if is_fragment(request):
        return trigger(menu_of(request), notifications=True)
    return redirect("workspace:notifications")


def menu_of(request: HttpRequest) -> HttpResponse:
    """The menu's fragment after a change."""
    rows = list(Notification.objects.filter(user=user_of(request))[:10])
    return render_page(request, "workspace/notifications_menu.html", {"rows": rows, "unread": False})
