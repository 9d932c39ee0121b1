"""All that the customers' page needs to know of an invitation, as a function.

The page asks this at every look. Finding the plan takes longer than finding the rows, and a function keeps its plans
per connection, also behind PgBouncer, where a prepared statement could not stay. No row: ``status`` is null.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION feedback_invitation_look(
    invitation bigint,
    OUT status text, OUT expires_at timestamptz, OUT survey_id bigint, OUT survey text, OUT language text, OUT answers text
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT i.status, i.expires_at, i.survey_id,
           (SELECT json_build_array(s.version, s.status, s.languages) FROM feedback_survey s WHERE s.id = i.survey_id),
           (SELECT c.language FROM contacts_contact c WHERE c.id = i.contact_id),
           (SELECT r.answers FROM feedback_response r WHERE r.invitation_id = i.id)
    INTO status, expires_at, survey_id, survey, language, answers
    FROM feedback_invitation i WHERE i.id = invitation;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("feedback", "0005_survey_pages")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION feedback_invitation_look(bigint)")]
