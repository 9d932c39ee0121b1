"""The statements that fill a large database: everything follows from the number of a row, nothing is random.

``pg_temp.h(row, salt)`` is an even share between 0 and 1, the same every time. Parameters: ``base`` and ``n`` (the
first number minus one, and how many), ``contacts``, ``companies``, ``now``, ``days``, and lists of names and owners.
"""

# ruff: noqa: E501 - statements read better in long lines than cut up

FUNCTIONS = """
CREATE OR REPLACE FUNCTION pg_temp.h(i bigint, salt bigint) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (hashint8extended(i, salt) >> 11 & 4503599627370495)::float8 / 4503599627370496.0 $$;
CREATE OR REPLACE FUNCTION pg_temp.pick(items text[], share float8) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT items[1 + floor(share * cardinality(items))::int] $$;
"""

COMPANIES = """
INSERT INTO contacts_company (id, external_id, name, domain, industry, size, phone, website, custom, owner_id, team_id,
                              created_at, updated_at, version)
SELECT i, 'firm-' || i, pg_temp.pick(%(firsts)s, pg_temp.h(i, 1)) || ' ' || pg_temp.pick(%(seconds)s, pg_temp.h(i, 2))
           || ' ' || i,
       'firm-' || i || '.example', pg_temp.pick(%(industries)s, pg_temp.h(i, 3)),
       (3 * power(400, pg_temp.h(i, 4) ^ 2))::int, NULL, '', '{}', u.id, u.team_id, at, at, 1
FROM generate_series(%(base)s + 1, %(base)s + %(n)s) i
CROSS JOIN LATERAL (SELECT %(now)s::timestamptz - make_interval(secs => 86400.0 * %(days)s * (1 - 0.01 * pg_temp.h(i, 5))) AS at) t
JOIN workspace_user u ON u.id = (%(owners)s::bigint[])[1 + floor(pg_temp.h(i, 6) * cardinality(%(owners)s::bigint[]))::int]
"""

# Names are spread as they are in life: few are very common, most are rare. The oldest contact has the lowest
# number, so that whatever happens at a time happens to one of those who were there.
CONTACTS = """
INSERT INTO contacts_contact (id, external_id, first_name, last_name, email, phone, job_title, company_id, lifecycle_stage,
                              tags, custom, consent, language, time_zone, owner_id, team_id, created_at, updated_at, version)
SELECT i, 'C-' || i, first, last, lower(first || '.' || last) || i || '@mail.example',
       CASE WHEN pg_temp.h(i, 13) < 0.3 THEN '+1' || pg_temp.pick(%(areas)s, pg_temp.h(i, 14)) || '55501'
           || lpad((pg_temp.h(i, 15) * 100)::int %% 100 || '', 2, '0') END,
       CASE WHEN k.id IS NULL THEN '' ELSE pg_temp.pick(%(jobs)s, pg_temp.h(i, 16)) END,
       k.id, pg_temp.pick(%(stages)s, pg_temp.h(i, 17) ^ 0.5),
       ARRAY['generated-name', pg_temp.pick(%(tags)s, pg_temp.h(i, 18))],
       jsonb_build_object('plan', pg_temp.pick(%(plans)s, pg_temp.h(i, 19))),
       CASE WHEN pg_temp.h(i, 20) < 0.04 THEN '{"email": {"status": "denied", "source": "preference page"}}'::jsonb
            ELSE '{}' END,
       CASE WHEN pg_temp.h(i, 21) < 0.12 THEN 'de' ELSE 'en' END, 'America/New_York',
       coalesce(k.owner_id, u.id), coalesce(k.team_id, u.team_id), at, at, 1
FROM generate_series(%(base)s + 1, %(base)s + %(n)s) i
CROSS JOIN LATERAL (SELECT
    pg_temp.pick(%(first_names)s, pg_temp.h(i, 11) ^ 2) AS first,
    CASE WHEN pg_temp.h(i, 9) < 0.5 THEN pg_temp.pick(%(last_names)s, pg_temp.h(i, 12) ^ 2)
         ELSE pg_temp.pick(%(starts)s, pg_temp.h(i, 12)) || pg_temp.pick(%(ends)s, pg_temp.h(i, 10)) END AS last,
    %(now)s::timestamptz - make_interval(secs => 86400.0 * %(days)s * (1 - (i - %(all_base)s)::float8 / %(contacts)s)) AS at
) x
LEFT JOIN contacts_company k
    ON pg_temp.h(i, 22) < 0.6 AND k.id = %(company_base)s + 1 + floor(pg_temp.h(i, 23) * %(companies)s)::bigint
JOIN workspace_user u ON u.id = (%(owners)s::bigint[])[1 + floor(pg_temp.h(i, 24) * cardinality(%(owners)s::bigint[]))::int]
"""
POINTS = """
INSERT INTO contacts_contactpoint (contact_id, kind, value, is_primary, created_at)
SELECT id, 'email', email, true, created_at FROM contacts_contact
WHERE id > %(base)s AND id <= %(base)s + %(n)s AND email IS NOT NULL
UNION ALL
SELECT id, 'phone', phone, true, created_at FROM contacts_contact
WHERE id > %(base)s AND id <= %(base)s + %(n)s AND phone IS NOT NULL
"""

_ACTIVITY = """
INSERT INTO contacts_activity (received_at, occurred_at, kind, contact_id, company_id, subject_type, subject_id,
                               actor_kind, actor_id, payload)
"""
CREATED = (
    _ACTIVITY
    + """
SELECT created_at, created_at, 'contact.created', id, company_id, '', NULL, 'system', NULL,
       jsonb_build_object('name', first_name || ' ' || last_name)
FROM contacts_contact WHERE id > %(base)s AND id <= %(base)s + %(n)s ORDER BY created_at
"""
)
# One in two hundred events is the busiest customer's; one in a hundred belongs to the nineteen next.
EVENTS = (
    _ACTIVITY
    + """
SELECT at, at, kind, c.id, c.company_id, '', NULL, 'user', %(shop)s, CASE kind
           WHEN 'order.placed' THEN jsonb_build_object('order', i::text, 'amount',
               round((5 + 115 * pg_temp.h(i, 33) ^ 3)::numeric, 2)::text, 'currency', 'USD', 'items',
               1 + floor(pg_temp.h(i, 34) * 4)::int)
           WHEN 'page.viewed' THEN jsonb_build_object('path', pg_temp.pick(%(pages)s, pg_temp.h(i, 35)))
           ELSE '{"device": "phone"}' END
FROM generate_series(%(base)s + 1, %(base)s + %(n)s) i
CROSS JOIN LATERAL (SELECT
    %(now)s::timestamptz - make_interval(secs => 86400.0 * %(days)s * (1 - i::float8 / %(events)s)) AS at,
    1 + floor(least(i::float8 / %(events)s, 0.999999) * (%(contacts)s - 1)) AS known,
    CASE WHEN pg_temp.h(i, 31) < 0.35 THEN 'order.placed' WHEN pg_temp.h(i, 31) < 0.8 THEN 'page.viewed'
         ELSE 'account.signed_in' END AS kind,
    CASE WHEN pg_temp.h(i, 32) < 0.005 THEN 1 WHEN pg_temp.h(i, 32) < 0.015 THEN 2 + floor(pg_temp.h(i, 36) * 19)
         ELSE 1 + floor(pg_temp.h(i, 37) * 1000000000) END AS lot
) x
JOIN contacts_contact c ON c.id = %(all_base)s + least(CASE WHEN lot < 21 THEN lot
    ELSE 1 + floor(lot / 1000000001.0 * known) END, known)::bigint
"""
)

# Every second answer is followed by an invitation that nobody answered. Surveys: nps, csat, ces.
INVITATIONS = """
INSERT INTO feedback_invitation (id, survey_id, contact_id, channel, touchpoint, status, suppressed_reason, dedupe_key,
                                 created_at, sent_at, opened_at, answered_at, expires_at)
SELECT %(invitation_base)s + i,
       (%(surveys)s::bigint[])[CASE WHEN pg_temp.h(i, 41) < 0.8 THEN 1 WHEN pg_temp.h(i, 41) < 0.95 THEN 2 ELSE 3 END],
       c.id, 'email', pg_temp.pick(%(touchpoints)s, pg_temp.h(i, 42)),
       CASE WHEN i %% 3 > 0 THEN 'answered' WHEN at < %(now)s::timestamptz - interval '30 days' THEN 'expired'
            ELSE 'sent' END,
       '', NULL, at, at, CASE WHEN i %% 3 > 0 THEN at + interval '5 hours' END,
       CASE WHEN i %% 3 > 0 THEN at + interval '5 hours 2 minutes' END, at + interval '30 days'
FROM generate_series(%(base)s + 1, %(base)s + %(n)s) i
CROSS JOIN LATERAL (SELECT
    %(now)s::timestamptz - interval '6 hours'
        - make_interval(secs => 86400.0 * (%(days)s - 1) * (1 - i::float8 / %(invitations)s)) AS at,
    1 + floor(pg_temp.h(i, 43) * i::float8 / (%(invitations)s + 1) * %(contacts)s)::bigint AS who
) x
JOIN contacts_contact c ON c.id = %(all_base)s + who
"""
# The score follows the season: a dip in every spring. ``comments`` come with what the engine made of them.
RESPONSES = """
INSERT INTO feedback_response (id, survey_id, contact_id, invitation_id, status, touchpoint, answers, nps, csat, csat_scale,
                               ces, comment, language, sentiment_score, sentiment_label, sentiment_by, emotions, topics,
                               owner_id, company_id, started_at, submitted_at)
SELECT %(response_base)s + row_number() OVER (ORDER BY v.id), v.survey_id, v.contact_id, v.id, 'complete', v.touchpoint,
       jsonb_build_object(s.kind, f.score)
           || CASE WHEN m.text <> '' THEN jsonb_build_object('comment', m.text) ELSE '{}' END,
       CASE WHEN s.kind = 'nps' THEN f.score END, CASE WHEN s.kind = 'csat' THEN f.score END,
       CASE WHEN s.kind = 'csat' THEN 5 END, CASE WHEN s.kind = 'ces' THEN f.score END,
       m.text, 'en', m.score, m.label, m.by, '{}', '{}', c.owner_id, c.company_id, v.opened_at, v.answered_at
FROM feedback_invitation v
JOIN feedback_survey s ON s.id = v.survey_id
JOIN contacts_contact c ON c.id = v.contact_id
CROSS JOIN LATERAL (SELECT CASE s.kind WHEN 'csat' THEN greatest(1, least(5, round(mean * 0.45 + spread * 0.5)))
        WHEN 'ces' THEN greatest(1, least(7, round(mean * 0.62 + spread * 0.7)))
        ELSE greatest(0, least(10, round(mean + spread))) END::int AS score
    FROM (SELECT CASE WHEN extract(month FROM v.answered_at) IN (3, 4, 5) THEN 7.2 ELSE 8.6 END AS mean,
        (pg_temp.h(v.id, 51) + pg_temp.h(v.id, 52) + pg_temp.h(v.id, 53) - 1.5) * 4.4 AS spread) d) f
CROSS JOIN LATERAL (SELECT CASE WHEN f.score >= t.top THEN 0 WHEN f.score > t.low THEN 1 ELSE 2 END AS band
    FROM (VALUES ('nps', 9, 6), ('csat', 5, 3), ('ces', 6, 4)) t(kind, top, low) WHERE t.kind = s.kind) b
CROSS JOIN LATERAL (SELECT w.text, w.score, w.label, w.by FROM demo_comments w
    WHERE w.band = b.band AND w.place = CASE WHEN pg_temp.h(v.id, 54) < 0.55 THEN 0
        ELSE 1 + floor(pg_temp.h(v.id, 55) * %(places)s)::int END) m
WHERE v.id > %(invitation_base)s AND v.status = 'answered'
"""
COMMENTS = """
CREATE TEMP TABLE demo_comments (
    band int, place int, text text, score float8, label text, by text, PRIMARY KEY (band, place)
)
"""
INVITED = (
    _ACTIVITY
    + """
SELECT v.created_at, v.created_at, 'survey.invited', v.contact_id, c.company_id, 'invitation', v.id, 'system', NULL,
       jsonb_build_object('survey', v.survey_id, 'name', s.name, 'channel', v.channel, 'touchpoint', v.touchpoint,
                          'reason', '')
FROM feedback_invitation v JOIN feedback_survey s ON s.id = v.survey_id JOIN contacts_contact c ON c.id = v.contact_id
WHERE v.id > %(invitation_base)s + %(base)s AND v.id <= %(invitation_base)s + %(base)s + %(n)s
"""
)
ANSWERED = (
    _ACTIVITY
    + """
SELECT r.submitted_at, r.submitted_at, 'survey.answered', r.contact_id, r.company_id, 'response', r.id, 'customer',
       r.contact_id, jsonb_build_object('survey', r.survey_id, 'name', s.name, 'kind', s.kind, 'nps', r.nps, 'csat', r.csat,
           'csat_scale', r.csat_scale, 'ces', r.ces, 'comment', left(r.comment, 280), 'sentiment', r.sentiment_score,
           'touchpoint', r.touchpoint, 'response', r.id)
FROM feedback_response r JOIN feedback_survey s ON s.id = r.survey_id
WHERE r.id > %(response_base)s + %(base)s AND r.id <= %(response_base)s + %(base)s + %(n)s
"""
)
# Whoever was angry lately has a case: two in three are settled.
CASES = """
INSERT INTO feedback_case (contact_id, subject, body, status, priority, source, response_id, sla_due_at, root_cause,
                           resolution, resolved_at, owner_id, team_id, created_at, updated_at, version)
SELECT r.contact_id, 'Rated us ' || r.nps || ' of 10', r.comment,
       CASE WHEN done THEN 'resolved' ELSE 'open' END, 'normal', 'survey', r.id, r.submitted_at + interval '48 hours',
       CASE WHEN done THEN 'Late delivery' ELSE '' END, CASE WHEN done THEN 'Called and refunded the postage.' ELSE '' END,
       CASE WHEN done THEN least(r.submitted_at + interval '20 hours', %(now)s) END, c.owner_id, c.team_id,
       r.submitted_at, r.submitted_at, 1
FROM feedback_response r JOIN contacts_contact c ON c.id = r.contact_id
CROSS JOIN LATERAL (SELECT pg_temp.h(r.id, 61) < 0.67 AS done) d
WHERE r.id > %(response_base)s AND r.nps <= 6 AND r.submitted_at > %(now)s::timestamptz - interval '60 days'
ORDER BY r.submitted_at
"""
CASES_OPENED = (
    _ACTIVITY
    + """
SELECT k.created_at, k.created_at, 'case.opened', k.contact_id, c.company_id, 'case', k.id, 'system', NULL,
       jsonb_build_object('case', k.id, 'subject', k.subject, 'status', 'open', 'priority', k.priority, 'owner', k.owner_id,
                          'source', k.source, 'response', k.response_id)
FROM feedback_case k JOIN contacts_contact c ON c.id = k.contact_id
"""
)

DEALS = """
INSERT INTO sales_deal (id, external_id, name, pipeline_id, stage_id, status, amount, currency, expected_close, company_id,
                        competitors, lost_reason, won_reason, stage_entered_at, rots_at, closed_at, position, custom,
                        owner_id, team_id, created_at, updated_at, version)
SELECT i, 'deal-' || i, pg_temp.pick(%(offers)s, pg_temp.h(i, 71)) || ' of ' || k.name, s.pipeline_id, s.id, status,
       round((500 * power(100, pg_temp.h(i, 72)))::numeric, 2), 'USD', (at + interval '80 days')::date, k.id, '{}',
       CASE WHEN status = 'lost' THEN 'Too expensive' ELSE '' END, CASE WHEN status = 'won' THEN 'Good advice' ELSE '' END,
       at, CASE WHEN status = 'open' THEN at + make_interval(days => coalesce(s.rot_days, 30)) END,
       CASE WHEN status <> 'open' THEN least(at + interval '40 days', %(now)s) END, i, '{}',
       k.owner_id, k.team_id, at, at, 1
FROM generate_series(%(base)s + 1, %(base)s + %(n)s) i
CROSS JOIN LATERAL (SELECT
    %(now)s::timestamptz - make_interval(secs => 86400.0 * %(days)s * (1 - (i - %(deal_base)s)::float8 / %(deals)s)) AS at,
    CASE WHEN pg_temp.h(i, 73) < 0.12 THEN 'open' WHEN pg_temp.h(i, 73) < 0.55 THEN 'won' ELSE 'lost' END AS status
) x
JOIN contacts_company k ON k.id = %(company_base)s + 1 + floor(pg_temp.h(i, 74) * %(companies)s)::bigint
JOIN sales_stage s ON s.id = (%(stage_ids)s::bigint[])[1 + floor(pg_temp.h(i, 75) * cardinality(%(stage_ids)s::bigint[]))::int]
"""
MEMBERS = """
INSERT INTO sales_dealcontact (deal_id, contact_id, role, is_primary)
SELECT d.id, c.id, 'decision_maker', true FROM sales_deal d
JOIN contacts_contact c ON c.id = %(all_base)s + 1
    + floor(pg_temp.h(d.id, 76) * (d.id - %(deal_base)s)::float8 / (%(deals)s + 1) * %(contacts)s)::bigint
WHERE d.id > %(deal_base)s
"""
STAGES = """
INSERT INTO sales_stagechange (deal_id, from_stage_id, to_stage_id, status, at, seconds_in_previous, actor_kind, actor_id)
SELECT id, NULL, stage_id, 'open', created_at, NULL, 'user', owner_id FROM sales_deal WHERE id > %(deal_base)s
UNION ALL
SELECT id, stage_id, stage_id, status, closed_at, extract(epoch FROM closed_at - created_at)::bigint, 'user', owner_id
FROM sales_deal WHERE id > %(deal_base)s AND status <> 'open'
"""
DEALS_TOLD = (
    _ACTIVITY
    + """
SELECT x.at, x.at, x.kind, m.contact_id, d.company_id, 'deal', d.id, 'user', d.owner_id,
       jsonb_build_object('name', d.name, 'amount', d.amount::text, 'currency', d.currency, 'reason',
                          d.won_reason || d.lost_reason)
FROM sales_deal d JOIN sales_dealcontact m ON m.deal_id = d.id
CROSS JOIN LATERAL (VALUES ('deal.created', d.created_at), ('deal.' || d.status, d.closed_at)) x(kind, at)
WHERE d.id > %(deal_base)s AND x.at IS NOT NULL
"""
)
INTERACTIONS = """
INSERT INTO contacts_interaction (contact_id, company_id, kind, direction, occurred_at, subject, body, outcome, owner_id,
                                  team_id, created_at, updated_at, version)
SELECT c.id, c.company_id, pg_temp.pick(%(talk_kinds)s, pg_temp.h(i, 81)), 'out', at,
       pg_temp.pick(%(talk_subjects)s, pg_temp.h(i, 82)), '', '', c.owner_id, c.team_id, at, at, 1
FROM generate_series(1, %(interactions)s) i
CROSS JOIN LATERAL (SELECT
    %(now)s::timestamptz - make_interval(secs => 86400.0 * %(days)s * (1 - i::float8 / %(interactions)s)) AS at) x
JOIN contacts_contact c ON c.id = %(all_base)s + 1
    + floor(pg_temp.h(i, 83) * i::float8 / (%(interactions)s + 1) * %(contacts)s)::bigint
"""
TALKED = (
    _ACTIVITY
    + """
SELECT t.occurred_at, t.occurred_at, 'interaction.logged', t.contact_id, t.company_id, 'interaction', t.id, 'user',
       t.owner_id, jsonb_build_object('kind', t.kind, 'direction', t.direction, 'subject', t.subject, 'outcome', t.outcome,
                                      'duration_seconds', NULL, 'deal', NULL)
FROM contacts_interaction t
"""
)
TASKS = """
INSERT INTO contacts_task (title, kind, body, due_at, time_zone, status, priority, recurrence, series_number, completed_at,
                           contact_id, company_id, owner_id, team_id, created_at, updated_at, version)
SELECT pg_temp.pick(%(task_titles)s, pg_temp.h(i, 91)), 'call', '', due, 'America/New_York',
       CASE WHEN open THEN 'open' ELSE 'done' END, 'normal', '', 0, CASE WHEN NOT open THEN least(due, %(now)s) END,
       c.id, c.company_id, c.owner_id, c.team_id, due - interval '5 days', due - interval '5 days', 1
FROM generate_series(1, %(tasks)s) i
CROSS JOIN LATERAL (SELECT
    %(now)s::timestamptz + interval '20 days'
        - make_interval(secs => 86400.0 * %(days)s * (1 - i::float8 / %(tasks)s)) AS due) x
CROSS JOIN LATERAL (SELECT due > %(now)s OR pg_temp.h(i, 92) < 0.03 AS open) o
JOIN contacts_contact c ON c.id = %(all_base)s + 1
    + floor(pg_temp.h(i, 93) * i::float8 / (%(tasks)s + 1) * %(contacts)s)::bigint
"""

PULSES = """
INSERT INTO contacts_pulse (contact_id, owner_id, team_id, lifecycle_stage, nps, nps_at, csat, csat_at, ces, ces_at,
                            sentiment, sentiment_at, open_cases, orders, revenue, last_seen_at, last_touched_at,
                            next_activity_at)
SELECT c.id, c.owner_id, c.team_id, c.lifecycle_stage, r.nps, r.nps_at, r.csat, r.csat_at, r.ces, r.ces_at, r.mood,
       r.mood_at, coalesce(k.n, 0), coalesce(a.orders, 0), coalesce(a.revenue, 0), a.seen, a.touched, t.due
FROM contacts_contact c
LEFT JOIN (
    SELECT contact_id, count(*) FILTER (WHERE kind = 'order.placed') AS orders,
           sum((payload->>'amount')::numeric) FILTER (WHERE kind = 'order.placed') AS revenue,
           max(occurred_at) FILTER (WHERE kind = ANY(%(seen)s)) AS seen,
           max(occurred_at) FILTER (WHERE kind = ANY(%(touch)s)) AS touched
    FROM contacts_activity GROUP BY contact_id
) a ON a.contact_id = c.id
LEFT JOIN (
    SELECT contact_id,
           (array_agg(nps ORDER BY submitted_at DESC, id DESC) FILTER (WHERE nps IS NOT NULL))[1] AS nps,
           max(submitted_at) FILTER (WHERE nps IS NOT NULL) AS nps_at,
           (array_agg(csat ORDER BY submitted_at DESC, id DESC) FILTER (WHERE csat IS NOT NULL))[1] AS csat,
           max(submitted_at) FILTER (WHERE csat IS NOT NULL) AS csat_at,
           (array_agg(ces ORDER BY submitted_at DESC, id DESC) FILTER (WHERE ces IS NOT NULL))[1] AS ces,
           max(submitted_at) FILTER (WHERE ces IS NOT NULL) AS ces_at,
           (array_agg(sentiment_score ORDER BY submitted_at DESC, id DESC)
               FILTER (WHERE sentiment_score IS NOT NULL))[1] AS mood,
           max(submitted_at) FILTER (WHERE sentiment_score IS NOT NULL) AS mood_at
    FROM feedback_response WHERE status = 'complete' GROUP BY contact_id
) r ON r.contact_id = c.id
LEFT JOIN (SELECT contact_id, count(*) AS n FROM feedback_case WHERE status IN ('open', 'pending') GROUP BY contact_id) k
    ON k.contact_id = c.id
LEFT JOIN (SELECT contact_id, min(due_at) AS due FROM contacts_task WHERE status = 'open' GROUP BY contact_id) t
    ON t.contact_id = c.id
"""
AUDIT = """
INSERT INTO workspace_auditentry (at, actor_kind, actor_id, table_name, row_id, op, changes)
SELECT now(), 'system', NULL, '{table}', id, 'I', NULL FROM {table}
"""
