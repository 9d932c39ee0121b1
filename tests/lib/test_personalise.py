"""Merge fields: what people write is data. Nothing unlisted is reached and no template can blow up."""

import datetime as dt
import time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmcem.lib.personalise import (
    FILTERS,
    MAX_ITERATIONS,
    MAX_OUTPUT,
    PersonaliseError,
    check,
    merge_fields,
    render,
    render_subject,
)

FIELDS = {
    "contact.first_name": "First name",
    "contact.email": "E-mail",
    "contact.nps": "NPS",
    "contact.since": "Customer since",
    "contact.tags[]": "Tags",
    "order.total": "Total",
    "order.items[].name": "Product",
    "order.items[].price": "Price",
}
CONTEXT: dict[str, Any] = {
    "contact": {
        "first_name": "Ann",
        "email": "ann@example.com",
        "nps": 9,
        "since": dt.date(2026, 3, 1),
        "tags": ["vip", "<b>"],
        "password": "secret",
    },
    "order": {
        "total": Decimal("12.50"),
        "items": [{"name": "Pen", "price": 2, "cost": 1}, {"name": "Book & Co", "price": 10}],
    },
    "settings": {"SECRET_KEY": "secret"},
}


def filled(template: str, **kwargs: Any) -> str:
    return render(template, CONTEXT, fields=FIELDS, **kwargs)


def codes(template: str) -> list[str]:
    return [problem.code for problem in check(template, FIELDS)]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("Dear {{ contact.first_name }},", "Dear Ann,"),
        ("{{ contact.first_name | upcase | append: '!' }}", "ANN!"),
        ("{{ contact['first_name'] }}", "Ann"),
        ("{{ order.total }} {{ contact.nps }}", "12.50 9"),
        ("{{ contact.tags | join: ', ' }}", "vip, <b>"),
        ("{% for t in contact.tags %}{{ forloop.index }}{{ t }}{% endfor %}", "1vip2<b>"),
        ("{% for i in order.items %}{{ i.name }}={{ i.price }};{% endfor %}", "Pen=2;Book & Co=10;"),
        ("{% for i in order.items limit: 1 %}{{ i.name }}{% endfor %} of {{ order.items.size }}", "Pen of 2"),
        ("{% if contact.nps >= 9 %}fan{% else %}no{% endif %}", "fan"),
        ("{% case contact.nps %}{% when 9 %}nine{% endcase %}", "nine"),
        ("{% unless contact.nps == 9 %}x{% endunless %}", ""),
        ("{% comment %}{{ anything }}{% endcomment %}a", "a"),
        ("{% raw %}{{ contact.secret }}{% endraw %}", "{{ contact.secret }}"),
        ("{{ contact.since | date: '%-d.%m.%Y' }}", "1.03.2026"),
        ("{{ contact.since | date }}", "March 1, 2026"),
        ("no fields { at } all", "no fields { at } all"),
        ("", ""),
    ],
)
def test_rendering(template, expected):
    assert check(template, FIELDS) == []
    assert filled(template) == expected


@pytest.mark.parametrize("empty", [None, ""])
def test_defaults_stand_in_for_empty_values(empty):
    template = 'Dear {{ contact.first_name | default: "there" }}{{ contact.email }}'
    assert render(template, {"contact": {"first_name": empty}}, fields=FIELDS) == "Dear there"
    assert render(template, {}, fields=FIELDS) == "Dear there"


def test_values_are_escaped_in_html_only():
    context = {"contact": {"first_name": "<script>alert('1')</script>", "tags": ["<i>"]}}
    template = "{{ contact.first_name | append: '<b>' }}{{ contact.tags | join: '<br>' }}"
    assert render("<p>{{ contact.first_name }}</p>", context, fields=FIELDS, html=True) == (
        "<p>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</p>"
    )
    assert "<script>" not in render(template, context, fields=FIELDS, html=True)
    assert "<i>" not in render(template, context, fields=FIELDS, html=True)
    assert render("{{ contact.first_name }}", context, fields=FIELDS) == "<script>alert('1')</script>"


ARGUMENTS = st.sampled_from(["'a'", "' '", "'&'", "contact.email", "contact.tags", "3", "0", "nil"])
CHAINS = st.lists(st.tuples(st.sampled_from(FILTERS), st.none() | ARGUMENTS), max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["contact.email", "contact.first_name", "contact.tags", "'a'", "'&'"]), CHAINS)
def test_no_chain_of_filters_lets_markup_through(start, chain):
    context = {"contact": {"first_name": "x\n<x>", "email": "<x>&<x>", "tags": ["<x>", "a"]}}
    filters = "".join(f" | {name}" + (f": {argument}" if argument else "") for name, argument in chain)
    try:
        text = render("{{ " + start + filters + " }}", context, fields=FIELDS, html=True)
    except PersonaliseError:
        return
    assert "<x" not in text


def test_a_safe_mark_on_a_value_is_not_trusted():
    class Marked(str):
        def __html__(self) -> str:
            return "<script>"

    context = {"contact": {"first_name": Marked("<b>")}}
    assert render("{{ contact.first_name }}", context, fields=FIELDS, html=True) == "&lt;b&gt;"


def test_dates_are_in_the_current_zone():
    context = {"contact": {"since": dt.datetime(2026, 6, 30, 22, 30, tzinfo=dt.UTC)}}
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert (
            render("{{ contact.since | date: '%Y-%m-%d %H:%M' }}", context, fields=FIELDS)
            == "2026-07-01 00:30"
        )


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("{{ contact.password }}", "unknown_field"),
        ("{{ settings.SECRET_KEY }}", "unknown_field"),
        ("{{ contact }}", "unknown_field"),
        ("{{ contact.first_name.__class__ }}", "unknown_field"),
        ("{{ contact.first_name['__class__'].__mro__ }}", "unknown_field"),
        ("{{ contact[contact.email] }}", "unknown_field"),
        ("{{ contact.tags[0] }}", "unknown_field"),
        ("{{ ''.__class__ }}", "bad_syntax"),
        ("{{ forloop.index }}", "unknown_field"),
        ("{% for i in order.items %}{{ i.cost }}{% endfor %}", "unknown_field"),
        ("{% for i in order.items %}{{ forloop.parentloop.name }}{% endfor %}", "unknown_field"),
        ("{% if contact.password %}{% endif %}", "unknown_field"),
        ("{{ 'x' | append: contact.password }}", "unknown_field"),
        ("{% for i in contact %}{{ i }}{% endfor %}", "not_a_list"),
        ("{% for i in 'abc' %}x{% endfor %}", "not_a_list"),
        ("{% for i in (1..3) %}x{% endfor %}", "not_a_list"),
        ("{% for i in order.items limit: (1..9) %}x{% endfor %}", "range"),
        ("{{ (1..1000000000) | join }}", "range"),
        ("{{ 'a' | times: 1000000000 }}", "unknown_filter"),
        ("{{ 'a' | replace: 'a', 'aaaaaaaaaa' }}", "unknown_filter"),
        ("{{ contact.first_name | safe }}", "unknown_filter"),
        ("{{ contact.first_name | escape_once }}", "unknown_filter"),
        ("{{ contact.first_name | split: '' }}", "unknown_filter"),
        ("{% assign a = 'x' %}", "bad_syntax"),
        ("{% capture a %}x{% endcapture %}", "bad_syntax"),
        ("{% include 'settings' %}", "bad_syntax"),
        ("{% render 'settings' %}", "bad_syntax"),
        ("{% tablerow i in order.items %}{% endtablerow %}", "bad_syntax"),
        ("{% liquid echo contact.password %}", "bad_syntax"),
        ("{% echo contact.password %}", "bad_syntax"),
        ("{% increment a %}", "bad_syntax"),
        ("{% load static %}", "bad_syntax"),
        ("{{ contact.first_name", "bad_syntax"),
        ("{% if contact.nps %}", "bad_syntax"),
        ("{{ contact.first_name | }}", "bad_syntax"),
        ("{{ }}", "bad_syntax"),
        ("{{" + "a[" * 300, "bad_syntax"),
        ("{% if contact.nps %}" * 30 + "{% endif %}" * 30, "bad_syntax"),
        ("{{ contact.nps }}" * 600, "too_many_parts"),
        ("x" * 60_000, "too_long"),
    ],
)
def test_refused(template, code):
    assert code in codes(template)
    assert all(problem.detail for problem in check(template, FIELDS))
    with pytest.raises(PersonaliseError):
        filled(template)


def test_an_unknown_field_names_the_nearest_and_its_line():
    (problem,) = check("Hi,\n\n{{ contact.frist_name }}", FIELDS)
    assert problem.code == "unknown_field"
    assert (
        problem.detail
        == "There is no field “contact.frist_name”. Did you mean contact.first_name, contact.since?"
    )
    assert problem.line == 3


def test_every_unknown_field_is_found():
    template = "{{ a }}{% if b %}{{ c | default: d }}{% endif %}{% for i in e %}{% endfor %}"
    assert codes(template) == ["unknown_field"] * 4 + ["not_a_list"]


def test_merge_fields_of_a_template():
    template = "{{ contact.nps }}{% for i in order.items %}{{ i.name }}{% endfor %}"
    assert list(merge_fields(template, FIELDS)) == [
        "contact.nps",
        "order.items[].name",
        "order.items[].price",
    ]


def test_loops_are_limited():
    items = [{"name": "x"}] * 100
    template = "{% for a in order.items %}{% for b in order.items %}.{% endfor %}{% endfor %}"
    with pytest.raises(PersonaliseError) as caught:
        render(template, {"order": {"items": items}}, fields=FIELDS)
    assert [problem.code for problem in caught.value.problems] == ["too_large"]
    assert render(template, {"order": {"items": items[:10]}}, fields=FIELDS) == "." * 100


def test_a_longer_list_than_the_limit_is_cut_before_it_is_copied():
    context = {"order": {"items": [{"name": "x"}] * (MAX_ITERATIONS * 10)}}
    assert render("{{ order.items.size }}", context, fields=FIELDS) == str(MAX_ITERATIONS)


def test_output_is_limited():
    context = {"contact": {"first_name": "x" * 40_000}}
    with pytest.raises(PersonaliseError) as caught:
        render("{{ contact.first_name }}" * (MAX_OUTPUT // 40_000 + 1), context, fields=FIELDS)
    assert [problem.code for problem in caught.value.problems] == ["too_large"]


def test_pipes_in_plain_text_are_no_filters():
    text = "| a | b |\n" * 400
    assert filled(text) == text


def test_something_else_than_text():
    with pytest.raises(PersonaliseError) as caught:
        filled(None)  # type: ignore[arg-type]
    assert [(e.field, e.code) for e in caught.value.errors] == [("template", "not_text")]


def test_a_huge_value_is_refused():
    with pytest.raises(PersonaliseError):
        render("{{ contact.first_name }}", {"contact": {"first_name": "x" * 10**6}}, fields=FIELDS)


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in order.items %}" + "{% if contact.nps == 1 %}{% endif %}" * 240 + "{% endfor %}",
        "{% for a in order.items %}"
        + "{{ contact.first_name | append: contact.first_name | upcase }}" * 100
        + "{% endfor %}",
        "{{ contact.first_name" + " | append: contact.first_name" * 450 + " | truncate: 3 }}",
        "{{ contact.nps | round: 99999999999999999999 }}",
        "{{ contact.first_name | truncate: 9999999999999999999999999 }}",
        "{{ contact.since | date: '%1000000000d' }}",
        "{{ 99999999999999999999999999999999999999999999999999 }}",
        "{{ " + "9" * 6000 + " }}",
        "{{" * 200,
        "{%" * 200,
        "{% raw %}" * 200,
        "{% comment %}" * 200,
        "{% comment %}{{ '" * 150,
        "{% # " + "a\n" * 20_000 + "%}",
        "{% if " + "contact.nps and " * 3000 + " contact.nps %}x{% endif %}",
        "{{ '" + "\\" * 40_000 + "' }}",
        "{{ " + "-" * 40_000 + " }}",
        "{{ contact." + "a" * 40_000 + " }}",
        " " * 49_000 + "{{",
    ],
)
def test_attacks_end_soon(template):
    context = {"contact": {"first_name": "x" * 5000, "nps": 9}, "order": {"items": [{"name": "x"}] * 1000}}
    started = time.process_time()
    try:
        text = render(template, context, fields=FIELDS)
    except PersonaliseError as error:
        text = str(error)
    assert len(text) <= MAX_OUTPUT
    assert time.process_time() - started < 6


def test_objects_in_the_context_have_no_attributes():
    class Trap:
        secret = "secret"

        def __str__(self) -> str:
            return "trap"

        def __getitem__(self, key: object) -> str:
            return "secret"

        def __liquid__(self) -> str:
            return "secret"

    context = {"contact": {"first_name": Trap()}, "order": Trap()}
    assert render("{{ contact.first_name }}{{ order.total }}", context, fields=FIELDS) == "trap"


@pytest.mark.parametrize(
    "name",
    ["Ann\r\nBcc: all@example.com", "Ann\nBcc: x", "Ann\u2028Bcc: x", "Ann\x0bBcc: x", "Ann\x85Bcc: x"],
)
def test_a_subject_is_one_line(name):
    subject = render_subject(
        "Hi {{ contact.first_name }}\r\n", {"contact": {"first_name": name}}, fields=FIELDS
    )
    assert subject.startswith("Hi Ann Bcc: ")
    assert len(subject.splitlines()) == 1


def test_a_subject_holds_no_control_characters_and_is_short():
    context = {"contact": {"first_name": "A\x00\x1b\x7fnn" + "x" * 1000}}
    subject = render_subject("{{ contact.first_name }}", context, fields=FIELDS)
    assert subject.startswith("Annx")
    assert len(subject) == 250


def test_faults_are_told_in_the_language_of_the_reader():
    with translation.override("en"):
        first = check("{{ nope }}", FIELDS)
    with translation.override("de"):
        assert [problem.code for problem in check("{{ nope }}", FIELDS)] == [
            problem.code for problem in first
        ]


PIECES = st.sampled_from(
    [
        *(
            "{{",
            "}}",
            "{%",
            "%}",
            "|",
            "contact.first_name",
            "order.items",
            "for",
            "in",
            "if",
            "endif",
            "endfor",
            "end",
        ),
        *(
            "'",
            '"',
            "[",
            "]",
            "(",
            ")",
            "1..9",
            "..",
            "date:",
            "default:",
            "else",
            "case",
            "when",
            "raw",
            "endraw",
        ),
        *(
            "comment",
            "#",
            "break",
            " ",
            "\n",
            "-",
            "==",
            "contains",
            "\x00",
            "\ud800",
            "é",
            "9" * 30,
            "nil",
            "blank",
        ),
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES | st.text(max_size=4), max_size=25).map(" ".join), st.booleans())
def test_garbage_is_refused_or_rendered(template, html):
    problems = check(template, FIELDS)
    try:
        filled(template, html=html)
    except PersonaliseError as error:
        assert error.problems  # noqa: PT017
    else:
        assert problems == []
