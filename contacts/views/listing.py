"""The lists of this app: owner and company by name, conditions in words."""

import json
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _

from contacts.models import Company, Contact, Segment
from contacts.selectors.segments import named
from contacts.views.common import number, people
from crmcem.lib.conditions import explain, parse
from crmcem.lib.errors import DomainError
from crmcem.lib.web.bulk import LIMIT
from crmcem.lib.web.lists import ListPage
from crmcem.workspace.models import User


class HouseList(ListPage):
    """A list whose rows belong to people: the filter panel offers them by name, the chips name them."""

    #: filters by the id of a person
    person_filters: ClassVar[tuple[str, ...]] = ("owner",)
    #: filters in plain words; the FilterSet's own words name the operator
    filter_labels: ClassVar[dict[str, Any]] = {}

    def parts_context(self) -> dict[str, Any]:
        context = super().parts_context()
        for bound in context["fields"]:
            widget: Any = bound.field.widget
            bound.label = self.filter_labels.get(bound.name, bound.label)
            if bound.name in self.person_filters:
                bound.field.widget = forms.Select(choices=self.person_choices())
            elif bound.name == "segment":
                bound.field.widget = forms.Select(choices=[("", _("Any")), *named(self.request.user)])
            elif isinstance(widget, forms.Select):
                widget.choices = [("", _("Any")), *((k, v) for k, v in widget.choices if k != "")]
            elif isinstance(widget, forms.DateTimeInput):
                bound.field.widget = forms.TextInput(attrs={"type": "date"})
        return context

    def filter_label(self, name: str) -> str:
        if name == "conditions":
            return _("Conditions")
        if name == "segment":
            return _("Segment")
        return str(self.filter_labels.get(name) or super().filter_label(name))

    def person_choices(self) -> list[tuple[str, str]]:
        fixed = [("", _("Anybody")), ("me", _("Me")), ("none", _("Nobody"))]
        return [*fixed, *people()]

    def filter_value(self, name: str, value: str) -> str:
        if name in self.person_filters:
            return self.person_name(value)
        if name in {"company", "contact"}:
            return self.record_name(Company if name == "company" else Contact, value)
        if name == "segment":
            return self.record_name(Segment, value)
        if name == "conditions":
            return self.condition_words(value)
        return super().filter_value(name, value)

    def person_name(self, value: str) -> str:
        fixed = {"me": _("me"), "none": _("nobody")}
        pk = number(value)
        if pk is None:
            return fixed.get(value, value)
        user = User.objects.filter(pk=pk).first()
        return str(user) if user else value

    def record_name(self, model: type[Company] | type[Contact] | type[Segment], value: str) -> str:
        """The name of a record that the person may see; its bare id otherwise."""
        pk = number(value)
        if pk is None:
            return value
        rows: Any = model.objects
        row = rows.visible_to(self.request.user).filter(pk=pk).first()
        return str(row) if row is not None else value

    def condition_words(self, value: str) -> str:
        """The conditions as a sentence; as they are where they can't be understood."""
        try:
            return explain(parse(json.loads(value), self.filterset_class.registry, user=self.request.user))
        except (DomainError, ValueError, RecursionError):
            return _("can’t be understood")


def ids_of(rows: Any) -> list[int]:
    """The ids of the rows of a bulk action; the kit has checked how many there are."""
    return list(rows.order_by().values_list("pk", flat=True)[:LIMIT])
