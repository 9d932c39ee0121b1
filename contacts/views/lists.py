"""The lists of contacts and companies."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from contacts.builder import company_builder, contact_builder
from contacts.filters import CompanyFilter, ContactFilter
from contacts.models import Company, Contact
from contacts.selectors.rollups import NOBODY, company_pulses
from contacts.selectors.tags import colours
from contacts.selectors.vcards import vcards_of_page, vcards_with_notes
from contacts.views import cells as own
from contacts.views.bulk import COMPANY_ACTIONS, CONTACT_ACTIONS
from contacts.views.custom_lists import CustomList
from contacts.views.fields import COMPANY_FIELDS, CONTACT_FIELDS, EditField, update
from crmcem.lib.exporting import birthday_text, first, full_name, person, shown
from crmcem.lib.keyset import Order
from crmcem.lib.visibility import mark_hidden
from crmcem.lib.web import cells
from crmcem.lib.web.columns import Column
from crmcem.lib.web.exports import Format
from crmcem.lib.web.inline import Inline
from crmcem.lib.web.lists import Empty


def figure(name: str) -> Callable[[Any], Any]:
    """What a company's people add up to, as a plain value."""
    return lambda company: company.figures[name]


def editor(field: EditField) -> Inline:
    """A field that the record page changes in place is changed in the list in the same way."""

    def save(*, row: Any, value: Any, version: int, actor: Any) -> None:
        update(row, field.key, value, version, actor)

    return Inline(field.input, field.value, save, field.scope)


class ContactList(CustomList):
    """People, with how they feel, what they need and when something is due."""

    entity, title, scope = "contact", _("Contacts"), "contacts:read"
    count_label = _("contacts")
    template_name = "contacts/contact_list.html"
    filterset_class = ContactFilter
    export_formats = (
        Format("vcf", _("vCards (.vcf)"), "text/vcard", vcards_of_page),
        # What was said of a person is for colleagues: it leaves only where somebody chooses so
        Format(
            "notes.vcf",
            _("vCards with notes (.vcf)"),
            "text/vcard",
            vcards_with_notes,
            "interactions:read",
        ),
    )
    has_builder = True
    filter_fields: ClassVar[Sequence[str]] = (
        "segment",
        "lifecycle_stage",
        "owner",
        "tag",
        "followed",
        "pulse__nps__lte",
        "pulse__nps__gte",
        "pulse__open_cases__gt",
        "pulse__last_seen_at__lt",
        "created_at__gte",
    )
    filter_labels = {
        "segment": _("Segment"),
        "pulse__nps__lte": _("NPS at most"),
        "pulse__nps__gte": _("NPS at least"),
        "pulse__open_cases__gt": _("Open cases more than"),
        "pulse__last_seen_at__lt": _("Last seen before"),
        "created_at__gte": _("Created since"),
    }
    search_hint = _("Name, e-mail, phone or id")
    orderings = (
        Order("id"),
        Order("last_name"),
        Order("created_at"),
        Order("updated_at"),
        Order("pulse__nps", nullable=True),
        Order("pulse__last_seen_at", nullable=True),
        Order("pulse__next_activity_at", nullable=True),
    )
    bulk_actions = CONTACT_ACTIONS
    editors: ClassVar[Any] = {
        "phone": editor(CONTACT_FIELDS["phone"]),
        "stage": editor(CONTACT_FIELDS["lifecycle_stage"]),
        "owner": editor(CONTACT_FIELDS["owner"]),
        "tags": editor(CONTACT_FIELDS["tags"]),
        "email": editor(CONTACT_FIELDS["email"]),
        "job": editor(CONTACT_FIELDS["job_title"]),
        "birthday": editor(CONTACT_FIELDS["birthday"]),
        "language": editor(CONTACT_FIELDS["language"]),
        "external_id": editor(CONTACT_FIELDS["external_id"]),
    }
    create_url_name, create_label, create_scope = "contacts:new", _("New contact"), "contacts:write"
    empty = Empty(
        "users",
        _("No contacts yet"),
        _(
            "A contact is a person you deal with: what they did and how they felt about it comes together here."
        ),
        _("Import contacts"),
        "contacts:import",
        "imports:write",
        _("A CSV or Excel file with a name and an e-mail address in each row is enough to begin."),
    )
    columns = (
        Column(
            "name",
            _("Name"),
            lambda c: cells.main_link(own.contact_url(c.pk), c),
            sort="last_name",
            phone=True,
            export=first(full_name(), "email", "external_id"),
        ),
        Column("company", _("Company"), own.company_link, export=shown("company", "company__name")),
        Column(
            "phone", _("Phone"), lambda c: cells.text(c.phone), default=False, css="count", export="phone"
        ),
        Column("stage", _("Stage"), lambda c: own.stage(c.lifecycle_stage), export="lifecycle_stage"),
        Column(
            "since",
            _("Stage since"),
            lambda c: cells.moment(c.pulse.stage_since),
            default=False,
            export="pulse__stage_since",
        ),
        Column(
            "nps",
            _("NPS"),
            lambda c: own.nps(c.pulse.nps, c.pulse.nps_at),
            sort="pulse__nps",
            phone=True,
            export="pulse__nps",
        ),
        Column("cases", _("Open cases"), lambda c: own.cases(c.pulse.open_cases), export="pulse__open_cases"),
        Column(
            "seen",
            _("Last seen"),
            lambda c: cells.moment(c.pulse.last_seen_at),
            sort="pulse__last_seen_at",
            roomy=True,
            export="pulse__last_seen_at",
        ),
        Column(
            "next",
            _("Next activity"),
            lambda c: own.next_activity(c.pulse.next_activity_at),
            sort="pulse__next_activity_at",
            export="pulse__next_activity_at",
        ),
        Column("owner", _("Owner"), lambda c: cells.person(c.owner), export=person()),
        Column(
            "tags", _("Tags"), lambda c: cells.tags(c.tags, colours=c.tag_colours), roomy=True, export="tags"
        ),
        Column("email", _("E-mail"), lambda c: cells.text(c.email), default=False, export="email"),
        Column("job", _("Job title"), lambda c: cells.text(c.job_title), default=False, export="job_title"),
        Column(
            "birthday",
            _("Birthday"),
            CONTACT_FIELDS["birthday"].show,
            default=False,
            export=birthday_text("birthday"),
        ),
        Column("language", _("Language"), lambda c: cells.text(c.language), default=False, export="language"),
        Column("zone", _("Time zone"), lambda c: cells.text(c.time_zone), default=False, export="time_zone"),
        Column(
            "external_id",
            _("External id"),
            lambda c: cells.text(c.external_id),
            default=False,
            export="external_id",
        ),
        Column(
            "orders",
            _("Orders"),
            lambda c: cells.number(c.pulse.orders),
            css="num",
            default=False,
            export="pulse__orders",
        ),
        Column(
            "revenue",
            _("Revenue"),
            lambda c: cells.money(c.pulse.revenue),
            css="num",
            default=False,
            export="pulse__revenue",
        ),
        Column(
            "touched",
            _("Last touched"),
            lambda c: cells.moment(c.pulse.last_touched_at),
            default=False,
            export="pulse__last_touched_at",
        ),
        Column(
            "created",
            _("Created"),
            lambda c: cells.moment(c.created_at),
            sort="created_at",
            default=False,
            export="created_at",
        ),
        Column(
            "changed",
            _("Changed"),
            lambda c: cells.moment(c.updated_at),
            sort="updated_at",
            default=False,
            export="updated_at",
        ),
    )

    def builder(self, value: Any) -> dict[str, Any]:
        return contact_builder(self.request.user, value)

    def rows(self) -> QuerySet[Any]:
        found = Contact.objects.visible_to(self.request.user).select_related("pulse", "owner", "company")
        return self.with_custom(found, "search_text", "consent", "company__search_text", "company__custom")

    def prepare(self, rows: list[Any]) -> None:
        super().prepare(rows)
        mark_hidden(rows, self.request.user, "company")
        shown = any(column.key == "tags" for column in self.shown_columns)
        found = colours({tag for row in rows for tag in row.tags}) if shown else {}
        for row in rows:
            row.tag_colours = found

    @property
    def may_import(self) -> bool:
        return self.may("imports:write")


class CompanyList(CustomList):
    """Organisations, with what their people add up to."""

    entity, title, scope = "company", _("Companies"), "contacts:read"
    count_label = _("companies")
    filterset_class = CompanyFilter
    has_builder = True
    filter_fields = ("owner", "followed", "industry", "size__gte", "size__lte", "created_at__gte")
    filter_labels = {
        "size__gte": _("Employees at least"),
        "size__lte": _("Employees at most"),
        "created_at__gte": _("Created since"),
    }
    search_hint = _("Name, domain or id")
    orderings = (Order("id"), Order("name"))
    bulk_actions = COMPANY_ACTIONS
    editors: ClassVar[Any] = {
        key: editor(COMPANY_FIELDS[key])
        for key in ("domain", "industry", "size", "owner", "phone", "website", "external_id")
    }
    create_url_name, create_label, create_scope = "contacts:company-new", _("New company"), "contacts:write"
    empty = Empty(
        "building",
        _("No companies yet"),
        _("A company brings its people together: their mood, their cases and what is due next."),
        _("Import companies"),
        "contacts:import",
        "imports:write",
        _("Name and domain are enough to begin; people find their company by it."),
    )
    columns = (
        Column(
            "name",
            _("Name"),
            lambda c: cells.main_link(own.company_url(c.pk), c),
            sort="name",
            phone=True,
            export="name",
        ),
        Column("domain", _("Domain"), lambda c: cells.text(c.domain), roomy=True, export="domain"),
        Column("industry", _("Industry"), lambda c: cells.text(c.industry), export="industry"),
        Column("size", _("Employees"), lambda c: cells.number(c.size), css="num", roomy=True, export="size"),
        Column(
            "people",
            _("People"),
            lambda c: cells.number(c.figures["contacts"]),
            css="num",
            plain=figure("contacts"),
        ),
        Column(
            "nps",
            _("NPS"),
            lambda c: own.score(c.figures["nps"], c.figures["nps_n"], c.figures["nps_at"]),
            phone=True,
            plain=figure("nps"),
        ),
        Column(
            "cases",
            _("Open cases"),
            lambda c: own.cases(c.figures["open_cases"] or 0),
            plain=figure("open_cases"),
        ),
        Column(
            "seen",
            _("Last seen"),
            lambda c: cells.moment(c.figures["last_seen_at"]),
            roomy=True,
            plain=figure("last_seen_at"),
        ),
        Column(
            "next",
            _("Next activity"),
            lambda c: own.next_activity(c.figures["next_activity_at"]),
            plain=figure("next_activity_at"),
        ),
        Column("owner", _("Owner"), lambda c: cells.person(c.owner), export=person()),
        Column(
            "revenue",
            _("Revenue"),
            lambda c: cells.money(c.figures["revenue"]),
            css="num",
            default=False,
            plain=figure("revenue"),
        ),
        Column(
            "phone", _("Phone"), lambda c: cells.text(c.phone), default=False, css="count", export="phone"
        ),
        Column("website", _("Website"), lambda c: cells.text(c.website), default=False, export="website"),
        Column(
            "parent",
            _("Parent company"),
            lambda c: own.reference(c, "parent"),
            default=False,
            export=shown("parent", "parent__name"),
        ),
        Column(
            "external_id",
            _("External id"),
            lambda c: cells.text(c.external_id),
            default=False,
            export="external_id",
        ),
        Column(
            "created", _("Created"), lambda c: cells.moment(c.created_at), default=False, export="created_at"
        ),
    )

    def builder(self, value: Any) -> dict[str, Any]:
        return company_builder(self.request.user, value)

    def rows(self) -> QuerySet[Any]:
        found = Company.objects.visible_to(self.request.user).select_related("owner")
        if not self.shows_parent:
            return self.with_custom(found, "search_text")
        found = found.select_related("owner", "parent")
        return self.with_custom(found, "search_text", "parent__search_text", "parent__custom")

    @property
    def shows_parent(self) -> bool:
        return any(column.key == "parent" for column in self.shown_columns)

    def prepare(self, rows: list[Any]) -> None:
        super().prepare(rows)
        if self.shows_parent:
            mark_hidden(rows, self.request.user, "parent")
        figures = company_pulses([row.pk for row in rows], self.request.user)
        for row in rows:
            row.figures = figures.get(row.pk, NOBODY)
