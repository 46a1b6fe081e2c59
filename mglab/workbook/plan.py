"""Which notebooks a run carries out, and with which parameters: decided, and refused, before anything starts.

A notebook is named by its number: ``06`` is ``06_auto_scaling_group.ipynb``. A parameter is a name that the
cell tagged ``parameters`` of some notebook declares; what the command line gives is text, and becomes the
type that is declared. Papermill itself only warns of an unknown parameter and would run all the same.
"""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mglab.config import Config, configured, nearest
from mglab.errors import LabError, UsageError

TEARDOWN = "99"
OPTIONS = frozenset({"run", "backend"})  # every notebook declares them; here they belong to the run as a whole
SETTINGS = frozenset(field.name for field in fields(Config))
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Step:
    """One notebook of a run, with the parameters it is given."""

    source: Path
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Give the notebook's name without its ending."""
        return self.source.stem


def notebooks(folder: Path, *, first: str = "", last: str = "", keep: bool = False) -> list[Path]:
    """List the numbered notebooks from ``first`` to ``last``; ``keep`` leaves out the teardown unless it is named."""
    found = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise LabError(f"there are no numbered notebooks in {folder}", hint="restore it: git checkout notebooks")
    start = 0 if not first else found.index(named(first, found))
    stop = len(found) if not last else found.index(named(last, found)) + 1
    chosen = found[start:stop]
    if not chosen:
        raise UsageError(f"--from {first} comes after --to {last}", hint="swap them")
    if keep and not {first, last} & {TEARDOWN, chosen[-1].stem}:
        chosen = [path for path in chosen if not path.name.startswith(TEARDOWN)] or chosen
    return chosen


def named(name: str, found: Sequence[Path]) -> Path:
    """Find a notebook by its number or name; refuses one that is not there with the nearest that is."""
    wanted = name.removesuffix(".ipynb")
    wanted = wanted.zfill(2) if wanted.isdigit() else wanted
    for path in found:
        if wanted in (path.stem, path.stem[:2]):
            return path
    known = [path.stem[:2] if wanted.isdigit() else path.stem for path in found]
    raise UsageError(f"there is no notebook {name!r}", hint=nearest(wanted, known, "notebook"))


def assignments(texts: Sequence[str]) -> dict[str, str]:
    """Read ``name=value`` arguments."""
    given = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise UsageError(f"-p {text} is no parameter", hint="give name=value, for example -p desired=2")
        given[name] = value
    return given


def steps(paths: Sequence[Path], given: Mapping[str, str], before: Mapping[str, str] | None = None) -> list[Step]:
    """Give each notebook the parameters that it declares; refuses names that none of them declares.

    ``before`` is what the run was begun with: it holds on unless given anew.
    """
    declared = {path: parameters_of(path) for path in paths}
    known = {name for names in declared.values() for name in names}
    for name in given:
        if name in OPTIONS:
            raise UsageError(f"{name} is an option, not a parameter", hint=f"give --{name} {given[name]}")
        if name not in known:
            raise UsageError(f"there is no parameter {name!r}", hint=nearest(name, known - OPTIONS, "parameter"))
    meant = {**(before or {}), **given}
    chosen = [
        Step(path, {name: typed(name, meant[name], kind) for name, kind in declared[path].items() if name in meant})
        for path in paths
    ]
    configured(Config(), {name: value for name, value in meant.items() if name in SETTINGS})
    return chosen


def parameters_of(path: Path) -> dict[str, str]:
    """Read the names and types that a notebook's ``parameters`` cell declares."""
    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        inferred = papermill.inspect_notebook(str(path))
    except (ValueError, KeyError) as error:
        raise LabError(f"{path} is not a notebook: {error}", hint="restore it: git checkout notebooks") from None
    return {name: _kind(str(known["inferred_type_name"]), known["default"]) for name, known in inferred.items()}


def _kind(declared: str, default: str) -> str:
    """Name a parameter's type: as annotated, else that of its default value."""
    if declared != "None":
        return declared.split("[")[0].strip("'\" ")
    try:
        return type(ast.literal_eval(default)).__name__
    except (ValueError, SyntaxError):
        return "str"  # the default is computed: what is given is taken as text


def typed(name: str, text: str, kind: str) -> Any:
    """Turn a parameter's text into the kind that the notebook declares."""
    try:
        if kind in ("str", "NoneType", "Any"):
            return text
        if kind == "bool":
            return _TRUTH[text.lower()]
        return {"int": int, "float": float}.get(kind, json.loads)(text)
    except (KeyError, ValueError):
        raise UsageError(f"parameter {name} cannot be {text!r}", hint=f"it is declared as {kind}") from None
