from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("contacts", "0037_left_out_of_imports")]

    operations = [
        migrations.AlterField(
            model_name="importpart",
            name="contact_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="importpart",
            name="company_id",
            field=models.BigIntegerField(null=True),
        ),
        AddIndexConcurrently(
            model_name="importpart",
            index=models.Index(
                condition=models.Q(("company_id__isnull", False)),
                fields=["job", "company_id"],
                name="importpart_company",
            ),
        ),
    ]
