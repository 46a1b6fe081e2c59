"""One way to wait, and it shows its work.

``until`` looks, in lab time, until a state has come; it shows each *change* of state, and gives back a
``Wait`` of dated transitions that goes into the ledger and the folio: the answer to "why is it so slow?".
In a notebook the changes update one status line; elsewhere each change is a line of its own.

Two floors keep a fast clock honest. Looks are never closer than a tenth of a wall second, so transitions
are dated to the nearest look. And no wait gives up before some wall time has passed: what starts here are
real processes on a real machine, which a clock of rate 600 does not make faster.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from mglab.clock import Clock
from mglab.display import column, table
from mglab.errors import CheckFailed, WaitTimedOut
from mglab.ledger import Ledger

LOOK_FLOOR_WALL_S = 0.1
PATIENCE_FLOOR_WALL_S = 20.0

State = TypeVar("State")


class Waiting(Protocol):
    """What a wait needs of a session."""

    @property
    def clock(self) -> Clock: ...

    @property
    def ledger(self) -> Ledger: ...


@dataclass(frozen=True)
class Transition:
    """One change of state, dated by the look that saw it."""

    at: datetime = field(metadata=column("Seen at", "time"))
    after_s: float = field(metadata=column("After (s)", "number"))
    state: str = field(metadata=column("State", "status"))


@dataclass(frozen=True)
class Wait:
    """What was waited for, how it went, and how long it took in lab seconds."""

    what: str
    started: datetime
    ended: datetime
    outcome: str
    """``done``, ``timed out``, ``failed`` or ``interrupted``."""
    transitions: tuple[Transition, ...]

    @property
    def seconds(self) -> float:
        """Give the lab seconds waited."""
        return (self.ended - self.started).total_seconds()

    @property
    def state(self) -> str:
        """Give the last state seen."""
        return self.transitions[-1].state if self.transitions else "never seen"

    def __str__(self) -> str:
        steps = " -> ".join(f"{it.state} (+{it.after_s:.0f} s)" for it in self.transitions)
        return f"{self.what}: {self.outcome} after {duration(self.seconds)}: {steps}"

    def _repr_html_(self) -> str:
        heading = f"{self.what}: {self.outcome} after {duration(self.seconds)}"
        return table(self.transitions, title=heading)._repr_html_()

    def _repr_markdown_(self) -> str:
        heading = f"{self.what}: {self.outcome} after {duration(self.seconds)}"
        return table(self.transitions, title=heading)._repr_markdown_()


def until(
    lab: Waiting,
    look: Callable[[], State],
    is_done: Callable[[State], bool],
    *,
    what: str,
    timeout_s: float,
    interval_s: float,
    is_failed: Callable[[State], bool] | None = None,
    advice: str = "look at what holds it up",
) -> Wait:
    """Look until ``is_done``; raises WaitTimedOut in lab time, CheckFailed on a state that cannot become done.

    A state is whatever ``look`` returns; its text is what is shown and filed. Interrupting is safe: the
    wait is filed as far as it came, and running the same cell again waits on.
    """
    course = _Course(what, lab.clock)
    line = StatusLine()
    outcome = "interrupted"
    try:
        while True:
            course.begins_to_look()
            state = look()
            changed = course.saw(str(state))
            outcome = _verdict(state, is_done, is_failed, course, timeout_s)
            if outcome != "waiting":
                break
            if changed:
                line.show(course.words())
            lab.clock.sleep(max(interval_s, LOOK_FLOOR_WALL_S * lab.clock.rate))
    except BaseException:
        outcome = "interrupted"
        raise
    finally:
        wait = course.ended(outcome)
        _file(lab.ledger, wait, course.wall_seconds(), course.coarsest_s)
    line.show(_closing(wait))
    _raise_unless_done(wait, timeout_s, advice)
    return wait


def _verdict(
    state: State,
    is_done: Callable[[State], bool],
    is_failed: Callable[[State], bool] | None,
    course: _Course,
    timeout_s: float,
) -> str:
    if is_done(state):
        return "done"
    if is_failed is not None and is_failed(state):
        return "failed"
    return "timed out" if course.is_over(timeout_s) else "waiting"


def _raise_unless_done(wait: Wait, timeout_s: float, advice: str) -> None:
    if wait.outcome == "failed":
        raise CheckFailed(f"{wait.what} came to {wait.state!r}, from which it cannot go on", hint="look at its history")
    if wait.outcome == "timed out":
        raise WaitTimedOut(
            f"{wait.what} was still {wait.state!r} after {duration(wait.seconds)} (limit {duration(timeout_s)})",
            hint=f"run the cell again to wait on, or {advice}",
        )


class _Course:
    """The transitions of one wait while it goes on."""

    def __init__(self, what: str, clock: Clock) -> None:
        self.what = what
        self.clock = clock
        self.started = clock.now()
        self.wall_started = clock.wall_time()
        self.transitions: list[Transition] = []
        self.coarsest_s = 0.0
        """The longest from the beginning of one look to the end of the next: no change is dated sharper."""
        self._looked_at = [self.started, self.started]

    def begins_to_look(self) -> None:
        self._looked_at = [self._looked_at[1], self.clock.now()]

    def saw(self, state: str) -> bool:
        """Date a state if it differs from the last; says whether it did."""
        blind_s = (self.clock.now() - self._looked_at[0]).total_seconds()
        self.coarsest_s = max(self.coarsest_s, round(blind_s, 1))
        if self.transitions and self.transitions[-1].state == state:
            return False
        now = self.clock.now()
        self.transitions.append(Transition(now, round((now - self.started).total_seconds(), 1), state))
        return True

    def words(self) -> str:
        return f"{self.what}: " + " -> ".join(f"{it.state} (+{it.after_s:.0f} s)" for it in self.transitions[-3:])

    def is_over(self, timeout_s: float) -> bool:
        lab_s = (self.clock.now() - self.started).total_seconds()
        return lab_s >= timeout_s and self.wall_seconds() >= min(timeout_s, PATIENCE_FLOOR_WALL_S)

    def wall_seconds(self) -> float:
        return self.clock.wall_time() - self.wall_started

    def ended(self, outcome: str) -> Wait:
        return Wait(self.what, self.started, self.clock.now(), outcome, tuple(self.transitions))


def _file(ledger: Ledger, wait: Wait, wall_seconds: float, coarsest_s: float) -> None:
    ledger.wait(
        wait.what,
        outcome=wait.outcome,
        started=wait.started.isoformat(),
        seconds=round(wait.seconds, 1),
        wall_seconds=round(wall_seconds, 3),
        coarsest_s=coarsest_s,
        transitions=[{"at": it.at.isoformat(), "after_s": it.after_s, "state": it.state} for it in wait.transitions],
    )


def _closing(wait: Wait) -> str:
    mark = "✓" if wait.outcome == "done" else "✗"
    return f"{mark} {wait.what}: {wait.state} after {duration(wait.seconds)}"


def duration(seconds: float) -> str:
    """Say a stretch of time as a person would: ``2 min 30 s``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class StatusLine:
    """One line of progress: updated in place in a notebook, one line per change elsewhere."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Show the line as it now reads."""
        if not _in_notebook():
            print(text, flush=True)
            return
        bundle = {"text/plain": text, "text/html": f"<code>{html.escape(text)}</code>"}
        from IPython.display import display

        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _in_notebook() -> bool:
    """Say whether a kernel shows our output; IPython is not loaded just to ask."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
