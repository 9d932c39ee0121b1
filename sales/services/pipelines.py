"""Making and changing pipelines. A stage that deals stand in can't be taken away under them."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crmcem.lib import cleaning
from crmcem.lib.actors import Actor, acting
from crmcem.lib.api.fields import parse_id
from crmcem.lib.errors import Conflict, DomainError, FieldError
from crmcem.lib.records import lock, save_next_version
from crmcem.workspace.policies import require
from sales.models import Deal, Pipeline, Stage
from sales.validation import clean_stage

MAX_STAGES = 30
WRITE = "pipelines:write"


def pipeline_create(
    *, name: str, stages: Sequence[Mapping[str, Any]], actor: Actor, is_default: bool = False
) -> Pipeline:
    """A pipeline with its stages in order: ``[{name, probability, rot_days}]``. Raises DomainError."""
    require(actor, WRITE)
    checked = _checked(stages)
    with acting(actor):
        _unique(_name(name), None)
        last = Pipeline.objects.aggregate(last=Max("position"))["last"]
        first = last is None
        pipeline = Pipeline.objects.create(
            name=_name(name), position=0 if first else last + 1, is_default=is_default or first
        )
        _only_default(pipeline)
        Stage.objects.bulk_create(
            Stage(pipeline=pipeline, position=i, **values) for i, (_id, values) in enumerate(checked)
        )
    return pipeline


def pipeline_update(
    *,
    pipeline: Pipeline,
    actor: Actor,
    name: str | None = None,
    stages: Sequence[Mapping[str, Any]] | None = None,
    is_default: bool | None = None,
    expected_version: int | None = None,
) -> Pipeline:
    """Change what is given. ``stages`` is the whole list in its new order; those with an ``id`` stay.

    Raises DomainError, Conflict (a stage with deals would go), StaleWrite.
    """
    require(actor, WRITE)
    with acting(actor):
        pipeline = lock(Pipeline, pipeline.pk, actor, expected_version)
        if name is not None:
            pipeline.name = _name(name)
            _unique(pipeline.name, pipeline.pk)
        if is_default is False and pipeline.is_default:
            raise DomainError.of(
                "is_default",
                "invalid",
                _("One pipeline has to be the default. Make another one the default instead."),
            )
        if is_default:
            pipeline.is_default = True
            _only_default(pipeline)
        if stages is not None:
            _stages_replace(pipeline, _checked(stages))
        save_next_version(pipeline, ["name", "is_default"])
    return pipeline


def pipeline_delete(*, pipeline: Pipeline, actor: Actor, expected_version: int | None = None) -> None:
    """Delete a pipeline without deals. Raises Conflict."""
    require(actor, "pipelines:delete")
    with acting(actor):
        pipeline = lock(Pipeline, pipeline.pk, actor, expected_version)
        if Deal.objects.filter(pipeline=pipeline).exists():
            raise Conflict("in_use", _("Deals stand in this pipeline. Move them first."))
        pipeline.delete()


def _name(name: str) -> str:
    try:
        value: str = cleaning.text(120)(name)
    except ValueError as error:
        raise DomainError.of("name", "invalid", str(error)) from error
    if not value:
        raise DomainError.of("name", "required", _("Give the pipeline a name."))
    return value


def _unique(name: str, pk: int | None) -> None:
    if Pipeline.objects.filter(name__iexact=name).exclude(pk=pk or 0).exists():
        raise DomainError.of("name", "unique", _("Another pipeline has this name."))


def _only_default(pipeline: Pipeline) -> None:
    if pipeline.is_default:
        Pipeline.objects.exclude(pk=pipeline.pk).filter(is_default=True).update(is_default=False)


def _checked(stages: Sequence[Mapping[str, Any]]) -> list[tuple[int | None, dict[str, Any]]]:
    """``[(id or None, values)]``. Raises DomainError naming the stage by its place."""
    if not isinstance(stages, Sequence) or isinstance(stages, str) or not 1 <= len(stages) <= MAX_STAGES:
        raise DomainError.of("stages", "invalid", _("A pipeline has 1 to 30 stages."))
    errors: list[FieldError] = []
    found: list[tuple[int | None, dict[str, Any]]] = []
    names: set[str] = set()
    for i, stage in enumerate(stages):
        if not isinstance(stage, Mapping):
            raise DomainError.of(f"stages.{i}", "type", _("Send each stage as an object with a name."))
        values, wrong = clean_stage({k: v for k, v in stage.items() if k != "id"})
        errors += [FieldError(f"stages.{i}.{e.field}", e.code, e.detail) for e in wrong]
        name = str(values.get("name", "")).casefold()
        if name in names:
            errors.append(FieldError(f"stages.{i}.name", "unique", _("Two stages have the same name.")))
        names.add(name)
        pk = None if stage.get("id") is None else parse_id(stage["id"]) or 0
        if pk is not None and any(pk == each for each, _values in found):
            errors.append(FieldError(f"stages.{i}.id", "unique", _("This stage is named twice.")))
        found.append((pk, values))
    if errors:
        raise DomainError(*errors)
    return found


def _stands_there(stage: Stage, count: int) -> str:
    return ngettext(
        "%(count)d deal (open, won or lost) stands in the stage “%(stage)s”. Move or delete it first.",
        "%(count)d deals (open, won or lost) stand in the stage “%(stage)s”. Move or delete them first.",
        count,
    ) % {"count": count, "stage": stage.name}


def _stages_replace(pipeline: Pipeline, checked: list[tuple[int | None, dict[str, Any]]]) -> None:
    present = {stage.pk: stage for stage in pipeline.stages.select_for_update().order_by("pk")}
    kept = {pk for pk, _values in checked if pk is not None}
    if kept - present.keys():
        raise DomainError.of("stages", "does_not_exist", _("One of the stages is not of this pipeline."))
    gone = present.keys() - kept
    for going in sorted(gone):
        count = Deal.objects.filter(stage_id=going).count()
        if count:
            raise Conflict("in_use", _stands_there(present[going], count))
    with transaction.atomic():
        Stage.objects.filter(pk__in=gone).delete()
        # Names may be swapped: free them all before setting the new ones.
        for stage in present.values():
            if stage.pk in kept:
                Stage.objects.filter(pk=stage.pk).update(name=f"\u200b{stage.pk}")
        for position, (pk, values) in enumerate(checked):
            if pk is None:
                Stage.objects.create(pipeline=pipeline, position=position, **values)
            else:
                Stage.objects.filter(pk=pk).update(position=position, **({"rot_days": None} | values))
