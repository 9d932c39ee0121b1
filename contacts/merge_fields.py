"""The merge fields of a contact, for e-mails, tasks and notifications that people write."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from contacts.models import Contact

FIELDS: dict[str, Any] = {
    "contact.name": _("Full name"),
    "contact.first_name": _("First name"),
    "contact.last_name": _("Last name"),
    "contact.email": _("E-mail address"),
    "contact.phone": _("Phone"),
    "contact.job_title": _("Job title"),
    "company.name": _("Company name"),
    "owner.name": _("Name of the owner"),
    "owner.email": _("E-mail address of the owner"),
}


def merge_context(contact: Contact) -> dict[str, Any]:
    """What ``FIELDS`` stand for with this contact (fetch it with company and owner)."""
    return {
        "contact": {
            "name": str(contact),
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "email": contact.email,
            "phone": contact.phone,
            "job_title": contact.job_title,
        },
        "company": {"name": contact.company.name if contact.company else None},
        "owner": {
            "name": str(contact.owner) if contact.owner else None,
            "email": contact.owner.email if contact.owner else None,
        },
    }
