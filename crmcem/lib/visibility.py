"""Who sees which rows: the one queryset method that every edge uses."""

from collections.abc import Collection
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _


def visible_q(user: Any, prefix: str = "") -> Q:
    """Rows that ``user`` may see, by ``owner`` and ``team`` columns (``prefix`` leads to them, ``contact__``).

    own: the rows they own · team: also those of their team and the teams below · all: every row.
    """
    if not getattr(user, "is_authenticated", False):
        return Q(pk__in=[])
    access = user.access
    if access.visibility == "all":
        return Q()
    own = Q(**{f"{prefix}owner_id": user.pk})
    if access.visibility == "team" and access.team_ids:
        return own | Q(**{f"{prefix}team_id__in": access.team_ids})
    return own


class OwnedQuerySet(models.QuerySet[Any]):
    """A queryset over a model with ``owner`` and ``team``, or that reaches one through ``visibility_prefix``."""

    visibility_prefix = ""

    def visible_to(self, user: Any) -> Self:
        """Only the rows that ``user`` may see; none for an anonymous one."""
        return self.filter(visible_q(user, self.visibility_prefix))


def mark_hidden(rows: Collection[Any], user: Any, *names: str) -> None:
    """Note at each row in ``hidden`` which of its references ``names`` the person may not see, and drop those.

    A contact of mine can work for a company of somebody else: its name is not mine to read. A dropped reference
    is None, its id stays; the rows are for showing, not for saving. Costs one statement a name, none for those
    who see everything.
    """
    for row in rows:
        row.hidden = set()
    if not rows or user.access.visibility == "all":
        return
    for name in names:
        ids = {getattr(row, f"{name}_id") for row in rows} - {None}
        if not ids:
            continue
        model: Any = next(iter(rows))._meta.get_field(name).related_model
        rows_shown = model._default_manager.visible_to(user).filter(pk__in=ids)
        shown = set(rows_shown.order_by().values_list("pk", flat=True))
        for row in rows:
            if getattr(row, f"{name}_id") in ids - shown:
                row.hidden.add(name)
                row._state.fields_cache[name] = None


def name_of(row: Any, name: str) -> str:
    """The name of what a marked row points to; only that there is something where it is hidden."""
    if getattr(row, f"{name}_id") is None:
        return ""
    return _("hidden") if name in row.hidden else str(getattr(row, name))
