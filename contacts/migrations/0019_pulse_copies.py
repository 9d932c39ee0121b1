"""Owner and team of a Pulse are copies of its contact's, written in the same transaction: one reference is enough.

Looking every owner up a second time was a tenth of what an import does besides the contact itself.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def copied(to: str) -> models.Field:
    return models.ForeignKey(
        to,
        django.db.models.deletion.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0018_known_domains_and_stages"),
        ("workspace", "0002_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AlterField("pulse", "owner", copied(settings.AUTH_USER_MODEL)),
        migrations.AlterField("pulse", "team", copied("workspace.team")),
    ]
