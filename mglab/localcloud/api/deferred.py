"""An answer that is begun under the cloud's lock and finished outside it.

A handler that would hold the lock for long reads what it needs and gives a ``Deferred``; the door lets go of
the lock and then asks for the rest. ``finish`` must touch nothing that the lock guards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Plain:
    """An HTTP body that is no document of the protocol."""

    content_type: str
    body: bytes


@dataclass(frozen=True)
class Deferred:
    """The rest of a handler's work; it gives the result, or a plain body."""

    finish: Callable[[], Mapping[str, Any] | Plain]
