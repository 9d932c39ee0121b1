"""German is complete: every text of the product has its translation, and people get pages in it."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from django.conf import settings
from django.test import Client
from django.utils import translation
from django.utils.translation.template import templatize

from contacts.conditions import contact_fields
from crmcem.lib.conditions import explain, parse
from crmcem.workspace.models import User
from tests.conftest import Cast
from tests.factories.contacts import CompanyFactory, ContactFactory, InteractionFactory, TaskFactory
from tests.factories.feedback import CaseFactory
from tests.factories.sales import DealFactory

FOLDER = Path(settings.LOCALE_PATHS[0]) / "de" / "LC_MESSAGES"
ROOMS = ("analytics", "contacts", "crmcem", "feedback", "journeys", "sales")
# Where a function keeps its context and its texts among the arguments.
SHAPES = {
    "gettext": (None, [0]),
    "gettext_lazy": (None, [0]),
    "ngettext": (None, [0, 1]),
    "ngettext_lazy": (None, [0, 1]),
    "pgettext": (0, [1]),
    "pgettext_lazy": (0, [1]),
    "npgettext": (0, [1, 2]),
    "npgettext_lazy": (0, [1, 2]),
    "_": (None, [0]),
}
Text = tuple[str | None, str]  # (context, text); of a plural the singular


def _calls(source: str) -> Iterator[Text]:
    """The texts that Python code asks the catalogue for."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name not in SHAPES:
            continue
        context, texts = SHAPES[name]
        values = [a.value if isinstance(a, ast.Constant) else None for a in node.args]
        text = values[texts[0]] if len(values) > texts[0] else None
        if isinstance(text, str) and text:
            yield (str(values[context]) if context is not None else None, text)


_LITERAL = r"(u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\")"
_IN_TEMPLATE = re.compile(
    rf"\b(_|gettext|ngettext|pgettext|npgettext)\(\s*{_LITERAL}(?:\s*,\s*{_LITERAL})?", re.DOTALL
)


def _template_texts(source: str) -> Iterator[Text]:
    """The texts of a template, by way of the code that Django makes of it."""
    for name, first, second in _IN_TEMPLATE.findall(templatize(source)):
        if name in {"pgettext", "npgettext"}:
            yield (ast.literal_eval(first), ast.literal_eval(second))
        else:
            yield (None, ast.literal_eval(first))


@cache
def asked_for() -> dict[Text, str]:
    """Every text that the code and the templates ask for, and a file that does."""
    found: dict[Text, str] = {}
    for room in ROOMS:
        for path in sorted((settings.BASE_DIR / room).rglob("*.py")):
            if "migrations" not in path.parts:
                found.update(dict.fromkeys(_calls(path.read_text()), str(path)))
    for path in sorted((settings.BASE_DIR / "templates").rglob("*.*")):
        if path.suffix in {".html", ".txt"}:
            found.update(dict.fromkeys(_template_texts(path.read_text()), str(path)))
    return found


@cache
def german() -> Catalog:
    with (FOLDER / "django.po").open("rb") as file:
        return read_po(file, locale="de")


def _entry(context: str | None, text: str) -> Message | None:
    return german().get(text, context)


def test_every_text_of_the_product_is_in_the_catalogue() -> None:
    texts = asked_for()
    assert len(texts) > 1800
    assert (None, "Contacts") in texts
    assert ("verb", "Open") in texts
    missing = [
        f"{text!r} of {path}" for (context, text), path in texts.items() if _entry(context, text) is None
    ]
    assert missing == []


def test_every_entry_is_translated() -> None:
    entries = [entry for entry in german() if entry.id]
    assert len(entries) > 1800
    assert [e.id for e in entries if e.fuzzy] == []
    empty = [e.id for e in entries if not all([e.string] if isinstance(e.string, str) else e.string)]
    assert empty == []


_PLACE = re.compile(r"%\((\w+)\)|%%?n\b|%%?(?:card|stage|all)\b|(?<!%)%[sd]|\{\{?\s*[\w.]+\s*\}\}?|</?\w+>")


def test_translations_keep_the_placeholders_and_the_markup() -> None:
    def places(text: str) -> list[str]:
        return sorted({m.group(0) for m in _PLACE.finditer(text)})

    wrong = []
    for entry in german():
        if not entry.id:
            continue
        texts = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        wanted = places(" ".join(texts))
        strings = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        # A singular may leave the number out ("one answer"); nothing may be added.
        fits = places(strings[-1]) == wanted and all(set(places(s)) <= set(wanted) for s in strings)
        if not fits or entry.check(german()):
            wrong.append(entry.id)
    assert wrong == []


def test_the_compiled_catalogue_is_that_of_the_texts() -> None:
    expected: dict[object, object] = {}
    for entry in german():
        if not entry.id:
            continue
        head = f"{entry.context}\x04" if entry.context else ""
        if isinstance(entry.id, tuple):
            expected |= {(head + entry.id[0], n): text for n, text in enumerate(entry.string)}
        else:
            expected[head + entry.id] = entry.string
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    assert {key: text for key, text in compiled.items() if key} == expected


def test_no_text_hides_behind_another_name_of_gettext() -> None:
    """``makemessages`` knows the functions by their names; under another one their texts stay English."""
    named = re.compile(r"^from django\.utils\.translation import .*\bas (?!_$)\w+", re.MULTILINE)
    found = [
        str(path)
        for room in ROOMS
        for path in (settings.BASE_DIR / room).rglob("*.py")
        if named.search(path.read_text())
    ]
    assert found == []


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    """The test client leaves the language of its last request on: no other test shall meet it."""
    yield
    translation.activate("en")


@pytest.fixture
def german_of(cast: Cast, web: Callable[[User], Client]) -> Callable[[User], Client]:
    """``german_of(cast.rep)``: a client of somebody who has chosen German in the profile."""

    def make(user: User) -> Client:
        User.objects.filter(pk=user.pk).update(language="de")
        return web(user)

    return make


PAGES = [
    ("/", ["Heute", "Heute zu tun"]),
    ("/contacts/", ["Kontakte", "Neuer Kontakt", "Zuletzt gesehen", "Abmelden"]),
    ("/contacts/new/", ["Neuer Kontakt", "Vorname", "E-Mail-Adresse", "Abbrechen"]),
    ("/companies/", ["Firmen", "Neue Firma", "Branche"]),
    ("/tasks/", ["Aufgaben", "Neue Aufgabe"]),
    ("/interactions/", ["Interaktionen", "Noch keine Interaktionen"]),
    ("/deals/", ["Neuer Deal", "Erwarteter Abschluss"]),
    ("/deals/board/", ["Neuer Deal", "Alle Zuständigen"]),
    ("/experience/", ["Kundenerlebnis", "Umfrage anlegen"]),
    ("/surveys/", ["Umfragen", "Neue Umfrage"]),
    ("/surveys/new/", ["Umfrage anlegen"]),
    ("/responses/", ["Antworten", "Kritiker", "Noch keine Antworten"]),
    ("/cases/", ["Fälle", "Fall eröffnen", "Priorität"]),
    ("/automations/", ["Automatisierungen", "Laufprotokoll", "Mit zwei nützlichen beginnen"]),
    ("/imports/", ["Importe", "Neuer Import"]),
    ("/imports/new/", ["CSV-, Excel- oder vCard-Datei wählen", "Hochladen und ansehen"]),
    ("/profile/", ["Zeitzone", "Sprache", "Deutsch", "Erscheinungsbild"]),
    ("/profile/tokens/", ["Token anlegen", "Was es darf"]),
    ("/notifications/", ["Benachrichtigungen"]),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "words"), PAGES, ids=[address for address, _ in PAGES])
def test_pages_speak_german_to_who_chose_it(
    address: str, words: list[str], cast: Cast, german_of: Callable[[User], Client]
) -> None:
    company = CompanyFactory(owner=cast.admin)
    contact = ContactFactory(owner=cast.admin, company=company)
    TaskFactory(contact=contact, owner=cast.admin)
    DealFactory(owner=cast.admin)
    CaseFactory(contact=contact, owner=cast.admin)
    page = german_of(cast.admin).get(address, follow=True)
    assert page.status_code == 200
    shown = page.content.decode()
    assert '<html lang="de"' in shown
    assert [word for word in words if word not in shown] == []


@pytest.mark.django_db
def test_the_language_is_that_of_the_person_and_nobody_elses(
    cast: Cast, german_of: Callable[[User], Client], web: Callable[[User], Client]
) -> None:
    assert "Neuer Kontakt" in german_of(cast.rep).get("/contacts/").content.decode()
    other = web(cast.rep2).get("/contacts/").content.decode()
    assert "New contact" in other
    assert "Neuer Kontakt" not in other
    browser = web(cast.rep2).get("/contacts/", HTTP_ACCEPT_LANGUAGE="de-AT,de;q=0.9")
    assert "Neuer Kontakt" in browser.content.decode()


@pytest.mark.django_db
def test_records_show_their_numbers_days_and_story_in_german(
    cast: Cast, german_of: Callable[[User], Client]
) -> None:
    contact = ContactFactory(owner=cast.admin, first_name="Ada", last_name="Lovelace")
    TaskFactory(contact=contact, owner=cast.admin, title="Rückruf")
    InteractionFactory(contact=contact, owner=cast.admin)
    deal = DealFactory(owner=cast.admin, amount="1234567.50", currency="EUR", expected_close="2031-03-09")
    client = german_of(cast.admin)

    shown = client.get(f"/deals/{deal.pk}/").content.decode()
    assert "1.234.567,50" in shown
    assert "9. März 2031" in shown
    assert "Erwarteter Abschluss" in shown

    page = client.get(f"/contacts/{contact.pk}/").content.decode()
    assert "Kundengesundheit" in page
    assert "noch nicht gemessen" in page
    assert "Notiz speichern" in page


@pytest.mark.django_db
def test_what_is_wrong_with_a_form_is_said_in_german(cast: Cast, german_of: Callable[[User], Client]) -> None:
    client = german_of(cast.admin)
    answer = client.post(
        "/contacts/new/", {"first_name": "Ada", "email": "no address", "lifecycle_stage": "lead"}
    )
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert "Ada" in shown
    assert "E-Mail-Adresse" in shown
    assert "This is not" not in shown
    assert "Enter a valid" not in shown

    assert client.get("/contacts/?ordering=shoe_size").status_code == 400
    assert "lässt sich nicht sortieren" in client.get("/contacts/?ordering=shoe_size").content.decode()
    assert "Hier ist nichts" in client.get("/contacts/987654321/").content.decode()


@pytest.mark.django_db
def test_conditions_explain_themselves_in_german() -> None:
    node = parse(
        {
            "all": [
                {"field": "lifecycle_stage", "op": "eq", "value": "customer"},
                {"field": "created_at", "op": "after", "value": {"start_of": "month", "offset": -1}},
            ]
        },
        contact_fields,
    )
    with translation.override("de"):
        words = explain(node)
    assert words == "Lebenszyklusphase ist Kunde, und Angelegt liegt nach Anfang des letzten Monats"
