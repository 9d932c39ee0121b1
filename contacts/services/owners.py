"""Who a record belongs to: the owner named in the input, and the team that comes with them."""

from typing import Any, Final

from django.utils.translation import gettext as _

from contacts.models import Contact, Interaction, Pulse
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import User
from crmcem.workspace.policies import require

MISSING: Final = object()


def owner_for_new(value: Any, actor: Actor, scope: str) -> User | None:
    """The owner of a new record: the one named, or else the acting person."""
    if value is MISSING:
        return actor.user if actor.is_limited else None
    return owner_named(value, actor, scope)


def owner_named(value: Any, actor: Actor, scope: str) -> User | None:
    """The active person that the input names, by row or id.

    Anyone but oneself (also nobody) needs ``scope``: NotAllowed. Raises DomainError for an unknown person.
    """
    pk = value.pk if isinstance(value, User) else value
    if actor.user is None or pk != actor.user.pk:
        require(actor, scope)
    if pk is None:
        return None
    owner = User.objects.filter(pk=pk, is_active=True).first()
    if owner is None:
        raise DomainError.of(
            "owner", "does_not_exist", _("There is no such person, or their account is closed.")
        )
    return owner


def copy_owner(contact: Contact) -> None:
    """Keep the copies of a contact's owner, team and lifecycle stage that visibility and lists stand on."""
    owned = {"owner_id": contact.owner_id, "team_id": contact.team_id}
    Pulse.objects.filter(pk=contact.pk).update(lifecycle_stage=contact.lifecycle_stage, **owned)
    Interaction.objects.filter(contact_id=contact.pk).update(**owned)
