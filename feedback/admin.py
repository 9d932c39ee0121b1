"""Feedback in the admin: for looking things up, and for the words of a survey.

Surveys, answers and cases are changed where their rules and activities are written with them (the app, the API); here
one finds rows by id or customer, on tables of a million rows.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from crmcem.lib.admin import ReadOnlyAdmin
from feedback.models import Case, Invitation, Question, Response, Survey


class QuestionInline(TabularInline):
    model = Question
    extra = 0
    can_delete = False
    fields = ("position", "key", "type", "text", "required", "options")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Survey)
class SurveyAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "status", "created_by", "created_at")
    list_select_related = ("created_by",)
    list_filter = ("status", "kind")
    search_fields = ("name",)
    inlines = (QuestionInline,)


class OfContact(ReadOnlyAdmin):
    """Rows of a customer, newest first: found by the row's id, or by the customer's e-mail address or external id."""

    search_help_text = _("The number of the record, or the customer’s whole e-mail address or external id.")
    search_fields = ("=id", "=contact__email", "=contact__external_id")
    ordering = ("-pk",)
    sortable_by = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Exactly, in the order of keys: a search never reads the whole table."""
        text = search_term.strip().replace("\x00", "")[:254]
        if not text:
            return queryset, False
        if text.isascii() and text.isdigit() and len(text) < 19:
            return queryset.filter(pk=int(text)), False
        return queryset.filter(**self.by_text(text)), False

    def by_text(self, text: str) -> dict[str, Any]:
        return {"contact__email": text.lower()} if "@" in text else {"contact__external_id": text}


@admin.register(Invitation)
class InvitationAdmin(OfContact):
    list_display = (
        "id",
        "survey",
        "contact",
        "channel",
        "touchpoint",
        "status",
        "suppressed_reason",
        "sent_at",
    )
    list_select_related = ("survey", "contact")
    list_filter = ("status", "channel")


@admin.register(Response)
class ResponseAdmin(OfContact):
    list_display = (
        "id",
        "survey",
        "contact",
        "nps",
        "csat",
        "ces",
        "sentiment_label",
        "status",
        "submitted_at",
    )
    list_select_related = ("survey", "contact")
    list_filter = ("status", "sentiment_label")


@admin.register(Case)
class CaseAdmin(OfContact):
    list_display = ("id", "subject", "contact", "status", "priority", "owner", "source", "sla_due_at")
    list_select_related = ("contact", "owner")
    list_filter = ("status", "priority", "source")
