"""The plan of the house: which room may call which. An import that is not in the plan fails here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mglab"

CORE = {"errors", "clock", "config", "ledger", "retries", "session", "waits", "display"}
CLI = {"cli", "grammar", "commands", "cloud_commands", "testing"}
MAY_IMPORT: dict[str, set[str]] = {
    "core": {"core"},
    "steps": {"core", "steps"},
    "study": {"core", "steps", "study", "folio"},
    "folio": {"core", "folio"},
    "workbook": {"core", "steps", "study", "folio", "workbook"},
    "bench": {"core", "bench"},
    "cli": {"core", "steps", "study", "folio", "workbook", "bench", "cli"},
    "__init__": {"core"},
    "__main__": {"bootstrap", "cli"},
    "bootstrap": {"bootstrap"},
    "localcloud": {"localcloud"},
}
LOCALCLOUD_MAY_ALSO = {"mglab.errors", "mglab.clock"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return named(first)


def named(first: str) -> str:
    if first in CORE:
        return "core"
    return "cli" if first in CLI else first


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrow"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "mglab")


def room_of_import(name: str) -> str | None:
    parts = name.split(".")
    if parts[0] != "mglab" or len(parts) == 1:
        return None
    return named(parts[1])


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_import_is_an_arrow_of_the_plan(path: Path) -> None:
    room = room_of(path)
    allowed = MAY_IMPORT[room]
    for name in imports(path):
        target = room_of_import(name)
        if target is None or (room == "localcloud" and module_of(name) in LOCALCLOUD_MAY_ALSO):
            continue
        assert target in allowed, f"{path.relative_to(PACKAGE)} ({room}) imports {name}"


def module_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


@pytest.mark.parametrize("path", sorted((PACKAGE / "localcloud" / "rules").glob("*.py")), ids=lambda p: p.name)
def test_rules_import_the_standard_library_alone(path: Path) -> None:
    for name in imports(path):
        known = name.split(".")[0] in sys.stdlib_module_names
        assert known or name.startswith("mglab.localcloud.rules"), f"rules/{path.name} imports {name}"


@pytest.mark.parametrize("path", [PACKAGE / "__main__.py", PACKAGE / "bootstrap.py"], ids=lambda p: p.name)
def test_what_runs_before_the_install_needs_nothing_installed(path: Path) -> None:
    for name in top_level_imports(path):
        known = name.split(".")[0] in sys.stdlib_module_names
        assert known or name == "mglab" or name.startswith("mglab.bootstrap"), f"{path.name} imports {name}"


def top_level_imports(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield node.module


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = {name_of(path) for path in modules()}
    graph = {name_of(path): known & set(imported_modules(path)) for path in modules()}
    TopologicalSorter(graph).prepare()


def imported_modules(path: Path) -> Iterator[str]:
    """Give what is imported when the module is: not inside functions, not for the type checker alone."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from submodules if (PACKAGE.parent / node.module.replace(".", "/")).is_dir() else [node.module]
