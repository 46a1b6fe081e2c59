"""``mglab run``: every numbered notebook in order on a cloud of its own, then the teardown, then the PDF.

Order of a run: refuse what cannot work (nothing is started) -> the guard, which starts the run's cloud and will
tear down whatever happens to us -> the notebooks, one kernel each, one status line -> the last word to the guard
-> the folio, so that the teardown is evidence too -> the closing lines. A second Ctrl-C
cannot skip the teardown.

With ``keep`` there is no guard: nothing is torn down, the cloud stays, and the next run of this name goes on there,
with the parameters that it was begun with unless told others.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mglab import config
from mglab.errors import LabError, OutputsUnwritable, TeardownIncomplete, UsageError
from mglab.workbook import closing, clouds, cost, execution, guard, lost, plan, software, state, times
from mglab.workbook.progress import StatusLine
from mglab.workbook.surroundings import (
    Stop,
    environment,
    full_disks,
    kernel_settings,
    lock_of,
    only_run,
    scratch_folder,
    signals,
)

DEFAULT_RATE = 60.0
CELL_LIMIT_S = {"local": 1800, "aws": 5400}
BACKENDS = ("local", "aws")


@dataclass(frozen=True)
class Options:
    """What a run is to be; an empty name is replaced by the date and time."""

    backend: str = "local"
    rate: float = DEFAULT_RATE
    first: str = ""
    last: str = ""
    keep: bool = False
    run: str = ""
    author: str = ""
    edition: str = ""
    """Empty: the one that an earlier run of this name was of, else the reference."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    knobs: Sequence[str] = ()
    """``NAME=VALUE`` of the local cloud's model."""
    notebooks: Path = field(default_factory=lambda: config.project_folder() / "notebooks")
    outputs: Path = field(default_factory=lambda: config.outputs_folder(os.environ))
    teardown: Sequence[str] = (sys.executable, "-m", "mglab", "teardown")
    """The command that tears a run down; ``--run`` and ``--backend`` are added."""
    require_account: Callable[[str], object] = lambda run: None
    """Raises a LabError when an account cannot be used; asked on AWS, for the run's name, before anything starts."""


@dataclass
class Course:
    """A run while it goes on: what it is, where it writes, what came of it so far."""

    options: Options
    name: str
    folder: Path
    steps: list[plan.Step]
    goes_on: bool
    """Whether this is a further piece of a run that was kept."""
    held: int
    """The descriptor of the run's lock."""
    scratch: Path
    line: StatusLine
    record: dict[str, Any]
    stop: Stop
    is_empty: bool = False
    """Whether the run's cloud has only just started, so that nothing of earlier notebooks is there."""
    began: float = field(default_factory=time.time)
    passed: list[str] = field(default_factory=list)
    error: LabError | None = None

    def note(self, **changes: Any) -> None:
        """Change the record and file it."""
        self.record.update(changes)
        state.write(self.folder, self.record)

    def spent(self, around: str, since: float) -> None:
        """Note how long something around the notebooks took."""
        self.record["pieces"][-1]["around"][around] = round(time.monotonic() - since, 1)

    def last_note(self, **changes: Any) -> None:
        """Change the record and file it if that can be: a full disk keeps no run from ending in good order."""
        try:
            self.note(**changes)
        except OutputsUnwritable as error:
            self.error = self.error or error

    @property
    def cloud_name(self) -> str:
        """Name the run's own cloud; none on AWS."""
        return f"run-{self.name}" if self.options.backend == "local" else ""


def run(options: Options) -> int:
    """Carry out a run; gives the exit code. Raises LabError for what keeps it from starting."""
    name = checked_name(options)
    paths = plan.notebooks(options.notebooks, first=options.first, last=options.last, keep=options.keep)
    folder = options.outputs / name
    known = state.read(folder)
    goes_on = state.goes_on(known, options.backend)
    steps = plan.steps(paths, options.parameters, known.get("parameters") if goes_on else None)
    if options.backend == "aws":
        options.require_account(name)
    words = f"stopping: {'nothing is torn down' if options.keep else 'tearing down first'}"
    with only_run(folder) as held, signals(words) as stop, scratch_folder() as scratch:
        past = state.past_seconds(sorted(options.outputs.iterdir()), backend=options.backend, rate=_rate(options))
        line = StatusLine([step.name for step in steps], past)
        record = _record(options, name, known) if goes_on else _new_record(options, name, known)
        course = Course(options, name, folder, steps, goes_on, held, scratch, line, record, stop)
        with environment(_settings(course)):
            return carry_out(course)


# -- before anything is started ----------------------------------------------------------------------------


def checked_name(options: Options) -> str:
    """Give the run's name; refuses a backend, an edition or a rate that there is not, and a user without a home."""
    if options.backend not in BACKENDS:
        hint = config.nearest(options.backend, BACKENDS, "backend")
        raise UsageError(f"there is no backend {options.backend!r}", hint=hint)
    if not 1 <= options.rate <= 3600:
        raise UsageError(f"the clock cannot run at rate {options.rate:g}", hint="give 1 to 3600; 60 is usual")
    config.edition(options.edition, {})
    config.state_home(os.environ)
    if options.knobs and options.backend != "local":
        raise UsageError("only a local cloud has knobs", hint="leave --knob away, or use --backend local")
    if options.knobs:
        clouds.knobs(options.knobs)
    return config.run_name(options.run or datetime.now().strftime("%Y-%m-%d-%H%M%S"), {})


def _settings(course: Course) -> dict[str, str]:
    """Give what kernels and commands are to know of this run."""
    return {
        "MGLAB_RUN": course.name,
        "MGLAB_BACKEND": course.options.backend,
        "MGLAB_CLOUD": course.cloud_name or config.DEFAULT_CLOUD,
        "MGLAB_OUTPUTS": str(course.options.outputs.absolute()),
        "MGLAB_HEADLESS": "1",
        "MGLAB_EDITION": course.record["edition"],
        **kernel_settings(course.scratch),
    }


def _rate(options: Options) -> float:
    return options.rate if options.backend == "local" else 1.0


def _new_record(options: Options, name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Begin the record; of what earlier runs of this name made, nothing is there any more."""
    lasting = {word: known.get(word, "") for word in ("author", "edition")}
    return _record(options, name, {**lasting, "notebooks": state.torn_down(known.get("notebooks", {}))})


def _record(options: Options, name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Go on with the record of an earlier piece: its start, notebooks and parameters stay."""
    now = state.now()
    piece = {"started": now, "from": options.first, "to": options.last, "keep": options.keep, "around": {}}
    return {
        "run": name,
        "backend": options.backend,
        "rate": _rate(options),
        "author": options.author or str(known.get("author", "")),
        "edition": _edition(options, known),
        "pid": os.getpid(),
        "keep": options.keep,
        "parameters": {**known.get("parameters", {}), **options.parameters},
        "software": software.versions(),
        "status": "running",
        "started": known.get("started") or now,
        "notebooks": dict(known.get("notebooks", {})),
        "pieces": [*known.get("pieces", ()), piece],
    }


def _edition(options: Options, known: Mapping[str, Any]) -> str:
    """Give the run's edition; a run that somebody stepped through as a student stays a student's."""
    return options.edition or str(known.get("edition") or "reference")


# -- the run -----------------------------------------------------------------------------------------------


def carry_out(course: Course) -> int:
    """Start, run the notebooks, tear down, build the folio, close; gives the exit code."""
    course.note()
    course.line.say(f"run {course.name}: {len(course.steps)} notebooks, {_where(course.options)}")
    watch = None if course.options.keep else guard.Guard(_duties(course), course.held)
    status = "failed"
    try:
        since = time.monotonic()
        clock = clouds.clock_of(_cloud(course, watch))
        course.spent("(starting the cloud)", since)
        course.note(started_lab=clock.now().isoformat(timespec="seconds"))
        status = _notebooks(course)
        course.note(finished_lab=clock.now().isoformat(timespec="seconds"))
    except LabError as error:
        course.error = error
    except Interrupted:
        status = "interrupted"
    finally:
        code = _torn_down(course, watch)
        course.record["pieces"][-1].update(status=status, finished=state.now())
        course.last_note(status=_of_the_whole(course, status), finished=state.now())
    return _closed(course, code, cost.Stretch(course.began, time.time()))


class Interrupted(Exception):
    """The run was told to stop before its cloud was there."""


def _where(options: Options) -> str:
    if options.backend == "aws":
        return "on your AWS account: this costs money until it is torn down"
    return f"on a local cloud of its own, {options.rate:g} lab seconds a second"


def _duties(course: Course) -> guard.Duties:
    local, options = course.options.backend == "local", course.options
    return guard.Duties(
        up=clouds.command("up", course.cloud_name, options.rate, options.knobs) if local else (),
        teardown=(*options.teardown, "--run", course.name, "--backend", options.backend),
        down=clouds.command("down", course.cloud_name, options.rate) if local else (),
        run_folder=str(course.folder.absolute()),
        kernel_lock=str(lock_of(course.scratch)),
        scratch=str(course.scratch),
    )


def _cloud(course: Course, watch: guard.Guard | None) -> Mapping[str, Any]:
    """Wait for the run's cloud and note it; empty on AWS."""
    course.line.working("starting the local cloud")
    if watch is not None:
        started = watch.started(course.stop)
        if started is None:
            raise Interrupted
        cloud = clouds.answer(started.code, started.out, started.errors)
    else:
        told = course.options
        cloud = clouds.ask("up", course.cloud_name, told.rate, told.knobs) if course.cloud_name else None
    if not cloud:
        return {}
    if cloud["rate"] != course.options.rate:
        course.line.say(f"the cloud that was kept runs at rate {cloud['rate']:g}, and goes on so")
    if other := cloud.get("other_knobs"):
        course.line.say(f"the cloud that was kept has other knobs, and goes on so: {other}")
    for note in cloud.get("notes", ()):
        course.line.say(f"the cloud: {note}")
    _tell_losses(course, cloud)
    known = {name: cloud[name] for name in ("account", "region", "rate", "knobs")}
    course.note(cloud=course.cloud_name, **known)
    return cloud


def _tell_losses(course: Course, cloud: Mapping[str, Any]) -> None:
    """Say and file what went with an earlier cloud of this run: one that has only just started is empty."""
    if cloud["wall_epoch"] < course.began:
        return
    course.is_empty = True
    if course.goes_on:
        begun = _new_record(course.options, course.name, course.record)
        course.note(**{**begun, "parameters": course.record["parameters"]})
    gone = lost.with_its_cloud(course.folder, course.cloud_name, clouds.clock_of(cloud))
    if gone:
        course.line.say(f"the cloud that was kept is gone, and {len(gone)} resources with it: this one is empty")


def _of_the_whole(course: Course, status: str) -> str:
    """Say what became of a run whose last piece ended like this: notebooks of earlier pieces count as well."""
    all_passed = all(one["status"] == "passed" for one in course.record["notebooks"].values())
    return status if all_passed or status != "passed" else state.INCOMPLETE


def _notebooks(course: Course) -> str:
    """Run the notebooks until one does not pass; gives what became of the run."""
    for step in course.steps:
        if course.stop():
            return "interrupted"
        outcome = _notebook(course, step)
        if outcome.status != "passed":
            course.error = outcome.error
            if outcome.error:
                full = full_disks([course.folder, config.state_home(os.environ)])
                outcome.error.hint = "; ".join([*full, outcome.error.hint, _how_to_go_on(course, step)])
            return outcome.status
    return "passed"


def _how_to_go_on(course: Course, step: plan.Step) -> str:
    number, options = step.name[:2], course.options
    backend = "" if options.backend == "local" else f" --backend {options.backend}"
    command = f"python3 -m mglab run --run {course.name}{backend} --keep"
    if course.is_empty and options.first and step is course.steps[0]:
        return f"nothing of the notebooks before {number} is there: begin with them: {command}"
    if not options.keep:
        return f"then run it again: all is torn down (a run with --keep would go on with --from {number})"
    return f"then go on: {command} --from {number}" + (f" --to {options.last}" if options.last else "")


def _notebook(course: Course, step: plan.Step) -> execution.Outcome:
    cells = execution.cell_count(step)
    entry: dict[str, Any] = {"status": "running", "started": state.now(), "parameters": dict(step.parameters)}
    notebooks = {**course.record["notebooks"], step.name: entry}
    course.note(notebooks=dict(sorted(notebooks.items())))
    course.line.begin(step.name, cells)
    began, target = time.time(), course.folder / "notebooks" / step.source.name
    outcome = execution.execute(
        step, target,
        lock=lock_of(course.scratch), cell_limit_s=CELL_LIMIT_S[course.options.backend],
        is_stopping=course.stop, at_cell=course.line.at_cell, tick=course.line.tick,
    )  # fmt: skip
    seconds = course.line.end(outcome.status)
    entry.update(status=outcome.status, seconds=round(seconds, 1), cells=cells)
    entry.update(times.of_notebook(target, closing.ledger(course.folder), began))
    if outcome.error:
        entry["error"] = outcome.error.message
    if outcome.status == "passed":
        course.passed.append(step.name)
    course.note()
    return outcome


def _torn_down(course: Course, watch: guard.Guard | None) -> int:
    """Have everything torn down, unless the last notebook did or it is to be kept; gives the exit code."""
    by_notebook = bool(course.passed) and course.passed[-1].startswith(plan.TEARDOWN)
    if watch is None:
        return _kept(course, by_notebook)
    since = time.monotonic()
    code = watch.finish("close" if by_notebook else "teardown", lambda: _tell_teardown(course, watch))
    course.spent("(teardown)", since)
    course.last_note(teardown=guard.TEARDOWN_OUTCOMES[code == 0])
    return code


def _tell_teardown(course: Course, watch: guard.Guard) -> None:
    course.line.working(f"tearing down: {watch.last_line()}")


def _kept(course: Course, by_notebook: bool) -> int:
    """Leave everything as it is; when a notebook has torn it down, the run's own cloud has nothing to stay for."""
    if by_notebook and course.cloud_name:
        clouds.ask("down", course.cloud_name)
    course.last_note(teardown="complete" if by_notebook else "kept")
    return 0


# -- afterwards --------------------------------------------------------------------------------------------


def _closed(course: Course, teardown_code: int, took: cost.Stretch) -> int:
    """Build the folio, say how it went and give the exit code."""
    if course.record["notebooks"]:
        since = time.monotonic()
        try:
            course.note(pdf=_folio(course).name)
            course.spent("(folio)", since)
            course.note()
        except LabError as error:
            course.error = course.error or error  # what stopped the run is the news, not a folio of half of it
    for text in closing.lines(course.folder, course.record, took):
        course.line.say(text)
    if teardown_code:
        course.error = _left_over(course, teardown_code)
    if course.error:
        course.line.say(f"mglab: {course.error}")
    if isinstance(course.error, TeardownIncomplete) or not course.stop():
        return course.error.exit_code if course.error else 0
    return 128 + course.stop.signal


def _left_over(course: Course, code: int) -> TeardownIncomplete:
    """Say that the teardown did not end well, after what went wrong before it."""
    before = f"{course.error.message}; then " if course.error else ""
    last = " ".join(guard.log_lines(course.folder)[-3:])
    return TeardownIncomplete(
        f"{before}the teardown ended with code {code}: {last}",
        hint=f"python3 -m mglab teardown --run {course.name} --backend {course.options.backend}",
    )


def _folio(course: Course) -> Path:
    from mglab.folio.build import build

    course.line.working("typesetting the folio")
    return build(course.folder)
