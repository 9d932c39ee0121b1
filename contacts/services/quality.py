"""Repairs in bulk: what a check found and a rule can mend, each through the service that a person would use."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Company, ContactPoint, DuplicatePair
from contacts.quality import Check, checks
from contacts.services.bulk import contacts_assign
from contacts.services.companies import company_update
from contacts.services.duplicates import BULK, pairs_merge_exact
from contacts.services.points import point_remove, point_update
from contacts.services.quality_values import changes
from crmcem.lib.actors import Actor
from crmcem.lib.errors import Conflict, DomainError, NotAllowed, StaleWrite
from crmcem.workspace.policies import require

#: records of one click
LIMIT = 1_000


@dataclass(slots=True)
class Repaired:
    """How many records changed, why others did not (``(record, reason)``), and whether there are more."""

    changed: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)
    more: bool = False


@dataclass(frozen=True, slots=True)
class Repair:
    """``rows(check, user)`` are the records that the rule can mend; ``run(check, actor)`` mends up to ``LIMIT``."""

    key: str
    scope: str
    icon: str
    label: Any
    explain: Any
    rows: Callable[[Check, Any], Any]
    run: Callable[[Check, Actor], Repaired]
    #: whether ``quality_values.changes`` can show what each value would become
    shows: bool = False


def _ownable(check: Check, user: Any) -> Any:
    """Contacts without an owner whose company has one that the person may see."""
    companies = Company.objects.visible_to(user).filter(owner__is_active=True)
    return check.rows(user).filter(company__in=companies)


def _give(check: Check, actor: Actor) -> Repaired:
    found = list(
        _ownable(check, actor.user).order_by("pk").values_list("pk", "company__owner_id")[: LIMIT + 1]
    )
    by_owner: dict[int, list[int]] = defaultdict(list)
    for pk, owner in found[:LIMIT]:
        by_owner[owner].append(pk)
    done = Repaired(more=len(found) > LIMIT)
    for owner, ids in sorted(by_owner.items()):
        done.changed += contacts_assign(ids=ids, owner=owner, actor=actor)
    return done


def _all(check: Check, user: Any) -> Any:
    return check.rows(user)


def _drop_addresses(check: Check, actor: Actor) -> Repaired:
    ids = list(check.rows(actor.user).order_by("pk").values_list("pk", flat=True)[: LIMIT + 1])
    points = ContactPoint.objects.filter(contact__in=ids[:LIMIT], kind="email", is_primary=True)
    done = Repaired(more=len(ids) > LIMIT)
    for point in points.order_by("contact_id"):
        try:
            point_remove(point=point, actor=actor)
        except (Conflict, DomainError, Http404, NotAllowed, StaleWrite) as error:
            done.failed.append((point.contact_id, str(error)))
        else:
            done.changed += 1
    return done


def _exact(check: Check, user: Any) -> Any:
    return DuplicatePair.objects.visible_to(user).filter(
        Q(entity=check.entity, exact=True, state=DuplicatePair.State.OPEN)
    )


def _merge(check: Check, actor: Actor) -> Repaired:
    done = pairs_merge_exact(entity=check.entity, actor=actor)
    failed = [(each["pair"], each["detail"]) for each in done["failed"]]
    return Repaired(len(done["merged"]), failed, done["more"])


def _mendable(check: Check, user: Any) -> Any:
    """The records with a value that a rule can mend, among the first ``LIMIT`` faulty ones."""
    return check.rows(user).filter(pk__in={each.record.pk for each in changes(check, user, LIMIT)})


def _mend(check: Check, actor: Actor) -> Repaired:
    """Write each mended value through the service that a person would use."""
    done = Repaired()
    for each in changes(check, actor.user, LIMIT):
        try:
            if check.entity == "company":
                company_update(company=each.row, data={"phone": each.new}, actor=actor)
            else:
                point_update(point=each.row, data={"value": each.new}, actor=actor)
        except (Conflict, DomainError, Http404, NotAllowed, StaleWrite) as error:
            done.failed.append((each.record.pk, str(error)))
        else:
            done.changed += 1
    done.more = bool(done.changed) and check.rows(actor.user).exists()
    return done


REPAIRS: dict[str, Repair] = {
    repair.key: repair
    for repair in (
        Repair(
            "owner",
            "contacts:assign",
            "user-share",
            gettext_lazy("Give to the owner of their company"),
            gettext_lazy("Contacts get the owner of their company. Each stands in their history."),
            _ownable,
            _give,
        ),
        Repair(
            "address",
            "contacts:write",
            "mail-off",
            gettext_lazy("Remove the dead addresses"),
            gettext_lazy("The address goes; another one of the contact takes its place where there is one."),
            _all,
            _drop_addresses,
        ),
        Repair(
            "email",
            "contacts:write",
            "mail-check",
            gettext_lazy("Mend what is plainly meant"),
            gettext_lazy("Without blanks, brackets and full stops around the address."),
            _mendable,
            _mend,
            shows=True,
        ),
        Repair(
            "phone",
            "contacts:write",
            "phone-check",
            gettext_lazy("Write with the country code"),
            gettext_lazy("By the country of the address, else of the company’s address, else our own."),
            _mendable,
            _mend,
            shows=True,
        ),
        Repair(
            "merge",
            "contacts:write",
            "arrows-join",
            gettext_lazy("Merge exact duplicates"),
            gettext_lazy("The newer record becomes part of the older one. Each merge can be undone."),
            _exact,
            _merge,
        ),
    )
}


def repair_of(name: str) -> tuple[Check, Repair]:
    """The check of that name and its repair. Raises DomainError."""
    check = checks.get(name)
    if check is None or not check.repair:
        known = ", ".join(each.name for each in checks if each.repair)
        raise DomainError.of(
            "check",
            "invalid_choice",
            _("There is no such repair. Known repairs: %(known)s.") % {"known": known},
        )
    return check, REPAIRS[check.repair]


def most(repair: Repair) -> int:
    """How many one click mends."""
    return BULK if repair.key == "merge" else LIMIT


def repairable(check: Check, repair: Repair, user: Any) -> int:
    """What one click would mend, at most ``most(repair)``."""
    return int(repair.rows(check, user).order_by().values("pk")[: most(repair)].count())


def quality_repair(*, check: str, actor: Actor, dry_run: bool = False) -> Repaired:
    """Mend what the rule of this check can, up to ``most`` records. ``dry_run`` only counts them.

    Each record is written by its own service: what can't be mended harms no other.
    """
    found, repair = repair_of(check)
    require(actor, "contacts:write")
    require(actor, repair.scope)
    if dry_run:
        return Repaired(repairable(found, repair, actor.user))
    return repair.run(found, actor)
