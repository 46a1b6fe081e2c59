"""docs/conformance.md from the rows and the tests that name them.

    python -m tests.conformance.table        write it anew
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.conformance import facts
from tests.conformance.facts import Fact, accounts, balancing, compute, errors, monitoring, network, scaling

TESTS = Path(__file__).parents[1]
TABLE = TESTS.parent / "docs" / "conformance.md"
ROOMS = (balancing, scaling, network, compute, errors, monitoring, accounts)
INTRODUCTION = """\
# What the local cloud does as AWS does

Made by `python -m tests.conformance.table` from the tests: do not edit it. A row is a fact of AWS's behaviour in
this lab; its letter says how sure one may be of it:
{letters}.
Beside it stands the test that shows it on the local cloud, the knob that turns it (`mglab cloud knobs`), or why it is
left out. A knob is there for what nobody outside AWS can know, mostly how long something takes; its default is what
others observed.
"""


def all_facts() -> tuple[Fact, ...]:
    """Give every row, in the table's order."""
    return tuple(fact for room in ROOMS for fact in room.FACTS)


def shown(tests: Path = TESTS) -> Mapping[str, Sequence[str]]:
    """Give each row's key -> the tests that name it, as ``folder/file.py::test``."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(tests.rglob("test_*.py")):
        for key, name in _named(ast.parse(file.read_text("utf-8"))):
            found[key].append(f"{file.relative_to(tests).as_posix()}::{name}")
    return found


def text() -> str:
    """Give the whole page."""
    tests = shown()
    letters = ", ".join(f"{letter} {says}" for letter, says in facts.CONFIDENCE.items())
    parts = [INTRODUCTION.format(letters=letters), _sums(tests)]
    parts += [_section(room.TITLE, room.FACTS, tests) for room in ROOMS if room.FACTS]
    return "\n".join(parts)


def state_of(fact: Fact, tests: Mapping[str, Sequence[str]]) -> str:
    """Say in a word what became of a row."""
    if fact.left_out:
        return "left out"
    if fact.knob:
        return "knob"
    return "held" if fact.key in tests else "open"


def _sums(tests: Mapping[str, Sequence[str]]) -> str:
    states = ("held", "knob", "left out", "open")
    rows = [
        f"| {letter} | " + " | ".join(str(_how_many(letter, state, tests)) for state in states) + " |"
        for letter in facts.CONFIDENCE
    ]
    head = ["| | " + " | ".join(states) + " |", "|---|" + "---:|" * len(states)]
    return "\n".join([*head, *rows, ""])


def _how_many(letter: str, state: str, tests: Mapping[str, Sequence[str]]) -> int:
    return sum(fact.confidence == letter and state_of(fact, tests) == state for fact in all_facts())


def _section(title: str, rows: Sequence[Fact], tests: Mapping[str, Sequence[str]]) -> str:
    head = [f"## {title}", "", "| row | | what AWS does | here |", "|---|---|---|---|"]
    cells = [f"| {it.key} | {it.confidence} | {_cell(it.says)} | {_cell(_here(it, tests))} |" for it in rows]
    return "\n".join([*head, *cells, ""])


def _here(fact: Fact, tests: Mapping[str, Sequence[str]]) -> str:
    said = [f"left out: {fact.left_out}"] if fact.left_out else []
    said += [f"knob `{fact.knob}`"] if fact.knob else []
    said += [f"`{name}`" for name in tests.get(fact.key, ())]
    return "; ".join(said) or "open"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


def _named(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Find (key, test) of every mark ``fact`` on a function, on a class, or in a table of parameters."""
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                yield from ((key, node.name) for key in _keys(decorator))


def _keys(decorator: ast.expr) -> Iterator[str]:
    for node in ast.walk(decorator):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fact":
            yield from (it.value for it in node.args if isinstance(it, ast.Constant) and isinstance(it.value, str))


if __name__ == "__main__":
    TABLE.write_text(text(), "utf-8")
