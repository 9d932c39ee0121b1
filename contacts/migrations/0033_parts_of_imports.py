import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0032_stream_next'),
    ]

    operations = [
        migrations.AddField(
            model_name='importjob',
            name='checks',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.CreateModel(
            name='ImportPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('contact_id', models.BigIntegerField()),
                ('entity', models.CharField(max_length=8)),
                ('part_id', models.BigIntegerField()),
                ('made', models.BooleanField()),
                ('counted', models.BooleanField()),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='contacts.importjob')),
            ],
            options={
                'verbose_name': 'part added or changed by an import',
                'verbose_name_plural': 'parts added or changed by imports',
                'ordering': ['id'],
                'indexes': [models.Index(fields=['job', 'contact_id'], name='importpart_job')],
            },
        ),
    ]
