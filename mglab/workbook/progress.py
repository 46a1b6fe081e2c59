"""One status line for a run: which notebook, which cell, how long, how long still.

On a terminal the line is redrawn; in a log each notebook gets one line when it ends. What is still to come is
estimated from what the same notebooks took in earlier runs, and only said when every one of them is known.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

MARKS = {"passed": "✓", "failed": "✗", "interrupted": "■"}
PLAIN_MARKS = {"✓": "ok", "✗": "FAILED", "■": "stopped", "…": "..."}


class StatusLine:
    """The line while a run goes on; the only thing of it that prints between start and end."""

    def __init__(self, names: Sequence[str], past: Mapping[str, float], stream: TextIO | None = None) -> None:
        self._names = list(names)
        self._past = past
        self._stream = stream or sys.stderr
        self._redraws = self._stream.isatty()
        self._is_read = True
        self._name, self._cell, self._cells, self._began = "", 0, 0, 0.0

    def begin(self, name: str, cells: int) -> None:
        """Start a notebook."""
        self._name, self._cell, self._cells, self._began = name, 0, cells, time.monotonic()
        self.tick()

    def at_cell(self, number: int) -> None:
        """Note the cell that runs now."""
        self._cell = number

    def tick(self) -> None:
        """Redraw the line, on a terminal."""
        if self._redraws and self._name:
            self._draw(self._text("…"), end="")

    def end(self, status: str) -> float:
        """Close the notebook's line; give its wall seconds."""
        seconds = time.monotonic() - self._began
        self._draw(self._text(MARKS.get(status, "■"), done=True), end="\n")
        self._name = ""
        return seconds

    def say(self, text: str) -> None:
        """Print a line of its own."""
        self._draw(text, end="\n", cut=False)

    def working(self, text: str) -> None:
        """Show, on a terminal, what goes on outside the notebooks."""
        if self._redraws:
            self._draw(f"  … {text}", end="")

    def _text(self, mark: str, *, done: bool = False) -> str:
        place = self._names.index(self._name) + 1
        took = time.monotonic() - self._began
        left = "" if done else self._left(place, took)
        return (
            f"[{place:2}/{len(self._names)}] {mark} {self._name:<24} "
            f"cell {self._cell:2}/{self._cells:<2} {short(took):>6}{left}"
        )

    def _left(self, place: int, took: float) -> str:
        known = [self._past.get(name) for name in self._names[place - 1 :]]
        times = [seconds for seconds in known if seconds is not None]
        if len(times) < len(known):
            return ""
        return f"  about {short(max(sum(times) - took, 0))} to go"

    def _draw(self, text: str, *, end: str, cut: bool = True) -> None:
        if not self._is_read:
            return
        if self._redraws:
            width = shutil.get_terminal_size().columns - 1
            text = f"\r\x1b[2K{text[:width] if cut else text}"
        try:
            self._print(text, end)
        except OSError:  # who read this has gone (a closed terminal, a pipe's other end): the run goes on
            self._is_read = False

    def _print(self, text: str, end: str) -> None:
        try:
            print(text, end=end, file=self._stream, flush=True)
        except UnicodeEncodeError:
            plain = "".join(PLAIN_MARKS.get(letter, letter) for letter in text)
            print(plain.encode("ascii", "replace").decode(), end=end, file=self._stream, flush=True)


def short(seconds: float) -> str:
    """Write a stretch of time as 12 s, 3:05 or 1:02:03."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
