"""Who celebrates on a day of the year: built without stopping anybody who works."""

import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("contacts", "0020_milestones")]
    operations = [
        AddIndexConcurrently(
            model_name='contact',
            index=models.Index(django.db.models.functions.datetime.ExtractMonth('birthday'), django.db.models.functions.datetime.ExtractDay('birthday'), models.F('id'), condition=models.Q(('birthday__isnull', False)), name='contact_birthday'),
        ),
        AddIndexConcurrently(
            model_name='pulse',
            index=models.Index(django.db.models.functions.datetime.ExtractMonth('customer_since'), django.db.models.functions.datetime.ExtractDay('customer_since'), models.F('contact'), condition=models.Q(('customer_since__isnull', False)), name='pulse_customer_since'),
        ),
    ]
