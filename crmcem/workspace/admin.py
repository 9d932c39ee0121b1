"""The administrator's view of people, access and records of what happened."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from crmcem.lib.actors import person
from crmcem.lib.admin import HouseAdmin, ReadOnlyAdmin
from crmcem.lib.errors import DomainError

from .models import ApiToken, AuditEntry, Export, IdempotencyKey, Notification, Organisation, Role, Team, User
from .organisation import forget
from .scopes import ALL_SCOPES, is_scope
from .services.people import access_end, person_save, team_save
from .services.tokens import token_revoke

admin.site.unregister(Group)  # roles take its place
# The admin's own sign-in would ask for no second factor: there is one way in.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


def _in_the_house_theme() -> None:
    """Give the admin pages of the libraries the theme of the others."""
    for model, page in list(admin.site._registry.items()):
        if not isinstance(page, ModelAdmin):
            admin.site.unregister(model)
            admin.site.register(model, type(type(page).__name__, (type(page), ModelAdmin), {}))


_in_the_house_theme()


@admin.register(User)
class UserAdmin(DjangoUserAdmin, HouseAdmin):  # type: ignore[type-arg,misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "email", "role", "team", "is_active", "last_login")
    list_filter = ("role", "team", "is_active")
    list_select_related = ("role", "team")
    search_fields = ("username", "first_name", "last_name", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "email", "password", "is_active")}),
        (_("Person"), {"fields": ("first_name", "last_name", "time_zone", "language")}),
        (_("Access"), {"fields": ("role", "team")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "username",
                    "email",
                    "first_name",
                    "last_name",
                    "role",
                    "team",
                    "password1",
                    "password2",
                )
            },
        ),
    )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        person_save(user=obj, actor=person(request.user))
        if change and "password" in form.changed_data:
            access_end(user=obj)


class TeamForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Team
        fields = ("name", "parent")

    def clean_parent(self) -> Team | None:
        parent: Team | None = self.cleaned_data["parent"]
        if parent is not None and self.instance.pk in parent.path:
            raise forms.ValidationError(_("A team can't lie below itself. Choose another parent."))
        return parent


@admin.register(Team)
class TeamAdmin(HouseAdmin):
    form = TeamForm
    list_display = ("name", "parent")
    list_select_related = ("parent",)
    search_fields = ("name",)

    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        try:
            team_save(team=obj, actor=person(request.user))
        except DomainError as error:
            self.message_user(request, str(error), messages.ERROR)


class RoleForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Role
        fields = ("key", "name", "visibility", "scopes")
        help_texts = {
            "scopes": _("Separated by commas: area:action, area:*, *:read or *. Known: %s")
            % ", ".join(ALL_SCOPES)
        }

    def clean_scopes(self) -> list[str]:
        scopes: list[str] = sorted({s.strip() for s in self.cleaned_data["scopes"] if s.strip()})
        unknown = [scope for scope in scopes if not is_scope(scope)]
        if unknown:
            raise forms.ValidationError(_("Unknown scopes: %(names)s.") % {"names": ", ".join(unknown)})
        return scopes


@admin.register(Role)
class RoleAdmin(HouseAdmin):
    form = RoleForm
    list_display = ("name", "key", "visibility")
    search_fields = ("name", "key")


@admin.register(Organisation)
class OrganisationAdmin(HouseAdmin):
    list_display = ("name", "time_zone", "currency", "country")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return not Organisation.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Organisation, form: Any, change: bool) -> None:
        obj.pk = 1
        super().save_model(request, obj, form, change)
        forget()


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Secrets are shown once, where tokens are made: the profile page or ``create_api_token``."""

    list_display = ("name", "user", "prefix", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("user",)
    list_filter = ("user",)
    search_fields = ("name", "user__username")
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(description=_("Revoke at once"), permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        count = 0
        for token in queryset.filter(revoked_at__isnull=True)[:1000]:
            token_revoke(token=token, actor=person(request.user))
            count += 1
        self.message_user(request, _("%(count)d tokens revoked.") % {"count": count})


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor_kind", "actor_id", "op", "table_name", "row_id")
    list_filter = ("actor_kind", "op")
    search_fields = ("=table_name", "=row_id")
    ordering = ("-id",)


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "user", "title", "read_at", "email_status")
    list_select_related = ("user",)
    list_filter = ("email_status",)
    search_fields = ("=user__username",)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "actor_kind", "actor_id", "key", "status")
    exclude = ("body", "headers")
    search_fields = ("=key",)


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    """Who carried which list away, and how much of it. The files themselves are only their owners'."""

    list_display = ("created_at", "owner", "title", "rows_done", "status")
    list_filter = ("status", "entity")
    list_select_related = ("owner",)
    exclude = ("file", "file_name", "claimed_until")
    search_fields = ()
