import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', "0021_milestones_by_day"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ImportKept',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('entity', models.CharField(choices=[('contact', 'Contact'), ('company', 'Company')], max_length=10)),
                ('record_id', models.BigIntegerField()),
                ('reason', models.CharField(choices=[('changed', 'Changed since'), ('in_use', 'In use since'), ('taken', 'Another record has its old address or id now'), ('hidden', 'Not yours to see')], max_length=10)),
                ('fields', models.JSONField(default=list)),
            ],
            options={
                'verbose_name': 'record kept by an undone import',
                'verbose_name_plural': 'records kept by undone imports',
                'ordering': ['id'],
            },
        ),
        migrations.AddField(
            model_name='importjob',
            name='kept',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='importjob',
            name='undo',
            field=models.JSONField(db_default={}, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='importjob',
            name='undone_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='importjob',
            name='undone_created',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='importjob',
            name='undone_updated',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='importjob',
            name='status',
            field=models.CharField(choices=[('draft', 'Waiting for the mapping'), ('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('undoing', 'Being undone'), ('undone', 'Undone')], default='draft', max_length=10, verbose_name='status'),
        ),
        migrations.AddField(
            model_name='importkept',
            name='job',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='kept_records', to='contacts.importjob'),
        ),
        migrations.AddIndex(
            model_name='importkept',
            index=models.Index(fields=['job', 'id'], name='importkept_job'),
        ),
    ]
