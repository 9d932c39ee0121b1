"""Why a condition holds for one record, or does not: for dry runs, run logs and "why am I in this segment"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.db.models import BooleanField, Case, Value, When

from crmcem.lib.conditions.compiler import to_q
from crmcem.lib.conditions.explain import explain
from crmcem.lib.conditions.nodes import All, AnyOf, Node, Not
from crmcem.lib.conditions.registry import FieldRegistry


@dataclass(frozen=True, slots=True)
class Reason:
    """One leaf of a condition: its place (``all.0``), its words, and whether it holds by itself.

    A leaf below ``not`` is told as it stands there: ``negated`` says that it should not hold.
    """

    path: str
    text: str
    holds: bool
    negated: bool = False


def reasons(
    node: Node, registry: FieldRegistry, pk: Any, *, now: datetime, tz: tzinfo, user: Any = None
) -> list[Reason]:
    """Every leaf with its truth for the record ``pk``, in one statement; empty when there is no such record."""
    leaves = list(_leaves(node, "", False))
    if not leaves:
        return []
    columns = {
        f"leaf_{n}": Case(
            When(to_q(leaf, now=now, tz=tz, user=user, narrow=True), then=Value(True)),
            default=Value(False),
            output_field=BooleanField(),
        )
        for n, (_path, leaf, _negated) in enumerate(leaves)
    }
    row = registry.model._base_manager.filter(pk=pk).annotate(**columns).values_list(*columns).first()
    if row is None:
        return []
    return [
        Reason(path, explain(leaf), holds, negated)
        for (path, leaf, negated), holds in zip(leaves, row, strict=True)
    ]


def _leaves(node: Node, path: str, negated: bool) -> Iterator[tuple[str, Node, bool]]:
    dot = f"{path}." if path else ""
    match node:
        case All(children) | AnyOf(children):
            head = "all" if isinstance(node, All) else "any"
            for index, child in enumerate(children):
                yield from _leaves(child, f"{dot}{head}.{index}", negated)
        case Not(child):
            yield from _leaves(child, f"{dot}not", not negated)
        case _:
            yield path, node, negated
