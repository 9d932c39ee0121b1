"""What follows from events of the sign-in framework."""

from typing import Any

import structlog
from allauth.account.signals import password_changed, password_reset, password_set
from django.dispatch import receiver
from django.http import HttpRequest
from django_structlog.signals import bind_extra_request_metadata

from .models import User
from .services.people import access_end
from .signin import address_of


@receiver([password_changed, password_reset, password_set])
def end_other_access(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """A new password ends the person's other sessions and all API tokens."""
    access_end(user=user, keep_session=request.session.session_key)


@receiver(bind_extra_request_metadata)
def log_the_address(request: HttpRequest, **kwargs: Any) -> None:
    """The address in the logs is the one that the throttle counts: no header of the caller's choice."""
    structlog.contextvars.bind_contextvars(ip=address_of(request))
