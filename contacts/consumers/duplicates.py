"""Every new or changed record is compared with those that share something with it."""

from typing import ClassVar

from django.db import connection

from contacts.services.duplicates import look_again
from crmcem.lib.stream import Batch, Consumer

_IDS = "SELECT DISTINCT b.{0} FROM batch b WHERE b.kind LIKE '{1}.%%' AND b.{0} IS NOT NULL ORDER BY 1"


class DuplicatesConsumer(Consumer):
    """By the keys that a change left (see ``contacts.services.duplicates``): the same twice gives the same pairs.

    History is for the search through all records; this reads only what comes from now on.
    """

    name = "contacts.duplicates"
    batch_size: ClassVar[int] = 2000
    from_beginning: ClassVar[bool] = False
    kinds = tuple(
        f"{entity}.{what}"
        for entity in ("contact", "company")
        for what in ("created", "updated", "deleted", "merged", "merge_undone")
    )

    def handle(self, batch: Batch) -> None:
        for entity, column in (("contact", "contact_id"), ("company", "company_id")):
            if not any(kind.startswith(f"{entity}.") for kind in batch.kinds):
                continue
            with connection.cursor() as cursor:
                cursor.execute(f"{batch.cte} {_IDS.format(column, entity)}", batch.params)
                ids = [pk for (pk,) in cursor.fetchall()]
            if ids:
                look_again(entity, ids)
