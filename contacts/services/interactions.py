"""Logging what was said and done with a customer."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Interaction
from contacts.services.contacts import split
from contacts.services.stream import NewActivity, activity_append
from contacts.services.subjects import NAMES, subjects
from contacts.validation import clean_interaction
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.lib.records import change, lock
from crmcem.workspace.policies import require


def interaction_log(*, data: Mapping[str, Any], actor: Actor) -> Interaction:
    """Log an interaction with a contact, a company or on a deal (at least one of them).

    ``data``: the fields of ``contacts.validation``; ``contact`` and ``company`` by row or id, ``deal`` by id.
    Those who see the contact see it: owner and team are the contact's.
    """
    require(actor, "interactions:write")
    own, given = split(data, *NAMES)
    values, errors = clean_interaction(own)
    if errors:
        raise DomainError(*errors)
    values["occurred_at"] = values.get("occurred_at") or timezone.now()
    with acting(actor):
        interaction = Interaction(**values, **subjects(given, actor))
        _check_subject(interaction)
        if interaction.company is None and interaction.contact is not None:
            interaction.company_id = interaction.contact.company_id
        _own(interaction, actor)
        interaction.save(force_insert=True)
        activity_append(
            actor=actor, activity=activity_of("interaction.logged", interaction, _said(interaction))
        )
    return interaction


def interaction_update(
    *, interaction: Interaction, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Interaction:
    """Change what ``data`` names. Raises StaleWrite, DomainError."""
    require(actor, "interactions:write")
    own, given = split(data, *NAMES)
    values, errors = clean_interaction(own, partial=True)
    if errors:
        raise DomainError(*errors)
    if values.get("occurred_at", interaction) is None:
        raise DomainError.of("occurred_at", "required", _("This field is required."))
    with acting(actor):
        interaction = lock(Interaction, interaction.pk, actor, expected_version)
        values |= subjects(given, actor, interaction)
        changed = change(interaction, values)
        _check_subject(interaction)
        if changed.keys() & {"contact", "company"}:
            _own(interaction, actor)
            interaction.save(update_fields=["owner", "team"])
        if changed:
            names = sorted(changed)
            activity_append(
                actor=actor, activity=activity_of("interaction.updated", interaction, {"fields": names})
            )
    return interaction


def interaction_delete(
    *, interaction: Interaction, actor: Actor, expected_version: int | None = None
) -> None:
    """Delete an interaction; the stream keeps that there was one, never what was said."""
    require(actor, "interactions:delete")
    with acting(actor):
        interaction = lock(Interaction, interaction.pk, actor, expected_version)
        activity_append(
            actor=actor, activity=activity_of("interaction.deleted", interaction, {"kind": interaction.kind})
        )
        interaction.delete()


def _check_subject(interaction: Interaction) -> None:
    if not (interaction.contact_id or interaction.company_id or interaction.deal_id):
        raise DomainError.of(
            "contact", "required", _("Name the contact, company or deal that this is about.")
        )


def _own(interaction: Interaction, actor: Actor) -> None:
    """Owner and team of whom it is about; of the acting person where that is only a deal."""
    about: Any = interaction.contact or interaction.company or actor.user
    if about is actor.user:
        interaction.owner, interaction.team = actor.user, actor.user.team if actor.user else None
    else:
        interaction.owner_id, interaction.team_id = about.owner_id, about.team_id


def _said(interaction: Interaction) -> dict[str, Any]:
    """What the timeline shows in one line; the text itself stays in the interaction."""
    return {
        "kind": interaction.kind,
        "direction": interaction.direction,
        "subject": interaction.subject,
        "outcome": interaction.outcome,
        "duration_seconds": interaction.duration_seconds,
        "deal": interaction.deal_id,
    }


def activity_of(kind: str, interaction: Interaction, payload: Mapping[str, Any]) -> NewActivity:
    return NewActivity(
        kind,
        contact_id=interaction.contact_id,
        company_id=interaction.company_id,
        subject=("interaction", interaction.pk),
        payload=payload,
        occurred_at=interaction.occurred_at if kind == "interaction.logged" else None,
    )
