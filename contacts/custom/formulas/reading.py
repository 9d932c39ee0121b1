"""From what was typed to a tree: words with their places, then the grammar.

``if a then b else c`` and ``if(a, b, c)`` are the same; ``&`` puts texts together; names are those of the API.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from contacts.custom.formulas.terms import Mistake

MAX_LENGTH = 2000
MAX_DEPTH = 25
_WORD = re.compile(
    r"""(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?)|(?P<text>"(?:[^"]|"")*"|'(?:[^']|'')*')"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)|(?P<sign><=|>=|<>|!=|[-+*/&()=<>,])""",
    re.ASCII,
)
_COMPARE = ("=", "!=", "<>", "<", "<=", ">", ">=")
_KEYWORDS = frozenset({"and", "or", "not", "if", "then", "else", "true", "false", "empty"})


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a formula; ``kind`` is number, text, name, keyword, sign or end."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    at: int
    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or an operator by its sign (``name`` as it is written, ``neg`` for a minus before)."""

    at: int
    name: str
    args: tuple["Node", ...]
    operator: bool = False


Node = Literal | Name | Call


def words_of(text: str) -> list[Word]:
    """Raises Mistake."""
    if len(text) > MAX_LENGTH:
        detail = _("A formula has %(most)s characters at most. Divide it into two fields.")
        raise Mistake(MAX_LENGTH, detail % {"most": MAX_LENGTH})
    found: list[Word] = []
    at = 0
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            if text[at] in "\"'":
                raise Mistake(at, _("This text has no end: close it with the same quotation mark."))
            raise Mistake(at, _("“%(sign)s” has no meaning in a formula.") % {"sign": text[at]})
        kind, word = str(match.lastgroup), match[0]
        if kind == "name":
            word = word.lower()
            kind = "keyword" if word in _KEYWORDS else kind
        if kind != "space":
            found.append(Word(kind, word, at))
        at = match.end()
    return [*found, Word("end", "", len(text))]


def read(text: str) -> Node:
    """The tree of a formula. Raises Mistake."""
    return _Reader(words_of(text)).whole()


class _Reader:
    def __init__(self, words: list[Word]) -> None:
        self.words, self.place, self.depth = words, 0, 0

    @property
    def word(self) -> Word:
        return self.words[self.place]

    def take(self) -> Word:
        word = self.word
        self.place += word.kind != "end"
        return word

    def taken(self, *texts: str) -> Word | None:
        """The next word where it is one of these (signs or keywords)."""
        return self.take() if self.word.kind in {"sign", "keyword"} and self.word.text in texts else None

    def expect(self, text: str, why: str) -> None:
        if self.taken(text) is None:
            raise Mistake(self.word.at, why)

    def whole(self) -> Node:
        if self.word.kind == "end":
            raise Mistake(0, _("Write a formula, such as custom.price * 1.2"))
        found = self.any_of()
        if self.word.kind != "end":
            detail = _(
                "The formula is over before “%(word)s”: an operator is missing, or a bracket too many."
            )
            raise Mistake(self.word.at, detail % {"word": self.word.text})
        return found

    def _row(self, part: Callable[[], Node], *signs: str) -> Node:
        """Parts with one of these operators between them, from left to right."""
        found = part()
        while (word := self.taken(*signs)) is not None:
            found = Call(word.at, word.text, (found, part()), operator=True)
        return found

    def any_of(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Mistake(self.word.at, _("Too many brackets inside each other. Divide it into two fields."))
        found = self._row(self.all_of, "or")
        self.depth -= 1
        return found

    def all_of(self) -> Node:
        return self._row(self.negated, "and")

    def negated(self) -> Node:
        count, first = 0, self.word
        while self.taken("not") is not None:
            count += 1
        found = self.compared()
        return Call(first.at, "not", (found,), operator=True) if count % 2 else found

    def compared(self) -> Node:
        found = self.sums()
        word = self.taken(*_COMPARE)
        if word is None:
            return found
        found = Call(word.at, "!=" if word.text == "<>" else word.text, (found, self.sums()), operator=True)
        if self.word.kind == "sign" and self.word.text in _COMPARE:
            raise Mistake(self.word.at, _("Compare two things at a time, and join comparisons by “and”."))
        return found

    def sums(self) -> Node:
        return self._row(self.products, "+", "-", "&")

    def products(self) -> Node:
        return self._row(self.signed, "*", "/")

    def signed(self) -> Node:
        minus = 0
        first = self.word
        while (word := self.taken("-", "+")) is not None:
            minus += word.text == "-"
        found = self.atom()
        return Call(first.at, "neg", (found,), operator=True) if minus % 2 else found

    def atom(self) -> Node:
        word = self.take()
        match word.kind:
            case "number":
                return _number(word)
            case "text":
                return Literal(word.at, "text", _text(word))
            case "name":
                return self.call(word) if self.taken("(") else Name(word.at, word.text)
            case "keyword" if word.text == "if":
                return self.choice(word)
            case "keyword" if word.text in {"true", "false"}:
                return Literal(word.at, "boolean", word.text == "true")
            case "keyword" if word.text == "empty":
                return Literal(word.at, "nothing", None)
            case "sign" if word.text == "(":
                found = self.any_of()
                self.expect(")", _("A bracket is not closed: “)” is missing here."))
                return found
            case "end":
                raise Mistake(word.at, _("The formula ends too early: a value is missing here."))
            case _:
                detail = _("A value is missing before “%(word)s”.")
                raise Mistake(word.at, detail % {"word": word.text})

    def call(self, name: Word) -> Node:
        args: list[Node] = []
        if self.taken(")") is None:
            args.append(self.any_of())
            while self.taken(",") is not None:
                args.append(self.any_of())
            self.expect(")", _("A bracket is not closed: “)” is missing here."))
        return Call(name.at, name.text, tuple(args))

    def choice(self, word: Word) -> Node:
        if self._is_call():
            self.take()
            return self.call(word)
        condition = self.any_of()
        self.expect("then", _("“then” is missing: if … then … else …"))
        yes = self.any_of()
        self.expect("else", _("“else” is missing: if … then … else …"))
        return Call(word.at, "if", (condition, yes, self.any_of()))

    def _is_call(self) -> bool:
        """Whether what follows is ``(a, b, c)`` rather than a condition in brackets."""
        if (self.word.kind, self.word.text) != ("sign", "("):
            return False
        depth = 0
        for word in self.words[self.place :]:
            if word.kind == "sign":
                depth += {"(": 1, ")": -1}.get(word.text, 0)
                if depth == 1 and word.text == ",":
                    return True
                if depth == 0:
                    return False
        return False


def _number(word: Word) -> Literal:
    whole, _sep, rest = word.text.partition(".")
    if len(whole) > 15 or len(rest) > 10:
        detail = _("A number has at most 15 digits before the point and 10 after it.")
        raise Mistake(word.at, detail)
    return Literal(word.at, "number", Decimal(word.text))


def _text(word: Word) -> str:
    mark = word.text[0]
    found = word.text[1:-1].replace(mark * 2, mark)
    if len(found) > 500 or not found.isprintable():
        raise Mistake(word.at, _("A text in a formula has 500 characters at most, on one line."))
    return found
