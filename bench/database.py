"""One database per size in the cluster of the profile ``bench``, filled once and kept."""

import os
import subprocess
import sys
import time
from urllib.parse import urlsplit, urlunsplit

import psycopg2

#: contacts, activities, answers, deals
SIZES = {
    "10k": (10_000, 100_000, 10_000, 2_000),
    "100k": (100_000, 1_000_000, 100_000, 20_000),
    "1M": (1_000_000, 10_000_000, 1_000_000, 200_000),
}
_MIGRATE = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", interactive=False, verbosity=0)
from crmcem.run.prepare import collect
collect()
"""
_FILL = """
from analytics.demo.bulk import Size, seed_bulk
from bench.database import SIZES
seed_bulk(Size(*SIZES["{name}"]), say=lambda text: print("   ", text, flush=True))
"""


def url(size: str) -> str:
    """The address of the database of that size."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/bench_{size.lower()}"))


def environment(size: str) -> dict[str, str]:
    """The variables of a program that works on it: as in production, but for what would only make noise."""
    quiet = {"LOG_LEVEL": "ERROR", "EMAIL_URL": "memory://", "API_RATE": "10000000/min"}
    return os.environ | quiet | {"DATABASE_URL": url(size), "DJANGO_SETTINGS_MODULE": "crmcem.settings"}


def ensure(size: str, *, fresh: bool = False) -> None:
    """Make and fill the database where it is not there, or was not finished; else only migrate it."""
    name = f"bench_{size.lower()}"
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
        )
        found = cursor.fetchone()
        filled = found is not None and found[0] == "filled" and not fresh
        if not filled:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {name}")
        program = _MIGRATE + ("" if filled else _FILL.format(name=size))
        begin = time.monotonic()
        print(f"{'Checking' if filled else 'Filling'} {name} …", flush=True)
        subprocess.run([sys.executable, "-c", program], env=environment(size), check=True)
        if not filled:
            cursor.execute(f"COMMENT ON DATABASE {name} IS 'filled'")
            print(f"  {time.monotonic() - begin:.0f} s", flush=True)
    connection.close()
