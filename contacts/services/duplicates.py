"""Finding records that are perhaps the same: on every change, and by a search through all of them."""

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.http import Http404
from django.utils import timezone

from contacts.models import Company, Contact, DuplicatePair, DuplicateScan
from contacts.selectors.duplicate_sql import HITS, KEYS, REASONS, SCORE, THRESHOLD
from contacts.selectors.merging import MODELS
from contacts.services.merge import company_merge, contact_merge
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import Conflict, DomainError, NotAllowed, StaleWrite
from crmcem.lib.jobs import soon
from crmcem.workspace.policies import require

SCAN = "contacts.tasks.scan_duplicates"
#: records of one transaction of a search
CHUNK = 2000
#: exact pairs that one call merges
BULK = 100
#: a whole search is made again after so many days, beside what every change finds by itself
AGAIN_DAYS = 7

_REKEY = """
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT ON (digest, k.record_id) k.kind, k.record_id,
           hashtextextended(%(entity)s || '|' || k.kind || '|' || k.value, 0) AS digest
    FROM ({keys}) k WHERE k.value IS NOT NULL AND k.value <> ''
), gone AS (
    DELETE FROM contacts_duplicatekey d
    WHERE d.entity = %(entity)s AND d.record_id = ANY(%(ids)s)
      AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.digest = d.digest AND w.record_id = d.record_id)
)
INSERT INTO contacts_duplicatekey (digest, record_id, entity, kind)
SELECT w.digest, w.record_id, %(entity)s, w.kind FROM wanted w
ON CONFLICT DO NOTHING
"""
# Each key of a record is looked up in its index, and no further than one beyond HITS.
_PAIR = """
WITH mine AS MATERIALIZED (
    SELECT d.digest, d.record_id, d.kind FROM contacts_duplicatekey d
    WHERE d.entity = %(entity)s AND d.record_id = ANY(%(ids)s)
), shared AS MATERIALIZED (
    SELECT m.digest, o.ids FROM (SELECT DISTINCT digest FROM mine) m
    CROSS JOIN LATERAL (
        SELECT array_agg(x.record_id) AS ids
        FROM (SELECT k.record_id FROM contacts_duplicatekey k WHERE k.digest = m.digest LIMIT %(hits)s + 1) x
    ) o
    WHERE cardinality(o.ids) BETWEEN 2 AND %(hits)s
), cand AS MATERIALIZED (
    SELECT least(m.record_id, o.id) AS left_id, greatest(m.record_id, o.id) AS right_id,
           array_agg(DISTINCT m.kind::text) AS kinds
    FROM mine m JOIN shared s ON s.digest = m.digest CROSS JOIN LATERAL unnest(s.ids) AS o(id)
    WHERE o.id <> m.record_id AND (o.id < m.record_id OR NOT %(older)s)
    GROUP BY 1, 2
){score}
, found AS MATERIALIZED (
    SELECT left_id, right_id, score, exact, {reasons} AS reasons FROM scored WHERE score >= %(threshold)s
), old AS MATERIALIZED (
    SELECT p.id, p.left_id, p.right_id, p.state FROM contacts_duplicatepair p
    WHERE p.entity = %(entity)s AND p.state <> 'merged'
      AND (p.right_id = ANY(%(ids)s) OR (p.left_id = ANY(%(ids)s) AND NOT %(older)s))
    ORDER BY p.id FOR UPDATE
), gone AS (
    DELETE FROM contacts_duplicatepair p USING old
    WHERE p.id = old.id AND old.state = 'open' AND NOT EXISTS (
        SELECT 1 FROM found f WHERE f.left_id = old.left_id AND f.right_id = old.right_id)
), kept AS (
    INSERT INTO contacts_duplicatepair (entity, left_id, right_id, score, exact, reasons, state, created_at)
    SELECT %(entity)s, f.left_id, f.right_id, f.score, f.exact, to_jsonb(f.reasons), 'open', clock_timestamp()
    FROM found f ORDER BY f.left_id, f.right_id
    ON CONFLICT (entity, left_id, right_id) DO UPDATE
    SET score = excluded.score, exact = excluded.exact, reasons = excluded.reasons,
        state = CASE contacts_duplicatepair.state WHEN 'merged' THEN 'open' ELSE contacts_duplicatepair.state END
    WHERE (contacts_duplicatepair.score, contacts_duplicatepair.exact, contacts_duplicatepair.reasons)
          IS DISTINCT FROM (excluded.score, excluded.exact, excluded.reasons)
       OR contacts_duplicatepair.state = 'merged'
    RETURNING 1
)
SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM kept)
"""
_DEAD = """
DELETE FROM contacts_duplicatepair p
WHERE p.entity = %(entity)s AND p.state <> 'merged' AND (p.left_id = ANY(%(gone)s) OR p.right_id = ANY(%(gone)s))
"""


def rekey(entity: str, ids: Sequence[int]) -> None:
    """Make the keys of these records anew, inside the caller's transaction; those of deleted records go."""
    _execute(_REKEY.format(keys=KEYS[entity]), entity, ids)


def compare(entity: str, ids: Sequence[int], *, older: bool = False) -> int:
    """Compare these records with whatever shares a key with them, and keep the pairs. Answers how many there are.

    ``older``: only with records of a lower id (a search through all of them meets each pair once).
    """
    statement = _PAIR.format(score=SCORE[entity], reasons=REASONS[entity])
    row = _execute(statement, entity, ids, older=older, hits=HITS, threshold=THRESHOLD)
    return int(row[0]) if row else 0


def look_again(entity: str, ids: Sequence[int]) -> int:
    """What a change of these records means for the pairs they are in; of deleted ones nothing stays."""
    ids = sorted(set(ids))
    there = set(MODELS[entity].objects.filter(pk__in=ids).values_list("pk", flat=True))
    gone = [pk for pk in ids if pk not in there]
    rekey(entity, ids)
    if gone:
        _execute(_DEAD, entity, ids, gone=gone)
    return compare(entity, sorted(there)) if there else 0


def _execute(statement: str, entity: str, ids: Sequence[int], **params: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"entity": entity, "ids": list(ids), **params})
        return cursor.fetchone() if cursor.description else None


# --- a search through all records ------------------------------------------------------------------
def scan_start(*, entity: str, actor: Actor) -> DuplicateScan:
    """Search all records of a kind from the beginning; one that is under way is left to itself."""
    require(actor, "contacts:write")
    with acting(actor):
        scan, made = DuplicateScan.objects.select_for_update().get_or_create(entity=entity)
        if not made and scan.finished_at is not None:
            scan.phase, scan.after_id, scan.records, scan.pairs = DuplicateScan.Phase.KEYS, 0, 0, 0
            scan.started_at, scan.finished_at = timezone.now(), None
            scan.save()
    soon(SCAN)
    return scan


def scans_due() -> None:
    """Begin the searches that were never made or are old."""
    for entity in MODELS:
        DuplicateScan.objects.get_or_create(entity=entity)
    old = timezone.now() - dt.timedelta(days=AGAIN_DAYS)
    DuplicateScan.objects.filter(finished_at__lt=old).update(
        phase=DuplicateScan.Phase.KEYS,
        after_id=0,
        records=0,
        pairs=0,
        started_at=timezone.now(),
        finished_at=None,
    )


def scan_run(*, seconds: float) -> bool:
    """Take the searches further for a while. Whether there is more to do.

    Each chunk is a transaction with its scan's row locked: a second worker passes by, a killed one loses one chunk.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with transaction.atomic():
            open_ones = DuplicateScan.objects.filter(finished_at__isnull=True)
            scan = open_ones.order_by("id").select_for_update(skip_locked=True).first()
            if scan is None:
                return False
            _chunk(scan)
    return True


def _chunk(scan: DuplicateScan) -> None:
    rows = MODELS[scan.entity].objects.filter(pk__gt=scan.after_id).order_by("pk")
    ids = list(rows.values_list("pk", flat=True)[:CHUNK])
    if scan.phase == DuplicateScan.Phase.KEYS:
        if ids:
            rekey(scan.entity, ids)
            scan.records += len(ids)
    elif ids:
        scan.pairs += compare(scan.entity, ids, older=True)
    if ids:
        scan.after_id = ids[-1]
    elif scan.phase == DuplicateScan.Phase.KEYS:
        scan.phase, scan.after_id = DuplicateScan.Phase.PAIRS, 0
    else:
        scan.phase, scan.finished_at = DuplicateScan.Phase.DONE, timezone.now()
    scan.save()


# --- what people decide ----------------------------------------------------------------------------
def pair_dismiss(*, pair: DuplicatePair, actor: Actor) -> DuplicatePair:
    """The two are not the same; no search brings the pair up again. Raises Conflict for one that is merged."""
    return _decide(pair, DuplicatePair.State.DISMISSED, actor)


def pair_reopen(*, pair: DuplicatePair, actor: Actor) -> DuplicatePair:
    """Back into the queue."""
    return _decide(pair, DuplicatePair.State.OPEN, actor)


def _decide(pair: DuplicatePair, state: str, actor: Actor) -> DuplicatePair:
    require(actor, "contacts:write")
    with acting(actor):
        rows = DuplicatePair.objects.all()
        if actor.is_limited:
            rows = rows.visible_to(actor.user)
        row: DuplicatePair | None = rows.select_for_update(of=("self",)).filter(pk=pair.pk).first()
        if row is None:
            raise Http404
        if row.state == DuplicatePair.State.MERGED:
            raise Conflict("merged", "These records are merged already.")
        row.state = state
        row.save(update_fields=["state"])
    return row


def pairs_merge_exact(*, entity: str, actor: Actor, limit: int = BULK) -> dict[str, Any]:
    """Merge the exact pairs that the actor may see, the newer record into the older one, each by itself.

    Answers ``{merged: [merge], failed: [{pair, detail}], more}``: one that can't be merged harms no other.
    """
    require(actor, "contacts:write")
    rows = DuplicatePair.objects.filter(entity=entity, exact=True, state=DuplicatePair.State.OPEN)
    if actor.is_limited:
        rows = rows.visible_to(actor.user)
    pairs = list(rows.order_by("id")[: limit + 1])
    merged, failed = [], []
    for pair in pairs[:limit]:
        try:
            merge = pair_merge(pair=pair, actor=actor)
        except (Conflict, DomainError, Http404, NotAllowed, StaleWrite) as error:
            failed.append({"pair": pair.pk, "detail": str(error)})
            continue
        if merge is not None:
            merged.append(merge)
    return {"merged": merged, "failed": failed, "more": len(pairs) > limit}


def pair_merge(*, pair: DuplicatePair, actor: Actor) -> Any:
    """Merge the newer record of a pair into the older one, by the rule; None where one is gone meanwhile."""
    if pair.entity == "company":
        firms = {row.pk: row for row in Company.objects.filter(pk__in=(pair.left_id, pair.right_id))}
        if len(firms) < 2:
            return None
        return company_merge(winner=firms[pair.left_id], loser=firms[pair.right_id], actor=actor)[0]
    people = {row.pk: row for row in Contact.objects.filter(pk__in=(pair.left_id, pair.right_id))}
    if len(people) < 2:
        return None
    return contact_merge(winner=people[pair.left_id], loser=people[pair.right_id], actor=actor)[0]
