"""Edits of many deals as tests make them over the list."""

from typing import Any

from django.test import Client
from django.urls import reverse

from crmcem.workspace.models import BulkEdit
from sales.models import Deal, Pipeline
from tests.conftest import Cast
from tests.factories.sales import DealFactory

HX = {"HX-Request": "true"}


def set_field(client: Client, deals: list[Deal] | None, field: str, value: Any, **more: Any) -> Any:
    chosen: dict[str, Any] = {"_all": "1"} if deals is None else {"ids": [str(deal.pk) for deal in deals]}
    data = {"_bulk": "edit", "_confirmed": "1", "field": field, "value": value, **chosen, **more}
    return client.post(reverse("sales:deals") + "?view=all", data, headers=HX)


def undo(client: Client, edit: BulkEdit | None = None) -> str:
    edit = edit or BulkEdit.objects.latest("pk")
    return str(client.post(reverse("workspace:edit-undo", args=[edit.pk]), headers=HX).content.decode())


def make(cast: Cast, pipeline: Pipeline, **more: Any) -> Deal:
    return DealFactory(pipeline=pipeline, **{"owner": cast.rep, "team": cast.north, **more})


def whole(*deals: Deal) -> list[dict[str, Any]]:
    """Everything a deal holds, but for the version and the moment of its last change."""
    rows = Deal.objects.filter(pk__in=[deal.pk for deal in deals]).order_by("pk").values()
    return [{k: v for k, v in row.items() if k not in {"version", "updated_at"}} for row in rows]
