"""Files of records and the people who follow them."""

from typing import Any

from django.http import FileResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.filters import AttachmentFilter, FollowerFilter
from contacts.models import Attachment, Follower
from contacts.services.attachments import attachment_add, attachment_remove
from contacts.services.following import follow, unfollow
from contacts.services.on_records import On, kinds, record_named, scope_of
from contacts.views.attachments import answer
from crmcem.lib.api.fields import Reference
from crmcem.lib.api.parsers import StrictJSONParser
from crmcem.lib.api.serializers import HouseSerializer, StrictMixin
from crmcem.lib.api.views import CreateAction, DestroyAction, HouseViewSet, ListAction, RetrieveAction
from crmcem.lib.errors import DomainError, NotAllowed
from crmcem.workspace.policies import can

from .serializers import SUBJECT


class _OnSerializer(HouseSerializer):
    contact = Reference(read_only=True)
    company = Reference(read_only=True)
    subject = serializers.SerializerMethodField()

    @extend_schema_field(SUBJECT)
    def get_subject(self, row: Any) -> dict[str, str] | None:
        return {"type": row.subject_type, "id": str(row.subject_id)} if row.subject_id else None


class AttachmentSerializer(_OnSerializer):
    uploaded_by = Reference(read_only=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Attachment
        fields = (
            *("id", "contact", "company", "subject", "name", "content_type", "size", "note", "uploaded_by"),
            *("url", "created_at", "version"),
        )
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, row: Attachment) -> str:
        path = reverse("attachment-content", args=[row.pk])
        request = self.context.get("request")
        return request.build_absolute_uri(path) if request is not None else path


class _Named(StrictMixin, serializers.Serializer[Any]):
    """One of them by its id."""

    contact = serializers.CharField(required=False, max_length=40)
    company = serializers.CharField(required=False, max_length=40)
    deal = serializers.CharField(required=False, max_length=40)


class AttachmentRequest(_Named):
    """A file and the record that it belongs to."""

    file = serializers.FileField(allow_empty_file=True, max_length=1000)
    note = serializers.CharField(required=False, allow_blank=True, max_length=300)


class FollowerSerializer(_OnSerializer):
    user = Reference(read_only=True)

    class Meta:
        model = Follower
        fields = ("id", "user", "contact", "company", "subject", "created_at")
        read_only_fields = fields


class _OnViewSet(ListAction, RetrieveAction, DestroyAction, HouseViewSet):
    """Rows of records that the token may read, too: its scopes narrow those of its person."""

    area = "contacts"

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        closed = [about for about in kinds() if not can(self.actor, scope_of(about))]
        return rows.exclude(subject_type__in=[about for about in closed if about]) if closed else rows


class AttachmentViewSet(_OnViewSet):
    """Files of contacts, companies and deals. What a file is, its bytes say; it is only given out as a download."""

    scope_actions = {"destroy": "write"}
    queryset = Attachment.objects.all()
    serializer_class = AttachmentSerializer
    filterset_class = AttachmentFilter
    parser_classes = (MultiPartParser, StrictJSONParser)

    @extend_schema(request={"multipart/form-data": AttachmentRequest}, responses={201: AttachmentSerializer})
    def create(self, request: Request) -> Response:
        """Send a file as multipart/form-data with the id of one contact, company or deal."""
        if not hasattr(request.data, "keys"):
            raise DomainError.of("file", "required", "Send the file as multipart/form-data.")
        form = AttachmentRequest(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        on = record_named(data, self.actor, write=True)
        row = attachment_add(file=data["file"], on=on, actor=self.actor, note=data.get("note", ""))
        return self.respond(row, status=201)

    def perform_destroy(self, row: Attachment, version: int | None) -> None:
        attachment_remove(attachment=row, actor=self.actor, expected_version=version)

    @extend_schema(
        responses={(200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY, "The file.")}
    )
    @action(detail=True, methods=["get"])
    def content(self, request: Request, pk: str) -> FileResponse:
        """The file itself, as a download."""
        return answer(self.get_object())


class FollowerViewSet(_OnViewSet, CreateAction):
    """Who follows which record. One follows for oneself, and stops for oneself."""

    scope_actions = {"destroy": "read", "create": "read"}
    queryset = Follower.objects.all()
    serializer_class = FollowerSerializer
    filterset_class = FollowerFilter

    @extend_schema(request=_Named, responses={201: FollowerSerializer})
    def create(self, request: Request) -> Response:
        """Follow a record: be told what others do with it."""
        if not isinstance(request.data, dict):
            raise DomainError.of("non_field_errors", "invalid", "Send a JSON object.")
        form = _Named(data=request.data)
        form.is_valid(raise_exception=True)
        row = follow(on=record_named(form.validated_data, self.actor), actor=self.actor)
        return self.respond(row, status=201)

    def perform_destroy(self, row: Follower, version: int | None) -> None:
        if row.user_id != self.request.user.pk:
            raise NotAllowed("contacts:write", _("Only they themselves can stop following."))
        about = "contact" if row.contact_id else "company" if row.company_id else row.subject_type
        pk = row.contact_id or row.company_id or row.subject_id or 0
        unfollow(on=On(about, pk, ""), actor=self.actor)
