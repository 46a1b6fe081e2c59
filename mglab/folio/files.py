"""Small files of a run, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from mglab.errors import OutputsUnwritable


def write(path: Path, data: bytes) -> Path:
    """Put ``data`` at ``path`` in one move, making its folder; a reader never sees half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputsUnwritable(
            f"could not write {path}: {error.strerror or error}",
            hint="free some space, or give a folder you may write to with MGLAB_OUTPUTS",
        ) from error
    return path


def slug(text: str) -> str:
    """Make a file name's part of any text; what would be lost is told apart by a short hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain and len(plain) <= 60 and text.isascii():
        return plain
    mark = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:6]
    return f"{plain[:50].strip('-')}-{mark}".strip("-")
