"""Saved views of lists: what ``crmcem.lib.web.saved_views`` asks its keeper for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery
from django.http import Http404
from django.utils.translation import gettext as _

from contacts.models import SavedView, SavedViewChoice
from contacts.selectors.segment_uses import segments_in_query
from contacts.services.segment_names import segments_hold
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.lib.web.saved_views import Sharing, View
from crmcem.workspace.models import Role

LIMIT = 60
CHANGEABLE = frozenset({"name", "query", "sharing", "is_default", "is_pinned", "opens_for"})
#: what a person decides for themselves about a view that somebody else shares
OWN_CHOICES = frozenset({"is_default", "is_pinned"})
SHARINGS = frozenset({"private", "team", "all"})
ROLE = "role:"


class SavedViews:
    """A person sees their own views, those of their team (and of teams above and below) and those for all.

    They change only their own; of the others they choose whether they are pinned and open first for themselves.
    """

    def views(self, user: Any, entity: str) -> Sequence[View]:
        chosen = SavedViewChoice.objects.filter(view=OuterRef("pk"), user=user)
        rows = SavedView.objects.visible_to(user).filter(entity=entity)
        rows = rows.annotate(
            chosen_default=Subquery(chosen.values("is_default")[:1]),
            chosen_pin=Subquery(chosen.values("is_pinned")[:1]),
        )[:LIMIT]
        found = [_shown(row, user) for row in rows]
        first = _first(found)
        return sorted(
            (replace(each, opens=each is first) for each in found), key=lambda each: not each.is_pinned
        )

    def roles(self) -> Sequence[tuple[str, str]]:
        return [(f"{ROLE}{pk}", name) for pk, name in Role.objects.values_list("pk", "name")]

    def save(self, *, actor: Actor, entity: str, name: str, query: str, sharing: Sharing) -> View:
        user = _person(actor)
        row = SavedView(entity=entity, name=name.strip(), query=query, owner=user)
        _share(row, sharing)
        if SavedView.objects.filter(owner=user, entity=entity).count() >= LIMIT:
            raise DomainError.of(
                "name", "too_many", _("That is one view too many. Delete one that you no longer need.")
            )
        with transaction.atomic():
            segments_hold(segments_in_query(query), "query")
            _store(row)
        return _shown(row, user)

    def change(self, *, actor: Actor, pk: int, changes: Mapping[str, Any]) -> View:
        user = _person(actor)
        with transaction.atomic():
            row = SavedView.objects.select_for_update().filter(pk=pk, owner=user).first()
            if row is None:
                raise Http404
            for name in changes.keys() - {"sharing", "opens_for"}:
                if name not in CHANGEABLE:
                    raise DomainError.of(name, "unknown", _("A view has no such setting."))
                setattr(row, name, changes[name])
            if "query" in changes:
                segments_hold(segments_in_query(row.query), "query")
            if "sharing" in changes:
                _share(row, changes["sharing"])
            _open_for(row, changes.get("opens_for", _opens_for(row)), actor)
            if row.is_default:
                _no_other(user, row)
            _store(row)
        return _shown(row, user)

    def choose(self, *, actor: Actor, pk: int, changes: Mapping[str, Any]) -> None:
        user = _person(actor)
        with transaction.atomic():
            row = SavedView.objects.visible_to(user).exclude(owner=user).filter(pk=pk).first()
            if row is None or changes.keys() - OWN_CHOICES:
                raise Http404
            SavedViewChoice.objects.update_or_create(user=user, view=row, defaults=dict(changes))
            if changes.get("is_default"):
                _no_other(user, row)

    def delete(self, *, actor: Actor, pk: int) -> None:
        gone, _by_model = SavedView.objects.filter(pk=pk, owner=_person(actor)).delete()
        if not gone:
            raise Http404


def _no_other(user: Any, row: SavedView) -> None:
    """One list opens with one view: the others of the person step back."""
    mine = SavedView.objects.filter(owner=user, entity=row.entity, is_default=True)
    mine.exclude(pk=row.pk).update(is_default=False)
    chosen = SavedViewChoice.objects.filter(user=user, view__entity=row.entity, is_default=True)
    chosen.exclude(view=row).update(is_default=None)


def _person(actor: Actor) -> Any:
    if actor.user is None:
        raise NotAllowed("contacts:read")
    return actor.user


def _share(row: SavedView, sharing: str) -> None:
    if sharing not in SHARINGS:
        raise DomainError.of("sharing", "invalid_choice", _("Choose who sees the view."))
    if sharing == "team" and row.owner.team_id is None:
        raise DomainError.of("sharing", "no_team", _("You belong to no team that could see the view."))
    row.sharing, row.team_id = sharing, row.owner.team_id if sharing == "team" else None


def _opens_for(row: SavedView) -> str:
    return f"{ROLE}{row.opens_for_role_id}" if row.opens_for == "role" else row.opens_for


def _open_for(row: SavedView, wanted: str, actor: Actor) -> None:
    """Whom a shared view opens first for. Those who lead a team decide for it, those who set up the workspace for all.

    What stands stays, also where its owner could no longer decide it.
    """
    if row.sharing == "private":
        row.opens_for, row.opens_for_role = "", None
        return
    if wanted == _opens_for(row):
        return
    if wanted:
        user = _person(actor)
        leads = user.may("settings:write") or (row.sharing == "team" and user.access.visibility != "own")
        if not leads:
            sentence = _("You can’t decide what others see first. You can still share the view.")
            raise DomainError.of("opens_for", "not_allowed", sentence)
    role = None
    if wanted.startswith(ROLE):
        number = wanted.removeprefix(ROLE)
        role = Role.objects.filter(pk=number).first() if number.isdecimal() and len(number) < 19 else None
    if wanted not in {"", "all"} and role is None:
        raise DomainError.of("opens_for", "invalid_choice", _("Choose whom the view opens first for."))
    row.opens_for, row.opens_for_role = ("role" if role else wanted), role


def _store(row: SavedView) -> None:
    if not row.name.strip() or "\x00" in row.name + row.query:
        raise DomainError.of("name", "invalid", _("Give the view a name."))
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise DomainError.of(
            "name", "unique", _("You have a view with this name already. Choose another name.")
        ) from error


#: how strongly a view asks to be opened first: one's own choice, then one's role, one's team, everybody
CHOSEN, BY_ROLE, BY_TEAM, BY_ALL, NOT = range(5)


def _rank(row: Any, user: Any, mine: bool) -> int:
    chosen = row.is_default if mine else getattr(row, "chosen_default", None)
    if chosen:
        return CHOSEN
    applies = row.opens_for == "all" or (row.opens_for == "role" and row.opens_for_role_id == user.role_id)
    if not applies or (chosen is False and not mine):
        return NOT
    if row.opens_for == "role":
        return BY_ROLE
    return BY_TEAM if row.sharing == "team" else BY_ALL


def _shown(row: Any, user: Any) -> View:
    mine = row.owner_id == user.pk
    pin = None if mine else getattr(row, "chosen_pin", None)
    return View(
        row.pk,
        row.name,
        row.query,
        row.sharing,
        row.is_default if mine else bool(getattr(row, "chosen_default", None)),
        row.is_pinned if pin is None else pin,
        mine,
        _opens_for(row),
        _rank(row, user, mine),
    )


def _first(views: Sequence[View]) -> View | None:
    best = min(views, key=lambda each: each.rank, default=None)
    return best if best is not None and best.rank != NOT else None
