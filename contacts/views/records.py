"""The 360 pages of a contact and of a company."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from contacts.models import Company, Contact
from contacts.selectors.rollups import NOBODY, company_pulses
from contacts.selectors.vcards import vcards
from contacts.views.common import seen
from contacts.views.fields import COMPANY_FACTS, CONTACT_FACTS, shown
from contacts.views.quick import quick_forms
from contacts.views.signals import company_signals, contact_signals
from contacts.views.timeline import timeline_context
from crmcem.lib.panels import panels_for
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web.access import ScopedView


class ContactPage(ScopedView, View):
    """One person: facts, signals, what is planned, and everything that happened."""

    scope = "contacts:read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        rows = Contact.objects.select_related("pulse", "company", "owner").defer("search_text")
        contact = seen(rows, request, pk)
        user: Any = request.user
        mark_hidden([contact], user, "company")
        base = reverse("contacts:contact-timeline", args=[pk])
        context = timeline_context(request, contact, base) | {
            "kind": "contact",
            "facts": shown(contact, CONTACT_FACTS, user),
            "signals": contact_signals(getattr(contact, "pulse", None)),
            "quick": quick_forms(user),
            "panels": panels_for("contact", user.may, pk),
            "can_write": user.may("contacts:write"),
            "can_delete": user.may("contacts:delete"),
            "card_url": reverse("contacts:contact-card", args=[pk]) if user.may("contacts:export") else "",
            "delete_warning": _(
                "The contact goes, with everything logged, planned and sent. You can undo it for half an hour."
            ),
        }
        return render(request, "contacts/contact.html", context)


class ContactCard(ScopedView, View):
    """One person as a vCard, for an address book."""

    scope = "contacts:export"
    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        contact = seen(Contact.objects.all(), request, pk)
        text = "".join(vcards([contact], request.user))
        response = HttpResponse(text, content_type="text/vcard; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="contact-{contact.pk}.vcf"'
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "no-store"
        return response


class CompanyPage(ScopedView, View):
    """One organisation: facts, what its people add up to, and everything that happened with them."""

    scope = "contacts:read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        rows = Company.objects.select_related("owner", "parent").defer("search_text")
        company = seen(rows, request, pk)
        user: Any = request.user
        mark_hidden([company], user, "parent")
        figures = company_pulses([pk], user).get(pk, NOBODY)
        base = reverse("contacts:company-timeline", args=[pk])
        context = timeline_context(request, company, base) | {
            "kind": "company",
            "parent": company.parent if "parent" not in company.hidden else None,
            "facts": shown(company, COMPANY_FACTS, user),
            "figures": figures,
            "signals": company_signals(figures),
            "quick": quick_forms(user),
            "panels": panels_for("company", user.may, pk),
            "can_write": user.may("contacts:write"),
            "can_delete": user.may("contacts:delete"),
            "delete_warning": _(
                "The company goes. Its people stay, without a company. You can undo it for half an hour."
            ),
        }
        return render(request, "contacts/company.html", context)
