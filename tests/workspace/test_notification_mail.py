"""Notifications by e-mail, from their rows."""

import pytest
from django.core import mail

from crmcem.workspace.models import Notification
from crmcem.workspace.services.notifications import notify
from crmcem.workspace.services.outbox import send_notifications
from tests.conftest import Cast

pytestmark = pytest.mark.django_db


def test_a_notification_is_mailed_once(cast: Cast, settings: object) -> None:
    notify(user=cast.rep, kind="x", title="Call <Ada>", body="She waits.", url="/contacts/7/", dedupe_key="k")
    assert not notify(user=cast.rep, kind="x", title="Call <Ada>", dedupe_key="k")
    assert (send_notifications(), send_notifications()) == (1, 0)
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == ([cast.rep.email], "Call <Ada>")
    assert "/contacts/7/" in sent.body
    assert "Call &lt;Ada&gt;" in sent.alternatives[0].content
    row = Notification.objects.get()
    assert (row.email_status, row.email_attempts) == ("sent", 1)


def test_who_does_not_want_mail_or_has_left_gets_none(cast: Cast) -> None:
    cast.rep.email_notifications = False
    cast.rep.save()
    notify(user=cast.rep, kind="x", title="A")
    notify(user=cast.rep2, kind="x", title="B")
    cast.rep2.is_active = False
    cast.rep2.save()
    assert send_notifications() == 1
    assert mail.outbox == []
    assert list(Notification.objects.order_by("title").values_list("email_status", flat=True)) == [
        "none",
        "none",
    ]
