"""The MusicGuru scaling workbook: the cloud lab's steps, experiments, monitoring and folio.

    lab = mglab.connect()          # the run and backend come from the environment, else "default" and "local"

Importing the package is cheap and needs the standard library only: ``python3 -m mglab`` starts from here
before anything is installed. The session is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mglab.session import Lab, connect

__all__ = ["Lab", "connect"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mglab import session

        return getattr(session, name)
    raise AttributeError(f"module 'mglab' has no attribute {name!r}")
