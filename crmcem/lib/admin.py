"""The base of every admin page: attributed writes, and lists that stay fast on large tables."""

from functools import cached_property
from typing import Any

from django.contrib.admin import ShowFacets
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from .actors import acting, person
from .keyset import capped_count


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to 10,000 and no further: page 200 is as far as anybody walks."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return capped_count(rows)[0] if isinstance(rows, QuerySet) else len(rows)


class HouseAdmin(ModelAdmin):
    """Every change made here is in the audit with the person who made it."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # a count per choice, over the whole table
    list_per_page = 50
    list_filter_submit = True

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with acting(person(request.user)):
            response: HttpResponse = super().changeform_view(request, *args, **kwargs)
            return response

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            page: HttpResponse = super().changelist_view(request, *args, **kwargs)
            return page
        with acting(person(request.user)):
            response: HttpResponse = super().changelist_view(request, *args, **kwargs)
            return response

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with acting(person(request.user)):
            response: HttpResponse = super().delete_view(request, *args, **kwargs)
            return response


class ReadOnlyAdmin(HouseAdmin):
    """For what only the machine writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
