from django.contrib import admin
from unfold.admin import TabularInline

from crmcem.lib.admin import HouseAdmin, ReadOnlyAdmin
from sales.models import Deal, Pipeline, Stage


class StageInline(TabularInline):
    model = Stage
    extra = 0
    fields = ("position", "name", "probability", "rot_days")


@admin.register(Pipeline)
class PipelineAdmin(HouseAdmin):
    list_display = ("name", "is_default", "position")
    inlines = (StageInline,)


@admin.register(Deal)
class DealAdmin(ReadOnlyAdmin):
    """For looking things up: deals are changed where stage history and activities are written with them."""

    list_display = ("name", "status", "stage", "amount", "currency", "owner", "expected_close")
    list_select_related = ("stage", "owner")
    list_filter = ("status", "pipeline")
    search_fields = ("=id", "=external_id", "name__istartswith")
