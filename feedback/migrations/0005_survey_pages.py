"""Indexes for the figures of a survey's last days and for the inbox with the lowest answers first."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("feedback", "0004_search_and_due")]
    operations = [
        AddIndexConcurrently(
            "invitation", models.Index(fields=["survey", "created_at", "status"], name="invitation_asked")
        ),
        AddIndexConcurrently(
            "response",
            models.Index(
                fields=["nps", "id"],
                name="response_nps_order",
                condition=models.Q(nps__isnull=False),
            ),
        ),
    ]
