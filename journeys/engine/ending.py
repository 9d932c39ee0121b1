"""How runs end: with a reason, on the timeline, and a word to someone when they fail."""

from __future__ import annotations

import datetime as dt
from itertools import islice

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from contacts.services.stream import NewActivity, activity_append
from crmcem.lib.actors import Actor
from crmcem.workspace.models import User
from crmcem.workspace.scopes import covers
from crmcem.workspace.services.notifications import notify
from journeys.models import Run, RunStep
from journeys.policies import WRITE


def run_end(*, run: Run, status: str, reason: str, now: dt.datetime, actor: Actor) -> None:
    """End a locked run in the caller's transaction."""
    run.status = status
    run.reason = reason
    run.ended_at = now
    run.due_at = None
    run.wake_on = []
    if status == Run.Status.FAILED:
        run.error = reason
    run.save()
    RunStep.objects.filter(run=run, status="waiting").update(
        status="failed" if status == Run.Status.FAILED else "skipped", ended_at=now
    )
    activity_append(
        actor=actor,
        activity=NewActivity(
            "automation.done",
            contact_id=run.contact_id,
            subject=("run", run.pk),
            payload={
                "automation": run.automation_id,
                "name": run.automation.name,
                "status": status,
                "reason": reason,
            },
        ),
    )
    if status == Run.Status.FAILED:
        _tell_author(run, now)


def _tell_author(run: Run, now: dt.datetime) -> None:
    """Whoever made the automation hears of failures, once a day; where nobody is left, those who may mend it."""
    author = run.automation.created_by
    people = [author] if author is not None and author.is_active else _menders()
    try:
        url = reverse("journeys:run", args=[run.pk])
    except NoReverseMatch:  # the pages are not served in this process
        url = ""
    for person in people:
        notify(
            user=person,
            kind="automation.failed",
            title=_("The automation “%(name)s” failed for a customer") % {"name": run.automation.name},
            body=run.error[:500],
            url=url,
            dedupe_key=f"automation.failed:{run.automation_id}:{now.date()}:{person.pk}",
        )


def _menders() -> list[User]:
    """The active people whose role may change automations and who see every customer (at most 20)."""
    rows = User.objects.select_related("role").filter(is_active=True, role__isnull=False).order_by("pk")
    able = (u for u in rows if covers(u.role.scopes, WRITE) and u.role.visibility == "all")  # type: ignore[union-attr]
    return list(islice(able, 20))
