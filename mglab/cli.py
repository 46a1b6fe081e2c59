"""The command line: ``python3 -m mglab COMMAND``, or ``mglab COMMAND`` once it is installed.

Only this module turns errors into exit codes and prints tables. A wrong name (command, option, notebook,
parameter, backend, run) is refused in one line with the nearest right one before anything is started. Commands
load what they need when they run, so ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import dataclasses
import errno
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from mglab import config
from mglab.errors import CloudUnavailable, LabError, OutputsUnwritable, TeardownIncomplete, UsageError

DESCRIPTION = """\
Scale a TCP service on AWS, or on a local cloud that needs no account: the lab's notebooks, their evidence, one PDF.

  python3 -m mglab run      carry out every notebook on a local cloud and write outputs/<run>/Project3partA.pdf
  python3 -m mglab lab      step through the notebooks yourself in JupyterLab
  python3 -m mglab test     check that all of it works on this machine"""

EXIT_CODES = """\
exit codes: 0 done   1 failed   2 wrong name or option, nothing was started   3 something is left that may cost money
            4 no cloud answers   130 interrupted (and torn down, unless --keep)"""

SIDE_BY_SIDE, ALONE = ("notebooks", "local", "pure", "conformance", "browser"), ("rates",)
"""Folders of tests: those whose files may run side by side, the longest first, and those that time what they run."""
MOST_WORKERS = 8
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    try:
        options = read(sys.argv[1:] if arguments is None else list(arguments))
        return int(options.command(options))
    except LabError as error:
        return complain(error)
    except KeyboardInterrupt:
        print("mglab: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read us has gone: nothing to tell
        return 0
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        words = f"cannot write {error.filename or 'the outputs'}: {error.strerror}"
        return complain(OutputsUnwritable(words, hint="free space, or name another folder: MGLAB_OUTPUTS=FOLDER"))


def complain(error: LabError) -> int:
    """Print what went wrong and what to do next, on standard error; gives the exit code."""
    sys.stdout.flush()
    joined = f"{error.message}; {error.hint}" if isinstance(error, UsageError) and error.hint else str(error)
    print(f"mglab: {joined}", file=sys.stderr)
    return error.exit_code


# -- the grammar -------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are UsageErrors with the nearest right name."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"see {self.prog} --help")


def read(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; ``options.command`` is what to call."""
    parser, commands = grammar()
    name = next((word for word in arguments if not word.startswith("-")), "")
    if name and name not in commands:
        raise UsageError(f"there is no command {name!r}", hint=config.nearest(name, commands, "command"))
    options, unknown = parser.parse_known_args(arguments)
    if not hasattr(options, "command"):
        parser.print_help()
        raise SystemExit(0 if not arguments else 2)
    if hasattr(options, "rest"):
        options.rest = unknown
    elif unknown:
        known = [word for action in commands[name]._actions for word in action.option_strings]
        raise UsageError(f"{name} does not know {unknown[0]!r}", hint=config.nearest(unknown[0], known, "option"))
    return options


def grammar() -> tuple[Parser, dict[str, Parser]]:
    """Make the parser, and give each command's own by name."""
    form = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="mglab", description=DESCRIPTION, epilog=EXIT_CODES, formatter_class=form, allow_abbrev=False)
    made = parser.add_subparsers(metavar="COMMAND", title="commands")

    def command(name: str, act: Callable[[argparse.Namespace], int], says: str, more: str = "") -> Any:
        about = f"{says[0].upper()}{says[1:]}.\n\n{more}".rstrip()
        sub = made.add_parser(
            name, help=says, description=about, epilog=EXIT_CODES, formatter_class=form, allow_abbrev=False
        )
        sub.set_defaults(command=act)
        return sub

    _run_options(command("run", run, "carry out the notebooks, tear down, write the PDF", RUN_HELP))
    lab = _about(command("lab", lab_, "open JupyterLab on working copies of the notebooks", LAB_HELP))
    lab.add_argument("--author", default="", help="whose folio it is")
    _edition(lab, "student")
    lab.set_defaults(rest=[])
    test = command("test", test_, "run the project's tests", TEST_HELP)
    test.add_argument("--all", action="store_true", help="also the slow ones: conformance, browser, two whole runs")
    test.set_defaults(rest=[])
    _json(_about(command("status", status, "show what a run has made, and what is there now")))
    _about(command("teardown", teardown, "remove everything that a run made; twice does no harm"))
    _json(_about(command("orphans", orphans, "list what any run has left in the account (exit 3 if something is)")))
    pdf = _about(command("pdf", pdf_, "build Project3partA.pdf from a run's executed notebooks", PDF_HELP))
    pdf.add_argument("--out", type=Path, help="where to write it (default: in the run's folder)")
    check = _about(command("check", check_, "say which evidence and which commentaries a run's folio still lacks"))
    check.add_argument("notebook", nargs="?", default="", metavar="NN", help="only this notebook's state")
    compare = _json(command("compare", compare_, "set two runs' measurements side by side", COMPARE_HELP))
    compare.add_argument("first", metavar="RUN", help="for example a rehearsal")
    compare.add_argument("second", metavar="RUN", help="for example the same on AWS")
    cloud = _json(command("cloud", cloud_, "start, stop or describe a local cloud", CLOUD_HELP))
    cloud.add_argument("verb", metavar="up|down|status|env|knobs", type=_verb)
    cloud.add_argument("--name", default="", help="which cloud (default: MGLAB_CLOUD, else 'default')")
    cloud.add_argument("--rate", type=_rate, default=60.0, help="lab seconds per second (default: 60)")
    _knobs(cloud)
    ssh = _about(command("ssh", ssh_, "open a shell on an instance of a run, or run one command there", SSH_HELP))
    ssh.add_argument("instance", metavar="NAME|INSTANCE_ID", help="which instance")
    words = ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="default: a shell")
    words.required = False  # before Python 3.12 argparse asks for what may be nothing
    _json(_about(command("doctor", doctor, "look whether this machine and account are ready")))
    return parser, made.choices


def _run_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--backend", default="local", help="local (default) or aws")
    sub.add_argument("--rate", type=_rate, default=60.0, help="lab seconds per second on the local cloud (default: 60)")
    sub.add_argument("--from", dest="first", default="", metavar="NN", help="first notebook")
    sub.add_argument("--to", dest="last", default="", metavar="NN", help="last notebook")
    sub.add_argument("--keep", action="store_true", help="tear nothing down; a later run of this name goes on there")
    sub.add_argument("--run", default="", metavar="NAME", help="the run's name (default: date and time)")
    sub.add_argument("--author", default="", help="whose folio it is")
    _edition(sub, "reference, or what the run was begun as")
    _knobs(sub)
    sub.add_argument("-p", dest="given", action="append", default=[], metavar="NAME=VALUE", help="a notebook parameter")


def _knobs(sub: argparse.ArgumentParser) -> None:
    says = "turn a knob of the local cloud's model ('mglab cloud knobs' lists them); may be repeated"
    sub.add_argument("--knob", dest="knobs", action="append", default=[], metavar="NAME=VALUE", help=says)


def _edition(sub: argparse.ArgumentParser, usual: str) -> None:
    sub.add_argument(
        "--edition", type=_edition_name, default="",
        help=f"student (the insight is yours to write) or reference (with model answers); default: {usual}",
    )  # fmt: skip


def _edition_name(text: str) -> str:
    return config.edition(text, {}) if text else ""  # argparse asks about the default too


def _about(sub: Any) -> Any:
    """Add the options that say which run on which backend."""
    sub.add_argument("--run", default="", metavar="NAME", help="which run (default: the newest)")
    sub.add_argument("--backend", default="", help="local or aws (default: the run's own)")
    return sub


def _json(sub: Any) -> Any:
    sub.add_argument("--json", action="store_true", help="print JSON, for scripts")
    return sub


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1 <= rate <= 3600:
        raise UsageError(f"the clock cannot run at rate {text}", hint="give 1 to 3600; 60 is usual")
    return rate


def _verb(text: str) -> str:
    verbs = ("up", "down", "status", "env", "knobs")
    if text not in verbs:
        raise UsageError(f"there is no 'cloud {text}'", hint=config.nearest(text, verbs, "cloud command"))
    return text


RUN_HELP = """\
Each notebook gets a kernel of its own; executed copies lie in outputs/<run>/notebooks. On the local backend the
run has a cloud of its own, started at --rate and taken down at the end. Whatever happens - a failing cell, Ctrl-C,
kill -9 - what was made is torn down, unless --keep.

  mglab run                          the whole sequence on a local cloud, over two hours of AWS time in minutes
  mglab run --to 06 --keep --run x   build everything and leave it there; `mglab run --run x --from 07 --keep` goes on
  mglab run -p target_cpu_percent=40 a parameter that the notebooks declare
  mglab run --edition student        without the model answers that a reference run adds
  mglab run --backend aws            on your own account: this costs money until it is torn down"""
LAB_HELP = """\
The copies are made in outputs/<run>/notebooks once and never overwritten. Options that are not ours go to JupyterLab:

  mglab lab --no-browser --port=8899"""
TEST_HELP = """\
Everything else goes to pytest:

  mglab test                      pure, local and notebook tests: one whole run among them
  mglab test --all                also the slow ones: the whole run at rates 20 and 60 must go alike
  mglab test tests/pure -k cost   only some"""
PDF_HELP = "Needs no cloud: it reads the notebooks, the evidence, your commentary/ and your screenshots/."
SSH_HELP = """\
As ec2-user with the run's key pair, on either backend. The command's output and exit code are passed on.
Options come before the instance:

  mglab ssh MusicGuru             a shell
  mglab ssh --run x i-0abc... 'sudo pkill -f MusicGuruServer.py'"""
COMPARE_HELP = """\
Each stretch of time and each sequence of states of the experiments that both have, and question 1's shares side by
side; figures of both runs over each other go to outputs/compare-RUN-RUN/. Needs no cloud: it reads what the runs have
kept, and names every file that cannot be read.

  mglab compare rehearsal real    how far the local cloud's model is from AWS, band by band"""
CLOUD_HELP = """\
  mglab cloud up                  start the cloud that notebooks and commands share
  mglab cloud knobs               list what the model takes for granted: delays, thresholds, shares
  mglab cloud up --knob publication_delay_s=0   start it with another value; it keeps it until it is down
  eval "$(mglab cloud env)"       let the AWS CLI, Terraform or an SDK use it
  mglab cloud down"""


# -- the commands ------------------------------------------------------------------------------------------


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


def lab_(options: argparse.Namespace) -> int:
    """Open JupyterLab, on the local backend with its cloud up."""
    from mglab.workbook import clouds, jupyter, runs, state

    folder = config.outputs_folder(os.environ) / config.run_name(options.run, os.environ)
    backend = _backend(runs.backend_of(folder, options.backend))
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


def test_(options: argparse.Namespace) -> int:
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


def status(options: argparse.Namespace) -> int:
    """Show a run's record, its cloud, and what is in the account now."""
    from mglab.steps import teardown as steps
    from mglab.workbook import clouds, runs, state, times

    folder = runs.that_exists(options.run)
    backend = _backend(runs.backend_of(folder, options.backend))
    record = state.read(folder)
    cloud = clouds.ask("status", runs.cloud_of(folder)) if backend == "local" else {}
    found = [] if cloud is None else list(steps.inventory(_connected(folder, backend)))
    if options.json:
        shown = clouds.shown(cloud) if cloud else None
        about = {"run": folder.name, "backend": backend, "record": record, "times": times.spent(record)}
        return _print_json({**about, "cloud": shown, "resources": found})
    print(f"run {folder.name} on {backend}: {_became(folder, record)}, in {folder}")
    for name, one in record.get("notebooks", {}).items():
        print(f"  {name:<28} {one.get('status', ''):<12} {one.get('error', '')}".rstrip())
    _print_pieces(record)
    _print_table(times.spent(record), "")
    print(_about_cloud(cloud, runs.cloud_of(folder), backend))
    _print_table(found, "nothing of this run is there now")
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
        return f"cloud {name}: not running"
    return f"cloud {name}: running at rate {cloud['rate']:g}{clouds.knobs_in_words(cloud)}; in it now:"


def teardown(options: argparse.Namespace) -> int:
    """Remove everything of a run."""
    from mglab.steps import teardown as steps
    from mglab.workbook import runs, state, surroundings

    folder = runs.meant(options.run)
    backend = _backend(runs.backend_of(folder, options.backend))
    surroundings.refuse_to_disturb(folder)
    if backend == "local" and not _cloud_runs(folder):
        return _lost_with_its_cloud(runs.that_exists(options.run))
    print(f"tearing down run {folder.name} on {backend}", flush=True)
    _print_table(steps.teardown(_connected(folder, backend)), "there was nothing to remove")
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
    backend = _backend(runs.backend_of(folder, options.backend))
    gone = backend == "local" and not _cloud_runs(folder)
    found = [] if gone else list(steps.orphans(_connected(folder, backend)))
    if options.json:
        _print_json(found)
    else:
        where = f": its local cloud {runs.cloud_of(folder)!r} is not running" if gone else ""
        _print_table(found, f"nothing is left of any run{where}")
    return TeardownIncomplete.exit_code if found else 0


def pdf_(options: argparse.Namespace) -> int:
    """Build the folio of a run."""
    from mglab.folio.build import build
    from mglab.workbook import runs

    print(build(runs.that_exists(options.run), out=options.out))
    return 0


def check_(options: argparse.Namespace) -> int:
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
    _print_table(sections, "")
    _print_table(completeness.commentaries(of), "")
    failed = [name for name, one in notebooks.items() if one.get("status") != "passed"]
    print("\n".join(f"{name}: {notebooks[name].get('status')}" for name in failed) or "every notebook passed")
    return 1 if failed or any(section.status == "missing" for section in sections) else 0


def compare_(options: argparse.Namespace) -> int:
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
        return _print_json({"runs": [first.told(), second.told()], "bands": rows, "states": states,
                            "shares": shares, "lacking": lacking, "figures": drawn})  # fmt: skip
    for letter, one in (("A", first), ("B", second)):
        print(f"{letter}: run {one.name}, measured at {one.place}, {one.rate:g} AWS seconds a second")
    _print_table(rows, "the runs have no experiment in common")
    others = compare.other_states(states)
    if states:
        print(f"\n{len(states) - len(others)} of {len(states)} sequences of states are the same in both")
        _print_table(others, "")
    if shares:
        print()
        _print_table(shares, "")
    print("\n".join([*lacking, *map(str, drawn)]))
    return 0


def cloud_(options: argparse.Namespace) -> int:
    """Start, stop or describe a local cloud."""
    from mglab.workbook import clouds

    if options.verb == "knobs":
        return _list_knobs(clouds.knobs(options.knobs), as_json=options.json)
    name = options.name or os.environ.get("MGLAB_CLOUD") or config.DEFAULT_CLOUD
    if options.verb == "down":
        clouds.ask("down", name)
        print("null" if options.json else f"cloud {name} is down")
        return 0
    cloud = clouds.ask("up" if options.verb == "up" else "status", name, options.rate, options.knobs)
    if cloud is None:
        hint = "start it: python3 -m mglab cloud up" + ("" if name == config.DEFAULT_CLOUD else f" --name {name}")
        raise CloudUnavailable(f"the local cloud {name!r} is not running", hint=hint)
    if options.verb == "env":
        known = clouds.environment_of(cloud)
        lines = [f"export {variable}={shlex.quote(value)}" for variable, value in known.items()]
        return _print_json(known) if options.json else print("\n".join(lines)) or 0
    if options.json:
        return _print_json(clouds.shown(cloud))
    told = f"rate {cloud['rate']:g}, process {cloud['pid']}{clouds.knobs_in_words(cloud)}"
    print(f"cloud {name}: {cloud['endpoint']}, {cloud['region']}, {told}")
    if other := cloud.get("other_knobs"):
        print(f"it was running already and keeps its knobs: {other}; for others, first: mglab cloud down")
    return 0


def _list_knobs(knobs: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        return _print_json(knobs)
    _print_table(knobs, "")
    print("the sources are rows of the facts about AWS that the model was written from; none is a promise of AWS")
    return 0


def ssh_(options: argparse.Namespace) -> int:
    """Open a shell on an instance, or run a command there; gives the command's exit code."""
    from mglab.workbook import runs, terminal

    folder = runs.meant(options.run)
    lab = _connected(folder, _backend(runs.backend_of(folder, options.backend)))
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    return terminal.converse(lab, terminal.find(lab, options.instance), " ".join(words))


def doctor(options: argparse.Namespace) -> int:
    """Ask the machine's questions, then the account's; exit code 1 when something blocks."""
    from mglab.workbook import doctor as machine
    from mglab.workbook import runs
    from mglab.workbook.surroundings import environment

    folder = runs.meant(options.run)
    backend = _backend(runs.backend_of(folder, options.backend))
    with environment(runs.settings(folder, backend)):
        found = [*machine.findings(), *machine.account_findings(folder.name, backend)]
    if options.json:
        _print_json(found)
    else:
        _print_table(found, "")
    return 1 if any(finding.blocks for finding in found) else 0


# -- shared by the commands --------------------------------------------------------------------------------


def _backend(name: str) -> str:
    if name not in ("local", "aws"):
        raise UsageError(f"there is no backend {name!r}", hint=config.nearest(name, ("local", "aws"), "backend"))
    return name


def _cloud_runs(folder: Path) -> bool:
    from mglab.workbook import clouds, runs

    return clouds.ask("status", runs.cloud_of(folder)) is not None


def _connected(folder: Path, backend: str) -> Any:
    """Open a session for a run, on the cloud that the run is on."""
    from mglab.session import connect
    from mglab.workbook import runs
    from mglab.workbook.surroundings import environment

    with environment(runs.settings(folder, backend)):
        return connect(folder.name, backend)


def _print_table(rows: Iterable[Any], nothing: str) -> None:
    from mglab.display import table

    shown = list(rows)
    print(table(shown).text if shown else nothing)


def _print_json(value: Any) -> int:
    def plain(one: Any) -> Any:
        return dataclasses.asdict(one) if dataclasses.is_dataclass(one) and not isinstance(one, type) else str(one)

    print(json.dumps(value, indent=1, default=plain, ensure_ascii=False))
    return 0
