"""File trees that come and go whole: images, and the instances copied from them.

An image is ``DIR/images/<ami-id>``, an instance ``DIR/instances/<i-id>``: the root of a file system. A copy
is made beside its place under a name that starts with a dot and renamed when complete, so whoever lists the
folder sees whole trees only. Modes, times and links are kept; a link is never followed. Data is shared with
the source where the file system can (reflink), else copied inside the kernel.

What must not travel is the folder that a tree happens to lie in: a link that an instance made to its own
``/opt/x`` points into the new tree, and a text that names the old folder gets the instance path back.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mglab.errors import LabError

_FICLONE = 0x40049409
_CHUNK = 1 << 24
LARGEST_TEXT = 1 << 20
UNFINISHED, DISCARDED = ".unfinished-", ".discarded-"


class TreeTrouble(LabError):
    """A tree that could not be copied or deleted; nothing half-made is left in its place."""


@dataclass(frozen=True)
class _Move:
    """From which folder to which, and what to write in place of the first in texts."""

    source: Path
    target: Path
    clean: Callable[[bytes], bytes]


def trees(folder: Path) -> tuple[str, ...]:
    """Name the complete trees of a folder."""
    if not folder.is_dir():
        return ()
    whole = (entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    return tuple(sorted(whole))


def sweep(folder: Path) -> None:
    """Delete what an interrupted copy or deletion has left."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in os.scandir(folder):
        if entry.name.startswith((UNFINISHED, DISCARDED)):
            _remove(Path(entry.path))


def build(target: Path, fill: Callable[[Path], None]) -> None:
    """Make a tree by filling a temporary folder and renaming it; on failure nothing is left."""
    unfinished = target.with_name(UNFINISHED + target.name)
    try:
        _remove(unfinished)
        unfinished.mkdir(parents=True)
        fill(unfinished)
        os.rename(unfinished, target)
    except OSError as error:
        _remove(unfinished)
        raise _trouble(target, error) from error


def copy_tree(source: Path, target: Path, *, clean: Callable[[bytes], bytes] | None = None) -> None:
    """Copy a whole tree; ``clean`` rewrites texts (``without_host_paths``)."""
    move = _Move(source, target, clean or (lambda content: content))
    build(target, lambda unfinished: _copy_folder(source, unfinished, move))


def delete_tree(tree: Path) -> None:
    """Delete a tree; it vanishes at once and is taken apart afterwards."""
    discarded = tree.with_name(DISCARDED + tree.name)
    try:
        _remove(discarded)
        os.rename(tree, discarded)
        _remove(discarded)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TreeTrouble(f"{tree} could not be deleted: {error.strerror}", hint=f"delete it: rm -rf {tree}") from error


def without_host_paths(*places: tuple[Path, str]) -> Callable[[bytes], bytes]:
    """Make a cleaner that turns host folders in texts into what the instance calls them."""
    pairs = [(os.fsencode(folder), name.encode()) for folder, name in places]

    def clean(content: bytes) -> bytes:
        for folder, name in pairs:
            content = content.replace(folder + b"/", name + b"/").replace(folder, name or b"/")
        return content

    return clean


def _trouble(target: Path, error: OSError) -> TreeTrouble:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TreeTrouble(f"the disk is full: {target.name} could not be made", hint="free some space")
    return TreeTrouble(f"{target.name} could not be made: {error.strerror}: {error.filename}")


def _copy_folder(source: Path, target: Path, move: _Move) -> None:
    for entry in os.scandir(source):
        try:
            _copy_entry(entry, target / entry.name, move)
        except FileNotFoundError:
            # the instance may be running (NoReboot): what it has just deleted is not in the image
            if os.path.lexists(entry.path):
                raise
    shutil.copystat(source, target, follow_symlinks=False)


def _copy_entry(entry: os.DirEntry[str], target: Path, move: _Move) -> None:
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(_moved(os.readlink(entry.path), move))
    elif stat.S_ISDIR(mode):
        target.mkdir(mode=0o700)
        _copy_folder(Path(entry.path), target, move)
        return
    elif stat.S_ISREG(mode):
        _copy_file(Path(entry.path), target, move)
    elif stat.S_ISFIFO(mode):
        os.mkfifo(target)
    else:
        return  # a socket or device means nothing without the process behind it
    shutil.copystat(entry.path, target, follow_symlinks=False)


def _moved(link: str, move: _Move) -> str:
    source = str(move.source)
    return str(move.target) + link[len(source) :] if link == source or link.startswith(source + "/") else link


def _copy_file(source: Path, target: Path, move: _Move) -> None:
    with source.open("rb") as reading, target.open("xb") as writing:
        size = os.fstat(reading.fileno()).st_size
        if size <= LARGEST_TEXT:
            content = reading.read()
            writing.write(content if b"\0" in content else move.clean(content))
        elif not _shared(reading.fileno(), writing.fileno()):
            _copied(reading.fileno(), writing.fileno())


def _shared(reading: int, writing: int) -> bool:
    """Share the data (btrfs, XFS); say whether the file system could."""
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError:
        return False
    return True


def _copied(reading: int, writing: int) -> None:
    try:
        while os.copy_file_range(reading, writing, _CHUNK):
            continue
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            raise
        while chunk := os.read(reading, _CHUNK):
            os.write(writing, chunk)


def _remove(tree: Path) -> None:
    """Delete a folder and all in it, folders without permission included."""
    if not os.path.lexists(tree):
        return
    os.chmod(tree, 0o700)
    for folder, below, _ in os.walk(tree):
        for path in (os.path.join(folder, name) for name in below):
            if not os.path.islink(path) and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                os.chmod(path, 0o700)
    shutil.rmtree(tree)
