"""The resources of customers and of the work with them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.custom.computed import computed_fields, put_computed
from contacts.custom.filtering import orders
from contacts.custom.links import drop_hidden_links
from contacts.filters import CompanyFilter, ContactFilter, InteractionFilter, TaskFilter
from contacts.models import Company, CompanyDomain, Contact, ContactPoint, Interaction, MergeRecord, Task
from contacts.selectors.company_tree import company_tree
from contacts.selectors.merging import former_ids
from contacts.selectors.rollups import NOBODY, company_pulses
from contacts.selectors.timeline import GROUPS, NEWEST_FIRST, hide_the_hidden, timeline
from contacts.services import companies, contacts, interactions, tasks
from contacts.services.merge import company_merge, contact_merge
from crmcem.lib.actors import Actor
from crmcem.lib.api.bulk import BulkMixin
from crmcem.lib.api.paging import KeysetPagination, page_size
from crmcem.lib.api.schema import FIELDS
from crmcem.lib.api.views import (
    CreateAction,
    DestroyAction,
    HouseViewSet,
    ListAction,
    RetrieveAction,
    UpdateAction,
    known_only,
)
from crmcem.lib.errors import DomainError
from crmcem.lib.keyset import Order, keyset_page
from crmcem.workspace.api.edits import EditMixin
from crmcem.workspace.policies import can

from .merging import IF_MATCH as IF_WINNER
from .merging import CompanyMerged, CompanyMergeInput, ContactMerged, MergeInput, MergeMixin
from .serializers import (
    ActivitySerializer,
    CompanySerializer,
    CompanyTreeSerializer,
    ContactSerializer,
    ExpandedCompanySerializer,
    ExpandedContactSerializer,
    ExpandedUserSerializer,
    InteractionSerializer,
    TaskSerializer,
)


class Record(ListAction, RetrieveAction, CreateAction, UpdateAction, DestroyAction, HouseViewSet):
    """Every verb of a record."""


class TimelinePagination(KeysetPagination):
    """A timeline has one order: newest first."""

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [p for p in super().get_schema_operation_parameters(view) if p["name"] != "ordering"]


class TimelineMixin:
    """``<record>/timeline/``: what happened, newest first."""

    timeline_of: str

    @extend_schema(
        responses=ActivitySerializer(many=True),
        parameters=[
            OpenApiParameter("kind", str, description="Only these kinds, separated by commas."),
            OpenApiParameter(
                "group", str, enum=GROUPS, description="Only these groups, separated by commas."
            ),
            FIELDS,
        ],
        filters=False,
    )
    @action(
        detail=True,
        filterset_class=None,
        pagination_class=TimelinePagination,
        serializer_class=ActivitySerializer,
    )
    def timeline(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What happened, newest first. Kinds that no app knows are tracked events."""
        record = self.get_object()
        known_only(request, "kind", "group", "cursor", "page_size", "fields")
        groups = _words(request, "group")
        if groups - set(GROUPS):
            raise DomainError.of("group", "invalid_choice", f"Choose among: {', '.join(GROUPS)}.")
        rows = timeline(names=_words(request, "kind"), groups=groups, **{self.timeline_of: record.pk})
        pages: KeysetPagination = self.paginator
        pages.request = request
        pages.page = keyset_page(rows, NEWEST_FIRST, request.query_params.get("cursor"), page_size(request))
        mine = record.pk if self.timeline_of == "contact_id" else None
        shown = hide_the_hidden(pages.page.rows, request.user, contact_id=mine)
        context = self.get_serializer_context()
        return pages.get_paginated_response(ActivitySerializer(shown, many=True, context=context).data)


class CustomMixin:
    """A resource with custom fields: sorted by the filterable ones, links shown to those who may see the record."""

    entity: str

    def all_orderings(self: Any) -> Sequence[Order]:
        asked = "custom" in self.request.query_params.get("ordering", "")
        return [*self.orderings, *(orders(self.entity) if asked else ())]

    def paginate_queryset(self: Any, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset) or []  # type: ignore[misc]
        return with_custom(self.entity, rows, self.request, self.actor)

    def respond(self: Any, row: Any, status: int = 200) -> Response:
        rows = with_custom(self.entity, [row], self.request, self.actor)
        response: Response = super().respond(rows[0], status)  # type: ignore[misc]
        return response


def with_custom(entity: str, rows: Sequence[Any], request: Request, actor: Actor) -> Sequence[Any]:
    """The rows as they are shown: without links to hidden records, with the computed fields that are asked for."""
    drop_hidden_links(entity, rows, request.user)
    asked = _words(request, "fields")
    fields = computed_fields(entity, partial(can, actor)) if not asked or "computed" in asked else []
    put_computed(entity, rows, fields, request.user)
    return rows


def _words(request: Request, name: str) -> set[str]:
    text = request.query_params.get(name, "")
    if "\x00" in text:
        raise DomainError.of(name, "invalid", "This holds a NUL character.")
    return {word.strip() for word in text.split(",") if word.strip()}


class ContactViewSet(CustomMixin, MergeMixin, BulkMixin, EditMixin, TimelineMixin, Record):
    """People: the customers whom every activity is about."""

    area = "contacts"
    queryset = Contact.objects.select_related("pulse").defer("search_text")
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    orderings = (
        Order("created_at"),
        Order("updated_at"),
        Order("last_name"),
        Order("email", nullable=True),
        Order("pulse__nps", nullable=True),
        Order("pulse__last_seen_at", nullable=True),
        Order("pulse__next_activity_at", nullable=True),
        Order("pulse__open_cases"),
    )
    expandable = {"company": ExpandedCompanySerializer, "owner": ExpandedUserSerializer}
    timeline_of = "contact_id"
    entity = "contact"
    bulk_keys = ("external_id", "email")

    merge_input, merge_key = MergeInput, "contact"

    @extend_schema(request=MergeInput, responses=ContactMerged, parameters=[IF_WINNER])
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make ``loser`` part of this contact: everything follows, its id redirects here, and it can be undone."""
        return self.merged(request)

    def perform_merge(
        self, winner: Contact, loser: Contact, fields: dict[str, Any], dry_run: bool, version: int | None
    ) -> tuple[MergeRecord, Contact]:
        return contact_merge(
            winner=winner,
            loser=loser,
            fields=fields,
            dry_run=dry_run,
            actor=self.actor,
            expected_version=version,
        )

    def bulk_match(self, rows: QuerySet[Any], key: str, value: str) -> Any:
        """Also by an address or external id that is not the first one."""
        name = value.lower() if key == "email" else value
        theirs = ContactPoint.objects.filter(kind=key, value=name).values("contact_id")
        return rows.filter(Q(**{key: name}) | Q(pk__in=theirs)).first()

    def perform_create(self, data: dict[str, Any]) -> Contact:
        return contacts.contact_create(data=data, actor=self.actor)

    def perform_update(self, row: Contact, data: dict[str, Any], version: int | None) -> Contact:
        return contacts.contact_update(contact=row, data=data, actor=self.actor, expected_version=version)

    def perform_destroy(self, row: Contact, version: int | None) -> None:
        contacts.contact_delete(contact=row, actor=self.actor, expected_version=version)


class CompanyViewSet(CustomMixin, MergeMixin, BulkMixin, EditMixin, TimelineMixin, Record):
    """Organisations that people work for."""

    area = "contacts"
    queryset = Company.objects.defer("search_text")
    serializer_class = CompanySerializer
    filterset_class = CompanyFilter
    orderings = (Order("created_at"), Order("updated_at"), Order("name"), Order("size", nullable=True))
    expandable = {"owner": ExpandedUserSerializer, "parent": ExpandedCompanySerializer}
    timeline_of = "company_id"
    entity = "company"
    bulk_keys = ("external_id", "domain")

    merge_input, merge_key = CompanyMergeInput, "company"

    @extend_schema(request=CompanyMergeInput, responses=CompanyMerged, parameters=[IF_WINNER])
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make ``loser`` part of this company: everything follows, its id redirects here, and it can be undone."""
        return self.merged(request)

    def perform_merge(
        self, winner: Company, loser: Company, fields: dict[str, Any], dry_run: bool, version: int | None
    ) -> tuple[MergeRecord, Company]:
        return company_merge(
            winner=winner,
            loser=loser,
            fields=fields,
            dry_run=dry_run,
            actor=self.actor,
            expected_version=version,
        )

    def bulk_match(self, rows: QuerySet[Any], key: str, value: str) -> Any:
        """Also by any domain, and by the external id or domain of a merged company."""
        value = value.lower() if key == "domain" else value
        if key == "domain":
            theirs = CompanyDomain.objects.filter(domain=value).values("company_id")
            found = rows.filter(pk__in=theirs).first()
        else:
            found = super().bulk_match(rows, key, value)
        return found or rows.filter(pk=former_ids("company", key, [value]).get(value)).first()

    @extend_schema(responses=CompanyTreeSerializer, filters=False)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def tree(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The companies above (the topmost first) and below it, with the people of each branch."""
        return Response(CompanyTreeSerializer(company_tree(self.get_object(), request.user)).data)

    def paginate_queryset(self, queryset: Any) -> Any:
        return self._with_figures(super().paginate_queryset(queryset) or [])

    def respond(self, row: Any, status: int = 200) -> Response:
        return super().respond(self._with_figures([row])[0], status)

    def _with_figures(self, rows: Sequence[Any]) -> Sequence[Any]:
        figures = company_pulses([row.pk for row in rows], self.request.user)
        for row in rows:
            row.figures = figures.get(row.pk, NOBODY)
        return rows

    def perform_create(self, data: dict[str, Any]) -> Company:
        return companies.company_create(data=data, actor=self.actor)

    def perform_update(self, row: Company, data: dict[str, Any], version: int | None) -> Company:
        return companies.company_update(company=row, data=data, actor=self.actor, expected_version=version)

    def perform_destroy(self, row: Company, version: int | None) -> None:
        companies.company_delete(company=row, actor=self.actor, expected_version=version)


def _named(data: dict[str, Any], **names: str) -> dict[str, Any]:
    """Columns under the names that the services have for them."""
    return {names.get(key, key): value for key, value in data.items()}


class InteractionViewSet(BulkMixin, Record):
    """Calls, e-mails, meetings and notes."""

    area = "interactions"
    queryset = Interaction.objects.all()
    serializer_class = InteractionSerializer
    filterset_class = InteractionFilter
    orderings = (Order("occurred_at"),)
    expandable = {"contact": ExpandedContactSerializer, "company": ExpandedCompanySerializer}

    def perform_create(self, data: dict[str, Any]) -> Interaction:
        return interactions.interaction_log(data=_named(data, deal_id="deal"), actor=self.actor)

    def perform_update(self, row: Interaction, data: dict[str, Any], version: int | None) -> Interaction:
        return interactions.interaction_update(
            interaction=row, data=_named(data, deal_id="deal"), actor=self.actor, expected_version=version
        )

    def perform_destroy(self, row: Interaction, version: int | None) -> None:
        interactions.interaction_delete(interaction=row, actor=self.actor, expected_version=version)


class TaskViewSet(BulkMixin, EditMixin, Record):
    """Things to do. ``status`` completes (done), cancels or reopens a task."""

    area = "tasks"
    queryset = Task.objects.all()
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    orderings = (Order("due_at", nullable=True),)
    expandable = {"contact": ExpandedContactSerializer, "company": ExpandedCompanySerializer}

    def perform_create(self, data: dict[str, Any]) -> Task:
        return tasks.task_create(data=_named(data, deal_id="deal", owner="assignee"), actor=self.actor)

    def perform_update(self, row: Task, data: dict[str, Any], version: int | None) -> Task:
        named = _named(data, deal_id="deal", owner="assignee")
        return tasks.task_update(task=row, data=named, actor=self.actor, expected_version=version)

    def perform_destroy(self, row: Task, version: int | None) -> None:
        tasks.task_delete(task=row, actor=self.actor, expected_version=version)
