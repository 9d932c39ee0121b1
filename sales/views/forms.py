"""The forms of deals. What they accept is checked again by the services, the one validation for all ways in."""

from collections.abc import Collection, Iterable
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from moneyed import CURRENCIES

from contacts.models import Company, Contact, Interaction, Task
from contacts.views.custom_form import CustomForm
from crmcem.lib.web.moments import MomentField
from crmcem.workspace.models import User
from crmcem.workspace.organisation import organisation
from sales.models import Deal, DealContact, Pipeline

ORDER = (
    "name",
    "company",
    "contact",
    "amount",
    "currency",
    "stage",
    "expected_close",
    "owner",
    "probability",
)
CURRENCY_CHOICES = [(code, code) for code in sorted(CURRENCIES)]


class LookupInput(forms.Widget):
    """A hidden id and the text that finds it: the look-up of contacts and companies as an input."""

    template_name = "contacts/lookup_input.html"

    def __init__(self, url_name: str, rows: QuerySet[Any]) -> None:
        super().__init__()
        self.url_name, self.rows = url_name, rows

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        row = (
            self.rows.filter(pk=value).first()
            if str(value or "").isdigit() and len(str(value)) < 19
            else None
        )
        return context | {"lookup_url": reverse(self.url_name), "text": str(row) if row else ""}

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return render_to_string(self.template_name, self.get_context(name, value, attrs))


class Lookup(forms.ModelChoiceField):  # type: ignore[type-arg]
    """One of the rows that the person may see, found by typing."""

    def __init__(self, url_name: str, queryset: QuerySet[Any], **kwargs: Any) -> None:
        super().__init__(queryset, widget=LookupInput(url_name, queryset), **kwargs)


def _field(form: forms.Form, name: str) -> Any:
    """The form's own field, to give it its rows or choices."""
    return form.fields[name]


def stage_choices(pipelines: Iterable[Pipeline]) -> list[Any]:
    """Every stage under the name of its pipeline."""
    return [(p.name, [(s.pk, s.name) for s in p.stages.all()]) for p in pipelines]


class DealForm(CustomForm):
    """A deal's fields as a person edits them. ``only`` keeps some of them (editing in place; ``custom.key`` for one).

    ``deal`` is the one that is changed. Without ``only``, or with ``custom`` in it, the custom fields are there too.
    ``version`` is that of the deal which the form shows: saving over a newer one is refused.
    """

    entity = "deal"
    always = ("name", "stage", "contact")

    name = forms.CharField(label=_("Name"), max_length=300)
    amount = forms.DecimalField(
        label=_("Amount"),
        required=False,
        max_digits=14,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=CURRENCY_CHOICES, required=False)
    stage = forms.TypedChoiceField(label=_("Stage"), coerce=int, required=False, empty_value=None)
    expected_close = forms.DateField(
        label=_("Expected close"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    probability = forms.IntegerField(
        label=_("Probability in percent"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=_("Empty: that of the stage."),
    )
    owner = forms.ModelChoiceField(
        User.objects.none(), label=_("Owner"), required=False, empty_label=_("Nobody")
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1)

    def __init__(
        self,
        *args: Any,
        user: User,
        only: Collection[str] = (),
        new: bool = False,
        deal: Deal | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if user.may("deals:assign"):
            _field(self, "owner").queryset = User.objects.filter(is_active=True)
        else:
            del self.fields["owner"]
        self.fields["company"] = Lookup(
            "contacts:company-lookup", Company.objects.visible_to(user), label=_("Company"), required=False
        )
        self.fields["competitors"] = forms.CharField(
            label=_("Competitors"), required=False, max_length=2000, help_text=_("Separated by commas.")
        )
        if new:
            self.fields["contact"] = Lookup(
                "contacts:contact-lookup",
                Contact.objects.visible_to(user),
                label=_("Contact"),
                required=False,
            )
            del self.fields["version"]
        for name in list(self.fields):
            if only and name not in {*only, "version", "custom_shown"}:
                del self.fields[name]
        self.order_fields(ORDER)
        if "stage" in self.fields:
            _field(self, "stage").choices = stage_choices(Pipeline.objects.prefetch_related("stages"))
        if "currency" in self.fields:
            self.initial.setdefault("currency", organisation().currency)
        if not only or "custom" in only:
            self.add_custom(user, deal)
        else:
            self.put_custom(user, deal, only)

    def clean_competitors(self) -> list[str]:
        return [name for part in self.cleaned_data["competitors"].split(",") if (name := part.strip())]

    def data_for_service(self) -> dict[str, Any]:
        """What the service is given: the fields that the person really saw."""
        data = {k: v for k, v in self.own_values().items() if k != "contact"}
        for name in ("stage", "currency"):
            if data.get(name) in (None, ""):
                data.pop(name, None)
        if self.cleaned_data.get("contact"):
            data["contacts"] = [{"contact": self.cleaned_data["contact"]}]
        return data


def labels() -> dict[str, str]:
    """The names of a deal's own fields, for layouts."""
    more = {"company": _("Company"), "contact": _("Contact"), "competitors": _("Competitors")}
    own = {name: field.label for name, field in DealForm.base_fields.items() if field.label} | more
    return {name: str(own[name]) for name in (*ORDER, "competitors")}


def initial_of(deal: Deal) -> dict[str, Any]:
    """What the form shows of a deal."""
    names = ("name", "amount", "currency", "expected_close", "probability", "version")
    return {name: getattr(deal, name) for name in names} | {
        "stage": deal.stage_id,
        "owner": deal.owner_id,
        "company": deal.company_id,
        "competitors": ", ".join(deal.competitors),
    }


class QuickForm(forms.Form):
    """The least that makes a deal, in a column of the board."""

    name = forms.CharField(label=_("Name"), max_length=300)
    amount = forms.DecimalField(label=_("Amount"), required=False, max_digits=14, decimal_places=2)


class WinForm(forms.Form):
    amount = forms.DecimalField(
        label=_("What is it worth in the end?"),
        required=False,
        max_digits=14,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
    )
    reason = forms.CharField(label=_("Why did they choose us?"), required=False, max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1)


class LoseForm(forms.Form):
    reason = forms.CharField(
        label=_("Why was it lost?"),
        max_length=300,
        error_messages={"required": _("Say why in a few words: it is what the next deal learns from.")},
        widget=forms.TextInput(attrs={"list": "lost-reasons", "autocomplete": "off"}),
    )


class MemberForm(forms.Form):
    """One more person of the buying committee."""

    role = forms.ChoiceField(
        label=_("Role"), choices=DealContact.Role.choices, initial=DealContact.Role.OTHER
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Contact.objects.visible_to(user)
        role = self.fields.pop("role")
        self.fields["contact"] = Lookup("contacts:contact-lookup", rows, label=_("Contact"))
        self.fields["role"] = role


class _WithPeople(forms.Form):
    """Asks with whom of the deal's people it was or will be."""

    contact = forms.TypedChoiceField(label=_("With"), coerce=int, required=False, empty_value=None)

    def __init__(self, *args: Any, people: Iterable[DealContact], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(member.contact_id, str(member.contact)) for member in people]
        _field(self, "contact").choices = [*choices, ("", _("Nobody in particular"))]
        if choices:
            self.initial.setdefault("contact", choices[0][0])


class LogForm(_WithPeople):
    """What was said and done, logged on the deal."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Interaction.Kind.choices, initial=Interaction.Kind.NOTE)
    subject = forms.CharField(label=_("Subject"), max_length=300, required=False)
    body = forms.CharField(
        label=_("Text"), required=False, max_length=100_000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not data.get("subject") and not data.get("body"):
            self.add_error("body", _("Write what it was about."))
        return data


class TaskForm(_WithPeople):
    """What is to be done next for the deal."""

    title = forms.CharField(label=_("What is to be done?"), max_length=300)
    kind = forms.ChoiceField(label=_("Kind"), choices=Task.Kind.choices, initial=Task.Kind.FOLLOW_UP)
    due_at = MomentField(label=_("Due"), required=False)
