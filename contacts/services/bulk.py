"""Deleting many contacts or companies: every id checked, one activity and one audit row each."""

from collections.abc import Sequence

from contacts.models import Company, Contact
from contacts.services.merge_forget import merges_forget
from contacts.services.stream import NewActivity, activities_append
from crmcem.lib.actors import Actor, acting
from crmcem.lib.records import lock_all
from crmcem.workspace.policies import require

#: of so many rows a DELETE with all that hangs on them is made at once
CHUNK = 1000


def contacts_delete(*, ids: Sequence[int], actor: Actor) -> int:
    """Delete contacts with everything that hangs on them; their activities stay in the stream."""
    require(actor, "contacts:delete")
    with acting(actor):
        rows = lock_all(Contact, list(ids), actor)
        activities_append(
            actor=actor,
            activities=[
                NewActivity(
                    "contact.deleted",
                    contact_id=row.pk,
                    company_id=row.company_id,
                    payload={"external_id": row.external_id},
                )
                for row in rows
            ],
        )
        merges_forget(entity="contact", ids=[row.pk for row in rows])
        for start in range(0, len(rows), CHUNK):
            Contact.objects.filter(pk__in=[row.pk for row in rows[start : start + CHUNK]]).delete()
    return len(rows)


def companies_delete(*, ids: Sequence[int], actor: Actor) -> int:
    """Delete companies; their people stay, without one."""
    require(actor, "contacts:delete")
    with acting(actor):
        rows = lock_all(Company, list(ids), actor)
        activities_append(
            actor=actor,
            activities=[
                NewActivity("company.deleted", company_id=row.pk, payload={"external_id": row.external_id})
                for row in rows
            ],
        )
        merges_forget(entity="company", ids=[row.pk for row in rows])
        for start in range(0, len(rows), CHUNK):
            Company.objects.filter(pk__in=[row.pk for row in rows[start : start + CHUNK]]).delete()
    return len(rows)
