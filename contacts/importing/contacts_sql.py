"""Contacts of a chunk, set-based: matched, judged, planned, then written with every companion row."""

from .staging import survivor

# ``same``: nothing that the row says differs from what is there; it needs no plan. True only where that is certain.
# ``alias``: found by an id that is not the contact's own column (a further one, or that of a contact merged into it),
# which stays as it is. ``{more_…}`` is for rows that name several addresses.
MATCH = """
CREATE TEMP TABLE import_match ON COMMIT DROP AS
WITH named AS (
    SELECT s.*, p.contact_id AS by_mail,
           x.id IS NULL AND (i.contact_id IS NOT NULL OR g.winner_id IS NOT NULL) AS alias,
           coalesce(x.id, i.contact_id, CASE WHEN g.winner_id IS NOT NULL THEN {survivor} END) AS by_id,
           {more_first} AS first_more, {more_last} AS last_more
    FROM import_stage s
    LEFT JOIN contacts_contact x ON x.external_id = s.external_id
    LEFT JOIN contacts_contactpoint i ON i.kind = 'external_id' AND i.value = s.external_id
    LEFT JOIN LATERAL (
        SELECT m.winner_id FROM contacts_mergerecord m
        WHERE x.id IS NULL AND i.id IS NULL AND m.entity = 'contact' AND m.external_id = s.external_id
          AND m.undone_at IS NULL
        ORDER BY m.id DESC LIMIT 1
    ) g ON true
    LEFT JOIN contacts_contactpoint p ON p.kind = 'email' AND p.value = s.email
    {more_join}
), found AS (
    SELECT s.row, s.external_id, s.company_key, s.by_id, s.by_mail, s.alias, s.first_more,
           s.first_more <> s.last_more OR s.first_more <> coalesce(s.by_id, s.by_mail) AS clash,
           coalesce(s.by_id, s.by_mail, s.first_more) AS found,
           contacts_contact.id AS seen, contacts_contact.external_id AS seen_external_id, k.hidden, k.many,
           k.key IS NOT NULL AND k.company_id IS NULL AS unknown,
           coalesce(
               (s.external_id IS NULL OR s.alias OR s.external_id = contacts_contact.external_id)
               AND (s.email IS NULL OR s.email = contacts_contact.email
                    OR (s.by_mail IS NOT NULL AND contacts_contact.email IS NOT NULL))
               AND (s.phone IS NULL OR s.phone = contacts_contact.phone)
               AND (s.first_name IS NULL OR s.first_name = contacts_contact.first_name)
               AND (s.last_name IS NULL OR s.last_name = contacts_contact.last_name)
               AND (s.job_title IS NULL OR s.job_title = contacts_contact.job_title)
               AND (s.birthday IS NULL OR s.birthday = contacts_contact.birthday)
               AND (s.company_key IS NULL OR k.company_id = contacts_contact.company_id)
               AND (s.lifecycle_stage IS NULL OR s.lifecycle_stage = contacts_contact.lifecycle_stage)
               AND (s.tags IS NULL OR s.tags <@ contacts_contact.tags)
               AND (s.custom IS NULL OR NOT EXISTS (
                   SELECT 1 FROM jsonb_each(s.custom) e
                   WHERE contacts_contact.custom ->> e.key IS DISTINCT FROM e.value #>> '{{}}'))
               AND (s.language IS NULL OR s.language = contacts_contact.language)
               AND (s.time_zone IS NULL OR s.time_zone = contacts_contact.time_zone)
               AND (s.owner_id IS NULL OR s.owner_id = contacts_contact.owner_id)
               {more_same}
               AND contacts_contact.id IS NOT NULL,
           false) AS same
    FROM named s
    LEFT JOIN contacts_contact ON contacts_contact.id = coalesce(s.by_id, s.by_mail, s.first_more) AND {visible}
    LEFT JOIN import_company k ON k.key = s.company_key
), ranked AS (
    SELECT f.*, CASE WHEN found IS NULL THEN 1
                ELSE row_number() OVER (PARTITION BY found ORDER BY row) END AS place
    FROM found f
)
SELECT r.row, r.found, r.by_mail, r.alias, r.company_key, r.same, CASE
    WHEN r.by_id <> r.by_mail OR r.clash THEN 'email_taken'
    WHEN r.found IS NOT NULL AND r.seen IS NULL
        THEN CASE WHEN r.by_id IS NULL THEN 'email_taken' ELSE 'external_id_taken' END
    WHEN r.by_id IS NULL AND r.external_id IS NOT NULL AND r.seen_external_id IS NOT NULL THEN 'email_taken'
    WHEN r.place > 1 THEN 'duplicate_in_file'
    WHEN r.found IS NOT NULL AND %(mode)s = 'create' THEN 'exists'
    WHEN r.found IS NULL AND %(mode)s = 'update' THEN 'not_found'
    WHEN r.hidden THEN 'company_taken'
    WHEN r.many THEN 'company_ambiguous'
    WHEN r.unknown AND NOT %(make_companies)s THEN 'company_unknown'
END AS problem
FROM ranked r
"""
#: what ``MATCH`` looks up for the further addresses and numbers of a row: nothing where no row of the chunk has any
_NONE = {"more_first": "NULL::bigint", "more_last": "NULL::bigint", "more_join": "", "more_same": ""}
_MORE = {
    "more_first": "o.first",
    "more_last": "o.last",
    "more_join": """LEFT JOIN LATERAL (
        SELECT min(e.contact_id) AS first, max(e.contact_id) AS last
        FROM import_point t JOIN contacts_contactpoint e ON e.kind = 'email' AND e.value = t.value
        WHERE t.row = s.row AND t.kind = 'email'
    ) o ON true""",
    "more_same": """AND NOT EXISTS (
                   SELECT 1 FROM import_point t WHERE t.row = s.row AND NOT EXISTS (
                       SELECT 1 FROM contacts_contactpoint e
                       WHERE e.contact_id = contacts_contact.id AND e.kind = t.kind AND e.value = t.value))""",
}


def match_sql(visible: str, *, more: bool) -> str:
    """``MATCH`` for a chunk; ``visible`` is a condition on the contact, ``more``: some rows name several addresses."""
    parts = _MORE if more else _NONE
    return MATCH.format(
        visible=visible, survivor=survivor("contact", "contacts_contact", "g.winner_id"), **parts
    )


PLAN = """
CREATE TEMP TABLE import_plan ON COMMIT DROP AS
SELECT s.row, m.found, c.email AS old_email, c.phone AS old_phone, c.version AS old_version,
       coalesce(m.found, nextval((SELECT pg_get_serial_sequence('contacts_contact', 'id')::regclass))) AS id,
       CASE WHEN m.alias THEN c.external_id ELSE coalesce(s.external_id, c.external_id) END AS external_id,
       coalesce(s.first_name, c.first_name, '') AS first_name,
       coalesce(s.last_name, c.last_name, '') AS last_name,
       CASE WHEN m.by_mail IS NULL THEN coalesce(s.email, c.email)
            ELSE coalesce(c.email, s.email) END AS email,
       coalesce(s.phone, c.phone) AS phone,
       coalesce(s.job_title, c.job_title, '') AS job_title,
       coalesce(s.birthday, c.birthday) AS birthday,
       coalesce(k.company_id, c.company_id) AS company_id,
       coalesce(s.lifecycle_stage, c.lifecycle_stage, 'lead') AS lifecycle_stage,
       CASE WHEN s.tags IS NULL THEN coalesce(c.tags, '{}')
            WHEN c.id IS NULL THEN s.tags
            ELSE c.tags || ARRAY(SELECT t FROM unnest(s.tags) t WHERE t <> ALL (c.tags)) END AS tags,
       CASE WHEN s.custom IS NULL THEN coalesce(c.custom, '{}')
            WHEN c.id IS NULL THEN s.custom
            ELSE c.custom || (
               SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(s.custom) e
               WHERE c.custom ->> e.key IS DISTINCT FROM e.value #>> '{}') END AS custom,
       coalesce(s.language, c.language, '') AS language,
       coalesce(s.time_zone, c.time_zone, '') AS time_zone,
       CASE WHEN s.owner_id IS NOT NULL THEN s.owner_id
            WHEN c.id IS NULL THEN %(user)s ELSE c.owner_id END AS owner_id,
       CASE WHEN s.owner_id IS NOT NULL AND s.owner_id IS DISTINCT FROM c.owner_id THEN u.team_id
            WHEN c.id IS NULL THEN %(team)s ELSE c.team_id END AS team_id
FROM import_stage s
JOIN import_match m ON m.row = s.row AND m.problem IS NULL AND NOT m.same
LEFT JOIN LATERAL (SELECT * FROM contacts_contact WHERE id = m.found OFFSET 0) c ON true
LEFT JOIN import_company k ON k.key = s.company_key
LEFT JOIN workspace_user u ON u.id = s.owner_id
"""
FIELDS = (
    "external_id",
    "first_name",
    "last_name",
    "email",
    "phone",
    "job_title",
    "birthday",
    "company_id",
    "lifecycle_stage",
    "tags",
    "custom",
    "language",
    "time_zone",
    "owner_id",
    "team_id",
)
INSERT = """
INSERT INTO contacts_contact (
    id, external_id, first_name, last_name, email, phone, job_title, birthday, company_id, lifecycle_stage, tags,
    custom, consent, language, time_zone, owner_id, team_id, created_at, updated_at, version
)
SELECT id, external_id, first_name, last_name, email, phone, job_title, birthday, company_id, lifecycle_stage, tags,
       custom, '{}', language, time_zone, owner_id, team_id, now(), now(), 1
FROM import_plan WHERE found IS NULL
"""

# Companions of new contacts
POINTS = """
INSERT INTO contacts_contactpoint (contact_id, kind, value, is_primary, created_at)
SELECT p.id, v.kind, v.value, true, now()
FROM import_plan p CROSS JOIN LATERAL (VALUES ('email', p.email), ('phone', p.phone)) v (kind, value)
WHERE p.found IS NULL AND v.value IS NOT NULL
"""
# Further addresses and numbers that a contact hasn't, numbered behind those that it will have when its own columns are
# written: before that (in a dry run) and after it the answer is the same.
PLAN_POINTS = """
INSERT INTO import_more (row, record_id, kind, value, n)
SELECT t.row, p.id, t.kind, t.value, held.n + row_number() OVER (PARTITION BY p.id ORDER BY t.kind, t.value)
FROM import_plan p JOIN import_point t ON t.row = p.row
CROSS JOIN LATERAL (
    SELECT count(*) AS n, coalesce(bool_or(h.kind = t.kind AND h.value = t.value), false) AS known FROM (
        SELECT o.kind, o.value FROM contacts_contactpoint o
        WHERE o.contact_id = p.id AND NOT (o.is_primary AND (
            (o.kind = 'email' AND p.email IS DISTINCT FROM p.old_email AND o.value IS DISTINCT FROM p.email)
            OR (o.kind = 'phone' AND p.phone IS DISTINCT FROM p.old_phone AND o.value IS DISTINCT FROM p.phone)))
        UNION SELECT 'email', p.email WHERE p.email IS NOT NULL
        UNION SELECT 'phone', p.phone WHERE p.phone IS NOT NULL
    ) h OFFSET 0
) held
WHERE NOT held.known
"""
# Of new contacts and of those that exist; what is added to the latter is noted, so that it can be taken back, and said.
MORE_POINTS = """
WITH made AS (
    INSERT INTO contacts_contactpoint (contact_id, kind, value, is_primary, created_at)
    SELECT record_id, kind, value, false, now() FROM import_more ORDER BY record_id, kind, value
    RETURNING id, contact_id
), noted AS (
    INSERT INTO contacts_importpoint (job_id, contact_id, point_id)
    SELECT %(job)s, m.contact_id, m.id FROM made m JOIN import_plan p ON p.id = m.contact_id AND p.found IS NOT NULL
    ORDER BY m.id RETURNING contact_id
), said AS (
    SELECT DISTINCT n.contact_id FROM noted n
    WHERE NOT EXISTS (SELECT 1 FROM import_changed c WHERE c.id = n.contact_id)
), told AS (
    INSERT INTO contacts_activity (kind, contact_id, company_id, actor_kind, actor_id, payload)
    SELECT 'contact.updated', p.id, p.company_id, 'import', %(job)s, '{"fields": ["points"]}'
    FROM said s JOIN import_plan p ON p.id = s.contact_id
)
SELECT count(*) FROM said
"""
PULSES = """
INSERT INTO contacts_pulse (contact_id, owner_id, team_id, lifecycle_stage, open_cases, orders, revenue)
SELECT id, owner_id, team_id, lifecycle_stage, 0, 0, 0 FROM import_plan WHERE found IS NULL
"""
ACTIVITIES = """
INSERT INTO contacts_activity (kind, contact_id, company_id, actor_kind, actor_id, payload)
SELECT 'contact.created', id, company_id, 'import', %(job)s, jsonb_build_object('name', coalesce(
    nullif(btrim(first_name || ' ' || last_name), ''), email, external_id, '#' || id))
FROM import_plan WHERE found IS NULL
UNION ALL
SELECT 'contact.updated', id, company_id, 'import', %(job)s, jsonb_build_object('changes', changes)
FROM import_changed
"""
# Companions of changed contacts: what contact_update does for one, for all of them
CHANGED = (
    """
    DELETE FROM contacts_contactpoint pt USING import_changed p
    WHERE pt.contact_id = p.id AND pt.is_primary AND (
        (pt.kind = 'email' AND p.changes ? 'email' AND pt.value IS DISTINCT FROM p.email)
        OR (pt.kind = 'phone' AND p.changes ? 'phone' AND pt.value IS DISTINCT FROM p.phone)
    )
    """,
    """
    UPDATE contacts_contactpoint pt SET is_primary = true FROM import_changed p
    WHERE pt.contact_id = p.id AND NOT pt.is_primary AND (
        (pt.kind = 'email' AND p.changes ? 'email' AND pt.value = p.email)
        OR (pt.kind = 'phone' AND p.changes ? 'phone' AND pt.value = p.phone)
    )
    """,
    """
    INSERT INTO contacts_contactpoint (contact_id, kind, value, is_primary, created_at)
    SELECT p.id, v.kind, v.value, true, now()
    FROM import_changed p CROSS JOIN LATERAL (VALUES ('email', p.email), ('phone', p.phone)) v (kind, value)
    WHERE p.changes ? v.kind AND v.value IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM contacts_contactpoint pt
        WHERE pt.contact_id = p.id AND pt.kind = v.kind AND pt.value = v.value
    )
    """,
    """
    UPDATE contacts_pulse u SET owner_id = p.owner_id, team_id = p.team_id, lifecycle_stage = p.lifecycle_stage
    FROM import_changed p WHERE u.contact_id = p.id AND p.changes ?| ARRAY['owner', 'team', 'lifecycle_stage']
    """,
    """
    UPDATE contacts_interaction i SET owner_id = p.owner_id, team_id = p.team_id
    FROM import_changed p WHERE i.contact_id = p.id AND p.changes ?| ARRAY['owner', 'team']
    """,
)
