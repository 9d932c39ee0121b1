from typing import Any

from django.core.management.base import BaseCommand

from analytics.services.rollups import rebuild


class Command(BaseCommand):
    help = "Make all experience rollups anew from the raw answers: after rows loaded by SQL, or as a repair."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Rollups made anew; days are cut in {rebuild()}.")
