"""The administrator's view of customers, their messages, the stream and imports.

Everything here is for looking things up: records are changed in the product, where the services write their
activity, audit and Pulse with them. What an administrator does here are actions, and those call the same services.
Lists are sorted by key and searched by index only, and nothing is counted beyond 10,000.
"""

import uuid
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import TabularInline

from contacts.models import (
    Activity,
    Company,
    ConsumerOffset,
    Contact,
    ContactPoint,
    CustomField,
    EventKey,
    FieldLayout,
    IdentityAlias,
    ImportJob,
    ImportRowError,
    Interaction,
    Message,
    SavedView,
    Task,
)
from contacts.selectors.search import COMPANIES, PEOPLE, search_rows
from contacts.services.consumers import consumers_retry
from contacts.services.custom_fields import custom_field_update
from contacts.services.imports import import_cancel
from contacts.services.outbox import messages_send_again
from crmcem.lib.actors import person
from crmcem.lib.admin import ReadOnlyAdmin
from crmcem.lib.stream_watch import stream_lag
from crmcem.lib.web.cells import grouped

BIGGEST_ID = 2**63 - 1
OF_CONTACT = gettext_lazy("The number of the record, or “contact:” and the number of its contact.")


class LookUp(ReadOnlyAdmin):
    """A list over a large table: newest first, sorted by nothing else, searched by ``find``."""

    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("pk",)  # shows the box; ``find`` does the search

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        """The rows that ``text`` (not empty) names. By index only."""
        return self.by_number(rows, text)

    @staticmethod
    def by_number(rows: QuerySet[Any], text: str, contact: str = "contact_id") -> QuerySet[Any]:
        """``17`` is a row, ``contact:17`` the rows of a contact."""
        word, colon, number = text.rpartition(":")
        if not (number.isascii() and number.isdigit() and int(number) <= BIGGEST_ID):
            return rows.none()
        if not colon:
            return rows.filter(pk=int(number))
        return rows.filter(**{contact: int(number)}) if word.strip().lower() == "contact" else rows.none()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = " ".join(search_term.split())[:200]
        return (self.find(queryset, text) if text else queryset), False


class PointsInline(TabularInline):
    model = ContactPoint
    fields = readonly_fields = ("kind", "value", "is_primary", "created_at")
    extra = 0
    can_delete = False
    max_num = 0


@admin.register(Contact)
class ContactAdmin(LookUp):
    list_display = ("__str__", "email", "company", "lifecycle_stage", "owner", "team", "created_at")
    list_select_related = ("company", "owner", "team")
    list_filter = ("lifecycle_stage",)
    exclude = ("search_text",)
    inlines = (PointsInline,)
    view_on_site = staticmethod(lambda contact: reverse("contacts:contact", args=[contact.pk]))
    search_help_text = gettext_lazy("Name, e-mail address, phone or external id.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return search_rows(PEOPLE, rows, text)


@admin.register(Company)
class CompanyAdmin(LookUp):
    list_display = ("name", "domain", "industry", "owner", "team", "created_at")
    list_select_related = ("owner", "team")
    exclude = ("search_text",)
    view_on_site = staticmethod(lambda company: reverse("contacts:company", args=[company.pk]))
    search_help_text = gettext_lazy("Name, domain or external id.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return search_rows(COMPANIES, rows, text)


@admin.register(ContactPoint)
class ContactPointAdmin(LookUp):
    list_display = ("value", "kind", "contact", "is_primary", "created_at")
    list_select_related = ("contact",)
    list_filter = ("kind",)
    search_help_text = gettext_lazy("The whole e-mail address or phone number, or “contact:” and its number.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if text.lower().startswith("contact:"):
            return self.by_number(rows, text)
        whole = text.lower().replace(" ", "")
        return rows.filter(Q(kind="email", value=whole) | Q(kind="phone", value=whole))


@admin.register(Interaction)
class InteractionAdmin(LookUp):
    list_display = ("occurred_at", "kind", "subject", "contact", "company", "owner")
    list_select_related = ("contact", "company", "owner")
    list_filter = ("kind",)
    search_help_text = OF_CONTACT


@admin.register(Task)
class TaskAdmin(LookUp):
    list_display = ("title", "status", "kind", "due_at", "reminded_at", "owner", "contact")
    list_select_related = ("contact", "owner")
    list_filter = ("status", "kind", "priority")
    search_help_text = OF_CONTACT


class DeadLetters(admin.SimpleListFilter):
    """Dead letters first: what a person must look at. Each choice has an index of its own."""

    title = gettext_lazy("state")
    parameter_name = "state"
    states = {
        "dead": (gettext_lazy("dead letters: failed or perhaps sent"), ("failed", "uncertain")),
        "failed": (gettext_lazy("failed"), ("failed",)),
        "uncertain": (gettext_lazy("perhaps sent"), ("uncertain",)),
        "waiting": (gettext_lazy("waiting or being sent"), ("queued", "sending")),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, str(label)) for key, (label, _statuses) in self.states.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.states.get(self.value() or "")
        return queryset.filter(status__in=chosen[1]) if chosen else queryset


@admin.register(Message)
class MessageAdmin(LookUp):
    """Everything sent to customers, dead letters with the way to send them again."""

    list_display = (
        "created_at",
        "to_address",
        "subject",
        "status",
        "attempts",
        "next_attempt_at",
        "sent_at",
        "error",
    )
    list_filter = (DeadLetters,)
    search_help_text = gettext_lazy("Number, “contact:” and a number, or the whole idempotency key.")
    actions = ("send_again",)

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if text.isdigit() or text.lower().startswith("contact:"):
            return self.by_number(rows, text)
        return rows.filter(idempotency_key=text)

    @admin.action(description=gettext_lazy("Send again (failed and perhaps sent ones)"), permissions=["view"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        picked = list(queryset.order_by().values_list("pk", flat=True)[:1000])
        count = messages_send_again(ids=picked)
        text = ngettext("%(count)d message is queued again.", "%(count)d messages are queued again.", count)
        self.message_user(request, text % {"count": count})


@admin.register(Activity)
class ActivityAdmin(LookUp):
    list_display = (
        "id",
        "occurred_at",
        "kind",
        "contact_id",
        "subject_type",
        "subject_id",
        "actor_kind",
        "actor_id",
    )
    search_help_text = OF_CONTACT


class LagList(ChangeList):
    """The consumers with their lag, by one statement for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        lags = {lag.name: lag for lag in stream_lag()}
        for row in self.result_list:
            row.lag = lags.get(row.name)


@admin.register(ConsumerOffset)
class ConsumerOffsetAdmin(ReadOnlyAdmin):
    """Who reads the stream, how far behind, and what stops them."""

    list_display = ("name", "waiting", "age", "handled", "failures", "retry_at", "last_error", "updated_at")
    ordering = ("name",)
    actions = ("retry_now",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        base: type[ChangeList] = super().get_changelist(request, **kwargs)
        return type("ConsumerList", (LagList, base), {}) if base is not ChangeList else LagList

    @admin.display(description=gettext_lazy("waiting"))
    def waiting(self, row: Any) -> str:
        lag = getattr(row, "lag", None)
        return "–" if lag is None else grouped(lag.waiting)

    @admin.display(description=gettext_lazy("oldest"))
    def age(self, row: Any) -> str:
        lag = getattr(row, "lag", None)
        return "–" if lag is None else _("%d s") % lag.age

    @admin.action(description=gettext_lazy("Try again now"), permissions=["view"])
    def retry_now(self, request: HttpRequest, queryset: QuerySet[ConsumerOffset]) -> None:
        count = consumers_retry(names=list(queryset.values_list("pk", flat=True)), actor=person(request.user))
        text = ngettext("%(count)d consumer tries again now.", "%(count)d consumers try again now.", count)
        self.message_user(request, text % {"count": count})


@admin.register(ImportJob)
class ImportJobAdmin(LookUp):
    list_display = (
        "file_name",
        "object",
        "mode",
        "status",
        "rows_done",
        "rows_total",
        "failed",
        "owner",
        "created_at",
    )
    list_select_related = ("owner",)
    list_filter = ("status", "object")
    exclude = ("file",)
    search_help_text = gettext_lazy("The number of the import, or the user name of who started it.")
    actions = ("stop",)

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return self.by_number(rows, text) if text.isdigit() else rows.filter(owner__username=text)

    @admin.action(description=gettext_lazy("Stop after the rows in work"), permissions=["view"])
    def stop(self, request: HttpRequest, queryset: QuerySet[ImportJob]) -> None:
        running = list(queryset.filter(status__in=["draft", "queued", "running"])[:1000])
        for job in running:
            import_cancel(job=job, actor=person(request.user))
        text = ngettext(
            "%(count)d import is asked to stop.", "%(count)d imports are asked to stop.", len(running)
        )
        self.message_user(request, text % {"count": len(running)})


@admin.register(ImportRowError)
class ImportRowErrorAdmin(LookUp):
    list_display = ("job", "row", "field", "code", "left_out", "detail")
    list_select_related = ("job",)
    search_help_text = gettext_lazy("The number of the import.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return self.by_number(rows, f"contact:{text}", contact="job_id")


@admin.register(IdentityAlias)
class IdentityAliasAdmin(LookUp):
    list_display = ("anonymous_id", "contact", "created_at")
    list_select_related = ("contact",)
    search_help_text = gettext_lazy("The whole anonymous id, or “contact:” and a number.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if text.lower().startswith("contact:"):
            return self.by_number(rows, text)
        return rows.filter(anonymous_id=text)


@admin.register(EventKey)
class EventKeyAdmin(LookUp):
    list_display = ("digest", "received_at")
    search_help_text = gettext_lazy("The whole key.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        try:
            return rows.filter(pk=uuid.UUID(text))
        except ValueError:
            return rows.none()


@admin.register(SavedView)
class SavedViewAdmin(LookUp):
    list_display = ("name", "entity", "owner", "sharing", "is_default", "is_pinned")
    list_select_related = ("owner",)
    list_filter = ("sharing",)
    search_help_text = gettext_lazy("The number of the view, or the user name of its owner.")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return self.by_number(rows, text) if text.isdigit() else rows.filter(owner__username=text)


@admin.register(CustomField)
class CustomFieldAdmin(LookUp):
    """Made and changed in the product, where the checks are; here they are looked up, archived and restored."""

    list_display = ("label", "entity", "key", "type", "required", "filterable", "archived", "updated_at")
    list_filter = ("archived",)
    search_help_text = gettext_lazy("The key of the field.")
    actions = ("archive", "restore")

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return rows.filter(key=text.lower())

    @admin.action(
        description=gettext_lazy("Archive these fields (their values are kept)"), permissions=["view"]
    )
    def archive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set(request, queryset, archived=True)

    @admin.action(description=gettext_lazy("Restore these fields"), permissions=["view"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set(request, queryset, archived=False)

    def _set(self, request: HttpRequest, queryset: QuerySet[Any], *, archived: bool) -> None:
        for field in queryset:
            custom_field_update(field=field, data={"archived": archived}, actor=person(request.user))


@admin.register(FieldLayout)
class FieldLayoutAdmin(LookUp):
    list_display = ("entity", "team", "updated_at")
    list_select_related = ("team",)
