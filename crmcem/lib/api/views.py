"""The base of every resource: visibility, scopes, paging, ETags, expansion, strict query parameters."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import serializers
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED
from rest_framework.viewsets import GenericViewSet

from crmcem.lib import references
from crmcem.lib.actors import Actor
from crmcem.lib.errors import DomainError, FieldError
from crmcem.lib.keyset import Order

from .fields import parse_id

HOUSE_PARAMETERS = frozenset({"cursor", "page_size", "ordering", "fields", "expand", "format"})


def known_only(request: Request, *names: str) -> None:
    """Raises DomainError for a parameter of the query that is none of ``names``: it would be ignored in silence."""
    known = {*names, "format"}
    if unknown := sorted(set(request.query_params) - known):
        text = f"Known: {', '.join(sorted(known))}."
        raise DomainError(*(FieldError(name[:80], "unknown_parameter", text) for name in unknown))


def _told(field: Any, error: ValidationError) -> str:
    """What is wrong with the value of a filter; of a wrong choice also which ones there are."""
    words = " ".join(error.messages)
    choices = getattr(field, "choices", None) if error.code == "invalid_choice" else None
    if choices is None or hasattr(field, "queryset"):
        return words
    return f"{words} Choose one of: {', '.join(str(value) for value, _label in choices if value not in ('', None))}."


class PreconditionMalformed(APIException):
    status_code = 400
    default_detail = 'If-Match must carry the ETag that the record was read with, such as "3".'


class HouseViewSet(GenericViewSet):  # type: ignore[type-arg]
    """Give it ``area`` (scope), ``queryset``, ``serializer_class``, and override ``perform_*`` with services.

    ``queryset.visible_to(user)`` is applied to every action: a hidden row is a missing row.
    """

    area: ClassVar[str] = ""
    #: action name → scope action; what is not named is read for safe methods, write for the others
    scope_actions: ClassVar[dict[str, str]] = {"destroy": "delete"}
    orderings: ClassVar[Sequence[Order]] = ()
    default_order: ClassVar[Order] = Order("id", descending=True)
    #: field of the answer → serializer class of the expanded record (its Meta.model must have visible_to); its static
    #: ``prepare(rows, user)``, if any, takes out of the records what is hidden
    expandable: ClassVar[dict[str, type[serializers.Serializer[Any]]]] = {}
    lookup_value_regex = r"[^/]+"
    #: documents the FilterSet; ``filter_queryset`` below is what filters
    filter_backends = (DjangoFilterBackend,)
    #: set by workspace's authentication
    request: Request

    @property
    def actor(self) -> Actor:
        """Who acts in this request (set by the authentication)."""
        return self.request.actor  # type: ignore[attr-defined,no-any-return]

    @property
    def scope(self) -> str:
        """The scope that the current action needs."""
        fallback = "read" if self.request.method in {"GET", "HEAD", "OPTIONS"} else "write"
        return f"{self.area}:{self.scope_actions.get(self.action or '', fallback)}"

    def get_queryset(self) -> QuerySet[Any]:
        queryset = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset.none()
        visible = getattr(queryset, "visible_to", None)
        return visible(self.request.user) if visible else queryset

    def get_object(self) -> Any:
        pk = parse_id(self.kwargs[self.lookup_url_kwarg or self.lookup_field])
        rows = self.get_queryset()
        row = rows.filter(pk=pk).first() if pk is not None else None
        if row is None:
            moved = references.successor(rows, pk)
            if moved is not None:
                raise references.Moved(moved.pk)
            raise Http404
        self.check_object_permissions(self.request, row)
        return row

    # --- query parameters ------------------------------------------------------------------------
    def filterset_type(self) -> Any:
        """The FilterSet of the list; with the filters that people have made only where the request asks for such."""
        found: Any = getattr(self, "filterset_class", None)
        asked = set(self.request.query_params) - HOUSE_PARAMETERS
        if not hasattr(found, "current") or asked <= set(found.base_filters):
            return found
        return found.current()

    def all_orderings(self) -> Sequence[Order]:
        """What the list can be sorted by; a subclass may add what people make."""
        return self.orderings

    def allowed_parameters(self) -> frozenset[str]:
        filterset = self.filterset_type()
        return HOUSE_PARAMETERS | frozenset(filterset.base_filters if filterset else ())

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The FilterSet's rows; an unlisted parameter or a bad value is an error."""
        if self.action != "list":
            return queryset
        params = self.request.query_params
        unknown = sorted(set(params) - self.allowed_parameters())
        if unknown:
            allowed = ", ".join(sorted(self.allowed_parameters()))
            raise DomainError(
                *(
                    FieldError(name[:80], "unknown_parameter", f"Can't filter by this. Known: {allowed}.")
                    for name in unknown
                )
            )
        for name, values in params.lists():
            if len(values) > 1:
                raise DomainError.of(name, "repeated", "Give this parameter once.")
            if "\x00" in values[0] or len(values[0]) > 2000:
                raise DomainError.of(name, "invalid", "This value holds a NUL character or is too long.")
        filterset_class = self.filterset_type()
        if filterset_class is None:
            return queryset
        filterset = filterset_class(data=params, queryset=queryset, request=self.request)
        if not filterset.is_valid():
            errors = filterset.errors.as_data()
            raise DomainError(
                *(
                    FieldError(f, e.code or "invalid", _told(filterset.form.fields.get(f), e))
                    for f, es in errors.items()
                    for e in es
                )
            )
        rows: QuerySet[Any] = filterset.qs
        return rows

    # --- expansion and sparse fields ---------------------------------------------------------------
    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "expanded": {}}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """A write whose answer can't be made as it is asked for (``fields``, ``expand``) is refused beforehand."""
        super().initial(request, *args, **kwargs)
        if request.method not in SAFE_METHODS and self.action is not None:
            self.check_media_type()
            self.expanded_names()
            if request.query_params.get("fields"):
                answer: Any = self.get_serializer()
                _ = answer.fields

    def check_media_type(self) -> None:
        """A form is no empty body where a key (``Idempotency-Key``) had it read before it came here."""
        kind = self.request.content_type or ""
        takes_forms = any(issubclass(each, MultiPartParser) for each in self.parser_classes)
        if kind.startswith("multipart/") and not takes_forms:
            raise UnsupportedMediaType(kind)

    def expanded_names(self) -> list[str]:
        """The fields that ``?expand=`` names. Raises DomainError for one that can't be expanded."""
        names = [n.strip() for n in self.request.query_params.get("expand", "").split(",") if n.strip()]
        for name in names:
            if name not in self.expandable:
                known = ", ".join(self.expandable) or "nothing"
                raise DomainError.of(
                    "expand", "unknown_field", f"Can't expand {name[:80]}. Possible: {known}."
                )
        return names

    def expansions(self, rows: Sequence[Model]) -> dict[str, dict[str, Any]]:
        """``{field: {id: record}}`` for ``?expand=``: one query per expanded field."""
        result: dict[str, dict[str, Any]] = {}
        for name in self.expanded_names():
            serializer_class = self.expandable[name]
            model = serializer_class.Meta.model  # type: ignore[attr-defined]
            ids = {getattr(row, f"{name}_id") for row in rows} - {None}
            queryset = model.objects.filter(pk__in=ids)
            if hasattr(queryset, "visible_to"):
                queryset = queryset.visible_to(self.request.user)
            context = {"view": self, "expanded": {}}
            expanded = list(queryset)
            if prepare := getattr(serializer_class, "prepare", None):
                prepare(expanded, self.request.user)
            result[name] = {str(r.pk): serializer_class(r, context=context).data for r in expanded}
        return result

    # --- actions -----------------------------------------------------------------------------------
    def respond(self, row: Model, status: int = 200) -> Response:
        """The record with its ETag (and Location when created)."""
        context = self.get_serializer_context() | {"expanded": self.expansions([row])}
        response = Response(self.get_serializer_class()(row, context=context).data, status=status)
        version = getattr(row, "version", None)
        if version is not None:
            response["ETag"] = f'"{version}"'
        if status == HTTP_201_CREATED:
            response["Location"] = self.reverse_action("detail", args=[row.pk])
        return response

    def expected_version(self) -> int | None:
        """The version that ``If-Match`` names; None without the header or with ``*``."""
        header = self.request.headers.get("If-Match")
        if header is None or header.strip() == "*":
            return None
        text = header.strip().removeprefix("W/").strip('"')
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise PreconditionMalformed
        return int(text)

    def validated(
        self, instance: Model | None = None, partial: bool = False, body: Any = None
    ) -> dict[str, Any]:
        """The request's body (or ``body``), checked by the serializer. Raises ValidationError."""
        given = self.request.data if body is None else body
        if not isinstance(given, dict):
            raise DomainError.of("non_field_errors", "invalid", "Send a JSON object.")
        serializer = self.get_serializer(instance, data=given, partial=partial)
        serializer.is_valid(raise_exception=True)
        data: dict[str, Any] = serializer.validated_data
        return data


class ListAction:
    def list(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        context = self.get_serializer_context() | {"expanded": self.expansions(rows)}
        found = self.get_serializer_class()(rows, many=True, context=context)
        _ = found.child.fields  # a name in ?fields= that does not exist is refused on an empty page, too
        response: Response = self.get_paginated_response(found.data)
        return response


class RetrieveAction:
    def retrieve(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = self.respond(self.get_object())
        return response


class CreateAction:
    def create(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.perform_create(self.validated())
        response: Response = self.respond(row, status=201)
        return response


class UpdateAction:
    def partial_update(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        row = self.perform_update(row, self.validated(row, partial=True), self.expected_version())
        response: Response = self.respond(row)
        return response


class DestroyAction:
    def destroy(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.perform_destroy(self.get_object(), self.expected_version())
        return Response(status=204)
