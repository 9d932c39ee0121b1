from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workspace", "0006_bulk_edits")]

    operations = [
        migrations.AddField("bulkedit", "skipped", models.JSONField(db_default=[], default=list)),
    ]
