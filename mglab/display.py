"""How records look: one table for the notebook, for plain text and for the folio.

A step returns small frozen records; this module turns them into columns and cells, once, so that a VPC
or a target looks the same wherever it is shown. A field says its own heading and kind:

    subnet_id: str = field(metadata=column("Subnet ID", "id"))

Kinds: text, id, arn, address, time, number, status. Every cell becomes a string here and nowhere later:
times are ISO 8601 in UTC with seconds, nothing is an em dash. A status has a glyph beside its colour
(Okabe and Ito's palette, readable with any colour vision): colour never speaks alone. Leaves out: any
output; who holds a table decides where it goes.
"""

from __future__ import annotations

import dataclasses
import html
import ipaddress
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

KINDS = ("text", "id", "arn", "address", "time", "number", "status")
NOTHING = "—"
TABLE_MIME = "application/vnd.mglab.table+json"

# Okabe & Ito, "Color Universal Design" (2008).
PALETTE = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#6B6B6B",
}


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_ACRONYMS = {
    word.lower(): word
    for word in _words(
        "ID IDs ARN ARNs VPC VPCs IP IPv4 IPv6 DNS TCP AMI CIDR CPU EC2 NLB ASG API URL AZ AWS ENI SSH TTL MTU PDF"
    )
}
_GOOD = _words(
    "healthy running available active inservice ok passed pass successful succeeded completed complete "
    "attached associated enabled true yes done reachable made found opened indns"
)
_BAD = _words(
    "unhealthy failed fail error impaired timeout timedout refused unreachable alarm insufficient missing false "
    "cancelled stale denied blackhole"
)
_WAITING = _words(
    "initial pending provisioning draining stopping shuttingdown terminating initializing updating creating deleting "
    "warming inprogress waiting waitingforinstancewarmup"
)
_ENDED = _words("unused terminated stopped deleted removed detached disabled no none gone skipped")
_IDENTIFIER = re.compile(r"^(?:[a-z]{1,9}-){1,2}[0-9a-f]{8,17}$")


@dataclass(frozen=True)
class Column:
    """One heading, and how the cells beneath it are to be read."""

    key: str
    label: str
    kind: str = "text"


@dataclass(frozen=True)
class Status:
    """A state with a glyph and a colour that say the same thing."""

    word: str
    glyph: str
    colour: str
    mood: str


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of strings under labelled columns; renders itself as HTML, Markdown and plain text."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """Lay the table out for a terminal."""
        return _as_text(self)

    def to_json(self) -> dict[str, Any]:
        """Give the columns and the rows as plain values, for a file or the folio."""
        return {
            "title": self.title,
            "columns": [dataclasses.asdict(one) for one in self.columns],
            "rows": [list(row) for row in self.rows],
        }

    def _repr_html_(self) -> str:
        return _as_html(self)

    def _repr_markdown_(self) -> str:
        return _as_markdown(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {TABLE_MIME: self.to_json()}


def column(label: str, kind: str = "text") -> dict[str, str]:
    """Give the metadata that names a record's field: ``field(metadata=column("VPC ID", "id"))``."""
    if kind not in KINDS:
        raise ValueError(f"no kind of column is called {kind!r}; the kinds are {', '.join(KINDS)}")
    return {"label": label, "kind": kind}


def label(key: str) -> str:
    """Turn a name from code into a heading: ``vpc_id`` into "VPC ID", ``HealthCheckPort`` into "Health check port"."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\s]+", " ", key).strip()
    words = [_ACRONYMS.get(word.lower(), word.lower()) for word in spaced.split()]
    if len(words) > 1 and words[-1] in ("s", "ms", "pt"):
        words[-1] = f"({words[-1]})"
    joined = " ".join(words)
    return joined[:1].upper() + joined[1:]


def table(rows: Any, title: str = "") -> Table:
    """Make a table of records: dataclasses, mappings, one of them alone, or a pandas frame."""
    records = as_records(rows)
    columns = columns_of(records)
    cells = tuple(tuple(text_of(_value(record, one.key)) for one in columns) for record in records)
    return Table(columns=columns, rows=cells, title=title)


def as_records(rows: Any) -> list[Any]:
    """Take whatever a step returned and give a list of its records."""
    if rows is None:
        return []
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        return list(rows.to_dict("records"))
    if isinstance(rows, Table):
        return [dict(zip((one.key for one in rows.columns), row, strict=True)) for row in rows.rows]
    if _is_record(rows):
        return [rows]
    records = list(rows)
    for record in records:
        if not _is_record(record):
            raise TypeError(f"a table is made of records or mappings, not of {type(record).__name__}")
    return records


def columns_of(records: Iterable[Any]) -> tuple[Column, ...]:
    """Collect the columns of all the records, in the order in which they are first seen."""
    found: dict[str, Column] = {}
    for record in records:
        for one in _columns_of_record(record):
            found.setdefault(one.key, one)
            if found[one.key].kind == "text" and one.kind != "text" and not dataclasses.is_dataclass(record):
                found[one.key] = one
    return tuple(found.values())


def text_of(value: Any) -> str:
    """Write one value as the text of a cell."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return NOTHING if value != value else iso(value)
    if isinstance(value, timedelta):
        return f"{text_of(value.total_seconds())} s"
    if isinstance(value, Enum):
        return text_of(value.value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {text_of(one)}" for key, one in value.items()) or NOTHING
    if isinstance(value, (list, tuple, set, frozenset)):
        ordered = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return ", ".join(text_of(one) for one in ordered) or NOTHING
    return str(value)


def iso(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC, to the second; a naive one is taken to be UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def status(word: str) -> Status:
    """Give a state its glyph and colour; a state nobody knows stays neutral."""
    known = re.sub(r"[\s_-]+", "", word.lower())
    for words, glyph, colour, mood in (
        (_GOOD, "✓", PALETTE["green"], "good"),
        (_BAD, "✗", PALETTE["vermillion"], "bad"),
        (_WAITING, "◐", PALETTE["orange"], "waiting"),
        (_ENDED, "○", PALETTE["grey"], "ended"),
    ):
        if known in words:
            return Status(word, glyph, colour, mood)
    return Status(word, "•", PALETTE["grey"], "neutral")


def mask_account(account: str) -> str:
    """Hide the middle of an account number: 998393112629 becomes 9983****2629."""
    return f"{account[:4]}****{account[-4:]}" if len(account) >= 10 else account


def _is_record(value: Any) -> bool:
    return isinstance(value, Mapping) or (dataclasses.is_dataclass(value) and not isinstance(value, (type, Table)))


def _columns_of_record(record: Any) -> list[Column]:
    if isinstance(record, Mapping):
        return [Column(str(key), label(str(key)), _guess(str(key), value)) for key, value in record.items()]
    return [
        Column(
            one.name,
            one.metadata.get("label", label(one.name)),
            one.metadata.get("kind") or _guess(one.name, getattr(record, one.name)),
        )
        for one in dataclasses.fields(record)
        if one.repr
    ]


def _value(record: Any, key: str) -> Any:
    if isinstance(record, Mapping):
        return next((value for name, value in record.items() if str(name) == key), None)
    return getattr(record, key, None)


def _guess(key: str, value: Any) -> str:
    """Tell the kind of a column that nobody described, from its name and one value."""
    if isinstance(value, datetime):
        return "time"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    if isinstance(value, (list, tuple)) and value:
        return _guess("", value[0]) if isinstance(value[0], str) else "text"
    if not isinstance(value, str):
        return "text"
    if value.startswith("arn:"):
        return "arn"
    if _IDENTIFIER.match(value):
        return "id"
    if _is_address(value):
        return "address"
    return "status" if re.search(r"(?:^|_|\b)(?:state|status|health)$", key, re.IGNORECASE) else "text"


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return "." in value or ":" in value


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) >= 0.001 or value == 0 else f"{value:.2e}"


def _as_text(shown: Table) -> str:
    heads = [one.label for one in shown.columns]
    lines = [[cell.replace("\n", " ") for cell in row] for row in shown.rows]
    widths = [max([len(head), *(len(row[i]) for row in lines)]) for i, head in enumerate(heads)]
    right = [one.kind == "number" for one in shown.columns]

    def line(cells: Sequence[str]) -> str:
        parts = (
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(cells, widths, right, strict=True)
        )
        return "  ".join(parts).rstrip()

    body = [line(row) for row in lines] or ["(no rows)"]
    head = [line(heads), "  ".join("-" * width for width in widths)] if heads else []
    return "\n".join(([shown.title] if shown.title else []) + head + body)


def _as_html(shown: Table) -> str:
    caption = f"<caption>{html.escape(shown.title)}</caption>" if shown.title else ""
    heads = "".join(
        f'<th scope="col" style="text-align:{_flush(one)}">{html.escape(one.label)}</th>' for one in shown.columns
    )
    body = "".join(
        "<tr>" + "".join(_cell_html(one, cell) for one, cell in zip(shown.columns, row, strict=True)) + "</tr>"
        for row in shown.rows
    )
    if not shown.rows:
        body = f'<tr><td colspan="{max(1, len(shown.columns))}"><em>no rows</em></td></tr>'
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _cell_html(one: Column, cell: str) -> str:
    text = html.escape(cell).replace("\n", "<br>")
    if one.kind == "status" and cell != NOTHING:
        state = status(cell)
        text = f'<span style="color:{state.colour}" aria-hidden="true">{state.glyph}</span> {text}'
    elif one.kind in ("id", "arn", "address"):
        text = f"<code>{text}</code>"
    return f'<td style="text-align:{_flush(one)}">{text}</td>'


def _flush(one: Column) -> str:
    return "right" if one.kind == "number" else "left"


def _as_markdown(shown: Table) -> str:
    rule = "|".join("---:" if one.kind == "number" else "---" for one in shown.columns)
    heads = "|".join(_plain_markdown(one.label) for one in shown.columns)
    body = [f"|{'|'.join(_plain_markdown(cell) for cell in row)}|" for row in shown.rows]
    title = [f"**{_plain_markdown(shown.title)}**", ""] if shown.title else []
    return "\n".join([*title, f"|{heads}|", f"|{rule}|", *body])


def _plain_markdown(text: str) -> str:
    """Write text so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~&])", r"\\\1", text).replace("\n", " ")
