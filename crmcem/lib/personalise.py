"""Texts with merge fields that people write: e-mails, subjects, tasks, survey introductions.

A template is data, never code: Liquid with only the listed merge fields, filters and tags, and hard limits on
its length, parts, loops, output and time::

    FIELDS = {"contact.first_name": _("First name"), "order.items[].name": _("Product")}
    render('Dear {{ contact.first_name | default: "customer" }}', {"contact": {"first_name": None}},
    fields=FIELDS) render("{% for item in order.items %}{{ item.name }}{% endfor %}", context, fields=FIELDS)

``fields`` maps dotted names to labels; ``[]`` marks the members of a list. The context is nested mappings of
plain values (text, numbers, dates, true and false, None) and lists of such mappings; whatever is not listed
is not handed over. In HTML mode values are escaped; the HTML around them is the author's own and is sanitised
where it is saved or sent.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from io import StringIO
from typing import Any, TextIO

from django.utils import formats, timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from liquid import Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.loop import LoopExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.tags.for_tag import ForNode
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.expression import Expression
from liquid.output import LimitedStringIO
from liquid.template import BoundTemplate
from liquid.undefined import is_undefined

from crmcem.lib.errors import DomainError, FieldError

MAX_TEMPLATE = 50_000
MAX_PARTS = 500
MAX_ITERATIONS = 1_000
MAX_OUTPUT = 300_000
MAX_VALUE = 50_000
MAX_SECONDS = 2.0
MAX_SUBJECT = 250

TAGS = frozenset({"if", "unless", "case", "for", "break", "continue", "comment", "#"})
FILTERS = (
    *("append", "capitalize", "date", "default", "downcase", "escape", "first", "join", "last"),
    *("newline_to_br", "prepend", "round", "size", "strip", "truncate", "truncatewords", "upcase"),
)
_INTERNAL_TAGS = frozenset({"content", "output", "illegal"})
_LOOP_KEYS = frozenset({"index", "index0", "rindex", "rindex0", "first", "last", "length"})
_DATE_FORMAT = re.compile(r"(?:%-?[aAbBdHIjmMpSyY]|%%|[^%]){1,60}")
_MARKUP: re.Pattern[str] = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)
_FAILURES = (LiquidError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError)


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """One fault of a template; ``line`` counts from 1, 0 where it concerns the whole."""

    code: str
    detail: str
    line: int = 0


class PersonaliseError(DomainError):
    """A template that can't be used: bad input (400) of the field ``template``; ``problems`` tells why."""

    def __init__(self, problems: list[TemplateProblem], field: str = "template") -> None:
        self.problems = problems
        super().__init__(*(FieldError(field, problem.code, problem.detail) for problem in problems))


def check(template: str, fields: Mapping[str, Any]) -> list[TemplateProblem]:
    """Every fault of a template; an empty list when it can be rendered."""
    return list(_compiled(template, False, frozenset(fields)).problems)


def render(
    template: str, context: Mapping[str, Any], *, fields: Mapping[str, Any], html: bool = False
) -> str:
    """The template with its merge fields filled in; an empty field is an empty text.

    Raises PersonaliseError when the template has a fault, or passes a limit with these values.
    """
    compiled = _compiled(template, html, frozenset(fields))
    if compiled.template is None:
        raise PersonaliseError(list(compiled.problems))
    values = _listed(context, compiled.used)
    try:
        return compiled.template.render(values)
    except ResourceLimitError:
        detail = _("The text grows too long or takes too much time with these values.")
        raise PersonaliseError([TemplateProblem("too_large", detail)]) from None
    except _FAILURES as error:
        raise PersonaliseError([_from_liquid(error, "cannot_render")]) from None


def render_subject(template: str, context: Mapping[str, Any], *, fields: Mapping[str, Any]) -> str:
    """One line that is safe in a mail header: no line break or control character survives, at most 250
    characters.
    """
    text = " ".join(
        render(template, context, fields=fields).split()
    )  # split() knows every line break of Unicode
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp"))
    return text if len(text) <= MAX_SUBJECT else text[: MAX_SUBJECT - 1].rstrip() + "…"


def _compiled(template: str, html: bool, fields: frozenset[str]) -> _Compiled:
    """Parsed and checked once for many renderings; fault texts are in the language of the reader."""
    return _compiled_in(get_language(), template, html, fields)


@dataclass(frozen=True, slots=True)
class _Compiled:
    template: BoundTemplate | None
    problems: tuple[TemplateProblem, ...]
    used: frozenset[str] = frozenset()


@lru_cache(maxsize=256)
def _compiled_in(language: str | None, template: str, html: bool, fields: frozenset[str]) -> _Compiled:
    if not isinstance(template, str):
        return _Compiled(None, (TemplateProblem("not_text", _("Give a text.")),))
    if len(template) > MAX_TEMPLATE:
        detail = _("The text is too long: at most %(max)s characters.") % {"max": MAX_TEMPLATE}
        return _Compiled(None, (TemplateProblem("too_long", detail),))
    if _parts(template) > MAX_PARTS:
        detail = _("The text has too many merge fields: at most %(max)s.") % {"max": MAX_PARTS}
        return _Compiled(None, (TemplateProblem("too_many_parts", detail),))
    try:
        bound = _environment(html).from_string(template)
        checker = _Checker(bound, template, fields)
        checker.nodes(bound.nodes, {})
    except _FAILURES as error:
        return _Compiled(None, (_from_liquid(error, "bad_syntax"),))
    if checker.problems:
        return _Compiled(None, tuple(checker.problems))
    return _Compiled(bound, (), frozenset(checker.used))


def _parts(template: str) -> int:
    """Merge fields, tags and the filters in them: what bounds the work of one rendering."""
    parts = template.count("{{") + template.count("{%")
    if parts > MAX_PARTS:
        return parts
    return parts + sum(found[0].count("|") for found in _MARKUP.finditer(template))


class _Checker:
    """Walks the syntax tree: every path must be a listed field, every filter a listed filter."""

    def __init__(self, bound: BoundTemplate, source: str, fields: frozenset[str]) -> None:
        self.source = source
        self.fields = fields
        self.static = RenderContext(bound)
        self.problems: list[TemplateProblem] = []
        self.used: set[str] = set()

    def nodes(self, nodes: Any, scope: dict[str, str]) -> None:
        """``scope``: loop variable → the list's member it stands for (``order.items[]``)."""
        for node in nodes:
            self.node(node, scope)

    def node(self, node: Node, scope: dict[str, str]) -> None:
        for expression in node.expressions():
            self.expression(expression, scope)
        if isinstance(node, ForNode):
            loop = node.expression
            members = self.name(loop.iterable, scope) if isinstance(loop.iterable, Path) else None
            scope = scope | {loop.identifier: f"{members}[]", "forloop": "forloop"}
        self.nodes(node.children(self.static, include_partials=False), scope)

    def expression(self, expression: Expression, scope: dict[str, str]) -> None:
        if isinstance(expression, RangeLiteral):
            self.fault("range", _("Ranges such as (1..10) can't be used."), expression)
            return
        if isinstance(expression, LoopExpression):
            self.iterable(expression.iterable, scope)
            rest = [part for part in expression.children() if part is not expression.iterable]
        elif isinstance(expression, Path):
            self.path(expression, scope)
            return
        else:
            if isinstance(expression, FilteredExpression):
                for item in expression.filters or ():
                    self.filter(item.name, expression)
            rest = list(expression.children())
        for part in rest:
            self.expression(part, scope)

    def filter(self, name: str, expression: Expression) -> None:
        if name not in FILTERS:
            detail = _("There is no filter “%(name)s”; use one of: %(known)s.")
            self.fault("unknown_filter", detail % {"name": name, "known": ", ".join(FILTERS)}, expression)

    def iterable(self, expression: Expression, scope: dict[str, str]) -> None:
        name = self.name(expression, scope) if isinstance(expression, Path) else None
        members = {field for field in self.fields if name and field.startswith(f"{name}[]")}
        if not members:
            lists = sorted({field.split("[]")[0] for field in self.fields if "[]" in field})
            detail = _("“for” can only go through one of: %(known)s.") % {"known": ", ".join(lists) or "—"}
            self.fault("not_a_list", detail, expression)
        self.used |= members

    def name(self, path: Path, scope: dict[str, str]) -> str | None:
        """The dotted name of a path, its loop variable replaced; None for anything dynamic."""
        if not all(isinstance(part, str) for part in path.path):
            return None
        head, *rest = (str(part) for part in path.path)
        return ".".join([scope.get(head, head), *rest])

    def path(self, path: Path, scope: dict[str, str]) -> None:
        name = self.name(path, scope)
        if name in self.fields:
            self.used.add(str(name))
            return
        if name is not None:
            head, dot, last = name.rpartition(".")
            if head == "forloop" and "forloop" in scope and last in _LOOP_KEYS:
                return
            if f"{name}[]" in self.fields:  # a list of plain values, as for join
                self.used.add(f"{name}[]")
                return
            if dot and last == "size" and any(field.startswith(f"{head}[]") for field in self.fields):
                self.used |= {field for field in self.fields if field.startswith(f"{head}[]")}
                return
        self.unknown(path)

    def unknown(self, path: Path) -> None:
        name = str(path)[:100]
        near = difflib.get_close_matches(name, sorted(self.fields), n=3, cutoff=0.7)
        detail = _("There is no field “%(name)s”.") % {"name": name}
        if near:
            detail += " " + _("Did you mean %(near)s?") % {"near": ", ".join(near)}
        self.fault("unknown_field", detail, path)

    def fault(self, code: str, detail: str, expression: Expression) -> None:
        line = self.source.count("\n", 0, max(expression.token.start_index, 0)) + 1
        if len(self.problems) < 50:
            self.problems.append(TemplateProblem(code, detail, line))


def _listed(context: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Only the named fields of the context, as plain values in nested dicts: nothing else can be reached."""
    out: dict[str, Any] = {}
    for name in sorted(names):
        _copy(context, out, name.split("."))
    return out


def _copy(source: Any, target: dict[str, Any], parts: list[str]) -> None:
    part, rest = parts[0], parts[1:]
    key = part.removesuffix("[]")
    value = source.get(key) if isinstance(source, Mapping) else None
    if part.endswith("[]"):
        members = list(value)[:MAX_ITERATIONS] if isinstance(value, list | tuple) else []
        if not rest:
            target[key] = [_plain(member) for member in members]
            return
        rows = target.setdefault(key, [{} for _member in members])
        for member, row in zip(members, rows, strict=True):
            _copy(member, row, rest)
    elif rest:
        below = target.setdefault(key, {})
        if isinstance(below, dict):
            _copy(value, below, rest)
    else:
        target[key] = _plain(value)


def _plain(value: Any) -> Any:
    """A value without behaviour; anything unknown is its text."""
    if value is None or isinstance(value, bool | Decimal | dt.date):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < 1e18 else str(value)[:50]
    text = str.__str__(value) if isinstance(value, str) else str(value)
    if len(text) > MAX_VALUE:
        detail = _("A value is longer than %(max)s characters.") % {"max": MAX_VALUE}
        raise PersonaliseError([TemplateProblem("too_large", detail)])
    return text


def _from_liquid(error: BaseException, code: str) -> TemplateProblem:
    """What the engine found, in one line without its picture of the source."""
    token = getattr(error, "token", None)
    line = token.source.count("\n", 0, max(token.start_index, 0)) + 1 if token is not None else 0
    if isinstance(error, RecursionError):
        return TemplateProblem(code, _("The text nests too deeply."), line)
    lines = str(error).strip().splitlines()
    return TemplateProblem(
        code, _("The text can't be read: %(why)s.") % {"why": lines[0][:200] if lines else code}, line
    )


# The engine, cut down


class _Clocked(RenderContext):
    """Stops a rendering that takes too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadline = time.monotonic() + MAX_SECONDS

    def get(self, path: list[object], **kwargs: Any) -> object:
        self.raise_if_late()
        return super().get(path, **kwargs)

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        self.raise_if_late()
        return super().get_buffer(buf)

    def raise_if_late(self) -> None:
        if time.monotonic() > self.deadline:
            raise ResourceLimitError("time limit reached", token=None)


class _Template(BoundTemplate):
    context_class = _Clocked

    def _get_buffer(self) -> LimitedStringIO:
        return LimitedStringIO(limit=MAX_OUTPUT)


class _Limited(Environment):
    block_nesting_limit = 20
    context_depth_limit = 20
    loop_iteration_limit = MAX_ITERATIONS
    output_stream_limit = MAX_OUTPUT
    template_class = _Template


@lru_cache(maxsize=2)
def _environment(html: bool) -> _Limited:
    env = _Limited(autoescape=html)
    env.tags = {name: tag for name, tag in env.tags.items() if name in TAGS | _INTERNAL_TAGS}
    env.filters = {name: env.filters[name] for name in FILTERS}
    env.filters["date"] = _date
    return env


def _date(value: Any, pattern: Any = None) -> str:
    """A date in the reader's format, or in a pattern of strftime's plain directives (``%d.%m.%Y``)."""
    if value is None or is_undefined(value) or value == "":
        return ""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, dt.datetime) and timezone.is_aware(value):
        value = timezone.localtime(value)
    if not isinstance(value, dt.date):
        return str(value)
    if pattern is None or is_undefined(pattern):
        return formats.date_format(value, "DATE_FORMAT")
    if not isinstance(pattern, str) or not _DATE_FORMAT.fullmatch(pattern):
        raise ValueError(_("a date's pattern is made of directives such as %%d.%%m.%%Y") % {})
    return value.strftime(pattern)


def _parsed(value: str) -> Any:
    try:
        return dt.datetime.fromisoformat(value) if "T" in value else dt.date.fromisoformat(value)
    except ValueError:
        return value


def merge_fields(template: str, fields: Mapping[str, Any]) -> Iterator[str]:
    """Names of the fields that a template uses."""
    yield from sorted(_compiled(template, False, frozenset(fields)).used)
