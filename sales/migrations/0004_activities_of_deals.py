"""An index for the timeline of a deal: the interactions and tasks whose activities name it.

The stream is written to all the time, so each partition gets its index without a lock, and only then the
whole table has it. Partitions made meanwhile have it from the start.
"""

from django.db import migrations

NAME = "activity_work_deal"
BODY = """((payload ->> 'deal'), occurred_at DESC, id DESC)
    WHERE subject_type IN ('interaction', 'task') AND (payload ->> 'deal') IS NOT NULL"""


def build(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"CREATE INDEX IF NOT EXISTS {NAME} ON ONLY contacts_activity {BODY}")
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'contacts_activity'::regclass"
        )
        for (table,) in cursor.fetchall():
            index = f"{table}_work_deal"
            cursor.execute(
                "SELECT 1 FROM pg_inherits JOIN pg_index i ON i.indexrelid = inhrelid"
                " WHERE inhparent = %s::regclass AND i.indrelid = %s::regclass",
                [NAME, table],
            )
            if cursor.fetchone():
                continue
            cursor.execute(f"DROP INDEX IF EXISTS {index}")  # a build that was cut off left it invalid
            cursor.execute(f"CREATE INDEX CONCURRENTLY {index} ON {table} {BODY}")
            cursor.execute(f"ALTER INDEX {NAME} ATTACH PARTITION {index}")


def drop(apps, schema_editor):
    schema_editor.execute(f"DROP INDEX IF EXISTS {NAME}")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("sales", "0003_first_pipeline"), ("contacts", "0003_activity_stream")]
    operations = [migrations.RunPython(build, drop)]
