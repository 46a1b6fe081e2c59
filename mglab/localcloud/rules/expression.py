"""The grammar of metric math: an expression's text, read into a tree.

    SUM(METRICS("errors")) / AVG([m1, m2]) * 100        IF(m1 > 5 AND m2 <= 3, FILL(m1, REPEAT), -m2 ^ 2)

Functions are upper case, ids of metrics and of other expressions begin with a lower-case letter. From the
loosest to the tightest bind: OR, AND, comparisons, + and -, * and /, the unary minus, ^. What an expression is worth
is in ``rules/metricmath``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MOST_CHARACTERS = 2048
DEEPEST = 50
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>()\[\],]))"
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("OR", "||"), ("AND", "&&"), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"),
)  # fmt: skip
"""Binary operators, the loosest first; all of them bind to the left."""
_SPELT = {"||": "OR", "&&": "AND"}


class ExpressionError(Exception):
    """What is wrong with an expression, in words that follow ``Error in expression 'e1': ``."""


@dataclass(frozen=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True)
class Text:
    """A quoted string."""

    value: str


@dataclass(frozen=True)
class Name:
    """The id of a metric or an expression, or a word such as DESC."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Array:
    """Several in brackets."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Negative:
    """The unary minus."""

    of: Node


@dataclass(frozen=True)
class Binary:
    """An operator between two."""

    operator: str
    left: Node
    right: Node


Node = Number | Text | Name | Call | Array | Negative | Binary


@dataclass(frozen=True)
class Token:
    """A piece of the text: its kind, itself, and where it stands."""

    kind: str
    text: str
    at: int


def parse(text: str) -> Node:
    """Read an expression; raises ExpressionError."""
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(f"The expression is longer than {MOST_CHARACTERS} characters")
    reader = _Reader(_tokens(text))
    tree = reader.binary(0)
    if reader.kind != "end":
        raise reader.unexpected()
    return tree


def names(node: Node) -> list[str]:
    """Give the ids that an expression mentions, in order, each once."""
    found: dict[str, None] = {}
    for one in walk(node):
        if isinstance(one, Name) and one.name[0].islower():
            found[one.name] = None
    return list(found)


def walk(node: Node) -> list[Node]:
    """Give a node and all nodes below it, in the order of the text."""
    found, waiting = [], [node]
    while waiting:
        found.append(waiting.pop())
        waiting += reversed(_below(found[-1]))
    return found


def _below(node: Node) -> Sequence[Node]:
    match node:
        case Call(_, arguments):
            return arguments
        case Array(items):
            return items
        case Negative(inner):
            return (inner,)
        case Binary(_, left, right):
            return (left, right)
    return ()


def unquoted(text: str) -> str:
    """Take the quotes off a string, and the backslashes before quotes of its own kind."""
    return text[1:-1].replace("\\" + text[0], text[0])


def _tokens(text: str) -> list[Token]:
    tokens, at = [], 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at:].lstrip()
            raise ExpressionError(f"Unexpected character '{rest[0]}' at position {len(text) - len(rest)}")
        kind = found.lastgroup or ""
        tokens.append(Token(kind, found[kind], found.start(kind)))
        at = found.end()
    return [*tokens, Token("end", "", len(text))]


class _Reader:
    """Takes tokens off one by one."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._at].kind

    @property
    def text(self) -> str:
        return self._tokens[self._at].text

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self.binary(level + 1)
        while self.kind in ("sign", "name") and self.text in _LEVELS[level]:
            operator = self._take()
            left = Binary(_SPELT.get(operator, operator), left, self.binary(level + 1))
        return left

    def unexpected(self) -> ExpressionError:
        if self.kind == "end":
            return ExpressionError("Unexpected end of the expression")
        return ExpressionError(f"Unexpected '{self.text}' at position {self._tokens[self._at].at}")

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError("The expression is nested too deeply")
        negative = self._taken("-")
        tree = self._unary() if negative else self._power()
        self._depth -= 1
        return Negative(tree) if negative else tree

    def _power(self) -> Node:
        base = self._operand()
        return Binary("^", base, self._unary()) if self._taken("^") else base

    def _operand(self) -> Node:
        if self.kind == "number":
            return Number(float(self._take()))
        if self.kind == "text":
            return Text(unquoted(self._take()))
        if self._taken("["):
            return Array(self._listed("]"))
        if self._taken("("):
            (inner, *more) = self._listed(")") or (None,)
            if inner is None or more:
                raise ExpressionError("Parentheses have one expression in them")
            return inner
        if self.kind != "name":
            raise self.unexpected()
        name = self._take()
        return Call(name, self._listed(")")) if self._taken("(") else Name(name)

    def _listed(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._taken(closing):
            return ()
        while True:
            items.append(self.binary(0))
            if self._taken(closing):
                return tuple(items)
            if not self._taken(","):
                raise self.unexpected()

    def _taken(self, sign: str) -> bool:
        if self.kind == "sign" and self.text == sign:
            self._at += 1
            return True
        return False

    def _take(self) -> str:
        text = self.text
        self._at += 1
        return text
