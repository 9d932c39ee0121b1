"""Deleted sets of records: kept for half an hour, and put back row by row."""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from crmcem.lib import trash
from crmcem.lib.actors import Actor, acting, replaying
from crmcem.lib.errors import Conflict
from crmcem.workspace.models import Trash
from crmcem.workspace.models.trash import KEPT
from crmcem.workspace.policies import require

#: what follows when records of a model are back: by entity, the model and ``f(ids, actor)`` in the same transaction
_after: dict[str, tuple[Any, Callable[[list[int], Actor], None]]] = {}


def after_restore(entity: str, model: Any, follow: Callable[[list[int], Actor], None]) -> None:
    """Called at start-up by the app whose figures or timelines must learn that records came back."""
    _after[entity] = model, follow


def trash_delete(
    *,
    actor: Actor,
    entity: str,
    title: str,
    scope: str,
    path: str,
    roots: Callable[[], trash.Roots],
    delete: Callable[[], int],
) -> tuple[int, Trash | None]:
    """Delete by ``delete()`` and keep what goes for half an hour, both or neither.

    ``roots()`` locks the rows and answers them by model. Histories that the database keeps stand still meanwhile:
    what they would note goes with the rows. Answers how many went and the set (None for nothing).
    """
    require(actor, scope)
    with acting(actor):
        data = trash.journal(roots())
        with replaying():
            count = delete()
        if not count or actor.user is None:
            return count, None
        kept = Trash.objects.create(
            user=actor.user,
            entity=entity,
            title=title[:120],
            scope=scope,
            path=path,
            count=count,
            data=data,
            expires_at=timezone.now() + KEPT,
        )
    return count, kept


def trash_restore(*, pk: int, actor: Actor) -> Trash:
    """Put a deleted set back. Raises Http404 for one that isn't one's own or is too old, Conflict where it can't be."""
    with acting(actor):
        kept: Trash | None = Trash.objects.select_for_update().visible_to(actor.user).filter(pk=pk).first()
        if kept is None:
            raise Http404
        require(actor, kept.scope)
        try:
            with transaction.atomic(), replaying():
                trash.restore(kept.data)
        except IntegrityError as error:
            raise Conflict(
                "taken",
                _(
                    "They can’t come back: another record has taken an address or id of theirs, or their owner is gone."
                ),
            ) from error
        if kept.entity in _after:
            model, follow = _after[kept.entity]
            follow(trash.kept_ids(kept.data, model), actor)
        kept.restored_at, kept.data = timezone.now(), ""
        kept.save(update_fields=["restored_at", "data"])
    return kept


def trash_expire() -> int:
    """Forget what can't be restored any more. Answers how many sets."""
    gone, _models = Trash.objects.filter(expires_at__lt=timezone.now()).delete()
    return gone
