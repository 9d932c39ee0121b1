from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Open tasks of everybody by due time, built while people work."""

    atomic = False
    dependencies = [("contacts", "0007_dead_letters_and_error_pages")]
    operations = [
        AddIndexConcurrently(
            model_name="task",
            index=models.Index(
                fields=["due_at", "id"], name="task_due", condition=models.Q(status="open")
            ),
        ),
    ]
