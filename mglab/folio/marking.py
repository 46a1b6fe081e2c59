"""For the lecturer: what is in each submitted folio, read from the ``folio.json`` that every PDF carries.

A folio holds the document that it was set from. Reading that is quick and exact; but it is a file inside a file, so it
is held against the pages: each cell of each table must be found on them, and words on the pages that are neither the
document's nor the template's are counted. Both show a PDF that was changed afterwards by ordinary means. They prove
nothing against somebody who changes both alike; nor does anything here say how good a commentary is.

Resource ids are drawn by AWS, and by the local cloud too, so that no two runs share one: where two submissions do,
one run's evidence is in both.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mglab.display import column
from mglab.errors import LabError
from mglab.folio import handout

ATTACHMENT = "folio.json"
TEMPLATE = Path(__file__).with_name("folio.typ")
CAPTURES = ("evidence", "transcript", "figure")
SHORTEST_WORD = 5
_RESOURCE_ID = re.compile(r"\b(?:i|vpc|subnet|igw|rtb|sg|lt)-[0-9a-f]{8,17}\b")
_STRAIGHT = str.maketrans("“”‘’\u2010\u2011", "\"\"''--")


@dataclass(frozen=True)
class Submission:
    """One folio as the class table shows it."""

    file: str = field(metadata=column("File"))
    author: str = field(metadata=column("Author"))
    backend: str = field(metadata=column("Backend"))
    edition: str = field(metadata=column("Edition"))
    carried_out: str = field(metadata=column("Carried out"))
    evidence: int = field(metadata=column("Evidence", "number"))
    steps: int = field(metadata=column("Steps with evidence", "number"))
    words: int = field(metadata=column("Words of commentary", "number"))
    predictions: int = field(metadata=column("Predictions", "number"))
    pages: int = field(metadata=column("Pages", "number"))
    agrees: str = field(metadata=column("Document and pages"))
    warnings: str = field(metadata=column("Warnings"))
    per_step: Mapping[str, Step] = field(repr=False, default_factory=dict)
    resource_ids: frozenset[str] = field(repr=False, default=frozenset())


@dataclass(frozen=True)
class Step:
    """What one submission has about one step of the sheet."""

    evidence: int
    pictures: int
    words: int
    captured: str
    """When the last piece was captured; empty when there is none."""


@dataclass(frozen=True)
class ClassStep:
    """One step of the sheet over a whole class."""

    step: str = field(metadata=column("Step"))
    having: int = field(metadata=column("With evidence", "number"))
    words: str = field(metadata=column("Words of commentary: least, median, most"))
    lacking: str = field(metadata=column("Without evidence"))


@dataclass(frozen=True)
class Shared:
    """Two submissions that show the same resources."""

    one: str = field(metadata=column("File"))
    other: str = field(metadata=column("And"))
    ids: int = field(metadata=column("Resource ids in both", "number"))
    example: str = field(metadata=column("For example", "id"))


def read(path: Path, name: str = "") -> Submission:
    """Read one folio, called ``name`` or as its file is; raises LabError for what is no folio of ours."""
    pages, document = _opened(path)
    found = list(_blocks(document))
    per_step = _per_step(found)
    facts = {str(name): str(told) for name, told in document.get("facts", [])}
    return Submission(
        file=name or path.name,
        author=str(document.get("author") or "not stated"),
        backend=str(document.get("backend") or facts.get("Where", "not recorded")),
        edition=facts.get("Edition", "not recorded").partition(":")[0],
        carried_out=facts.get("Carried out", "not recorded"),
        evidence=sum(one["t"] in CAPTURES for one in found),
        steps=sum(step.evidence > 0 for step in per_step.values()),
        words=sum(_words(one) for one in found if _about(one)[0] == "Commentary"),
        predictions=sum(_words(one) > 0 for one in found if _about(one)[0] == "Prediction"),
        pages=len(pages),
        agrees=_agreement(document, found, pages),
        warnings="; ".join(_warnings(document, found)) or "none",
        per_step=per_step,
        resource_ids=frozenset(_RESOURCE_ID.findall(json.dumps(document))),
    )


def by_step(submissions: Sequence[Submission]) -> list[ClassStep]:
    """Say of each step how many of a class have evidence of it, and who has none.

    Steps are clicks, and several are shown by one table, filed under the last of them: so steps of which nobody has
    evidence stand in one row with the next of their section that somebody has.
    """
    return [_class_step(steps, submissions) for section in handout.SECTIONS for steps in _rows(section, submissions)]


def shared(submissions: Sequence[Submission]) -> list[Shared]:
    """Name every two submissions whose resources are the same."""
    pairs = ((one, other) for n, one in enumerate(submissions) for other in submissions[n + 1 :])
    both = ((one, other, sorted(one.resource_ids & other.resource_ids)) for one, other in pairs)
    return [Shared(one.file, other.file, len(ids), ids[0]) for one, other, ids in both if ids]


# -- reading ------------------------------------------------------------------------------------------------


def _opened(path: Path) -> tuple[list[str], dict[str, Any]]:
    """Give a PDF's pages as text and the document that it carries."""
    import pypdfium2

    hint = "give the PDF that `mglab run`, `mglab pdf` or the export menu wrote"
    try:
        with pypdfium2.PdfDocument(path.read_bytes()) as pdf:
            attached = _attached(pdf)
            pages = [page.get_textpage().get_text_bounded() for page in pdf]
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}", hint=hint) from None
    except pypdfium2.PdfiumError as error:
        raise LabError(f"{path} is no PDF that can be read: {error}", hint=hint) from None
    if attached is None:
        raise LabError(f"{path} carries no {ATTACHMENT}: another program made it, or printed it anew", hint=hint)
    try:
        document = json.loads(attached)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("chapters"), list):
        raise LabError(f"the {ATTACHMENT} in {path} is damaged", hint=hint)
    return pages, document


def _attached(pdf: Any) -> bytes | None:
    """Find the document among a PDF's attachments."""
    found = (pdf.get_attachment(number) for number in range(pdf.count_attachments()))
    return next((bytes(one.get_data()) for one in found if one.get_name() == ATTACHMENT), None)


def _blocks(value: Any) -> Iterator[dict[str, Any]]:
    """Give every block of a document, those inside of others too."""
    if isinstance(value, list):
        for one in value:
            yield from _blocks(one)
    elif isinstance(value, dict):
        if "t" in value:
            yield value
        for one in value.values():
            yield from _blocks(one)


def _per_step(blocks: Iterable[Mapping[str, Any]]) -> dict[str, Step]:
    evidence: Counter[str] = Counter()
    pictures: Counter[str] = Counter()
    words: Counter[str] = Counter()
    captured: dict[str, str] = {}
    for one in blocks:
        for step in handout.steps_named(str(one.get("step", ""))) if one["t"] in CAPTURES else ():
            evidence[step] += 1
            captured[step] = max(captured.get(step, ""), str(one.get("captured_at", "")))
        for step in handout.steps_named(str(one.get("caption", ""))) if one["t"] == "image" else ():
            pictures[step] += 1
        kind, about = _about(one)
        for step in handout.steps_named(about) if kind == "Commentary" else ():
            words[step] += _words(one)
    return {step: Step(evidence[step], pictures[step], words[step], captured.get(step, "")) for step in handout.STEPS}


def _about(block: Mapping[str, Any]) -> tuple[str, str]:
    """Part the title of a text of the student's into what it is and what it is about."""
    if block["t"] != "commentary":
        return "", ""
    kind, _, about = str(block.get("title", "")).partition(" · ")
    return kind, about


def _words(block: Mapping[str, Any]) -> int:
    return len(re.findall(r"\w[\w’'-]*", " ".join(_texts(block.get("c", [])))))


def _texts(value: Any) -> Iterator[str]:
    """Give every piece of prose in a block's content."""
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        yield from (str(value[key]) for key in ("text", "s") if key in value)
        yield from (text for one in value.values() for text in _texts(one))


# -- the document against the pages ---------------------------------------------------------------------------


def _agreement(document: Mapping[str, Any], blocks: Sequence[Mapping[str, Any]], pages: Sequence[str]) -> str:
    """Say whether what the document says stands on the pages, and nothing else."""
    text = _squeezed("".join(pages))
    cells = [_squeezed(cell) for one in blocks if one["t"] == "evidence" for cell in _cells(one)]
    gone = sum(cell not in text for cell in cells)
    foreign = _foreign(document, pages)
    said = [f"{gone} of {len(cells)} table cells are not on the pages"] if gone else []
    said += [f"{len(foreign)} words on the pages are not the document's: {', '.join(foreign[:3])}"] if foreign else []
    return "; ".join(said) or f"agree ({len(cells)} cells)"


def _cells(block: Mapping[str, Any]) -> Iterator[str]:
    yield from (text for text in _texts(block.get("layout", {})) if text.strip())


def _foreign(document: Mapping[str, Any], pages: Sequence[str]) -> list[str]:
    """List words of the pages that come neither from the document nor from the template."""
    known = _plain("".join(_strings(document)) + TEMPLATE.read_text("utf-8"))
    words = dict.fromkeys(_plain(word).strip("-.,;:()[]'\"…■") for page in pages for word in page.split())
    return [word for word in words if len(word) >= SHORTEST_WORD and not _made_of(word, known)]


def _made_of(word: str, known: str) -> bool:
    """Say whether a word is known, or two that stand so close on the page that they were read as one."""
    return word in known or any(word[:n] in known and word[n:] in known for n in range(2, len(word) - 1))


def _plain(text: str) -> str:
    """Undo what setting does to letters: quotation marks are curled, words divided, spaces drawn in."""
    return _squeezed(text).translate(_STRAIGHT).lower()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)


def _squeezed(text: str) -> str:
    """Leave out what a line's end adds or takes: white space, control characters, and hyphens, real ones too."""
    return re.sub(r"[\s\x00-\x1f\u00ad\u200b\u2060\ufffe-]", "", text)


def _warnings(document: Mapping[str, Any], blocks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from (str(one) for one in document.get("problems", ()))
    if absent := document.get("absent"):
        yield f"steps without a place: {absent}"
    if unwritten := len(document.get("unwritten", ())):
        yield f"{unwritten} texts not written"
    if answers := sum(one["t"] == "answer" and bool(one.get("paragraphs")) for one in blocks):
        yield f"{answers} generated model answers"
    yield from (str(one) for one in document.get("warnings", ()))


# -- a class ------------------------------------------------------------------------------------------------


def _rows(section: handout.Section, submissions: Sequence[Submission]) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    for step in section.steps:
        rows[-1].append(step)
        if any(one.per_step[step].evidence for one in submissions):
            rows.append([])
    return [row for row in rows if row]


def _class_step(steps: Sequence[str], submissions: Sequence[Submission]) -> ClassStep:
    lacking = [one.file for one in submissions if not any(one.per_step[step].evidence for step in steps)]
    written = sorted(sum(one.per_step[step].words for step in steps) for one in submissions)
    told = f"{written[0]}, {written[len(written) // 2]}, {written[-1]}" if any(written) else "—"
    having = len(submissions) - len(lacking)
    return ClassStep(_spanned(steps), having, told, _named(lacking) if having else "nobody has")


def _spanned(steps: Sequence[str]) -> str:
    first, last = handout.shown(steps[0]), handout.shown(steps[-1])
    return first if first == last else f"{first} to {last.rpartition(' ')[2] if steps[-1].isdigit() else last}"


def _named(files: Sequence[str], most: int = 4) -> str:
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return f"{', '.join(files[:most])}{more}"
