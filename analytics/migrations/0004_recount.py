"""What no service announces is announced by triggers: changed and deleted answers, invitations sent, cascades, SQL.

``survey.recount`` carries the ids, one activity a statement (two thousand ids at most); it is about no contact, so
no timeline and no automation sees it. New answers come by ``survey.answered`` and fire nothing here.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION analytics_recount_responses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO contacts_activity (kind, payload)
        SELECT 'survey.recount', jsonb_build_object('responses', jsonb_agg(c.id))
        FROM (
            SELECT o.id, row_number() OVER () / 2000 AS chunk
            FROM old_rows o JOIN new_rows n ON n.id = o.id
            WHERE o.status = 'complete'
              AND (o.status, o.survey_id, o.submitted_at, o.touchpoint, o.owner_id, o.company_id, o.nps, o.csat,
                   o.csat_scale, o.ces, o.sentiment_label)
                  IS DISTINCT FROM
                  (n.status, n.survey_id, n.submitted_at, n.touchpoint, n.owner_id, n.company_id, n.nps, n.csat,
                   n.csat_scale, n.ces, n.sentiment_label)
        ) c
        GROUP BY c.chunk;
    ELSE
        INSERT INTO contacts_activity (kind, payload)
        SELECT 'survey.recount', jsonb_strip_nulls(jsonb_build_object(
                   'responses', jsonb_agg(c.id),
                   'invitations', jsonb_agg(c.invitation_id) FILTER (WHERE c.invitation_id IS NOT NULL)))
        FROM (
            SELECT o.id, o.invitation_id, row_number() OVER () / 2000 AS chunk FROM old_rows o
            WHERE o.status = 'complete' OR o.invitation_id IS NOT NULL
        ) c
        GROUP BY c.chunk;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER analytics_recount_changed AFTER UPDATE ON feedback_response
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_recount_responses();
CREATE TRIGGER analytics_recount_deleted AFTER DELETE ON feedback_response
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_recount_responses();

CREATE FUNCTION analytics_recount_invitations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO contacts_activity (kind, payload)
        SELECT 'survey.recount', jsonb_build_object('invitations', jsonb_agg(c.id))
        FROM (
            SELECT o.id, row_number() OVER () / 2000 AS chunk
            FROM old_rows o JOIN new_rows n ON n.id = o.id
            WHERE o.sent_at IS DISTINCT FROM n.sent_at
               OR (n.sent_at IS NOT NULL AND (o.survey_id, o.touchpoint) IS DISTINCT FROM (n.survey_id, n.touchpoint))
               OR (o.status = 'answered' AND n.status <> 'answered')
        ) c
        GROUP BY c.chunk;
    ELSE
        INSERT INTO contacts_activity (kind, payload)
        SELECT 'survey.recount', jsonb_build_object('invitations', jsonb_agg(c.id))
        FROM (
            SELECT o.id, row_number() OVER () / 2000 AS chunk FROM old_rows o WHERE o.sent_at IS NOT NULL
        ) c
        GROUP BY c.chunk;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER analytics_recount_changed AFTER UPDATE ON feedback_invitation
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_recount_invitations();
CREATE TRIGGER analytics_recount_deleted AFTER DELETE ON feedback_invitation
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_recount_invitations();
"""

DROP = """
DROP TRIGGER analytics_recount_changed ON feedback_response;
DROP TRIGGER analytics_recount_deleted ON feedback_response;
DROP TRIGGER analytics_recount_changed ON feedback_invitation;
DROP TRIGGER analytics_recount_deleted ON feedback_invitation;
DROP FUNCTION analytics_recount_responses();
DROP FUNCTION analytics_recount_invitations();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0003_ledger"),
        ("contacts", "0003_activity_stream"),
        ("feedback", "0003_sentiment_by"),
    ]
    operations = [migrations.RunSQL(CREATE, DROP)]
