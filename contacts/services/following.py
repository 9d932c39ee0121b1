"""Following a record: being told what happens with it, as long as one may see it."""

from django.utils.translation import gettext as _

from contacts.models import Follower
from contacts.services.on_records import On, scope_of
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.workspace.policies import require


def follow(*, on: On, actor: Actor) -> Follower:
    """Follow a record as the acting person; doing so twice changes nothing. Seeing it is enough."""
    require(actor, scope_of(on.about))
    if actor.user is None:
        raise DomainError.of("user", "no_person", _("Only a person can follow a record."))
    with acting(actor):
        row, _made = Follower.objects.get_or_create(user=actor.user, **on.columns)
    return row


def unfollow(*, on: On, actor: Actor) -> bool:
    """Stop following. Answers whether the acting person did follow."""
    require(actor, scope_of(on.about))
    with acting(actor):
        gone, _each = Follower.objects.filter(user=actor.user, **on.columns).delete()
    return gone > 0
