"""Who works here, who I am, and what I should know."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crmcem.lib.api.views import HouseViewSet, ListAction, RetrieveAction
from crmcem.lib.keyset import Order
from crmcem.workspace.filters import UserFilter
from crmcem.workspace.models import Notification, Team, User
from crmcem.workspace.policies import user_of
from crmcem.workspace.services.notifications import notifications_read

from .permissions import SignedIn
from .serializers import (
    MeSerializer,
    NotificationSerializer,
    ReadAnswer,
    ReadRequest,
    TeamSerializer,
    UserSerializer,
)


class UserViewSet(ListAction, RetrieveAction, HouseViewSet):
    """Colleagues: whoever is signed in may know who can own a record."""

    permission_classes = [SignedIn]
    queryset = User.objects.select_related("role")
    serializer_class = UserSerializer
    filterset_class = UserFilter
    orderings = (Order("username"),)

    @extend_schema(responses=MeSerializer)
    @action(detail=False, methods=["get"])
    def me(self, request: Request) -> Response:
        """The person behind the session or token, with role scopes and visibility."""
        return Response(MeSerializer(request.user, context=self.get_serializer_context()).data)


class TeamViewSet(ListAction, RetrieveAction, HouseViewSet):
    permission_classes = [SignedIn]
    queryset = Team.objects.all()
    serializer_class = TeamSerializer
    orderings = (Order("name"),)


class NotificationViewSet(ListAction, HouseViewSet):
    """My own notifications, newest first."""

    permission_classes = [SignedIn]
    queryset = Notification.objects.all()
    serializer_class = NotificationSerializer

    def get_queryset(self) -> QuerySet[Any]:
        queryset = super().get_queryset()
        return queryset.filter(user_id=self.request.user.pk)

    @extend_schema(request=ReadRequest, responses=ReadAnswer)
    @action(detail=False, methods=["post"])
    def read(self, request: Request) -> Response:
        """Mark as read: those of ``ids``, or all."""
        form = ReadRequest(data=request.data)
        form.is_valid(raise_exception=True)
        ids = form.validated_data.get("ids")
        count = notifications_read(user=user_of(request), ids=None if ids is None else [int(i) for i in ids])
        return Response({"read": count})
