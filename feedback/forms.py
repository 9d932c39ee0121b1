"""What people fill in about surveys and answers. The services check again; forms keep what was typed."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from crmcem.lib.errors import DomainError
from feedback.models import Survey
from feedback.services.invitations import MAX_TOUCHPOINT
from feedback.services.surveys import MAX_EXPIRY_DAYS, MAX_THROTTLE_DAYS

TEMPLATES = [
    ("nps", _("NPS: would they recommend us?")),
    ("csat", _("CSAT: were they satisfied?")),
    ("ces", _("CES: was it easy?")),
    ("custom", _("Custom: your own questions")),
]
MOODS = [("positive", _("Positive")), ("neutral", _("Neutral")), ("negative", _("Negative"))]


def show_errors(form: forms.Form, error: DomainError, but: Mapping[str, Any] | None = None) -> None:
    """Put what a service refused beside the fields; fields of ``but`` are shown elsewhere."""
    for each in error.errors:
        if but is None or each.field not in but:
            known = each.field in form.fields and not form.fields[each.field].widget.is_hidden
            form.add_error(each.field if known else None, each.detail)


class NewSurveyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=200, help_text=_("Customers see it as the title of the page.")
    )
    kind = forms.ChoiceField(
        label=_("Start from"), choices=TEMPLATES, initial="nps", widget=forms.RadioSelect
    )
    languages = forms.MultipleChoiceField(
        label=_("Languages"), choices=settings.LANGUAGES, widget=forms.CheckboxSelectMultiple, required=False
    )


class SurveyForm(forms.Form):
    """The survey but for its questions, which ``feedback.drafts`` reads."""

    name = forms.CharField(
        label=_("Name"), max_length=200, help_text=_("Customers see it as the title of the page.")
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=Survey.Kind.choices)
    languages = forms.MultipleChoiceField(
        label=_("Languages"),
        choices=settings.LANGUAGES,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_(
            "Buttons and messages of the page speak the customer's language where it is chosen here."
        ),
    )
    intro = forms.CharField(
        label=_("Introduction"), max_length=2000, required=False, widget=forms.Textarea({"rows": 2})
    )
    thanks = forms.CharField(
        label=_("Thank-you text"),
        max_length=2000,
        required=False,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("Shown after the answer was sent."),
    )
    email_subject = forms.CharField(label=_("Subject"), max_length=200, required=False)
    email_body = forms.CharField(
        label=_("Text"), max_length=10_000, required=False, widget=forms.Textarea({"rows": 6})
    )
    throttle_days = forms.IntegerField(
        label=_("Days until the same customer can be asked again"),
        min_value=0,
        max_value=MAX_THROTTLE_DAYS,
        help_text=_("0: no limit of this survey's own."),
    )
    expires_after_days = forms.IntegerField(
        label=_("Days until an invitation expires"), min_value=1, max_value=MAX_EXPIRY_DAYS
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    @classmethod
    def initial_of(cls, survey: Survey) -> dict[str, Any]:
        names = [name for name in cls.base_fields if name != "throttle_days"]
        days = survey.throttle.get("days", 0)
        return {name: getattr(survey, name) for name in names} | {"throttle_days": days}

    def values(self) -> dict[str, Any]:
        """The cleaned data as ``survey_update`` wants it."""
        data = dict(self.cleaned_data)
        data["throttle"] = {"days": data.pop("throttle_days")}
        del data["version"]
        return data


class SendForm(forms.Form):
    contact = forms.IntegerField(
        min_value=1, max_value=2**62, error_messages={"required": _("Choose a customer.")}
    )
    channel = forms.ChoiceField(
        label=_("How"),
        choices=[("email", _("By e-mail")), ("link", _("As a personal link that I hand over"))],
        initial="email",
        widget=forms.RadioSelect,
    )
    touchpoint = forms.CharField(
        label=_("Touchpoint"),
        max_length=MAX_TOUCHPOINT,
        required=False,
        help_text=_("What it is about, such as “delivery”. Answers can be compared by it."),
    )


class SegmentSendForm(forms.Form):
    """``segments`` are ``(id, name)`` of those that the person may choose."""

    form_key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    segment = forms.ChoiceField(label=_("Segment"), error_messages={"required": _("Choose a segment.")})
    touchpoint = forms.CharField(
        label=_("Touchpoint"),
        max_length=MAX_TOUCHPOINT,
        required=False,
        help_text=_("What it is about, such as “delivery”. Answers can be compared by it."),
    )

    def __init__(self, data: Any = None, *, segments: list[tuple[str, str]], initial: Any = None) -> None:
        super().__init__(data, auto_id="all_%s", initial=initial)
        chosen: Any = self.fields["segment"]
        chosen.choices = [("", _("Choose a segment")), *segments]


class MoodForm(forms.Form):
    label = forms.ChoiceField(label=_("Mood"), choices=MOODS)


class ReplyForm(forms.Form):
    subject = forms.CharField(label=_("Subject"), max_length=200)
    text = forms.CharField(label=_("Text"), max_length=20_000, widget=forms.Textarea({"rows": 6}))
    once = forms.CharField(widget=forms.HiddenInput, max_length=64)
