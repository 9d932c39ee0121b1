"""The forms of contacts and companies. They only carry text: what is right is for the services to say."""

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from contacts.models import Company, Contact, Lifecycle
from contacts.views.common import form_key, number, people
from contacts.views.custom_form import CustomForm
from contacts.views.lookup import LookupInput
from contacts.views.tag_inputs import TagsInput
from crmcem.lib.birthdays import written
from crmcem.lib.cleaning import zone_names


def _text(label: Any, limit: int, help_text: Any = "", **attrs: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=limit,
        required=False,
        help_text=help_text,
        widget=forms.TextInput(attrs={"autocomplete": "off", **attrs}),
    )


class RecordForm(CustomForm):
    """``user`` decides whether the owner can be chosen; ``record`` is the one that is changed."""

    #: fields that are checked for a duplicate while they are typed
    checked: tuple[str, ...] = ()
    #: what is sent along to be compared
    compared: tuple[str, ...] = ()
    check_url = ""

    form_key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None, *, user: Any, record: Any = None, initial: Any = None) -> None:
        start = self.start_of(record) if record is not None else {"form_key": form_key()}
        super().__init__(data, initial={**start, **(initial or {})})
        if user.may("contacts:assign"):
            owner: Any = forms.ChoiceField(label=_("Owner"), required=False)
            owner.choices = [("", _("Nobody")), *people(current=getattr(record, "owner", None))]
            self.fields["owner"] = owner
            if record is None:
                self.initial.setdefault("owner", str(user.pk))
        self.add_custom(user, record)
        url = reverse(self.check_url)
        for name in self.fields.keys() & set(self.checked):
            self.fields[name].widget.attrs |= {
                "hx-get": f"{url}?except={record.pk if record else ''}",
                "hx-trigger": "input changed delay:400ms, change",
                "hx-include": ", ".join(f"[name={each}]" for each in self.compared),
                "hx-target": f"#{name}-check",
                "hx-sync": "this:replace",
            }

    def choose_company(self, name: str, user: Any, record: Any) -> None:
        """The input of a company by name; one that the person may not see stays, without its name."""
        chosen = number(self[name].value())
        company = Company.objects.visible_to(user).filter(pk=chosen).first() if chosen else None
        kept = record is not None and chosen == getattr(record, f"{name}_id") and chosen is not None
        text = str(company) if company is not None else str(_("hidden")) if kept else ""
        self.fields[name].widget = LookupInput("contacts:company-lookup", text=text)

    def start_of(self, record: Any) -> dict[str, Any]:
        raise NotImplementedError

    def data_for_service(self) -> dict[str, Any]:
        data = self.own_values()
        for name in {"owner", "company", "parent"} & data.keys():
            data[name] = number(data[name])
            if name not in self.data:  # not asked for: it stays, or is the acting person
                del data[name]
        return data


class ContactForm(RecordForm):
    entity = "contact"
    checked, check_url = ("last_name", "email", "phone"), "contacts:check"
    compared = ("first_name", "last_name", "email", "phone", "company")

    first_name = _text(_("First name"), 150)
    last_name = _text(_("Last name"), 150)
    email = _text(_("E-mail address"), 254, type="email", inputmode="email")
    phone = _text(_("Phone"), 60, type="tel", inputmode="tel")
    job_title = _text(_("Job title"), 200)
    birthday = _text(_("Birthday"), 20, _("Such as 1980-05-17, or --05-17 where the year is unknown."))
    company = forms.IntegerField(label=_("Company"), required=False)
    lifecycle_stage = forms.ChoiceField(label=_("Lifecycle stage"), choices=Lifecycle.choices)
    tags = forms.CharField(
        label=_("Tags"),
        max_length=3200,
        required=False,
        help_text=_("Several tags with commas between them."),
        widget=TagsInput,
    )
    language = _text(_("Language"), 12, _("Such as en or de: surveys and e-mails are in this language."))
    time_zone = _text(_("Time zone"), 64, _("Such as Europe/Berlin."), list="time-zones")
    external_id = _text(_("External id"), 200, _("Their id in another system."))

    def __init__(self, data: Any = None, *, user: Any, record: Any = None, initial: Any = None) -> None:
        super().__init__(data, user=user, record=record, initial=initial)
        if record is None and "first_name" in self.fields:
            self.fields["first_name"].widget.attrs["autofocus"] = True
        self.initial.setdefault("lifecycle_stage", Lifecycle.LEAD)
        if "company" in self.fields:
            self.choose_company("company", user, record)

    def start_of(self, record: Contact) -> dict[str, Any]:
        names = ("first_name", "last_name", "email", "phone", "job_title", "lifecycle_stage", "language")
        start = {name: getattr(record, name) for name in (*names, "time_zone", "external_id", "version")}
        more = {"company": record.company_id, "owner": str(record.owner_id or "")}
        more["birthday"] = written(record.birthday) or ""
        return start | more | {"tags": ", ".join(record.tags)}

    @property
    def zones(self) -> list[str]:
        """For the list of proposals."""
        return sorted(
            name for name in zone_names() if "/" in name and not name.startswith(("Etc/", "posix/"))
        )


class CompanyForm(RecordForm):
    entity, always = "company", ("name",)
    checked, check_url = ("name", "domain"), "contacts:company-check"
    compared = ("name", "domain", "phone")

    name = forms.CharField(label=_("Name"), max_length=300)
    domain = _text(_("Domain"), 253, _("Such as example.com."), inputmode="url")
    industry = _text(_("Industry"), 120)
    size = _text(_("Employees"), 14, inputmode="numeric")
    phone = _text(_("Phone"), 60, type="tel", inputmode="tel")
    website = _text(_("Website"), 500, inputmode="url")
    parent = forms.IntegerField(label=_("Parent company"), required=False)
    external_id = _text(_("External id"), 200, _("Its id in another system."))

    def __init__(self, data: Any = None, *, user: Any, record: Any = None, initial: Any = None) -> None:
        super().__init__(data, user=user, record=record, initial=initial)
        if "parent" in self.fields:
            self.choose_company("parent", user, record)

    def start_of(self, record: Company) -> dict[str, Any]:
        more = {"owner": str(record.owner_id or ""), "parent": record.parent_id}
        names = ("name", "domain", "industry", "size", "phone", "website", "external_id", "version")
        return {name: getattr(record, name) for name in names} | more
