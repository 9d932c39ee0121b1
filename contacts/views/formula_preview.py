"""What a formula gives while it is being typed: on real records, or what is wrong with it and where."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import View

from contacts.custom.computed import as_value
from contacts.custom.definitions import Definition, every
from contacts.custom.entities import Entity
from contacts.custom.formulas.checking import Scope, bounded, check
from contacts.custom.formulas.definition import options_of
from contacts.custom.formulas.fields import names
from contacts.custom.formulas.terms import Mistake, Term
from contacts.services.custom_fields import WRITE
from contacts.views.common import number
from contacts.views.custom_cells import shown
from contacts.views.custom_fields import entity_of
from crmcem.lib.web.access import ScopedView
from crmcem.lib.web.htmx import render_page

SHOWN = 3
LONGEST = 4000


class FormulaPreview(ScopedView, View):
    """POST ``entity``, ``key`` (of the field that is changed), ``formula`` and ``decimals``. Writes nothing."""

    scope = WRITE

    def post(self, request: HttpRequest) -> HttpResponse:
        entity = entity_of(request, request.POST.get("entity", ""))
        text = request.POST.get("formula", "").replace("\r\n", "\n").replace("\x00", "").strip()[:LONGEST]
        context: dict[str, Any] = {"text": text}
        if text:
            context |= self.tried(request, entity, text)
        return render_page(request, "contacts/formula_preview.html", context)

    def tried(self, request: HttpRequest, entity: Entity, text: str) -> dict[str, Any]:
        fields = every(entity.key)
        try:
            found = check(text, Scope(entity.key, fields, (request.POST.get("key", ""),), strict=True))
        except Mistake as mistake:
            word = text[mistake.at :].split(maxsplit=1)[0] if text[mistake.at :].strip() else ""
            after = text[mistake.at + len(word) :]
            return {"mistake": mistake, "before": text[: mistake.at], "word": word, "after": after}
        decimals = min(number(request.POST.get("decimals"), low=0) or 0, 6)
        labels = dict(names(entity.key, fields))
        return {
            "found": found,
            "uses": [(name, labels.get(name, name)) for name in found.uses],
            "rows": self.rows(request, entity, text, found, decimals),
        }

    def rows(
        self, request: HttpRequest, entity: Entity, text: str, found: Term, decimals: int
    ) -> list[tuple[str, Any]]:
        """The newest records that the person sees, each with what the formula gives."""
        options = options_of(text, found, decimals)
        definition = Definition(0, entity.key, "", "", "", "formula", False, False, "", False, options)
        made = bounded(found, definition.decimals).make(request.user)
        rows = entity.model.objects.visible_to(request.user).annotate(given=made).order_by("-pk")[:SHOWN]
        return [(str(row), shown(definition, as_value(definition, row.given), {})) for row in rows]
