"""Rows of a dry run that would make a record though one that looks like it is there: found by the keys and judged by
the scores of the search for duplicates, for all new rows of a chunk at once.

The new rows are compared as records with negative ids: minus the number of the row.
"""

from typing import Any

from contacts.models import Company, Contact, ImportJob
from contacts.selectors.duplicate_sql import HITS, REASONS, THRESHOLD, keys_of, score_of

from .staging import visible_where

#: how many such rows a report names, and among how many new rows of a file they are looked for
SHOWN, LOOKED_AT = 20, 20_000
# Texts as records hold them: names sort and fold by the database's own language
_NEW = {
    "contact": """
CREATE TEMP TABLE import_new ON COMMIT DROP AS
SELECT -m.row::bigint AS id, coalesce(s.first_name, '')::text COLLATE "default" AS first_name,
       coalesce(s.last_name, '')::text COLLATE "default" AS last_name, k.company_id, s.email, s.phone, s.external_id
FROM import_match m JOIN import_stage s ON s.row = m.row LEFT JOIN import_company k ON k.key = m.company_key
WHERE m.found IS NULL AND m.problem IS NULL ORDER BY m.row LIMIT %(limit)s
""",
    "company": """
CREATE TEMP TABLE import_new ON COMMIT DROP AS
SELECT -m.row::bigint AS id, coalesce(s.name, s.domain, s.external_id)::text COLLATE "default" AS name,
       s.domain, s.phone, s.external_id, coalesce(s.website, '') AS website
FROM import_match m JOIN import_stage s ON s.row = m.row
WHERE m.found IS NULL AND m.problem IS NULL ORDER BY m.row LIMIT %(limit)s
""",
}
_COLUMNS = {
    "contact": "id, first_name, last_name, company_id, email, phone, external_id",
    "company": "id, name, domain, phone, external_id, website",
}
_NAME = {
    "contact": "coalesce(nullif(btrim(concat_ws(' ', n.first_name, n.last_name)), ''), n.email, n.phone)",
    "company": "n.name",
}
# below the threshold of the queue these say enough to look twice before a new record is made
_SURE = {"contact": "mail OR phone OR id OR name", "company": "phone OR id OR host OR name"}
_POINTS = """
(SELECT n.id AS contact_id, t.kind, t.value FROM import_new n JOIN import_point t ON t.row = -n.id)
"""
_FIND = """
WITH keys AS MATERIALIZED (
    SELECT DISTINCT k.kind, k.record_id,
           hashtextextended(%(entity)s || '|' || k.kind || '|' || k.value, 0) AS digest
    FROM ({keys}) k WHERE k.value <> ''
), cand AS MATERIALIZED (
    SELECT keys.record_id AS left_id, o.record_id AS right_id, array_agg(DISTINCT keys.kind::text) AS kinds
    FROM keys
    CROSS JOIN LATERAL (
        SELECT d.record_id, count(*) OVER () AS n
        FROM (SELECT x.record_id FROM contacts_duplicatekey x WHERE x.digest = keys.digest LIMIT %(hits)s + 1) d
    ) o
    CROSS JOIN LATERAL (SELECT 1 FROM {table} WHERE {table}.id = o.record_id AND {visible} OFFSET 0) seen
    WHERE o.n <= %(hits)s
    GROUP BY 1, 2
){score}
, found AS MATERIALIZED (
    SELECT DISTINCT ON (left_id) -left_id AS row, right_id, score, {reasons} AS reasons
    FROM scored WHERE score >= %(threshold)s OR {sure}
    ORDER BY left_id, score DESC, right_id
)
SELECT (SELECT count(*) FROM found), (
    SELECT coalesce(json_agg(json_build_object('row', r.row, 'name', r.name, 'record', r.right_id, 'score', r.score,
                                               'reasons', to_json(r.reasons)) ORDER BY r.score DESC, r.row), '[]')
    FROM (
        SELECT f.*, {name} AS name FROM found f JOIN import_new n ON n.id = -f.row
        ORDER BY f.score DESC, f.row LIMIT %(shown)s
    ) r
)
"""


def alike_in(cursor: Any, job: ImportJob) -> dict[str, Any]:
    """``{rows, count}`` with what ``import_match`` would make new, added to what the report has of earlier chunks.

    ``rows``: the surest of them as ``{row, name, record, score, reasons}``, each with the one record that it is most
    like: its id (of one that the job's owner may see), score (0 to 1) and reasons as those of a ``DuplicatePair``.
    """
    before = job.report.get("alike") or {"rows": [], "count": 0}
    limit = LOOKED_AT - job.report["create"]
    if limit <= 0:
        return dict(before)
    entity, model = ("contact", Contact) if job.object == "contacts" else ("company", Company)
    cursor.execute(_NEW[entity], {"limit": limit})
    if not cursor.rowcount:
        return dict(before)
    cursor.execute("ANALYZE import_new")
    visible, values = visible_where(model, job.owner)
    named = {f"v{index}": value for index, value in enumerate(values)}
    condition = visible % tuple(f"%({name})s" for name in named) if named else visible
    table = model._meta.db_table
    columns = _COLUMNS[entity]
    both = f"(SELECT {columns} FROM {table} UNION ALL SELECT {columns} FROM import_new)"  # noqa: S608 - names of ours
    statement = _FIND.format(
        keys=keys_of(entity, "import_new", _POINTS),
        score=score_of(entity, both),
        reasons=REASONS[entity],
        sure=_SURE[entity],
        name=_NAME[entity],
        table=table,
        visible=condition,
    )
    about = {"entity": entity, "hits": HITS, "threshold": THRESHOLD, "shown": SHOWN}
    cursor.execute(statement, about | named)
    more, surest = cursor.fetchone()
    rows = sorted([*before["rows"], *surest], key=lambda row: (-row.get("score", 0), row["row"]))
    return {"rows": rows[:SHOWN], "count": before["count"] + more}
