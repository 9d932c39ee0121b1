import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0029_quality_over_time'),
    ]

    operations = [
        migrations.AddField(
            model_name='importjob',
            name='make_companies',
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name='importjob',
            name='separator',
            field=models.CharField(blank=True, choices=[(';', 'Semicolon ;'), (',', 'Comma ,'), ('|', 'Bar |'), ('/', 'Slash /')], db_default='', default='', max_length=1),
        ),
        migrations.CreateModel(
            name='ImportPoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('contact_id', models.BigIntegerField()),
                ('point_id', models.BigIntegerField()),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='contacts.importjob')),
            ],
            options={
                'verbose_name': 'point added by an import',
                'verbose_name_plural': 'points added by imports',
                'ordering': ['id'],
                'indexes': [models.Index(fields=['job', 'id'], name='importpoint_job')],
            },
        ),
    ]
