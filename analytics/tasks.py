"""What beat calls."""

from celery import shared_task

from analytics.services.rollups import rebuild_if_moved


@shared_task(name="analytics.tasks.keep_rollups")
def keep_rollups() -> bool:
    """Cut the days anew where the organisation has moved to another time zone. Returns whether it has."""
    return rebuild_if_moved()
