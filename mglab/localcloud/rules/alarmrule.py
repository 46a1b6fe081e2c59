"""The rule of a composite alarm: its grammar, and what it says of other alarms' states.

    ALARM("cpu high") AND (OK(flows) OR NOT INSUFFICIENT_DATA(arn:aws:cloudwatch:...:alarm:hosts))

AND and OR bind equally from the left, as CloudWatch's page on composite alarms has them grouped by parentheses; NOT
binds to what follows. TRUE and FALSE are there for tests. An alarm is named by its name or its ARN, in quotes where
it has spaces or parentheses. AT_LEAST is left out, and refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
MUST_BE = "'(', 'NOT', AT_LEAST, TRUE or FALSE, ALARM, OK, or INSUFFICIENT_DATA"
MOST_CHARACTERS = 10_240
DEEPEST = 50
_TOKEN = re.compile(r"\s*(?P<word>[A-Z_]+(?![^\s()])|[()]|[^\s()]+)")
_ALARM = re.compile(r"\s*\(\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|([^\s()\"']+))\s*\)")


class RuleError(Exception):
    """What is wrong with a rule, in AWS's words."""


@dataclass(frozen=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True)
class Is:
    """An alarm's being in a state; ``alarm`` is a name or an ARN."""

    state: str
    alarm: str


@dataclass(frozen=True)
class Not:
    """The contrary."""

    of: Rule


@dataclass(frozen=True)
class Both:
    """Two joined by AND or OR."""

    operator: str
    left: Rule
    right: Rule


Rule = Constant | Is | Not | Both


def parse(text: str) -> Rule:
    """Read a rule; raises RuleError."""
    if not text or text != text.strip():
        raise RuleError("AlarmRule must not contain leading or trailing whitespace or be null")
    reader = _Reader(text)
    rule = reader.joined(0)
    if not reader.at_end:
        raise reader.unsupported("'AND' or 'OR'")
    return rule


def holds(rule: Rule, state_of: Callable[[str], str]) -> bool:
    """Say whether a rule holds, given each alarm's state."""
    match rule:
        case Constant(value):
            return value
        case Is(state, alarm):
            return state_of(alarm) == state
        case Not(inner):
            return not holds(inner, state_of)
        case Both("AND", left, right):
            return holds(left, state_of) and holds(right, state_of)
        case Both(_, left, right):
            return holds(left, state_of) or holds(right, state_of)


def alarms(rule: Rule) -> list[str]:
    """Give the alarms that a rule mentions, each once."""
    match rule:
        case Is(_, alarm):
            return [alarm]
        case Not(inner):
            return alarms(inner)
        case Both(_, left, right):
            return list(dict.fromkeys([*alarms(left), *alarms(right)]))
    return []


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def joined(self, depth: int) -> Rule:
        rule = self._one(depth)
        while (word := self._peek()) in ("AND", "OR"):
            self._take()
            rule = Both(word, rule, self._one(depth))
        return rule

    def unsupported(self, must_be: str) -> RuleError:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            return RuleError(f"Error in AlarmRule [Unexpected end of rule, must be: {must_be}]")
        word, place = found["word"], found.start("word")
        return RuleError(f"Error in AlarmRule [Unsupported token '{word}' at char {place}, must be: {must_be}]")

    def _one(self, depth: int) -> Rule:
        if depth > DEEPEST:
            raise RuleError("Error in AlarmRule [The rule is nested too deeply]")
        word = self._peek()
        if word == "AT_LEAST":
            raise RuleError("The local cloud does not model AT_LEAST; write the alarms out with AND and OR")
        if word not in ("(", "NOT", "TRUE", "FALSE", *STATES):
            raise self.unsupported(MUST_BE)
        self._take()
        if word == "(":
            rule = self.joined(depth + 1)
            if self._peek() != ")":
                raise self.unsupported("')'")
            self._take()
            return rule
        if word == "NOT":
            return Not(self._one(depth + 1))
        return Is(word, self._alarm()) if word in STATES else Constant(word == "TRUE")

    def _alarm(self) -> str:
        found = _ALARM.match(self._text, self._at)
        if found is None:
            raise self.unsupported("an alarm in parentheses")
        self._at = found.end()
        return re.sub(r"\\(.)", r"\1", next(part for part in found.groups() if part is not None))

    def _peek(self) -> str:
        found = _TOKEN.match(self._text, self._at)
        return found["word"] if found else ""

    def _take(self) -> None:
        found = _TOKEN.match(self._text, self._at)
        self._at = found.end() if found else len(self._text)
