"""Field and expression helpers for what only PostgreSQL does."""

from typing import Any

from django.db import models
from django.db.models.functions import Coalesce


class Fold(models.Func):
    """Lower case without accents, by the immutable SQL function ``crmcem_fold`` (see workspace 0001)."""

    function = "crmcem_fold"
    output_field = models.TextField()


class Join(models.Func):
    """Texts and NULLs joined by single blanks with the immutable ``||`` (``concat_ws`` is only stable)."""

    arg_joiner = " || ' ' || "
    template = "(%(expressions)s)"
    output_field = models.TextField()

    def __init__(self, *names: str, **extra: Any) -> None:
        super().__init__(*(Coalesce(models.F(n), models.Value("")) for n in names), **extra)


class Xid8Field(models.Field):  # type: ignore[type-arg]
    """A 64-bit transaction id: read as text, filled by the database."""

    def db_type(self, connection: Any) -> str:
        return "xid8"


class CurrentXid(models.Func):
    """The id of the writing transaction."""

    function = "pg_current_xact_id"
    output_field = Xid8Field()


class ClockTimestamp(models.Func):
    """The wall clock at the moment of the write (``now()`` stands still in a transaction)."""

    function = "clock_timestamp"
    output_field = models.DateTimeField()
