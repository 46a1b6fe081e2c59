"""Characters that no font here can draw: found before the folio is set, named, and shown as a box.

Typst embeds Libertinus Serif, DejaVu Sans Mono and New Computer Modern; these alone make the folio, so that
it looks the same everywhere. Where a text needs more (Chinese, emoji), the fonts of this machine are asked;
what they lack too becomes □, and the folio names it. A missing glyph would otherwise be silent in a plain
PDF and an error in an archival one. Typst itself is the judge: a page of the doubtful characters is
compiled as PDF/UA, which reports each that it cannot show.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import typst

BOX = "□"
# Soft hyphen, joiners, marks of direction, variation selectors: they have no glyph and need none.
_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")


def doubtful(texts: Iterable[str]) -> set[str]:
    """Collect the characters beyond ASCII that need a glyph."""
    found: set[str] = set()
    for text in texts:
        if not text.isascii():
            found.update(one for one in text if ord(one) > 0x7E)
    return {one for one in found if not _INVISIBLE.match(one) and not one.isspace()}


def missing(characters: set[str], *, system_fonts: bool) -> set[str]:
    """Find the characters that cannot be drawn with the fonts of Typst, or with the machine's too."""
    private = {one for one in characters if _PRIVATE.match(one) or unicodedata.category(one) == "Cn"}
    asked = sorted(characters - private)
    compiler = typst.Compiler(ignore_system_fonts=not system_fonts)
    lacking = {one for part in _parts(asked, 500) for one in _refused(compiler, part)}
    return private | lacking


def boxed(text: str, lacking: set[str]) -> str:
    """Put a box in the place of each character that cannot be drawn."""
    if text.isascii() or not lacking:
        return text
    return "".join(BOX if one in lacking else one for one in text)


def named(lacking: set[str], most: int = 12) -> str:
    """Name characters for people: 夜 cannot be shown, so say U+591C and what Unicode calls it."""
    ordered = sorted(lacking)
    names = [f"U+{ord(one):04X} {unicodedata.name(one, 'unnamed').lower()}" for one in ordered[:most]]
    rest = len(ordered) - most
    return "; ".join(names) + (f"; and {rest} more" if rest > 0 else "")


def _parts(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _refused(compiler: typst.Compiler, characters: Sequence[str]) -> set[str]:
    """Let Typst try to show each character by itself and read which it could not."""
    words = "\n\n".join(f'#text("\\u{{{ord(one):x}}}")' for one in characters)
    source = f'#set document(title: "glyphs")\n#set text(lang: "en")\n{words}\n'
    try:
        compiler.compile(source.encode(), format="pdf", pdf_standards=["ua-1"], timestamp=0)
    except typst.TypstError as error:
        told = set(re.findall(r'the text `"(.+?)"` could not be displayed', error.diagnostic))
        refused = {one for one in characters if any(one in text for text in told)}
        if refused:
            return refused
        return _halved(compiler, characters)
    return set()


def _halved(compiler: typst.Compiler, characters: Sequence[str]) -> set[str]:
    """Narrow down an error that does not say which character it means."""
    if len(characters) == 1:
        return set(characters)
    middle = len(characters) // 2
    return _refused(compiler, characters[:middle]) | _refused(compiler, characters[middle:])
