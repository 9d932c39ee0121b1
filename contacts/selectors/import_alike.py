"""Records that an import made and that look like others: what the search for duplicates has found of them."""

from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from contacts.models import Company, Contact, DuplicatePair, ImportJob
from crmcem.workspace.models import AuditEntry

SHOWN, COUNTED, LOOKED_AT = 20, 1_000, 20_000


def alike_of(job: ImportJob, user: Any) -> dict[str, Any]:
    """``{pairs, count, more}``: open pairs of which one record is the job's own, the surest first, counted up to a cap.

    Only pairs that the person may see, among the newest that were found since the import began. ``reasons`` are those
    of the pair, ``score`` is a percentage.
    """
    entity, model = ("company", Company) if job.object == "companies" else ("contact", Contact)
    made = AuditEntry.objects.filter(
        Q(row_id=OuterRef("left_id")) | Q(row_id=OuterRef("right_id")),
        table_name=model._meta.db_table,
        op="I",
        actor_kind="import",
        actor_id=job.pk,
    )
    newest = DuplicatePair.objects.filter(entity=entity, state="open", created_at__gte=job.created_at)
    ids = newest.order_by("-id").values("pk")[:LOOKED_AT]
    rows = DuplicatePair.objects.visible_to(user).filter(Exists(made), pk__in=ids)
    found = list(rows.order_by("-score", "-id")[: COUNTED + 1])
    shown = found[:SHOWN]
    people = model.objects.in_bulk({pk for pair in shown for pk in (pair.left_id, pair.right_id)})

    def url(pk: int) -> str:
        return reverse(f"contacts:{entity}", args=[pk])

    pairs = [
        {
            "left": people[pair.left_id],
            "left_url": url(pair.left_id),
            "right": people[pair.right_id],
            "right_url": url(pair.right_id),
            "score": round(pair.score * 100),
            "reasons": pair.reasons,
        }
        for pair in shown
        if pair.left_id in people and pair.right_id in people
    ]
    return {"pairs": pairs, "count": min(len(found), COUNTED), "more": len(found) > COUNTED}
