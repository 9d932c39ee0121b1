"""`manage.py seed_demo --size small|medium|large`: demo data for an empty database."""

import datetime as dt
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.demo.bulk import SIZES, seed_bulk
from analytics.demo.small import seed_small
from contacts.models import Activity, Company, Contact
from crmcem.workspace.demo import PASSWORD, PEOPLE
from crmcem.workspace.models import User


class Command(BaseCommand):
    help = (
        "Fill an empty database with demo data. small: a record shop with 2,357 real customers and their 6,919 "
        "purchases; medium: 100,000 contacts; large: 1,000,000 contacts with 10,000,000 activities, for benchmarks."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--size", choices=["small", "medium", "large"], default="small")
        parser.add_argument(
            "--today", type=dt.date.fromisoformat, help="the day on which the story ends (YYYY-MM-DD; today)"
        )

    def handle(self, *args: Any, size: str, today: dt.date | None, verbosity: int, **options: Any) -> None:
        if today is not None and today > dt.date.today() + dt.timedelta(days=1):  # noqa: DTZ011 - a day of slack
            raise CommandError("--today must not lie in the future.")
        refuse_unless_empty()
        begin = time.monotonic()
        if size == "small":
            seed_small(today)
        else:
            seed_bulk(SIZES[size], today, self.stdout.write if verbosity else lambda text: None)
        if verbosity:
            seconds = time.monotonic() - begin
            self.stdout.write(f"Demo data ({size}) loaded in {seconds:.0f} s.")
            self.stdout.write(f"Sign in as {', '.join(PEOPLE)} with the password {PASSWORD}.")


def refuse_unless_empty() -> None:
    """Demo data never mixes with anybody's own, nor with itself."""
    if User.objects.filter(username__in=PEOPLE).exists():
        raise CommandError("The demo people are there already. Demo data goes into an empty database only.")
    if Contact.objects.exists() or Company.objects.exists() or Activity.objects.exists():
        raise CommandError("This database has customers already. Demo data goes into an empty one only.")
