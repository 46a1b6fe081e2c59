"""Gives a Python program the network of its instance. Python loads this file by itself, from PYTHONPATH.

Without ``MGLAB_RESOLVER`` in the environment it does nothing. With it, ``mglab_network`` takes over names
and, inside an instance, addresses. Not confined: Python started with -I, -E or -S, and other languages.
A ``sitecustomize`` that this one hides is run as well. Python 3.7 and later.
"""

import os


def _chain() -> None:
    """Run the sitecustomize that would have been found without this folder."""
    import importlib.util
    import sys
    from importlib.machinery import PathFinder

    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [p for p in sys.path if os.path.abspath(p or ".") != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if os.environ.get("MGLAB_RESOLVER"):
    import mglab_network  # type: ignore[import-not-found]

    mglab_network.install()
_chain()
