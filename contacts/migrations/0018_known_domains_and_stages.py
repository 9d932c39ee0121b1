"""The domains of companies that are there already, and the changes of stage that the audit remembers."""

from django.db import migrations

DOMAINS = """
INSERT INTO contacts_companydomain (company_id, domain, is_primary, created_at, updated_at, version)
SELECT c.id, c.domain, true, now(), now(), 1 FROM contacts_company c
WHERE c.domain IS NOT NULL AND NOT EXISTS (SELECT 1 FROM contacts_companydomain d WHERE d.domain = c.domain)
ORDER BY c.id
"""
CHANGES = """
INSERT INTO contacts_lifecyclechange (contact_id, from_stage, to_stage, at, actor_kind, actor_id, reason)
SELECT a.row_id, a.changes -> 'lifecycle_stage' ->> 0, a.changes -> 'lifecycle_stage' ->> 1, a.at, a.actor_kind,
       a.actor_id, ''
FROM workspace_auditentry a JOIN contacts_contact c ON c.id = a.row_id
WHERE a.table_name = 'contacts_contact' AND a.op = 'U' AND a.changes ? 'lifecycle_stage'
ORDER BY a.id
"""
SINCE = """
UPDATE contacts_pulse p SET stage_since = coalesce(
    (SELECT max(h.at) FROM contacts_lifecyclechange h WHERE h.contact_id = c.id), c.created_at)
FROM contacts_contact c WHERE c.id = p.contact_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0017_relations_and_places"),
        ("workspace", "0002_roles"),
    ]
    operations = [migrations.RunSQL([DOMAINS, CHANGES, SINCE], migrations.RunSQL.noop)]
