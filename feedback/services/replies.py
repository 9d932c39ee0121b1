"""Writing back to a customer about what they answered."""

from django.utils.html import linebreaks
from django.utils.translation import gettext as _

from contacts.models import Message
from contacts.services.messages import message_queue
from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.lib.records import lock
from crmcem.workspace.policies import require
from feedback.models import Response

MAX_SUBJECT = 200
MAX_TEXT = 20_000


def response_reply(*, response: Response, subject: str, text: str, once: str, actor: Actor) -> Message:
    """Queue one e-mail to the customer of ``response``; the same ``once`` queues it once.

    Raises DomainError for an empty or too long text, an anonymous answer or a customer who can't be reached by
    e-mail, Http404 for a hidden answer. Consent is checked again when it is sent.
    """
    require(actor, "interactions:write")
    if not subject.strip() or len(subject) > MAX_SUBJECT:
        raise DomainError.of("subject", "invalid", _("Give a subject of 1 to 200 characters."))
    if not text.strip() or len(text) > MAX_TEXT or "\x00" in text:
        raise DomainError.of("text", "invalid", _("Write a text of 1 to 20,000 characters."))
    if not 8 <= len(once) <= 64:
        raise DomainError.of("once", "invalid", _("Open the answer again and write from there."))
    with acting(actor):
        row = lock(Response, response.pk, actor)
        contact = row.contact
        if contact is None:
            raise DomainError.of(
                "text", "anonymous", _("This answer is anonymous: nobody knows whose it is.")
            )
        if not contact.email:
            raise DomainError.of("text", "no_address", _("The customer has no e-mail address."))
        if (contact.consent.get("email") or {}).get("status") == "denied":
            raise DomainError.of(
                "text", "no_consent", _("The customer has refused e-mail. Call them instead.")
            )
        return message_queue(
            actor=actor,
            contact=contact,
            purpose="reply",
            subject=subject.strip(),
            text=text.strip(),
            html=linebreaks(text.strip(), autoescape=True),
            idempotency_key=f"reply:{row.pk}:{once}",
            subject_ref=("response", row.pk),
        )
