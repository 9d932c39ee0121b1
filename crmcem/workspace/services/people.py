"""People and the tree of their teams."""

from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.translation import gettext as _

from crmcem.lib.actors import Actor, acting
from crmcem.lib.errors import DomainError
from crmcem.workspace.models import ApiToken, Team, User
from crmcem.workspace.policies import require

ADMIN_ROLE = "admin"


def team_save(*, team: Team, actor: Actor) -> Team:
    """Store a team and the paths of all teams below it. Raises DomainError for a circle, NotAllowed."""
    require(actor, "settings:write")
    with acting(actor):
        # The tree is small and changes seldom: one change at a time keeps every path true.
        teams = {t.pk: t for t in Team.objects.select_for_update().order_by("pk")}
        parent_id, seen = team.parent_id, set()
        while parent_id is not None:
            if parent_id == team.pk or parent_id in seen:
                raise DomainError.of(
                    "parent", "circle", _("A team can't lie below itself. Choose another parent.")
                )
            seen.add(parent_id)
            parent_id = teams[parent_id].parent_id if parent_id in teams else None
        team.save()
        teams[team.pk] = team
        changed = [t for t in teams.values() if _set_path(t, teams)]
        Team.objects.bulk_update(changed, ["path"])
    return team


def _set_path(team: Team, teams: dict[int, Team]) -> bool:
    path = [team.pk]
    while (parent := teams.get(teams[path[0]].parent_id or 0)) is not None:
        path.insert(0, parent.pk)
    changed = team.path != path
    team.path = path
    return changed


def person_save(*, user: User, actor: Actor) -> User:
    """Store a person; the administrator's role alone opens the admin. Raises NotAllowed."""
    require(actor, "settings:write")
    user.is_staff = user.is_superuser = user.role is not None and user.role.key == ADMIN_ROLE
    with acting(actor):
        user.save()
        if not user.is_active:
            access_end(user=user)
    return user


def access_end(*, user: User, keep_session: str | None = None) -> None:
    """End a person's sessions (but ``keep_session``) and API tokens: after a new password, or leaving."""
    now = timezone.now()
    ApiToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=now)
    user_sessions = user.usersession_set.all() if hasattr(user, "usersession_set") else []
    keys = [s.session_key for s in user_sessions if s.session_key != keep_session]
    Session.objects.filter(session_key__in=keys).delete()
