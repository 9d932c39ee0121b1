"""Actions on many rows of a list: chosen ones, or all that match its filters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import capped_count
from crmcem.lib.web.cells import grouped
from crmcem.lib.web.htmx import close_modal, toast, trigger

#: more rows than this are a job, not a click
LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class BulkDone:
    """What happened: how many rows changed, and why some did not (``(row, reason)``, the first few)."""

    changed: int
    failed: list[tuple[str, str]] = field(default_factory=list)
    #: where a post takes it back
    undo_url: str = ""
    #: a page of its own that tells what became of it and how far it is
    page_url: str = ""
    #: the message that says all there is to say (``static/js/app.js``), with the click that takes it back
    toast: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """One sentence for the toast."""
        return ngettext("%(count)d record changed.", "%(count)d records changed.", self.changed) % {
            "count": self.changed
        }


@dataclass(frozen=True, slots=True)
class BulkAction:
    """One button of the bulk bar.

    ``run(actor=, rows=, data=)`` gets the visible, filtered rows as a queryset and the form's cleaned data, and
    works set-based through a service. ``form`` asks for what is needed first; ``explain`` says what will happen
    ("They are given to another owner."); ``danger`` colours the button.

    One with ``forecast`` works on any number of rows: its ``run(…, page=, ids=)`` begins a job where they are many
    (``ids`` is None for all that match). Its form takes ``typed=`` (what was sent so far) and ``forecast(actor=,
    rows=, data=)`` says how many rows it would change.
    """

    key: str
    label: Any
    icon: str
    scope: str
    run: Callable[..., BulkDone]
    explain: Any = ""
    form: Callable[..., forms.Form] | None = None
    danger: bool = False
    forecast: Callable[..., str] | None = None
    #: what the rows stand for, in numbers, said in place of their own count: ``tell(rows)``
    tell: Callable[[QuerySet[Any]], str] | None = None


def numbers(ids: list[str]) -> list[int]:
    """The chosen rows' ids. Raises DomainError."""
    try:
        found = sorted({int(text) for text in ids if len(text) < 19})
    except ValueError as error:
        raise DomainError.of("ids", "invalid", _("Choose rows of this list.")) from error
    if not found:
        raise DomainError.of("ids", "required", _("Choose at least one row."))
    return found


def picked(queryset: QuerySet[Any], ids: list[str], everything: bool) -> QuerySet[Any]:
    """The chosen rows of ``queryset``, which is already visible and filtered. Raises DomainError."""
    return queryset if everything else queryset.filter(pk__in=numbers(ids))


def size(rows: QuerySet[Any]) -> int:
    """How many rows an action will touch. Raises DomainError above the limit."""
    count = rows.order_by().values("pk")[: LIMIT + 1].count()
    if count > LIMIT:
        raise DomainError.of(
            "ids",
            "too_many",
            _("That is more than %(limit)s records. Narrow the list with a filter first.")
            % {"limit": grouped(LIMIT)},
        )
    return int(count)


def answer(page: Any, action: BulkAction) -> HttpResponse:
    """The dialog of an action on the open list: what it will do to how many, then, confirmed, what it has done."""
    sent = page.request.POST
    ids, everything = sent.getlist("ids"), sent.get("_all") == "1"
    confirmed = sent.get("_confirmed") == "1"
    rows = picked(page.filtered(), ids, everything)
    form = _form(page, action, confirmed or "_forecast" in sent)
    if action.forecast is not None and "_forecast" in sent:
        return _forecast(page, action, form, rows)
    context: dict[str, Any] = {"action": action, "form": form, "ids": ids, "everything": everything}
    context |= _sizes(page, action, rows, ids, everything)
    context["told"] = action.tell(rows) if action.tell and not confirmed else ""
    done: BulkDone | None = None
    if confirmed and (form is None or form.is_valid()):
        more = {} if action.forecast is None else {"page": page, "ids": None if everything else numbers(ids)}
        done = _run(page, action, rows, form, more)
        if done is not None and done.toast is not None:
            return trigger(close_modal(), toast=done.toast)
        if done is not None and not done.failed and not done.undo_url and not done.page_url:
            return close_modal(done.text, refresh="list")
    status = 422 if confirmed and done is None else 200
    response: HttpResponse = page.respond("components/list_bulk.html", context | {"done": done}, status)
    if done is None:
        return response
    if done.page_url or done.undo_url:
        return trigger(response, list=True)
    return toast(response, done.text, "warning")


def _form(page: Any, action: BulkAction, bound: bool) -> forms.Form | None:
    if action.form is None:
        return None
    more = {} if action.forecast is None else {"typed": page.request.POST}
    return action.form(page.request.POST if bound else None, user=page.request.user, **more)


def _run(page: Any, action: BulkAction, rows: Any, form: Any, more: dict[str, Any]) -> BulkDone | None:
    """What the action did; None where its form is wrong, which then says so."""
    try:
        return action.run(actor=page.actor, rows=rows, data=form.cleaned_data if form else {}, **more)
    except DomainError as error:
        if form is None:
            raise
        for each in error.errors:
            form.add_error(each.field if each.field in form.fields else None, each.detail)
    return None


def _sizes(page: Any, action: BulkAction, rows: Any, ids: list[str], everything: bool) -> dict[str, Any]:
    """How many rows are chosen, and how many of those that were ticked are gone or not the person's to change."""
    if action.forecast is None:
        return {"count": size(rows)}
    count, exact = capped_count(rows, page.count_cap)
    skipped = 0 if everything else max(0, len(numbers(ids)) - count)
    return {"count": count, "chosen": page.counted(count, exact), "skipped": skipped}


def _forecast(page: Any, action: BulkAction, form: Any, rows: Any) -> HttpResponse:
    text = ""
    if form.is_valid() and action.forecast is not None:
        try:
            text = action.forecast(actor=page.actor, rows=rows, data=form.cleaned_data, page=page)
        except DomainError as error:
            text = error.errors[0].detail
    return HttpResponse(escape(text))
