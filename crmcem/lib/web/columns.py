"""The columns of a list and its rows as HTML, built in Python because a template costs ten times more."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``cell(row)`` answers plain text (escaped here) or HTML made by ``lib.web.cells``.

    ``sort`` is the field of one of the list's orderings; ``css`` classes of the cells (``num`` aligns right);
    ``phone`` keeps it on a narrow screen; ``default`` shows it where nobody chose columns;
    ``roomy`` shows it only where the table has room for it, unless somebody chose it; ``scope`` hides it from people
    whose role lacks it.

    In an exported file stands the value, not its dress: ``export`` is a lookup path of the list's rows or
    ``f(user)`` that answers an expression over them (see ``lib.exporting``), ``plain(row)`` the value of a row that
    ``prepare`` has seen. Without either it is the text of the cell.
    """

    key: str
    label: Any
    cell: Callable[[Any], Any]
    sort: str = ""
    css: str = ""
    phone: bool = False
    default: bool = True
    roomy: bool = False
    scope: str = ""
    export: str | Callable[[Any], Any] = ""
    plain: Callable[[Any], Any] | None = None

    @property
    def classes(self) -> str:
        """The classes of the column's cells."""
        return f"{self.css}{'' if self.phone else ' wide'}{' roomy' if self.roomy else ''}".strip()


def chosen(columns: Sequence[Column], text: str, may: Callable[[str], bool]) -> list[Column]:
    """The columns that ``?columns=a,b`` asks for, in that order; the default ones without a valid name."""
    allowed = {c.key: c for c in columns if not c.scope or may(c.scope)}
    wanted = [replace(allowed[key], roomy=False) for key in dict.fromkeys(text.split(",")) if key in allowed]
    return wanted or [c for c in allowed.values() if c.default]


def _opened(column: Column, editable: bool) -> str:
    css = f' class="{escape(column.classes)}"' if column.classes else ""
    return f'<td{css} data-cell="{escape(column.key)}">' if editable else f"<td{css}>"


def table_rows(
    rows: Iterable[Any], columns: Sequence[Column], *, selectable: bool, editable: Collection[str] = ()
) -> SafeString:
    """``<tr>`` for every row. The first column's cell should hold the row's link (``cells.main_link``).

    Cells of the columns ``editable`` can be changed in place (``lib.web.inline``).
    """
    opened = [(_opened(c, c.key in editable), c.cell) for c in columns]
    select = escape(gettext("Select"))
    out: list[str] = []
    for row in rows:
        pk = row.pk
        out.append(f'<tr id="row-{pk}">')
        if selectable:
            out.append(
                f'<td class="pick"><label><input type="checkbox" name="ids" value="{pk}" '
                f'aria-label="{select} {escape(str(row))}"></label></td>'
            )
        for tag, cell in opened:
            out.append(tag)
            out.append(conditional_escape(cell(row)))
            out.append("</td>")
        out.append("</tr>")
    return mark_safe("".join(out))  # noqa: S308
