"""What leaves for a customer, as it stands on the wire."""

import email
import email.policy
import email.utils

import pytest
from django.core.mail import BadHeaderError

from crmcem.lib.mail import Mail, build


def mail(**values: str) -> Mail:
    good = {
        "to": "ada@customer.example",
        "subject": "Wie war's? ✓",
        "text": "Hello Ada",
        "html": "<p>Hello <b>Ada</b></p>",
        "message_id": "<0123456789@crm.example>",
        "sender_name": "Shop",
        "language": "de",
    }
    return Mail(**(good | values))  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_mail_has_every_header_and_both_parts() -> None:
    raw = build(mail()).message().as_bytes()
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert read["Subject"] == "Wie war's? ✓"
    assert read["To"] == "ada@customer.example"
    assert email.utils.parseaddr(read["From"])[1]
    assert email.utils.parsedate_to_datetime(read["Date"])
    assert read["Message-ID"] == "<0123456789@crm.example>"
    assert read["Auto-Submitted"] == "auto-generated"
    assert read.get_content_type() == "multipart/alternative"
    plain, html = list(read.iter_parts())
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert plain.get_content().strip() == "Hello Ada"
    assert '<html lang="de">' in html.get_content()
    assert "<script" not in html.get_content()
    assert all(len(line) < 999 for line in raw.splitlines()), "no line is longer than mail may carry"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["subject", "to", "message_id"])
def test_no_field_brings_a_header_of_its_own(name: str) -> None:
    with pytest.raises((BadHeaderError, ValueError)):
        build(mail(**{name: "a@x.example\r\nBcc: evil@x.example"})).message()
