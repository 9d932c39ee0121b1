"""Files of records: what comes in, who gets them, and what becomes of them."""

import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import F
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from contacts.models import Attachment, LooseFile
from contacts.services.attachments import attachments_forget, file_name
from contacts.services.contacts import contact_delete
from crmcem.lib.actors import SYSTEM
from crmcem.lib.cleaning import Bad
from crmcem.lib.filetypes import content_type
from crmcem.workspace.models import AuditEntry, Trash
from crmcem.workspace.models.trash import KEPT
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory
from tests.factories.sales import DealFactory

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (20).to_bytes(4) + (10).to_bytes(4)


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def kept(media: Path) -> list[Path]:
    return [path for path in media.rglob("*") if path.is_file()]


def later(by: dt.timedelta) -> None:
    """As if ``by`` (and a second) had passed for what is loose."""
    LooseFile.objects.update(since=F("since") - by - dt.timedelta(seconds=1))


def archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def office(**more: bytes) -> bytes:
    return archive(**{"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>", **more})


def send(client: Any, url: str, data: bytes, name: str = "a.bin", **more: Any) -> Any:
    kind = {"format": "multipart"} if isinstance(client, APIClient) else {}
    return client.post(url, {"file": SimpleUploadedFile(name, data), **more}, **kind)


class TestTypes:
    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            (PDF, "application/pdf"),
            (PNG, "image/png"),
            (b"GIF89a\x10\x00\x10\x00", "image/gif"),
            (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
            (b"Dear Ada,\nh\xc3\xa9llo", "text/plain"),
            ("é".encode() * 3000, "text/plain"),
            (b"<svg onload=alert(1)>", "text/plain"),
            (office(), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ],
    )
    def test_known_by_their_bytes(self, data: bytes, kind: str) -> None:
        assert content_type(io.BytesIO(data)) == kind

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"MZ\x90\x00\x03", "file_type"),
            (b"\x7fELF\x02", "file_type"),
            (b"text with \x00", "file_type"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "file_type"),
            (b"a" * 5000 + b"\xff\xfe", "file_type"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60_000).to_bytes(4) * 2, "bomb"),
            (office(**{"word/a.xml": b"\x00" * 60_000_000}), "bomb"),
            (archive(**{"a.txt": b"x"}), "archive"),
            (office(**{"word/vbaProject.bin": b"x"}), "macros"),
            (b"PK\x03\x04 no archive", "damaged"),
            (b"PK\x03\x04" + b"PK\x05\x06" + b"\x00" * 8 + b"\xff\xff\xff\x7f" + b"\x00" * 6, "bomb"),
        ],
    )
    def test_what_stays_out(self, data: bytes, code: str) -> None:
        with pytest.raises(Bad) as error:
            content_type(io.BytesIO(data))
        assert error.value.code == code

    def test_names(self) -> None:
        assert file_name("../../etc/pass\x00wd\r\n.txt") == "pass wd .txt"
        assert file_name("C:\\temp\\a.pdf") == "a.pdf"
        assert file_name("x" * 300 + ".pdf") == "x" * 196 + ".pdf"
        assert file_name("") == "file"


class TestPages:
    def test_added_downloaded_removed(
        self, cast: Cast, web: Callable[..., Client], media: Path, django_capture_on_commit_callbacks: Any
    ) -> None:
        ada = ContactFactory(owner=cast.rep)
        client = web(cast.rep)
        url = f"/files/contact/{ada.pk}/"
        name = '"><img src=x>.pdf'
        assert send(client, url, PDF, name, note="<b>signed</b>").status_code == 302
        row = Attachment.objects.get()
        assert (row.contact, row.content_type, row.size, row.uploaded_by) == (
            ada,
            "application/pdf",
            len(PDF),
            cast.rep,
        )
        [path] = kept(media)
        assert path.parent.parent.parent.name == "attachments"
        assert len(path.name) == 40
        assert "img" not in path.name
        panel = client.get(url).content.decode()
        assert "<img src=x>" not in panel
        assert "&lt;b&gt;signed&lt;/b&gt;" in panel
        answer = client.get(f"/files/{row.pk}/")
        assert (b"".join(answer), answer["Content-Type"]) == (PDF, "application/pdf")
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        with django_capture_on_commit_callbacks(execute=True):
            assert client.post(f"/files/{row.pk}/remove/").status_code == 302
        assert (Attachment.objects.count(), kept(media)) == (0, [path])
        assert AuditEntry.objects.filter(table_name="contacts_attachment").count() == 2
        later(2 * KEPT)
        with django_capture_on_commit_callbacks(execute=True):
            assert attachments_forget() == 1
        assert (kept(media), LooseFile.objects.count()) == ([], 0)

    def test_a_removed_file_comes_back_whole(
        self, cast: Cast, web: Callable[..., Client], media: Path, django_capture_on_commit_callbacks: Any
    ) -> None:
        ada = ContactFactory(owner=cast.rep)
        client = web(cast.rep)
        send(client, f"/files/contact/{ada.pk}/", PDF, "offer.pdf", note="signed")
        row = Attachment.objects.get()
        before = Attachment.objects.values().get()
        answer = client.post(f"/files/{row.pk}/remove/", headers={"HX-Request": "true"})
        fired = json.loads(answer["HX-Trigger"])
        undo = reverse("workspace:trash-restore", args=[Trash.objects.get().pk])
        assert fired["toast"]["text"] == "“offer.pdf” is removed."
        assert (fired["toast"]["undo"], fired["toast"]["undoLabel"]) == (undo, "Undo")
        assert set(fired["toast"]["events"]) == {"timeline", "panel-contact-files"}
        assert Trash.objects.get().title == "offer.pdf"
        later(KEPT - dt.timedelta(seconds=5))
        with django_capture_on_commit_callbacks(execute=True):
            assert attachments_forget() == 0
        assert web(cast.rep2).post(undo).status_code == 404
        back = client.post(undo)
        assert (back.status_code, back["Location"]) == (302, f"/contacts/{ada.pk}/")
        assert Attachment.objects.values().get() == before
        later(2 * KEPT)
        with django_capture_on_commit_callbacks(execute=True):
            assert attachments_forget() == 0  # what is back is no longer loose
        assert b"".join(client.get(f"/files/{row.pk}/")) == PDF
        assert not LooseFile.objects.exists()

    def test_what_is_refused_leaves_nothing(
        self, cast: Cast, web: Callable[..., Client], settings: Any, media: Path
    ) -> None:
        settings.ATTACHMENT_MAX_BYTES = 1_000_000
        acme = CompanyFactory(owner=cast.rep)
        client = web(cast.rep)
        url = f"/files/company/{acme.pk}/"
        for data in (b"MZ\x90\x00\x03", b"x" * 1_000_001, b""):
            page = send(client, url, data, note="kept text")
            assert page.status_code == 422
            assert "kept text" in page.content.decode()
        assert client.post(url, {"note": "no file"}).status_code == 422
        assert send(client, "/files/castle/1/", PDF).status_code == 404
        assert (Attachment.objects.count(), kept(media)) == (0, [])

    def test_others_find_nothing(self, cast: Cast, web: Callable[..., Client], media: Path) -> None:
        deal = DealFactory(owner=cast.rep, team=cast.north)
        client = web(cast.rep)
        assert send(client, f"/files/deal/{deal.pk}/", PDF).status_code == 302
        row = Attachment.objects.get()
        assert (row.subject_type, row.subject_id) == ("deal", deal.pk)
        assert client.get(f"/files/{row.pk}/").status_code == 200
        other = web(cast.rep2)
        assert other.get(f"/files/{row.pk}/").status_code == 404
        assert other.get(f"/files/deal/{deal.pk}/").status_code == 404
        assert send(other, f"/files/deal/{deal.pk}/", PDF).status_code == 404
        assert other.post(f"/files/{row.pk}/remove/").status_code == 404
        reader = web(cast.readonly)
        assert reader.get(f"/files/{row.pk}/").status_code == 200
        assert send(reader, f"/files/deal/{deal.pk}/", PDF).status_code == 403
        assert reader.post(f"/files/{row.pk}/remove/").status_code == 403
        assert (Attachment.objects.count(), len(kept(media))) == (1, 1)


class TestApi:
    def test_every_verb(self, cast: Cast, api: Callable[..., APIClient], media: Path) -> None:
        ada = ContactFactory(owner=cast.rep)
        client = api(cast.rep)
        made = send(client, "/api/v1/attachments/", PNG, "me.png", contact=str(ada.pk))
        assert made.status_code == 201, made.content
        body = made.json()
        assert (body["contact"], body["content_type"], body["size"]) == (str(ada.pk), "image/png", len(PNG))
        listed = client.get("/api/v1/attachments/", {"contact": ada.pk}).json()["results"]
        assert [row["id"] for row in listed] == [body["id"]]
        got = client.get(body["url"])
        assert (b"".join(got), got["Content-Disposition"]) == (PNG, 'attachment; filename="me.png"')
        assert api(cast.rep2).get(body["url"]).status_code == 404
        assert api(cast.rep2).get("/api/v1/attachments/").json()["results"] == []
        both = send(client, "/api/v1/attachments/", PNG, contact=str(ada.pk), deal="1")
        assert both.status_code == 400
        hidden = ContactFactory(owner=cast.rep2)
        refused = send(client, "/api/v1/attachments/", PNG, contact=str(hidden.pk))
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "contact")
        assert client.post("/api/v1/attachments/", {"contact": "1"}, format="json").status_code == 400
        assert client.delete(f"/api/v1/attachments/{body['id']}/").status_code == 204
        assert not Attachment.objects.exists()

    def test_a_token_sees_files_of_what_it_may_read(self, cast: Cast, api: Callable[..., APIClient]) -> None:
        deal = DealFactory(owner=cast.rep, team=cast.north)
        made = send(api(cast.rep), "/api/v1/attachments/", PDF, deal=str(deal.pk))
        narrow = api(cast.rep, ["contacts:*"])
        assert narrow.get(made.json()["url"]).status_code == 404
        assert narrow.get("/api/v1/attachments/").json()["results"] == []
        assert narrow.delete(f"/api/v1/attachments/{made.json()['id']}/").status_code == 404
        assert send(narrow, "/api/v1/attachments/", PDF, deal=str(deal.pk)).status_code == 403


def test_files_of_records_that_are_gone_go(
    cast: Cast, web: Callable[..., Client], media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    ada, bob = ContactFactory(owner=cast.rep), ContactFactory(owner=cast.rep)
    deal = DealFactory(owner=cast.rep)
    client = web(cast.rep)
    for url in (f"/files/contact/{ada.pk}/", f"/files/contact/{bob.pk}/", f"/files/deal/{deal.pk}/"):
        assert send(client, url, PDF).status_code == 302
    contact_delete(contact=ada, actor=SYSTEM)
    deal.delete()
    lost = Attachment.objects.exclude(contact=bob)
    assert lost.count() == 2
    assert [client.get(f"/files/{row.pk}/").status_code for row in lost] == [404, 404]
    with django_capture_on_commit_callbacks(execute=True):
        assert attachments_forget() == 0
    assert (Attachment.objects.count(), LooseFile.objects.count(), len(kept(media))) == (3, 2, 3)
    later(2 * KEPT)
    with django_capture_on_commit_callbacks(execute=True):
        assert attachments_forget(batch=1) == 2
    assert (Attachment.objects.get().contact, len(kept(media))) == (bob, 1)
    assert not LooseFile.objects.exists()


def test_files_come_back_with_a_deleted_record_whatever_upkeep_does_meanwhile(
    cast: Cast, web: Callable[..., Client], media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    ada = ContactFactory(owner=cast.manager)
    client = web(cast.manager)
    send(client, f"/files/contact/{ada.pk}/", PDF)
    client.post(f"/contacts/{ada.pk}/delete/")
    with django_capture_on_commit_callbacks(execute=True):
        assert attachments_forget() == 0
    client.post(reverse("workspace:trash-restore", args=[Trash.objects.get().pk]))
    later(2 * KEPT)
    with django_capture_on_commit_callbacks(execute=True):
        assert attachments_forget() == 0
    row = Attachment.objects.get()
    assert row.contact_id == ada.pk
    assert b"".join(client.get(f"/files/{row.pk}/")) == PDF
