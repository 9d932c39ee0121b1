"""One cell of a list, changed where it stands: through the record's own service, by the version that was open."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from crmcem.lib.errors import DomainError, StaleWrite
from crmcem.lib.web.htmx import toast, trigger


@dataclass(frozen=True, slots=True)
class Inline:
    """How a column is changed.

    ``input(row)`` is the form's field, ``value(row)`` what it starts with, and
    ``save(row=, value=, version=, actor=)`` calls the service, which may raise DomainError and StaleWrite.
    """

    input: Callable[[Any], forms.Field]
    value: Callable[[Any], Any]
    save: Callable[..., Any]
    scope: str


def editable(page: Any) -> frozenset[str]:
    """The keys of the shown columns that the person may change."""
    return frozenset(key for key, inline in page.editors.items() if page.may(inline.scope))


def show(page: Any, key: str, pk: str) -> HttpResponse:
    """The cell as a form."""
    row, inline = _cell(page, key, pk)
    return _answer(page, key, row, _form(page, key, inline, row), row.version)


def save(page: Any, key: str, pk: str) -> HttpResponse:
    """The whole row anew, as it is now; or the form with what is wrong, and what was typed."""
    row, inline = _cell(page, key, pk)
    form = _form(page, key, inline, row, page.request.POST)
    text = page.request.POST.get("version", "")
    version = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not form.is_valid():
        return _answer(page, key, row, form, version)
    try:
        inline.save(row=row, value=form.cleaned_data["value"], version=version, actor=page.actor)
    except DomainError as error:
        for each in error.errors:
            form.add_error("value", each.detail)
        return _answer(page, key, row, form, version)
    except StaleWrite:
        fresh = page.rows().filter(pk=row.pk).first()
        if fresh is None:
            raise Http404 from None
        page.prepare([fresh])
        form.add_error(
            "value",
            _("Somebody else changed this record meanwhile. What you typed is kept; save again to store it."),
        )
        response = _answer(page, key, fresh, form, fresh.version)
        return toast(response, _("Not saved: the record changed meanwhile."), "warning")
    fresh = page.rows().filter(pk=row.pk).first()
    if fresh is None:  # given to somebody whose records the person does not see
        return trigger(HttpResponse(status=204), list=True)
    page.prepare([fresh])
    response = HttpResponse(page.row_html([fresh]))
    response["HX-Retarget"], response["HX-Reswap"] = f"#row-{fresh.pk}", "outerHTML"
    return response


def _cell(page: Any, key: str, pk: str) -> tuple[Any, Inline]:
    inline = page.editors.get(key)
    if inline is None or key not in {column.key for column in page.shown_columns}:
        raise Http404
    row = page.rows().filter(pk=int(pk)).first() if pk.isascii() and pk.isdigit() and len(pk) < 19 else None
    if row is None:
        raise Http404
    if not page.may(inline.scope):
        raise PermissionDenied
    page.prepare([row])
    return row, inline


def _form(page: Any, key: str, inline: Inline, row: Any, data: Any = None) -> forms.Form:
    label = next(str(column.label) for column in page.shown_columns if column.key == key)
    form = forms.Form(data, auto_id=f"cell_{row.pk}_{key}_%s", initial={"value": inline.value(row)})
    form.fields["value"] = inline.input(row)
    form.fields["value"].label = label
    widget: Any = form.fields["value"].widget
    css = "form-select" if isinstance(widget, forms.Select) else "form-control"
    widget.attrs |= {"class": f"{css} {css}-sm", "autofocus": True, "aria-label": label}
    return form


def _answer(page: Any, key: str, row: Any, form: forms.Form, version: int) -> HttpResponse:
    context = {"form": form, "key": key, "pk": row.pk, "version": version, "query": page.query}
    response: HttpResponse = page.respond("components/list_cell.html", context, 422 if form.is_bound else 200)
    return response


Editors = Mapping[str, Inline]
