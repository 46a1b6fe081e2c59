"""What a terminal would show: colours become spans, carriage returns overwrite, control characters go."""

from __future__ import annotations

import re
from typing import Any

_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]")
# Dark enough to read on white paper; order as in the terminal's own numbering.
_INKS = ("#1f2328", "#b3261e", "#1b6e3c", "#8a6100", "#1f4e9c", "#7a2a8a", "#0b6b75", "#57606a")


def clean(text: str) -> str:
    """Drop what no printer can set: control characters other than tab and newline, and lone surrogates."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def spans(text: str) -> list[dict[str, Any]]:
    """Part a terminal's output into runs of one colour and weight."""
    parts: list[dict[str, Any]] = []
    style: dict[str, Any] = {}
    position = 0
    settled = _overwritten(text)
    for match in _SEQUENCE.finditer(settled):
        _add(parts, settled[position : match.start()], style)
        if match[1] is not None:
            style = _restyled(style, match[1])
        position = match.end()
    _add(parts, settled[position:], style)
    return parts


def plain(text: str) -> str:
    """Give the text alone, without colours."""
    return "".join(span["text"] for span in spans(text))


def _add(parts: list[dict[str, Any]], text: str, style: dict[str, Any]) -> None:
    shown = clean(text).expandtabs(8)
    if shown:
        parts.append({"text": shown, **style})


def _overwritten(text: str) -> str:
    """Keep of each line what its last carriage return left (a progress bar's final state)."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def _restyled(style: dict[str, Any], codes: str) -> dict[str, Any]:
    for code in (int(part or 0) for part in (codes or "0").split(";")):
        if code == 0:
            style = {}
        elif code == 1:
            style = {**style, "bold": True}
        elif code == 22:
            style = {key: value for key, value in style.items() if key != "bold"}
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style = {**style, "ink": _INKS[code % 10]}
        elif code == 39:
            style = {key: value for key, value in style.items() if key != "ink"}
    return style
