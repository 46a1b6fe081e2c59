"""From the folio's document to a PDF: one fixed template, the document as JSON, the pictures as files.

The template reads ``folio.json``; nothing of the document is ever Typst source. PDF/A-3 and PDF/UA are
tried first; if this content cannot meet them, a plain PDF is made and says so, with Typst's reason. The
same document gives the same bytes: the time stamp is given, and the machine's fonts are used only for
characters that the embedded ones lack.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typst

from mglab.errors import LabError
from mglab.folio import glyphs

log = logging.getLogger(__name__)

TEMPLATE = Path(__file__).with_name("folio.typ")
STANDARDS: list[typst.PDFStandard] = ["a-3a", "ua-1"]
_NOT_PROSE = frozenset({"src", "to", "id", "t", "ink"})


def pdf(document: dict[str, Any], assets: Mapping[str, bytes], moment: datetime) -> tuple[bytes, list[str]]:
    """Set a document as PDF; also give the warnings that were added to it on the way."""
    usable = {name: data for name, data in assets.items() if _can_be_set(name, data)}
    damaged = len(assets) - len(usable)
    warnings = [f"{damaged} damaged picture{'s' if damaged > 1 else ''} could not be set."] if damaged else []
    document = _without(document, set(assets) - set(usable))
    document, system_fonts, lacking = _drawable(document)
    if lacking:
        warnings.append(f"No font here has these characters, shown as {glyphs.BOX}: {glyphs.named(lacking)}.")
    document = {**document, "warnings": [*document["warnings"], *warnings]}
    try:
        return _compiled(document, usable, moment, STANDARDS, system_fonts), warnings
    except typst.TypstError as error:
        reason = error.message.splitlines()[0][:300]
        log.info("typst: %s", error.diagnostic)
    warnings.append(f"This is a plain PDF, not PDF/A-3 and PDF/UA: {reason}")
    document["warnings"] = [*document["warnings"], warnings[-1]]
    try:
        return _compiled(document, usable, moment, [], system_fonts), warnings
    except typst.TypstError as error:
        raise LabError(
            f"the folio could not be set: {error.message}",
            hint="the run's notebooks are unharmed; export them with `jupyter nbconvert --to html` meanwhile",
        ) from error


def strings(value: Any, change: Callable[[str], str]) -> Any:
    """Rebuild a document with each of its texts changed; names of pictures and places stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [strings(one, change) for one in value]
    if isinstance(value, dict):
        return {key: one if key in _NOT_PROSE else strings(one, change) for key, one in value.items()}
    return value


def to_bytes(document: dict[str, Any]) -> bytes:
    """Write a document as the JSON that the template reads and the PDF carries."""
    return (json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode("utf-8")


def _compiled(
    document: dict[str, Any],
    assets: Mapping[str, bytes],
    moment: datetime,
    standards: list[typst.PDFStandard],
    system_fonts: bool,
) -> bytes:
    with tempfile.TemporaryDirectory(prefix="mglab-folio-") as temporary:
        root = Path(temporary)
        (root / "assets").mkdir()
        for name, data in assets.items():
            (root / name).write_bytes(data)
        (root / "folio.json").write_bytes(to_bytes(document))
        (root / "folio.typ").write_bytes(TEMPLATE.read_bytes())
        compiler = typst.Compiler(input=str(root / "folio.typ"), root=str(root), ignore_system_fonts=not system_fonts)
        made, warnings = compiler.compile_with_warnings(format="pdf", pdf_standards=standards, timestamp=moment)
    for warning in warnings:
        log.warning("typst: %s", warning.message)
    if not isinstance(made, bytes):
        raise LabError("the folio could not be set: no PDF came back", hint="reinstall the packages: mglab run")
    return made


def _drawable(document: dict[str, Any]) -> tuple[dict[str, Any], bool, set[str]]:
    """Choose the fonts a document needs and box what none of them has."""
    texts: list[str] = []
    strings(document, lambda text: texts.append(text) or text)  # type: ignore[func-returns-value]
    characters = glyphs.doubtful(texts)
    if not characters or not (lacking := glyphs.missing(characters, system_fonts=False)):
        return document, False, set()
    still = glyphs.missing(lacking, system_fonts=True)
    return strings(document, lambda text: glyphs.boxed(text, still)), still != lacking, still


def _can_be_set(name: str, data: bytes) -> bool:
    """Try a picture by itself, so that a damaged one cannot sink the folio."""
    with tempfile.TemporaryDirectory(prefix="mglab-picture-") as temporary:
        root = Path(temporary)
        file = root / Path(name).name
        file.write_bytes(data)
        (root / "one.typ").write_text(f'#image("{file.name}", width: 1cm)', encoding="utf-8")
        try:
            typst.compile(str(root / "one.typ"), root=str(root), format="svg", ignore_system_fonts=True)
        except typst.TypstError:
            log.warning("a picture could not be read: %s", name)
            return False
    return True


def _without(value: Any, names: set[str]) -> Any:
    """Rebuild a document without the pictures that cannot be set."""
    if isinstance(value, list):
        return [_without(one, names) for one in value]
    if isinstance(value, dict):
        return {key: None if key == "src" and one in names else _without(one, names) for key, one in value.items()}
    return value
