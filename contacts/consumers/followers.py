"""Tells those who follow a record what happened with it: others' doings only, and only what they may see."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _

from contacts.models import Follower
from crmcem.lib.activities import kinds as known_kinds
from crmcem.lib.references import references
from crmcem.lib.stream import Batch, Consumer
from crmcem.workspace.models import User
from crmcem.workspace.services.notifications import notify

_WHO = """
, told AS (
    SELECT b.id, f.id AS follower FROM batch b JOIN contacts_follower f ON f.contact_id = b.contact_id
    UNION
    SELECT b.id, f.id FROM batch b JOIN contacts_follower f ON f.company_id = b.company_id
    UNION
    SELECT b.id, f.id FROM batch b
    JOIN contacts_follower f ON f.subject_type = b.subject_type AND f.subject_id = b.subject_id
)
SELECT DISTINCT ON (b.id, f.user_id) b.id, b.kind, b.subject_type, b.subject_id, f.id, f.user_id
FROM told JOIN batch b ON b.id = told.id JOIN contacts_follower f ON f.id = told.follower
WHERE NOT (b.actor_kind = 'user' AND b.actor_id = f.user_id)
ORDER BY b.id, f.user_id, f.id
"""


class FollowerConsumer(Consumer):
    name = "contacts.followers"
    batch_size: ClassVar[int] = 500
    kinds: ClassVar[tuple[str, ...]] = (
        "interaction.logged",
        "task.completed",
        "deal.created",
        "deal.moved",
        "deal.won",
        "deal.lost",
        "survey.answered",
        "case.opened",
        "case.resolved",
        "contact.merged",
        "company.merged",
    )
    from_beginning: ClassVar[bool] = False

    def handle(self, batch: Batch) -> None:
        with connection.cursor() as cursor:
            cursor.execute(batch.cte + _WHO, batch.params)
            rows = cursor.fetchall()
        by_user: dict[int, list[tuple[Any, ...]]] = {}
        for activity, kind, subject_type, subject_id, follower, user in rows:
            by_user.setdefault(user, []).append((activity, kind, subject_type, subject_id, follower))
        for user in User.objects.filter(pk__in=by_user, is_active=True).order_by("pk"):
            with translation.override(user.language or None):
                _tell(user, by_user[user.pk])


def _tell(user: User, rows: list[tuple[Any, ...]]) -> None:
    seen = {
        row.pk: row
        for row in Follower.objects.visible_to(user)
        .filter(pk__in={row[4] for row in rows})
        .select_related("contact", "company")
    }
    shown = _shown(user, rows)
    for activity, kind, subject_type, subject_id, follower in rows:
        row = seen.get(follower)
        if row is None or (subject_type in references and subject_id not in shown[subject_type]):
            continue
        what = known_kinds.get(kind)
        label, url = _record(row, shown)
        notify(
            user=user,
            kind="follow",
            title=_("%(what)s: %(record)s") % {"what": what.label if what else kind, "record": label},
            body=_("You follow this record."),
            url=url,
            dedupe_key=f"follow:{activity}:{user.pk}",
        )


def _shown(user: User, rows: list[tuple[Any, ...]]) -> Mapping[str, Mapping[int, str]]:
    """Labels of the subjects that the person may see, by kind."""
    wanted: dict[str, set[int]] = {kind.key: set() for kind in references}
    for _activity, _kind, subject_type, subject_id, _follower in rows:
        if subject_type in wanted:
            wanted[subject_type].add(subject_id)
    found: dict[str, Mapping[int, str]] = {}
    for key, ids in wanted.items():
        kind = references[key]
        allowed = not kind.scope or user.may(kind.scope)
        found[key] = kind.visible(ids, user) if ids and allowed else {}
    return found


def _record(row: Follower, shown: Mapping[str, Mapping[int, str]]) -> tuple[str, str]:
    """Name and page of what is followed."""
    if row.contact is not None:
        return str(row.contact), f"/contacts/{row.contact.pk}/"
    if row.company is not None:
        return str(row.company), f"/companies/{row.company.pk}/"
    kind, pk = references[row.subject_type], int(row.subject_id or 0)
    return shown[row.subject_type].get(pk, ""), kind.url(pk)
