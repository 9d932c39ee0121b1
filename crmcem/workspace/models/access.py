"""People, their teams and roles, and the tokens that act for them."""

from dataclasses import dataclass
from functools import cached_property

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from crmcem.lib.audit import audited
from crmcem.workspace.scopes import covers


class Visibility(models.TextChoices):
    OWN = "own", _("Own records")
    TEAM = "team", _("Records of the team and the teams below it")
    ALL = "all", _("All records")


class Team(models.Model):
    """A node of the team tree; ``path`` is the ids from the root down to this team itself."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("parent team")
    )
    path = ArrayField(models.BigIntegerField(), default=list, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        indexes = [GinIndex(fields=["path"], name="team_path")]
        triggers = audited()

    def __str__(self) -> str:
        return self.name


class Role(models.Model):
    """What a group of people may do (scopes) and which records they see (visibility)."""

    key = models.SlugField(_("key"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    visibility = models.CharField(
        _("visibility"), max_length=8, choices=Visibility.choices, default=Visibility.OWN
    )
    scopes = ArrayField(models.CharField(max_length=40), default=list, verbose_name=_("scopes"))

    class Meta:
        ordering = ["name"]
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        triggers = audited()

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Access:
    """What a person may do and see, read once per request."""

    visibility: str
    scopes: frozenset[str]
    team_ids: tuple[int, ...]


class User(AbstractUser):
    """A person of the organisation who signs in."""

    email = models.EmailField(_("e-mail address"), unique=True)
    role = models.ForeignKey(
        Role, models.PROTECT, null=True, blank=True, related_name="users", verbose_name=_("role")
    )
    team = models.ForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="members", verbose_name=_("team")
    )
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True)
    theme = models.CharField(
        _("theme"),
        max_length=8,
        default="auto",
        choices=[("auto", _("As the system")), ("light", _("Light")), ("dark", _("Dark"))],
    )
    density = models.CharField(
        _("density"),
        max_length=8,
        default="normal",
        choices=[("normal", _("Normal")), ("compact", _("Compact"))],
    )
    email_notifications = models.BooleanField(_("notifications by e-mail"), default=True)

    class Meta(AbstractUser.Meta):
        ordering = ["first_name", "last_name", "username"]
        triggers = audited("password", ignore=("last_login",))

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @cached_property
    def access(self) -> Access:
        """Scopes and visibility of the role; a superuser has all, a person without a role nothing."""
        if not self.is_active:
            return Access(Visibility.OWN, frozenset(), ())
        if self.is_superuser:
            return Access(Visibility.ALL, frozenset({"*"}), ())
        if self.role is None:
            return Access(Visibility.OWN, frozenset(), ())
        teams: tuple[int, ...] = ()
        if self.role.visibility == Visibility.TEAM and self.team_id:
            teams = tuple(Team.objects.filter(path__contains=[self.team_id]).values_list("id", flat=True))
        return Access(self.role.visibility, frozenset(self.role.scopes), teams)

    def may(self, scope: str) -> bool:
        """Whether the role covers ``scope`` (``area:action``)."""
        return covers(self.access.scopes, scope)


class ApiToken(models.Model):
    """A bearer token that acts for a person. Only ``digest`` (SHA-256 of the secret) is stored."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens", verbose_name=_("person"))
    name = models.CharField(_("name"), max_length=120)
    prefix = models.CharField(_("starts with"), max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), default=list, verbose_name=_("scopes"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        triggers = audited("digest", ignore=("last_used_at",))

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
