"""The engine's rows for looking things up: only the machine and the pages write them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from crmcem.lib.admin import ReadOnlyAdmin
from journeys.models import AbsenceTimer, Automation, AutomationVersion, Run, RunStep


class ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class VersionInline(ReadOnlyInline):
    model = AutomationVersion
    fields = ("number", "created_by", "created_at")
    readonly_fields = fields
    ordering = ("-number",)


class StepInline(ReadOnlyInline):
    model = RunStep
    fields = ("step_key", "kind", "status", "reason", "started_at", "ended_at")
    readonly_fields = fields
    show_change_link = False


@admin.register(Automation)
class AutomationAdmin(ReadOnlyAdmin):
    """Automations are changed where their versions are made: on their pages and over the API."""

    list_display = ("name", "status", "activated_at", "problem", "updated_at")
    list_filter = ("status",)
    search_fields = ("name",)
    inlines = (VersionInline,)


@admin.register(AutomationVersion)
class VersionAdmin(ReadOnlyAdmin):
    list_display = ("automation", "number", "created_by", "created_at")
    list_select_related = ("automation", "created_by")
    search_fields = ("automation__name",)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("id", "automation", "contact", "status", "step_key", "started_at", "due_at", "ended_at")
    list_select_related = ("automation", "contact")
    list_filter = ("automation", "status")
    ordering = ("-id",)
    search_fields = ("=id", "=contact__id")
    search_help_text = _("The number of the run or of the contact.")
    raw_id_fields = ("automation", "automation_version", "contact")
    inlines = (StepInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        rows: QuerySet[Run] = super().get_queryset(request).defer("context")
        return rows


@admin.register(AbsenceTimer)
class TimerAdmin(ReadOnlyAdmin):
    list_display = ("id", "automation", "contact", "last_at", "due_at", "fired_at")
    list_select_related = ("automation", "contact")
    list_filter = ("automation",)
    ordering = ("-id",)
    search_fields = ("=contact__id",)
    search_help_text = _("The number of the contact.")
