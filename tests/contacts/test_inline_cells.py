"""Cells of lists changed in place: through the services, by version, and only what one may change."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from contacts.models import Activity, Contact
from crmcem.workspace.models import AuditEntry, User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, TaskFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
Web = Callable[[User], Client]
HTMX = {"HX-Request": "true"}


def open_cell(client: Client, name: str, key: str, pk: object, columns: str = "") -> Any:
    url = f"{reverse(name)}?view=all&columns={columns or key}&_cell={key}&_row={pk}"
    return client.get(url, headers=HTMX)


def send(client: Client, name: str, key: str, row: Any, value: object, version: object = None) -> Any:
    data = {
        "_cell": key,
        "_row": row.pk,
        "version": row.version if version is None else version,
        "value": value,
    }
    return client.post(f"{reverse(name)}?view=all&columns={key}", data, headers=HTMX)


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    own = {"owner": cast.rep, "team": cast.north}
    contact = ContactFactory(phone="+4930111", **own)
    deal = DealFactory(amount="10.00", **own)
    return {
        "contacts:list": contact,
        "contacts:companies": CompanyFactory(industry="Old", **own),
        "contacts:tasks": TaskFactory(title="Call", contact=contact, **own),
        "sales:deals": deal,
    }


def cases(rows: dict[str, Any], cast: Cast) -> list[tuple[str, str, Any, str, Any]]:
    """List, column, what is sent, attribute, what it is then."""
    second = rows["sales:deals"].pipeline.stages.exclude(pk=rows["sales:deals"].stage_id).first()
    return [
        ("contacts:list", "phone", "+49 30 222333", "phone", "+4930222333"),
        ("contacts:list", "stage", "customer", "lifecycle_stage", "customer"),
        ("contacts:list", "job", "Head of tea", "job_title", "Head of tea"),
        ("contacts:list", "email", "New@Mail.example", "email", "new@mail.example"),
        ("contacts:list", "tags", "vip, b2b", "tags", ["b2b", "vip"]),
        ("contacts:list", "owner", cast.manager.pk, "owner_id", cast.manager.pk),
        ("contacts:companies", "industry", "Tea", "industry", "Tea"),
        ("contacts:companies", "size", "12", "size", 12),
        ("contacts:tasks", "priority", "high", "priority", "high"),
        ("contacts:tasks", "kind", "call", "kind", "call"),
        ("contacts:tasks", "assignee", cast.manager.pk, "owner_id", cast.manager.pk),
        ("sales:deals", "amount", "12.50", "amount", 12.5),
        ("sales:deals", "currency", "USD", "currency", "USD"),
        ("sales:deals", "probability", "35", "probability", 35),
        ("sales:deals", "competitors", "Acme, Bolt ,", "competitors", ["Acme", "Bolt"]),
        (
            "sales:deals",
            "expected_close",
            "2026-12-24",
            "expected_close",
            __import__("datetime").date(2026, 12, 24),
        ),
        ("sales:deals", "owner", cast.manager.pk, "owner_id", cast.manager.pk),
        *([("sales:deals", "stage", second.pk, "stage_id", second.pk)] if second else []),
    ]


def test_each_common_field_is_changed_by_its_service(cast: Cast, web: Web, rows: dict[str, Any]) -> None:
    client = web(cast.admin)
    for name, key, value, attribute, expected in cases(rows, cast):
        row = rows[name]
        row.refresh_from_db()
        form = open_cell(client, name, key, row.pk)
        assert form.status_code == 200, (name, key)
        assert f'name="version" value="{row.version}"' in form.content.decode()
        response = send(client, name, key, row, value)
        assert response.status_code == 200, (name, key, response.content.decode()[:500])
        assert response["HX-Retarget"] == f"#row-{row.pk}"
        assert response.content.decode().startswith(f'<tr id="row-{row.pk}">')
        version = row.version
        row.refresh_from_db()
        got = getattr(row, attribute)
        assert (sorted(got) if isinstance(got, list) else got) == expected, (name, key)
        assert row.version == version + 1, (name, key)
    assert Activity.objects.filter(kind="contact.updated").exists()
    assert AuditEntry.objects.filter(table_name="sales_deal", op="U", actor_id=cast.admin.pk).exists()


def test_what_is_wrong_stays_in_the_cell(cast: Cast, web: Web, rows: dict[str, Any]) -> None:
    row = rows["contacts:list"]
    response = send(web(cast.rep), "contacts:list", "phone", row, "nonsense")
    assert response.status_code == 422
    assert 'value="nonsense"' in response.content.decode()
    assert "not a phone number" in response.content.decode()
    row.refresh_from_db()
    assert row.phone == "+4930111"
    response = send(web(cast.rep), "sales:deals", "amount", rows["sales:deals"], "a lot")
    assert response.status_code == 422


def test_a_change_meanwhile_is_said_and_saving_again_is_a_decision(
    cast: Cast, web: Web, rows: dict[str, Any]
) -> None:
    row = rows["contacts:list"]
    client = web(cast.rep)
    Contact.objects.filter(pk=row.pk).update(job_title="Theirs", version=row.version + 1)
    response = send(client, "contacts:list", "job", row, "Mine")
    assert response.status_code == 422
    text = response.content.decode()
    assert 'value="Mine"' in text
    assert f'name="version" value="{row.version + 1}"' in text
    row.refresh_from_db()
    assert row.job_title == "Theirs"
    assert send(client, "contacts:list", "job", row, "Mine").status_code == 200
    row.refresh_from_db()
    assert row.job_title == "Mine"
    assert send(client, "contacts:list", "job", row, "Again", version="x").status_code == 422


def test_only_what_one_may_change_opens(cast: Cast, web: Web, rows: dict[str, Any]) -> None:
    row = rows["contacts:list"]
    page = web(cast.rep).get(reverse("contacts:list") + "?view=all&columns=name,phone,owner").content.decode()
    assert 'data-cell="phone"' in page
    assert 'data-cell="owner"' not in page  # a rep does not assign
    assert 'data-cell="name"' not in page
    assert open_cell(web(cast.rep), "contacts:list", "owner", row.pk).status_code == 403
    assert send(web(cast.rep), "contacts:list", "owner", row, cast.rep2.pk).status_code == 403
    reader = web(cast.readonly)
    assert "data-cell=" not in reader.get(reverse("contacts:list") + "?view=all").content.decode()
    for key in ("phone", "stage"):
        assert open_cell(reader, "contacts:list", key, row.pk).status_code == 403
        assert send(reader, "contacts:list", key, row, "x").status_code == 403
    row.refresh_from_db()
    assert (row.phone, row.version, row.owner) == ("+4930111", 1, cast.rep)


@pytest.mark.parametrize("pk", ["hidden", "0", "x", "", "-1", "9" * 40])
def test_a_hidden_row_is_a_missing_one(cast: Cast, web: Web, rows: dict[str, Any], pk: str) -> None:
    row = rows["contacts:list"]
    cast.rep2.role.scopes = ["*"]  # type: ignore[union-attr]
    cast.rep2.role.save()  # type: ignore[union-attr]
    client = web(cast.rep2)
    asked = row.pk if pk == "hidden" else pk
    assert open_cell(client, "contacts:list", "phone", asked).status_code == 404
    data = {"_cell": "phone", "_row": asked, "version": 1, "value": "+4930999"}
    assert client.post(reverse("contacts:list") + "?columns=phone", data, headers=HTMX).status_code == 404
    for key in ("nonsense", "name", "nps"):
        assert open_cell(web(cast.admin), "contacts:list", key, row.pk).status_code == 404
    row.refresh_from_db()
    assert row.phone == "+4930111"


def test_a_row_given_away_leaves_the_list(cast: Cast, web: Web, rows: dict[str, Any]) -> None:
    cast.rep.role.scopes = ["contacts:*"]  # type: ignore[union-attr]
    cast.rep.role.save()  # type: ignore[union-attr]
    response = send(web(cast.rep), "contacts:list", "owner", rows["contacts:list"], cast.rep2.pk)
    assert response.status_code == 204
    assert '"list"' in response["HX-Trigger"]
