"""The run's ledger: every intent, every resource made and removed, every wait, one JSON line each.

The ledger is append-only; what is live follows from it. A step writes an ``intent`` before its call and
``made`` with the id after it, so a crash in between leaves an intent whose resource is found again by tag.
Each line goes out in one write to a file opened for appending, then to the disk: readers and other
processes see whole lines, and a line torn by a crash or a full disk is passed over when read and fenced off
by the next write. Nothing secret is written: values under telling names are withheld here, whoever asks.

A line: {"at": lab time, "wall": seconds, "kind": ..., "place": ..., "step", "what", "key", "id", ...}.
``place`` names the cloud (a local one by name, AWS by account and region): a run that was rehearsed here
and then done there shares one ledger and never mixes its ids.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mglab.clock import Clock
from mglab.errors import OutputsUnwritable

Kind = Literal["intent", "made", "removed", "wait", "note"]

WITHHELD = "(withheld)"
_TELLING_NAME = re.compile(r"secret|token|password|credential|private_?key|key_?material|user_?data", re.IGNORECASE)
_PRIVATE_KEY_TEXT = "PRIVATE KEY-----"


def local_place(cloud: str) -> str:
    """Name a local cloud as a ledger's place."""
    return f"local/{cloud}"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger, read back."""

    at: str
    kind: str
    place: str
    step: str
    what: str
    key: str
    id: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Ledger:
    """The file, the clock that dates its lines, and the place they speak of."""

    path: Path
    clock: Clock
    place: str

    def intent(self, step: str, what: str, key: str, **details: Any) -> None:
        """File that a resource is about to be made."""
        self._file("intent", step=step, what=what, key=key, **details)

    def made(self, step: str, what: str, key: str, id: str, **details: Any) -> None:
        """File a resource with its id and addresses."""
        self._file("made", step=step, what=what, key=key, id=id, **details)

    def removed(self, step: str, what: str, key: str, id: str, **details: Any) -> None:
        """File that a resource is gone."""
        self._file("removed", step=step, what=what, key=key, id=id, **details)

    def wait(self, what: str, **details: Any) -> None:
        """File a wait with its transitions."""
        self._file("wait", what=what, **details)

    def note(self, step: str, what: str, **details: Any) -> None:
        """File something that was done to a resource, or seen."""
        self._file("note", step=step, what=what, **details)

    def find(self, what: str, key: str) -> str | None:
        """Give the id of the last such resource that was made here and not removed."""
        ids = [entry.id for entry in self.live() if entry.what == what and entry.key == key]
        return ids[-1] if ids else None

    def live(self) -> list[Entry]:
        """Give what was made here and not removed, in order; each id once, as last filed."""
        standing: dict[tuple[str, str], Entry] = {}
        for entry in self.entries():
            if entry.kind in ("made", "removed"):
                standing.pop((entry.what, entry.id), None)
            if entry.kind == "made":
                standing[entry.what, entry.id] = entry
        return list(standing.values())

    def entries(self) -> list[Entry]:
        """Read every whole line that speaks of this place."""
        return [entry for entry in entries_in(self.path) if entry.place == self.place]

    def _file(self, kind: Kind, **details: Any) -> None:
        line = {
            "at": self.clock.now().isoformat(timespec="milliseconds"),
            "wall": round(self.clock.wall_time(), 3),
            "kind": kind,
            "place": self.place,
            **without_secrets(details),
        }
        _append(self.path, json.dumps(line, ensure_ascii=False, default=str).encode("utf-8") + b"\n")


@dataclass(frozen=True)
class Patient(Ledger):
    """The same ledger for what must go on when nothing can be filed, as a teardown must on a full disk."""

    lost: list[OutputsUnwritable] = field(default_factory=list)
    """Why lines are missing, one error a line."""

    def _file(self, kind: Kind, **details: Any) -> None:
        try:
            super()._file(kind, **details)
        except OutputsUnwritable as error:
            self.lost.append(error)


def entries_in(path: Path) -> Iterator[Entry]:
    """Read every whole line of a ledger, whatever place it speaks of; one that is torn is passed over."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        entry = _entry(line)
        if entry is not None:
            yield entry


def _entry(line: bytes) -> Entry | None:
    """Read one line; a torn or foreign one is None."""
    try:
        known = json.loads(line)
    except ValueError:
        return None
    if not isinstance(known, dict):
        return None
    told = {name: str(known.pop(name, "")) for name in ("at", "kind", "place", "step", "what", "key", "id")}
    return Entry(**told, details=known)


def without_secrets(value: Any, name: str = "") -> Any:
    """Withhold every value under a telling name, and private keys under any."""
    if isinstance(value, dict):
        return {inner: without_secrets(item, str(inner)) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(item, name) for item in value]
    if _TELLING_NAME.search(name) or (isinstance(value, str) and _PRIVATE_KEY_TEXT in value):
        return WITHHELD
    return value


def _append(path: Path, line: bytes) -> None:
    """Put one whole line at the end of the file, and on the disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            whole = b"\n" + line if _torn(descriptor) else line
            if os.write(descriptor, whole) != len(whole):
                raise OSError("the disk is full")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputsUnwritable(
            f"cannot write {path}: {error.strerror or error}",
            hint="free space or make the folder writable, or name another: MGLAB_OUTPUTS=FOLDER",
        ) from None


def _torn(descriptor: int) -> bool:
    """Say whether the file ends inside a line, as after a crash or a full disk."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
