from datetime import timedelta
from typing import Any, Self

from django.db import models
from django.utils import timezone

from .access import User

#: a deleted set can be restored for so long; then its rows are gone for good
KEPT = timedelta(minutes=30)


class TrashQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> Self:
        """What one has deleted oneself, while it can be restored."""
        return self.filter(user_id=user.pk, restored_at=None, expires_at__gt=timezone.now())


class Trash(models.Model):
    """A set of records that somebody deleted from a list: all their rows (``lib.trash``), for half an hour."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False)
    entity = models.CharField(max_length=20)
    title = models.CharField(max_length=120)
    scope = models.CharField(max_length=40)
    path = models.CharField(max_length=200)
    count = models.PositiveIntegerField()
    data = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    restored_at = models.DateTimeField(null=True)

    objects = TrashQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="trash_user"),
            models.Index(fields=["expires_at"], name="trash_expires"),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.count}"
