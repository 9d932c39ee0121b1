from typing import Any

from django.core.management.base import BaseCommand

from crmcem.lib import stream_rebase


class Command(BaseCommand):
    help = (
        "Run once after restoring the database into another PostgreSQL cluster (pg_restore): finishes the restored "
        "activities and lets the consumers start behind them. Harmless anywhere else."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        rows, border = stream_rebase.rebase()
        if border is None:
            self.stdout.write("The stream belongs to this cluster: nothing to do.")
        else:
            self.stdout.write(
                f"Finished {rows} restored activities; the stream goes on after {border.isoformat()}."
            )
