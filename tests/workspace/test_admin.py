from collections.abc import Callable

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from crmcem.workspace.models import AuditEntry, Team, User
from tests.conftest import Cast

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]


def test_every_admin_list_and_form_opens_for_the_administrator(cast: Cast, web: Web) -> None:
    client = web(cast.admin)
    assert client.get("/admin/").status_code == 200
    for model, page in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        listed = client.get(reverse(f"{name}_changelist"), {"q": "1"} if page.search_fields else {})
        assert listed.status_code == 200, name
        expected = 200 if page.has_add_permission(listed.wsgi_request) else 403
        assert client.get(reverse(f"{name}_add")).status_code == expected, name


@pytest.mark.parametrize("who", ["rep", "manager", "cx", "integrator", "readonly", "nobody"])
def test_nobody_else_enters_the_admin(cast: Cast, web: Web, who: str) -> None:
    client = web(getattr(cast, who))
    assert client.get(reverse("admin:workspace_user_changelist")).status_code == 302
    answer = client.post(reverse("admin:workspace_team_add"), {"name": "Mine"})
    assert answer.status_code == 302
    assert not Team.objects.filter(name="Mine").exists()


def test_changes_are_attributed_and_the_role_alone_opens_the_admin(cast: Cast, web: Web) -> None:
    client = web(cast.admin)
    url = reverse("admin:workspace_user_change", args=[cast.rep.pk])
    values = {"username": "rep", "email": "rep@crm.example", "is_active": "on", "role": cast.admin.role_id}
    assert client.post(url, values).status_code == 302
    cast.rep.refresh_from_db()
    assert cast.rep.is_staff
    assert cast.rep.is_superuser
    entry = AuditEntry.objects.filter(table_name="workspace_user", row_id=cast.rep.pk, op="U").latest("id")
    assert (entry.actor_kind, entry.actor_id) == ("user", cast.admin.pk)
    assert entry.changes["is_staff"] == [False, True]


def test_teams_keep_their_paths_and_refuse_circles(cast: Cast, web: Web) -> None:
    client = web(cast.admin)
    url = reverse("admin:workspace_team_change", args=[cast.south.pk])
    assert client.post(url, {"name": "South", "parent": cast.north.pk}).status_code == 302
    cast.south.refresh_from_db()
    assert cast.south.path == [cast.north.pk, cast.south.pk]
    assert set(User.objects.get(pk=cast.manager.pk).access.team_ids) == {cast.north.pk, cast.south.pk}
    answer = client.post(
        reverse("admin:workspace_team_change", args=[cast.north.pk]),
        {"name": "North", "parent": cast.south.pk},
    )
    assert answer.status_code == 200
    assert "below itself" in answer.content.decode()
    cast.north.refresh_from_db()
    assert cast.north.parent_id is None
