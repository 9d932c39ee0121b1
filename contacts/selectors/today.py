"""What a person looks at first: what is due, whom they meet, what their customers did."""

import datetime as dt
from typing import Any

from django.db import OperationalError
from django.utils import timezone

from contacts.models import Activity, Contact, Interaction, Pulse, Task
from crmcem.lib.timeouts import statement_timeout

RECENT = dt.timedelta(days=14)
SOON = dt.timedelta(days=7)
#: the newest customers of one person are found by walking an index; where that takes too long there are none
WALK_MS = 300


def end_of_today() -> dt.datetime:
    """The next midnight on the person's wall clock."""
    tomorrow = timezone.localdate() + dt.timedelta(days=1)
    return dt.datetime.combine(tomorrow, dt.time(), timezone.get_current_timezone())


def tasks_due(user: Any, limit: int) -> list[Task]:
    """The person's open tasks that are overdue or due today, the earliest first; one more than ``limit``."""
    mine = Task.objects.visible_to(user).filter(
        owner=user, status=Task.Status.OPEN, due_at__lt=end_of_today()
    )
    return list(mine.select_related("contact").order_by("due_at", "id")[: limit + 1])


def meetings(user: Any, limit: int) -> tuple[list[Task], list[Interaction]]:
    """Meetings to come (tasks of that kind in the next days), and those logged lately or for later."""
    now = timezone.now()
    planned = Task.objects.visible_to(user).filter(
        owner=user, status=Task.Status.OPEN, kind=Task.Kind.MEETING, due_at__range=(now, now + SOON)
    )
    held = Interaction.objects.visible_to(user).filter(
        owner=user, kind=Interaction.Kind.MEETING, occurred_at__range=(now - SOON, now + SOON)
    )
    return (
        list(planned.select_related("contact").order_by("due_at", "id")[:limit]),
        list(held.select_related("contact", "company").order_by("-occurred_at", "-id")[:limit]),
    )


def newest_of_my_customers(user: Any, limit: int) -> list[tuple[Contact, Activity]]:
    """The person's customers who did something last, each with the newest activity on their timeline."""
    since = timezone.now() - RECENT
    walk = Pulse.objects.filter(owner=user, last_seen_at__gte=since).order_by("-last_seen_at", "-contact_id")
    try:
        with statement_timeout(WALK_MS):
            ids = list(walk.values_list("contact_id", flat=True)[:limit])
    except OperationalError:
        return []
    people = {c.pk: c for c in Contact.objects.visible_to(user).filter(pk__in=ids).defer("search_text")}
    kept = [pk for pk in ids if pk in people]
    if not kept:
        return []
    newest = [Activity.objects.filter(contact_id=pk).order_by("-occurred_at", "-id")[:1] for pk in kept]
    rows = newest[0].union(*newest[1:], all=True) if len(newest) > 1 else newest[0]
    by_contact = {row.contact_id: row for row in rows}
    return [(people[pk], by_contact[pk]) for pk in kept if pk in by_contact]
