"""What the commands do, but for clouds (``cloud_commands``) and tests (``testing``): each gives its exit code.

Here things are printed; libraries are loaded by the command that needs them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mglab import config
from mglab.errors import LabError, TeardownIncomplete, UsageError


def run(options: argparse.Namespace) -> int:
    """Carry out a run."""
    from mglab.session import connect
    from mglab.workbook import plan, runner

    wanted = runner.Options(
        backend=options.backend, rate=options.rate, first=options.first, last=options.last, keep=options.keep,
        run=options.run, author=options.author, edition=options.edition, parameters=plan.assignments(options.given),
        knobs=options.knobs,
        require_account=lambda run: connect(run, "aws"),
    )  # fmt: skip
    return runner.run(wanted)


def lab(options: argparse.Namespace) -> int:
    """Open JupyterLab, on the local backend with its cloud up."""
    from mglab.workbook import clouds, jupyter, runs, state

    folder = config.outputs_folder(os.environ) / config.run_name(options.run, os.environ)
    backend = backend_named(runs.backend_of(folder, options.backend))
    jupyter.working_copies(config.project_folder() / "notebooks", folder)
    known = {"run": folder.name, "backend": backend, "started": state.now(), **state.read(folder)}
    known["edition"] = options.edition or config.EDITIONS[0]
    if options.author:
        known["author"] = options.author
    if backend == "local":
        known["cloud"] = runs.cloud_of(folder)
        known["rate"] = (clouds.ask("up", known["cloud"]) or {}).get("rate")
    state.write(folder, known)
    jupyter.open_lab(folder, backend, options.rest)
    return 0


def status(options: argparse.Namespace) -> int:
    """Show a run's record, its cloud, and what is in the account now."""
    from mglab.steps import teardown as steps
    from mglab.workbook import clouds, runs, state, times

    folder = runs.that_exists(options.run)
    backend = backend_named(runs.backend_of(folder, options.backend))
    record = state.read(folder)
    cloud = clouds.ask("status", runs.cloud_of(folder)) if backend == "local" else {}
    found = [] if cloud is None else list(steps.inventory(_connected(folder, backend)))
    if options.json:
        shown = clouds.shown(cloud) if cloud else None
        about = {"run": folder.name, "backend": backend, "record": record, "times": times.spent(record)}
        return print_json({**about, "cloud": shown, "resources": found})
    print(f"run {folder.name} on {backend}: {_became(folder, record)}, in {folder}")
    for name, one in record.get("notebooks", {}).items():
        print(f"  {name:<28} {one.get('status', ''):<12} {one.get('error', '')}".rstrip())
    _print_pieces(record)
    print_table(times.spent(record), "")
    print(_about_cloud(cloud, runs.cloud_of(folder), backend))
    print_table(found, "nothing of this run is there now")
    return 0


def _print_pieces(record: dict[str, Any]) -> None:
    """Say of a run that was done in pieces when, from where to where, and how each ended."""
    pieces = record.get("pieces", [])
    for number, one in enumerate(pieces if len(pieces) > 1 else [], 1):
        reach = f"{one['from'] or 'the first notebook'} to {one['to'] or 'the last'}"
        print(f"  piece {number}: {one['started']} to {one.get('finished', 'now')}, {reach}: {one.get('status', '')}")


def _became(folder: Path, record: dict[str, Any]) -> str:
    from mglab.workbook.surroundings import is_going_on

    if record.get("status") == "running" and not is_going_on(folder):
        return "ended without a last word (killed, or a full disk)"
    return record.get("status") or "not carried out as a whole"


def _about_cloud(cloud: dict[str, Any] | None, name: str, backend: str) -> str:
    from mglab.workbook import clouds

    if backend == "aws":
        return "on your AWS account now:"
    if not cloud:
        kept = f"; what was in it is kept: python3 -m mglab cloud up --name {name}" if clouds.kept(name) else ""
        return f"cloud {name}: not running{kept}"
    return f"cloud {name}: running at rate {cloud['rate']:g}{clouds.knobs_in_words(cloud)}; in it now:"


def teardown(options: argparse.Namespace) -> int:
    """Remove everything of a run."""
    from mglab.steps import teardown as steps
    from mglab.workbook import runs, state, surroundings

    folder = runs.meant(options.run)
    backend = backend_named(runs.backend_of(folder, options.backend))
    surroundings.refuse_to_disturb(folder)
    if backend == "local" and not _cloud_runs(folder):
        return _lost_with_its_cloud(runs.that_exists(options.run))
    print(f"tearing down run {folder.name} on {backend}", flush=True)
    print_table(steps.teardown(_connected(folder, backend)), "there was nothing to remove")
    if backend == "local":
        _end_own_cloud(folder)
    if not surroundings.is_going_on(folder):  # the record is the runner's for as long as there is one
        state.note_teardown(folder)
    return 0


def _end_own_cloud(folder: Path) -> None:
    """Stop the cloud that a run had to itself; the one that notebooks and commands share stays."""
    from mglab.workbook import clouds, runs

    if runs.cloud_of(folder) == f"run-{folder.name}":
        clouds.ask("down", runs.cloud_of(folder))


def _lost_with_its_cloud(folder: Path) -> int:
    from mglab.workbook import lost, runs, state, surroundings

    cloud = runs.cloud_of(folder)
    clock = lost.clock_of(folder, cloud, float(state.read(folder).get("rate") or 1))
    gone = lost.with_its_cloud(folder, cloud, clock)
    if not surroundings.is_going_on(folder):
        state.note_teardown(folder)
    went = f"{len(gone)} resources of the run went with it" if gone else "nothing is left of the run"
    print(f"the local cloud {cloud!r} of run {folder.name} is not running: {went}")
    return 0


def orphans(options: argparse.Namespace) -> int:
    """List what carries any run's tag; exit code 3 when there is something."""
    from mglab.steps import teardown as steps
    from mglab.workbook import runs

    folder = runs.meant(options.run)
    backend = backend_named(runs.backend_of(folder, options.backend))
    gone = backend == "local" and not _cloud_runs(folder)
    found = [] if gone else list(steps.orphans(_connected(folder, backend)))
    if options.json:
        print_json(found)
    else:
        where = f": its local cloud {runs.cloud_of(folder)!r} is not running" if gone else ""
        print_table(found, f"nothing is left of any run{where}")
    return TeardownIncomplete.exit_code if found else 0


def pdf(options: argparse.Namespace) -> int:
    """Build the folio of a run."""
    from mglab.folio.build import build
    from mglab.workbook import runs

    print(build(runs.that_exists(options.run), out=options.out))
    return 0


def check(options: argparse.Namespace) -> int:
    """Say what a run's folio has and lacks; exit code 1 when a notebook failed or evidence is missing."""
    from mglab.workbook import completeness, plan, runs, state

    folder = runs.that_exists(options.run)
    sequence = plan.notebooks(config.project_folder() / "notebooks")
    notebooks = {path.stem: {"status": "not run"} for path in sequence} | state.read(folder).get("notebooks", {})
    if options.notebook:
        name = plan.named(options.notebook, [Path(known) for known in notebooks]).name
        print(f"{name}: {notebooks[name].get('status')} {notebooks[name].get('error', '')}".rstrip())
        return 0 if notebooks[name].get("status") == "passed" else 1
    of: Any = SimpleNamespace(folder=folder)  # all that is asked of a session here: no cloud need run
    sections = completeness.by_section(of)
    print_table(sections, "")
    print_table(completeness.commentaries(of), "")
    failed = [name for name, one in notebooks.items() if one.get("status") != "passed"]
    print("\n".join(f"{name}: {notebooks[name].get('status')}" for name in failed) or "every notebook passed")
    return 1 if failed or any(section.status == "missing" for section in sections) else 0


def mark(options: argparse.Namespace) -> int:
    """Print a class table of submitted folios; exit code 1 when one of them could not be read."""
    from mglab.folio import marking

    several = len({path.name for path in options.pdfs}) == len(options.pdfs)
    read, refused = [], []
    for path in options.pdfs:
        try:
            read.append(marking.read(path, path.name if several else str(path)))
        except LabError as error:
            refused.append(error.message)
    steps, shared = marking.by_step(read), marking.shared(read)
    if options.json:
        print_json({"submissions": read, "steps": steps, "shared": shared, "refused": refused})
    else:
        print_table(read, "no folio could be read")
        for rows in (steps if read else [], shared):
            if rows:
                print()
                print_table(rows, "")
        print("\n".join(refused))
    return 1 if refused else 0


def compare(options: argparse.Namespace) -> int:
    """Compare two runs, and draw both."""
    from mglab.study import compare
    from mglab.workbook import comparing, runs

    folders = [runs.that_exists(name) for name in (options.first, options.second)]
    first, second = (comparing.run_in(folder) for folder in folders)
    name = f"compare-{first.name}-{second.name}"
    drawn = comparing.draw(first, second, folders[0].parent / name)
    rows, states = compare.differences(first, second), compare.states(first, second)
    shares, lacking = compare.shares(first, second), compare.lacking(first, second)
    if options.json:
        return print_json({"runs": [first.told(), second.told()], "bands": rows, "states": states,
                            "shares": shares, "lacking": lacking, "figures": drawn})  # fmt: skip
    for letter, one in (("A", first), ("B", second)):
        print(f"{letter}: run {one.name}, measured at {one.place}, {one.rate:g} AWS seconds a second")
    print_table(rows, "the runs have no experiment in common")
    others = compare.other_states(states)
    if states:
        print(f"\n{len(states) - len(others)} of {len(states)} sequences of states are the same in both")
        print_table(others, "")
    if shares:
        print()
        print_table(shares, "")
    print("\n".join([*lacking, *map(str, drawn)]))
    return 0


def ssh(options: argparse.Namespace) -> int:
    """Open a shell on an instance, or run a command there; gives the command's exit code."""
    from mglab.workbook import runs, terminal

    folder = runs.meant(options.run)
    lab = _connected(folder, backend_named(runs.backend_of(folder, options.backend)))
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    return terminal.converse(lab, terminal.find(lab, options.instance), " ".join(words))


def doctor(options: argparse.Namespace) -> int:
    """Ask the machine's questions, then the account's; exit code 1 when something blocks."""
    from mglab.workbook import doctor as machine
    from mglab.workbook import runs
    from mglab.workbook.surroundings import environment

    folder = runs.meant(options.run)
    backend = backend_named(runs.backend_of(folder, options.backend))
    with environment(runs.settings(folder, backend)):
        found = [*machine.findings(), *machine.account_findings(folder.name, backend)]
    if options.json:
        print_json(found)
    else:
        print_table(found, "")
    return 1 if any(finding.blocks for finding in found) else 0


def bench(options: argparse.Namespace) -> int:
    """Time what a benchmark compares, in turns, and keep the figures as JSON."""
    import tempfile

    from mglab.bench import folio, rounds
    from mglab.folio import files
    from mglab.workbook import runs, software

    folder = runs.that_exists(options.run)
    kept = folder.parent / f"bench-{options.name}.json"
    with tempfile.TemporaryDirectory(prefix="mglab-bench-") as scratch:
        log = Path(scratch) / "log"
        results = rounds.in_turns(folio.contestants(folder, Path(scratch)), options.rounds, log)
    about = {"bench": options.name, "run": folder.name, "machine": rounds.machine(), "software": software.versions()}
    told = {**about, "missing": folio.missing(), "results": [dataclasses.asdict(one) for one in results]}
    files.write(kept, (json.dumps(told, indent=1) + "\n").encode())
    if options.json:
        return print_json(told)
    print(", ".join(f"{name} {value}" for name, value in {**about["machine"], **about["software"]}.items()))
    print_table(results, "")
    print("\n".join(word for word in (told["missing"], f"kept in {kept}") if word))
    return 0


# -- shared by the commands --------------------------------------------------------------------------------


def backend_named(name: str) -> str:
    if name not in ("local", "aws"):
        raise UsageError(f"there is no backend {name!r}", hint=config.nearest(name, ("local", "aws"), "backend"))
    return name


def _cloud_runs(folder: Path) -> bool:
    """Say whether a run's cloud runs; one that has ended with something in it is started again for that."""
    from mglab.workbook import clouds, runs

    name = runs.cloud_of(folder)
    return clouds.ask("up" if clouds.kept(name) else "status", name) is not None


def _connected(folder: Path, backend: str) -> Any:
    """Open a session for a run, on the cloud that the run is on."""
    from mglab.session import connect
    from mglab.workbook import runs
    from mglab.workbook.surroundings import environment

    with environment(runs.settings(folder, backend)):
        return connect(folder.name, backend)


def print_table(rows: Iterable[Any], nothing: str) -> None:
    """Print rows as a table, or these words when there are none."""
    from mglab.display import table

    shown = list(rows)
    print(table(shown).text if shown else nothing)


def print_json(value: Any) -> int:
    """Print a value for scripts; gives the exit code."""

    def plain(one: Any) -> Any:
        return dataclasses.asdict(one) if dataclasses.is_dataclass(one) and not isinstance(one, type) else str(one)

    print(json.dumps(value, indent=1, default=plain, ensure_ascii=False))
    return 0
