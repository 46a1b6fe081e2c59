"""The world on disk: ``DIR/world/``, the owner's alone, from which a cloud that ended comes back.

``snapshot`` holds the control plane, pickled, under one line that says who wrote it and what the clients hold of
this cloud (keys, port, addresses), so that they may go on. It is replaced whole (written beside, synced, renamed):
a kill at any moment leaves the old one or the new one. ``points`` is CloudWatch's store (``pointlog``).

A pickle runs what it says when it is read. So only files are read that this user alone could have written: plain
ones, the user's own, closed to everybody else, in a folder that is so too. And only those that this very version
wrote: another one's objects may have other fields. What cannot be read is put aside, never deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import platform
import shutil
import stat
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from mglab.errors import LabError

FOLDER, NAME, ASIDE = "world", "snapshot", "world.aside"
PROTOCOL = 5
_TELLING = ("*.py", "api/*.py", "rules/*.py")
"""The sources whose objects are in a snapshot; those of machines and wires are not."""


class Unreadable(LabError):
    """There is a snapshot, and this cloud cannot go on from it."""


class Unkeepable(LabError):
    """Something in the world cannot be written down."""


@dataclass(frozen=True)
class Identity:
    """What clients hold of a cloud: with the same again, they need not notice that it was away."""

    keys: list[list[str]]
    """Access key, secret and session token: those that are valid, then those of sessions that are over."""
    any_region: bool
    port: int
    slot: int
    resolver: str


@dataclass(frozen=True)
class Found:
    """A snapshot as it lies there: who it is, and the world, still packed."""

    identity: Identity
    packed: bytes
    written_at: float
    """Wall seconds since 1970."""


def folder(directory: Path) -> Path:
    """Name the folder that a cloud's world is kept in."""
    return directory / FOLDER


def pack(world: object) -> bytes:
    """Pickle a world; raises Unkeepable (``culprit`` then names the field at fault)."""
    try:
        return pickle.dumps(world, PROTOCOL)
    except Exception as error:
        raise Unkeepable(
            f"the world cannot be pickled: {error}",
            hint="state holds values: no lambdas, locks, sockets, generators; what is no state is declared passing()",
        ) from error


def unpack(packed: bytes) -> Any:
    """Give the world that was packed; raises Unreadable."""
    try:
        return pickle.loads(packed)
    except Exception as error:
        raise Unreadable(f"the world cannot be unpacked: {type(error).__name__}: {error}") from error


def write(directory: Path, identity: Identity, packed: bytes) -> None:
    """Put a snapshot in place of the last one, whole; raises OSError."""
    place = folder(directory)
    place.mkdir(mode=0o700, exist_ok=True)
    payload = zlib.compress(packed, 1)
    head = {
        "stamp": stamp(),
        "written_at": time.time(),
        "sha256": hashlib.sha256(payload).hexdigest(),
        "identity": asdict(identity),
    }
    content = json.dumps(head).encode("ascii") + b"\n" + payload
    replace(place / NAME, content)


def replace(path: Path, content: bytes) -> None:
    """Put a file in place of another, for its owner alone; raises OSError."""
    beside = path.with_name(f".{path.name}")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    beside.rename(path)


def read(directory: Path) -> Found | None:
    """Give the snapshot of a cloud, None when there is none; raises Unreadable."""
    content = read_own(folder(directory) / NAME)
    if content is None:
        return None
    line, _, payload = content.partition(b"\n")
    try:
        head = json.loads(line)
        identity, told = Identity(**head["identity"]), (head["stamp"], head["sha256"], float(head["written_at"]))
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"its first line is none of ours: {error}") from None
    if told[0] != stamp():
        raise Unreadable(f"another version of this program, of moto or of Python wrote it ({told[0]})")
    if hashlib.sha256(payload).hexdigest() != told[1]:
        raise Unreadable("its bytes are not those that were written")
    return Found(identity, zlib.decompress(payload), told[2])


def read_own(path: Path) -> bytes | None:
    """Read a file that nobody but this user could have written; None when it is not there; raises Unreadable."""
    try:
        _require_own(path.parent.stat(follow_symlinks=False), stat.S_IFDIR, path.parent)
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _require_own(os.fstat(file.fileno()), stat.S_IFREG, path)
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from None


def put_aside(directory: Path) -> Path:
    """Move a world out of the way, over one that was moved before; say where to."""
    aside = directory / ASIDE
    _delete(aside)
    folder(directory).rename(aside)
    return aside


def forget(directory: Path) -> None:
    """Delete what is kept of a cloud: it will not come back."""
    _delete(folder(directory))


@cache
def stamp() -> str:
    """Name the version that reads and writes snapshots: the sources behind their objects, moto, Python."""
    here = Path(__file__).parent
    told = sorted(path for pattern in _TELLING for path in here.glob(pattern))
    sources = hashlib.sha256()
    for source in (here.parent / "clock.py", *told):
        sources.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    python = ".".join(platform.python_version_tuple()[:2])
    return f"{sources.hexdigest()[:16]} moto-{metadata.version('moto')} python-{python}"


def culprit(world: object) -> str:
    """Name the first thing in a world that cannot be pickled by itself, by the way to it."""
    seen: set[int] = set()

    def worst(thing: object, path: str) -> str:
        seen.add(id(thing))
        for name, part in _parts(thing):
            if id(part) not in seen and not _keeps(part):
                return worst(part, f"{path}{name}")
        return f"{path} ({type(thing).__module__}.{type(thing).__qualname__})"

    return worst(world, type(world).__name__)


def _keeps(thing: object) -> bool:
    try:
        pickle.dumps(thing, PROTOCOL)
    except Exception:
        return False
    return True


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, dict):
        yield from ((f"[{key!r}]", value) for key, value in thing.items())
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield from ((f"[{number}]", value) for number, value in enumerate(thing))
    elif hasattr(thing, "__self__"):
        yield ".__self__", thing.__self__
    else:
        state = thing.__getstate__() if hasattr(thing, "__dict__") else None
        yield from ((f".{name}", value) for name, value in (state if isinstance(state, dict) else {}).items())


def _require_own(found: os.stat_result, kind: int, path: Path) -> None:
    if stat.S_IFMT(found.st_mode) != kind or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Unreadable(f"{path} is not this user's alone, and is not believed")


def _delete(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)
