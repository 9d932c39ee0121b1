"""A pipeline to begin with; people rename and change it as they sell."""

from django.db import migrations

STAGES = [("Lead", 10, 14), ("Qualified", 25, 14), ("Proposal", 50, 10), ("Negotiation", 75, 7)]


def make(apps, schema_editor):
    pipelines = apps.get_model("sales", "Pipeline").objects
    if pipelines.exists():
        return
    pipeline = pipelines.create(name="Sales pipeline", is_default=True)
    stages = apps.get_model("sales", "Stage").objects
    for position, (name, probability, rot_days) in enumerate(STAGES):
        stages.create(
            pipeline=pipeline, name=name, position=position, probability=probability, rot_days=rot_days
        )


class Migration(migrations.Migration):
    dependencies = [("sales", "0002_initial")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
