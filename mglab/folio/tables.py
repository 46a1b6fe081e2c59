"""Tables that fit the page: which form a table takes, how wide its columns are, how small its letters.

The page offers 453 points. A table is tried in this order, until it fits with letters of 7.5 points or more:
one row of many columns is turned into pairs of label and value; the natural widths; two or three rows turned
so that each is a column; the natural widths without the columns that say the same in every row (they are
said once, above); a column of whole sentences said below each row, over the whole width; columns narrowed so
that text wraps and long identifiers break, then with less room between them; a few rows of very many columns
turned; last, the columns in groups one below the other, the first column repeated. Widths are estimated from
the letters: a wrong guess wraps a cell, it never clips one. Also reads tables out of HTML (pandas), with the
standard library alone.
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
GUTTER_PT, TIGHT_PT = 11.0, 7.0
MOST_TURNED_ROWS = 3
MOST_TURNED_AT_NEED, MANY_COLUMNS = 6, 12
SENTENCES_EM = 48.0  # a cell as wide as this would be a line of the page by itself
MOST_WRAPPED_LINES = 2
MONO = ("id", "arn", "address")
LONGEST_WHOLE_WORD = 24  # the template breaks longer ones at every twelfth letter
WHOLE = re.compile(
    r"\W*(?:\d{1,3}(?:\.\d{1,3}){3}(?:/\d+)?|[a-z]{1,8}-…?[0-9a-f]{5,17}|\d{4}-\d\d-\d\dT[\d:.]+Z?|us-[a-z]+-\d[a-f]?)\W*"
)
"""What stays on one line though it holds dots or dashes: addresses, IDs, moments, zones; the template has the same."""
_PIECE_EM = 7.0
_UNIT = re.compile(r"\([^()]{1,12}\)|\S+")
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
    if below := _said_below(kept, kept_rows):
        return {**form, "common": common, "parts": [below]}
    parts = _fitted(kept, kept_rows)
    if len(parts) > 1 and len(kept) > MANY_COLUMNS and _can_be_turned(kept, kept_rows):
        return {**form, "common": common, "turned": _turned(kept, kept_rows)}
    return {**form, "common": common, "parts": parts}


def _said_below(columns: Sequence[Column], rows: Rows) -> dict[str, Any] | None:
    """Put whole sentences below their row, where what is left fits beside each other as it is."""
    long = [one.kind == "text" and max(width_em(row[i]) for row in rows) > SENTENCES_EM for i, one in
            enumerate(columns)]  # fmt: skip
    short = [i for i, is_long in enumerate(long) if not is_long]
    if not any(long) or len(short) < 2:
        return None
    some, cells = [columns[i] for i in short], [[row[i] for i in short] for row in rows]
    size = _natural_size(some, cells)
    if not size:
        return None
    below = [
        {"label": one.label, "kind": one.kind, "cells": [_words(one.kind, row[i]) for row in rows]}
        for i, (one, is_long) in enumerate(zip(columns, long, strict=True))
        if is_long
    ]
    return {**_part(some, cells, size, None), "below": below}


def _can_be_turned(columns: Sequence[Column], rows: Rows) -> bool:
    """Say whether a few rows fit beside each other as columns."""
    if len(rows) > MOST_TURNED_AT_NEED:
        return False
    lines = list(zip(*rows, strict=True))
    records = [[one.label for one in columns], *([line[n] for line in lines] for n in range(len(rows)))]
    least = [max(_word_em(cell, "text") for cell in record) for record in records]
    return _fits(least, SIZES_PT[1], GUTTER_PT)


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
    widest = _widest(columns, rows)
    return next((size for size in SIZES_PT if _fits(widest, size, GUTTER_PT)), None)


def _widest(columns: Sequence[Column], rows: Rows) -> list[float]:
    bodies = _bodies(columns, rows)
    return [max(width_em(one.label) * 1.06, body) for one, body in zip(columns, bodies, strict=True)]


def _bodies(columns: Sequence[Column], rows: Rows) -> list[float]:
    return [max((width_em(row[i], one.kind) for row in rows), default=0.0) for i, one in enumerate(columns)]


def _least(columns: Sequence[Column], rows: Rows) -> list[float]:
    """Give the widths below which a column would break its words badly."""
    return [
        max([_label_em(one.label), *(_word_em(row[i], one.kind) for row in rows), min(body, _PIECE_EM)])
        for i, (one, body) in enumerate(zip(columns, _bodies(columns, rows), strict=True))
    ]


def _label_em(label: str) -> float:
    """Measure the widest word of a heading; a short unit in brackets is one word."""
    return max((_word_em(word, "number") for word in _UNIT.findall(label)), default=0.5) * 1.06


def _word_em(text: str, kind: str) -> float:
    """Measure the widest piece that should stay whole: an ID, an address, a time, a word; an ARN may break."""
    if kind in ("id", "address", "time", "number") and len(text) <= LONGEST_WHOLE_WORD and "," not in text:
        return width_em(text, kind)
    words = [[word] if WHOLE.fullmatch(word) else _BREAKS.split(word) for word in text.split()]
    pieces = (piece for word in words for piece in word)
    return max((width_em(one, kind) if len(one) <= LONGEST_WHOLE_WORD else _PIECE_EM for one in pieces), default=0.5)


def _fitted(columns: Sequence[Column], rows: Rows) -> list[dict[str, Any]]:
    """Narrow the columns until they fit, in as few groups as it takes."""
    if size := _natural_size(columns, rows):
        return [_part(columns, rows, size, None)]
    least = _least(columns, rows)
    ways = [(size, gutter) for gutter in (GUTTER_PT, TIGHT_PT) for size in SIZES_PT[1:] if _fits(least, size, gutter)]
    if ways:
        narrowed = [_narrowed(columns, rows, size, gutter) for size, gutter in ways]
        good = (one for one in narrowed if _most_wrapped(one) <= MOST_WRAPPED_LINES)
        return [next(good, None) or min(narrowed, key=lambda one: _part_lines(one) * one["size"])]
    size = SIZES_PT[-1]
    parts = []
    for group in _groups(least, size):
        some = [columns[i] for i in group]
        cells = [[row[i] for i in group] for row in rows]
        natural = _natural_size(some, cells)
        parts.append(_part(some, cells, natural, None) if natural else _narrowed(some, cells, size, GUTTER_PT))
    smallest = min(part["size"] for part in parts)
    return [{**part, "size": smallest} for part in parts]


def _narrowed(columns: Sequence[Column], rows: Rows, size: float, gutter: float) -> dict[str, Any]:
    """Set columns so that they fit: a heading takes two lines if there is room for that, a cell as few as it can."""
    least = _least(columns, rows)
    headed = [max(need, 0.55 * width_em(one.label)) for one, need in zip(columns, least, strict=True)]
    widths = _shares(headed if _fits(headed, size, gutter) else least, _bodies(columns, rows), size, gutter)
    return {**_part(columns, rows, size, widths), "gutter": gutter}


def _most_wrapped(part: dict[str, Any]) -> int:
    return max((_row_lines(row, part) for row in part["rows"]), default=1)


def _fits(widths_em: Sequence[float], size: float, gutter: float) -> bool:
    return sum(widths_em) * size + gutter * len(widths_em) <= PAGE_PT


def _groups(least: Sequence[float], size: float) -> list[list[int]]:
    """Deal the columns into groups that fit, about as many to each, the first column leading each."""
    dealt = _dealt(least, size, len(least))
    even = _dealt(least, size, math.ceil((len(least) - 1) / len(dealt)))
    return even if len(even) == len(dealt) else dealt


def _dealt(least: Sequence[float], size: float, most: int) -> list[list[int]]:
    groups: list[list[int]] = [[0]]
    for i in range(1, len(least)):
        last = groups[-1]
        if len(last) > 1 and (len(last) > most or not _fits([least[j] for j in (*last, i)], size, GUTTER_PT)):
            groups.append([0])
        groups[-1].append(i)
    return groups


def _shares(least: Sequence[float], wishes: Sequence[float], size: float, gutter: float) -> list[float]:
    """Share the page's width: to each column what it needs, above that all the same part of what they would like.

    So every column's longest cell takes about as many lines as any other's, and a row is as low as it can be.
    """
    room = (PAGE_PT - gutter * len(least)) / size
    if sum(least) >= room:
        return [round(one * room / sum(least) * size + gutter, 1) for one in least]
    low, high = 0.0, 1.0
    for _ in range(40):
        part = (low + high) / 2
        low, high = (part, high) if sum(map(max, least, (part * one for one in wishes))) <= room else (low, part)
    return [round(max(need, low * wish) * size + gutter, 1) for need, wish in zip(least, wishes, strict=True)]


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
    return pairs + downs + sum(1 + _part_lines(part) for part in form["parts"])


def _part_lines(part: dict[str, Any]) -> int:
    rows = sum(_row_lines(row, part) for row in part["rows"])
    return rows + sum(_wrapped(cell["s"], 90) for line in part["below"] for cell in line["cells"])


def _row_lines(row: Sequence[dict[str, str]], part: dict[str, Any]) -> int:
    widths = part["widths"] or [PAGE_PT + part["gutter"]] * len(row)
    letters = [int((width - part["gutter"]) / part["size"] / 0.46) for width in widths]
    return max(_wrapped(cell["s"], most) for cell, most in zip(row, letters, strict=True))


def _wrapped(text: str, letters: int) -> int:
    return sum(1 + max(0, len(line) - 1) // max(letters, 1) for line in text.split("\n"))


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
        "gutter": GUTTER_PT,
        "widths": list(widths) if widths else None,
        "below": [],
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
