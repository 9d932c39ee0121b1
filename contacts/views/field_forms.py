"""The form of a custom field's definition: what every field has, and what its type needs."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from moneyed import CURRENCIES

from contacts.custom.definitions import COMPUTED
from contacts.custom.entities import Entity, entities
from contacts.custom.types import FieldKind
from contacts.views import rollup_forms
from crmcem.workspace.organisation import organisation

BLANK_ROWS = 3


def _text(label: Any, limit: int, help_text: Any = "", **attrs: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=limit,
        required=False,
        help_text=help_text,
        widget=forms.TextInput(attrs={"autocomplete": "off", **attrs}),
    )


class DefinitionForm(forms.Form):
    """Choices are rows ``choice_value`` and ``choice_label``, read from the data as they stand."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    label = _text(_("Name"), 80, autofocus="")
    key = _text(
        _("Key"),
        60,
        _(
            "How the API, imports and conditions call it. Made from the name if left empty; it can’t be changed later."
        ),
    )
    help = _text(_("Help text"), 300, _("Shown below the field in forms."))
    group = _text(_("Group"), 80, _("Fields of a group stand together on forms and record pages."))
    decimals = forms.IntegerField(
        label=_("Decimals"), required=False, min_value=0, max_value=6, help_text=_("0 for whole numbers.")
    )
    currency = forms.ChoiceField(
        label=_("Currency"), required=False, choices=[(code, code) for code in sorted(CURRENCIES)]
    )
    link = forms.ChoiceField(label=_("Links to"), required=False)
    formula = forms.CharField(
        label=_("Formula"),
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off", "class": "formula"}
        ),
        help_text=_('Such as: if custom.budget > 1000 then "large" else "small"'),
    )
    required = forms.BooleanField(
        label=_("Required"),
        required=False,
        help_text=_(
            "Asked for when somebody makes a record. Imports and tracked events bring what they have."
        ),
    )
    filterable = forms.BooleanField(
        label=_("Lists can be filtered and sorted by it"),
        required=False,
        help_text=_("An index is made for it in the background; it works at once."),
    )

    #: which fields of the form belong to a type only
    of_type = {
        "decimals": {"number", "formula"},
        "currency": {"money"},
        "link": {"link"},
        "formula": {"formula"},
    }

    def __init__(self, data: Any = None, *, kind: FieldKind, entity: Entity, record: Any = None) -> None:
        self.kind, self.entity, self.record = kind, entity, record
        options = record.options if record is not None else {}
        self.stored_choices = options.get("choices", [])
        start = {
            "decimals": options.get("decimals", 2 if kind.key == "formula" else 0),
            "formula": options.get("formula", ""),
            "currency": options.get("currency", organisation().currency),
            "link": options.get("entity", ""),
        }
        names = ("version", "label", "help", "group", "required", "filterable")
        if record is not None:
            start |= {name: getattr(record, name) for name in names}
        super().__init__(data, initial=start)
        for name, kinds in self.of_type.items():
            if kind.key not in kinds:
                del self.fields[name]
        if record is not None:
            for name in {"key", "currency", "link"} & self.fields.keys():
                del self.fields[name]
        if not kind.filterable:
            del self.fields["filterable"]
        if kind.key in COMPUTED:
            del self.fields["required"]
        if kind.key == "rollup" and record is None:
            self.fields |= rollup_forms.fields(entity.key)
            self.order_fields(("version", "label", "rollup", "only", "event", "property"))
        if kind.key == "formula":
            self.order_fields(("version", "label", "formula", "decimals"))
        if "link" in self.fields:
            chosen: Any = self.fields["link"]
            chosen.choices = [(each.key, each.label) for each in entities if each.lookup_url_name]

    @property
    def has_choices(self) -> bool:
        return self.kind.key in {"choice", "multichoice"}

    @property
    def options_field(self) -> str:
        """Where a fault of the options is shown."""
        return next(
            (name for name in ("formula", "decimals", "currency", "link", "rollup") if name in self.fields),
            "options",
        )

    @property
    def choice_rows(self) -> list[dict[str, str]]:
        """The rows of choices as typed, or as stored, with some empty ones."""
        if not self.has_choices:
            return []
        rows = (
            self._typed()
            if self.is_bound
            else [each for each in self.stored_choices if not each.get("archived")]
        )
        return [*rows, *({"value": "", "label": ""} for _row in range(BLANK_ROWS))]

    @property
    def archived_choices(self) -> list[dict[str, str]]:
        return [each for each in self.stored_choices if each.get("archived")]

    def _typed(self) -> list[dict[str, Any]]:
        typed: Any = self.data
        values, labels = typed.getlist("choice_value"), typed.getlist("choice_label")
        again = set(typed.getlist("choice_again"))
        rows = [
            {"value": value, "label": label.strip()}
            for value, label in zip(values, labels, strict=False)
            if label.strip()
        ]
        return rows + [
            {"value": each["value"], "label": each["label"]}
            for each in self.archived_choices
            if each["value"] in again
        ]

    def data_for_service(self) -> dict[str, Any]:
        clean = dict(self.cleaned_data)
        clean.pop("version", None)
        options: dict[str, Any] = {}
        if "decimals" in clean:
            options["decimals"] = clean.pop("decimals") or 0
        if "currency" in clean:
            options["currency"] = clean.pop("currency")
        if "link" in clean:
            options["entity"] = clean.pop("link")
        if "formula" in clean:
            options["formula"] = clean.pop("formula")
        if "rollup" in clean:
            options |= rollup_forms.options(clean)
        if self.has_choices:
            options["choices"] = [
                {"label": row["label"], **({"value": row["value"]} if row["value"] else {})}
                for row in self._typed()
            ]
        if self.record is None and not clean.get("key"):
            clean.pop("key", None)
        return clean | ({"options": options} if options or self.record is None else {})
