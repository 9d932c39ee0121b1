"""An import taken back: what it created is deleted, what it changed is as before, unless somebody changed it since.

The audit is the journal: every row that a job wrote is an entry under its name, with the old and the new value of each
changed column. They are taken back newest first, a batch in a transaction, which also moves the place in ``undo``: a
worker that is killed leaves a job that the next one takes on. What is left as it is stands in ``ImportKept``.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection
from django.utils import timezone

from contacts.models import Company, Contact, ImportJob, Interaction
from contacts.services.merge_forget import merges_forget
from crmcem.lib.actors import Actor, acting

from . import companies_sql, contacts_sql
from .commit import LEASE_SECONDS, LeaseLost
from .staging import by_index, prepare, visible_where
from .undo_parts import parts_back

BATCH = 1000
#: What the house itself says of a contact that exists is no work of anybody on it.
OWN_KINDS = ("segment.", "milestone.")


@dataclass(frozen=True, slots=True)
class Side:
    """One table that an import writes to, in the order of taking back: contacts before their companies."""

    objects: str
    table: str
    entity: str
    model: Any
    fields: tuple[str, ...]
    companions: tuple[str, ...]
    #: what else says that a created row is in use: a condition on ``c`` with the job's id as ``%(job)s``
    in_use: str
    #: old values that somebody else has taken meanwhile: a condition on ``c`` and the old values ``o``
    taken: str


SIDES = (
    Side(
        "contacts",
        "contacts_contact",
        "contact",
        Contact,
        contacts_sql.FIELDS,
        contacts_sql.CHANGED,
        "false",
        """EXISTS (SELECT 1 FROM contacts_contactpoint pt
                   WHERE pt.kind = 'email' AND pt.value = o.email AND pt.contact_id <> c.id)
           OR EXISTS (SELECT 1 FROM contacts_contact x WHERE x.external_id = o.external_id AND x.id <> c.id)""",
    ),
    Side(
        "companies",
        "contacts_company",
        "company",
        Company,
        companies_sql.FIELDS,
        (),
        "EXISTS (SELECT 1 FROM contacts_contact x WHERE x.company_id = c.id)",
        """EXISTS (SELECT 1 FROM contacts_company x
                   WHERE x.id <> c.id AND (x.domain = o.domain OR x.external_id = o.external_id))""",
    ),
)

_RANGE = """
SELECT min(id), max(id) FROM workspace_auditentry
WHERE at BETWEEN %(begin)s AND %(end)s AND actor_kind = 'import' AND actor_id = %(job)s
"""
_ENTRIES = """
CREATE TEMP TABLE undo_entry ON COMMIT DROP AS
SELECT e.id, e.row_id, e.op, e.changes FROM workspace_auditentry e
WHERE e.id >= %(first)s AND e.id < %(before)s
  AND e.actor_kind = 'import' AND e.actor_id = %(job)s AND e.table_name = %(table)s AND e.op IN ('I', 'U')
ORDER BY e.id DESC LIMIT %(limit)s
"""
# A row is taken back once, where its newest entry is met: one that the job created is deleted, whatever it changed in
# it later, and one that it changed twice goes back to what it was before the first time.
_ONCE = """
DELETE FROM undo_entry u USING workspace_auditentry e
WHERE u.op = 'U' AND e.table_name = %(table)s AND e.row_id = u.row_id
  AND (e.op = 'I' OR (e.op = 'U' AND e.id > u.id))
  AND e.actor_kind = 'import' AND e.actor_id = %(job)s
"""
_LOCK = "SELECT c.id FROM {table} c WHERE c.id IN (SELECT row_id FROM undo_entry) ORDER BY c.id FOR UPDATE"

_CREATED = """
SELECT c.id, CASE
    WHEN NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.id = c.id AND {visible}) THEN 'hidden'
    WHEN EXISTS (SELECT 1 FROM workspace_auditentry a
                 WHERE a.table_name = %(table)s AND a.row_id = c.id AND a.id > u.id
                   AND NOT (a.actor_kind = 'import' AND a.actor_id = %(job)s)) THEN 'changed'
    WHEN {in_use} OR EXISTS (
        SELECT 1 FROM contacts_activity a
        WHERE a.{entity}_id = c.id AND NOT (a.actor_kind = 'import' AND a.actor_id = %(job)s)
          AND NOT a.kind LIKE ANY (%(own)s)) THEN 'in_use'
END
FROM undo_entry u JOIN {table} c ON c.id = u.row_id
WHERE u.op = 'I' ORDER BY c.id
"""

# What the import left in a column must be there still; the columns are the import's own.
_CHANGED = """
CREATE TEMP TABLE undo_change ON COMMIT DROP AS
SELECT c.id, v.old, v.changes, CASE
    WHEN NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.id = c.id AND {visible}) THEN 'hidden'
    WHEN v.differs THEN 'changed'
    WHEN {taken} THEN 'taken'
END AS reason
FROM undo_entry u
JOIN {table} c ON c.id = u.row_id
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(w.key, w.old) AS old,
           jsonb_object_agg(CASE WHEN w.key = 'external_id' THEN w.key ELSE regexp_replace(w.key, '_id$', '') END,
                            jsonb_build_array(w.new, w.old)) AS changes,
           bool_or(to_jsonb(c) -> w.key IS DISTINCT FROM w.new) AS differs
    FROM (
        SELECT e.key, (array_agg(e.value -> 0 ORDER BY a.id))[1] AS old,
               (array_agg(e.value -> 1 ORDER BY a.id DESC))[1] AS new
        FROM workspace_auditentry a CROSS JOIN LATERAL jsonb_each(a.changes) e
        WHERE a.table_name = %(table)s AND a.row_id = u.row_id AND a.op = 'U'
          AND a.actor_kind = 'import' AND a.actor_id = %(job)s AND e.key = ANY (%(fields)s)
        GROUP BY e.key
    ) w
) v
CROSS JOIN LATERAL jsonb_populate_record(c, v.old) o
WHERE u.op = 'U' AND v.old IS NOT NULL
"""
# In the shape that the import itself uses, so that the same statements bring the companions along.
_BACK = """
CREATE TEMP TABLE import_changed ON COMMIT DROP AS
SELECT {columns}, c.id, k.changes FROM undo_change k
JOIN {table} c ON c.id = k.id CROSS JOIN LATERAL jsonb_populate_record(c, k.old) o
WHERE k.reason IS NULL
"""
# The triggers of the contact keep its employments, and would open a new one where the import had closed the old. So
# before the contact is written, the one that the import opened goes (where nobody has changed it: only what is changed
# is in the audit), and those that it moved are as the audit knows them.
_JOBS_OPENED = """
DELETE FROM contacts_employment e USING import_changed p
WHERE e.contact_id = p.id AND e.is_primary AND e.company_id::text = p.changes #>> '{company,0}'
  AND NOT EXISTS (
    SELECT 1 FROM workspace_auditentry a
    WHERE a.table_name = 'contacts_employment' AND a.row_id = e.id AND a.op = 'U')
"""
_JOBS_MOVED = """
UPDATE contacts_employment e SET is_primary = o.is_primary, ends_on = o.ends_on, title = o.title,
    version = e.version + 1, updated_at = now()
FROM import_changed p, LATERAL (
    SELECT w.row_id, jsonb_object_agg(w.key, w.old) AS old
    FROM (
        SELECT a.row_id, v.key, (array_agg(v.value -> 0 ORDER BY a.id))[1] AS old
        FROM contacts_employment x
        JOIN workspace_auditentry a ON a.table_name = 'contacts_employment' AND a.row_id = x.id AND a.op = 'U'
            AND a.actor_kind = 'import' AND a.actor_id = %(job)s
        CROSS JOIN LATERAL jsonb_each(a.changes) v
        WHERE x.contact_id = p.id
        GROUP BY a.row_id, v.key
    ) w GROUP BY w.row_id
) k, LATERAL (SELECT (jsonb_populate_record(x, k.old)).* FROM contacts_employment x WHERE x.id = k.row_id) o
WHERE e.id = k.row_id AND o.is_primary = %(primary)s AND (p.changes ? 'company' OR p.changes ? 'job_title')
"""
_UPDATE = """
UPDATE {table} c SET ({fields}, version, updated_at) = ({values}, c.version + 1, now())
FROM import_changed p WHERE c.id = p.id
"""
_SAY = """
INSERT INTO contacts_activity (kind, {entity}_id, actor_kind, actor_id, payload)
SELECT '{entity}.updated', p.id, %(kind)s, %(actor)s, jsonb_build_object('changes', p.changes) FROM import_changed p
"""
_SAY_GONE = """
INSERT INTO contacts_activity (kind, {entity}_id, actor_kind, actor_id, payload)
SELECT '{entity}.deleted', c.id, %(kind)s, %(actor)s, jsonb_build_object('external_id', c.external_id)
FROM {table} c WHERE c.id = ANY (%(ids)s)
"""
# What the import added to contacts that existed, unless somebody changed it or made it the primary one since.
_POINTS = """
WITH batch AS (
    SELECT i.id, i.contact_id, i.point_id FROM contacts_importpoint i
    WHERE i.job_id = %(job)s AND i.id > %(after)s ORDER BY i.id LIMIT %(limit)s
), state AS (
    SELECT p.contact_id, p.id AS point_id, CASE
        WHEN NOT EXISTS (SELECT 1 FROM contacts_contact WHERE contacts_contact.id = p.contact_id AND {visible})
            THEN 'hidden'
        WHEN p.version > 1 OR p.is_primary OR p.contact_id <> b.contact_id THEN 'changed'
    END AS reason
    FROM batch b JOIN contacts_contactpoint p ON p.id = b.point_id
), gone AS (
    DELETE FROM contacts_contactpoint p USING state s WHERE p.id = s.point_id AND s.reason IS NULL
    RETURNING p.contact_id
), said AS (
    INSERT INTO contacts_activity (kind, contact_id, actor_kind, actor_id, payload)
    SELECT DISTINCT 'contact.updated', contact_id, %(kind)s, %(actor)s::bigint, '{{"fields": ["points"]}}'::jsonb
    FROM gone
), kept AS (
    INSERT INTO contacts_importkept (job_id, entity, record_id, reason, fields)
    SELECT DISTINCT %(job)s, 'contact', contact_id, reason, '["points"]'::jsonb FROM state WHERE reason IS NOT NULL
    RETURNING 1
)
SELECT max(batch.id), (SELECT count(*) FROM kept), (
    SELECT count(DISTINCT g.contact_id) FROM gone g WHERE NOT EXISTS (
        SELECT 1 FROM workspace_auditentry a
        WHERE a.table_name = 'contacts_contact' AND a.row_id = g.contact_id AND a.op IN ('I', 'U')
          AND a.actor_kind = 'import' AND a.actor_id = %(job)s)
) FROM batch
"""
_KEEP = """
INSERT INTO contacts_importkept (job_id, entity, record_id, reason, fields)
SELECT %(job)s, %(entity)s, k.id, k.reason, coalesce(
    (SELECT jsonb_agg(name ORDER BY name) FROM jsonb_object_keys(k.changes) name), '[]')
FROM undo_change k WHERE k.reason IS NOT NULL
UNION ALL
SELECT %(job)s, %(entity)s, g.id, g.reason, '[]' FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) g (id, reason)
"""


def undo_begin(job: ImportJob) -> dict[str, Any]:
    """The place to begin at: the range of the job's entries in the audit, found once by their times."""
    end = job.finished_at or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_RANGE, {"begin": job.created_at, "end": end, "job": job.pk})
        first, last = cursor.fetchone()
    return {
        "side": 0,
        "part": 0,
        "point": 0,
        "first": first or 0,
        "last": last or 0,
        "before": (last or 0) + 1,
    }


def undo_batch(job: ImportJob) -> bool:
    """Take the next batch back and move the place, both or neither. False where nothing is left.

    Raises LeaseLost where the job is not being undone any more.
    """
    person = job.undone_by or job.owner
    with acting(Actor("user", person.pk, person)), connection.cursor() as cursor:
        prepare(cursor)
        cursor.execute("DROP TABLE IF EXISTS undo_entry, undo_change")
        cursor.execute(
            "SELECT undo FROM contacts_importjob WHERE id = %s AND status = 'undoing' FOR UPDATE", [job.pk]
        )
        row = cursor.fetchone()
        if row is None:
            raise LeaseLost
        place = row[0] if isinstance(row[0], dict) else orjson.loads(row[0])
        if place["side"] >= len(SIDES):
            return False
        side = SIDES[place["side"]]
        if place.get("part") is not None:
            own = next(each for each in SIDES if each.objects == job.object)
            deleted, restored, kept = 0, *parts_back(cursor, job, place, _visible(own, person))
        elif place.get("point") is not None:
            deleted, restored, kept = 0, *_take_points_back(cursor, job, place)
        else:
            deleted, restored, kept = _take_back(cursor, job, side, place)
            if (
                side.objects != job.object
            ):  # companies that came along with contacts were not counted when made
                deleted = restored = 0
        cursor.execute(
            """UPDATE contacts_importjob SET undo = %s, undone_created = undone_created + %s,
                undone_updated = undone_updated + %s, kept = kept + %s,
                claimed_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = %s""",
            [orjson.dumps(place).decode(), deleted, restored, kept, LEASE_SECONDS, job.pk],
        )
    return True


def _take_back(cursor: Any, job: ImportJob, side: Side, place: dict[str, Any]) -> tuple[int, int, int]:
    """Answers how many rows were deleted, restored and kept, and moves ``place``."""
    about: dict[str, Any] = {"job": job.pk, "table": side.table, "own": [f"{kind}%" for kind in OWN_KINDS]}
    cursor.execute(_ENTRIES, about | {"first": place["first"], "before": place["before"], "limit": BATCH})
    cursor.execute("SELECT min(id) FROM undo_entry")
    (oldest,) = cursor.fetchone()
    if oldest is None:
        place["side"] += 1
        place["before"] = place["last"] + 1
        return 0, 0, 0
    place["before"] = oldest
    cursor.execute("ANALYZE undo_entry")
    with by_index(cursor):
        cursor.execute(_ONCE, about)
        cursor.execute(_LOCK.format(table=side.table))
        names = {"table": side.table, "entity": side.entity}
        visible, values = _visible(side, job.undone_by or job.owner)
        cursor.execute(_CREATED.format(**names, in_use=side.in_use, visible=visible), about | values)
        created = cursor.fetchall()
        fields = {"fields": list(side.fields)}
        cursor.execute(_CHANGED.format(**names, taken=side.taken, visible=visible), about | values | fields)
        restored = _restore(cursor, job, side)
    kept = {pk: reason for pk, reason in created if reason}
    gone = [pk for pk, reason in created if not reason]
    _delete(cursor, job, side, gone)
    keep = {"job": job.pk, "entity": side.entity, "ids": list(kept), "reasons": list(kept.values())}
    cursor.execute(_KEEP, keep)
    return len(gone), restored, cursor.rowcount


def _take_points_back(cursor: Any, job: ImportJob, place: dict[str, Any]) -> tuple[int, int]:
    """Added addresses and numbers go first. Answers how many contacts are as before and how many were kept."""
    visible, values = _visible(SIDES[0], job.undone_by or job.owner)
    about = {"job": job.pk, "after": place["point"], "limit": BATCH}
    said = {"kind": "user", "actor": job.undone_by_id or job.owner_id}
    cursor.execute(_POINTS.format(visible=visible), about | said | values)
    last, kept, restored = cursor.fetchone()
    place["point"] = last
    return restored, kept


def _visible(side: Side, user: Any) -> tuple[str, dict[str, Any]]:
    sql, params = visible_where(side.model, user)
    named = {f"v{index}": value for index, value in enumerate(params)}
    return sql % tuple(f"%({name})s" for name in named) if named else sql, named


def _restore(cursor: Any, job: ImportJob, side: Side) -> int:
    columns = ", ".join(f"o.{name}" for name in side.fields)
    cursor.execute(_BACK.format(table=side.table, columns=columns))
    count: int = cursor.rowcount
    if count:
        if side.model is Contact:
            cursor.execute(_JOBS_OPENED)
            for primary in (False, True):  # a contact has one primary job at any moment
                cursor.execute(_JOBS_MOVED, {"job": job.pk, "primary": primary})
        values = ", ".join(f"p.{name}" for name in side.fields)
        cursor.execute(_UPDATE.format(table=side.table, fields=", ".join(side.fields), values=values))
        for statement in side.companions:
            cursor.execute(statement)
        cursor.execute(
            _SAY.format(entity=side.entity), {"kind": "user", "actor": job.undone_by_id or job.owner_id}
        )
    return count


def _delete(cursor: Any, job: ImportJob, side: Side, ids: list[int]) -> None:
    """Delete rows that nobody else has touched, with all that hangs on them."""
    if not ids:
        return
    said = {"kind": "user", "actor": job.undone_by_id or job.owner_id, "ids": ids}
    cursor.execute(_SAY_GONE.format(entity=side.entity, table=side.table), said)
    merges_forget(entity=side.entity, ids=ids)
    if side.model is Company:  # its notes would stay behind: those of a contact go with it
        Interaction.objects.filter(company_id__in=ids, contact=None).delete()
    side.model.objects.filter(pk__in=ids).delete()
