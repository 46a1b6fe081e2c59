"""One project, three lists of packages: pyproject.toml, environment.yml and requirements.lock say the same."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def wanted() -> dict[str, Requirement]:
    told = project()["project"]
    requirements = map(Requirement, [*told["dependencies"], *told["optional-dependencies"]["dev"]])
    return {one.name.lower(): one for one in requirements}


def conda() -> tuple[list[str], list[str]]:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    pip = next(one["pip"] for one in listed if isinstance(one, dict))
    return [one for one in listed if isinstance(one, str)], pip


def test_environment_yml_asks_for_what_pyproject_asks_for() -> None:
    names, pip = conda()
    found = [Requirement(one) for one in [*names, *pip] if one not in ("pip", "-e .") and not one.startswith("python")]
    assert {one.name.lower(): (one.specifier, one.extras) for one in found} == {
        name: (one.specifier, one.extras) for name, one in wanted().items()
    }
    assert len(found) == len(wanted()), "a name stands twice"


def test_environment_yml_installs_the_project_and_its_python() -> None:
    names, pip = conda()
    assert "-e ." in pip and "pip" in names
    python = next(one for one in names if one.startswith("python"))
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(project()["project"]["requires-python"])


def test_the_lock_holds_every_package_within_its_bounds() -> None:
    locked: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ \\;]+)", LOCK, re.MULTILINE):
        locked.setdefault(name.lower(), set()).add(version)
    for name, requirement in wanted().items():
        assert locked[name], name
        assert all(requirement.specifier.contains(version) for version in locked[name]), name


def test_the_lock_has_a_hash_for_everything_and_names_no_host() -> None:
    assert "://" not in LOCK and "--index" not in LOCK and "--find-links" not in LOCK
    entries = [entry for entry in re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE) if entry[:1].isalnum()]
    assert len(entries) > 100
    assert all("--hash=sha256:" in entry for entry in entries)


def test_what_the_package_imports_is_locked() -> None:
    locked = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9._-]+)==", LOCK, re.MULTILINE)}
    owners = importlib.metadata.packages_distributions()
    for path in (ROOT / "mglab").rglob("*.py"):
        for module in imported(path) - sys.stdlib_module_names - {"mglab"}:
            names = {name.lower().replace("_", "-") for name in owners.get(module, [module])}
            assert names & locked, f"{path.relative_to(ROOT)} imports {module}, which requirements.lock does not hold"


def imported(path: Path) -> set[str]:
    """Give the top-level names of all that a module imports, wherever in it, but for files beside it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).split(".")[0])
    return {name for name in found if not path.with_name(f"{name}.py").exists()}


def test_the_build_backend_comes_from_the_lock_too() -> None:
    backend = project()["build-system"]["requires"]
    assert [Requirement(one).name for one in backend] == ["hatchling"] and "hatchling" in wanted()


def test_what_the_project_offers_is_there() -> None:
    told = project()["project"]
    assert told["scripts"] == {"mglab": "mglab.cli:main"}
    assert told["entry-points"]["nbconvert.exporters"] == {"folio": "mglab.folio.exporter:FolioExporter"}
    assert "MIT License" in (ROOT / "LICENSE").read_text("utf-8")


def test_ci_calls_the_two_commands() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "python3 -m mglab test" in script and "python3 -m mglab run" in script
