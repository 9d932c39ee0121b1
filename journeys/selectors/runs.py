"""Runs, each with its customer: only those whose customer one may see."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Prefetch
from django.urls import reverse

from journeys.models import Run, RunStep


def runs_listed() -> Any:
    """Runs with what a row of the log needs: one query. Limit them by ``visible_to``."""
    return Run.objects.select_related("automation", "automation_version", "contact")


def run_detailed() -> Any:
    """Runs with every step, in order."""
    return runs_listed().prefetch_related(Prefetch("steps", RunStep.objects.order_by("id")))


def runs_of_contact(contact_id: int, user: Any, limit: int = 10) -> list[Run]:
    """The newest runs of a customer that ``user`` may see."""
    rows = Run.objects.visible_to(user).filter(contact_id=contact_id)
    return list(rows.select_related("automation").order_by("-id")[:limit])


def run_labels(ids: Collection[int], user: Any) -> dict[int, str]:
    """``{id: name of the automation}`` of the runs that exist and that ``user`` (None: all) may see."""
    rows: Any = Run.objects.all() if user is None else Run.objects.visible_to(user)
    return dict(rows.filter(pk__in=list(ids)).values_list("pk", "automation__name"))


def run_url(pk: int) -> str:
    return reverse("journeys:run", args=[pk])
