"""The parts of a chunk's records, set-based: what they have already, what is new, what differs; then written.

A part that the record has is left alone, so that the same file again changes nothing. An address of the same kind that
the row says otherwise takes what the row says; web addresses and notes are only ever added.
"""

from dataclasses import dataclass
from typing import Any

from contacts.models import ImportJob
from contacts.services.parts import MOST

from .cleaning import Chunk, RowError
from .parts import COLUMNS
from .room import left_out
from .staging import by_index

# Two conditions: an address that the record has (``a``) is the one that the row (``w``) names
_SAME_PLACE = """(w.kind IS NULL OR w.kind = a.kind)
    AND (w.lines IS NULL OR w.lines = a.lines) AND (w.postal_code IS NULL OR w.postal_code = a.postal_code)
    AND (w.city IS NULL OR w.city = a.city) AND (w.region IS NULL OR w.region = a.region)
    AND (w.country IS NULL OR w.country = a.country)"""
_SAME_PROFILE = """s.network = w.network AND (
    (w.url IS NOT NULL AND lower(s.url) = lower(w.url))
    OR (w.handle IS NOT NULL AND lower(s.handle) = lower(w.handle)
        AND (w.network <> 'other' OR w.url IS NULL OR s.url = '')))"""
_SAID = "concat_ws(E'\\n\\n', nullif(i.subject, ''), nullif(i.body, ''))"

_WANTED = """
CREATE TEMP TABLE import_wanted ON COMMIT DROP AS
SELECT coalesce(m.found, p.id) AS record_id, m.found IS NULL AS fresh, t.*
FROM import_part t JOIN import_match m ON m.row = t.row AND m.problem IS NULL
LEFT JOIN import_plan p ON p.row = t.row AND m.found IS NULL
"""
# ``part_id`` is the address that changes: of those that are left of a kind the first takes what the first new one says.
_PLAN = f"""
CREATE TEMP TABLE import_parts ON COMMIT DROP AS
WITH new AS MATERIALIZED (
    SELECT w.*, coalesce(w.kind, h.kind, 'main') AS as_kind
    FROM import_wanted w
    LEFT JOIN contacts_address h ON h.<own> = w.record_id AND h.is_primary
    WHERE w.entity = 'address' AND NOT EXISTS (
        SELECT 1 FROM contacts_address a WHERE a.<own> = w.record_id AND {_SAME_PLACE})
), ranked AS (
    SELECT new.*, row_number() OVER (PARTITION BY record_id, as_kind ORDER BY place) AS n FROM new
), left_over AS MATERIALIZED (
    SELECT a.id, a.<own> AS record_id, a.kind,
           row_number() OVER (PARTITION BY a.<own>, a.kind ORDER BY a.is_primary DESC, a.id) AS n
    FROM contacts_address a
    WHERE a.<own> IN (SELECT record_id FROM new WHERE NOT fresh) AND NOT EXISTS (
        SELECT 1 FROM import_wanted w
        WHERE w.entity = 'address' AND w.record_id = a.<own> AND {_SAME_PLACE})
)
SELECT r.row, r.place, r.field, r.entity, r.record_id, r.fresh, o.id AS part_id, r.as_kind AS kind, r.lines,
       r.postal_code, r.city, r.region, r.country, r.network, r.handle, r.url, r.body
FROM ranked r LEFT JOIN left_over o ON o.record_id = r.record_id AND o.kind = r.as_kind AND o.n = r.n
UNION ALL
SELECT w.row, w.place, w.field, w.entity, w.record_id, w.fresh, NULL, w.kind, w.lines, w.postal_code,
       w.city, w.region, w.country, w.network, w.handle, w.url, w.body
FROM import_wanted w
WHERE (w.entity = 'profile' AND NOT EXISTS (
          SELECT 1 FROM contacts_socialprofile s WHERE s.<own> = w.record_id AND {_SAME_PROFILE}))
   OR (w.entity = 'note' AND NOT EXISTS (
          SELECT 1 FROM contacts_interaction i
          WHERE <notes> AND i.kind = 'note' AND {_SAID} = w.body))
"""  # noqa: S608 - conditions from the code
# As with forms and API there is an end to how many of a kind hang on one record
_ENOUGH = f"""
DELETE FROM import_parts p USING (
    SELECT record_id, entity, row, place,
           row_number() OVER (PARTITION BY record_id, entity ORDER BY row, place) + CASE entity
               WHEN 'address' THEN (SELECT count(*) FROM contacts_address a WHERE a.<own> = q.record_id)
               WHEN 'profile' THEN (SELECT count(*) FROM contacts_socialprofile s WHERE s.<own> = q.record_id)
               ELSE 0 END AS n
    FROM import_parts q WHERE part_id IS NULL AND NOT fresh AND entity <> 'note'
) f
WHERE f.n > {MOST} AND p.part_id IS NULL AND (p.record_id, p.entity, p.row, p.place)
    = (f.record_id, f.entity, f.row, f.place)
RETURNING p.row, p.field, CASE p.entity
    WHEN 'address' THEN concat_ws(', ', nullif(p.lines, ''), nullif(p.postal_code, ''), nullif(p.city, ''),
                                  nullif(p.region, ''), nullif(p.country, ''))
    ELSE coalesce(nullif(p.url, ''), p.handle) END
"""  # noqa: S608
_LOCK = """
SELECT c.id FROM <table> c
WHERE c.id IN (SELECT record_id FROM import_parts WHERE NOT fresh) ORDER BY c.id FOR UPDATE
"""
# Records that change by their parts alone: their own columns, companies and points are counted where they are written
_ONLY = """
CREATE TEMP TABLE import_only ON COMMIT DROP AS
SELECT DISTINCT p.record_id FROM import_parts p
WHERE NOT p.fresh
  AND NOT EXISTS (SELECT 1 FROM import_changed c WHERE c.id = p.record_id)
  <company>
  AND NOT EXISTS (SELECT 1 FROM import_more t WHERE t.row = p.row)
"""
# What is done to records that existed is noted, so that it can be taken back; parts of new ones go with them
_NOTED = """
noted AS (
    INSERT INTO contacts_importpart (job_id, <own>, entity, part_id, made, counted)
    SELECT %(job)s, d.<own>, '{entity}', d.id, {made}, EXISTS (
        SELECT 1 FROM import_only o WHERE o.record_id = d.<own>)
    FROM done d WHERE d.<own> IN (SELECT record_id FROM import_wanted WHERE NOT fresh)
)
SELECT count(*) FROM done
"""
_MOVED = """
WITH done AS (
    UPDATE contacts_address a SET lines = coalesce(p.lines, a.lines),
        postal_code = coalesce(p.postal_code, a.postal_code), city = coalesce(p.city, a.city),
        region = coalesce(p.region, a.region), country = coalesce(p.country, a.country),
        version = a.version + 1, updated_at = now()
    FROM import_parts p WHERE p.entity = 'address' AND a.id = p.part_id
    RETURNING a.id, a.<own>
), """
_ADDRESSES = """
WITH done AS (
    INSERT INTO contacts_address (<own>, kind, lines, postal_code, city, region, country, is_primary,
                                  created_at, updated_at, version)
    SELECT p.record_id, p.kind, coalesce(p.lines, ''), coalesce(p.postal_code, ''), coalesce(p.city, ''),
           coalesce(p.region, ''), coalesce(p.country, ''),
           row_number() OVER (PARTITION BY p.record_id ORDER BY p.place) = 1 AND NOT EXISTS (
               SELECT 1 FROM contacts_address a WHERE a.<own> = p.record_id AND a.is_primary),
           now(), now(), 1
    FROM import_parts p WHERE p.entity = 'address' AND p.part_id IS NULL ORDER BY p.record_id, p.place
    RETURNING id, <own>
), """
_PROFILES = """
WITH done AS (
    INSERT INTO contacts_socialprofile (<own>, network, handle, url, created_at, updated_at, version)
    SELECT p.record_id, p.network, coalesce(p.handle, ''), coalesce(p.url, ''), now(), now(), 1
    FROM import_parts p WHERE p.entity = 'profile' ORDER BY p.record_id, p.place
    RETURNING id, <own>
), """
_NOTES = """
WITH done AS (
    INSERT INTO contacts_interaction (contact_id, company_id, kind, direction, occurred_at, subject, body, outcome,
                                      owner_id, team_id, created_at, updated_at, version)
    SELECT <subject>, 'note', '', now(), '', p.body, '', c.owner_id, c.team_id, now(), now(), 1
    FROM import_parts p JOIN <table> c ON c.id = p.record_id
    WHERE p.entity = 'note' ORDER BY p.record_id, p.place
    RETURNING id, contact_id, company_id, occurred_at
), said AS (
    INSERT INTO contacts_activity (kind, contact_id, company_id, subject_type, subject_id, actor_kind, actor_id,
                                   occurred_at, payload)
    SELECT 'interaction.logged', contact_id, company_id, 'interaction', id, 'import', %(job)s, occurred_at,
           jsonb_build_object('kind', 'note', 'direction', '', 'subject', '', 'outcome', '',
                              'duration_seconds', NULL, 'deal', NULL)
    FROM done
), """
#: what is written, of which kind, and whether it is made new
_WRITTEN = (
    (_MOVED, "address", "false"),
    (_ADDRESSES, "address", "true"),
    (_PROFILES, "profile", "true"),
    (_NOTES, "note", "true"),
)
_TOLD = """
INSERT INTO contacts_activity (kind, contact_id, company_id, actor_kind, actor_id, payload)
SELECT '<entity>.updated', <subject>, 'import', %(job)s, jsonb_build_object('fields', f.fields)
FROM (
    SELECT record_id, jsonb_agg(DISTINCT CASE entity WHEN 'address' THEN 'addresses' ELSE 'profiles' END) AS fields
    FROM import_parts WHERE entity <> 'note' AND NOT fresh GROUP BY record_id
) f JOIN <table> c ON c.id = f.record_id
WHERE NOT EXISTS (SELECT 1 FROM import_changed x WHERE x.id = c.id)
"""


@dataclass(frozen=True, slots=True)
class Whose:
    """What the statements call the records of a file: their column in the tables of parts, and their own table.

    ``subject``: contact and company of what is told of a record ``c``; ``notes``: which notes are its own;
    ``company``: of people, that no company is made for their row, which alone changes them.
    """

    own: str
    table: str
    entity: str
    subject: str
    notes: str
    company: str

    def of(self, statement: str) -> str:
        for name in ("own", "table", "entity", "subject", "notes", "company"):
            statement = statement.replace(f"<{name}>", getattr(self, name))
        return statement


WHOSE = {
    "contacts": Whose(
        "contact_id",
        "contacts_contact",
        "contact",
        "c.id, c.company_id",
        "i.contact_id = w.record_id",
        """AND NOT EXISTS (SELECT 1 FROM import_match m JOIN import_company k ON k.key = m.company_key
                  WHERE m.row = p.row AND k.company_id IS NULL)""",
    ),
    "companies": Whose(
        "company_id",
        "contacts_company",
        "company",
        "NULL::bigint, c.id",
        "i.company_id = w.record_id AND i.contact_id IS NULL",
        "",
    ),
}


def plan_parts(cursor: Any, job: ImportJob, chunk: Chunk) -> tuple[int, list[RowError]]:
    """``import_parts``: what is new or differs.

    Answers how many records would change by it alone, and what has no room on its record. ``import_more`` must be
    planned before.
    """
    cursor.execute(
        """CREATE TEMP TABLE import_part (
            row integer, place integer, field text, entity text, kind text, lines text, postal_code text, city text,
            region text, country text, network text, handle text, url text, body text
        ) ON COMMIT DROP"""
    )
    chunk.parts.seek(0)
    into = f"import_part ({', '.join(('row', *COLUMNS))})"
    cursor.copy_expert(f"COPY {into} FROM STDIN (FORMAT csv)", chunk.parts)
    cursor.execute(_WANTED)
    cursor.execute("ANALYZE import_wanted")
    return _plan(cursor, WHOSE[job.object], chunk)


def _plan(cursor: Any, whose: Whose, chunk: Chunk) -> tuple[int, list[RowError]]:
    with by_index(cursor):
        cursor.execute(whose.of(_PLAN))
        cursor.execute(whose.of(_ENOUGH))
        full = left_out(cursor.fetchall(), chunk)
    cursor.execute(whose.of(_ONLY))
    return cursor.rowcount, full


def write_parts(cursor: Any, job: ImportJob, chunk: Chunk) -> tuple[int, list[RowError]]:
    """Add and change what the chunk says of parts. Answers as ``plan_parts`` does."""
    whose = WHOSE[job.object]
    count, full = plan_parts(cursor, job, chunk)
    cursor.execute(whose.of(_LOCK))
    locked = [row[0] for row in cursor.fetchall()]
    if locked:  # what somebody has changed until the lock was had counts: planned again
        cursor.execute("DELETE FROM import_wanted WHERE NOT fresh AND record_id <> ALL (%s)", [locked])
        cursor.execute("DROP TABLE import_parts, import_only")
        count, full = _plan(cursor, whose, chunk)
    about = {"job": job.pk}
    for statement, entity, made in _WRITTEN:
        cursor.execute(whose.of(statement + _NOTED.format(entity=entity, made=made)), about)
    cursor.execute(whose.of(_TOLD), about)
    return count, full
