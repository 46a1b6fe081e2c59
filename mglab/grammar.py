"""The words of the command line, and their help.

A wrong name (command, option, notebook, parameter, backend, run) is refused in one line with the nearest right one
before anything is started. Commands load what they need when they run, so ``--help`` is quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from mglab import cloud_commands, commands, config, testing
from mglab.errors import UsageError

DESCRIPTION = """\
Scale a TCP service on AWS, or on a local cloud that needs no account: the lab's notebooks, their evidence, one PDF.

  python3 -m mglab run      carry out every notebook on a local cloud and write outputs/<run>/Project3partA.pdf
  python3 -m mglab lab      step through the notebooks yourself in JupyterLab
  python3 -m mglab test     check that all of it works on this machine"""

EXIT_CODES = """\
exit codes: 0 done   1 failed   2 wrong name or option, nothing was started   3 something is left that may cost money
            4 no cloud answers   130 interrupted (and torn down, unless --keep)"""

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
  mglab test --all                also the slow ones: conformance at two rates, campaigns, whole runs that must go alike
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
BENCH_HELP = """\
Whole processes run in turns; minimum, median and maximum are printed with the ratio to ours, and kept in outputs/.

  mglab bench folio     the PDF of a run against jupyter nbconvert --to webpdf on the same notebooks"""
MARK_HELP = """\
Reads the folio.json that every PDF carries and holds it against the pages: who, on which backend, when; evidence,
commentary and warnings by step; which submissions show the same resources. It says what is there, not how good it is.

  mglab mark submissions/*.pdf"""
CLOUD_VERBS = ("up", "set", "down", "status", "env", "knobs")
CLOUD_HELP = """\
  mglab cloud up                  start the cloud that notebooks and commands share
  mglab cloud set rate=600        let its clock run faster; notebooks that are connected follow
  mglab cloud set academy=on      make its account an AWS Academy Learner Lab; session_ends_s=0 ends the session
  mglab cloud set throttling=0.2 capacity=us-east-1a   rehearse what goes wrong; throttling=0 capacity=none ends it
  mglab cloud knobs               list all that may be set, and what the model takes for granted
  mglab cloud up --knob publication_delay_s=0   start it with another value of a knob
  eval "$(mglab cloud env)"       let the AWS CLI, Terraform or an SDK use it
  mglab cloud down                stop it for good: what is in it is gone (--keep: the next up brings it back)

A cloud that ended otherwise - a crash, a restart of this machine, hours without a request - comes back with 'up': the
same resources, addresses and keys, instances booted again, open sessions going on. 'up --fresh' begins anew."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are UsageErrors with the nearest right name."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"see {self.prog} --help")


def read(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; ``options.command`` is what to call."""
    parser, known_commands = grammar()
    name = next((word for word in arguments if not word.startswith("-")), "")
    if name and name not in known_commands:
        raise UsageError(f"there is no command {name!r}", hint=config.nearest(name, known_commands, "command"))
    options, unknown = parser.parse_known_args(arguments)
    if not hasattr(options, "command"):
        parser.print_help()
        raise SystemExit(0 if not arguments else 2)
    if hasattr(options, "rest"):
        options.rest = unknown
    elif name == "cloud" and not any(word.startswith("-") for word in unknown):
        options.words += unknown  # those after an option
    elif unknown:
        known = [word for action in known_commands[name]._actions for word in action.option_strings]
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

    _run_options(command("run", commands.run, "carry out the notebooks, tear down, write the PDF", RUN_HELP))
    lab = _about(command("lab", commands.lab, "open JupyterLab on working copies of the notebooks", LAB_HELP))
    lab.add_argument("--author", default="", help="whose folio it is")
    _edition(lab, "student")
    lab.set_defaults(rest=[])
    test = command("test", testing.test, "run the project's tests", TEST_HELP)
    test.add_argument("--all", action="store_true", help="also the slow ones: conformance, browser, two whole runs")
    test.set_defaults(rest=[])
    _json(_about(command("status", commands.status, "show what a run has made, and what is there now")))
    _about(command("teardown", commands.teardown, "remove everything that a run made; twice does no harm"))
    _json(
        _about(
            command("orphans", commands.orphans, "list what any run has left in the account (exit 3 if something is)")
        )
    )
    pdf = _about(command("pdf", commands.pdf, "build Project3partA.pdf from a run's executed notebooks", PDF_HELP))
    pdf.add_argument("--out", type=Path, help="where to write it (default: in the run's folder)")
    check = _about(
        command("check", commands.check, "say which evidence and which commentaries a run's folio still lacks")
    )
    check.add_argument("notebook", nargs="?", default="", metavar="NN", help="only this notebook's state")
    mark = _json(command("mark", commands.mark, "print a class table of submitted PDFs, for the lecturer", MARK_HELP))
    mark.add_argument("pdfs", nargs="+", type=Path, metavar="PDF", help="submitted folios")
    compare = _json(command("compare", commands.compare, "set two runs' measurements side by side", COMPARE_HELP))
    compare.add_argument("first", metavar="RUN", help="for example a rehearsal")
    compare.add_argument("second", metavar="RUN", help="for example the same on AWS")
    cloud = _json(command("cloud", cloud_commands.cloud, "start, set, stop or describe a local cloud", CLOUD_HELP))
    cloud.add_argument("verb", metavar="|".join(CLOUD_VERBS), type=_verb)
    cloud.add_argument("words", nargs="*", metavar="NAME=VALUE", help="what to set, with up and set")
    cloud.add_argument("--name", default="", help="which cloud (default: MGLAB_CLOUD, else 'default')")
    cloud.add_argument("--rate", type=_rate, default=60.0, help="lab seconds per second (default: 60)")
    cloud.add_argument("--fresh", action="store_true", help="up: begin anew, with nothing of what was in it")
    cloud.add_argument("--keep", action="store_true", help="down: keep what is in it for the next up")
    _knobs(cloud)
    ssh = _about(
        command("ssh", commands.ssh, "open a shell on an instance of a run, or run one command there", SSH_HELP)
    )
    ssh.add_argument("instance", metavar="NAME|INSTANCE_ID", help="which instance")
    words = ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="default: a shell")
    words.required = False  # before Python 3.12 argparse asks for what may be nothing
    bench = _json(command("bench", commands.bench, "time something against what one would use instead", BENCH_HELP))
    bench.add_argument("name", choices=("folio",), help="what is timed")
    bench.add_argument("--run", default="", metavar="NAME", help="which run's notebooks (default: the newest)")
    bench.add_argument("--rounds", type=int, default=5, help="how often each is run (default: 5)")
    _json(_about(command("doctor", commands.doctor, "look whether this machine and account are ready")))
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
    if text not in CLOUD_VERBS:
        raise UsageError(f"there is no 'cloud {text}'", hint=config.nearest(text, CLOUD_VERBS, "cloud command"))
    return text
