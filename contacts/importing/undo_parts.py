"""What an import did to the parts of records that existed, taken back: added ones go, changed ones are as before.

A batch is some contacts or companies with all their parts (``ImportPart``). A part that somebody has changed since
stays.
"""

from typing import Any

from contacts.models import ImportJob, Interaction

from .parts_sql import WHOSE

#: records in a batch
BATCH = 500
_BATCH = """
CREATE TEMP TABLE undo_part ON COMMIT DROP AS
SELECT i.<own> AS record_id, i.entity, t.name AS table_name, i.part_id, bool_or(i.made) AS made,
       bool_or(i.counted) AS counted, NULL::text AS reason
FROM contacts_importpart i
JOIN (VALUES ('address', 'contacts_address'), ('profile', 'contacts_socialprofile'),
             ('note', 'contacts_interaction'), ('domain', 'contacts_companydomain')) t (entity, name)
    ON t.entity = i.entity
WHERE i.job_id = %(job)s AND i.<own> IN (
    SELECT DISTINCT b.<own> FROM contacts_importpart b
    WHERE b.job_id = %(job)s AND b.<own> > %(after)s ORDER BY b.<own> LIMIT %(limit)s)
GROUP BY i.<own>, i.entity, t.name, i.part_id
"""
_LOCK = """
SELECT c.id FROM <table> c WHERE c.id IN (SELECT record_id FROM undo_part) ORDER BY c.id FOR UPDATE
"""
_GONE = """
DELETE FROM undo_part u WHERE NOT EXISTS (
    SELECT 1 FROM contacts_address a WHERE u.entity = 'address' AND a.id = u.part_id
    UNION ALL SELECT 1 FROM contacts_socialprofile s WHERE u.entity = 'profile' AND s.id = u.part_id
    UNION ALL SELECT 1 FROM contacts_interaction n WHERE u.entity = 'note' AND n.id = u.part_id
    UNION ALL SELECT 1 FROM contacts_companydomain d WHERE u.entity = 'domain' AND d.id = u.part_id)
"""
# A note follows the owner of its contact: that is nobody's work on it. That a domain is made is not in the audit; one
# that is the company's own now stays with it.
_REASONS = """
UPDATE undo_part u SET reason = CASE
    WHEN NOT EXISTS (SELECT 1 FROM <table> WHERE <table>.id = u.record_id AND {visible})
        THEN 'hidden'
    WHEN EXISTS (
        SELECT 1 FROM workspace_auditentry a
        WHERE a.table_name = u.table_name AND a.row_id = u.part_id AND a.op = 'U'
          AND (a.changes - ARRAY['owner_id', 'team_id']) <> '{{}}'
          AND NOT (a.actor_kind = 'import' AND a.actor_id = %(job)s)
          AND (u.entity = 'domain' OR a.id > (
              SELECT min(o.id) FROM workspace_auditentry o
              WHERE o.table_name = u.table_name AND o.row_id = u.part_id
                AND o.actor_kind = 'import' AND o.actor_id = %(job)s))
    ) OR EXISTS (SELECT 1 FROM contacts_companydomain d WHERE u.entity = 'domain' AND d.id = u.part_id
                 AND (d.is_primary OR d.company_id <> u.record_id)) THEN 'changed'
END
"""
_BACK = """
UPDATE contacts_address c SET (kind, lines, postal_code, city, region, country, version, updated_at)
    = (o.kind, o.lines, o.postal_code, o.city, o.region, o.country, c.version + 1, now())
FROM undo_part u JOIN contacts_address x ON x.id = u.part_id, LATERAL (
    SELECT jsonb_object_agg(w.key, w.old) AS old FROM (
        SELECT e.key, (array_agg(e.value -> 0 ORDER BY a.id))[1] AS old
        FROM workspace_auditentry a CROSS JOIN LATERAL jsonb_each(a.changes) e
        WHERE a.table_name = 'contacts_address' AND a.row_id = u.part_id AND a.op = 'U'
          AND a.actor_kind = 'import' AND a.actor_id = %(job)s
        GROUP BY e.key
    ) w
) v, LATERAL jsonb_populate_record(x, v.old) o
WHERE c.id = x.id AND u.entity = 'address' AND NOT u.made AND u.reason IS NULL
"""
_ADDED = (
    "DELETE FROM contacts_address a USING undo_part u "
    "WHERE u.entity = 'address' AND u.made AND u.reason IS NULL AND a.id = u.part_id",
    "DELETE FROM contacts_socialprofile s USING undo_part u "
    "WHERE u.entity = 'profile' AND u.made AND u.reason IS NULL AND s.id = u.part_id",
    "DELETE FROM contacts_companydomain d USING undo_part u "
    "WHERE u.entity = 'domain' AND u.made AND u.reason IS NULL AND d.id = u.part_id",
    # as after taking a primary one away by hand: the oldest other takes its place
    """UPDATE contacts_address a SET is_primary = true, version = a.version + 1, updated_at = now()
    WHERE a.id IN (
        SELECT min(o.id) FROM contacts_address o
        WHERE o.<own> IN (SELECT record_id FROM undo_part WHERE entity = 'address' AND made AND reason IS NULL)
        GROUP BY o.<own> HAVING NOT bool_or(o.is_primary))""",
)
_NOTES = """
INSERT INTO contacts_activity (kind, contact_id, company_id, subject_type, subject_id, actor_kind, actor_id, payload)
SELECT 'interaction.deleted', i.contact_id, i.company_id, 'interaction', i.id, 'user', %(actor)s, '{"kind": "note"}'
FROM undo_part u JOIN contacts_interaction i ON i.id = u.part_id
WHERE u.entity = 'note' AND u.reason IS NULL
RETURNING subject_id
"""
_TOLD = """
INSERT INTO contacts_activity (kind, contact_id, company_id, actor_kind, actor_id, payload)
SELECT '<entity>.updated', <subject>, 'user', %(actor)s, jsonb_build_object('fields', f.fields)
FROM (
    SELECT record_id, jsonb_agg(DISTINCT CASE entity
        WHEN 'address' THEN 'addresses' WHEN 'profile' THEN 'profiles' ELSE 'domains' END) AS fields
    FROM undo_part WHERE entity <> 'note' AND reason IS NULL GROUP BY record_id
) f JOIN <table> c ON c.id = f.record_id
"""
_KEPT = """
INSERT INTO contacts_importkept (job_id, entity, record_id, reason, fields)
SELECT %(job)s, '<entity>', record_id, reason, jsonb_agg(DISTINCT CASE entity
    WHEN 'address' THEN 'addresses' WHEN 'profile' THEN 'profiles' WHEN 'domain' THEN 'domains' ELSE 'notes' END)
FROM undo_part WHERE reason IS NOT NULL GROUP BY record_id, reason
"""
# Records whose own columns the import changed as well are counted with these
_COUNT = """
SELECT count(*) FROM (
    SELECT record_id FROM undo_part GROUP BY record_id HAVING bool_or(counted) AND bool_and(reason IS NULL)
) d WHERE NOT EXISTS (
    SELECT 1 FROM workspace_auditentry a
    WHERE a.table_name = '<table>' AND a.row_id = d.record_id AND a.op IN ('I', 'U')
      AND a.actor_kind = 'import' AND a.actor_id = %(job)s)
"""


def parts_back(
    cursor: Any, job: ImportJob, place: dict[str, Any], visible: tuple[str, dict[str, Any]]
) -> tuple[int, int]:
    """Take the parts of the next records back and move ``place``.

    ``visible`` is the condition on a record that the person may see, with its values. Answers how many records are as
    before by it, and how many were kept.
    """
    condition, values = visible
    whose = WHOSE[job.object]
    about = {"job": job.pk, "after": place["part"], "limit": BATCH, "actor": job.undone_by_id or job.owner_id}
    cursor.execute("DROP TABLE IF EXISTS undo_part")
    cursor.execute(whose.of(_BATCH), about)
    cursor.execute("SELECT max(record_id) FROM undo_part")
    [place["part"]] = cursor.fetchone()
    if place["part"] is None:
        return 0, 0
    cursor.execute("ANALYZE undo_part")
    cursor.execute(whose.of(_LOCK))
    cursor.execute(_GONE)
    cursor.execute(whose.of(_REASONS).format(visible=condition), about | values)
    cursor.execute(whose.of(_COUNT), about)
    [restored] = cursor.fetchone()
    cursor.execute(whose.of(_TOLD), about)
    cursor.execute(_BACK, about)
    cursor.execute(_NOTES, about)
    notes = [row[0] for row in cursor.fetchall()]
    if notes:
        Interaction.objects.filter(pk__in=notes).delete()
    for statement in _ADDED:
        cursor.execute(whose.of(statement))
    cursor.execute(whose.of(_KEPT), about)
    return restored, cursor.rowcount
