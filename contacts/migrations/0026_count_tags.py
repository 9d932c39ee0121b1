"""The tags that are there already are counted when the workers first look after the register."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("contacts", "0025_tags")]
    operations = [
        migrations.RunSQL(
            "INSERT INTO contacts_tagchange (name, n) VALUES ('', 0)", migrations.RunSQL.noop
        )
    ]
