"""Who people are to each other, where they live, and where they are on the web."""

from typing import Any

from contacts.filters import AddressFilter, ProfileFilter, RelationshipFilter
from contacts.models import Address, Company, Contact, Relationship, SocialProfile
from contacts.services import places, relationships
from crmcem.lib.api.fields import Reference
from crmcem.lib.keyset import Order

from .parts import PartSerializer, PartViewSet
from .serializers import STAMPS, UNCHECKED, ExpandedCompanySerializer, ExpandedContactSerializer


class RelationshipSerializer(PartSerializer):
    fixed = ("contact", "related")
    contact = Reference(queryset=Contact.objects.all())
    related = Reference(queryset=Contact.objects.all())

    class Meta:
        model = Relationship
        fields = ("id", "contact", "related", "kind", "note", *STAMPS)
        read_only_fields = STAMPS
        validators: tuple[Any, ...] = ()


class _EitherSerializer(PartSerializer):
    fixed = ("contact", "company")
    contact = Reference(queryset=Contact.objects.all(), required=False, allow_null=True)
    company = Reference(queryset=Company.objects.all(), required=False, allow_null=True)


class AddressSerializer(_EitherSerializer):
    class Meta:
        model = Address
        fields = (
            *("id", "contact", "company", "kind", "lines", "postal_code", "city", "region", "country"),
            *("is_primary", *STAMPS),
        )
        read_only_fields = STAMPS
        extra_kwargs = {"country": {"max_length": 40}}
        validators: tuple[Any, ...] = ()


class ProfileSerializer(_EitherSerializer):
    class Meta:
        model = SocialProfile
        fields = ("id", "contact", "company", "network", "handle", "url", *STAMPS)
        read_only_fields = STAMPS
        extra_kwargs = {"url": UNCHECKED}


class RelationshipViewSet(PartViewSet):
    """What one person is to another, read as a sentence: ``contact`` *reports to* ``related``."""

    queryset = Relationship.objects.all()
    serializer_class = RelationshipSerializer
    filterset_class = RelationshipFilter
    expandable = {"contact": ExpandedContactSerializer, "related": ExpandedContactSerializer}

    def perform_create(self, data: dict[str, Any]) -> Relationship:
        return relationships.relationship_add(data=data, actor=self.actor)

    def perform_update(self, row: Relationship, data: dict[str, Any], version: int | None) -> Relationship:
        return relationships.relationship_update(
            relationship=row, data=data, actor=self.actor, expected_version=version
        )

    def perform_destroy(self, row: Relationship, version: int | None) -> None:
        relationships.relationship_remove(relationship=row, actor=self.actor, expected_version=version)


class _EitherViewSet(PartViewSet):
    orderings = (Order("created_at"),)
    expandable = {"contact": ExpandedContactSerializer, "company": ExpandedCompanySerializer}


class AddressViewSet(_EitherViewSet):
    """Postal addresses of contacts and companies; ``country`` is an ISO code of two letters."""

    queryset = Address.objects.all()
    serializer_class = AddressSerializer
    filterset_class = AddressFilter

    def perform_create(self, data: dict[str, Any]) -> Address:
        return places.address_add(data=data, actor=self.actor)

    def perform_update(self, row: Address, data: dict[str, Any], version: int | None) -> Address:
        return places.address_update(address=row, data=data, actor=self.actor, expected_version=version)

    def perform_destroy(self, row: Address, version: int | None) -> None:
        places.address_remove(address=row, actor=self.actor, expected_version=version)


class ProfileViewSet(_EitherViewSet):
    """Social profiles: the name on a network, its web address, or both."""

    queryset = SocialProfile.objects.all()
    serializer_class = ProfileSerializer
    filterset_class = ProfileFilter

    def perform_create(self, data: dict[str, Any]) -> SocialProfile:
        return places.profile_add(data=data, actor=self.actor)

    def perform_update(self, row: SocialProfile, data: dict[str, Any], version: int | None) -> SocialProfile:
        return places.profile_update(profile=row, data=data, actor=self.actor, expected_version=version)

    def perform_destroy(self, row: SocialProfile, version: int | None) -> None:
        places.profile_remove(profile=row, actor=self.actor, expected_version=version)
