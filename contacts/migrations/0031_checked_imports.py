import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0030_points_of_imports'),
        ('workspace', '0005_trash'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='importjob',
            name='mapped_like',
            field=models.CharField(blank=True, db_default='', default='', max_length=255),
        ),
        migrations.AddField(
            model_name='importjob',
            name='new_fields',
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name='importjob',
            name='report',
            field=models.JSONField(db_default={}, default=dict, editable=False),
        ),
        migrations.AlterField(
            model_name='importjob',
            name='status',
            field=models.CharField(choices=[('draft', 'Waiting for the mapping'), ('checking', 'Being checked'), ('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('undoing', 'Being undone'), ('undone', 'Undone')], default='draft', max_length=10, verbose_name='status'),
        ),
        migrations.CreateModel(
            name='ImportFix',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('row', models.PositiveIntegerField()),
                ('column', models.PositiveIntegerField()),
                ('value', models.TextField()),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='fixes', to='contacts.importjob')),
            ],
            options={
                'verbose_name': 'mended cell',
                'verbose_name_plural': 'mended cells',
                'ordering': ['row', 'column'],
                'constraints': [models.UniqueConstraint(fields=('job', 'row', 'column'), name='importfix_once')],
            },
        ),
        migrations.CreateModel(
            name='ImportMapping',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('object', models.CharField(max_length=12)),
                ('digest', models.CharField(max_length=64)),
                ('mapping', models.JSONField(default=dict)),
                ('settings', models.JSONField(default=dict)),
                ('file_name', models.CharField(max_length=255)),
                ('used_at', models.DateTimeField(auto_now=True)),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workspace.team')),
            ],
            options={
                'verbose_name': 'remembered mapping',
                'verbose_name_plural': 'remembered mappings',
                'ordering': ['-used_at'],
                'indexes': [models.Index(fields=['team', 'object', 'digest'], name='importmapping_team')],
                'constraints': [models.UniqueConstraint(fields=('owner', 'object', 'digest'), name='importmapping_once')],
            },
        ),
    ]
