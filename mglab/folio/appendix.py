"""The folio's last chapter: every resource that the run made, the software it used, and the command that repeats it.

All of it is read from the run's own files: the ledger says what was made and when it was gone, the record which
settings and versions there were. What they do not say is left out, never guessed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mglab import display
from mglab.display import column
from mglab.folio.blocks import Block, Gathered, table
from mglab.folio.record import RunRecord
from mglab.ledger import Entry, entries_in

TITLE = "Appendix: resources, software, command"
USUAL_RATE = 60.0
ADDRESSES = ("private_address", "public_address", "dns_name", "cidr")


@dataclass(frozen=True)
class Resource:
    """Something the run made: what it is, and from when to when it was there."""

    step: str = field(metadata=column("Step"))
    what: str = field(metadata=column("What"))
    name: str = field(metadata=column("Name"))
    id: str = field(metadata=column("ID", "id"))
    addresses: str = field(metadata=column("Addresses"))
    made: str = field(metadata=column("Made"))
    removed: str = field(metadata=column("Removed"))


@dataclass(frozen=True)
class Version:
    """One piece of software."""

    software: str = field(metadata=column("Software"))
    version: str = field(metadata=column("Version"))


def chapter(record: RunRecord, gathered: Gathered) -> Block | None:
    """Make the appendix of a run; None when its files say nothing of either."""
    folder = gathered.run_folder
    made = resources([*entries_in(folder / "ledger.jsonl")] if folder else [])
    blocks = [*_made(made, gathered), *_software(record, gathered), *_command(record, gathered)]
    if not blocks:
        return None
    label = gathered.next_label("heading")
    return {"name": "", "id": label, "title": TITLE, "ran": "", "problem": "", "blocks": blocks}


def resources(entries: Sequence[Entry]) -> list[Resource]:
    """List what a ledger says was made, in order, each with the moment it was removed."""
    gone = {_key(one): one.at for one in entries if one.kind == "removed"}
    made = {_key(one): one for one in entries if one.kind == "made" and one.id}
    return [_resource(one, gone.get(key, "")) for key, one in made.items()]


def command(record: RunRecord) -> str:
    """Write the command line that carries out such a run again; empty when nothing is known of it."""
    if not record.backend:
        return ""
    words = ["python3", "-m", "mglab", "run", "--run", f"{record.run}-again", "--backend", record.backend]
    if record.rate and record.backend == "local" and record.rate != USUAL_RATE:
        words += ["--rate", f"{record.rate:g}"]
    if record.edition:
        words += ["--edition", record.edition]
    for name, value in record.knobs:
        words += ["--knob", f"{name}={value}"]
    for name, value in record.parameters:
        words += ["-p", f"{name}={value}"]
    return shlex.join(words)


def _made(made: Sequence[Resource], gathered: Gathered) -> Iterator[Block]:
    if made:
        yield _heading("What was made", gathered)
        yield _sentence(f"{len(made)} resources, from the run's ledger; month, day and time are the lab's, in UTC.")
        yield table(display.table(made))


def _software(record: RunRecord, gathered: Gathered) -> Iterator[Block]:
    if record.software:
        yield _heading("Software", gathered)
        yield table(display.table([Version(name, told) for name, told in record.software]))


def _command(record: RunRecord, gathered: Gathered) -> Iterator[Block]:
    if told := command(record):
        yield _heading("The command", gathered)
        yield _sentence("This carries out the same sequence again, in a run of its own:")
        yield {"t": "cell", "code": told, "out": []}


def _key(entry: Entry) -> tuple[str, str, str]:
    return entry.place, entry.what, entry.id


def _resource(entry: Entry, removed: str) -> Resource:
    told = entry.details.get("record")
    known = told if isinstance(told, Mapping) else {}
    return Resource(
        step=entry.step,
        what=entry.what.replace("-", " "),
        name=entry.key,
        id=entry.id,
        addresses=" ".join(known[name] for name in ADDRESSES if isinstance(known.get(name), str)),
        made=_minute(entry.at),
        removed=_minute(removed),
    )


def _minute(moment: str) -> str:
    """Write a moment in few letters: so many columns have no room for its year."""
    return moment[5:16].replace("T", " ")


def _heading(text: str, gathered: Gathered) -> Block:
    words = [{"t": "text", "text": text}]
    label = gathered.next_label("heading")
    return {"t": "heading", "level": 2, "id": label, "text": text, "c": words, "step": False}


def _sentence(text: str) -> Block:
    return {"t": "para", "c": [{"t": "text", "text": text}]}
