"""From a notebook's cells to the folio's blocks.

A block is a plain value (a dict with its kind under ``t``) that the template knows how to set: heading,
para, list, code, cell, stream, error, figure, table, evidence, transcript, commentary, answer, beside, note. Prose
goes through Markdown; a code cell keeps its outputs with it; parameters, papermill's banners and hidden code
are left out; widgets have no static form, which is said. While cells are read, ``Gathered`` collects what
the front pages need: pictures, places that can be linked to, captures by step, and what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mglab import display
from mglab.folio import ansi, handout, markdown, pictures, source, tables
from mglab.folio.answer import ANSWER_MIME, BESIDE_MIME
from mglab.folio.commentary import COMMENTARY_MIME
from mglab.folio.evidence import EVIDENCE_MIME, FIGURE_MIME, TRANSCRIPT_MIME

Block = dict[str, Any]

SKIPPED_TAGS = frozenset({"parameters", "injected-parameters", "papermill-error-cell-tag", "remove-cell"})
HIDDEN_CODE_TAGS = frozenset({"hide-input", "remove-input"})
NOTHING: Block = {"t": ""}
LONGEST_OUTPUT_LINES = 120
LONGEST_LEAD = 400
"""Letters of a paragraph that is kept on one page with what it speaks of."""
SHOWN_BEFORE, TALL_CM = 2, 10.0
"""How many cells of a notebook have shown something, and how tall a figure is, before it may change its place."""
LONGEST_TRACEBACK_LINES = 24
_IMAGE_TYPES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp")
_PAPERMILL_BANNER = '<span id="papermill-error-cell"'
_WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Mark:
    """A place in the folio that speaks of steps: a heading or a capture."""

    steps: tuple[str, ...]
    title: str
    label: str
    kind: str


@dataclass
class Gathered:
    """What the front pages need, collected while the notebooks are read."""

    run_folder: Path | None = None
    assets: dict[str, bytes] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    anchors: dict[str, str] = field(default_factory=dict)
    captures: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unwritten: list[dict[str, str]] = field(default_factory=list)
    serial: int = 0

    def next_label(self, kind: str) -> str:
        """Give a label that no other place has."""
        self.serial += 1
        return f"{kind}-{self.serial}"

    def warn(self, sentence: str) -> None:
        """Keep a warning, once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)


@dataclass(frozen=True)
class Place:
    """Where a block stands: the notebook, its folder, and the pictures attached to the cell."""

    name: str
    folder: Path | None = None
    attachments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def of_notebook(notebook: Any, name: str, folder: Path | None, gathered: Gathered) -> list[Block]:
    """Turn a notebook's cells into blocks, in order, with a note where its execution stopped."""
    blocks: list[Block] = []
    cells = [cell for cell in notebook["cells"] if not _skipped(cell)]
    stopped = _stopped_at(cells)
    for index, cell in enumerate(cells):
        place = Place(name, folder, cell.get("attachments") or {})
        if index == stopped:
            blocks.append(_stop_note(cells[index:], whole=not _was_executed(cells)))
        for block in of_cell(cell, place, gathered):
            blocks.append(_adrift(block, blocks) if block["t"] == "cell" else block)
    return _led(blocks)


def _led(blocks: list[Block]) -> list[Block]:
    """Mark a short paragraph that speaks of the cell below it: the two stay on one page."""
    follows = [*blocks, NOTHING][1:]
    return [
        {**one, "leads": True} if one["t"] == "para" and then["t"] == "cell" and _is_short(one) else one
        for one, then in zip(blocks, follows, strict=True)
    ]


def _is_short(para: Block) -> bool:
    return len(markdown.plain(para["c"])) <= LONGEST_LEAD


def _adrift(cell: Block, before: list[Block]) -> Block:
    """Let a tall figure go to the head of the next page where much stands above it: what follows fills the page.

    Not among a chapter's first: the chapter's own beginning needs its page.
    """
    is_deep = sum(bool(block["t"] == "cell" and block["out"]) for block in before) >= SHOWN_BEFORE
    out: list[Block] = []
    for one in cell["out"]:
        follows = out[-1]["t"] == "stream" if out else is_deep and before[-1]["t"] == "cell" and bool(cell["code"])
        is_tall = one["t"] == "figure" and one["height_cm"] >= TALL_CM
        out.append({**one, "adrift": follows and is_deep and is_tall} if one["t"] == "figure" else one)
    return {**cell, "out": out}


def of_cell(cell: Any, place: Place, gathered: Gathered) -> list[Block]:
    """Turn one cell into blocks."""
    if cell["cell_type"] == "markdown":
        read = markdown.parse(_text(cell["source"]))
        return [done for block in read for done in _prose(block, place, gathered, headings=True)]
    if cell["cell_type"] != "code":
        return []
    hidden = bool(HIDDEN_CODE_TAGS & _tags(cell))
    code = "" if hidden else ansi.clean(_text(cell["source"])).strip("\n").expandtabs(4)
    outputs = [block for output in _joined(cell.get("outputs", [])) for block in of_output(output, place, gathered)]
    if not outputs and cell.get("execution_count") and source.withheld(code):
        return []
    if outputs and all(block["t"] != "error" for block in outputs):
        code = source.shown(code)
    return [{"t": "cell", "code": code, "out": _run_on(outputs)}] if code.strip() or outputs else []


def _run_on(outputs: list[Block]) -> list[Block]:
    """Let lines that were said one after the other stand below each other as one piece."""
    joined: list[Block] = []
    for one in outputs:
        last = joined[-1] if joined else NOTHING
        if one["t"] == last["t"] == "stream" and one["name"] == last["name"]:
            spans = [*last["spans"], {"text": "\n"}, *one["spans"]]
            joined[-1] = {**last, "spans": spans, "lines": last["lines"] + one["lines"]}
        else:
            joined.append(one)
    return joined


def of_output(output: Any, place: Place, gathered: Gathered) -> list[Block]:
    """Turn one output of a code cell into blocks."""
    if output["output_type"] == "stream":
        return _stream(_text(output["text"]), output.get("name", "stdout"))
    if output["output_type"] == "error":
        return [_error(output)]
    return _bundle(output.get("data", {}), output.get("metadata", {}), place, gathered)


def _skipped(cell: Any) -> bool:
    return bool(_tags(cell) & SKIPPED_TAGS) or _text(cell["source"]).lstrip().startswith(_PAPERMILL_BANNER)


def _tags(cell: Any) -> set[str]:
    return set(cell.get("metadata", {}).get("tags", []))


def _was_executed(cells: list[Any]) -> bool:
    return any(cell["cell_type"] == "code" and cell.get("execution_count") for cell in cells)


def _stopped_at(cells: list[Any]) -> int | None:
    """Find the first cell that was left undone after the last one that ran."""
    code = [i for i, cell in enumerate(cells) if cell["cell_type"] == "code" and _text(cell["source"]).strip()]
    done = [i for i in code if cells[i].get("execution_count")]
    left = [i for i in code if not done or i > done[-1]]
    if not left:
        return None
    return 0 if not done else left[0]


def _stop_note(cells: list[Any], whole: bool) -> Block:
    count = sum(1 for cell in cells if cell["cell_type"] == "code" and _text(cell["source"]).strip())
    if whole:
        return {"t": "banner", "text": "This notebook has not been run: what follows is its text alone."}
    calls = "1 call" if count == 1 else f"{count} calls"
    return {"t": "banner", "text": f"The run stopped here: {calls} below had not been carried out."}


def _joined(outputs: list[Any]) -> list[Any]:
    """Join pieces of the same stream that follow one another."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {"output_type": "none"}
        same = output["output_type"] == "stream" == last["output_type"]
        if same and last["name"] == output["name"]:
            joined[-1] = {**last, "text": _text(last["text"]) + _text(output["text"])}
        else:
            joined.append(dict(output))
    return joined


def _stream(text: str, name: str) -> list[Block]:
    lines = text.rstrip().split("\n")
    shown = "\n".join(lines[:LONGEST_OUTPUT_LINES])
    block = {"t": "stream", "name": name, "spans": ansi.spans(shown), "lines": shown.count("\n") + 1}
    if not block["spans"]:
        return []
    rest = len(lines) - LONGEST_OUTPUT_LINES
    more = [{"t": "note", "text": f"{rest:,} more lines are in the notebook."}] if rest > 0 else []
    return [block, *more]


def _error(output: Any) -> Block:
    """Keep an error's name and words, and the end of its traceback."""
    lines = ansi.plain("\n".join(output.get("traceback", []))).strip().split("\n")
    cut = ["…"] if len(lines) > LONGEST_TRACEBACK_LINES else []
    shown = "\n".join([*cut, *lines[-LONGEST_TRACEBACK_LINES:]])
    name, words = ansi.clean(output.get("ename", "error")), ansi.plain(output.get("evalue", ""))
    says_more = bool(shown.strip()) and shown.replace(f"{name}: ", "").strip() not in words
    return {"t": "error", "name": name, "words": words, "spans": [{"text": shown}] if says_more else []}


def _bundle(data: Any, metadata: Any, place: Place, gathered: Gathered) -> list[Block]:
    """Choose the form of a displayed value that says most on paper."""
    if isinstance(data.get(EVIDENCE_MIME), dict):
        return [_evidence(data[EVIDENCE_MIME], gathered)]
    if isinstance(data.get(TRANSCRIPT_MIME), dict):
        return [_transcript(data[TRANSCRIPT_MIME], gathered)]
    if isinstance(data.get(FIGURE_MIME), dict):
        return [_figure(data[FIGURE_MIME], data, gathered)]
    if isinstance(data.get(COMMENTARY_MIME), dict):
        return [_commentary(data[COMMENTARY_MIME], place, gathered)]
    if isinstance(data.get(ANSWER_MIME), dict):
        return [_answer(data[ANSWER_MIME])]
    if isinstance(data.get(BESIDE_MIME), dict):
        return [_beside(data[BESIDE_MIME], place, gathered)]
    if isinstance(data.get(display.TABLE_MIME), dict):
        return [table(_read_table(data[display.TABLE_MIME]))]
    for kind in _IMAGE_TYPES:
        if kind in data:
            return [_output_image(kind, data, metadata, gathered)]
    return _words(data, place, gathered)


def _words(data: Any, place: Place, gathered: Gathered) -> list[Block]:
    if _WIDGET in data:
        return [{"t": "note", "text": "An interactive control stands here in the notebook; it has no printed form."}]
    if "text/markdown" in data:
        read = markdown.parse(_text(data["text/markdown"]))
        return [done for block in read for done in _prose(block, place, gathered, headings=False)]
    markup = _text(data.get("text/html", ""))
    if "<table" in markup:
        return [table(one) for one in tables.html_tables(markup)]
    if sources := re.findall(r"""<img[^>]+src=["'](data:image/[^"']+)""", markup):
        return [_picture(one, "Picture shown by the notebook", "", place, gathered) for one in sources]
    if "text/plain" in data:
        return _stream(_text(data["text/plain"]), "result")
    kinds = ", ".join(sorted(data)) or "no type"
    return [{"t": "note", "text": f"An output of type {kinds} is in the notebook; it has no printed form."}]


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _read_table(data: Mapping[str, Any]) -> display.Table:
    """Read a filed table, whatever an older or a damaged file holds."""
    columns = tuple(
        display.Column(str(one.get("key", "")), str(one.get("label", "")), str(one.get("kind", "text")))
        for one in data.get("columns", [])
    )
    rows = tuple(
        tuple(ansi.plain(display.text_of(row[i] if i < len(row) else None)) for i in range(len(columns)))
        for row in data.get("rows", [])
    )
    return display.Table(columns, rows, ansi.clean(str(data.get("title", ""))))


def table(shown: display.Table) -> Block:
    return {"t": "table", "title": shown.title, **_layout(shown)}


def _layout(shown: display.Table) -> dict[str, Any]:
    return {"layout": tables.arrange(shown.columns, shown.rows), "count": len(shown.rows)}


def _evidence(data: Mapping[str, Any], gathered: Gathered) -> Block:
    shown = _read_table(data)
    return {"t": "evidence", **_capture(data, gathered, "evidence"), **_layout(shown)}


def _transcript(data: Mapping[str, Any], gathered: Gathered) -> Block:
    spans = ansi.spans(str(data.get("text", "")).strip("\n"))
    return {"t": "transcript", **_capture(data, gathered, "transcript"), "spans": spans}


def _figure(data: Mapping[str, Any], bundle: Any, gathered: Gathered) -> Block:
    """Set a filed figure: its SVG if the run still has it, else the picture inside the notebook."""
    folders = [gathered.run_folder] if gathered.run_folder else []
    drawn = pictures.find(str(data.get("svg", "")), folders, {}) if data.get("svg") else b""
    content = drawn or pictures.decoded(_text(bundle.get("image/png", "")))
    source = pictures.keep(gathered.assets, content)
    capture = _capture(data, gathered, "figure")
    if source is None:
        gathered.warn(f"The picture of “{capture['title']}” is missing.")
    alt = ansi.clean(str(data.get("alt", ""))) or capture["title"]
    return {"t": "figure", **capture, "src": source, "alt": alt, "height_cm": pictures.height_cm(content)}


def _capture(data: Mapping[str, Any], gathered: Gathered, kind: str) -> dict[str, Any]:
    """Note a capture for the front pages and give the lines that stand with it."""
    step = str(data.get("step", "")).strip()
    title = ansi.clean(str(data.get("title", ""))) or "Untitled"
    label = gathered.next_label(kind)
    gathered.marks.append(Mark(handout.steps_named(step), title, label, kind))
    gathered.captures.append({key: str(data.get(key, "")) for key in ("account", "region", "backend", "run")})
    told = {key: ansi.clean(str(data.get(key) or "")) for key in ("captured_at", "call", "account", "region", "note")}
    return {"id": label, "title": title, "step": handout.shown(step), **told}


def _output_image(kind: str, data: Any, metadata: Any, gathered: Gathered) -> Block:
    raw = _text(data[kind])
    content = raw.encode() if kind == "image/svg+xml" else pictures.decoded(raw)
    told = metadata.get(kind) if isinstance(metadata.get(kind), Mapping) else {}
    caption = ansi.clean(str(told.get("caption", "")))
    plain = ansi.clean(_text(data.get("text/plain", "")))
    alt = ansi.clean(str(told.get("alt", ""))) or caption or ("Figure" if plain.startswith("<") else plain) or "Figure"
    source = pictures.keep(gathered.assets, content)
    if source is None:
        gathered.warn(f"A picture of the notebook could not be read ({alt}).")
    return {"t": "image", "src": source, "alt": alt, "caption": caption}


def _picture(source: str, alt: str, caption: str, place: Place, gathered: Gathered) -> Block:
    folders = [one for one in (place.folder, gathered.run_folder) if one is not None]
    found = pictures.keep(gathered.assets, pictures.find(source, folders, place.attachments))
    if found is None:
        gathered.warn(f"The picture {source[:80]} of {place.name} is missing.")
    return {"t": "image", "src": found, "alt": alt or "Picture", "caption": caption}


def _commentary(data: Mapping[str, Any], place: Place, gathered: Gathered) -> Block:
    """Set the student's text as it is now: the file may have been written after the run."""
    words = _own_words(data, place, gathered)
    if not words["written"]:
        gathered.unwritten.append({"title": words["title"], "file": words["file"]})
    return {"t": "commentary", **words}


def _own_words(data: Mapping[str, Any], place: Place, gathered: Gathered) -> Block:
    """Read a text of the student's from its file, else as the notebook has it."""
    file, kind, about = (ansi.clean(str(data.get(key, ""))) for key in ("file", "kind", "about"))
    text = str(data.get("text", ""))
    if gathered.run_folder is not None and re.fullmatch(r"commentary/[\w.-]+\.md", file):
        path = gathered.run_folder / file
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else text
    title = f"{(kind or 'commentary').capitalize()} · {handout.shown(about)}"
    blocks = [done for block in markdown.parse(text) for done in _prose(block, place, gathered, headings=False)]
    return {"title": title, "written": bool(text.strip()), "file": file, "c": blocks}


def _answer(data: Mapping[str, Any]) -> Block:
    """Set a model answer as such; in the student's edition there are no paragraphs, and the label says whose it is."""
    paragraphs = [ansi.clean(str(one)) for one in data.get("paragraphs", [])]
    title = f"Model answer · {handout.shown(ansi.clean(str(data.get('about', ''))))}"
    return {"t": "answer", "title": title, "label": ansi.clean(str(data.get("label", ""))), "paragraphs": paragraphs}


def _beside(data: Mapping[str, Any], place: Place, gathered: Gathered) -> Block:
    """Set the student's prediction, as it is now, beside what was measured; its gap is the prediction's own."""
    measured = [
        {key: ansi.clean(str(one.get(key, ""))) for key in ("what", "value")} for one in data.get("measured", [])
    ]
    predicted = data.get("prediction") or {}
    return {"t": "beside", **_own_words(predicted, place, gathered), "measured": measured}


def _prose(block: Block, place: Place, gathered: Gathered, *, headings: bool) -> list[Block]:
    """Finish a block of Markdown: headings become places, links and pictures find what they mean."""
    kind = block["t"]
    if kind == "heading":
        words = _inline(block["c"][0:], place, gathered)
        return [_heading(words, block["level"], place, gathered)] if headings else [{"t": "subhead", "c": words}]
    if kind == "figure":
        return [_picture(block["src"], block["alt"], block["caption"], place, gathered)]
    if kind == "para":
        return [{**block, "c": _inline(block["c"], place, gathered)}]
    if kind == "mdtable":
        head = [{**cell, "c": _inline(cell["c"], place, gathered)} for cell in block["head"]]
        rows = [[{**cell, "c": _inline(cell["c"], place, gathered)} for cell in row] for row in block["rows"]]
        return [{"t": "mdtable", "head": head, "rows": rows}]
    if "c" in block:
        inner = [done for child in block["c"] for done in _prose(child, place, gathered, headings=False)]
        return [{**block, "c": inner}]
    return [block]


def _heading(words: list[Block], level: int, place: Place, gathered: Gathered) -> Block:
    text = re.sub(r"\s+", " ", markdown.plain(words)).strip() or "Untitled"
    steps, title = handout.split_heading(text)
    if level == 1 and not re.match(r"\s*(?:question|preliminary|monitoring)", text, re.IGNORECASE):
        steps = ()
    label = gathered.next_label("heading")
    gathered.anchors.setdefault(anchor(place.name, text), label)
    gathered.anchors.setdefault(anchor(place.name, ""), label)
    if steps:
        gathered.marks.append(Mark(steps, title or text, label, "heading"))
    return {"t": "heading", "level": level, "id": label, "text": text, "c": words, "step": bool(steps)}


def anchor(notebook: str, heading: str) -> str:
    """Give the key under which a heading can be linked to, as JupyterLab spells it but for the case."""
    return f"{notebook}#{re.sub(r'[^0-9a-z]+', '-', heading.lower()).strip('-')}"


def _inline(nodes: list[Block], place: Place, gathered: Gathered) -> list[Block]:
    done: list[Block] = []
    for node in nodes:
        if node["t"] == "image":
            found = _picture(node["src"], node["alt"], "", place, gathered)
            done.append({"t": "glyph", "src": found["src"], "alt": found["alt"]})
        elif "c" in node:
            done.append({**node, "c": _inline(node["c"], place, gathered), "from": place.name})
        else:
            done.append(node)
    return done
