"""The queue of records that are perhaps the same: look at a pair, merge it, say that it is none, search again."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views import View

from contacts.filters import DuplicateFilter
from contacts.models import DuplicatePair, DuplicateScan
from contacts.selectors.duplicates import name_both
from contacts.services.duplicates import (
    pair_dismiss,
    pair_merge,
    pair_reopen,
    pairs_merge_exact,
    scan_start,
)
from contacts.views.common import seen
from contacts.views.listing import HouseList
from crmcem.lib.actors import Actor
from crmcem.lib.errors import Conflict, DomainError, NotAllowed, StaleWrite
from crmcem.lib.keyset import Order
from crmcem.lib.web import cells
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.bulk import BulkAction, BulkDone
from crmcem.lib.web.columns import Column
from crmcem.lib.web.lists import Empty

REASONS = {
    "mail": gettext_lazy("same mailbox"),
    "id": gettext_lazy("same id"),
    "phone": gettext_lazy("same phone"),
    "name": gettext_lazy("same name"),
    "alike": gettext_lazy("similar name"),
    "company": gettext_lazy("same company"),
    "domain": gettext_lazy("same e-mail domain"),
    "host": gettext_lazy("same web address"),
    "brand": gettext_lazy("similar domain"),
}
STATES = {
    "open": ("yellow", "copy", gettext_lazy("Open")),
    "dismissed": ("grey", "x", gettext_lazy("Not the same")),
    "merged": ("green", "check", gettext_lazy("Merged")),
}
#: pairs of one bulk step: each is a merge of its own
AT_ONCE = 200


def reasons(found: Sequence[Mapping[str, Any]]) -> str:
    """ "same phone, similar name (82 %)" """
    said = []
    for each in found:
        code = str(each["code"])
        words = str(REASONS.get(code, code))
        said.append(f"{words} ({each['percent']} %)" if "percent" in each else words)
    return ", ".join(said)


def _pair(pair: Any) -> SafeString:
    left, right = pair.left, pair.right
    names = f"{left or '–'} · {right or '–'}"
    if left is None or right is None:
        return cells.text(names)
    name = "contacts:company-merge" if pair.entity == "company" else "contacts:contact-merge"
    return cells.main_link(f"{reverse(name, args=[pair.left_id])}?with={pair.right_id}", names)


def _state(pair: Any) -> SafeString:
    colour, icon, label = STATES[pair.state]
    return format_html(
        '<span class="tag tag-{}"><i class="ti ti-{}" aria-hidden="true"></i>{}</span>', colour, icon, label
    )


def _each(decide: Any) -> Any:
    """A bulk step over pairs: each by itself, one that can't be decided harms no other."""

    def run(*, actor: Actor, rows: QuerySet[Any], data: dict[str, Any]) -> BulkDone:
        pairs = list(rows.order_by("id")[: AT_ONCE + 1])
        if len(pairs) > AT_ONCE:
            raise DomainError.of("ids", "too_many", _("Choose %(most)d pairs at most.") % {"most": AT_ONCE})
        done, failed = 0, []
        for pair in pairs:
            try:
                done += decide(pair=pair, actor=actor) is not None
            except (Conflict, DomainError, NotAllowed, StaleWrite) as error:
                failed.append((f"{pair.left_id} / {pair.right_id}", str(error)))
        return BulkDone(done, failed)

    return run


class DuplicateList(HouseList):
    """Pairs with their score and reasons, the surest first."""

    entity, title, scope = "duplicate", gettext_lazy("Duplicates"), "contacts:read"
    count_label = gettext_lazy("pairs")
    template_name = "contacts/duplicate_list.html"
    filterset_class = DuplicateFilter
    search_param = ""
    person_filters = ()
    filter_fields = ("entity", "state", "exact", "score__gte")
    filter_labels = {"score__gte": gettext_lazy("Score at least (0 to 1)")}
    orderings = (Order("score"), Order("id"))
    default_order = Order("score", descending=True)
    bulk_actions = (
        BulkAction(
            "merge",
            gettext_lazy("Merge"),
            "arrows-join",
            "contacts:write",
            _each(pair_merge),
            gettext_lazy(
                "Of each pair the newer record becomes part of the older one, whose values stand where both have one. "
                "Each merge can be undone."
            ),
        ),
        BulkAction(
            "dismiss",
            gettext_lazy("Not the same"),
            "x",
            "contacts:write",
            _each(pair_dismiss),
            gettext_lazy("They leave the queue, and no search brings them up again."),
        ),
        BulkAction(
            "reopen",
            gettext_lazy("Back into the queue"),
            "rotate",
            "contacts:write",
            _each(pair_reopen),
            gettext_lazy("They are open again."),
        ),
    )
    empty = Empty(
        "copy-check",
        gettext_lazy("No duplicates"),
        gettext_lazy("Records that are perhaps the same person or company wait here for your decision."),
        example=gettext_lazy(
            "New and changed records are compared as they come in; a search through all of them runs every week."
        ),
    )
    columns = (
        Column("pair", gettext_lazy("Pair"), _pair, phone=True),
        Column(
            "score",
            gettext_lazy("Score"),
            lambda p: cells.text(f"{round(p.score * 100)} %"),
            sort="score",
            css="num",
            phone=True,
        ),
        Column("reasons", gettext_lazy("Why"), lambda p: cells.text(reasons(p.reasons))),
        Column("exact", gettext_lazy("Exact"), lambda p: cells.yes_no(p.exact), roomy=True),
        Column("state", gettext_lazy("State"), _state),
        Column("found", gettext_lazy("Found"), lambda p: cells.moment(p.created_at), roomy=True),
    )

    def rows(self) -> QuerySet[Any]:
        found = DuplicatePair.objects.visible_to(self.request.user)
        return found if self.request.GET.get("state") else found.filter(state=DuplicatePair.State.OPEN)

    def prepare(self, rows: list[Any]) -> None:
        name_both(rows, self.request.user)

    @property
    def scans(self) -> Sequence[DuplicateScan]:
        return list(DuplicateScan.objects.filter(finished_at__isnull=True))

    @property
    def may_write(self) -> bool:
        return self.may("contacts:write")


class Decide(ScopedView, View):
    """POST only: the pair is none, or it is open again."""

    scope = write_scope = "contacts:write"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        pair = seen(DuplicatePair.objects.all(), request, pk)
        pair_dismiss(pair=pair, actor=self.actor)
        messages.success(request, _("They are not the same. No search brings them up again."))
        return redirect("contacts:duplicates")


class MergeExact(ScopedView, View):
    """POST only: the exact pairs of one kind of record, a hundred at a time."""

    scope = write_scope = "contacts:write"

    def post(self, request: HttpRequest) -> HttpResponse:
        count, failed, more = 0, 0, False
        for entity in ("contact", "company"):
            done = pairs_merge_exact(entity=entity, actor=self.actor)
            count, failed, more = (
                count + len(done["merged"]),
                failed + len(done["failed"]),
                more or done["more"],
            )
        text = ngettext("%(count)d pair merged.", "%(count)d pairs merged.", count) % {"count": count}
        if failed:
            text += " " + ngettext(
                "%(count)d could not be merged and stays in the queue.",
                "%(count)d could not be merged and stay in the queue.",
                failed,
            ) % {"count": failed}
        if more:
            text += " " + _("There are more: merge again.")
        messages.success(request, text)
        return redirect("contacts:duplicates")


class Search(ScopedView, View):
    """POST only: search all records from the beginning."""

    scope = write_scope = "contacts:write"

    def post(self, request: HttpRequest) -> HttpResponse:
        for entity in ("contact", "company"):
            scan_start(entity=entity, actor=self.actor)
        messages.success(request, _("The search runs. Pairs appear here as they are found."))
        return redirect("contacts:duplicates")
