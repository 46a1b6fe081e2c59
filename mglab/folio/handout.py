"""The handout's own numbering: which steps there are, and which of them a text names.

The sheet numbers seven preliminary steps, then 1 to 88 in one run, with three questions and a monitoring
evaluation between and after them. A heading ("45. Create a target group", "Steps 58-60: ...",
"Preliminary 4. ...", "Question 1: ...") or an evidence's step ("5", "61, 62", "Question 2") names one or
more of these. Pure: no file is read here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One part of the sheet, with the names of its steps in order."""

    title: str
    steps: tuple[str, ...]


def _numbers(first: int, last: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(first, last + 1))


SECTIONS = (
    Section("Preliminary: a health check in the image", tuple(f"Preliminary {number}" for number in range(1, 8))),
    Section("A VPC that spans two zones", _numbers(1, 18)),
    Section("The security group", _numbers(19, 24)),
    Section("The launch template", _numbers(25, 41)),
    Section("Load balancer and target group", _numbers(42, 57)),
    Section("The Auto Scaling group", _numbers(58, 77)),
    Section("Checking that it works", (*_numbers(78, 84), "Question 1")),
    Section("Breaking and scaling it", ("85", "Question 2", "86", "Question 3")),
    Section("Monitoring", ("87", "88", "Monitoring evaluation")),
)
STEPS = tuple(step for section in SECTIONS for step in section.steps)

_DASH = r"\s*(?:-|–|—|\bto\b)\s*"
_WORD = r"(?:(?P<word>preliminary|question|step)s?[\s,:]*)?"
_ONE = rf"{_WORD}(?P<first>\d{{1,2}})(?:{_DASH}(?P<last>\d{{1,2}})(?!\d))?(?!\d)"
_REFERENCE = re.compile(rf"\s*(?:(?P<evaluation>monitoring\s+evaluation)\b|{_ONE})", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*(?:,|;|&|/|\+|\band\b)+\s*(?=\d|prelim|question|step|monitoring\s+eval)", re.IGNORECASE)
_CLOSING = re.compile(r"\s*(?:[.:)·|]|[-–—](?=\s)|$)")


def steps_named(step: str) -> tuple[str, ...]:
    """List the handout's steps that an evidence's ``step`` names; none if it names no step of the sheet."""
    return _read(step)[0]


def steps_in_heading(text: str) -> tuple[str, ...]:
    """List the steps that a heading names; a bare number counts only when a full stop or colon closes it."""
    return split_heading(text)[0]


def split_heading(text: str) -> tuple[tuple[str, ...], str]:
    """Part a heading into the steps that it names and the words that follow."""
    names, end, spelled = _read(text)
    closing = _CLOSING.match(text, end)
    if not names or (not closing and not spelled):
        return (), text.strip()
    return names, text[closing.end() if closing else end :].strip(" .:–—-·")


def shown(step: str) -> str:
    """Write an evidence's step as people say it: "Step 5", "Steps 58–60", "Preliminary 4"."""
    bare = step.strip()
    if not re.match(r"\d", bare):
        return bare
    plural = len(steps_named(bare)) > 1
    return f"Step{'s' if plural else ''} {re.sub(r'(?<=[0-9])-(?=[0-9])', '–', bare)}"


def spans(steps: Collection[str]) -> str:
    """Write some of the sheet's steps in few words, neighbours by number as a range: ``Preliminary 3, 1–2, 85``."""
    runs: list[list[str]] = []
    for name in (name for name in STEPS if name.isdigit() and name in steps):
        if runs and int(runs[-1][-1]) == int(name) - 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    parts = [run[0] if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    return ", ".join([*(name for name in STEPS if name in steps and not name.isdigit()), *parts])


def order(step: str) -> int:
    """Give a step's place in the sheet; what the sheet does not have comes last."""
    names = steps_named(step)
    return STEPS.index(names[0]) if names else len(STEPS)


def _read(text: str) -> tuple[tuple[str, ...], int, bool]:
    """Read references from the start of a text: the steps, where they end, whether a word introduced them."""
    names: list[str] = []
    word, position, spelled = "", 0, False
    while match := _REFERENCE.match(text, position):
        if match["evaluation"]:
            names.append("Monitoring evaluation")
            spelled = True
        else:
            spelled = spelled or bool(match["word"])
            word = (match["word"] or word).lower()
            names += _expand(word, int(match["first"]), int(match["last"] or match["first"]))
        position = match.end()
        separator = _SEPARATOR.match(text, position)
        if not separator:
            break
        position = separator.end()
    known = tuple(dict.fromkeys(name for name in names if name in STEPS))
    return known, position, spelled


def _expand(word: str, first: int, last: int) -> list[str]:
    prefix = {"preliminary": "Preliminary ", "question": "Question "}.get(word, "")
    return [f"{prefix}{number}" for number in range(first, max(first, last) + 1)]
