"""Pipelines and their stages: seen by all who see deals, changed by those who may."""

from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from crmcem.lib.api.fields import parse_id
from crmcem.lib.errors import Conflict, DomainError, StaleWrite
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import go, toast
from crmcem.workspace.policies import user_of
from sales.models import Deal, Pipeline, Stage
from sales.services.pipelines import MAX_STAGES, pipeline_create, pipeline_delete, pipeline_update

NEW_STAGES = [
    {"name": _name, "probability": chance, "rot_days": days}
    for _name, chance, days in (("Lead", 10, 14), ("Offer", 50, 10), ("Contract", 80, 7))
]


class Pipelines(ScopedView, View):
    scope = "pipelines:read"

    def get(self, request: HttpRequest) -> HttpResponse:
        user = user_of(request)
        counts = {
            row["stage_id"]: row
            for row in Deal.objects.order_by()
            .values("stage_id")
            .annotate(all=Count("pk"), open=Count("pk", filter=Q(status=Deal.Status.OPEN)))
        }
        shown = [
            {
                "pipeline": pipeline,
                "stages": [
                    {"stage": stage, "open": counts.get(stage.pk, {}).get("open", 0)}
                    for stage in pipeline.stages.all()
                ],
                "in_use": any(stage.pk in counts for stage in pipeline.stages.all()),
            }
            for pipeline in Pipeline.objects.prefetch_related("stages")
        ]
        context = {
            "pipelines": shown,
            "may_write": user.may("pipelines:write"),
            "may_delete": user.may("pipelines:delete"),
        }
        return render(request, "sales/pipelines.html", context)


class PipelineForm(ScopedView, View):
    """A pipeline's name and the whole list of its stages, in order."""

    scope = "pipelines:write"

    def get(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        pipeline = get_object_or_404(Pipeline, pk=pk) if pk else None
        rows = _rows(pipeline) if pipeline else NEW_STAGES
        values = {
            "name": pipeline.name if pipeline else "",
            "is_default": bool(pipeline and pipeline.is_default),
            "version": pipeline.version if pipeline else "",
        }
        return self._show(pipeline, values, rows)

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        pipeline = get_object_or_404(Pipeline, pk=pk) if pk else None
        stages = _typed(request.POST)
        values: dict[str, Any] = {
            "name": request.POST.get("name", "")[:300],
            "is_default": request.POST.get("is_default") == "1",
            "version": request.POST.get("version", ""),
        }
        try:
            sent = [_for_service(stage) for stage in stages]
            if pipeline is None:
                pipeline_create(
                    name=values["name"], stages=sent, is_default=values["is_default"], actor=self.actor
                )
            else:
                pipeline_update(
                    pipeline=pipeline,
                    name=values["name"],
                    stages=sent,
                    is_default=values["is_default"] or None,
                    expected_version=parse_id(values["version"]),
                    actor=self.actor,
                )
        except DomainError as error:
            return self._show(pipeline, values, stages, _errors(error), 422)
        except Conflict as error:
            return self._show(pipeline, values, stages, {"stages": [error.detail]}, 409)
        except StaleWrite:
            values["version"] = get_object_or_404(Pipeline, pk=pk).version
            text = _(
                "Somebody else changed this pipeline meanwhile. What you typed is kept; saving overwrites theirs."
            )
            return self._show(pipeline, values, stages, {"stages": [text]}, 412)
        return go(request, reverse("sales:pipelines"))

    def _show(
        self,
        pipeline: Pipeline | None,
        values: dict[str, Any],
        stages: list[dict[str, Any]],
        errors: dict[str, list[str]] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        errors = errors or {}
        rows = [stage | {"errors": errors.get(f"stages.{i}", [])} for i, stage in enumerate(stages)]
        context = {
            "pipeline": pipeline,
            "values": values,
            "stages": rows,
            "blank": {"name": "", "probability": "", "rot_days": "", "errors": []},
            "name_errors": errors.get("name", []),
            "errors": errors.get("stages", []),
        }
        return render(self.request, "sales/pipeline_form.html", context, status=status)


class PipelineDelete(ScopedView, View):
    scope = "pipelines:delete"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        pipeline = get_object_or_404(Pipeline, pk=pk)
        pipeline_delete(pipeline=pipeline, actor=self.actor)
        return toast(go(request, reverse("sales:pipelines")), _("Pipeline deleted"))


def _rows(pipeline: Pipeline) -> list[dict[str, Any]]:
    deals = Deal.objects.filter(pipeline=pipeline).order_by().values("stage_id").annotate(n=Count("pk"))
    counts = dict(deals.values_list("stage_id", "n"))
    return [
        {
            "id": stage.pk,
            "name": stage.name,
            "probability": stage.probability,
            "rot_days": stage.rot_days or "",
            "deals": counts.get(stage.pk, 0),
        }
        for stage in Stage.objects.filter(pipeline=pipeline).order_by("position", "id")
    ]


def _typed(data: QueryDict) -> list[dict[str, Any]]:
    """The rows of the form as they were typed; wholly empty ones are left out."""
    names = ("stage_id", "stage_name", "stage_probability", "stage_rot_days", "stage_deals")
    columns = [data.getlist(name)[: MAX_STAGES + 1] for name in names]
    rows = []
    for i in range(len(columns[1])):
        pk, name, chance, days, deals = (column[i].strip() if i < len(column) else "" for column in columns)
        if not (pk or name or chance or days):
            continue
        rows.append({"id": pk, "name": name, "probability": chance, "rot_days": days, "deals": deals})
    return rows


def _for_service(stage: dict[str, Any]) -> dict[str, Any]:
    sent = {
        "name": stage["name"],
        "probability": stage["probability"] or 0,
        "rot_days": stage["rot_days"] or None,
    }
    return sent | ({"id": stage["id"]} if stage["id"] else {})


def _errors(error: DomainError) -> dict[str, list[str]]:
    """``stages.2.name`` belongs to row 2; everything else to the form."""
    found: dict[str, list[str]] = {}
    for each in error.errors:
        parts = each.field.split(".")
        key = ".".join(parts[:2]) if parts[0] == "stages" and len(parts) > 2 else parts[0]
        found.setdefault(key if key == "name" or key.startswith("stages") else "stages", []).append(
            each.detail
        )
    return found
