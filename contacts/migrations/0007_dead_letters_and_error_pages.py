"""Indexes for the dead letters of the outbox and for paging through an import's refused rows, built while people work."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("contacts", "0006_sorted_lists")]
    operations = [
        AddIndexConcurrently(
            "message",
            models.Index(
                fields=["-id"], name="message_dead", condition=models.Q(status__in=["failed", "uncertain"])
            ),
        ),
        AddIndexConcurrently(
            "importrowerror", models.Index(fields=["job", "id"], name="importrowerror_job")
        ),
    ]
