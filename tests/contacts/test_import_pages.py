"""Imports on the web: from the file to its end, in the browser's words."""

from typing import Any

import pytest
from django.urls import reverse

from contacts.importing import runner
from contacts.models import Activity, Company, Contact, CustomField, ImportJob
from tests.contacts.imports import csv_file, run_import

pytestmark = pytest.mark.django_db
NEW = "/imports/new/"
PEOPLE = "E-mail,Vorname,Firma,Lieblingsfarbe\nada@example.org,Ada,Analytical,red\nbroken,Bob,,\n"


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def upload(client: Any, text: str | bytes = PEOPLE, kind: str = "contacts", **headers: Any) -> Any:
    return client.post(NEW, {"file": csv_file(text), "object": kind}, **headers)


def draft(client: Any, text: str | bytes = PEOPLE, kind: str = "contacts") -> ImportJob:
    answer = upload(client, text, kind)
    assert answer.status_code == 302, answer.content.decode()
    job = ImportJob.objects.latest("id")
    assert answer.url == reverse("contacts:import-job", args=[job.pk])
    return job


def test_a_file_goes_all_the_way_without_scripts(cast: Any, web: Any) -> None:
    client = web(cast.admin)
    job = draft(client)
    url = reverse("contacts:import-job", args=[job.pk])

    page = client.get(url).content.decode()
    assert '<option value="email" selected>' in page
    assert '<option value="custom.lieblingsfarbe">' in page
    assert not CustomField.objects.exists()
    assert "1 new" in page
    assert "1 refused" in page
    assert "This is not an e-mail address" in page
    assert not Contact.objects.exists()
    assert not Company.objects.exists()

    fields = {
        "field-0": "email",
        "field-1": "first_name",
        "field-2": "company",
        "field-3": "custom.lieblingsfarbe",
    }
    answer = client.post(url, fields | {"mode": "create", "make_companies": "1", "_action": "start"})
    assert (answer.status_code, answer.url) == (302, url)
    job.refresh_from_db()
    assert (job.status, job.mode) == ("queued", "create")
    waiting = client.get(url).content.decode()
    assert 'hx-trigger="every 1s"' in waiting
    assert "Waiting for a worker" in waiting
    made = CustomField.objects.get()
    assert (made.entity, made.key, made.label, made.type) == (
        "contact",
        "lieblingsfarbe",
        "Lieblingsfarbe",
        "text",
    )

    runner.run(job.pk)
    ended = client.get(url, HTTP_HX_REQUEST="true").content.decode()
    assert "<html" not in ended
    assert "hx-trigger" not in ended  # it asks no more
    assert "Created: 1 contact." in ended
    assert "1 row could not come in." in ended
    assert "<code>broken</code>" in ended
    contact = Contact.objects.get()
    assert (contact.email, contact.custom, contact.company.name) == (
        "ada@example.org",
        {"lieblingsfarbe": "red"},
        "Analytical",
    )
    report = b"".join(client.get(reverse("contacts:import-errors", args=[job.pk])).streaming_content)
    assert report.decode("utf-8-sig").splitlines()[1].startswith("broken,Bob,,,")


def test_the_preview_says_what_exists_and_what_would_be_refused_and_writes_nothing(
    cast: Any, web: Any
) -> None:
    run_import("email\nada@example.org\n", cast.rep)
    run_import("email\nhers@example.org\n", cast.rep2)
    before = list(Contact.objects.order_by("pk").values())
    activities = Activity.objects.count()
    client = web(cast.rep)
    job = draft(
        client,
        "email,phone,tags\n ADA@example.org ,+49 30 1234567,VIP;b\nhers@example.org,12,\n"
        "ada@example.org,,\nnew@example.org,,\n",
    )
    url = reverse("contacts:import-job", args=[job.pk])

    def preview(**fields: str) -> Any:
        return client.post(url, fields, HTTP_HX_REQUEST="true")

    upsert = preview(mode="upsert").content.decode()
    assert "<html" not in upsert
    assert "ada@example.org" in upsert  # as it would come in
    assert "+49301234567" in upsert
    assert "vip, b" in upsert
    assert "An earlier row of this file has the same value" in upsert
    assert "This is not a phone number" in upsert
    outcomes = [client.post(url, {"mode": m}).context["trial"] for m in ("upsert", "create", "update")]
    assert [[row.outcome for row in t.rows] for t in outcomes] == [
        ["update", "rejected", "rejected", "new"],
        ["rejected", "rejected", "rejected", "new"],
        ["update", "rejected", "rejected", "rejected"],
    ]
    assert list(Contact.objects.order_by("pk").values()) == before
    assert Activity.objects.count() == activities
    job.refresh_from_db()
    assert (job.status, job.rows_done) == ("draft", 0)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"field-0": "first_name", "field-1": "first_name"}, "Two columns are mapped"),
        ({"field-0": "", "field-1": ""}, "Map at least one column"),
        ({"field-0": "owner_id"}, "There is no field"),
        ({"field-0": "custom.Not A Key"}, "There is no field"),
        ({"field-0": "custom.unheard_of"}, "There is no field"),
        ({"field-0": "\x00"}, "There is no field"),
    ],
)
def test_a_wrong_mapping_is_shown_and_what_was_chosen_stays(
    cast: Any, web: Any, fields: dict[str, str], text: str
) -> None:
    client = web(cast.rep)
    job = draft(client, "a,b\nx,y\n")
    chosen = {"field-0": "", "field-1": "last_name", "mode": "update", "_action": "start"} | fields

    answer = client.post(reverse("contacts:import-job", args=[job.pk]), chosen)

    assert answer.status_code == 422
    page = answer.content.decode()
    assert text in page
    assert '<input type="radio" name="mode" value="update" checked' in page
    job.refresh_from_db()
    assert job.status == "draft"
    assert not Contact.objects.exists()


def test_owners_can_be_mapped_only_by_those_who_may_assign(cast: Any, web: Any) -> None:
    text = "email,owner\na@example.org,rep2\n"
    mine = draft(web(cast.rep), text)
    url = reverse("contacts:import-job", args=[mine.pk])
    assert '<option value="owner"' not in web(cast.rep).get(url).content.decode()
    forced = web(cast.rep).post(url, {"field-1": "owner", "_action": "start"})
    assert forced.status_code == 403
    assert ImportJob.objects.get(pk=mine.pk).status == "draft"

    theirs = draft(web(cast.manager), text)
    url = reverse("contacts:import-job", args=[theirs.pk])
    assert '<option value="owner" selected>' in web(cast.manager).get(url).content.decode()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "The file is empty"),
        (b"PK\x03\x04" + bytes(500), "can&#x27;t be opened"),
        (b"\x89PNG\r\n\x1a\n", "not a text file"),
        (b"email,email\n1,2\n", "Two columns are called"),
        (b"," * 1_000_000 + b"x\n1\n", "columns. At most 500"),
        (b"a\x00b,c\n1,2\n", "too long or not text"),
    ],
)
def test_files_that_are_none_are_refused_on_the_form(cast: Any, web: Any, data: bytes, text: str) -> None:
    answer = upload(web(cast.rep), data, "companies")

    assert answer.status_code == 422
    page = answer.content.decode()
    assert text in page
    assert 'value="companies" checked' in page
    assert not ImportJob.objects.exists()


def test_no_file_and_too_large_a_file(cast: Any, web: Any, settings: Any) -> None:
    client = web(cast.rep)
    assert client.post(NEW, {"object": "contacts"}).status_code == 422
    assert client.post(NEW, {"object": "deals", "file": csv_file(PEOPLE)}).status_code == 422
    settings.IMPORT_MAX_BYTES = 60
    answer = upload(client)
    assert answer.status_code == 422
    assert "can be read. Send it in parts." in answer.content.decode()
    assert not ImportJob.objects.exists()


def test_only_a_header_is_an_import_of_nothing(cast: Any, web: Any) -> None:
    client = web(cast.rep)
    job = draft(client, "email,first_name\n")
    url = reverse("contacts:import-job", args=[job.pk])
    assert "There are no rows below the header" in client.get(url).content.decode()
    client.post(url, {"_action": "start"})
    runner.run(job.pk)
    assert "a header and no rows below it" in client.get(url).content.decode()


def test_refused_rows_are_paged_by_key_with_their_cells(
    cast: Any, web: Any, django_assert_max_num_queries: Any
) -> None:
    rows = "".join(f"{n},bad{n}\n" for n in range(120))
    job = run_import(f"external_id,email\n{rows}", cast.rep)
    client = web(cast.rep)
    url = reverse("contacts:import-job", args=[job.pk])
    seen: list[int] = []
    with django_assert_max_num_queries(12):
        page = client.get(url)
    while True:
        seen += [error["row"] for error in page.context["errors"]]
        assert page.context["errors"][0]["column"] == "email"
        assert page.context["errors"][0]["raw"] == f"bad{page.context['errors'][0]['row'] - 1}"
        if not page.context["page"].next:
            break
        page = client.get(url, {"cursor": page.context["page"].next})
    assert seen == list(range(1, 121))
    assert client.get(url, {"cursor": "nonsense"}).status_code == 400


def test_names_cells_and_headers_are_shown_as_text(cast: Any, web: Any) -> None:
    client = web(cast.rep)
    evil = "<script>alert(1)</script>"
    file = csv_file(f"{evil},email\n{evil},{evil}\n", name='"><img src=x onerror=1>.csv')
    client.post(NEW, {"file": file, "object": "contacts"})
    job = ImportJob.objects.get()
    url = reverse("contacts:import-job", args=[job.pk])
    fields = {"field-0": "first_name", "field-1": "email"}
    pages = [client.get(url), client.post(url, fields), client.get(reverse("contacts:imports"))]
    client.post(url, fields | {"_action": "start"})
    runner.run(job.pk)
    pages.append(client.get(url))
    for page in pages:
        assert "<script>alert" not in page.content.decode()
        assert "<img src=x" not in page.content.decode()
    assert "&lt;script&gt;" in pages[-1].content.decode()


def test_cancel_before_and_in_the_list(cast: Any, web: Any) -> None:
    client = web(cast.rep)
    job = draft(client)
    answer = client.post(reverse("contacts:import-cancel", args=[job.pk]))
    assert answer.status_code == 302
    page = client.get(answer.url).content.decode()
    assert "Cancelled before the first row. Nothing was changed." in page
    fragment = client.post(reverse("contacts:import-cancel", args=[job.pk]), HTTP_HX_REQUEST="true")
    assert (fragment.status_code, "<html" in fragment.content.decode()) == (200, False)
    assert client.get(reverse("contacts:import-cancel", args=[job.pk])).status_code == 405
    late = client.post(reverse("contacts:import-job", args=[job.pk]), {"_action": "start"})
    assert late.status_code == 302
    job.refresh_from_db()
    assert job.status == "cancelled"


def test_the_list_shows_own_imports_and_costs_the_same_for_many(
    cast: Any, web: Any, django_assert_max_num_queries: Any
) -> None:
    client = web(cast.rep)
    assert "No imports yet" in client.get("/imports/").content.decode()
    run_import("email\na@example.org\n", cast.rep)
    run_import("email\nb@example.org\n", cast.rep2)
    for n in range(30):
        ImportJob.objects.create(owner=cast.rep, team=cast.north, object="contacts", file_name=f"f{n}.csv")
    with django_assert_max_num_queries(12):
        page = client.get("/imports/")
    assert page.context["row_count"] == 31
    assert web(cast.rep2).get("/imports/").context["row_count"] == 1
    assert web(cast.readonly).get("/imports/").context["row_count"] == 32
    assert client.get("/imports/", {"status": "draft"}).context["row_count"] == 30
    assert client.get("/imports/", {"status": "nope"}).status_code == 400


def test_who_may(cast: Any, web: Any) -> None:
    job = draft(web(cast.rep))
    paths = [reverse(f"contacts:{name}", args=[job.pk]) for name in ("import-job", "import-errors")]
    for path in paths:
        assert web(cast.rep2).get(path).status_code == 404
        assert web(cast.readonly).get(path).status_code == 200
        assert web(cast.nobody).get(path).status_code == 403
    cancel = reverse("contacts:import-cancel", args=[job.pk])
    assert web(cast.rep2).post(cancel).status_code == 404
    assert web(cast.rep2).post(paths[0], {"_action": "start"}).status_code == 404
    assert web(cast.readonly).post(cancel).status_code == 403
    assert web(cast.readonly).post(paths[0], {"_action": "start"}).status_code == 403
    assert web(cast.readonly).get(NEW).status_code == 403
    assert upload(web(cast.readonly)).status_code == 403
    assert upload(web(cast.nobody)).status_code == 403
    assert web(cast.manager).get(paths[0]).status_code == 200  # leads the team
    assert list(ImportJob.objects.values_list("status", flat=True)) == ["draft"]
