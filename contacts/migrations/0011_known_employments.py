"""The employments of those who have a company already. Since when is unknown."""

from django.db import migrations

FILL = """
INSERT INTO contacts_employment (
    contact_id, company_id, title, department, starts_on, ends_on, is_primary, created_at, updated_at, version
)
SELECT c.id, c.company_id, c.job_title, '', NULL, NULL, true, now(), now(), 1
FROM contacts_contact c
WHERE c.company_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM contacts_employment e WHERE e.contact_id = c.id)
ORDER BY c.id
"""


class Migration(migrations.Migration):
    dependencies = [("contacts", "0010_employments")]
    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
