from django.contrib import admin

from analytics.models import InvitationDay, MetricDay, RollupState
from crmcem.lib.admin import ReadOnlyAdmin


@admin.register(MetricDay)
class MetricDayAdmin(ReadOnlyAdmin):
    list_display = ("day", "survey", "metric", "dimension", "value", "n", "top", "middle", "bottom")
    list_filter = ("metric", "dimension", "survey")
    list_select_related = ("survey",)
    ordering = ("-id",)


@admin.register(InvitationDay)
class InvitationDayAdmin(ReadOnlyAdmin):
    list_display = ("day", "survey", "dimension", "value", "delivered", "answered", "partial")
    list_filter = ("dimension", "survey")
    list_select_related = ("survey",)
    ordering = ("-id",)


@admin.register(RollupState)
class RollupStateAdmin(ReadOnlyAdmin):
    list_display = ("time_zone", "rebuilt_at")
