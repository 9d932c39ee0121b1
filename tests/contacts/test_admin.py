"""The administrator's pages of customers, messages, stream and imports: what they show, do, cost and refuse."""

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from contacts.models import (
    Activity,
    Address,
    Attachment,
    Company,
    CompanyDomain,
    ConsumerOffset,
    Contact,
    ContactPoint,
    CustomField,
    Employment,
    EventKey,
    FieldLayout,
    Follower,
    IdentityAlias,
    ImportJob,
    ImportRowError,
    Interaction,
    LifecycleChange,
    Message,
    Relationship,
    SavedView,
    SocialProfile,
    Tag,
    TagJob,
    Task,
)
from contacts.services.stream import NewActivity, activities_append
from crmcem.lib.actors import SYSTEM
from crmcem.lib.admin import ReadOnlyAdmin
from crmcem.workspace.models import Team
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory

pytestmark = pytest.mark.django_db
MODELS = [m for m in admin.site._registry if m._meta.app_label == "contacts"]


def name(model: Any) -> str:
    return f"admin:contacts_{model._meta.model_name}"


def rows(owner: Any, count: int) -> Contact:
    """``count`` rows of every kind, all with their companions; answers the last contact."""
    contact = None
    offset = Contact.objects.count()
    for n in range(offset, offset + count):
        company = CompanyFactory(owner=owner, domain=f"c{n}.example")
        contact = ContactFactory(owner=owner, company=company)
        contact.lifecycle_changes.create(from_stage="lead", to_stage="former", at=timezone.now())
        Relationship.objects.create(contact=contact, related=ContactFactory(owner=owner), kind="spouse")
        Address.objects.create(contact=contact, lines="<b>x</b>")
        Attachment.objects.create(contact=contact, name="<b>x</b>", content_type="text/plain", size=1)
        Follower.objects.create(contact=contact, user=owner)
        SocialProfile.objects.create(company=company, network="other", handle="x")
        ContactPoint.objects.create(contact=contact, kind="email", value=contact.email, is_primary=True)
        InteractionFactory(contact=contact, owner=owner)
        TaskFactory(contact=contact, owner=owner)
        Message.objects.create(
            contact=contact, to_address=contact.email, idempotency_key=f"k{n}", status="failed"
        )
        job = ImportJob.objects.create(
            owner=owner, object="contacts", file_name=f"{n}.csv", columns=["email"]
        )
        ImportRowError.objects.create(
            job=job, row=1, field="email", code="invalid", detail="No.", raw=["<b>x</b>"]
        )
        IdentityAlias.objects.create(anonymous_id=f"a{n}", contact=contact)
        EventKey.objects.create(digest=f"{n:032x}")
        SavedView.objects.create(entity="contact", name=f"v{n}", owner=owner)
        CustomField.objects.create(entity="contact", key=f"field_{n}", label="<b>x</b>", type="text")
        FieldLayout.objects.create(entity="contact", team=Team.objects.create(name=f"Team {n}"))
        ConsumerOffset.objects.create(name=f"test.{n}")
        Tag.objects.create(name=f"<b>{n}</b>")
        TagJob.objects.create(old=f"<b>{n}</b>")
        activities_append(actor=SYSTEM, activities=[NewActivity("test.done", contact_id=contact.pk)])
    assert contact is not None
    return contact


def test_every_kind_of_record_is_there_and_read_only(cast: Any, web: Any) -> None:
    assert set(MODELS) == {
        Activity,
        Address,
        Attachment,
        Company,
        CompanyDomain,
        ConsumerOffset,
        Contact,
        ContactPoint,
        CustomField,
        Employment,
        Follower,
        EventKey,
        FieldLayout,
        IdentityAlias,
        ImportJob,
        ImportRowError,
        Interaction,
        LifecycleChange,
        Message,
        Relationship,
        SavedView,
        SocialProfile,
        Tag,
        TagJob,
        Task,
    }
    rows(cast.rep, 1)
    client = web(cast.admin)
    for model in MODELS:
        assert isinstance(admin.site._registry[model], ReadOnlyAdmin), model
        row = model._default_manager.first()
        page = client.get(reverse(f"{name(model)}_change", args=[row.pk]))
        assert page.status_code == 200, model
        assert "<b>x</b>" not in page.content.decode()
        before = model._default_manager.filter(pk=row.pk).values().get()
        assert client.post(reverse(f"{name(model)}_change", args=[row.pk]), {"name": "x"}).status_code == 403
        assert (
            client.post(reverse(f"{name(model)}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        )
        assert client.post(reverse(f"{name(model)}_add"), {}).status_code == 403
        assert model._default_manager.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.model_name)
def test_lists_cost_the_same_for_many_rows_and_count_nothing_without_a_cap(
    cast: Any, web: Any, model: Any
) -> None:
    client = web(cast.admin)
    url = reverse(f"{name(model)}_changelist")
    rows(cast.rep, 2)
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert client.get(url).status_code == 200
    rows(cast.rep, 20)
    with CaptureQueriesContext(connection) as many:
        assert client.get(url).status_code == 200
    assert len(many) == len(few) <= 14
    counts = [q["sql"] for q in many if re.search(r"COUNT\(", q["sql"]) and model._meta.db_table in q["sql"]]
    assert all("LIMIT" in sql for sql in counts), counts
    ordered = [
        q["sql"] for q in many if f'FROM "{model._meta.db_table}"' in q["sql"] and "ORDER BY" in q["sql"]
    ]
    column = model._meta.pk.column
    direction = "ASC" if model is ConsumerOffset else "DESC"
    assert all(f'ORDER BY "{model._meta.db_table}"."{column}" {direction}' in sql for sql in ordered), ordered


def test_search_goes_by_index(cast: Any, web: Any) -> None:
    contact = rows(cast.rep, 3)
    client = web(cast.admin)

    def found(model: Any, text: str) -> list[Any]:
        page = client.get(reverse(f"{name(model)}_changelist"), {"q": text})
        assert page.status_code == 200
        return [row.pk for row in page.context["cl"].result_list]

    assert found(Contact, contact.email) == [contact.pk]
    assert found(Company, contact.company.name) == [contact.company_id]
    of_contact = f"contact:{contact.pk}"
    for model in (ContactPoint, Interaction, Task, Message, Activity, IdentityAlias):
        expected = list(
            model.objects.filter(contact_id=contact.pk).order_by("-pk").values_list("pk", flat=True)
        )
        assert found(model, of_contact) == expected
        assert len(expected) == 1
    message = Message.objects.get(contact=contact)
    assert found(Message, message.idempotency_key) == [message.pk]
    assert found(Message, str(message.pk)) == [message.pk]
    assert found(ContactPoint, contact.email.upper()) == [contact.points.get().pk]
    assert found(ImportRowError, str(ImportJob.objects.first().pk)) == [
        ImportRowError.objects.get(job=ImportJob.objects.first()).pk
    ]
    key = EventKey.objects.first()
    assert found(EventKey, str(key.digest)) == [key.pk]
    for text in ("9" * 30, "contact:x", "²", "'; --", "%", "contact:" + "9" * 25):
        for model in MODELS:
            assert client.get(reverse(f"{name(model)}_changelist"), {"q": text}).status_code == 200


def test_dead_letters_are_sent_again_and_nothing_else_is(cast: Any, web: Any) -> None:
    contact = ContactFactory()
    states = ("failed", "uncertain", "sent", "suppressed", "queued", "sending")
    made = {
        status: Message.objects.create(
            contact=contact, to_address="a@b.example", idempotency_key=status, status=status, error="broken"
        )
        for status in states
    }
    client = web(cast.admin)
    url = reverse("admin:contacts_message_changelist")

    def shown(state: str) -> set[str]:
        return {row.status for row in client.get(url, {"state": state}).context["cl"].result_list}

    assert shown("dead") == {"failed", "uncertain"}
    assert shown("failed") == {"failed"}
    assert shown("waiting") == {"queued", "sending"}
    picked = [row.pk for row in made.values()]
    answer = client.post(url, {"action": "send_again", "_selected_action": picked}, follow=True)
    assert "2 messages are queued again" in answer.content.decode()
    assert dict(Message.objects.values_list("idempotency_key", "status")) == {
        "failed": "queued",
        "uncertain": "queued",
        "sent": "sent",
        "suppressed": "suppressed",
        "queued": "queued",
        "sending": "sending",
    }
    assert Message.objects.get(pk=made["failed"].pk).error == ""


def test_a_consumer_that_waits_tries_again_now(cast: Any, web: Any) -> None:
    later = timezone.now() + dt.timedelta(hours=1)
    ConsumerOffset.objects.create(name="test.stuck", failures=3, last_error="boom", retry_at=later)
    ConsumerOffset.objects.create(name="test.fine")
    client = web(cast.admin)
    url = reverse("admin:contacts_consumeroffset_changelist")
    assert "boom" in client.get(url).content.decode()
    names = ["test.stuck", "test.fine"]
    answer = client.post(url, {"action": "retry_now", "_selected_action": names}, follow=True)
    assert "1 consumer tries again now" in answer.content.decode()
    stuck = ConsumerOffset.objects.get(name="test.stuck")
    assert (stuck.retry_at, stuck.failures, stuck.txid, stuck.last_id) == (None, 3, "0", 0)


def test_an_import_is_stopped(cast: Any, web: Any) -> None:
    jobs = {
        status: ImportJob.objects.create(owner=cast.rep, object="contacts", file_name="f", status=status)
        for status in ("queued", "running", "done")
    }
    ImportJob.objects.filter(status="running").update(claimed_until=timezone.now() + dt.timedelta(minutes=1))
    client = web(cast.admin)
    picked = [job.pk for job in jobs.values()]
    url = reverse("admin:contacts_importjob_changelist")
    answer = client.post(url, {"action": "stop", "_selected_action": picked}, follow=True)
    assert "2 imports are asked to stop" in answer.content.decode()
    found = {job.pk: (job.status, job.cancel_requested) for job in ImportJob.objects.all()}
    assert found == {
        jobs["queued"].pk: ("cancelled", True),
        jobs["running"].pk: ("running", True),
        jobs["done"].pk: ("done", False),
    }


@pytest.mark.parametrize("who", ["rep", "manager", "cx", "integrator", "readonly", "nobody"])
def test_nobody_else_sees_or_does_any_of_it(cast: Any, web: Any, who: str) -> None:
    message = Message.objects.create(to_address="a@b.example", idempotency_key="k", status="failed")
    client = web(getattr(cast, who))
    for model in MODELS:
        assert client.get(reverse(f"{name(model)}_changelist")).status_code == 302
    url = reverse("admin:contacts_message_changelist")
    answer = client.post(url, {"action": "send_again", "_selected_action": [message.pk]})
    assert (answer.status_code, answer.url.startswith("/admin/login/")) == (302, True)
    assert Message.objects.get().status == "failed"
