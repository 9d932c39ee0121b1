"""Repairs in bulk: what a check found and a rule can mend, as an edit of many records that can be taken back.

Any number of records a click: the rows are those of the list behind the check. ``workspace.services.edits`` walks
them (at once where they are few, else in the background), ``quality_edits`` says how each rule writes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Company, DuplicatePair
from contacts.quality import Check, checks
from contacts.selectors.quality import CAP
from contacts.services.contacts import ASSIGN
from contacts.services.quality_edits import editor_of
from contacts.services.quality_values import changes
from crmcem.lib.actors import Actor
from crmcem.lib.bulk_edits import register
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import BulkEdit
from crmcem.workspace.policies import require
from crmcem.workspace.services.edits import OPEN, edit_start
from crmcem.workspace.services.lists import list_behind

#: so many values are looked at for a forecast and a preview; a repair goes over all of them
LOOKED_AT = 1_000
#: what a repair is called among the edits: this and the name of its check
PREFIX = "repair:"
ENTITIES = {"contact": gettext_lazy("Contacts"), "company": gettext_lazy("Companies")}
_LISTS = {"contact": "contacts:list", "company": "contacts:companies"}


@dataclass(frozen=True, slots=True)
class Repair:
    """A rule. ``rows(check, user)`` are the records that it can mend, for a forecast."""

    key: str
    scope: str
    icon: str
    label: Any
    explain: Any
    rows: Callable[[Check, Any], Any]
    #: whether ``quality_values.changes`` can show what each value would become
    shows: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many records a repair would change; not ``exact``: at least so many were found in the time there was."""

    n: int
    exact: bool


def _ownable(check: Check, user: Any) -> Any:
    """Contacts without an owner whose company has one that the person may see."""
    companies = Company.objects.visible_to(user).filter(owner__is_active=True)
    return check.rows(user).filter(company__in=companies)


def _all(check: Check, user: Any) -> Any:
    return check.rows(user)


def _exact(check: Check, user: Any) -> Any:
    return DuplicatePair.objects.visible_to(user).filter(
        Q(entity=check.entity, exact=True, state=DuplicatePair.State.OPEN)
    )


REPAIRS: dict[str, Repair] = {
    repair.key: repair
    for repair in (
        Repair(
            "owner",
            ASSIGN,
            "user-share",
            gettext_lazy("Give to the owner of their company"),
            gettext_lazy("Contacts get the owner of their company. Each stands in their history."),
            _ownable,
        ),
        Repair(
            "address",
            "contacts:write",
            "mail-off",
            gettext_lazy("Remove the dead addresses"),
            gettext_lazy("The address goes; another one of the contact takes its place where there is one."),
            _all,
        ),
        Repair(
            "email",
            "contacts:write",
            "mail-check",
            gettext_lazy("Mend what is plainly meant"),
            gettext_lazy("Without blanks, brackets and full stops around the address."),
            _all,
            shows=True,
        ),
        Repair(
            "phone",
            "contacts:write",
            "phone-check",
            gettext_lazy("Write with the country code"),
            gettext_lazy("By the country of the address, else of the company’s address, else our own."),
            _all,
            shows=True,
        ),
        Repair(
            "merge",
            "contacts:write",
            "arrows-join",
            gettext_lazy("Merge exact duplicates"),
            gettext_lazy("The newer record becomes part of the older one. Each merge can be undone."),
            _exact,
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


def forecast(check: Check, user: Any) -> Forecast:
    """What the repair of this check would change."""
    repair = REPAIRS[check.repair]
    if not repair.shows:
        n = repair.rows(check, user).order_by().values("pk")[: CAP + 1].count()
        return Forecast(min(n, CAP), n <= CAP)
    # A rule over values runs in Python: the first of them are looked at, and whether there are others.
    mended = {each.record.pk for each in changes(check, user, LOOKED_AT)}
    faulty = check.rows(user).order_by("pk").values_list("pk", flat=True)
    return Forecast(len(mended), len(faulty[: LOOKED_AT + 1]) <= LOOKED_AT)


def quality_repair(*, check: str, actor: Actor) -> BulkEdit:
    """Mend by its rule what this check found, all of it; the edit tells how far it is and can be undone.

    A repair of the same check that is still going on is answered instead of a second one. Raises DomainError where
    there is no such repair or too many edits are open, NotAllowed.
    """
    found, repair = repair_of(check)
    require(actor, "contacts:write")
    require(actor, repair.scope)
    label = f"{PREFIX}{found.name}"
    going_on: BulkEdit | None = BulkEdit.objects.filter(user=actor.user, model=label, status__in=OPEN).first()
    if going_on is not None:
        return going_on
    path, query = _where(found)
    edit = BulkEdit(
        user=actor.user,
        model=label,
        title=f"{ENTITIES[found.entity]}: {found.label}"[:120],
        label=str(repair.label)[:120],
        path=path,
        query=query,
        key=repair.key,
    )
    page = list_behind(edit.user, path, query)
    return edit_start(edit=edit, rows=page.filtered(), actor=actor)


def _where(check: Check) -> tuple[str, str]:
    """The list whose rows the repair goes through: the records of the check, or the pairs that are merged."""
    if check.repair == "merge":
        return reverse("contacts:duplicates"), f"entity={check.entity}&exact=true&state=open"
    return reverse(_LISTS[check.entity]), f"quality={check.key}"


def register_repairs() -> None:
    """Called when the app is ready."""
    for check in checks:
        if check.repair:
            register(f"{PREFIX}{check.name}", editor_of(check))
