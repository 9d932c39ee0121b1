"""What a dry run found: numbers, the rows that would be refused, and their cells as inputs to be mended."""

import re
from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, ImportJob, ImportRowError
from contacts.services.import_checks import Cells
from contacts.views.duplicates import reasons
from contacts.views.import_words import grouped
from crmcem.lib.errors import FieldError
from crmcem.lib.keyset import Order, keyset_page

ROWS = 50
_CELL = re.compile(r"cell-(\d{1,9})-(\d{1,3})")
#: where the column of an error's field is looked for that no column is mapped to
_INSTEAD = {"company": ("company", "company_domain", "company_external_id")}


def report_of(
    job: ImportJob, cursor: str | None, sent: Mapping[str, str], errors: list[FieldError], user: Any
) -> dict[str, Any]:
    """The context of the report; empty before the first dry run. ``sent`` are the inputs as they came back wrong.

    Records that rows look like are named to those who may see them.
    """
    if not job.report:
        return {}
    if "error" in job.report:
        return {"report_error": job.report["error"]}
    page = keyset_page(ImportRowError.objects.filter(job=job, left_out=False), Order("id"), cursor, ROWS)
    return {
        "report": _words(job.report),
        "report_rows": _rows(job, page.rows, sent, {error.field: error.detail for error in errors}),
        "report_page": page,
        "mended": job.fixes.count(),
        "look_alikes": _alike(job, user),
        "alike_count": grouped(job.report.get("alike", {}).get("count", 0)),
    } | left_out_of(job, job.report.get("left_out", 0))


def lines_of(job: ImportJob, errors: list[ImportRowError]) -> list[dict[str, Any]]:
    """What is wrong with rows, with the cell of the file that is to blame."""
    columns = {key: column for column, key in job.mapping.items() if key}
    places = {job.mapping[name]: index for index, name in enumerate(job.columns) if job.mapping.get(name)}
    return [
        {
            "row": error.row,
            "column": columns.get(error.field, error.field),
            "detail": error.detail,
            "raw": _raw(error, places.get(error.field)),
        }
        for error in errors
    ]


def _raw(error: ImportRowError, place: int | None) -> str:
    """The cell that is to blame as it stands in the file, or the whole row where no single one is."""
    cells = [str(cell) for cell in error.raw]
    text = " · ".join(cells) if place is None else cells[place] if place < len(cells) else ""
    return text if len(text) <= 300 else f"{text[:299]}…"


def left_out_of(job: ImportJob, count: int) -> dict[str, Any]:
    """The context of the parts that had no room on their records: the first of them, with their number."""
    if not count:
        return {}
    found = ImportRowError.objects.filter(job=job, left_out=True).order_by("id")
    return {
        "left_out_rows": lines_of(job, list(found[:ROWS])),
        "left_out_count": grouped(count),
        "left_out_shown": ROWS,
        "left_out_more": count > ROWS,
    }


def _alike(job: ImportJob, user: Any) -> list[dict[str, Any]]:
    """The rows that would make a record though one that looks like it is there, the surest first."""
    entity, model = ("company", Company) if job.object == "companies" else ("contact", Contact)
    rows = job.report.get("alike", {}).get("rows", [])
    if not rows:
        return []
    found: dict[int, Any] = model.objects.visible_to(user).in_bulk([row["record"] for row in rows])
    return [
        row
        | {
            "found": found[row["record"]],
            "url": reverse(f"contacts:{entity}", args=[row["record"]]),
            "percent": round(row["score"] * 100) if "score" in row else None,
            "why": reasons(row.get("reasons", [])),
        }
        for row in rows
        if row["record"] in found
    ]


def _words(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    words = [
        ("create", _("would be created"), "green"),
        ("update", _("would be updated"), "blue"),
        ("skip", _("would stay as they are"), "grey"),
        ("failed", _("would be refused"), "red"),
        ("left_out", _("parts would be left out"), "yellow"),
    ]
    return [(word, grouped(report[key]), tone) for key, word, tone in words if report.get(key)]


def _rows(
    job: ImportJob, errors: list[ImportRowError], sent: Mapping[str, str], wrong: Mapping[str, str]
) -> list[dict[str, Any]]:
    places = {job.mapping[name]: index for index, name in enumerate(job.columns) if job.mapping.get(name)}
    numbers = {error.row for error in errors}
    fixes = {(f.row, f.column): f.value for f in job.fixes.filter(row__in=numbers)}
    rows: dict[int, dict[str, Any]] = {}
    for error in errors:
        row = rows.setdefault(error.row, {"number": error.row, "cells": {}, "reasons": []})
        keys = _INSTEAD.get(error.field, (error.field,))
        place = next((places[key] for key in keys if key in places), None)
        if place is None or len(error.raw) != len(job.columns):
            row["reasons"].append(error.detail)
            continue
        name = f"cell-{error.row}-{place}"
        cell = row["cells"].setdefault(place, {"name": name, "label": job.columns[place], "errors": []})
        fixed = fixes.get((error.row, place))
        cell["value"] = sent.get(name, fixed if fixed is not None else str(error.raw[place]))
        cell["mended"] = fixed is not None and name not in wrong
        cell["errors"] = [wrong[name]] if name in wrong else [*cell["errors"], error.detail]
    return [row | {"cells": list(row["cells"].values())} for row in rows.values()]


def sent_cells(job: ImportJob, post: Mapping[str, str]) -> Cells:
    """The cells of a sent form that differ from what is known of them."""
    found = {
        (int(match[1]), int(match[2])): str(value)
        for name, value in post.items()
        if (match := _CELL.fullmatch(name)) is not None
    }
    numbers = {row for row, _column in found}
    known = {
        (error.row, place): str(cell)
        for error in ImportRowError.objects.filter(job=job, row__in=numbers)[:1000]
        for place, cell in enumerate(error.raw)
    }
    known |= {(f.row, f.column): f.value for f in job.fixes.filter(row__in=numbers)}
    return {place: value for place, value in found.items() if known.get(place) != value}
