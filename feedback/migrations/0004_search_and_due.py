"""Indexes for searching comments and subjects and for lists by due time, built while people work."""

import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

import crmcem.lib.sqlfields


def search(column, name):
    folded = django.contrib.postgres.indexes.OpClass(crmcem.lib.sqlfields.Fold(column), name="gin_trgm_ops")
    return django.contrib.postgres.indexes.GinIndex(folded, name=name)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("feedback", "0003_sentiment_by")]
    operations = [
        AddIndexConcurrently("response", search("comment", "response_search")),
        AddIndexConcurrently("case", search("subject", "case_search")),
        AddIndexConcurrently("case", models.Index(fields=["sla_due_at", "id"], name="case_sla")),
        AddIndexConcurrently(
            "case",
            models.Index(
                fields=["sla_due_at", "id"],
                name="case_open",
                condition=models.Q(status__in=["open", "pending"]),
            ),
        ),
    ]
