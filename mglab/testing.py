"""Which of the project's tests run, and how: ``mglab test``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mglab import config

SIDE_BY_SIDE, ALONE = ("notebooks", "local", "pure", "conformance", "campaigns", "browser"), ("rates",)
"""Folders of tests: those whose files may run side by side, the longest first, and those that time what they run."""
MOST_WORKERS = 8


def test(options: argparse.Namespace) -> int:
    """Run pytest on the project's tests, or on what the rest of the command line names."""
    folder = config.project_folder()
    given = any((folder / word.split("::")[0]).exists() for word in options.rest if not word.startswith("-"))
    if given:
        return _pytest(folder, (), options.rest)
    side_by_side = SIDE_BY_SIDE if options.all else SIDE_BY_SIDE[:3]
    workers = min((os.cpu_count() or 1) + 1, MOST_WORKERS)
    code = _pytest(folder, side_by_side, ["-n", str(workers), "--dist", "loadfile", *options.rest])
    return code or (_pytest(folder, ALONE, options.rest) if options.all else 0)


def _pytest(folder: Path, places: Sequence[str], rest: Sequence[str]) -> int:
    """Run pytest on these folders of tests, as far as they are there, or on what ``rest`` names."""
    paths = [f"tests/{place}" for place in places if (folder / "tests" / place).is_dir()]
    return subprocess.call([sys.executable, "-m", "pytest", *paths, *rest], cwd=folder)
