"""What we did to the group and the balancer, numbered, as it is marked on every monitoring figure.

An experiment notes its begin and its end in the ledger (``key`` names it, ``did`` says what was done). What was
done outside of one is told by the steps' own lines: the group made, its limits changed, instances terminated, a
rule of the security group taken away or given. Lines of one kind within a minute are one mark: monitoring has a
point a minute and could not tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mglab.display import column
from mglab.ledger import Entry

EXPERIMENT = "experiment"
TEARDOWN = "99"
CHANGED = {"auto-scaling-group": "limits changed", "target-group": "health check changed"}
ONE_MARK = timedelta(minutes=1)


@dataclass(frozen=True)
class Mark:
    """Something that we did; ``ended`` is None for what took a moment, or never came to its end."""

    number: int = field(metadata=column("Mark", "number"))
    name: str = field(metadata=column("What"))
    did: str = field(metadata=column("What was done"))
    began: datetime = field(metadata=column("From", "time"))
    ended: datetime | None = field(metadata=column("To", "time"))


def marks(entries: Sequence[Entry], since: datetime, until: datetime) -> list[Mark]:
    """Number what was done between the two moments, in order of time."""
    lived = [(datetime.fromisoformat(entry.at), entry) for entry in entries if entry.at]
    told = list(_experiments(lived))
    loose = [one for one in _steps(lived) if not _inside(one.began, told)]
    done = sorted((one for one in (*told, *loose) if since < one.began <= until), key=lambda one: one.began)
    return [replace(one, number=number) for number, one in enumerate(done, 1)]


def _experiments(lived: Iterable[tuple[datetime, Entry]]) -> list[Mark]:
    """Pair each experiment's begin with its end; one begun anew is another mark, and so is a turning point."""
    told: list[Mark] = []
    for at, entry in lived:
        if entry.kind != "note" or entry.what != EXPERIMENT:
            continue
        phase, did = entry.details.get("phase"), str(entry.details.get("did", "")) or entry.key
        if phase == "begin":
            told.append(Mark(0, entry.key, did, at, None))
        elif phase in ("end", "broken off"):
            told = [replace(it, ended=at) if it.ended is None and it.name == entry.key else it for it in told]
        else:  # a turning point within it: a load taken off
            told.append(Mark(0, f"{entry.key}: {phase}", did, at, at))
    return told


def _inside(at: datetime, told: Sequence[Mark]) -> bool:
    """Say whether an experiment was going on: one that never ended went on until the next began."""
    return any(
        one.began <= at <= (one.ended or min((it.began for it in told if it.began > one.began), default=at))
        for one in told
    )


def _steps(lived: Iterable[tuple[datetime, Entry]]) -> Iterator[Mark]:
    """Read the steps' own lines, those of one kind within a minute as one."""
    pending: list[tuple[datetime, str, str]] = []
    for at, entry in lived:
        said = _said(entry)
        if said is None:
            continue
        if pending and (pending[0][1] != said[0] or at - pending[0][0] > ONE_MARK):
            yield _joined(pending)
            pending = []
        pending.append((at, *said))
    if pending:
        yield _joined(pending)


def _joined(lines: Sequence[tuple[datetime, str, str]]) -> Mark:
    began, name, _ = lines[0]
    did = [did for _, _, did in lines]
    return Mark(0, f"{len(lines)} × {name}" if len(lines) > 1 else name, ", ".join(dict.fromkeys(did)), began, None)


def _said(entry: Entry) -> tuple[str, str] | None:
    """Say in words (a short name, what was done) what a step's line tells, if it is one to mark."""
    if entry.kind == "made" and entry.what == "auto-scaling-group":
        return "group created", f"group {entry.key} created"
    if entry.kind == "removed" and entry.what == "instance" and entry.step != TEARDOWN:
        return "instance terminated", f"{entry.id} terminated"
    if entry.kind == "note" and entry.what in CHANGED and "changes" in entry.details:
        words = ", ".join(f"{_spaced(name)} {value}" for name, value in entry.details["changes"].items())
        return CHANGED[entry.what], words
    if entry.kind == "note" and entry.what == "security-group-rule":
        rule = " ".join(entry.key.split()[1:])
        did = "removed" if entry.details.get("revoked") else "added"
        return f"rule {did}", f"rule {rule} {did}"
    return None


def _spaced(name: str) -> str:
    """Write MinSize as "min size"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
