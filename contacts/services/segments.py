"""Making, changing and deleting segments, and the members of static ones."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.conditions import contact_fields
from contacts.models import Contact, Segment
from contacts.selectors.segment_uses import uses_of
from contacts.services.segment_names import HELD
from contacts.services.segmenting import filling, membership
from contacts.services.segmenting.keeping import wake_keeper
from contacts.services.segmenting.watching import Watch, follows, watch
from contacts.services.stream import wake_consumers
from crmcem.lib.actors import Actor, acting
from crmcem.lib.conditions import Node, parse, to_json
from crmcem.lib.conditions.nodes import ActivityLeaf, Compare, CurrentUser, RelatedLeaf, walk
from crmcem.lib.conditions.parser import MAX_SEGMENT_DEPTH
from crmcem.lib.errors import Conflict, DomainError, FieldError, Link, NotAllowed
from crmcem.lib.records import change, lock, visible_rows
from crmcem.workspace.policies import can, require

WRITE = "contacts:write"
#: who changes segments that others share
SHARED = "contacts:assign"
#: each costs a little with every change of a contact
MAX_LIVE = 500
#: contacts added or removed at once
MAX_MEMBERS = 10_000
_KNOWN = frozenset({"name", "kind", "conditions", "sharing"})

# One saver of conditions at a time: two segments that come to name each other at once would each look right.
# Who saves something else that names one holds the same lock together with others of that kind (``segment_names``).
_ALONE = "SELECT pg_advisory_xact_lock(hashtext(%s))"
_NOTE = """
INSERT INTO contacts_segmentdirty (contact_id, what)
SELECT asked.id, %(what)s FROM unnest(%(ids)s::bigint[]) AS asked(id)
WHERE EXISTS (SELECT 1 FROM contacts_segment s WHERE %(what)s = ANY (s.watches))
"""


def segment_create(*, data: Mapping[str, Any], actor: Actor) -> Segment:
    """Make a segment and have it filled.

    ``data``: ``name``, ``kind`` (live), ``conditions`` (needed for a live one; a static one with conditions is filled
    once), ``sharing`` (private, team, all). Raises DomainError.
    """
    require(actor, WRITE)
    with acting(actor):
        _alone()
        segment = Segment(owner=actor.user, kind=data.get("kind", Segment.Kind.LIVE))
        values = _clean(segment, data, actor)
        if segment.is_live and Segment.objects.filter(kind=Segment.Kind.LIVE).count() >= MAX_LIVE:
            raise DomainError.of(
                "kind", "too_many", _("There are %(n)s live segments, which is the most.") % {"n": MAX_LIVE}
            )
        for name, value in values.items():
            setattr(segment, name, value)
        if segment.conditions is None:
            segment.filled_at = segment.sized_at = timezone.now()
        with _name_once():
            segment.save(force_insert=True)
        wake_keeper()
    return segment


def segment_update(
    *, segment: Segment, data: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Segment:
    """Change what ``data`` names. Changed conditions have the members made anew. Raises DomainError, StaleWrite."""
    require(actor, WRITE)
    with acting(actor):
        _alone()
        segment = lock(Segment, segment.pk, actor, expected_version)
        _may_change(segment, actor)
        values = _clean(segment, data, actor)
        old = segment.conditions
        with _name_once():
            changed = change(segment, values)
        if "conditions" in changed and old != segment.conditions:
            filling.refill(Segment.objects.filter(pk=segment.pk))
            segment.filled_at = None
            wake_keeper()
    return segment


def segment_delete(*, segment: Segment, actor: Actor, expected_version: int | None = None) -> None:
    """Delete a segment that nothing names. Its contacts stay. Raises Conflict with what names it."""
    require(actor, WRITE)
    with acting(actor):
        _alone()
        segment = lock(Segment, segment.pk, actor, expected_version)
        _may_change(segment, actor)
        _free(segment, actor)
        segment.delete()


def _free(segment: Segment, actor: Actor) -> None:
    """Raises Conflict where an automation, a saved view or another segment names it."""
    uses = uses_of(segment.pk, actor.user if actor.is_limited else None)
    if not uses:
        return
    shown = [use for use in uses if not use.is_hidden]
    names = [use.label for use in shown[:20]]
    if hidden := len(uses) - len(shown[:20]):
        names.append(ngettext("%(n)s more", "%(n)s more", hidden) % {"n": hidden})
    raise Conflict(
        "in_use",
        _("“%(name)s” is named by: %(uses)s. Change those first; nothing was deleted.")
        % {"name": segment, "uses": ", ".join(names)},
        [Link(use.label, use.url) for use in shown[:20] if use.url],
    )


def segment_refill(*, segment: Segment, actor: Actor) -> Segment:
    """Have the members of a live segment made anew from all contacts."""
    require(actor, WRITE)
    with acting(actor):
        segment = lock(Segment, segment.pk, actor)
        _may_change(segment, actor)
        if not segment.is_live:
            raise DomainError.of("kind", "static", _("The members of a static segment are kept by hand."))
        filling.refill(Segment.objects.filter(pk=segment.pk))
        segment.filled_at = None
        wake_keeper()
    return segment


def segment_members_change(
    *, segment: Segment, actor: Actor, add: Sequence[int] = (), remove: Sequence[int] = ()
) -> tuple[int, int]:
    """Put contacts into a static segment and take others out. Answers how many came and went.

    Each contact must be one that the actor may see. Raises DomainError.
    """
    require(actor, WRITE)
    if len(add) + len(remove) > MAX_MEMBERS:
        raise DomainError.of(
            "add", "too_many", _("At most %(n)s contacts at once.") % {"n": f"{MAX_MEMBERS:,}"}
        )
    with acting(actor):
        segment = lock(Segment, segment.pk, actor)
        _may_change(segment, actor)
        if segment.is_live:
            raise DomainError.of(
                "kind", "live", _("The members of a live segment follow its conditions. Change those.")
            )
        if segment.filled_at is None:
            raise Conflict("filling", _("The segment is still being filled. Try again in a moment."))
        _all_visible(add, actor, "add")
        _all_visible(remove, actor, "remove")
        now = timezone.now()
        come = membership.put(segment, add, actor=actor, now=now) if add else 0
        gone = membership.put(segment, remove, actor=actor, now=now, remove=True) if remove else 0
        if come or gone:
            with connection.cursor() as cursor:
                cursor.execute(_NOTE, {"what": f"segment:{segment.pk}", "ids": [*add, *remove]})
            wake_consumers()
            wake_keeper()
    return come, gone


def may_change(segment: Segment, actor: Actor) -> bool:
    """Their own; managers also those that others shared."""
    if not can(actor, WRITE):
        return False
    if not actor.is_limited or segment.owner_id == actor.user.pk:
        return True
    return segment.sharing != Segment.Sharing.PRIVATE and can(actor, SHARED)


def _may_change(segment: Segment, actor: Actor) -> None:
    if not may_change(segment, actor):
        raise NotAllowed(SHARED, _("Only its owner and managers may change this segment."))


# --- input -----------------------------------------------------------------------------------------------------
def _clean(segment: Segment, data: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
    """The columns that ``data`` sets. Raises DomainError with every fault."""
    new = segment.pk is None
    errors: list[FieldError] = []
    values: dict[str, Any] = {}

    def wrong(name: str, code: str, detail: str) -> None:
        errors.append(FieldError(name, code, detail))

    for name in data.keys() - _KNOWN:
        wrong(name, "unknown_field", _("A segment has no such setting."))
    if "kind" in data and (
        segment.kind not in Segment.Kind.values or (not new and data["kind"] != segment.kind)
    ):
        wrong("kind", "invalid_choice", _("Choose live or static; the kind of a segment stays."))
    if new or "name" in data:
        values["name"] = _name(data.get("name"), wrong)
    if new or "sharing" in data:
        values |= _shared(data.get("sharing", Segment.Sharing.PRIVATE), actor, segment, wrong)
    if (new or "conditions" in data) and not errors:
        try:
            values |= _conditions(segment, data.get("conditions"), actor)
        except DomainError as error:
            errors += error.errors
    if errors:
        raise DomainError(*errors)
    return values


def _name(value: Any, wrong: Any) -> str:
    name = " ".join(value.split()) if isinstance(value, str) else ""
    if not name or "\x00" in name:
        wrong("name", "required", _("Give the segment a name."))
    elif len(name) > 120:
        wrong("name", "max_length", _("A name has at most %(n)s characters.") % {"n": 120})
    return name


def _shared(value: Any, actor: Actor, segment: Segment, wrong: Any) -> dict[str, Any]:
    owner = segment.owner
    team = owner.team_id if owner is not None else None
    if value not in Segment.Sharing.values:
        wrong("sharing", "invalid_choice", _("Choose private, team or all."))
    elif value == Segment.Sharing.TEAM and team is None:
        wrong("sharing", "no_team", _("You belong to no team that could see the segment."))
    elif actor.user is None and value == Segment.Sharing.PRIVATE and segment.owner_id is None:
        value = Segment.Sharing.ALL  # of the system: nobody could ever see it
    return {"sharing": value, "team_id": team if value == Segment.Sharing.TEAM else None}


def _conditions(segment: Segment, data: Any, actor: Actor) -> dict[str, Any]:
    """The conditions as they are stored, with what they look at. The segment's row, if any, is locked."""
    if not segment.is_live and segment.pk is not None and data != segment.conditions:
        raise DomainError.of(
            "conditions", "static", _("A static segment was filled once. Change its members instead.")
        )
    if data is None:
        if segment.is_live:
            raise DomainError.of("conditions", "required", _("A live segment needs conditions."))
        return {"conditions": None}
    own = None if segment.pk is None else str(segment.pk)
    user = actor.user if actor.is_limited else None
    node = parse(data, contact_fields, user=user, segment_id=own, shared=True)
    _same_for_all(node)
    found = watch(node)
    _no_circle(segment.pk, found)
    live = segment.is_live
    if live:
        _not_by_clock(node)
        _followed(node)
    return {
        "conditions": to_json(node),
        "watches": found.names if live else [],
        "uses": found.uses if live else [],
        "timed": found.timed and live,
        "problem": "",
    }


def _same_for_all(node: Node) -> None:
    """A segment has the same members whoever looks, and is not moved by its own comings and goings."""
    for each in walk(node, into_segments=False):
        if isinstance(each, Compare):
            found = each.value if isinstance(each.value, tuple) else (each.value,)
            if any(isinstance(value, CurrentUser) for value in found):
                raise DomainError.of(
                    "conditions", "me", _("A segment is the same for everybody: name the person, not “me”.")
                )
        if isinstance(each, ActivityLeaf) and each.kind.startswith("segment."):
            raise DomainError.of(
                "conditions",
                "segment_activity",
                _("Name the segment itself ({“segment”: id}) instead of counting who entered or left one."),
            )


def _not_by_clock(node: Node) -> None:
    """A live segment is told when to look again: by a change, or at a moment that is known beforehand."""
    for each in walk(node, into_segments=False):
        if isinstance(each, Compare) and each.spec.by_clock:
            detail = _(
                "“%(name)s” changes with the day, so a live segment can't follow it. Compare a date instead (“in the "
                "last …”), or make a static segment."
            )
            raise DomainError.of("conditions", "by_clock", detail % {"name": each.spec.label})


def _followed(node: Node) -> None:
    """A live segment hears of changes of the related records themselves, not of what lies behind those."""
    for leaf in walk(node, into_segments=False, into_related=False):
        if isinstance(leaf, RelatedLeaf) and not follows(leaf):
            detail = _(
                "A live segment follows what “%(name)s” say themselves, not their activities, segments, sums or "
                "further related records. Compare their own fields, or make a static segment."
            )
            raise DomainError.of("conditions", "not_followed", detail % {"name": leaf.spec.label})


def _no_circle(pk: int | None, found: Watch) -> None:
    """Raises DomainError where a segment would come to name itself, or too many follow on each other."""
    uses = dict(Segment.objects.exclude(uses=[]).values_list("pk", "uses"))
    uses[pk or 0] = found.uses
    level, depth = set(found.uses), 1
    while level:
        if pk in level:
            detail = _("This segment would contain itself by way of another one.")
            raise DomainError.of("conditions", "segment_cycle", detail)
        if depth >= MAX_SEGMENT_DEPTH:
            detail = _("Too many segments inside segments: copy their conditions instead.")
            raise DomainError.of("conditions", "too_many_segments", detail)
        level = {inner for each in level for inner in uses.get(each, ())}
        depth += 1


def _all_visible(ids: Sequence[int], actor: Actor, field: str) -> None:
    if not ids:
        return
    seen = set(visible_rows(Contact, actor).filter(membership.among(ids)).values_list("pk", flat=True))
    missing = [n for n, pk in enumerate(ids) if pk not in seen]
    if missing:
        detail = _("There is no such contact, or it is not yours to see.")
        raise DomainError(*(FieldError(f"{field}.{n}", "does_not_exist", detail) for n in missing[:50]))


def _alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ALONE, [HELD])


@contextmanager
def _name_once() -> Iterator[None]:
    """A second segment of the same name is bad input."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise DomainError.of(
            "name", "unique", _("You have a segment with this name already. Choose another name.")
        ) from error
