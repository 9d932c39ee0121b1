from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("journeys", "0004_run_by_status")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="claims",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
    ]
