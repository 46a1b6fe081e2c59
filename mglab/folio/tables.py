"""Tables that fit the page: which form a table takes, how wide its columns are, how small its letters.

The page offers 453 points. A table is tried in this order, until it fits with letters of 7.5 points or more:
one row of many columns is turned into pairs of label and value; the natural widths; two or three rows turned
so that each is a column; the natural widths without the columns that say the same in every row (they are
said once, above); columns narrowed so that text wraps and long identifiers break; last, the columns in
groups one below the other, the first column repeated. Widths are estimated from the letters: a wrong guess
wraps a cell, it never clips one. Also reads tables out of HTML (pandas), with the standard library alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from mglab import display
from mglab.display import Column

PAGE_PT = 453.0
SIZES_PT = (9.0, 8.5, 8.0, 7.5)
GUTTER_PT = 11.0
MOST_TURNED_ROWS = 3
MONO = ("id", "arn", "address")
LONGEST_WHOLE_WORD = 24  # the template breaks longer ones at every twelfth letter
_PIECE_EM = 7.0
_NARROW = frozenset("iljtfI.,:;'|!()[]/- ")
_BREAKS = re.compile(r"(?<=[/:._\-=,])")

Rows = Sequence[Sequence[str]]


@dataclass
class _Cells:
    """What a table's HTML has said so far."""

    head: list[list[str]] = field(default_factory=list)
    body: list[list[str]] = field(default_factory=list)
    caption: str = ""


def arrange(columns: Sequence[Column], rows: Rows) -> dict[str, Any]:
    """Decide the form of a table: its pairs, what is common to all rows, its parts, and about how many lines."""
    form = _form(columns, rows)
    return {**form, "lines": _lines(form)}


def _form(columns: Sequence[Column], rows: Rows) -> dict[str, Any]:
    form: dict[str, Any] = {"pairs": [], "turned": None, "common": [], "parts": []}
    if not columns:
        return form
    size = _natural_size(columns, rows)
    if len(rows) == 1 and (len(columns) > 4 or not size):
        return {**form, "pairs": _pairs(columns, rows[0])}
    if size:
        return {**form, "parts": [_part(columns, rows, size, None)]}
    if len(rows) <= MOST_TURNED_ROWS:
        return {**form, "turned": _turned(columns, rows)}
    common, kept, kept_rows = _hoisted(columns, rows)
    return {**form, "common": common, "parts": _fitted(kept, kept_rows)}


def html_tables(markup: str) -> list[display.Table]:
    """Read every table of an HTML output; numbers are told by their looks."""
    reader = _HtmlTables()
    reader.feed(markup)
    return [_from_cells(found) for found in reader.found if found.head or found.body]


def width_em(text: str, kind: str = "text") -> float:
    """Estimate how wide a text is, in units of its size."""
    longest = max(text.split("\n"), key=len)
    if kind in MONO:
        return 0.52 * len(longest)
    wide = sum(0.27 if c in _NARROW else 0.68 if c.isupper() else 0.49 if ord(c) < 0x2E80 else 1.0 for c in longest)
    return wide + (1.3 if kind == "status" else 0.0)


def _natural_size(columns: Sequence[Column], rows: Rows) -> float | None:
    """Give the largest letters at which nothing has to wrap, or None."""
    total = sum(_widest(columns, rows))
    return next((size for size in SIZES_PT if total * size + GUTTER_PT * len(columns) <= PAGE_PT), None)


def _widest(columns: Sequence[Column], rows: Rows) -> list[float]:
    return [
        max([width_em(one.label) * 1.06, *(width_em(row[i], one.kind) for row in rows)])
        for i, one in enumerate(columns)
    ]


def _least(columns: Sequence[Column], rows: Rows) -> list[float]:
    """Give the widths below which a column would break its words badly."""
    return [
        max([_word_em(one.label, "text") * 1.06, *(_word_em(row[i], one.kind) for row in rows), min(wide, _PIECE_EM)])
        for i, (one, wide) in enumerate(zip(columns, _widest(columns, rows), strict=True))
    ]


def _word_em(text: str, kind: str) -> float:
    """Measure the widest piece that should stay whole: an ID, an address, a time, a word; an ARN may break."""
    if kind in ("id", "address", "time", "number") and len(text) <= LONGEST_WHOLE_WORD and "," not in text:
        return width_em(text, kind)
    pieces = (piece for word in text.split() for piece in _BREAKS.split(word))
    return max((width_em(one, kind) if len(one) <= LONGEST_WHOLE_WORD else _PIECE_EM for one in pieces), default=0.5)


def _fitted(columns: Sequence[Column], rows: Rows) -> list[dict[str, Any]]:
    """Narrow the columns until they fit, in as few groups as it takes."""
    if size := _natural_size(columns, rows):
        return [_part(columns, rows, size, None)]
    widest, least = _widest(columns, rows), _least(columns, rows)
    size = next((one for one in SIZES_PT[1:] if _fits(least, one)), SIZES_PT[-1])
    groups = [list(range(len(columns)))] if _fits(least, size) else _groups(least, size)
    parts = []
    for group in groups:
        some = [columns[i] for i in group]
        cells = [[row[i] for i in group] for row in rows]
        if natural := _natural_size(some, cells):
            parts.append(_part(some, cells, natural, None))
        else:
            widths = _shares([least[i] for i in group], [widest[i] for i in group], size)
            parts.append(_part(some, cells, size, widths))
    smallest = min(part["size"] for part in parts)
    return [{**part, "size": smallest} for part in parts]


def _fits(widths_em: Sequence[float], size: float) -> bool:
    return sum(widths_em) * size + GUTTER_PT * len(widths_em) <= PAGE_PT


def _groups(least: Sequence[float], size: float) -> list[list[int]]:
    """Deal the columns into groups that fit, the first column leading each."""
    groups: list[list[int]] = [[0]]
    for i in range(1, len(least)):
        if len(groups[-1]) > 1 and not _fits([least[j] for j in (*groups[-1], i)], size):
            groups.append([0])
        groups[-1].append(i)
    return groups


def _shares(least: Sequence[float], widest: Sequence[float], size: float) -> list[float]:
    """Share the page's width: what each column needs, then the rest by what each would like."""
    room = PAGE_PT - GUTTER_PT * len(least)
    needed = [one * size for one in least]
    if sum(needed) >= room:
        return [round(one * room / sum(needed) + GUTTER_PT, 1) for one in needed]
    wishes = [max(0.0, wide * size - need) for wide, need in zip(widest, needed, strict=True)]
    weights = [math.sqrt(wish) for wish in wishes]
    shares = [0.0] * len(least)
    for _ in least:  # what one column does not want goes to the others
        spare = room - sum(needed) - sum(shares)
        open_weight = sum(w for w, share, wish in zip(weights, shares, wishes, strict=True) if share < wish)
        if spare < 0.5 or not open_weight:
            break
        shares = [
            min(wish, share + spare * weight / open_weight) if share < wish else share
            for share, wish, weight in zip(shares, wishes, weights, strict=True)
        ]
    return [round(need + share + GUTTER_PT, 1) for need, share in zip(needed, shares, strict=True)]


def _hoisted(columns: Sequence[Column], rows: Rows) -> tuple[list[dict[str, Any]], list[Column], Rows]:
    """Take out the columns that say the same in every one of several rows; the first column stays."""
    same = [len(rows) > 1 and i > 0 and len({row[i] for row in rows}) == 1 for i in range(len(columns))]
    common = [_cell(one, rows[0][i]) for i, one in enumerate(columns) if same[i]]
    kept = [one for i, one in enumerate(columns) if not same[i]]
    return common, kept, [[cell for i, cell in enumerate(row) if not same[i]] for row in rows]


def _pairs(columns: Sequence[Column], row: Sequence[str]) -> list[dict[str, Any]]:
    return [_cell(one, cell) for one, cell in zip(columns, row, strict=True)]


def _turned(columns: Sequence[Column], rows: Rows) -> dict[str, Any]:
    """Let each column become a line, headed by what names the rows."""
    lines = [
        {"label": one.label, "kind": one.kind, "cells": [_words(one.kind, row[i]) for row in rows]}
        for i, one in enumerate(columns)
    ]
    return {"head": lines[0], "lines": lines[1:]}


def _lines(form: dict[str, Any]) -> int:
    """Guess how many lines a table takes, to know whether it may stay on one page."""
    pairs = sum(_wrapped(cell["s"], 80) for cell in form["pairs"])
    turned = form["turned"]
    across = 90 // len(turned["head"]["cells"]) if turned else 1
    downs = sum(max(_wrapped(cell["s"], across) for cell in line["cells"]) for line in turned["lines"]) if turned else 0
    return pairs + downs + sum(1 + sum(_row_lines(row, part) for row in part["rows"]) for part in form["parts"])


def _row_lines(row: Sequence[dict[str, str]], part: dict[str, Any]) -> int:
    widths = part["widths"] or [PAGE_PT] * len(row)
    return max(_wrapped(cell["s"], int(width / part["size"] / 0.5)) for cell, width in zip(row, widths, strict=True))


def _wrapped(text: str, letters: int) -> int:
    return sum(1 + len(line) // max(letters, 1) for line in text.split("\n"))


def _cell(one: Column, cell: str) -> dict[str, Any]:
    return {"label": one.label, "kind": one.kind, **_words(one.kind, cell)}


def _words(kind: str, cell: str) -> dict[str, str]:
    if kind != "status" or cell == display.NOTHING:
        return {"s": cell}
    state = display.status(cell)
    return {"s": cell, "glyph": state.glyph, "ink": state.colour}


def _part(columns: Sequence[Column], rows: Rows, size: float, widths: Sequence[float] | None) -> dict[str, Any]:
    return {
        "size": size,
        "widths": list(widths) if widths else None,
        "head": [{"label": one.label, "kind": one.kind} for one in columns],
        "rows": [[_words(one.kind, cell) for one, cell in zip(columns, row, strict=True)] for row in rows],
    }


class _HtmlTables(HTMLParser):
    """Collects the cells of each table; what stands outside of cells is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Cells] = []
        self._row: list[str] = []
        self._cell: list[str] | None = None
        self._span = 1
        self._in_head = False
        self._in_caption = False
        self._skip = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script"):
            self._skip += 1
        elif tag == "table":
            self.found.append(_Cells())
        elif tag == "thead":
            self._in_head = True
        elif tag == "caption":
            self._in_caption = True
        elif tag == "tr":
            self._row = []
        elif tag in ("td", "th"):
            span = dict(attrs).get("colspan") or "1"
            self._cell, self._span = [], int(span) if span.isdigit() else 1
        elif tag == "br" and self._cell is not None:
            self._cell.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._skip = max(0, self._skip - 1)
        elif tag == "thead":
            self._in_head = False
        elif tag == "caption":
            self._in_caption = False
        elif tag in ("td", "th") and self._cell is not None:
            text = "".join(self._cell).replace("\xa0", " ").strip()
            self._row += [text] + [""] * (min(self._span, 50) - 1)
            self._cell = None
        elif tag == "tr" and self.found and self._row:
            (self.found[-1].head if self._in_head else self.found[-1].body).append(self._row)
            self._row = []

    def handle_data(self, data: str) -> None:
        if self._skip:
            return
        if self._cell is not None:
            self._cell.append(data)
        elif self._in_caption and self.found:
            self.found[-1].caption += data


def _from_cells(found: _Cells) -> display.Table:
    rows = found.body if found.head else found.body[1:]
    heads = found.head or found.body[:1]
    width = max(len(row) for row in (*heads, *rows))
    padded = [(*row, *[""] * (width - len(row))) for row in rows]
    labels = [" ".join(filter(None, (row[i] if i < len(row) else "" for row in heads))) for i in range(width)]
    columns = tuple(Column(str(i), name, _looks([row[i] for row in padded])) for i, name in enumerate(labels))
    return display.Table(columns, tuple(tuple(row) for row in padded), found.caption.strip())


def _looks(cells: Sequence[str]) -> str:
    filled = [cell for cell in cells if cell not in ("", "NaN", "NaT", "None", display.NOTHING)]
    if filled and all(re.fullmatch(r"[-+]?[\d,]*\.?\d+(?:[eE][-+]?\d+)?\s?%?", cell) for cell in filled):
        return "number"
    return "arn" if filled and all(cell.startswith("arn:") for cell in filled) else "text"
