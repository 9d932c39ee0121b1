"""The filters of customers and work: one FilterSet serves the web list and the API list."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts.conditions import company_fields, contact_fields
from contacts.custom.filtering import CustomFilters
from contacts.models import (
    Address,
    Attachment,
    Company,
    CompanyDomain,
    Contact,
    ContactPoint,
    CustomField,
    DuplicatePair,
    Employment,
    FieldLayout,
    Follower,
    ImportJob,
    Interaction,
    Lifecycle,
    LifecycleChange,
    MergeRecord,
    Relationship,
    Segment,
    SocialProfile,
    Task,
)
from contacts.quality import checks, checks_of
from contacts.selectors.search import COMPANIES, PEOPLE, search_rows
from contacts.selectors.tags import as_known
from crmcem.workspace.filtering import RANGE, ChoicesFilter, HouseFilterSet, IdFilter, PersonFilter

#: figures of Pulse that a list is filtered by
FIGURES = (
    "nps",
    "csat",
    "ces",
    "sentiment",
    "open_cases",
    "health",
    "churn_risk",
    "clv",
    "orders",
    "revenue",
)
TIMES = ("stage_since", "nps_at", "last_seen_at", "last_touched_at", "next_activity_at")


def followed(queryset: QuerySet[Any], user: Any, column: str, value: bool) -> QuerySet[Any]:
    """Only the rows that ``user`` follows (or doesn't)."""
    mine = Follower.objects.filter(user=user, **{f"{column}__isnull": False}).order_by().values(column)
    return queryset.filter(pk__in=mine) if value else queryset.exclude(pk__in=mine)


class Faulty(django_filters.ChoiceFilter):
    """The records that a check of the data quality finds (``contacts.quality``)."""

    def __init__(self, entity: str) -> None:
        self.entity = entity
        choices = [(check.key, check.label) for check in checks_of(entity)]
        super().__init__(choices=choices, label=_("Data quality"))

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if not value:
            return qs
        return qs.filter(checks[f"{self.entity}.{value}"].faulty(self.parent.request.user))


class ContactFilter(CustomFilters, HouseFilterSet):
    """Contacts: own fields, company, owner, tags, Pulse (``pulse__nps__gte``), segment, conditions, search."""

    registry = people = contact_fields
    entity = "contact"
    person = ""

    search = django_filters.CharFilter(method="filter_search", label=_("Search"))
    owner = PersonFilter(label=_("Owner"))
    company = IdFilter(label=_("Company"))
    tag = django_filters.CharFilter(method="filter_tag", label=_("Tag"))
    lifecycle_stage = django_filters.ChoiceFilter(choices=Lifecycle.choices, label=_("Lifecycle stage"))
    lifecycle_stage__in = ChoicesFilter(
        field_name="lifecycle_stage", choices=Lifecycle.choices, label=_("Lifecycle stages")
    )
    email = django_filters.CharFilter(method="filter_lower", label=_("E-mail address"))
    followed = django_filters.BooleanFilter(method="filter_followed", label=_("Followed by me"))
    quality = Faulty("contact")

    class Meta(HouseFilterSet.Meta):
        model = Contact
        fields = {
            "external_id": ["exact"],
            "phone": ["exact"],
            "first_name": ["exact", "istartswith"],
            "last_name": ["exact", "istartswith"],
            "language": ["exact"],
            "created_at": RANGE,
            "updated_at": RANGE,
            **{f"pulse__{name}": ["exact", *RANGE, "isnull"] for name in FIGURES},
            **{f"pulse__{name}": [*RANGE, "isnull"] for name in TIMES},
        }

    def filter_search(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return search_rows(PEOPLE, queryset, value)

    def filter_tag(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """All of the tags, separated by commas."""
        tags = [tag.strip().lower() for tag in value.split(",") if tag.strip()]
        return queryset.filter(tags__contains=as_known(tags))

    def filter_followed(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return followed(queryset, self.request.user, "contact_id", value)

    def filter_lower(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(**{name: value.strip().lower()})


class CompanyFilter(CustomFilters, HouseFilterSet):
    """Companies: own fields, owner, conditions, search."""

    registry = company_fields
    entity = "company"

    search = django_filters.CharFilter(method="filter_search", label=_("Search"))
    owner = PersonFilter(label=_("Owner"))
    quality = Faulty("company")
    domain = django_filters.CharFilter(method="filter_domain", label=_("Domain"))
    parent = IdFilter(label=_("Parent company"))
    followed = django_filters.BooleanFilter(method="filter_followed", label=_("Followed by me"))

    class Meta(HouseFilterSet.Meta):
        model = Company
        fields = {
            "external_id": ["exact"],
            "name": ["exact", "istartswith"],
            "industry": ["exact"],
            "size": ["exact", *RANGE],
            "created_at": RANGE,
            "updated_at": RANGE,
        }

    def filter_search(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return search_rows(COMPANIES, queryset, value)

    def filter_followed(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return followed(queryset, self.request.user, "company_id", value)

    def filter_domain(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """By any of the domains of a company."""
        theirs = CompanyDomain.objects.filter(domain=value.strip().lower()).order_by().values("company_id")
        return queryset.filter(pk__in=theirs)


class EmploymentFilter(HouseFilterSet):
    """Jobs: of a contact, at a company, those that are (not) the primary one."""

    contact = IdFilter(label=_("Contact"))
    company = IdFilter(label=_("Company"))
    ended = django_filters.BooleanFilter(
        field_name="ends_on", lookup_expr="isnull", exclude=True, label=_("Ended")
    )

    class Meta(HouseFilterSet.Meta):
        model = Employment
        fields = {"is_primary": ["exact"], "starts_on": RANGE, "ends_on": RANGE}


class DomainFilter(HouseFilterSet):
    """Domains: of a company, by name."""

    company = IdFilter(label=_("Company"))

    class Meta(HouseFilterSet.Meta):
        model = CompanyDomain
        fields = {"domain": ["exact"], "is_primary": ["exact"]}


class LifecycleFilter(HouseFilterSet):
    """Changes of stage: of a contact, from and to a stage, within a time."""

    contact = IdFilter(label=_("Contact"))

    class Meta(HouseFilterSet.Meta):
        model = LifecycleChange
        fields = {"from_stage": ["exact"], "to_stage": ["exact"], "at": RANGE, "actor_kind": ["exact"]}


class RelationshipFilter(HouseFilterSet):
    """Relationships: ``contact`` on either side, ``related`` on the other."""

    contact = IdFilter(method="filter_contact", label=_("Contact"))
    related = IdFilter(label=_("Related person"))

    class Meta(HouseFilterSet.Meta):
        model = Relationship
        fields = {"kind": ["exact"]}

    def filter_contact(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        if value == "none":
            return queryset.none()
        return queryset.filter(Q(contact_id=value) | Q(related_id=value))


class OnRecordFilter(HouseFilterSet):
    """What hangs on a record: of a contact, a company or a deal."""

    contact = IdFilter(label=_("Contact"))
    company = IdFilter(label=_("Company"))
    deal = IdFilter(method="filter_deal", label=_("Deal"))

    def filter_deal(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        if value == "none":
            return queryset.exclude(subject_type="deal")
        return queryset.filter(subject_type="deal", subject_id=value)


class AttachmentFilter(OnRecordFilter):
    class Meta(HouseFilterSet.Meta):
        model = Attachment
        fields = {"content_type": ["exact"], "created_at": RANGE}


class FollowerFilter(OnRecordFilter):
    user = PersonFilter(label=_("Person"))

    class Meta(HouseFilterSet.Meta):
        model = Follower
        fields = {"created_at": RANGE}


class AddressFilter(HouseFilterSet):
    """Addresses: of a contact or company, in a place."""

    contact = IdFilter(label=_("Contact"))
    company = IdFilter(label=_("Company"))

    class Meta(HouseFilterSet.Meta):
        model = Address
        fields = {"kind": ["exact"], "country": ["exact"], "city": ["exact"], "is_primary": ["exact"]}


class ProfileFilter(HouseFilterSet):
    """Social profiles: of a contact or company, on a network."""

    contact = IdFilter(label=_("Contact"))
    company = IdFilter(label=_("Company"))

    class Meta(HouseFilterSet.Meta):
        model = SocialProfile
        fields = {"network": ["exact"], "handle": ["exact"]}


class PointFilter(HouseFilterSet):
    """Addresses, numbers and external ids: of a contact, of a kind, with a value."""

    contact = IdFilter(label=_("Contact"))

    class Meta(HouseFilterSet.Meta):
        model = ContactPoint
        fields = {"kind": ["exact"], "value": ["exact"], "is_primary": ["exact"]}


class WorkFilter(HouseFilterSet):
    """What interactions and tasks share: whom they are about."""

    people = contact_fields

    search = django_filters.CharFilter(method="filter_search", label=_("Search"))
    contact = IdFilter(label=_("Contact"))
    company = IdFilter(label=_("Company"))
    deal = IdFilter(field_name="deal_id", label=_("Deal"))

    #: the columns that are searched
    searched: tuple[str, ...] = ()

    def filter_search(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        found = Q()
        for column in self.searched:
            found |= Q(**{f"{column}__icontains": value.strip()})
        return queryset.filter(found)


class InteractionFilter(WorkFilter):
    searched = ("subject", "body")
    owner = PersonFilter(label=_("Owner"))

    class Meta(HouseFilterSet.Meta):
        model = Interaction
        fields = {
            "kind": ["exact"],
            "direction": ["exact"],
            "occurred_at": RANGE,
            "created_at": RANGE,
            "updated_at": RANGE,
        }


class TaskFilter(WorkFilter):
    searched = ("title",)
    assignee = PersonFilter(field_name="owner", label=_("Assignee"))
    overdue = django_filters.BooleanFilter(method="filter_overdue", label=_("Overdue"))

    class Meta(HouseFilterSet.Meta):
        model = Task
        fields = {
            "status": ["exact"],
            "kind": ["exact"],
            "priority": ["exact"],
            "due_at": [*RANGE, "isnull"],
            "created_at": RANGE,
            "updated_at": RANGE,
        }

    def filter_overdue(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        late = Q(status=Task.Status.OPEN, due_at__lt=timezone.now())
        return queryset.filter(late) if value else queryset.exclude(late)


class ImportFilter(HouseFilterSet):
    """Imports: what they bring in, where they stand, who started them."""

    owner = PersonFilter(label=_("Started by"))
    object = django_filters.ChoiceFilter(
        choices=ImportJob._meta.get_field("object").choices, label=_("Records")
    )
    status = django_filters.ChoiceFilter(choices=ImportJob.Status.choices, label=_("Status"))
    mode = django_filters.ChoiceFilter(choices=ImportJob.Mode.choices, label=_("Mode"))

    class Meta(HouseFilterSet.Meta):
        model = ImportJob
        fields = {"created_at": RANGE}


class SegmentFilter(HouseFilterSet):
    """Segments: their kind, whose they are, who shares them."""

    search = django_filters.CharFilter(method="filter_search", label=_("Search"))
    owner = PersonFilter(label=_("Owner"))
    kind = django_filters.ChoiceFilter(choices=Segment.Kind.choices, label=_("Kind"))
    sharing = django_filters.ChoiceFilter(choices=Segment.Sharing.choices, label=_("Visible to"))

    class Meta(HouseFilterSet.Meta):
        model = Segment
        fields = {"created_at": RANGE, "updated_at": RANGE}

    def filter_search(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(name__icontains=value.strip())


class FieldLayoutFilter(HouseFilterSet):
    """Layouts: of which records, for which team."""

    team = IdFilter(label=_("Team"))

    class Meta(HouseFilterSet.Meta):
        model = FieldLayout
        fields = {"entity": ["exact"]}


class CustomFieldFilter(HouseFilterSet):
    """Custom fields: whose they are, and whether they are in use."""

    class Meta(HouseFilterSet.Meta):
        model = CustomField
        fields = {"entity": ["exact"], "key": ["exact"], "type": ["exact"], "archived": ["exact"]}


class DuplicateFilter(HouseFilterSet):
    """Pairs: of what, how sure, how far, with which record."""

    entity = django_filters.ChoiceFilter(choices=MergeRecord.Entity.choices, label=_("Records"))
    state = django_filters.ChoiceFilter(choices=DuplicatePair.State.choices, label=_("State"))
    exact = django_filters.BooleanFilter(label=_("Exact"))
    record = IdFilter(method="filter_record", label=_("One of the two"))

    class Meta(HouseFilterSet.Meta):
        model = DuplicatePair
        fields = {"score": RANGE, "created_at": RANGE}

    def filter_record(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        if value == "none":
            return queryset.none()
        return queryset.filter(Q(left_id=value) | Q(right_id=value))


class MergeFilter(HouseFilterSet):
    """Merges: of what, into what, and whether they still stand."""

    entity = django_filters.ChoiceFilter(choices=MergeRecord.Entity.choices, label=_("Records"))
    winner = IdFilter(field_name="winner_id", label=_("Kept record"))
    loser = IdFilter(field_name="loser_id", label=_("Merged record"))
    undone = django_filters.BooleanFilter(
        field_name="undone_at", lookup_expr="isnull", exclude=True, label=_("Undone")
    )

    class Meta(HouseFilterSet.Meta):
        model = MergeRecord
        fields = {"created_at": RANGE}
