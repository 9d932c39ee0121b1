"""Whom tracked events are about: found by external id, e-mail or alias, made where unknown; set-based."""

from collections.abc import Iterable

import orjson
from django.db import connection
from django.db.models import QuerySet

from contacts.models import Contact, ContactPoint, IdentityAlias, Lifecycle
from contacts.services.event_input import Identity
from crmcem.lib.actors import Actor
from crmcem.lib.records import visible_rows
from crmcem.lib.visibility import visible_q

#: ``identity → (contact id, company id)``, ``(None, None)`` for an unknown visitor; absent means refused.
Place = tuple[int | None, int | None]
Found = dict[Identity, Place]
_Ids = dict[str, Place]

_CREATE = """
WITH v AS (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS x(external_id text, email text)
), made AS (
    INSERT INTO contacts_contact (external_id, email, first_name, last_name, job_title, lifecycle_stage, tags,
        custom, consent, language, time_zone, created_at, updated_at, version)
    SELECT v.external_id, v.email, '', '', '', %(stage)s, '{}', '{}', '{}', '', '', now(), now(), 1
    FROM v ORDER BY v.external_id, v.email
    ON CONFLICT DO NOTHING
    RETURNING id, external_id, email
), pulses AS (
    INSERT INTO contacts_pulse (contact_id, lifecycle_stage, open_cases, orders, revenue)
    SELECT made.id, %(stage)s, 0, 0, 0 FROM made
), points AS (
    INSERT INTO contacts_contactpoint (contact_id, kind, value, is_primary, created_at)
    SELECT made.id, 'email', made.email, true, now() FROM made WHERE made.email IS NOT NULL
    ON CONFLICT DO NOTHING
)
INSERT INTO contacts_activity (occurred_at, kind, contact_id, actor_kind, actor_id, payload)
SELECT now(), 'contact.created', made.id, %(actor_kind)s, %(actor_id)s,
       jsonb_build_object('name', coalesce(made.email, made.external_id), 'source', 'event')
FROM made
"""


def contacts_for(*, actor: Actor, identities: Iterable[Identity]) -> Found:
    """Find or make the contacts of ``identities``, inside the caller's transaction.

    A person who doesn't see all customers reaches only visible ones, makes none, and speaks for no visitor:
    otherwise the answer would tell who is known.
    """
    everyone = sees_all(actor)
    wanted: dict[str, list[Identity]] = {"external_id": [], "email": [], "anonymous_id": []}
    for identity in identities:
        wanted[identity[0]].append(identity)
    found: Found = {}
    for field in ("external_id", "email"):
        keys = sorted({identity[1] for identity in wanted[field]})
        if not keys:
            continue
        ids = _by_name(actor, field, keys)
        missing = [key for key in keys if key not in ids]
        if missing and everyone:
            _create(actor, field, missing)
            ids |= _by_name(actor, field, missing)
        found |= {identity: ids[identity[1]] for identity in wanted[field] if identity[1] in ids}
    if wanted["anonymous_id"] and everyone:
        ids = _by_alias(sorted({identity[1] for identity in wanted["anonymous_id"]}))
        found |= {identity: ids.get(identity[1], (None, None)) for identity in wanted["anonymous_id"]}
    return found


def sees_all(actor: Actor) -> bool:
    """Whether no customer is hidden from the actor."""
    return not actor.is_limited or actor.user.access.visibility == "all"


def _visible(actor: Actor) -> QuerySet[Contact]:
    return visible_rows(Contact, actor)


def _by_name(actor: Actor, field: str, keys: list[str]) -> _Ids:
    """By the contact's own ``external_id`` or ``email``, else by any further one of theirs."""
    rows = _visible(actor).filter(**{f"{field}__in": keys}).values_list(field, "pk", "company_id")
    ids: _Ids = {key: (pk, company) for key, pk, company in rows if key is not None}
    rest = [key for key in keys if key not in ids]
    if rest:
        points = ContactPoint.objects.filter(kind=field, value__in=rest)
        if actor.is_limited:
            points = points.filter(visible_q(actor.user, "contact__"))
        found = points.values_list("value", "contact_id", "contact__company_id")
        ids |= {key: (pk, company) for key, pk, company in found}
    return ids


def _by_alias(keys: list[str]) -> dict[str, tuple[int | None, int | None]]:
    rows = IdentityAlias.objects.filter(anonymous_id__in=keys)
    found = rows.values_list("anonymous_id", "contact_id", "contact__company_id")
    return {key: (pk, company) for key, pk, company in found}


def _create(actor: Actor, field: str, keys: list[str]) -> None:
    """Make contacts, each with Pulse, contact point and activity; one made meanwhile by another is left alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CREATE,
            {
                "rows": orjson.dumps([{field: key} for key in keys]).decode(),
                "stage": Lifecycle.SUBSCRIBER.value,
                "actor_kind": actor.kind,
                "actor_id": actor.id,
            },
        )
