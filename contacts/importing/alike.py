"""Rows of a dry run that would make a record though one that looks like it is there: by the keys of the search for
duplicates, which are asked for all rows of a chunk at once."""

from typing import Any

from contacts.models import Company, Contact, ImportJob
from contacts.selectors.duplicate_sql import HITS, TYPED

from .staging import by_index, visible_where

#: how many such rows a report names, and among how many new rows of a file they are looked for
SHOWN, LOOKED_AT = 20, 20_000
_NAMES = ("name", "email", "phone", "company", "domain")
_ROWS = {
    "contact": """
    SELECT m.row, btrim(concat_ws(' ', {s.first_name}, {s.last_name})) AS name, {s.email} AS email, {s.phone} AS phone,
           k.company_id AS company, NULL::text AS domain
    FROM import_match m JOIN import_stage s ON s.row = m.row LEFT JOIN import_company k ON k.key = m.company_key""",
    "company": """
    SELECT m.row, {s.name} AS name, NULL::text AS email, {s.phone} AS phone, NULL::bigint AS company,
           {s.domain} AS domain
    FROM import_match m JOIN import_stage s ON s.row = m.row""",
}
_FIND = """
WITH t AS MATERIALIZED ({rows} WHERE m.found IS NULL AND m.problem IS NULL ORDER BY m.row LIMIT %(limit)s),
keys AS MATERIALIZED (
    SELECT DISTINCT t.row, hashtextextended(%(entity)s || '|' || k.kind || '|' || k.value, 0) AS digest
    FROM t CROSS JOIN LATERAL ({typed}) k WHERE k.value <> ''
), hits AS MATERIALIZED (
    SELECT DISTINCT keys.row, o.record_id FROM keys CROSS JOIN LATERAL (
        SELECT d.record_id, count(*) OVER () AS n
        FROM (SELECT x.record_id FROM contacts_duplicatekey x WHERE x.digest = keys.digest LIMIT %(hits)s + 1) d
    ) o WHERE o.n <= %(hits)s
), found AS MATERIALIZED (
    SELECT hits.row, min(hits.record_id) AS record_id
    FROM hits JOIN {table} ON {table}.id = hits.record_id AND {visible}
    GROUP BY hits.row
)
SELECT (SELECT count(*) FROM found), (
    SELECT coalesce(
        json_agg(json_build_object('row', r.row, 'name', r.name, 'record', r.record_id) ORDER BY r.row), '[]')
    FROM (SELECT f.row, t.name, f.record_id FROM found f JOIN t ON t.row = f.row ORDER BY f.row LIMIT %(shown)s) r
)
"""


def alike_in(cursor: Any, job: ImportJob) -> dict[str, Any]:
    """``{rows, count}`` with what ``import_match`` would make new, added to what the report has of earlier chunks.

    ``rows``: the first of them as ``{row, name, record}``, where ``record`` is the id of one that its owner may see.
    """
    before = job.report.get("alike") or {"rows": [], "count": 0}
    limit = LOOKED_AT - job.report["create"]
    if limit <= 0:
        return dict(before)
    contacts = job.object == "contacts"
    entity, model = ("contact", Contact) if contacts else ("company", Company)
    visible, values = visible_where(model, job.owner)
    named = {f"v{index}": value for index, value in enumerate(values)}
    condition = visible % tuple(f"%({name})s" for name in named) if named else visible
    typed = TYPED[entity]
    for name in _NAMES:
        typed = typed.replace(f"%({name})s", f"t.{name}")
    statement = _FIND.format(
        rows=_ROWS[entity].format(s=_Plain()), typed=typed, table=model._meta.db_table, visible=condition
    )
    about = {"limit": limit, "entity": entity, "hits": HITS, "shown": SHOWN - len(before["rows"])}
    with by_index(cursor):
        cursor.execute(statement, about | named)
        more, first = cursor.fetchone()
    return {"rows": [*before["rows"], *first], "count": before["count"] + more}


class _Plain:
    """A staged column as the text that records hold: it sorts and folds by the database's own language."""

    def __getattr__(self, name: str) -> str:
        return f's.{name}::text COLLATE "default"'
