"""Which metrics a SEARCH finds: the query's schema and terms (CloudWatch's "search expression syntax").

    {AWS/NetworkELB,LoadBalancer} MetricName="NewFlowCount" OR (flow NOT zone)

The schema in braces names a namespace and exactly the metrics' dimensions; one without dimensions takes any of
them. A quoted term is the whole of a name or value. A bare one is found by its tokens: a name is cut at capitals,
digits and signs, and one token matches whatever its case, several only one after the other. ``Property=term`` looks
at MetricName, Namespace or one dimension's value alone. Terms side by side are joined by AND.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

MOST_CHARACTERS, DEEPEST = 1024, 50
_SCHEMA = re.compile(r"\s*\{((?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*)\}\s*,?")
_QUOTED = r"\"(?:[^\"\\]|\\.)*\""
_TERM = re.compile(rf"\s*(?:(?P<sign>[()])|(?:(?P<key>{_QUOTED}|[^\s()\"=]+)=)?(?P<term>{_QUOTED}|[^\s()\"]+))")
_NAME = re.compile(rf"\s*({_QUOTED}|[^,\"]+?)\s*(?:,|$)")
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+|\d+")


@dataclass(frozen=True)
class Candidate:
    """A metric that may be found."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]


Test = Callable[[Candidate], bool]


class SearchError(Exception):
    """What is wrong with a search query."""


def parse(query: str) -> Test:
    """Read a search query; give what says of a metric whether it is found. Raises SearchError."""
    if len(query) > MOST_CHARACTERS:
        raise SearchError(f"The search query is longer than {MOST_CHARACTERS} characters")
    schema = _SCHEMA.match(query)
    rest = query[schema.end() :] if schema else query
    tests: list[Test] = [partial(_fits, *_schema(schema[1]))] if schema else []
    if rest.strip():
        tests.append(_Terms(rest).read())
    if not tests:
        raise SearchError("A search needs a schema or a term")
    return lambda metric: all(test(metric) for test in tests)


def _schema(text: str) -> tuple[str, frozenset[str]]:
    names, at = [], 0
    while at < len(text):
        found = _NAME.match(text, at)
        if found is None:
            raise SearchError(f"The schema {{{text}}} cannot be read")
        names.append(_bare(found[1]))
        at = found.end()
    if not names:
        raise SearchError("The schema needs a namespace")
    return names[0], frozenset(names[1:])


def _fits(namespace: str, dimensions: frozenset[str], metric: Candidate) -> bool:
    return metric.namespace == namespace and (not dimensions or dimensions == set(metric.dimensions))


def pieces(text: str) -> list[str]:
    """Cut a name at capitals, digits and signs: ``SDBFailure2`` into ``SDB``, ``Failure``, ``2``."""
    return _PIECES.findall(text)


def _contains(term: str, text: str) -> bool:
    """Say whether a bare term is found in a name or value."""
    wanted, there = pieces(term), pieces(text)
    if term.islower() and term == "".join(there).lower():
        return True
    if len(wanted) == 1:
        return wanted[0].lower() in [piece.lower() for piece in there]
    if not term.isalnum():
        wanted, there = [piece.lower() for piece in wanted], [piece.lower() for piece in there]
    return bool(wanted) and any(there[at : at + len(wanted)] == wanted for at in range(len(there)))


def _bare(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


class _Terms:
    """Reads the terms behind the schema: OR binds loosest, then AND, then NOT."""

    def __init__(self, text: str) -> None:
        self._words: list[re.Match[str]] = []
        self._depth = 0
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TERM.match(text, at)
            if found is None:
                raise SearchError(f"The search cannot be read at '{text[at:].strip()}'")
            self._words.append(found)
            at = found.end()
        self._at = 0

    def read(self) -> Test:
        test = self._either()
        if self._at < len(self._words):
            raise SearchError(f"The search cannot be read at '{self._words[self._at][0].strip()}'")
        return test

    def _either(self) -> Test:
        tests = [self._all()]
        while self._took("OR"):
            tests.append(self._all())
        return partial(_any_of, tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._took("AND") or (self._at < len(self._words) and self._word not in ("OR", ")")):
            tests.append(self._one())
        return partial(_all_of, tests)

    def _one(self) -> Test:
        if self._at >= len(self._words):
            raise SearchError("The search ends too soon")
        if self._word in ("NOT", "("):
            self._depth += 1
            if self._depth > DEEPEST:
                raise SearchError("The search is nested too deeply")
            inner = self._nested()
            self._depth -= 1
            return inner
        if self._word in ("AND", "OR", ")"):
            raise SearchError(f"The search cannot be read at '{self._word}'")
        found = self._words[self._at]
        self._at += 1
        return partial(_matches, _bare(found["key"] or ""), found["term"])

    def _nested(self) -> Test:
        if self._took("NOT"):
            return partial(_none_of, self._one())
        self._took("(")
        inner = self._either()
        if not self._took(")"):
            raise SearchError("A parenthesis is not closed")
        return inner

    @property
    def _word(self) -> str:
        return self._words[self._at][0].strip()

    def _took(self, word: str) -> bool:
        if self._at < len(self._words) and self._word == word:
            self._at += 1
            return True
        return False


def _any_of(tests: Sequence[Test], metric: Candidate) -> bool:
    return any(test(metric) for test in tests)


def _all_of(tests: Sequence[Test], metric: Candidate) -> bool:
    return all(test(metric) for test in tests)


def _none_of(test: Test, metric: Candidate) -> bool:
    return not test(metric)


def _matches(key: str, term: str, metric: Candidate) -> bool:
    if key == "MetricName":
        texts = [metric.name]
    elif key == "Namespace":
        texts = [metric.namespace]
    elif key:
        texts = [value for name, value in metric.dimensions.items() if name == key]
    else:
        texts = [metric.name, metric.namespace, *metric.dimensions, *metric.dimensions.values()]
    if term.startswith('"'):
        return _bare(term) in texts
    return any(_contains(term, text) for text in texts)
