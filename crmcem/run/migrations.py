"""Lint the migrations: nothing that locks a large table or breaks the version that still serves.

Migrations up to `BASELINE` made the first version, when there was no data to lock; everything after them must be
safe to run while people work and the previous version still serves.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: app -> number of the last migration of the first version
BASELINE = {"workspace": 9, "contacts": 19, "sales": 9, "feedback": 9, "journeys": 9, "analytics": 9}


def main() -> int:
    """1 where a migration is unsafe."""
    import django

    django.setup()
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader
    from django_migration_linter import MigrationLinter

    known = MigrationLoader(connection).disk_migrations
    later = [name for app, name in known if is_later(app, name)]
    if not later:
        return 0
    linter = MigrationLinter(
        str(ROOT), include_apps=list(BASELINE), include_name=later, no_cache=True, quiet=["ok", "ignore"]
    )
    linter.lint_all_migrations()
    linter.print_summary()
    return 1 if linter.has_errors else 0


def is_later(app: str, name: str) -> bool:
    """Whether a migration of ours came after the first version."""
    number = name.partition("_")[0]
    return app in BASELINE and number.isdigit() and int(number) > BASELINE[app]


if __name__ == "__main__":
    raise SystemExit(main())
