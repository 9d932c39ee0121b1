"""What beat calls; the work itself lies in rows."""

from celery import shared_task

from .services.invitations import invitations_expire


@shared_task(name="feedback.tasks.expire_invitations")
def expire_invitations() -> int:
    """Mark invitations whose time is over. Returns how many."""
    return invitations_expire()
