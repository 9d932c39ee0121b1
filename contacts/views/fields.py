"""The fields of a contact or company that are changed in place: what they show and the input they need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.custom.computed import computed_fields, put_computed, readable
from contacts.custom.definitions import Definition, active, every
from contacts.custom.layouts import arrange
from contacts.custom.links import link_names
from contacts.models import Company, Contact, Lifecycle
from contacts.selectors.tags import colours
from contacts.services.companies import company_update
from contacts.services.contacts import contact_update
from contacts.views.cells import company_link, reference, stage
from contacts.views.common import people
from contacts.views.custom_cells import plain, value_of
from contacts.views.custom_cells import shown as custom_shown
from contacts.views.custom_inputs import KEPT, input_of, start_of
from contacts.views.lookup import LookupInput
from contacts.views.tag_inputs import TagsInput
from crmcem.lib.birthdays import spoken, written
from crmcem.lib.visibility import name_of
from crmcem.lib.web import cells


@dataclass(frozen=True, slots=True)
class EditField:
    """``show(row)`` is the cell, ``input(row, user)`` the form's field, ``value(row)`` what it starts with."""

    key: str
    label: Any
    show: Callable[[Any], Any]
    input: Callable[[Any], forms.Field]
    value: Callable[[Any], Any]
    scope: str = "contacts:write"
    icon: str = ""
    computed: bool = False


def _plain(limit: int, kind: str = "text") -> Callable[[Any], forms.Field]:
    return lambda row: forms.CharField(
        required=False, max_length=limit, widget=forms.TextInput(attrs={"type": kind, "autocomplete": "off"})
    )


def _text(key: str, label: Any, limit: int, kind: str = "text", icon: str = "") -> EditField:
    return EditField(
        key,
        label,
        lambda row: cells.text(getattr(row, key)),
        _plain(limit, kind),
        lambda row: getattr(row, key) or "",
        icon=icon,
    )


def _mail(row: Any) -> SafeString:
    if not row.email:
        return cells.NONE
    return mark_safe(f'<a href="mailto:{escape(row.email)}">{escape(row.email)}</a>')  # noqa: S308


def _phone(row: Any) -> SafeString:
    if not row.phone:
        return cells.NONE
    return mark_safe(f'<a href="tel:{escape(row.phone)}">{escape(row.phone)}</a>')  # noqa: S308


def _website(row: Any) -> SafeString:
    if not row.website:
        return cells.NONE
    url = escape(row.website)
    if not row.website.lower().startswith(("http://", "https://")):
        return escape(row.website)
    return mark_safe(f'<a href="{url}" rel="noopener noreferrer nofollow" target="_blank">{url}</a>')  # noqa: S308


def _owner_input(row: Any) -> forms.Field:
    return forms.ChoiceField(
        required=False, choices=[("", _("Nobody")), *people(current=row.owner)], label=_("Owner")
    )


def _company_input(row: Any) -> forms.Field:
    field = forms.IntegerField(required=False)
    field.widget = LookupInput("contacts:company-lookup", text=name_of(row, "company"))
    return field


def _parent_input(row: Any) -> forms.Field:
    field = forms.IntegerField(required=False)
    field.widget = LookupInput("contacts:company-lookup", text=name_of(row, "parent"))
    return field


OWNER = EditField(
    "owner",
    gettext_lazy("Owner"),
    lambda row: cells.person(row.owner),
    _owner_input,
    lambda row: str(row.owner_id or ""),
    scope="contacts:assign",
)
PHONE = EditField(
    "phone", gettext_lazy("Phone"), _phone, _plain(60, "tel"), lambda row: row.phone or "", icon="phone"
)

CONTACT_FIELDS: dict[str, EditField] = {
    field.key: field
    for field in (
        EditField(
            "company",
            gettext_lazy("Company"),
            company_link,
            _company_input,
            lambda row: row.company_id,
            icon="building",
        ),
        EditField(
            "lifecycle_stage",
            gettext_lazy("Stage"),
            lambda row: stage(row.lifecycle_stage),
            lambda row: forms.ChoiceField(choices=Lifecycle.choices),
            lambda row: row.lifecycle_stage,
        ),
        OWNER,
        EditField(
            "email",
            gettext_lazy("E-mail"),
            _mail,
            _plain(254, "email"),
            lambda row: row.email or "",
            icon="mail",
        ),
        PHONE,
        _text("job_title", gettext_lazy("Job title"), 200),
        EditField(
            "birthday",
            gettext_lazy("Birthday"),
            lambda row: cells.text(spoken(row.birthday) if row.birthday else ""),
            _plain(20),
            lambda row: written(row.birthday) or "",
        ),
        EditField(
            "tags",
            gettext_lazy("Tags"),
            lambda row: cells.tags(row.tags, shown=50, colours=colours(row.tags)),
            lambda row: forms.CharField(max_length=3200, required=False, widget=TagsInput),
            lambda row: ", ".join(row.tags),
        ),
        _text("language", gettext_lazy("Language"), 12),
        _text("time_zone", gettext_lazy("Time zone"), 64),
        _text("external_id", gettext_lazy("External id"), 200),
    )
}
COMPANY_FIELDS: dict[str, EditField] = {
    field.key: field
    for field in (
        _text("domain", gettext_lazy("Domain"), 253),
        _text("industry", gettext_lazy("Industry"), 120),
        EditField(
            "size",
            gettext_lazy("Employees"),
            lambda row: cells.number(row.size),
            _plain(14),
            lambda row: "" if row.size is None else str(row.size),
        ),
        OWNER,
        PHONE,
        EditField(
            "website", gettext_lazy("Website"), _website, _plain(500, "url"), lambda row: row.website or ""
        ),
        EditField(
            "parent",
            gettext_lazy("Parent company"),
            lambda row: reference(row, "parent"),
            _parent_input,
            lambda row: row.parent_id,
        ),
        _text("external_id", gettext_lazy("External id"), 200),
    )
}
#: references whose record may be hidden from the person, by model
HIDEABLE = {Contact: ("company",), Company: ("parent",)}
CONTACT_FACTS = ("company", "lifecycle_stage", "owner", "email", "phone")
COMPANY_FACTS = ("domain", "industry", "size", "owner", "phone")


def fields_of(model: Any) -> dict[str, EditField]:
    """Every field of a record by the name it has in addresses, the custom ones as ``custom-key``."""
    own = CONTACT_FIELDS if model is Contact else COMPANY_FIELDS
    return own | {each.key: each for each in map(custom_field, active(entity_of(model)).values())}


def entity_of(model: Any) -> str:
    return "contact" if model is Contact else "company"


def custom_field(definition: Definition) -> EditField:
    """A custom field in place. The row has ``link_names`` (``with_links``)."""
    key = definition.key
    return EditField(
        f"custom-{key}",
        definition.label,
        lambda row: custom_shown(definition, value_of(definition, row), row.link_names),
        lambda row: input_of(definition, row.custom.get(key), row.link_names),
        lambda row: start_of(definition, row.custom.get(key), row.link_names),
        computed=definition.computed,
    )


def with_links(row: Any, user: Any) -> Any:
    """The row with its computed fields, and the names of the records that it links to and that the person may see."""
    entity = entity_of(type(row))
    row.link_names = link_names(active(entity).values(), [row], user)
    put_computed(entity, [row], computed_fields(entity, user.may), user)
    return row


def shown(row: Any, names: Any, user: Any) -> list[dict[str, Any]]:
    """``[{field, html, editable}]`` of those fields of a record, as ``contacts/field.html`` wants them."""
    known = fields_of(type(row))
    return [item(row, known[name], user) for name in names]


def item(row: Any, field: EditField, user: Any) -> dict[str, Any]:
    url_name = "contacts:company-field" if isinstance(row, Company) else "contacts:contact-field"
    return {
        "field": field,
        "html": field.show(row),
        "editable": not field.computed and user.may("contacts:write") and user.may(field.scope),
        "url": reverse(url_name, args=[row.pk, field.key]),
    }


def update(row: Any, name: str, value: Any, version: int | None, actor: Any) -> Any:
    """Change one field of a contact or company by its service."""
    if name in {"owner", "company", "parent"}:
        value = int(value) if value else None
    data: Mapping[str, Any] = {name: value}
    if name.startswith("custom-"):
        key = name.removeprefix("custom-")
        kept = value == KEPT and every(entity_of(type(row)))[key].type == "link"
        data = {"custom": {key: row.custom.get(key) if kept else value}}
    if isinstance(row, Company):
        return company_update(company=row, data=data, actor=actor, expected_version=version)
    return contact_update(contact=row, data=data, actor=actor, expected_version=version)


def undefined(row: Any) -> list[tuple[str, str]]:
    """What is stored under no definition (or an archived one), by name, as text."""
    known = active(entity_of(type(row)))
    labels = {key: each.label for key, each in every(entity_of(type(row))).items() if each.type != "link"}
    hidden = {key for key, each in every(entity_of(type(row))).items() if each.type == "link"}
    return [
        (str(labels.get(key) or key.replace("_", " ").capitalize()), plain(value))
        for key, value in sorted(row.custom.items())
        if key not in known and key not in hidden
    ][:60]


def details(row: Any, user: Any, facts: Any) -> list[dict[str, Any]]:
    """``[{label, fields}]``: the fields that are not in the header, as the layout of the person's team has them."""
    model = type(row)
    known = fields_of(model)
    for each in active(entity_of(model)).values():
        if not readable(each, user.may):
            del known[f"custom-{each.key}"]
    own = [name for name in (CONTACT_FIELDS if model is Contact else COMPANY_FIELDS) if name not in facts]
    with_links(row, user)
    groups = []
    for group in arrange(entity_of(model), own, user.team_id):
        names = [name.replace("custom.", "custom-", 1) for name in group.names]
        found = [item(row, known[name], user) for name in names if name in known]
        if found:
            groups.append({"label": group.label, "fields": found})
    return groups
