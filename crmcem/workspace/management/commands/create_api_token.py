import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from crmcem.lib.actors import SYSTEM
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import User
from crmcem.workspace.services.tokens import DEFAULT_DAYS, token_create


class Command(BaseCommand):
    help = "Prints a new API token for a person, once: only its digest is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--scopes",
            nargs="+",
            help="such as contacts:read events:write; without it, all that the role covers",
        )
        parser.add_argument("--name", default="command line")
        parser.add_argument(
            "--days", type=int, default=DEFAULT_DAYS, help="valid for so many days; 0 never expires"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active person with the username {options['username']}.")
        given = [part for word in options["scopes"] or [] for part in word.split(",")]
        days = options["days"]
        expires_at = timezone.now() + dt.timedelta(days=days) if days else None
        try:
            _token, secret = token_create(
                user=user,
                name=options["name"],
                scopes=given or sorted(user.access.scopes),
                expires_at=expires_at,
                actor=SYSTEM,
            )
        except DomainError as error:
            raise CommandError("; ".join(e.detail for e in error.errors)) from error
        self.stdout.write(secret)
