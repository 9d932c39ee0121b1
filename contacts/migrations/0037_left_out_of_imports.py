from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("contacts", "0035_pulse_step")]

    operations = [
        migrations.AddField(
            model_name="importjob",
            name="left_out",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="importrowerror",
            name="left_out",
            field=models.BooleanField(db_default=False, default=False),
        ),
        AddIndexConcurrently(
            model_name="importrowerror",
            index=models.Index(
                condition=models.Q(("left_out", True)), fields=["job", "id"], name="importrowerror_left_out"
            ),
        ),
    ]
