"""The plan of the house: which room may call which. An import that is not in the plan fails here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mglab"

CORE = {"errors", "clock", "config", "ledger", "session", "waits", "display"}
BEFORE_INSTALL = {"__main__", "bootstrap"}
MAY_IMPORT: dict[str, set[str]] = {
    "core": {"core"},
    "steps": {"core", "steps"},
    "study": {"core", "steps", "study", "folio"},
    "folio": {"core", "folio"},
    "workbook": {"core", "steps", "study", "folio", "workbook"},
    "cli": {"core", "steps", "study", "folio", "workbook", "cli", "bootstrap"},
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
    return "core" if first in CORE else first


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
    return "core" if parts[1] in CORE else parts[1]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_import_is_an_arrow_of_the_plan(path: Path) -> None:
    room = room_of(path)
    for name in imports(path):
        target = room_of_import(name)
        if target is None or (room == "localcloud" and name in LOCALCLOUD_MAY_ALSO):
            continue
        if name == "mglab" or (name.startswith("mglab.") and not (PACKAGE / target).exists()
                               and not (PACKAGE / f"{target}.py").exists() and target != "core"):
            continue
        if room == "localcloud" and ".".join(name.split(".")[:2]) in LOCALCLOUD_MAY_ALSO:
            continue
        assert target in MAY_IMPORT[room], f"{path.relative_to(PACKAGE)} ({room}) imports {name}"


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "localcloud" / "rules").glob("*.py")), ids=lambda p: p.name
)
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
