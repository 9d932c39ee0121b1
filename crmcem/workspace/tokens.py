"""API tokens: made once, stored as a digest, checked in one query."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from .models import ApiToken

PREFIX = "crm_"


def digest(secret: str) -> str:
    """SHA-256: enough for a secret of 256 random bits, and cheap to check on every request."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def find(secret: str, now: datetime | None = None) -> ApiToken | None:
    """The live token with this secret; None when unknown, expired, revoked, or its person inactive."""
    now = now or timezone.now()
    token = (
        ApiToken.objects.select_related("user__role")
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
        .filter(digest=digest(secret), revoked_at__isnull=True, user__is_active=True)
        .first()
    )
    if token and (token.last_used_at is None or now - token.last_used_at > timedelta(minutes=5)):
        # A conditional update: many parallel requests write it once.
        ApiToken.objects.filter(pk=token.pk, last_used_at=token.last_used_at).update(last_used_at=now)
    return token
