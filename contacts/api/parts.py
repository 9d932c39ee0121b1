"""What hangs on a contact or company, each a resource of its own: ``?contact=`` and ``?company=`` narrow the lists."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts.filters import DomainFilter, EmploymentFilter, LifecycleFilter, PointFilter
from contacts.models import Company, CompanyDomain, Contact, ContactPoint, Employment, LifecycleChange
from contacts.services import domains, employments, points
from crmcem.lib.api.fields import Reference
from crmcem.lib.api.serializers import HouseSerializer
from crmcem.lib.api.views import HouseViewSet, ListAction, RetrieveAction
from crmcem.lib.keyset import Order

from .records import Record
from .serializers import ACTOR, STAMPS, UNCHECKED, ExpandedCompanySerializer, ExpandedContactSerializer


class PartSerializer(HouseSerializer):
    """The record that a part belongs to can't be changed; make the part anew instead."""

    #: fields that stand once the row is there
    fixed: tuple[str, ...] = ("contact",)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is None:
            return attrs
        for name in self.fixed:
            if name in attrs and attrs.pop(name) != getattr(self.instance, name):
                detail = _("This can't change. Remove the entry and make it anew.")
                raise serializers.ValidationError({name: [serializers.ErrorDetail(detail, "fixed")]})
        return attrs


class EmploymentSerializer(PartSerializer):
    contact = Reference(queryset=Contact.objects.all())
    company = Reference(queryset=Company.objects.all())

    class Meta:
        model = Employment
        fields = (
            *("id", "contact", "company", "title", "department", "starts_on", "ends_on", "is_primary"),
            *STAMPS,
        )
        read_only_fields = STAMPS
        validators: tuple[Any, ...] = ()


class PointSerializer(PartSerializer):
    contact = Reference(queryset=Contact.objects.all())

    class Meta:
        model = ContactPoint
        fields = ("id", "contact", "kind", "value", "label", "is_primary", "created_at", "version")
        read_only_fields = ("created_at", "version")
        extra_kwargs = {"value": UNCHECKED}
        validators: tuple[Any, ...] = ()


class DomainSerializer(PartSerializer):
    fixed = ("company",)
    company = Reference(queryset=Company.objects.all())

    class Meta:
        model = CompanyDomain
        fields = ("id", "company", "domain", "is_primary", *STAMPS)
        read_only_fields = STAMPS
        extra_kwargs = {"domain": UNCHECKED}
        validators: tuple[Any, ...] = ()


class LifecycleChangeSerializer(HouseSerializer):
    contact = Reference(read_only=True)
    actor = serializers.SerializerMethodField()

    class Meta:
        model = LifecycleChange
        fields = ("id", "contact", "from_stage", "to_stage", "at", "actor", "reason")
        read_only_fields = fields

    @extend_schema_field(ACTOR)
    def get_actor(self, row: LifecycleChange) -> dict[str, str | None]:
        return {"kind": row.actor_kind, "id": None if row.actor_id is None else str(row.actor_id)}


class PartViewSet(Record):
    """Whoever may change a record may take its parts away."""

    area = "contacts"
    scope_actions = {"destroy": "write"}


class EmploymentViewSet(PartViewSet):
    """Where people work and have worked. The primary one is the ``company`` and ``job_title`` of the contact."""

    queryset = Employment.objects.all()
    serializer_class = EmploymentSerializer
    filterset_class = EmploymentFilter
    orderings = (Order("starts_on", nullable=True), Order("ends_on", nullable=True))
    expandable = {"contact": ExpandedContactSerializer, "company": ExpandedCompanySerializer}

    def perform_create(self, data: dict[str, Any]) -> Employment:
        return employments.employment_add(data=data, actor=self.actor)

    def perform_update(self, row: Employment, data: dict[str, Any], version: int | None) -> Employment:
        return employments.employment_update(
            employment=row, data=data, actor=self.actor, expected_version=version
        )

    def perform_destroy(self, row: Employment, version: int | None) -> None:
        employments.employment_remove(employment=row, actor=self.actor, expected_version=version)


class PointViewSet(PartViewSet):
    """E-mail addresses, phone numbers and further external ids. The primary ones stand on the contact too."""

    queryset = ContactPoint.objects.all()
    serializer_class = PointSerializer
    filterset_class = PointFilter
    orderings = (Order("created_at"),)
    expandable = {"contact": ExpandedContactSerializer}

    def perform_create(self, data: dict[str, Any]) -> ContactPoint:
        return points.point_add(data=data, actor=self.actor)

    def perform_update(self, row: ContactPoint, data: dict[str, Any], version: int | None) -> ContactPoint:
        return points.point_update(point=row, data=data, actor=self.actor, expected_version=version)

    def perform_destroy(self, row: ContactPoint, version: int | None) -> None:
        points.point_remove(point=row, actor=self.actor, expected_version=version)


class DomainViewSet(PartViewSet):
    """Domains of companies. The primary one is the ``domain`` of the company."""

    queryset = CompanyDomain.objects.all()
    serializer_class = DomainSerializer
    filterset_class = DomainFilter
    orderings = (Order("domain"),)
    expandable = {"company": ExpandedCompanySerializer}

    def perform_create(self, data: dict[str, Any]) -> CompanyDomain:
        return domains.domain_add(data=data, actor=self.actor)

    def perform_update(self, row: CompanyDomain, data: dict[str, Any], version: int | None) -> CompanyDomain:
        return domains.domain_update(domain=row, data=data, actor=self.actor, expected_version=version)

    def perform_destroy(self, row: CompanyDomain, version: int | None) -> None:
        domains.domain_remove(domain=row, actor=self.actor, expected_version=version)


class LifecycleChangeViewSet(ListAction, RetrieveAction, HouseViewSet):
    """Every step from one lifecycle stage to another, whoever made it: written by the database, changed by nobody."""

    area = "contacts"
    queryset = LifecycleChange.objects.all()
    serializer_class = LifecycleChangeSerializer
    filterset_class = LifecycleFilter
    expandable = {"contact": ExpandedContactSerializer}
