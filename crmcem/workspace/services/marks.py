"""Recent and favourite records of a person: bounded, and shown only while the person may still see them."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from crmcem.lib import marked
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import Mark, User

#: so many recent ones are kept, and so many records can be starred
RECENT, STARRED = 50, 100


@dataclass(frozen=True, slots=True)
class Shown:
    label: str
    icon: str
    url: str


def mark_seen(*, user: User, kind: str, record_id: int) -> Mark:
    """Note that the person looks at the record. Raises Http404 for one that they may not see."""
    _seen_by(user, kind, record_id)
    with transaction.atomic():
        row, made = Mark.objects.update_or_create(
            user=user, kind=kind, record_id=record_id, defaults={"seen_at": timezone.now()}
        )
        if made:
            rest = Mark.objects.filter(user=user, starred_at=None).order_by("-seen_at", "-pk")
            Mark.objects.filter(pk__in=list(rest.values_list("pk", flat=True)[RECENT:])).delete()
    return row


def mark_star(*, user: User, kind: str, record_id: int, on: bool) -> Mark:
    """Star the record, or take the star away. Raises Http404 for one that the person may not see."""
    _seen_by(user, kind, record_id)
    with transaction.atomic():
        User.objects.select_for_update().only("pk").get(pk=user.pk)
        starred = Mark.objects.filter(user=user, starred_at__isnull=False).exclude(
            kind=kind, record_id=record_id
        )
        if on and starred.count() >= STARRED:
            raise DomainError.of(
                "star",
                "too_many",
                _("You have starred enough. Take the star from one that you no longer need."),
            )
        row, _made = Mark.objects.get_or_create(user=user, kind=kind, record_id=record_id)
        row.starred_at = (row.starred_at or timezone.now()) if on else None
        row.seen_at = row.seen_at or timezone.now()
        row.save(update_fields=["starred_at", "seen_at"])
    return row


def favourites(user: User, limit: int = 10) -> list[Shown]:
    """The starred records that the person may see, the first starred first."""
    rows = Mark.objects.filter(user=user, starred_at__isnull=False).order_by("starred_at", "pk")[:STARRED]
    return _shown(rows, user, limit)


def recents(user: User, limit: int = 8) -> list[Shown]:
    """What the person looked at last and may still see."""
    rows = Mark.objects.filter(user=user, seen_at__isnull=False).order_by("-seen_at", "-pk")[:RECENT]
    return _shown(rows, user, limit)


def _shown(rows: Any, user: User, limit: int) -> list[Shown]:
    """Names by one question a kind."""
    marks = [(row.kind, row.record_id) for row in rows]
    names: dict[str, dict[int, str]] = {}
    for kind in marked.kinds:
        ids = [pk for key, pk in marks if key == kind.key]
        if ids and user.may(kind.scope):
            names[kind.key] = kind.visible(ids, user)
    shown = []
    for key, pk in marks:
        if pk in names.get(key, {}):
            kind = marked.kinds[key]
            shown.append(Shown(names[key][pk], kind.icon, reverse(kind.page, args=[pk])))
    return shown[:limit]


def _seen_by(user: User, key: str, record_id: int) -> None:
    kind = marked.kinds.get(key)
    if kind is None or not user.may(kind.scope) or record_id not in kind.visible([record_id], user):
        raise Http404
