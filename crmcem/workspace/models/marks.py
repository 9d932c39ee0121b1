from django.db import models

from .access import User


class Mark(models.Model):
    """That a person looked at a record, and whether they starred it.

    ``kind`` is one of ``crmcem.lib.marked``; the record lives on a higher floor and may be gone or hidden by now, so
    nothing is shown of it before it was asked for again.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="marks", db_index=False)
    kind = models.CharField(max_length=20)
    record_id = models.BigIntegerField()
    seen_at = models.DateTimeField(null=True)
    starred_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind", "record_id"], name="mark_once")]
        indexes = [
            models.Index(fields=["user", "-seen_at"], name="mark_seen"),
            models.Index(
                fields=["user", "starred_at"],
                name="mark_starred",
                condition=models.Q(starred_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.record_id}"
