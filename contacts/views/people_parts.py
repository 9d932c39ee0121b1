"""The parts of a person: jobs, every address, number and id, and what people are to each other."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Company, Contact, ContactPoint, Employment, Relationship
from contacts.services import employments, points, relationships
from contacts.validation import CHANNELS
from contacts.views.cells import contact_url, reference
from contacts.views.common import number
from contacts.views.lookup import LookupInput
from contacts.views.parts import Kind, Line, PartForm, of
from contacts.views.words import CHANNEL_WORDS
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web import cells

SHOWN = 50


def day_field(label: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=widget)


def line_field(label: Any, limit: int, help_text: Any = "", **attrs: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", **attrs})
    return forms.CharField(label=label, max_length=limit, required=False, help_text=help_text, widget=widget)


# --- jobs -------------------------------------------------------------------------------------------------
class EmploymentForm(PartForm):
    company = forms.IntegerField(label=gettext_lazy("Company"), required=False)
    title = line_field(gettext_lazy("Job title"), 200)
    department = line_field(gettext_lazy("Department"), 120)
    starts_on = day_field(gettext_lazy("From"))
    ends_on = day_field(gettext_lazy("Until"))
    is_primary = forms.BooleanField(
        label=gettext_lazy("Primary: shown as the company of this person"), required=False
    )

    def start_of(self, row: Employment) -> dict[str, Any]:
        return super().start_of(row) | {"company": row.company_id}

    def prepare(self) -> None:
        chosen = number(self["company"].value())
        company = Company.objects.visible_to(self.user).filter(pk=chosen).first() if chosen else None
        kept = self.row is not None and chosen == self.row.company_id
        text = str(company) if company is not None else str(_("hidden")) if kept and chosen else ""
        self.fields["company"].widget = LookupInput("contacts:company-lookup", text=text)

    def data_for_service(self) -> dict[str, Any]:
        data = super().data_for_service()
        if self.row is not None and data["company"] == self.row.company_id:
            del data["company"]  # it may be hidden from the person, and stays
        return data


def span(row: Employment) -> Any:
    """``Mar. 1, 2020 – May 31, 2022``; open where it is not known or goes on."""
    if row.starts_on is None and row.ends_on is None:
        return ""
    first = cells.day(row.starts_on) if row.starts_on else "…"
    last = cells.day(row.ends_on) if row.ends_on else _("today")
    return format_html("{} – {}", first, last)


def _job(row: Employment, text: Any, note: list[Any]) -> Line:
    days = span(row)
    parts = [part for part in [*note, days] if part]
    tag = _("primary") if row.is_primary else ""
    return Line(
        row.pk,
        "briefcase",
        text,
        format_html(" · ".join(["{}"] * len(parts)), *parts) if parts else "",
        tag,
        soft=row.ends_on is not None and row.ends_on < employments.today(),
    )


def jobs_of_contact(record: Contact, user: Any) -> list[Line]:
    """The primary one first, then those that go on, then the latest."""
    rows = list(
        record.employments.select_related("company").order_by("-is_primary", "-ends_on", "-id")[:SHOWN]
    )
    mark_hidden(rows, user, "company")
    return [_job(row, reference(row, "company"), [row.title, row.department]) for row in rows]


def jobs_at_company(record: Company, user: Any) -> list[Line]:
    """Jobs of people whom the person may see."""
    rows = Employment.objects.visible_to(user).filter(company=record).select_related("contact")
    rows = rows.defer("contact__search_text", "contact__custom", "contact__consent")
    return [
        _job(row, cells.link(contact_url(row.contact_id), row.contact), [row.title, row.department])
        for row in rows.order_by("-ends_on", "-id")[:SHOWN]
    ]


EMPLOYMENTS = Kind(
    name="employments",
    about="contact",
    model=Contact,
    title=gettext_lazy("Jobs"),
    empty=gettext_lazy("No job is known. Name the company of this person, or add a job."),
    new=gettext_lazy("Add a job"),
    lines=jobs_of_contact,
    row=of(Employment, "contact", "company"),
    form=EmploymentForm,
    add=lambda record, data, actor: employments.employment_add(data={**data, "contact": record}, actor=actor),
    change=lambda row, data, actor, version: employments.employment_update(
        employment=row, data=data, actor=actor, expected_version=version
    ),
    remove=lambda row, actor: employments.employment_remove(employment=row, actor=actor),
    warning=gettext_lazy("The job goes from this person’s history. Set its last day instead if they left."),
)


# --- addresses, numbers, ids --------------------------------------------------------------------------------
class PointForm(PartForm):
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=ContactPoint.Kind.choices)
    value = line_field(gettext_lazy("Address, number or id"), 254)
    label = line_field(
        gettext_lazy("Label"), 60, gettext_lazy("Such as work or private; of an id, its system.")
    )
    is_primary = forms.BooleanField(label=gettext_lazy("Primary: the one that is used first"), required=False)

    def prepare(self) -> None:
        if self.row is None:
            return
        self.fields["kind"].widget = forms.HiddenInput()
        if self.row.is_primary or self.row.kind == ContactPoint.Kind.EXTERNAL_ID:
            del self.fields["is_primary"]


_ICONS = {"email": "mail", "phone": "phone", "external_id": "id"}
_SCHEMES = {"email": "mailto", "phone": "tel"}


def points_of(record: Contact, user: Any) -> list[Line]:
    rows = record.points.order_by("kind", "-is_primary", "id")[:SHOWN]
    return [
        Line(
            row.pk,
            _ICONS[row.kind],
            format_html('<a href="{}:{}">{}</a>', _SCHEMES[row.kind], row.value, row.value)
            if row.kind in _SCHEMES
            else row.value,
            row.label,
            _("primary") if row.is_primary else "",
        )
        for row in rows
    ]


def _consents(record: Contact, user: Any) -> dict[str, Any]:
    given = record.consent if isinstance(record.consent, dict) else {}
    found = [_consent(c, given[c]) for c in CHANNELS if isinstance(given.get(c), dict)]
    return {"extra_template": "contacts/panel_consents.html", "consents": found}


def _consent(channel: str, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    at = parse_datetime(str(given.get("at") or ""))
    return CHANNEL_WORDS[channel], given | {"on": None if at is None else at.date()}


POINTS = Kind(
    name="points",
    about="contact",
    model=Contact,
    title=gettext_lazy("Ways to reach"),
    empty=gettext_lazy("No address and no number is known."),
    new=gettext_lazy("Add an address, number or id"),
    lines=points_of,
    row=of(ContactPoint),
    form=PointForm,
    add=lambda record, data, actor: points.point_add(data={**data, "contact": record}, actor=actor),
    change=lambda row, data, actor, version: points.point_update(
        point=row, data=data, actor=actor, expected_version=version
    ),
    remove=lambda row, actor: points.point_remove(point=row, actor=actor),
    warning=gettext_lazy("After a primary one the oldest other of its kind takes its place."),
    more=_consents,
)

# --- what people are to each other ---------------------------------------------------------------------------
#: each kind as the other side says it
INVERSE = {
    "reports_to": gettext_lazy("manages"),
    "influences": gettext_lazy("is influenced by"),
    "assistant_of": gettext_lazy("has as assistant"),
    "referred_by": gettext_lazy("referred"),
}


class RelationshipForm(PartForm):
    """Read from the person of the page; ``-kind`` says the inverse."""

    kind = forms.ChoiceField(label=gettext_lazy("This person"))
    related = forms.IntegerField(label=gettext_lazy("Whom"), required=False)
    note = line_field(gettext_lazy("Note"), 300)

    def prepare(self) -> None:
        field: Any = self.fields["kind"]
        if self.row is not None:
            del self.fields["related"]
        outward = list(Relationship.Kind.choices)
        inward = [(f"-{kind}", label) for kind, label in INVERSE.items()]
        if self.row is None:
            field.choices = [*outward, *inward]
            self.fields["related"].widget = LookupInput("contacts:contact-lookup", text=self.named())
        else:
            mutual = [(kind, label) for kind, label in outward if kind not in INVERSE]
            field.choices = outward if self.row.contact_id == self.record.pk else [*inward, *mutual]

    def named(self) -> str:
        chosen = number(self["related"].value())
        row = Contact.objects.visible_to(self.user).filter(pk=chosen).first() if chosen else None
        return str(row) if row is not None else ""

    def start_of(self, row: Relationship) -> dict[str, Any]:
        inward = row.contact_id != self.record.pk and row.kind in INVERSE
        return {"kind": f"-{row.kind}" if inward else row.kind, "note": row.note, "version": row.version}

    def data_for_service(self) -> dict[str, Any]:
        data = super().data_for_service()
        kind = data["kind"].removeprefix("-")
        if self.row is not None:
            return data | {"kind": kind}
        ends = (self.record, data["related"])
        one, other = ends if kind == data["kind"] else ends[::-1]
        return data | {"kind": kind, "contact": one, "related": other}


def relationships_of(record: Contact, user: Any) -> list[Line]:
    """As the person of the page says them; only with people whom the reader may see."""
    rows = Relationship.objects.visible_to(user).filter(Q(contact=record) | Q(related=record))
    found = []
    for row in rows.select_related("contact", "related").order_by("kind", "-id")[:SHOWN]:
        outward = row.contact_id == record.pk
        other = row.related if outward else row.contact
        words = row.get_kind_display() if outward else INVERSE.get(row.kind, row.get_kind_display())
        text = format_html("{} {}", words, cells.link(contact_url(other.pk), other))
        notes = [other.job_title, row.note]
        found.append(Line(row.pk, "affiliate", text, " · ".join(note for note in notes if note)))
    return found


def _relationship(record: Contact, pk: int) -> Any:
    rows = Relationship.objects.filter(Q(contact=record) | Q(related=record), pk=pk)
    return rows.select_related("contact", "related").first()


RELATIONSHIPS = Kind(
    name="relationships",
    about="contact",
    model=Contact,
    title=gettext_lazy("Relationships"),
    empty=gettext_lazy("Who reports to whom, who influences whom: add the people who matter here."),
    new=gettext_lazy("Add a relationship"),
    lines=relationships_of,
    row=_relationship,
    form=RelationshipForm,
    add=lambda record, data, actor: relationships.relationship_add(data=data, actor=actor),
    change=lambda row, data, actor, version: relationships.relationship_update(
        relationship=row, data=data, actor=actor, expected_version=version
    ),
    remove=lambda row, actor: relationships.relationship_remove(relationship=row, actor=actor),
    warning=gettext_lazy("The relationship goes from the pages of both people."),
)
PEOPLE_PARTS = (EMPLOYMENTS, POINTS, RELATIONSHIPS)
