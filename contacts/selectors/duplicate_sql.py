"""By which properties records are found to be the same, and how sure that is: SQL, so that a million are compared
where they lie.

``KEYS`` give ``(kind, value, record_id)`` for the records ``%(ids)s``. ``SCORE`` compare the pairs of ``cand``
(``left_id, right_id, kinds``). ``keys_of`` and ``score_of`` do the same for rows that are no records yet. Two records
are only compared where they share a key, and a key that more than ``HITS`` records share says nothing (a switchboard's
number, a very common name): it is passed over.
"""

# ruff: noqa: S608 - statements are built from constants of this module; values are parameters

#: a criterion that more records meet than this is no criterion
HITS = 20
#: pairs below this are not worth a person's look
THRESHOLD = 0.62

# OFFSET 0 keeps the planner from writing an expression out wherever its column is used, so it is computed once.
#: what a name is compared by: no accents, case, punctuation or order of words
_WORDS = "btrim(regexp_replace(crmcem_fold({0}), '[[:punct:][:space:]]+', ' ', 'g'))"
_SORTED = "(SELECT string_agg(w, ' ' ORDER BY w) FROM regexp_split_to_table({0}, ' ') w)"
#: how it sounds, roughly: the consonants, letters that sound alike taken as one, no doubled ones
_SOUND = (
    "regexp_replace(translate(replace({0}, 'ph', 'f'), 'cqzvdgaeiouyhw', 'kksftk'), '(.)\\1+', '\\1', 'g')"
)
_LEGAL = (
    "'\\m(gmbh|mbh|ag|kg|ohg|ug|se|inc|incorporated|ltd|limited|llc|llp|plc|corp|corporation|co|company|bv|nv|sa|sarl"
    "|srl|spa|oy|ab|as|aps|kft|pty|the|und|and|e k|ev)\\M'"
)
#: the mailbox behind an address: without a +tag; Google's also without dots
_MAILBOX = """
CASE WHEN split_part({0}, '@', 2) IN ('gmail.com', 'googlemail.com')
     THEN replace(split_part(split_part({0}, '@', 1), '+', 1), '.', '') || '@gmail.com'
     ELSE split_part(split_part({0}, '@', 1), '+', 1) || '@' || split_part({0}, '@', 2) END
"""
_BARE_ID = "nullif(ltrim(regexp_replace(lower({0}), '[^[:alnum:]]+', '', 'g'), '0'), '')"
_HOST = "nullif(regexp_replace(lower({0}), '^([a-z]+://)?(www\\.)?([^/:?#]*).*$', '\\3'), '')"
#: everybody has an address there: the domain says nothing of where somebody works
_FREE = (
    "'{gmail.com,googlemail.com,yahoo.com,hotmail.com,outlook.com,live.com,msn.com,icloud.com,me.com,aol.com,gmx.de,"
    "gmx.net,gmx.at,gmx.ch,web.de,t-online.de,freenet.de,mail.com,mail.ru,yandex.ru,qq.com,163.com,proton.me,"
    "protonmail.com,orange.fr,free.fr,libero.it,comcast.net,btinternet.com}'::text[]"
)

# ``<source>`` has the columns of the records that the statement names
_PERSON = f"""
SELECT c.id, c.company_id, c.email, c.phone, c.external_id, n.words, s.sorted, d.domain,
       {_SOUND.format("s.sorted")} AS sound
FROM <source> c
CROSS JOIN LATERAL (SELECT {_WORDS.format("c.first_name || ' ' || c.last_name")} AS words OFFSET 0) n
CROSS JOIN LATERAL (SELECT {_SORTED.format("n.words")} AS sorted OFFSET 0) s
CROSS JOIN LATERAL (SELECT nullif(split_part(c.email, '@', 2), '') AS host) h
CROSS JOIN LATERAL (SELECT CASE WHEN h.host <> ALL ({_FREE}) THEN h.host END AS domain) d
"""
_CONTACT_KEYS = f"""
WITH r AS MATERIALIZED ({_PERSON} WHERE c.id <which>), p AS (
    SELECT id, 'email' AS kind, email AS value FROM r WHERE email IS NOT NULL
    UNION SELECT id, 'phone', phone FROM r WHERE phone IS NOT NULL
    UNION SELECT id, 'external_id', external_id FROM r WHERE external_id IS NOT NULL
    UNION SELECT contact_id, kind, value FROM <points> pt WHERE contact_id <which>
)
SELECT CASE p.kind WHEN 'email' THEN 'mail' WHEN 'phone' THEN 'phone' ELSE 'id' END AS kind,
       CASE p.kind WHEN 'email' THEN {_MAILBOX.format("p.value")} WHEN 'phone' THEN p.value
                   ELSE {_BARE_ID.format("p.value")} END AS value, p.id AS record_id
FROM p WHERE p.kind IN ('email', 'phone', 'external_id')
UNION ALL
SELECT k.kind, k.value, r.id FROM r CROSS JOIN LATERAL (VALUES
    ('name', CASE WHEN r.words LIKE '%% %%' THEN r.sorted END),
    ('name_company', r.sorted || '|' || r.company_id),
    ('name_domain', r.sorted || '|' || r.domain),
    ('sound', r.sound || '|' || r.company_id),
    ('sound', r.sound || '|' || r.domain),
    ('first', left(r.words, 2) || '|' || r.company_id),
    ('last', left(regexp_replace(r.words, '^.* ', ''), 2) || '|' || r.company_id)
) AS k(kind, value) WHERE r.words <> ''
"""
_CONTACT_SCORE = f"""
, alike AS MATERIALIZED ({_PERSON}
    WHERE c.id = ANY (ARRAY(SELECT left_id FROM cand UNION SELECT right_id FROM cand))
), judged AS MATERIALIZED (
    SELECT cand.left_id, cand.right_id,
           'mail' = ANY(cand.kinds) AS mail, 'phone' = ANY(cand.kinds) AS phone, 'id' = ANY(cand.kinds) AS id,
           l.sorted <> '' AND l.sorted = r.sorted AS name,
           l.sorted <> '' AND r.sorted <> '' AS named,
           CASE WHEN l.sorted = r.sorted THEN 1 WHEN length(l.sound) > 3 AND l.sound = r.sound THEN 0.9
                ELSE similarity(l.words, r.words) END AS alike,
           coalesce(l.company_id = r.company_id, false) AS company,
           coalesce(l.domain = r.domain, false) AND ('name_domain' = ANY(cand.kinds) OR 'sound' = ANY(cand.kinds)
               OR 'mail' = ANY(cand.kinds)) AS domain
    FROM cand
    JOIN alike l ON l.id = cand.left_id
    JOIN alike r ON r.id = cand.right_id
), scored AS MATERIALIZED (
    SELECT *, (mail OR phone OR id) AND name AS exact, round((
        CASE WHEN named AND alike < 0.3 THEN 0.5 ELSE 1 END * (1
            - (CASE WHEN mail THEN 0.15 ELSE 1 END) * (CASE WHEN id THEN 0.25 ELSE 1 END)
            * (CASE WHEN phone THEN 0.5 ELSE 1 END) * (CASE WHEN named AND alike >= 0.3 THEN 1 - 0.6 * alike ELSE 1 END)
            * (CASE WHEN company THEN 0.55 WHEN domain THEN 0.6 ELSE 1 END))
    )::numeric, 3)::float8 AS score
    FROM judged
)
"""
_FIRM = f"""
SELECT c.id, c.phone, c.external_id, c.domain, c.website, n.words, coalesce({_SOUND.format("n.words")}, '') AS sound
FROM <source> c
CROSS JOIN LATERAL (SELECT {_WORDS.format("c.name")} AS full_name OFFSET 0) f
CROSS JOIN LATERAL (SELECT regexp_replace(f.full_name, {_LEGAL}, '', 'g') AS bare OFFSET 0) b
CROSS JOIN LATERAL (
    SELECT coalesce(nullif(btrim(regexp_replace(b.bare, ' +', ' ', 'g')), ''), f.full_name) AS words OFFSET 0
) n
"""
_COMPANY_KEYS = f"""
WITH r AS MATERIALIZED ({_FIRM} WHERE c.id <which>)
SELECT k.kind, k.value, r.id AS record_id FROM r CROSS JOIN LATERAL (VALUES
    ('phone', r.phone),
    ('id', {_BARE_ID.format("r.external_id")}),
    ('host', r.domain),
    ('host', {_HOST.format("r.website")}),
    ('brand', CASE WHEN length(split_part(r.domain, '.', 1)) > 3 THEN split_part(r.domain, '.', 1) END),
    ('name', nullif(r.words, '')),
    ('sound', CASE WHEN length(r.sound) > 3 THEN r.sound END)
) AS k(kind, value)
"""
_COMPANY_SCORE = f"""
, alike AS MATERIALIZED ({_FIRM}
    WHERE c.id = ANY (ARRAY(SELECT left_id FROM cand UNION SELECT right_id FROM cand))
), judged AS MATERIALIZED (
    SELECT cand.left_id, cand.right_id,
           'phone' = ANY(cand.kinds) AS phone, 'id' = ANY(cand.kinds) AS id, 'host' = ANY(cand.kinds) AS host,
           'brand' = ANY(cand.kinds) AND NOT 'host' = ANY(cand.kinds) AS brand, l.words = r.words AS name,
           CASE WHEN l.words = r.words THEN 1 WHEN length(l.sound) > 3 AND l.sound = r.sound THEN 0.9
                ELSE similarity(l.words, r.words) END AS alike
    FROM cand
    JOIN alike l ON l.id = cand.left_id
    JOIN alike r ON r.id = cand.right_id
), scored AS MATERIALIZED (
    SELECT *, (phone OR id OR host) AND name AS exact, round((
        CASE WHEN alike < 0.2 THEN 0.6 ELSE 1 END * (1
            - (CASE WHEN id THEN 0.25 ELSE 1 END) * (CASE WHEN phone THEN 0.5 ELSE 1 END)
            * (CASE WHEN host THEN 0.3 WHEN brand THEN 0.55 ELSE 1 END)
            * (CASE WHEN alike >= 0.2 THEN 1 - 0.7 * alike ELSE 1 END))
    )::numeric, 3)::float8 AS score
    FROM judged
)
"""
_CONTACT_REASONS = """
array_remove(ARRAY[
    CASE WHEN mail THEN '{"code": "mail"}'::jsonb END,
    CASE WHEN id THEN '{"code": "id"}'::jsonb END,
    CASE WHEN phone THEN '{"code": "phone"}'::jsonb END,
    CASE WHEN name THEN '{"code": "name"}'::jsonb
         WHEN named AND alike >= 0.3
         THEN jsonb_build_object('code', 'alike', 'percent', round(alike::numeric * 100)) END,
    CASE WHEN company THEN '{"code": "company"}'::jsonb END,
    CASE WHEN domain AND NOT company THEN '{"code": "domain"}'::jsonb END
], NULL)
"""
_COMPANY_REASONS = """
array_remove(ARRAY[
    CASE WHEN host THEN '{"code": "host"}'::jsonb END,
    CASE WHEN brand THEN '{"code": "brand"}'::jsonb END,
    CASE WHEN id THEN '{"code": "id"}'::jsonb END,
    CASE WHEN phone THEN '{"code": "phone"}'::jsonb END,
    CASE WHEN name THEN '{"code": "name"}'::jsonb
         WHEN alike >= 0.2 THEN jsonb_build_object('code', 'alike', 'percent', round(alike::numeric * 100)) END
], NULL)
"""
_KEYS = {"contact": _CONTACT_KEYS, "company": _COMPANY_KEYS}
_SCORE = {"contact": _CONTACT_SCORE, "company": _COMPANY_SCORE}
_TABLES = {"contact": "contacts_contact", "company": "contacts_company"}


def keys_of(entity: str, source: str, points: str, which: str = "IS NOT NULL") -> str:
    """``KEYS`` of the rows of ``source``, a table or a subquery, with ``points`` (``contact_id, kind, value``)."""
    return _KEYS[entity].replace("<source>", source).replace("<points>", points).replace("<which>", which)


def score_of(entity: str, source: str) -> str:
    """``SCORE`` for pairs of rows of ``source``."""
    return _SCORE[entity].replace("<source>", source)


KEYS = {
    entity: keys_of(entity, table, "contacts_contactpoint", "= ANY(%(ids)s)")
    for entity, table in _TABLES.items()
}
SCORE = {entity: score_of(entity, table) for entity, table in _TABLES.items()}
REASONS = {"contact": _CONTACT_REASONS, "company": _COMPANY_REASONS}
#: the keys of what is being typed: ``%(name)s``, ``%(email)s``, ``%(phone)s``, ``%(company)s``, ``%(domain)s``
TYPED = {
    "contact": f"""
SELECT k.kind, k.value
FROM (SELECT {_WORDS.format("coalesce(%(name)s::text, '')")} AS words) n
CROSS JOIN LATERAL (SELECT {_SORTED.format("n.words")} AS sorted) s
CROSS JOIN LATERAL (SELECT {_SOUND.format("s.sorted")} AS sound) u
CROSS JOIN LATERAL (SELECT split_part(%(email)s::text, '@', 2) AS host) h
CROSS JOIN LATERAL (SELECT CASE WHEN h.host <> ALL ({_FREE}) THEN h.host END AS domain) d
CROSS JOIN LATERAL (VALUES
    ('mail', {_MAILBOX.format("%(email)s::text")}),
    ('phone', %(phone)s::text),
    ('name', CASE WHEN n.words LIKE '%% %%' THEN s.sorted END),
    ('sound', CASE WHEN n.words <> '' THEN u.sound || '|' || %(company)s::text END),
    ('sound', CASE WHEN n.words <> '' THEN u.sound || '|' || d.domain END)
) AS k(kind, value)
""",
    "company": f"""
SELECT k.kind, k.value
FROM (SELECT {_WORDS.format("coalesce(%(name)s::text, '')")} AS full_name) f
CROSS JOIN LATERAL (SELECT regexp_replace(f.full_name, {_LEGAL}, '', 'g') AS bare) b
CROSS JOIN LATERAL (
    SELECT coalesce(nullif(btrim(regexp_replace(b.bare, ' +', ' ', 'g')), ''), f.full_name) AS words
) n
CROSS JOIN LATERAL (SELECT {_SOUND.format("n.words")} AS sound) u
CROSS JOIN LATERAL (VALUES
    ('phone', %(phone)s::text),
    ('host', %(domain)s::text),
    ('name', n.words),
    ('sound', CASE WHEN length(u.sound) > 3 THEN u.sound END)
) AS k(kind, value)
""",
}
