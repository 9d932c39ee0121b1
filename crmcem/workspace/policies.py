"""What an actor may do."""

from typing import Any

from crmcem.lib.actors import Actor
from crmcem.lib.errors import NotAllowed

from .models import User
from .scopes import covers


def can(actor: Actor, scope: str) -> bool:
    """Whether the actor's role (and token) covers ``scope`` (``area:action``).

    Automations, customers and the system are not limited by a role: their services limit them.
    """
    if not actor.is_limited:
        return True
    if actor.user is None or not covers(actor.user.access.scopes, scope):
        return False
    return actor.scopes is None or covers(actor.scopes, scope)


def require(actor: Actor, scope: str) -> None:
    """Raises NotAllowed where ``can`` is false."""
    if not can(actor, scope):
        raise NotAllowed(scope)


def user_of(request: Any) -> User:
    """The signed-in person behind a web or API request that has passed the sign-in check."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("This view must ask for a sign-in first.")
    return user
