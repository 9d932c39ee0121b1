from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("contacts", "0023_attachments_and_followers"),
    ]

    operations = [
        migrations.AddField(
            model_name="importjob",
            name="sheet",
            field=models.CharField(blank=True, db_default="", default="", max_length=100, verbose_name="sheet"),
        ),
        migrations.AddField(
            model_name="importjob",
            name="sheets",
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AddField(
            model_name="importjob",
            name="rows",
            field=models.FileField(
                blank=True, db_default="", default="", editable=False, max_length=300, upload_to="imports/%Y/%m/"
            ),
        ),
    ]
