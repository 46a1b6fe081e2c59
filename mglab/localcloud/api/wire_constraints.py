"""What AWS answers when a request's values break its own model: every breach at once, in one message.

    2 validation errors detected: Value '0' at 'port' failed to satisfy constraint: Member must have value greater
    than or equal to 1; Value null at 'targets' failed to satisfy constraint: Member must not be null

Ranges, lengths, words and patterns come from botocore's models, as does what is required. A place is told as AWS
tells it: the member's name begins in lower case, a list's items are ``targets.1.member``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, Shape, StringShape, StructureShape

from mglab.localcloud.api.faults import ApiError

CHECKED = frozenset({"elbv2"})
"""Services whose requests are checked before a handler sees them."""


def check(shape: StructureShape | None, params: dict[str, Any]) -> None:
    """Refuse a request that breaks the model (ValidationError)."""
    found = list(_of_structure(shape, params, "")) if shape is not None else []
    if found:
        detected = "1 validation error" if len(found) == 1 else f"{len(found)} validation errors"
        raise ApiError("ValidationError", f"{detected} detected: {'; '.join(found)}")


def _of_structure(shape: StructureShape, params: dict[str, Any], where: str) -> Iterator[str]:
    for name, member in shape.members.items():
        place = f"{where}{name[0].lower()}{name[1:]}"
        if name in params:
            yield from _of_value(member, params[name], place)
        elif name in shape.required_members:
            yield f"Value null at '{place}' failed to satisfy constraint: Member must not be null"


def _of_value(shape: Shape, value: Any, place: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        yield from _of_structure(shape, value, f"{place}.")
    elif isinstance(shape, ListShape):
        yield from _lengths(shape, f"[{', '.join(map(str, value))}]", len(value), place)
        for number, item in enumerate(value, 1):
            yield from _of_value(shape.member, item, f"{place}.{number}.member")
    elif isinstance(shape, StringShape):
        yield from _of_text(shape, value, place)
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _limits(shape, str(value), value, place, "value")


def _of_text(shape: StringShape, value: str, place: str) -> Iterator[str]:
    yield from _lengths(shape, value, len(value), place)
    if shape.enum and value not in shape.enum:
        yield _breach(value, place, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern)(value):
        yield _breach(value, place, f"Member must satisfy regular expression pattern: {pattern}")


def _lengths(shape: Shape, shown: str, length: int, place: str) -> Iterator[str]:
    yield from _limits(shape, shown, length, place, "length")


def _limits(shape: Shape, shown: str, measured: float, place: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and measured < least:
        yield _breach(shown, place, f"Member must have {what} greater than or equal to {least}")
    if most is not None and measured > most:
        yield _breach(shown, place, f"Member must have {what} less than or equal to {most}")


def _breach(shown: str, place: str, rule: str) -> str:
    return f"Value '{shown}' at '{place}' failed to satisfy constraint: {rule}"


@cache
def _compiled(pattern: str) -> Callable[[str], object]:
    """Compile a pattern of the models; Python has no Unicode classes, its own come close."""
    return re.compile(pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s")).search
