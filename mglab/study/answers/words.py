"""How the answers speak: numbers as the tables write them, lists as people say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mglab.display import column, text_of
from mglab.study.stats import wilson


@dataclass(frozen=True)
class Measured:
    """One thing that was measured, with its unit."""

    what: str = field(metadata=column("Measured"))
    value: str = field(metadata=column("Value"))


NOT_MEASURED = "not measured"


def seconds(value: float | None) -> str:
    """Write AWS seconds, or that they were not measured."""
    return NOT_MEASURED if value is None else f"{text_of(value)} s"


def listed(parts: Sequence[str]) -> str:
    """Join parts with commas and a last "and"."""
    return ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def sentence(text: str) -> str:
    """Begin with a capital and end with one full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def paragraph(*sentences: str | None) -> str:
    """Join the sentences that there are."""
    return " ".join(sentence(one) for one in sentences if one)


def differ(failed: int, of: int, other_failed: int, of_other: int) -> bool:
    """Say whether two shares of failures differ by more than chance gives: their 95 % intervals do not meet."""
    if not of or not of_other:
        return False
    (low, high), (other_low, other_high) = wilson(failed, of), wilson(other_failed, of_other)
    return high < other_low or other_high < low


def written(paragraphs: Iterable[str]) -> list[str]:
    """Keep the paragraphs that say something."""
    return [one for one in paragraphs if one]


def durations_rest_on(backend: str) -> str:
    """Say what the durations of this run can be used for."""
    if backend == "local":
        return paragraph(
            "What this rests on: who sees what, and by which rule, is as AWS documents it; how long each part takes on "
            "the local cloud follows from constants of its model, so the lengths above are no finding about AWS"
        )
    return paragraph("What this rests on: every duration was measured on AWS, no sharper than the pace of looking")
