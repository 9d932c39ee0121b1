"""Cursor paging of the API over ``crmcem.lib.keyset``."""

from collections.abc import Sequence
from typing import Any

from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order, Page, keyset_page, order_from

DEFAULT_SIZE = 50
MAX_SIZE = 200


def page_size(request: Request) -> int:
    """``page_size`` of the query, 1 to 200. Raises DomainError outside of it."""
    text = request.query_params.get("page_size", "")
    if not text:
        return DEFAULT_SIZE
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= MAX_SIZE:
        raise DomainError.of(
            "page_size", "invalid", f"page_size must be a whole number from 1 to {MAX_SIZE}."
        )
    return int(text)


class KeysetPagination(BasePagination):
    """``{next, previous, results}``; the view says by ``orderings`` what may be sorted by."""

    page: Page
    request: Request

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        every = getattr(view, "all_orderings", None)
        orderings: Sequence[Order] = every() if every else getattr(view, "orderings", ())
        default: Order = getattr(view, "default_order", Order("id", descending=True))
        order = order_from(request.query_params.get("ordering", ""), [*orderings, Order("id")], default)
        self.request = request
        self.page = keyset_page(queryset, order, request.query_params.get("cursor"), page_size(request))
        return self.page.rows

    def _link(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return replace_query_param(self.request.build_absolute_uri(), "cursor", cursor)

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"next": self._link(self.page.next), "previous": self._link(self.page.previous), "results": data}
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = [o.field for o in getattr(view, "orderings", ())] + ["id"]
        ordering = [sign + name for name in names for sign in ("", "-")]
        return [
            _parameter("cursor", "Where to go on, from `next` or `previous`.", {"type": "string"}),
            _parameter(
                "page_size",
                "Rows per page.",
                {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": 50},
            ),
            _parameter(
                "ordering",
                "Sort by this field; a minus turns it round.",
                {"type": "string", "enum": ordering},
            ),
        ]


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
