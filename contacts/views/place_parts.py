"""The parts of both contacts and companies: postal addresses and social profiles; and the domains of a company."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.importing.folding import fold
from contacts.importing.parts import countries_by_name
from contacts.models import Address, Company, CompanyDomain, Contact, SocialProfile
from contacts.services import domains, places
from contacts.views.parts import Kind, Line, PartForm, of
from contacts.views.people_parts import SHOWN, line_field

PRIMARY = gettext_lazy("Primary: the one that is used first")


class _Keep(PartForm):
    """A primary one stays so until another takes its place: no box to untick."""

    def prepare(self) -> None:
        if self.row is not None and self.row.is_primary:
            del self.fields["is_primary"]


# --- addresses ------------------------------------------------------------------------------------------------
class AddressForm(_Keep):
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Address.Kind.choices)
    lines = forms.CharField(
        label=gettext_lazy("Street and number"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    postal_code = line_field(gettext_lazy("Postal code"), 20)
    city = line_field(gettext_lazy("City"), 120)
    region = line_field(gettext_lazy("Region"), 120)
    country = line_field(gettext_lazy("Country"), 40, gettext_lazy("Its name, or its code such as DE or US."))
    is_primary = forms.BooleanField(label=PRIMARY, required=False)

    def data_for_service(self) -> dict[str, Any]:
        data = super().data_for_service()
        return data | {"country": countries_by_name().get(fold(data["country"]), data["country"])}


def _addresses(record: Any, user: Any) -> list[Line]:
    rows = Address.objects.filter(**_of(record)).order_by("-is_primary", "id")[:SHOWN]
    return [
        Line(
            row.pk,
            "map-pin",
            format_html_join(", ", "{}", ((part,) for part in _parts(row))),
            row.get_kind_display(),
            _("primary") if row.is_primary else "",
        )
        for row in rows
    ]


def _parts(row: Address) -> list[str]:
    place = f"{row.postal_code} {row.city}".strip()
    return [part for part in (*row.lines.splitlines(), place, row.region, row.country) if part]


# --- social profiles ---------------------------------------------------------------------------------------------
class ProfileForm(PartForm):
    network = forms.ChoiceField(label=gettext_lazy("Network"), choices=SocialProfile.Network.choices)
    handle = line_field(gettext_lazy("Name there"), 120)
    url = line_field(
        gettext_lazy("Web address"),
        500,
        gettext_lazy("Left empty, it follows from the name on known networks."),
        inputmode="url",
    )


_BRANDS = {
    **{network: f"brand-{network}" for network in ("linkedin", "xing", "x", "mastodon", "bluesky")},
    **{network: f"brand-{network}" for network in ("facebook", "instagram", "youtube", "github")},
}


def _profiles(record: Any, user: Any) -> list[Line]:
    rows = SocialProfile.objects.filter(**_of(record)).order_by("network", "id")[:SHOWN]
    return [
        Line(row.pk, _BRANDS.get(row.network, "world"), _profile(row), row.get_network_display())
        for row in rows
    ]


def _profile(row: SocialProfile) -> Any:
    name = row.handle or row.url
    if not row.url.lower().startswith(("https://", "http://")):
        return name
    return format_html(
        '<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>', row.url, name
    )


# --- domains -------------------------------------------------------------------------------------------------------
class DomainForm(_Keep):
    domain = line_field(gettext_lazy("Domain"), 253, gettext_lazy("Such as example.com."), inputmode="url")
    is_primary = forms.BooleanField(label=PRIMARY, required=False)


def _domains(record: Company, user: Any) -> list[Line]:
    rows = record.domains.order_by("-is_primary", "domain")[:SHOWN]
    return [Line(row.pk, "world", row.domain, "", _("primary") if row.is_primary else "") for row in rows]


def _about(record: Any) -> str:
    return "contact" if isinstance(record, Contact) else "company"


def _of(record: Any) -> dict[str, Any]:
    return {_about(record): record}


def _adds(service: Callable[..., Any]) -> Callable[[Any, Any, Any], Any]:
    return lambda record, data, actor: service(data={**data, **_of(record)}, actor=actor)


def addresses(about: str) -> Kind:
    return Kind(
        name="addresses",
        about=about,
        model=Contact if about == "contact" else Company,
        title=gettext_lazy("Addresses"),
        empty=gettext_lazy("No postal address is known."),
        new=gettext_lazy("Add an address"),
        lines=_addresses,
        row=of(Address, about),
        form=AddressForm,
        add=_adds(places.address_add),
        change=lambda row, data, actor, version: places.address_update(
            address=row, data=data, actor=actor, expected_version=version
        ),
        remove=lambda row, actor: places.address_remove(address=row, actor=actor),
        warning=gettext_lazy("After a primary one the oldest other of its kind takes its place."),
    )


def profiles(about: str) -> Kind:
    return Kind(
        name="profiles",
        about=about,
        model=Contact if about == "contact" else Company,
        title=gettext_lazy("Social profiles"),
        empty=gettext_lazy("No profile is known."),
        new=gettext_lazy("Add a profile"),
        lines=_profiles,
        row=of(SocialProfile, about),
        form=ProfileForm,
        add=_adds(places.profile_add),
        change=lambda row, data, actor, version: places.profile_update(
            profile=row, data=data, actor=actor, expected_version=version
        ),
        remove=lambda row, actor: places.profile_remove(profile=row, actor=actor),
        warning=gettext_lazy("The profile is forgotten here. Nothing happens to it on its network."),
    )


DOMAINS = Kind(
    name="domains",
    about="company",
    model=Company,
    title=gettext_lazy("Domains"),
    empty=gettext_lazy("No domain is known. Imports and the search find a company by each of its domains."),
    new=gettext_lazy("Add a domain"),
    lines=_domains,
    row=of(CompanyDomain, "company"),
    form=DomainForm,
    add=_adds(domains.domain_add),
    change=lambda row, data, actor, version: domains.domain_update(
        domain=row, data=data, actor=actor, expected_version=version
    ),
    remove=lambda row, actor: domains.domain_remove(domain=row, actor=actor),
    warning=gettext_lazy("After a primary one the oldest other of its kind takes its place."),
)
PLACE_PARTS = (addresses("contact"), profiles("contact"), DOMAINS, addresses("company"), profiles("company"))
