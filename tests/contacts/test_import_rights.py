"""Columns for fields that somebody may not write: told when they are mapped, never left out without a word."""

from typing import Any

import pytest

from contacts.importing import runner
from contacts.models import Contact, ImportJob, Interaction
from contacts.services.import_checks import import_check
from contacts.services.imports import import_create, import_start
from crmcem.lib.actors import person
from crmcem.lib.errors import NotAllowed
from tests.contacts.imports import csv_file, run_import

TEXT = "email,Remarks\na@example.org,Hello\n"
URL = "/api/v1/imports/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def mute(cast: Any) -> Any:
    """A rep who may import contacts, and log nothing with them."""
    role = cast.rep.role
    role.scopes = [scope for scope in role.scopes if not scope.startswith("interactions")]
    role.save()
    return cast.rep


def nothing_came_in() -> bool:
    return not Contact.objects.exists() and not Interaction.objects.exists()


def test_a_note_is_refused_in_words_unless_its_column_is_left_out(mute: Any) -> None:
    for mapping in (None, {"email": "email", "Remarks": "note"}):
        with pytest.raises(NotAllowed) as caught:
            run_import(TEXT, mute, mapping=mapping)
        assert caught.value.scope == "interactions:write"
        assert str(caught.value) == (
            "The column “Remarks” is mapped to “Note”, which needs the permission interactions:write. Ask for it, or "
            "leave the column out (map it to an empty text)."
        )
    assert (ImportJob.objects.count(), nothing_came_in()) == (0, True)
    run_import(TEXT, mute, mapping={"email": "email", "Remarks": ""})
    assert (Contact.objects.get().email, Interaction.objects.count()) == ("a@example.org", 0)


def test_a_draft_shows_the_note_and_neither_starts_nor_is_checked_with_it(mute: Any) -> None:
    job = import_create(file=csv_file(TEXT), kind="contacts", actor=person(mute), start=False)
    assert job.mapping == {"email": "email", "Remarks": "note"}
    for begin in (import_start, import_check):
        with pytest.raises(NotAllowed, match="The column “Remarks”"):
            begin(job=job, actor=person(mute))
    job.refresh_from_db()
    assert (job.status, job.report, nothing_came_in()) == ("draft", {}, True)


def test_the_page_says_which_column_is_left_out_and_why(cast: Any, mute: Any, web: Any) -> None:
    client = web(mute)
    url = client.post("/imports/new/", {"file": csv_file(TEXT), "object": "contacts"}).url
    answer = client.get(url)
    page = answer.content.decode()
    said = "This looks like “Note”, which your role may not write."
    assert page.count(said) == 1
    assert '<option value="note"' not in page
    assert [(c["key"], c["denied"]) for c in answer.context["columns"]] == [("email", ""), ("", "Note")]
    assert answer.context["trial"].heads == ["E-mail address"]
    assert said in client.post(url, {"_action": "guess"}).content.decode()

    forced = client.post(url, {"field-0": "email", "field-1": "note", "mode": "upsert", "_action": "start"})
    assert forced.status_code == 403
    assert "The column “Remarks” is mapped to “Note”" in forced.content.decode()
    assert (ImportJob.objects.get().status, nothing_came_in()) == ("draft", True)

    client.post(url, {"field-0": "email", "field-1": "", "mode": "upsert", "_action": "check-all"})
    runner.run(ImportJob.objects.get().pk)
    assert said in client.get(url).content.decode()  # after a dry run too
    client.post(url, {"field-0": "email", "field-1": "", "mode": "upsert", "_action": "start"})
    runner.run(ImportJob.objects.get().pk)
    assert (Contact.objects.count(), Interaction.objects.count()) == (1, 0)

    boss = web(cast.rep2).post("/imports/new/", {"file": csv_file("email,owner\n"), "object": "contacts"}).url
    page = web(cast.rep2).get(boss).content.decode()
    assert "This looks like “Owner (user name, e-mail or name)”, which your role may not write." in page


def test_over_the_api_it_is_a_403_that_names_the_column_and_keeps_nothing(mute: Any, api: Any) -> None:
    client = api(mute)

    def send(**fields: Any) -> Any:
        return client.post(URL, {"file": csv_file(TEXT), "object": "contacts"} | fields, format="multipart")

    for fields in ({}, {"dry_run": "true"}, {"mapping": '{"email": "email", "Remarks": "note"}'}):
        answer = send(**fields)
        assert (answer.status_code, answer.json()["scope"]) == (403, "interactions:write")
        assert answer.json()["detail"].startswith("The column “Remarks” is mapped to “Note”")
    assert ImportJob.objects.count() == 0

    made = send(start="false").json()
    assert made["mapping"] == {"email": "email", "Remarks": "note"}
    for action in ("start", "check"):
        answer = client.post(f"{URL}{made['id']}/{action}/", {}, format="json")
        assert (answer.status_code, answer.json()["scope"]) == (403, "interactions:write")
    assert (ImportJob.objects.get().status, nothing_came_in()) == ("draft", True)
    mapping = {"email": "email", "Remarks": ""}
    assert client.post(f"{URL}{made['id']}/start/", {"mapping": mapping}, format="json").status_code == 200


def test_who_may_write_both_loses_nothing(cast: Any, web: Any) -> None:
    url = web(cast.rep).post("/imports/new/", {"file": csv_file(TEXT), "object": "contacts"}).url
    answer = web(cast.rep).get(url)
    assert [(c["key"], c["denied"]) for c in answer.context["columns"]] == [("email", ""), ("note", "")]
    assert "which your role may not write" not in answer.content.decode()
    run_import(TEXT, cast.rep)
    assert Interaction.objects.get().body == "Hello"
