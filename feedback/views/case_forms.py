"""The forms of cases: they read what was typed, the services decide."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Contact
from contacts.selectors.search import PEOPLE, best
from crmcem.lib.errors import DomainError
from crmcem.lib.web.moments import MomentField
from crmcem.workspace.models import User
from feedback.models import Case
from feedback.policies import SLA_HOURS

CAUSES = 100


def people() -> Any:
    return User.objects.filter(is_active=True).order_by("first_name", "last_name", "username")


def show(form: forms.Form, error: DomainError) -> None:
    """Put what a service refused beside the fields it is about."""
    for each in error.errors:
        form.add_error(each.field if each.field in form.fields else None, each.detail)


class PersonChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=people(), **kwargs)


class AssignForm(forms.Form):
    owner = PersonChoice(label=gettext_lazy("New owner"))

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class ResolveForm(forms.Form):
    """What was done, and why it had happened; root causes that were named before are offered."""

    resolution = forms.CharField(
        label=gettext_lazy("What was done for the customer"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    root_cause = forms.CharField(
        label=gettext_lazy("Why it had happened"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("In the same words each time, so that causes can be counted."),
        widget=forms.TextInput(attrs={"list": "root-causes", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    @property
    def causes(self) -> list[str]:
        """Root causes of the newest cases that the person may see."""
        rows = Case.objects.visible_to(self.user).exclude(root_cause="").order_by("-id")
        found = rows.values_list("root_cause", flat=True)[:CAUSES]
        return sorted(set(found))


class ReopenForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Why is it open again?"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class NoteForm(forms.Form):
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=[
            ("note", gettext_lazy("Note")),
            ("call", gettext_lazy("Call")),
            ("email", gettext_lazy("E-mail")),
        ],
    )
    body = forms.CharField(
        label=gettext_lazy("What was said or done"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class EditForm(forms.Form):
    """The texts, priority and due time of a case. ``version`` keeps two people from undoing each other."""

    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=300)
    body = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    priority = forms.ChoiceField(label=gettext_lazy("Priority"), choices=Case.Priority.choices)
    sla_due_at = MomentField(
        label=gettext_lazy("Due"),
        required=False,
        help_text=gettext_lazy("A new priority moves it, unless you set it yourself."),
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


class NewForm(forms.Form):
    """``contact`` is fixed where the page came from a customer; else ``customer`` is looked for by what is typed."""

    contact = forms.IntegerField(widget=forms.HiddenInput, required=False)
    customer = forms.CharField(
        label=gettext_lazy("Customer"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Name, e-mail address or external id."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=300)
    body = forms.CharField(
        label=gettext_lazy("What happened"),
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    priority = forms.ChoiceField(
        label=gettext_lazy("Priority"),
        choices=Case.Priority.choices,
        initial=Case.Priority.NORMAL,
    )
    owner = PersonChoice(
        label=gettext_lazy("Owner"), required=False, empty_label=gettext_lazy("The customer's owner")
    )
    response = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, user: Any, may_assign: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.candidates: list[Contact] = []
        self.fields["priority"].help_text = (
            _("Urgent is due in %(urgent)s hours, high in %(high)s, normal in %(normal)s, low in %(low)s.")
            % SLA_HOURS
        )
        if not may_assign:
            del self.fields["owner"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["who"] = self._contact(data.get("contact"), data.get("customer") or "")
        return data

    def _contact(self, pk: int | None, text: str) -> Contact | None:
        """The customer that was chosen or typed. Adds an error where it is none, or several."""
        rows = Contact.objects.visible_to(self.user)
        if pk is not None:
            found: Contact | None = rows.filter(pk=pk).first() if 0 < pk < 2**63 else None
            if found is None:
                self.add_error("customer", _("There is no such customer, or it is not yours to see."))
            return found
        text = text.replace("\x00", "").strip()
        if not text:
            self.add_error("customer", _("Say which customer the case is about."))
            return None
        candidates: list[Contact] = best(PEOPLE, rows.select_related("company"), text, 8)
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            self.add_error("customer", _("Nobody was found. Check the spelling, or make the contact first."))
        else:
            self.candidates = candidates
            self.add_error("customer", _("Several customers match. Choose one below, or type more."))
        return None
