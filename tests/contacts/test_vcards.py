"""vCards in and out: every version, whatever is folded or escaped, and back again the same."""

import datetime as dt
from typing import Any

import pytest
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.importing.vcards import COLUMNS, vcard_rows
from contacts.models import Address, Company, Contact, SocialProfile
from contacts.services.interactions import interaction_log
from contacts.services.points import point_add
from crmcem.lib.actors import person
from crmcem.lib.errors import DomainError
from crmcem.lib.vcards import line, listed, parsed, unfolded
from crmcem.lib.web import exports
from crmcem.workspace.models import Export
from crmcem.workspace.services.exports import export_run
from tests.contacts.imports import counts, csv_file, errors, run_import


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


CARDS = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\n"
    "N:Lovelace;Ada;Augusta;Dr.;\r\nFN:Dr. Ada Lovelace\r\n"
    "item1.EMAIL;TYPE=INTERNET:ada@home.example\r\n"
    'EMAIL;TYPE="INTERNET,WORK,pref":ADA@work.example\r\n'
    "TEL;TYPE=CELL:+49 151 1234567\r\nTEL;VALUE=uri;PREF=1:tel:+49-30-1234567\r\n"
    "ORG:Analytical\\, Ltd\\; Sons;Engines\r\nTITLE:Countess\r\n"
    "BDAY;X-APPLE-OMIT-YEAR=1604:1604-12-10\r\nCATEGORIES:VIP,Maths\\, pure\r\n"
    "ADR;TYPE=HOME:;;12 St James\\nSquare;London;;SW1Y;UK\r\n"
    "PHOTO;ENCODING=b;TYPE=JPEG:" + "\r\n ".join(["QUJD" * 18] * 30) + "\r\n"
    "NOTE:A very long no\r\n te\\nof two lines\r\nX-CRMCEM-EXTERNAL-ID:C-1\r\nEND:VCARD\r\n"
    "\r\n"
    "BEGIN:VCARD\nVERSION:4.0\nFN:Grace Hopper\nN:;;;;\nEMAIL:broken\nBDAY:19061209T120000\n"
    "KIND:individual\nEND:VCARD\n"
    "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:All of them\nMEMBER:urn:uuid:1\nEND:VCARD\n"
    "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BC=\nrgen;;;\n"
    "TEL;CELL;PREF:+49 151 7654321\nEND:VCARD\n"
    "BEGIN:VCARD\nVERSION:4.0\nKIND:org\nFN:ACME\nEMAIL:info@acme.example\nEND:VCARD\n"
    "BEGIN:VCARD\nFN:never ends"
)


def test_cards_of_every_version_are_rows() -> None:
    header, *rows = vcard_rows(CARDS.splitlines(keepends=True))
    assert header == COLUMNS
    ada, grace, jurgen, acme = (dict(zip(COLUMNS, row, strict=True)) for row in rows)
    assert {name: text for name, text in ada.items() if text} == {
        "First name": "Dr. Ada Augusta",
        "Last name": "Lovelace",
        "Full name": "Dr. Ada Lovelace",
        "E-mail": "ADA@work.example|ada@home.example",
        "Phone": "+49-30-1234567|+49 151 1234567",
        "Company": "Analytical, Ltd; Sons",
        "Job title": "Countess",
        "Birthday": "--12-10",
        "Tags": "VIP|Maths, pure",
        "External id": "C-1",
        "Street": "12 St James\nSquare",
        "City": "London",
        "Postal code": "SW1Y",
        "Country": "UK",
        "Address kind": "home",
        "Note": "A very long note\nof two lines",
    }
    assert (grace["Full name"], grace["Birthday"], grace["E-mail"]) == (
        "Grace Hopper",
        "1906-12-09",
        "broken",
    )
    assert (jurgen["First name"], jurgen["Last name"], jurgen["Phone"]) == (
        "Jürgen",
        "Müller",
        "+49 151 7654321",
    )
    assert (acme["Company"], acme["E-mail"]) == ("ACME", "info@acme.example")


@pytest.mark.django_db
def test_a_file_of_cards_is_an_import_like_any_other(cast: Any, web: Any) -> None:
    client = web(cast.rep)
    url = client.post("/imports/new/", {"file": csv_file(CARDS, "people.vcf"), "object": "contacts"}).url
    page = client.get(url).content.decode()
    assert "vCard" in page
    assert "ADA@work.example" in page

    job = run_import(CARDS, cast.rep)

    assert (job.status, job.encoding, counts(job)) == ("done", "vcard", (3, 0, 0, 1))
    assert errors(job) == [(2, "email", "invalid")]
    ada = Contact.objects.get(external_id="C-1")
    assert (ada.first_name, ada.email, ada.phone) == ("Dr. Ada Augusta", "ada@work.example", "+49301234567")
    assert ada.birthday == dt.date(1604, 12, 10)
    assert ada.tags == ["vip", "maths, pure"]
    assert ada.company.name == "Analytical, Ltd; Sons"
    assert set(ada.points.values_list("value", flat=True)) == {
        "ada@work.example",
        "ada@home.example",
        "+49301234567",
        "+491511234567",
    }
    assert counts(run_import(CARDS, cast.rep)) == (1, 0, 2, 1)  # a number alone names nobody for sure
    with pytest.raises(DomainError, match="Import it as contacts"):
        run_import(CARDS, cast.rep, kind="companies")


def exported(contact: Contact, web: Any, user: Any) -> str:
    answer = web(user).get(reverse("contacts:contact-card", args=[contact.pk]))
    assert answer["Content-Type"] == "text/vcard; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="contact-{contact.pk}.vcf"'
    text: str = answer.content.decode()
    return text


PAGES = [
    ("other", "", "https://ada.example/a,b"),
    ("other", 'Ada "K" ^1; B: 2', "https://ada.example/c"),
    ("linkedin", "ada", "https://www.linkedin.com/in/ada"),
    ("xing", "", "https://www.xing.com/profile/ada"),
    ("mastodon", "ada@x.example", ""),
]


def parts_of(contact: Contact) -> tuple[Any, ...]:
    names = ("kind", "lines", "postal_code", "city", "region", "country", "is_primary")
    return (
        set(contact.points.values_list("kind", "value", "is_primary")),
        list(contact.address_set.order_by("id").values_list(*names)),
        sorted(contact.socialprofile_set.values_list("network", "handle", "url")),
    )


@pytest.mark.django_db
def test_a_contact_leaves_as_a_card_and_comes_back_the_same(cast: Any, web: Any) -> None:
    run_import(
        "external_id,first_name,last_name,email,phone,company,title,birthday,tags,language,time_zone\n"
        'C-1,"Ada, Countess",Lövelace; K\\,ada@x.example;ada@y.example,+4930123456,"A; B, C\\D",Boss,--02-29,'
        '"vip;maths",en,Europe/London\n',
        cast.rep,
    )
    ada = Contact.objects.get()
    Address.objects.create(
        contact=ada, lines="1 Road\nFloor 2", city="Köln", postal_code="50667", country="DE", is_primary=True
    )
    Address.objects.create(
        contact=ada, kind="billing", lines="2 Lane; left, below", region="Kent", country="GB"
    )
    Address.objects.create(contact=ada, kind="home", city="Ulm")
    for network, handle, url in PAGES:
        SocialProfile.objects.create(contact=ada, network=network, handle=handle, url=url)
    names = [
        "first_name",
        "last_name",
        "email",
        "phone",
        "job_title",
        "birthday",
        "tags",
        "language",
        "time_zone",
    ]
    before = [getattr(ada, name) for name in names], parts_of(ada)

    text = exported(ada, web, cast.admin)

    assert text.startswith("BEGIN:VCARD\r\nVERSION:3.0\r\n")
    assert "ADR;TYPE=work,pref;X-CRMCEM-KIND=main:;;1 Road\\nFloor 2;Köln;;50667;DE\r\n" in text
    assert "URL:https://ada.example/a\\,b\r\n" in text
    assert 'X-SOCIALPROFILE;TYPE=mastodon;X-USER="ada@x.example":x-apple:ada@x.example\r\n' in text
    assert all(len(each.encode()) <= 75 for each in text.split("\r\n"))
    ada.delete()
    assert counts(run_import(text, cast.rep)) == (1, 0, 0, 0)
    again = Contact.objects.get()
    assert ([getattr(again, name) for name in names], parts_of(again)) == before
    assert (again.external_id, again.company.name) == ("C-1", "A; B, C\\D")
    assert Company.objects.count() == 1
    assert counts(run_import(exported(again, web, cast.admin), cast.rep)) == (0, 0, 1, 0)


@pytest.mark.django_db
def test_who_may_have_a_card_and_a_hidden_company_is_not_on_it(cast: Any, web: Any) -> None:
    run_import("email\na@example.org\n", cast.rep)
    contact = Contact.objects.get()
    Contact.objects.filter(pk=contact.pk).update(
        company=Company.objects.create(name="Secret", owner=cast.rep2)
    )
    url = reverse("contacts:contact-card", args=[contact.pk])
    assert web(cast.rep2).get(url).status_code == 404
    assert web(cast.nobody).get(url).status_code == 403
    assert web(cast.admin).post(url).status_code == 405
    assert "ORG:Secret" in exported(contact, web, cast.admin)
    rep = cast.rep
    rep.role.scopes = [*rep.role.scopes, "contacts:export"]
    rep.role.save()
    assert "ORG" not in exported(contact, web, rep)


@pytest.mark.django_db
def test_a_list_leaves_as_cards_at_once_or_as_a_job(
    cast: Any, web: Any, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    run_import("email,first_name\n" + "".join(f"p{n}@example.org,Person {n}\n" for n in range(30)), cast.rep)
    point_add(
        data={"contact": Contact.objects.earliest("pk"), "kind": "email", "value": "z@example.org"},
        actor=person(cast.rep),
    )
    client = web(cast.admin)
    url = reverse("contacts:list")
    dialog = client.get(url, {"_part": "export"}).content.decode()
    assert f'formaction="{url}?file=vcf">vCards (.vcf)</button>' in dialog
    with django_assert_max_num_queries(40):
        answer = client.post(f"{url}?file=vcf&ordering=id", {"_export": "1"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/vcard; charset=utf-8")
    assert answer["Content-Disposition"].endswith('.vcf"')
    text = answer.content.decode()
    assert text.count("BEGIN:VCARD") == text.count("END:VCARD") == 30
    assert text.index("FN:Person 0\r\n") < text.index("FN:Person 29\r\n")
    assert "z@example.org" in text
    assert client.post(f"{url}?file=exe", {"_export": "1"}).status_code == 400
    assert client.post(f"{reverse('contacts:companies')}?file=vcf", {"_export": "1"}).status_code == 400
    monkeypatch.setattr(exports, "DIRECT_ROWS", 10)
    monkeypatch.setattr(exports, "count", lambda page: None)
    client.post(f"{url}?file=vcf&ordering=id", {"_export": "1"})
    job = Export.objects.latest("pk")
    assert export_run(job.pk) == "done"
    job.refresh_from_db()
    assert (job.rows_done, job.file_name[-4:], job.file.name[-4:]) == (30, ".vcf", ".vcf")
    with job.file.open("rb") as file:
        assert file.read().decode() == text
    fetched = client.get(reverse("workspace:export-file", args=[job.pk]))
    assert fetched["Content-Type"] == "text/vcard"


@pytest.mark.django_db
def test_ticked_rows_leave_as_cards_or_csv_and_only_those_one_may_see(
    cast: Any, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_import("email,first_name\n" + "".join(f"p{n}@example.org,Person {n}\n" for n in range(4)), cast.rep)
    run_import("email,first_name\nhers@example.org,Hers\n", cast.rep2)
    rep, url = cast.rep, reverse("contacts:list")
    ids = list(
        Contact.objects.filter(first_name__in=["Person 1", "Person 3", "Hers"]).values_list("pk", flat=True)
    )
    rep.role.scopes = ["contacts:read", "contacts:write"]
    rep.role.save()
    assert '{"_export":"ask"}' not in web(rep).get(url).content.decode()
    assert web(rep).post(url, {"_export": "ask", "ids": ids}).status_code == 403
    assert web(rep).post(f"{url}?file=vcf", {"_export": "1", "ids": ids}).status_code == 403
    rep.role.scopes = [*rep.role.scopes, "contacts:export"]
    rep.role.save()
    client = web(rep)

    assert '{"_export":"ask"}' in client.get(url).content.decode()
    dialog = client.post(f"{url}?ordering=id", {"_export": "ask", "ids": ids, "_all": ""}).content.decode()
    assert "CSV file of the ticked rows" in dialog
    assert "2 rows." in dialog
    assert dialog.count('name="ids"') == 3
    assert f'formaction="{url}?ordering=id&amp;file=vcf"' in dialog
    monkeypatch.setattr(
        exports, "count", lambda page: None
    )  # chosen rows are never a job, which knows the URL only
    text = client.post(f"{url}?ordering=id&file=vcf", {"_export": "1", "ids": ids}).content.decode()
    names = sorted(each for each in text.split("\r\n") if each.startswith("FN:"))
    assert names == ["FN:Person 1", "FN:Person 3"]
    plain = client.post(f"{url}?ordering=id", {"_export": "1", "ids": ids}).content.decode()
    assert ("Person 1" in plain, "Person 0" in plain, "Hers" in plain) == (True, False, False)
    everything = client.post(url, {"_export": "ask", "ids": ids, "_all": "1"}).content.decode()
    assert "CSV file of this list" in everything
    assert 'name="ids"' not in everything
    assert client.post(f"{url}?file=vcf", {"_export": "1", "ids": "x"}).status_code in {400, 422}


@pytest.mark.django_db
def test_notes_leave_only_where_they_are_wished_and_come_back(cast: Any, web: Any) -> None:
    run_import("external_id,first_name\nC-1,Ada\nC-2,Bob\n", cast.rep)
    ada = Contact.objects.get(external_id="C-1")
    actor = person(cast.rep)
    for subject, body in (("", "First; note\nof two lines"), ("A subject", "and | text"), ("", "")):
        interaction_log(data={"contact": ada, "kind": "note", "subject": subject, "body": body}, actor=actor)
    interaction_log(data={"contact": ada, "kind": "call", "body": "Secret call"}, actor=actor)
    client, url = web(cast.admin), reverse("contacts:list")
    assert "NOTE" not in exported(ada, web, cast.admin)
    assert "NOTE" not in client.post(f"{url}?file=vcf&ordering=id", {"_export": "1"}).content.decode()
    answer = client.post(f"{url}?file=notes.vcf&ordering=id", {"_export": "1"})
    assert answer["Content-Disposition"].endswith('.notes.vcf"')
    text = answer.content.decode()
    assert "NOTE:First\\; note\\nof two lines\r\nNOTE:A subject\\n\\nand | text\r\n" in text
    assert "Secret" not in text
    assert counts(run_import(text, cast.rep)) == (0, 0, 2, 0)
    ada.delete()
    assert counts(run_import(text, cast.rep)) == (1, 0, 1, 0)
    again = Contact.objects.get(external_id="C-1").interactions.order_by("id")
    assert list(again.values_list("kind", "body")) == [
        ("note", "First; note\nof two lines"),
        ("note", "A subject\n\nand | text"),
    ]
    role = cast.rep.role
    role.scopes = ["contacts:*", "companies:*"]
    role.save()
    client = web(cast.rep)
    assert "?file=vcf" in client.get(url, {"_part": "export"}).content.decode()
    assert "notes.vcf" not in client.get(url, {"_part": "export"}).content.decode()
    assert client.post(f"{url}?file=notes.vcf", {"_export": "1"}).status_code == 400


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first value waits for a table of all characters
@given(
    values=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=120),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_reads_back_the_same(values: list[str]) -> None:
    text = line("N", *values)
    assert all(len(each.encode()) <= 75 for each in text.split("\r\n"))
    [whole] = unfolded(text.split("\r\n")[:-1])
    found = parsed(whole)
    assert found is not None
    assert listed(found.value) == values


@given(data=st.text(max_size=200))
def test_any_text_is_read_without_a_crash(data: str) -> None:
    list(vcard_rows(f"BEGIN:VCARD\n{data}\nEND:VCARD\n".splitlines(keepends=True)))
