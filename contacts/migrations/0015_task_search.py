"""Tasks are found by words of their title, also with a typing error."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations

from crmcem.lib.sqlfields import Fold


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("contacts", "0014_merging")]
    operations = [
        AddIndexConcurrently(
            "task", GinIndex(OpClass(Fold("title"), name="gin_trgm_ops"), name="task_search")
        ),
    ]
