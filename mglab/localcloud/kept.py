"""What of an object survives the cloud's end, and what does not.

A snapshot is the whole control plane, pickled. Almost everything in it is state; a few fields are not: what the
data plane said of probes and flows (it begins anew with the cloud), a lock, what can be worked out again. Such a
field is declared with ``passing`` in a dataclass that is ``Kept``: it is left out, and has its first value again in
the world that comes back.

    @dataclass
    class Registration(Kept):
        target: Target
        streaks: dict[str, Streak] = passing(dict)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, field, fields
from typing import Any

_PASSING = "passing"


def passing(first: Callable[[], Any]) -> Any:
    """Declare a field that is no state: ``first`` gives its value in a new world and in one that comes back."""
    return field(default_factory=first, metadata={_PASSING: first})


class Kept:
    """A dataclass that is kept but for its passing fields."""

    def __getstate__(self) -> dict[str, Any]:
        gone = {each.name for each in _passing_of(self)}
        return {name: value for name, value in vars(self).items() if name not in gone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({each.name: each.metadata[_PASSING]() for each in _passing_of(self)})
        vars(self).update(state)


def _passing_of(thing: Any) -> list[Field[Any]]:
    return [each for each in fields(thing) if _PASSING in each.metadata]
