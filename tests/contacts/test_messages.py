import pytest
from django.core import mail
from django.db import IntegrityError

from contacts.models import Activity, Contact, Message
from contacts.services.messages import message_queue
from contacts.services.outbox import message_id, send_messages
from crmcem.lib.actors import SYSTEM, person
from crmcem.lib.errors import DomainError, NotAllowed
from tests.conftest import Cast
from tests.factories.contacts import ContactFactory

pytestmark = pytest.mark.django_db


def queue(contact: Contact, key: str = "k1", **values: object) -> Message:
    defaults = {"purpose": "survey", "subject": "Hello", "text": "How was it?"}
    return message_queue(actor=SYSTEM, contact=contact, idempotency_key=key, **(defaults | values))


def test_a_queued_message_is_sent_once_and_stands_on_the_timeline() -> None:
    contact = ContactFactory(email="ada@customer.example")
    message = queue(contact, html="<p>How was <b>it</b>?</p>", subject_ref=("invitation", 7))
    assert send_messages() == 1
    assert send_messages() == 0
    [sent] = mail.outbox
    assert sent.to == ["ada@customer.example"]
    assert sent.subject == "Hello"
    assert sent.extra_headers["Message-ID"] == message_id("k1")
    html = sent.alternatives[0].content
    assert "How was <b>it</b>?" in html
    assert "<style" not in html
    assert 'style="' in html
    message.refresh_from_db()
    assert (message.status, message.attempts, message.error) == ("sent", 1, "")
    assert message.sent_at is not None
    activity = Activity.objects.get(kind="message.sent")
    assert (activity.contact_id, activity.subject_type, activity.subject_id) == (
        contact.pk,
        "message",
        message.pk,
    )
    assert activity.payload["about"] == {"type": "invitation", "id": 7}


def test_the_same_key_is_queued_once() -> None:
    contact = ContactFactory()
    first = queue(contact)
    again = queue(contact, subject="Another text")
    assert again.pk == first.pk
    assert again.subject == "Hello"
    assert Message.objects.count() == 1


def test_consent_is_checked_when_it_is_sent() -> None:
    contact = ContactFactory()
    queue(contact)
    queue(contact, "k2", purpose="transactional")
    Contact.objects.filter(pk=contact.pk).update(consent={"email": {"status": "denied"}})
    assert send_messages() == 2
    assert dict(Message.objects.values_list("idempotency_key", "status")) == {
        "k1": "suppressed",
        "k2": "sent",
    }
    assert len(mail.outbox) == 1
    assert Message.objects.get(idempotency_key="k1").error == "The customer has refused e-mail."


@pytest.mark.parametrize("address", [None, "", "no-at-sign", "a@b.example\nBcc: all@x.example"])
def test_without_a_usable_address_nothing_is_sent(address: str | None) -> None:
    contact = ContactFactory(email=address)
    assert queue(contact).status == "suppressed"
    assert send_messages() == 0
    assert mail.outbox == []


def test_headers_cannot_be_injected() -> None:
    contact = ContactFactory()
    message = queue(contact, subject="Hi\r\nBcc: all@x.example\x00")
    assert message.subject == "Hi Bcc: all@x.example"
    for headers in ({"X-A": "b\r\nBcc: c@d.example"}, {"Bcc": "c@d.example"}, {"X A": "b"}, {"Subject": "b"}):
        with pytest.raises(DomainError):
            queue(contact, "k2", headers=headers)
    assert Message.objects.count() == 1
    queue(contact, "k3", headers={"List-Unsubscribe": "<https://crm.example/u/x>"})
    send_messages()
    assert mail.outbox[1].extra_headers["List-Unsubscribe"] == "<https://crm.example/u/x>"


def test_a_person_writes_only_to_contacts_they_see(cast: Cast) -> None:
    contact = ContactFactory(owner=cast.rep2, team=cast.south)
    with pytest.raises(NotAllowed):
        message_queue(
            actor=person(cast.rep), contact=contact, purpose="p", subject="s", text="t", idempotency_key="k"
        )
    assert Message.objects.count() == 0


def test_a_bad_key_is_refused() -> None:
    for key in ("", "x" * 161):
        with pytest.raises(DomainError):
            queue(ContactFactory(), key)


def test_the_key_is_unique_in_the_database() -> None:
    contact = ContactFactory()
    queue(contact)
    with pytest.raises(IntegrityError):
        Message.objects.create(contact=contact, to_address="x@y.example", idempotency_key="k1")
