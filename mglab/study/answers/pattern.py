"""Question 1, a model answer: what the statistics said, and the two choices that AWS documents.

The statements and their numbers are the experiment's own (``study.pattern_conclusion``); here they are put beside the
documented mechanism, without adding to what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mglab.study.answers.words import Measured, paragraph, sentence, written


class Finding(Protocol):
    """A statement, what it is about, and the numbers it rests on, the decisive ones first, set apart by semicolons."""

    @property
    def about(self) -> str: ...
    @property
    def statement(self) -> str: ...
    @property
    def because(self) -> str: ...


MECHANISM = "Mechanism"
IN_A_PARAGRAPH = 4
"""So many statements, each with its numbers, are as much as one paragraph bears."""


def measured_1(findings: Sequence[Finding]) -> list[Measured]:
    """List the decisive numbers, to stand beside the prediction; what they mean is for the answer to say."""
    return [Measured(one.about, _decisive(one)) for one in findings if one.about != MECHANISM]


def question_1(findings: Sequence[Finding], *, backend: str) -> list[str]:
    """Answer "is there any pattern?": the mechanism first, then what it was read from."""
    if not findings:
        return ["Whether there is a pattern was not measured in this run."]
    named = [sentence(one.statement) for one in findings if one.about == MECHANISM]
    others = [_found(one) for one in findings if one.about != MECHANISM]
    told = [" ".join(others[n : n + IN_A_PARAGRAPH]) for n in range(0, len(others), IN_A_PARAGRAPH)]
    return written([*named, *told, _documented(), _rests_on(backend)])


def _found(finding: Finding) -> str:
    numbers = f" ({_decisive(finding)})" if finding.because else ""
    return sentence(f"{finding.statement.rstrip('.')}{numbers}")


def _decisive(finding: Finding) -> str:
    return finding.because.split(";")[0].rstrip(".")


def _documented() -> str:
    return paragraph(
        "AWS documents two choices, made by different parties: DNS answers the balancer's name with one address for "
        "each zone that has a healthy target, and the client's choice among them chooses the zone",
        "the node behind that address then chooses a target by a hash of the connection (protocol, both addresses, "
        "both ports, the sequence number), among its own zone's healthy targets only, unless cross-zone balancing is "
        "on",
        "so what above changes with the address that was used is DNS's and the client's doing, and what changes behind "
        "one and the same address is the hash's; a balancer that takes turns has no place in that account, and were "
        "turns found above, something else would have been at work",
    )


def _rests_on(backend: str) -> str:
    if backend == "local":
        return paragraph(
            "What this rests on: the counts are of real connections; the hash is the local cloud's own keyed one over "
            "the documented inputs, and the order of addresses in a DNS answer is its model's, so nothing here tells "
            "which of AWS's targets a given connection would reach"
        )
    return paragraph("What this rests on: the counts are of connections to AWS's own load balancer")
