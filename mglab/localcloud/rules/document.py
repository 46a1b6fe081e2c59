"""Reading a JSON document whose every mistake is to be told, each with the place where it stands.

CloudWatch checks a graph's or a dashboard's document against a schema and lists what breaks it as pairs of
``dataPath`` (a JSON pointer) and message. ``Reader`` takes values out one by one: a wrong one is noted, a
default goes on in its place, and who reads asks for the mistakes at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GREATEST_NUMBER = 1e100
"""JSON has no greatest number; nothing that is measured comes near this one."""
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}\Z")


@dataclass(frozen=True)
class Mistake:
    """What is wrong, and where in the document (a JSON pointer)."""

    path: str
    message: str


class InvalidDocument(Exception):
    """The document is wrong; ``mistakes`` has every place."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(f"{one.path or '/'}: {one.message}" for one in mistakes))
        self.mistakes = tuple(mistakes)


@dataclass
class Reader:
    """Takes values out of the document and keeps a list of what was wrong with them."""

    mistakes: list[Mistake] = field(default_factory=list)

    def wrong(self, path: str, message: str) -> None:
        self.mistakes.append(Mistake(path, message))

    def object(
        self, value: Any, path: str, known: Sequence[str], not_modelled: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Take an object whose members have known names; nulls count as absent.

        ``not_modelled`` names members that AWS knows and the local cloud does not, each with why.
        """
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.wrong(path, "Should be object")
            return {}
        for name in value:
            if name in (not_modelled or {}):
                self.wrong(f"{path}/{name}", (not_modelled or {})[name])
            elif name not in known:
                self.wrong(path, f"Should NOT have additional property '{name}'")
        return {name: it for name, it in value.items() if it is not None}

    def list(self, value: Any, path: str) -> list[Any]:
        if value is None or isinstance(value, list):
            return value or []
        self.wrong(path, "Should be array")
        return []

    def text(self, of: Mapping[str, Any], name: str, path: str, default: str = "") -> str:
        return str(self._typed(of, name, path, str, "string", default))

    def truth(self, of: Mapping[str, Any], name: str, path: str, default: bool) -> bool:
        return bool(self._typed(of, name, path, bool, "boolean", default))

    def number(self, of: Mapping[str, Any], name: str, path: str) -> float | None:
        value = of.get(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= GREATEST_NUMBER:
            return float(value)
        self.wrong(f"{path}/{name}", "Should be number")
        return None

    def whole(self, of: Mapping[str, Any], name: str, path: str, default: int) -> int:
        value = of.get(name, default)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.wrong(f"{path}/{name}", "Should be integer")
        return default

    def one_of(self, of: Mapping[str, Any], name: str, path: str, allowed: Sequence[str]) -> str:
        """Take one of the allowed words; the first is the default."""
        value = of.get(name, allowed[0])
        if value in allowed:
            return str(value)
        self.wrong(f"{path}/{name}", f"Should be equal to one of the allowed values: {', '.join(allowed)}")
        return allowed[0]

    def colour(self, of: Mapping[str, Any], path: str) -> str | None:
        value = of.get("color")
        if value is None or (isinstance(value, str) and _COLOUR.match(value)):
            return value
        self.wrong(f"{path}/color", "Should be a hex colour such as #1f77b4")
        return None

    def _typed(self, of: Mapping[str, Any], name: str, path: str, kind: type, word: str, default: Any) -> Any:
        value = of.get(name, default)
        if isinstance(value, kind):
            return value
        self.wrong(f"{path}/{name}", f"Should be {word}")
        return default


def decoded(document: str, most_bytes: int) -> Any:
    """Decode a document of at most so many bytes; raises InvalidDocument."""
    if len(document.encode("utf-8", "replace")) > most_bytes:
        raise InvalidDocument([Mistake("", f"Should NOT be larger than {most_bytes // 1024} KB")])
    try:
        return json.loads(document, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InvalidDocument([Mistake("", "Should be a JSON document")]) from None


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not JSON")
