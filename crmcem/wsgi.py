import os

from django.core.wsgi import get_wsgi_application

from crmcem.celery import app
from crmcem.lib.garbage import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crmcem.settings")
# What a request wakes goes to our own broker: without it the process has Celery's default app, which has another.
app.set_default()

application = get_wsgi_application()
settle()
