"""Which software a run was carried out with: what would have to be the same for it to come out the same."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

SHOWN = ("mglab", "boto3", "botocore", "moto", "papermill", "jupyterlab", "pandas", "matplotlib", "scipy", "typst")


def versions(names: tuple[str, ...] = SHOWN) -> dict[str, str]:
    """Give the version of Python, of the system and of each package by name; one that is not installed is left out."""
    found = {"Python": platform.python_version(), "System": f"{platform.system()} {platform.machine()}"}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
