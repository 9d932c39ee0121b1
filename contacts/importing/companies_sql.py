"""Companies, set-based: those that a chunk of contacts names, and a chunk of a file of companies."""

from typing import Any

from contacts.models import Company

from .cleaning import COMPANY_COLUMNS, Chunk
from .staging import copy_rows, survivor, visible_where

# --- companies named by contacts -----------------------------------------------------------------
_FIND = """
UPDATE import_company k SET company_id = found.id, hidden = NOT found.visible, many = found.many
FROM (
    SELECT k.key, coalesce(x.id, d.company_id, g.id, n.id) AS id,
           (coalesce(x.id, d.company_id, g.id, n.id) IN (SELECT id FROM contacts_company WHERE {visible})
            OR {is_all}) AS visible,
           n.many AND coalesce(x.id, d.company_id, g.id) IS NULL AS many
    FROM import_company k
    LEFT JOIN contacts_company x ON x.external_id = k.external_id
    LEFT JOIN contacts_companydomain d ON d.domain = k.domain
    LEFT JOIN LATERAL (
        SELECT {survivor} AS id FROM contacts_mergerecord w
        WHERE x.id IS NULL AND d.id IS NULL AND w.entity = 'company' AND w.undone_at IS NULL
          AND (w.external_id = k.external_id OR w.domain = k.domain)
        ORDER BY w.id DESC LIMIT 1
    ) g ON true
    LEFT JOIN LATERAL (
        SELECT min(contacts_company.id) AS id, count(*) > 1 AS many FROM contacts_company
        WHERE contacts_company.name = k.name AND {visible}
          AND (k.external_id IS NULL OR contacts_company.external_id IS NULL)
          AND (k.domain IS NULL OR contacts_company.domain IS NULL)
    ) n ON true
    WHERE k.company_id IS NULL
) found
WHERE found.key = k.key AND found.id IS NOT NULL
"""
_MAKE = """
INSERT INTO contacts_company (
    name, external_id, domain, industry, phone, website, custom, owner_id, team_id, created_at, updated_at, version
)
SELECT DISTINCT ON (k.{by}) coalesce(k.name, k.domain, k.external_id), k.external_id, {domain},
       '', NULL, '', '{{}}', %(user)s, %(team)s, now(), now(), 1
FROM import_company k
WHERE k.company_id IS NULL AND k.{by} IS NOT NULL
  AND EXISTS (SELECT 1 FROM import_match m WHERE m.company_key = k.key AND m.problem IS NULL)
ORDER BY k.{by}, k.key
RETURNING id
"""
_FREE_DOMAIN = """CASE WHEN NOT EXISTS (SELECT 1 FROM contacts_companydomain c WHERE c.domain = k.domain)
    AND k.key = (SELECT min(o.key) FROM import_company o WHERE o.domain = k.domain) THEN k.domain END"""


def stage_companies(cursor: Any, chunk: Chunk, user: Any) -> None:
    """``import_company``: the companies that the chunk's contacts name, with ids where they exist.

    ``hidden`` marks one that the person may not see, ``many`` a name that several have; neither must be linked to.
    """
    cursor.execute(
        """CREATE TEMP TABLE import_company (
            key integer PRIMARY KEY, external_id text COLLATE "C", domain text COLLATE "C",
            name varchar(300), company_id bigint, hidden boolean NOT NULL DEFAULT false,
            many boolean NOT NULL DEFAULT false
        ) ON COMMIT DROP"""
    )
    if chunk.companies:
        rows = ((key, *company) for company, key in chunk.companies.items())
        copy_rows(cursor, "import_company", ("key", "external_id", "domain", "name"), rows)
        cursor.execute("ANALYZE import_company")
        _find(cursor, user)


def _find(cursor: Any, user: Any) -> None:
    visible, params = visible_where(Company, user)
    is_all = "TRUE" if visible == "TRUE" else "FALSE"
    names = {
        "visible": visible,
        "is_all": is_all,
        "survivor": survivor("company", "contacts_company", "w.winner_id"),
    }
    cursor.execute(_FIND.format(**names), [*params, *params])


def make_companies(cursor: Any, chunk: Chunk, user: Any, job_id: int) -> None:
    """Create the companies that good rows name and nobody knows yet; one each, whatever way they are named."""
    if not chunk.companies:
        return
    for by, domain in (("external_id", _FREE_DOMAIN), ("domain", "k.domain"), ("name", "NULL")):
        values = {"user": user.pk, "team": user.team_id}
        cursor.execute(_MAKE.format(by=by, domain=domain), values)
        made = [row[0] for row in cursor.fetchall()]
        if made:
            cursor.execute(NAMED_ACTIVITIES, {"job": job_id, "ids": made})
            _find(cursor, user)


# --- files of companies ----------------------------------------------------------------------------
# ``{more_…}`` is for rows that name several domains.
MATCH = """
CREATE TEMP TABLE import_match ON COMMIT DROP AS
WITH found AS (
    SELECT s.row, s.external_id, x.id AS by_id, d.company_id AS by_domain,
           {more_first} AS first_more, {more_last} AS last_more,
           CASE WHEN x.id IS NULL AND d.company_id IS NULL AND {more_first} IS NULL THEN n.id END AS by_name,
           x.id IS NULL AND d.company_id IS NULL AND {more_first} IS NULL AND n.many AS many
    FROM import_stage s
    LEFT JOIN contacts_company x ON x.external_id = s.external_id
    LEFT JOIN contacts_companydomain d ON d.domain = s.domain
    {more_join}
    LEFT JOIN LATERAL (
        SELECT min(contacts_company.id) AS id, count(*) > 1 AS many FROM contacts_company
        WHERE contacts_company.name = s.name AND {visible}
          AND (s.external_id IS NULL OR contacts_company.external_id IS NULL)
          AND (s.domain IS NULL OR contacts_company.domain IS NULL)
    ) n ON x.id IS NULL AND d.company_id IS NULL
), ranked AS (
    SELECT f.*, coalesce(by_id, by_domain, first_more, by_name) AS found,
           first_more <> last_more OR first_more <> coalesce(by_id, by_domain) AS clash,
           row_number() OVER (PARTITION BY coalesce(by_id, by_domain, first_more, by_name) ORDER BY row) AS place
    FROM found f
)
SELECT r.row, r.found, CASE
    WHEN r.by_id <> r.by_domain OR r.clash THEN 'domain_taken'
    WHEN r.found IS NOT NULL AND contacts_company.id IS NULL
        THEN CASE WHEN r.by_id IS NULL THEN 'domain_taken' ELSE 'external_id_taken' END
    WHEN r.by_id IS NULL AND r.external_id IS NOT NULL AND contacts_company.external_id IS NOT NULL
        THEN 'domain_taken'
    WHEN r.found IS NOT NULL AND %(mode)s = 'create' THEN 'exists'
    WHEN r.many THEN 'name_ambiguous'
    WHEN r.found IS NOT NULL AND r.place > 1 THEN 'duplicate_in_file'
    WHEN r.found IS NULL AND %(mode)s = 'update' THEN 'not_found'
END AS problem
FROM ranked r
LEFT JOIN contacts_company ON contacts_company.id = r.found AND {visible}
"""
_NONE = {"more_first": "NULL::bigint", "more_last": "NULL::bigint", "more_join": ""}
_MORE = {
    "more_first": "o.first",
    "more_last": "o.last",
    "more_join": """LEFT JOIN LATERAL (
        SELECT min(e.company_id) AS first, max(e.company_id) AS last
        FROM import_point t JOIN contacts_companydomain e ON e.domain = t.value WHERE t.row = s.row
    ) o ON true""",
}


def match_sql(visible: str, *, more: bool) -> str:
    """``MATCH`` for a chunk; ``visible`` is a condition on the company, ``more``: some rows name several domains."""
    return MATCH.format(visible=visible, **(_MORE if more else _NONE))


PLAN = """
CREATE TEMP TABLE import_plan ON COMMIT DROP AS
SELECT s.row, m.found,
       coalesce(m.found, nextval((SELECT pg_get_serial_sequence('contacts_company', 'id')::regclass))) AS id,
       coalesce(s.external_id, c.external_id) AS external_id,
       coalesce(s.name, c.name, s.domain, s.external_id) AS name,
       CASE WHEN d.id IS NULL THEN coalesce(s.domain, c.domain) ELSE coalesce(c.domain, s.domain) END AS domain,
       coalesce(s.industry, c.industry, '') AS industry,
       coalesce(s.size, c.size) AS size,
       coalesce(s.phone, c.phone) AS phone,
       coalesce(s.website, c.website, '') AS website,
       coalesce(c.custom, '{}') || CASE WHEN s.custom IS NULL THEN '{}' ELSE (
           SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(s.custom) e
           WHERE c.custom ->> e.key IS DISTINCT FROM e.value #>> '{}') END AS custom,
       coalesce(s.owner_id, c.owner_id, CASE WHEN m.found IS NULL THEN %(user)s END) AS owner_id,
       CASE WHEN s.owner_id IS NULL AND m.found IS NOT NULL THEN c.team_id
            WHEN s.owner_id IS NULL THEN %(team)s ELSE u.team_id END AS team_id,
       c.version AS old_version
FROM import_stage s
JOIN import_match m ON m.row = s.row AND m.problem IS NULL
LEFT JOIN LATERAL (SELECT * FROM contacts_company WHERE id = m.found OFFSET 0) c ON true
LEFT JOIN LATERAL (SELECT id FROM contacts_companydomain WHERE domain = s.domain OFFSET 0) d ON m.found IS NOT NULL
LEFT JOIN workspace_user u ON u.id = s.owner_id
"""
INSERT = """
INSERT INTO contacts_company (
    id, external_id, name, domain, industry, size, phone, website, custom, owner_id, team_id,
    created_at, updated_at, version
)
SELECT id, external_id, name, domain, industry, size, phone, website, custom, owner_id, team_id, now(), now(), 1
FROM import_plan WHERE found IS NULL ORDER BY row
"""
FIELDS = (*COMPANY_COLUMNS, "team_id")
ACTIVITIES = """
INSERT INTO contacts_activity (kind, company_id, actor_kind, actor_id, payload)
SELECT 'company.created', p.id, 'import', %(job)s, jsonb_build_object('name', p.name)
FROM import_plan p WHERE p.found IS NULL
UNION ALL
SELECT 'company.updated', p.id, 'import', %(job)s, jsonb_build_object('changes', p.changes)
FROM import_changed p
"""
# Further domains that a company hasn't, numbered behind those that it will have when its own column is written: before
# that (in a dry run) and after it the answer is the same.
PLAN_POINTS = """
INSERT INTO import_more (row, record_id, kind, value, n)
SELECT t.row, p.id, t.kind, t.value, held.n + row_number() OVER (PARTITION BY p.id ORDER BY t.value)
FROM import_plan p JOIN import_point t ON t.row = p.row
CROSS JOIN LATERAL (
    SELECT count(*) AS n, coalesce(bool_or(h.domain = t.value), false) AS known FROM (
        SELECT o.domain FROM contacts_companydomain o
        WHERE o.company_id = p.id AND NOT (o.is_primary AND o.domain IS DISTINCT FROM p.domain)
        UNION SELECT p.domain WHERE p.domain IS NOT NULL
    ) h OFFSET 0
) held
WHERE NOT held.known
"""
# What is added to companies that existed is noted, so that it can be taken back, and said.
MORE_POINTS = """
WITH made AS (
    INSERT INTO contacts_companydomain (company_id, domain, is_primary, created_at, updated_at, version)
    SELECT record_id, value, false, now(), now(), 1 FROM import_more ORDER BY record_id, value
    RETURNING id, company_id
), added AS (
    SELECT m.id, m.company_id FROM made m JOIN import_plan p ON p.id = m.company_id AND p.found IS NOT NULL
), said AS (
    SELECT DISTINCT a.company_id FROM added a
    WHERE NOT EXISTS (SELECT 1 FROM import_changed c WHERE c.id = a.company_id)
), noted AS (
    INSERT INTO contacts_importpart (job_id, company_id, entity, part_id, made, counted)
    SELECT %(job)s, a.company_id, 'domain', a.id, true, EXISTS (SELECT 1 FROM said s WHERE s.company_id = a.company_id)
    FROM added a ORDER BY a.id
), told AS (
    INSERT INTO contacts_activity (kind, company_id, actor_kind, actor_id, payload)
    SELECT 'company.updated', company_id, 'import', %(job)s, '{"fields": ["domains"]}' FROM said
)
SELECT count(*) FROM said
"""
#: for companies that contacts brought in
NAMED_ACTIVITIES = """
INSERT INTO contacts_activity (kind, company_id, actor_kind, actor_id, payload)
SELECT 'company.created', c.id, 'import', %(job)s, jsonb_build_object('name', c.name)
FROM contacts_company c WHERE c.id = ANY (%(ids)s)
"""
