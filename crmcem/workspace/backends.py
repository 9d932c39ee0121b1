from typing import Any

from django.contrib.auth.backends import ModelBackend

from .models import User


class PersonBackend(ModelBackend):
    """The model backend, fetching role and team with the person: one query a request."""

    def get_user(self, user_id: Any) -> User | None:
        user = User.objects.select_related("role", "team").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
