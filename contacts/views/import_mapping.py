"""The mapping page of a draft: which column is which field, and what the first rows would become."""

import re
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.custom.types import TYPES
from contacts.importing import mapping as mappings
from contacts.importing.fields import NEW_FIELD, NEW_TYPES, target
from contacts.importing.folding import fold
from contacts.importing.trial import Trial, label, trial
from contacts.models import ImportJob
from contacts.services.import_checks import import_check, import_mend
from contacts.services.imports import SEPARATORS, import_shape, import_sheet, import_start
from contacts.views.import_report import report_of, sent_cells
from contacts.views.import_words import MODES
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, FieldError
from crmcem.lib.web.htmx import go, is_fragment, render_page

#: columns with fewer than this many are listed with all their values; wider files stay readable by scrolling
SAMPLE_VALUES = 4


class MappingPage:
    """One request for the mapping of a draft; what was chosen in it is kept, whatever is wrong."""

    def __init__(self, request: HttpRequest, job: ImportJob, actor: Actor) -> None:
        self.request = request
        self.job = job
        self.actor = actor
        self.may_assign = request.user.may("contacts:assign")  # type: ignore[union-attr]
        self.errors: list[FieldError] = []
        self.wrong_cells: list[FieldError] = []
        self.guessed: dict[str, str] | None = None

    # --- what is chosen ------------------------------------------------------------------------------
    def mapping(self) -> dict[str, str]:
        """The fields chosen on the page, or the ones that the draft has (guessed or remembered).

        Of the latter only those that the person may write; the page names the others (``_denied``).
        """
        stored = self.job.mapping if self.guessed is None else self.guessed
        chosen = {}
        for index, column in enumerate(self.job.columns):
            sent = self.request.POST.get(f"field-{index}") if self.guessed is None else None
            own = stored.get(column, "")
            chosen[column] = sent if sent is not None else own if self._may_use(own) else ""
        return chosen

    def _may_use(self, key: str) -> bool:
        found = target(self.job.object, key) if key else None
        return found is None or not found.needs or self.request.user.may(found.needs)  # type: ignore[union-attr]

    def _may_make(self) -> bool:
        """May the person make custom fields on the way?"""
        return bool(self.request.user.may(NEW_FIELD))  # type: ignore[union-attr]

    def mode(self) -> str:
        mode = self.request.POST.get("mode", self.job.mode)
        return mode if mode in MODES else self.job.mode

    def settings(self) -> dict[str, Any]:
        """The other choices of the page: what parts several values of a cell, and what becomes of unknown companies."""
        sent = self.request.method == "POST" and "mode" in self.request.POST
        separator = self.request.POST.get("separator", self.job.separator)
        return {
            "separator": separator if separator in SEPARATORS else "",
            "make_companies": "make_companies" in self.request.POST if sent else self.job.make_companies,
            "new_fields": self._new_fields() if sent else self.job.new_fields,
        }

    def _new_fields(self) -> dict[str, str]:
        """Of which type the custom fields are made that are new."""
        types = {}
        for index in range(len(self.job.columns)):
            key, kind = (
                self.request.POST.get(f"field-{index}", ""),
                self.request.POST.get(f"type-{index}", ""),
            )
            if kind in NEW_TYPES and key.startswith("custom."):
                types[key] = kind
        return types

    # --- answers -------------------------------------------------------------------------------------
    def start(self) -> HttpResponse:
        """Start with what is chosen, or show the page again with what is wrong."""
        try:
            chosen = {"mapping": self.mapping(), "mode": self.mode()} | self.settings()
            import_start(job=self.job, actor=self.actor, **chosen)
        except DomainError as error:
            self.errors = error.errors
            return self.show()
        return go(self.request, reverse("contacts:import-job", args=[self.job.pk]))

    def check_all(self) -> HttpResponse:
        """Begin a dry run over all rows."""
        try:
            chosen = {"mapping": self.mapping(), "mode": self.mode()} | self.settings()
            import_check(job=self.job, actor=self.actor, **chosen)
        except DomainError as error:
            self.errors = error.errors
            return self.show()
        return go(self.request, reverse("contacts:import-job", args=[self.job.pk]))

    def mend(self) -> HttpResponse:
        """Keep the cells that were mended; those that are still wrong come back as they were typed."""
        post = self.request.POST
        try:
            count = import_mend(job=self.job, cells=sent_cells(self.job, post), actor=self.actor)
        except DomainError as error:
            self.wrong_cells = error.errors
            return self.show()
        text = ngettext("%d cell is mended.", "%d cells are mended.", count) % count
        messages.success(self.request, text)
        url = reverse("contacts:import-job", args=[self.job.pk])
        cursor = post.get("cursor")
        return go(self.request, f"{url}?{urlencode({'cursor': cursor})}" if cursor else url)

    def guess(self) -> HttpResponse:
        """Forget how the columns were mapped the last time, for this file."""
        self.guessed = mappings.guess(self.job.object, self.job.columns, import_shape(self.job).sample)
        self.job.mapped_like = ""
        return self.show()

    def choose_sheet(self) -> HttpResponse:
        """Read another sheet of the spreadsheet."""
        try:
            import_sheet(job=self.job, sheet=self.request.POST.get("sheet", ""), actor=self.actor)
        except DomainError as error:
            self.errors = error.errors
            return self.show()
        return go(self.request, reverse("contacts:import-job", args=[self.job.pk]))

    def show(self) -> HttpResponse:
        mapping, mode, settings = self.mapping(), self.mode(), self.settings()
        for name, value in settings.items():
            setattr(self.job, name, value)
        tried = self._tried(mapping, mode)
        context = {
            "job": self.job,
            "mode": mode,
            "modes": list(MODES.items()),
            "separators": ImportJob.Separator.choices,
            "columns": self._columns(mapping),
            "used": sum(bool(key) for key in mapping.values()),
            "trial": tried,
            "outcomes": _outcomes(tried),
            "errors": self.errors,
            "wrong_cells": [error for error in self.wrong_cells if not error.field.startswith("cell-")],
        }
        if not is_fragment(self.request):
            cursor = self.request.POST.get("cursor") or self.request.GET.get("cursor")
            sent = {k: str(v) for k, v in self.request.POST.items()} if self.wrong_cells else {}
            context |= report_of(self.job, cursor, sent, self.wrong_cells, self.request.user)
        return render_page(
            self.request,
            "contacts/import_mapping.html",
            context,
            "contacts/import_preview.html",
            status=422 if self.errors or self.wrong_cells else 200,
        )

    def _tried(self, mapping: dict[str, str], mode: str) -> Trial:
        try:
            checked = mappings.check(self.job.object, self.job.columns, mapping, new_fields=self._may_make())
            return trial(self.job, checked, mode)
        except DomainError as error:
            if self.request.method == "POST" and not self.errors:
                self.errors = error.errors
            return Trial()
        except FileNotFoundError:
            self.errors = [FieldError("file", "gone", _("The file is gone. Send it again."))]
            return Trial()

    def _columns(self, mapping: dict[str, str]) -> list[dict[str, Any]]:
        """Each column with its chosen field, its first values and the fields it can become."""
        try:
            sample = import_shape(self.job).sample
        except (DomainError, FileNotFoundError):
            sample = []
        fields = [
            (t.key, str(t.label))
            for t in mappings.choices(self.job.object)
            if not t.needs or self._may_use(t.key)
        ]
        guessed_types = [
            mappings.guess_type([row[index] for row in sample if index < len(row)])
            for index in range(len(self.job.columns))
        ]
        new_types = [(kind, TYPES[kind].label) for kind in NEW_TYPES]
        guessed = mappings.guess(self.job.object, self.job.columns, sample)
        rows = []
        for index, preview in enumerate(mappings.preview(self.job.columns, mapping, sample)):
            own = self._new_key(preview, index)
            known = {key for key, _label in fields} | {own, ""}
            rows.append(
                {
                    "index": index,
                    "column": preview.column,
                    "key": preview.key if preview.key in known else "",
                    "values": preview.values[:SAMPLE_VALUES],
                    "custom": own,
                    "custom_label": label(self.job.object, own) if own else "",
                    "type": self.job.new_fields.get(own) or guessed_types[index] if own else "",
                    "types": new_types,
                    "fields": fields,
                    "denied": "" if preview.key else self._denied(preview.column, guessed),
                }
            )
        return rows

    def _denied(self, column: str, guessed: dict[str, str]) -> str:
        """The field that a column would be if the person might write it; empty where there is none."""
        for key in (self.job.mapping.get(column, ""), guessed.get(column, "")):
            found = target(self.job.object, key) if key else None
            if found is not None and found.needs != NEW_FIELD and not self._may_use(key):
                return str(found.label)
        return ""

    def _new_key(self, preview: mappings.ColumnPreview, index: int) -> str:
        """The custom field that could be made for a column; empty where there is one, or nobody may."""
        key = preview.key if preview.key.startswith("custom.") else custom_key(preview.column, index)
        found = target(self.job.object, key)
        return key if found is not None and found.needs == NEW_FIELD and self._may_make() else ""


def custom_key(column: str, index: int) -> str:
    """The custom field that a column can become: ``custom.loyalty_tier`` for "Loyalty tier"."""
    words = [fold(word) for word in re.split(r"[\W_]+", column)]
    key = "_".join(word for word in words if word)[:60].strip("_")
    if key.startswith("custom_"):
        key = key[7:]
    return f"custom.{key}" if key[:1].isalpha() else f"custom.column_{index + 1}"


def _outcomes(tried: Trial) -> list[tuple[str, int, str]]:
    words = [("new", _("new"), "green"), ("update", _("updated"), "blue"), ("rejected", _("refused"), "red")]
    return [(word, tried.count(key), tone) for key, word, tone in words if tried.count(key)]
