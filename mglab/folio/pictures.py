"""Pictures of the folio: found, recognised by their first bytes, kept under a name made of their content.

A picture may be inside the notebook (data, attachment) or a file of the run. Nothing outside of the run's
folder and the notebook's own is read, and nothing is fetched. What cannot be shown is named in a warning
and a placeholder stands in its place.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

TEXT_WIDE_CM = 16.0
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
)


def kind_of(data: bytes) -> str:
    """Tell the format of a picture by its first bytes; empty if it is none that can be set."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return "svg" if re.search(rb"<svg[\s>]", data[:4000]) else ""


def height_cm(data: bytes) -> float:
    """Tell how tall a PNG, or an SVG that states its size in points, is when it is as wide as the page's text."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        wide, high = float(int.from_bytes(data[16:20], "big")), float(int.from_bytes(data[20:24], "big"))
    else:
        wide, high = _stated(data, b"width"), _stated(data, b"height")
    return round(TEXT_WIDE_CM * high / wide, 1) if wide else 0.0


def _stated(svg: bytes, side: bytes) -> float:
    found = re.search(rb"<svg[^>]*\s%s=\"(\d{1,6}(?:\.\d{1,9})?)(?:pt|px)?\"" % side, svg[:4000])
    return float(found[1]) if found else 0.0


def keep(assets: dict[str, bytes], data: bytes) -> str | None:
    """Put a picture among the assets and give its name there, or None if it is no picture."""
    kind = kind_of(data)
    if not kind:
        return None
    name = f"assets/{hashlib.sha256(data).hexdigest()[:20]}.{kind}"
    assets[name] = data
    return name


def decoded(text: str) -> bytes:
    """Decode base64 as notebooks hold it; nothing if it is damaged."""
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def find(source: str, folders: Sequence[Path], attachments: Mapping[str, Mapping[str, str]]) -> bytes:
    """Get a picture's bytes from its address; nothing if it is not there or not ours to read."""
    if source.startswith("data:"):
        return _from_data_address(source)
    if source.startswith("attachment:"):
        return next((decoded(one) for one in attachments.get(unquote(source[11:]), {}).values()), b"")
    if re.match(r"[a-z][a-z0-9+.-]*:", source, re.IGNORECASE) or source.startswith("//"):
        return b""
    return next((data for folder in folders if (data := _from_file(source, folder, folders))), b"")


def _from_data_address(source: str) -> bytes:
    head, _, body = source.partition(",")
    return decoded(unquote(body)) if head.endswith(";base64") else unquote_to_bytes(body)


def _from_file(source: str, folder: Path, allowed: Sequence[Path]) -> bytes:
    try:
        path = (folder / unquote(source)).resolve()
        inside = any(path.is_relative_to(one.resolve()) for one in allowed)
        return path.read_bytes() if inside and path.is_file() else b""
    except (OSError, ValueError):
        return b""
