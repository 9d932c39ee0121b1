"""Bytes of files that hang on no record any more, so that an undo within half an hour still finds them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("contacts", "0038_parts_of_companies_in_imports")]
    operations = [
        migrations.CreateModel(
            name="LooseFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("file", models.CharField(max_length=200, unique=True)),
                ("since", models.DateTimeField(db_index=True)),
            ],
        ),
    ]
