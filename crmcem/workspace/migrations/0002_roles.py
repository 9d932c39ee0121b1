"""The six roles that the product starts with, and the one row of settings."""

from django.db import migrations

READ = ["*:read"]
REP = [
    "contacts:read", "contacts:write", "contacts:export", "interactions:*", "tasks:*", "imports:read", "imports:write",
    "deals:read", "deals:write", "deals:delete", "pipelines:read", "surveys:read", "responses:read", "metrics:read",
    "cases:read", "cases:write", "events:read", "automations:read",
]
MANAGER = [*REP, "contacts:delete", "contacts:assign", "deals:assign", "deals:export", "pipelines:write",
           "tasks:assign", "cases:assign"]
CX = [
    "contacts:read", "contacts:write", "contacts:export", "interactions:*", "tasks:*", "deals:read", "pipelines:read",
    "imports:read", "imports:write", "surveys:*", "responses:*", "metrics:*", "cases:*", "events:read", "automations:*",
]
INTEGRATOR = [
    "contacts:*", "interactions:*", "tasks:*", "imports:*", "events:*", "deals:*", "pipelines:*", "surveys:*",
    "responses:*", "metrics:*", "cases:*", "automations:*",
]
ROLES = [
    ("rep", "Sales rep", "own", REP),
    ("sales_manager", "Sales manager", "team", MANAGER),
    ("cx_manager", "CX manager", "all", CX),
    ("integrator", "Integrator", "all", INTEGRATOR),
    ("read_only", "Read only", "all", READ),
    ("admin", "Administrator", "all", ["*"]),
]


def make(apps, schema_editor):
    role = apps.get_model("workspace", "Role")
    for key, name, visibility, scopes in ROLES:
        role.objects.get_or_create(
            key=key, defaults={"name": name, "visibility": visibility, "scopes": sorted(set(scopes))}
        )
    apps.get_model("workspace", "Organisation").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("workspace", "0001_initial")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
