"""What the pages of customers share: rows or 404, errors on forms, and a form that counts once."""

import hashlib
import secrets
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from django import forms
from django.db import connection, transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest

from contacts.selectors.people import people as people
from crmcem.lib import references
from crmcem.lib.errors import NON_FIELD, DomainError
from crmcem.workspace.models import ApiToken, IdempotencyKey, User

M = TypeVar("M", bound=Model)


def seen(queryset: QuerySet[M], request: HttpRequest, pk: int) -> M:
    """The row, if the person may see it; 404 otherwise, as for one that never was.

    Raises Moved for the old id of a record that was merged into one that the person may see.
    """
    if abs(pk) >= 2**63:
        raise Http404
    rows: Any = queryset
    visible = rows.visible_to(request.user)
    row: M | None = visible.filter(pk=pk).first()
    if row is None:
        moved = references.successor(visible, pk)
        if moved is not None:
            raise references.Moved(moved.pk)
        raise Http404
    return row


def put_errors(form: forms.Form, error: DomainError, **names: str) -> None:
    """What a service found wrong, at the form's fields (``names`` maps the service's names to the form's)."""
    for each in error.errors:
        name = names.get(each.field, each.field)
        form.add_error(name if name != NON_FIELD and name in form.fields else None, each.detail)


def number(value: Any, low: int = 1) -> int | None:
    """``value`` as the id of a row, or None."""
    text = str(value or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    found = int(text)
    return found if found >= low else None


# --- a form that is sent twice counts once ---------------------------------------------------------
def form_key() -> str:
    """For the hidden field ``form_key``: what is sent with it happens once."""
    return secrets.token_urlsafe(16)


def once(request: HttpRequest, make: Callable[[], str]) -> str:
    """The URL that ``make()`` answers; the same form sent again gets the first one's URL and makes nothing.

    A form that was changed before it is sent again (back in the browser) is another one. Two at the same
    time wait for each other. What ``make`` raises undoes everything, the key too.
    """
    key = request.POST.get("form_key", "")
    user: Any = request.user
    if not 16 <= len(key) <= 64 or not key.isascii() or not key.isprintable():
        return make()
    typed = sorted((n, v) for n, v in request.POST.lists() if n != "csrfmiddlewaretoken")
    key = f"{key}:{hashlib.sha256(repr(typed).encode()).hexdigest()}"
    mine = IdempotencyKey.objects.filter(actor_kind="form", actor_id=user.pk, key=key)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO workspace_idempotencykey
                    (actor_kind, actor_id, key, fingerprint, headers, body, created_at)
                VALUES ('form', %s, %s, '', '{}', '', now())
                ON CONFLICT (actor_kind, actor_id, key) DO NOTHING
                """,
                [user.pk, key],
            )
            first = cursor.rowcount == 1
        if not first:
            return bytes(mine.get().body).decode()
        url = make()
        mine.update(status=302, body=url.encode())
    return url


# --- who did it -----------------------------------------------------------------------------------
def names_of(pairs: Collection[tuple[str, int | None]]) -> dict[tuple[str, int | None], str]:
    """The names of actors ``(kind, id)`` that are people or tokens; at most two statements."""
    users = {pk for kind, pk in pairs if kind == "user" and pk is not None}
    tokens = {pk for kind, pk in pairs if kind == "token" and pk is not None}
    found: dict[tuple[str, int | None], str] = {}
    if users:
        found |= {("user", user.pk): str(user) for user in User.objects.filter(pk__in=users)}
    if tokens:
        rows = ApiToken.objects.filter(pk__in=tokens).select_related("user")
        found |= {("token", row.pk): f"{row.user} ({row.name})" for row in rows}
    return found
