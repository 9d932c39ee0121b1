from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("journeys", "0003_engine")]

    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(fields=["automation", "status", "-id"], name="run_by_status"),
        ),
    ]
