from rest_framework import serializers

from crmcem.lib.api.fields import IdField
from crmcem.lib.api.serializers import HouseSerializer
from crmcem.workspace.models import Notification, Role, Team, User


class UserSerializer(HouseSerializer):
    """A colleague, as far as everybody may know them."""

    name = serializers.CharField(source="__str__", read_only=True)
    team = IdField(source="team_id", allow_null=True)
    role = serializers.SlugRelatedField[Role](slug_field="key", read_only=True, allow_null=True)

    class Meta:
        model = User
        fields = ["id", "username", "name", "email", "team", "role", "is_active"]
        read_only_fields = fields


class TeamSerializer(HouseSerializer):
    parent = IdField(source="parent_id", allow_null=True)  # type: ignore[assignment]

    class Meta:
        model = Team
        fields = ["id", "name", "parent"]
        read_only_fields = fields


class NotificationSerializer(HouseSerializer):
    class Meta:
        model = Notification
        fields = ["id", "kind", "title", "body", "url", "created_at", "read_at"]
        read_only_fields = fields


class MeSerializer(UserSerializer):
    scopes = serializers.SerializerMethodField()
    visibility = serializers.SerializerMethodField()

    class Meta(UserSerializer.Meta):
        fields = [*UserSerializer.Meta.fields, "scopes", "visibility", "time_zone", "language"]
        read_only_fields = fields

    def get_scopes(self, user: User) -> list[str]:
        return sorted(user.access.scopes)

    def get_visibility(self, user: User) -> str:
        return user.access.visibility


class ReadRequest(serializers.Serializer[None]):
    """Which notifications were read; all of them without ``ids``."""

    ids = serializers.ListField(child=serializers.RegexField(r"^\d{1,18}$"), required=False, max_length=1000)


class ReadAnswer(serializers.Serializer[None]):
    read = serializers.IntegerField()
