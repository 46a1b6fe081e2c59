"""Lab time inside moto: what it stamps on things is the lab's clock, not the wall's.

moto's modules import ``utcnow`` by name, hundreds of times. Replacing the function would reach none of
them, so its code is replaced: the one function object that everybody holds then reads our clock, found as a
global of the module it lives in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.core import utils

from mglab.localcloud.api.moto_room import require

require(utils, "utcnow")
require(utils.utcnow, "__code__")

_GLOBAL = "_mglab_now"


def install_clock(now: Callable[[], float]) -> None:
    """Make moto read lab time; ``now`` gives lab seconds since 1970."""
    vars(utils)[_GLOBAL] = lambda: datetime.fromtimestamp(now(), UTC).replace(tzinfo=None)
    utils.utcnow.__code__ = _lab_utcnow.__code__


def _lab_utcnow() -> Any:
    return _mglab_now()  # type: ignore[name-defined]  # noqa: F821 - a global of moto.core.utils
