"""What state is an instance in, and do its processes run?

AWS answers a request at once and moves the instance later: RunInstances gives ``pending``, ``running`` comes
some seconds after that, a service that answers comes later still (boot), "2/2 checks passed" minutes after.
Here an instance's life is a frozen value that says what it is, since when and what comes next and when;
``advance`` moves it. The moments are drawn when the request is made, so a late tick does not stretch them.

The states and their codes are EC2's (aws-facts 3.1). ``running`` says nothing of the processes inside: they
are up from ``up_at`` on. Real processes take wall time to start, which no clock makes faster; so they are started
when the boot begins, and nobody reaches them before ``up_at``. A reboot, and CreateImage by default, leave the
state ``running`` and take the processes down. Hibernation and spot interruption are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Literal

State = Literal["pending", "running", "shutting-down", "terminated", "stopping", "stopped"]
Power = Literal["on", "off"]
Check = Literal["initializing", "ok", "impaired", "not-applicable"]

STATE_CODES: dict[State, int] = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
NEXT_STATE: dict[State, State] = {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"}

PENDING_S = 15.0  # aws-facts 7: EC2 pending / boot / shutting-down
BOOT_S = 30.0  # aws-facts 7, 3.1: boot to service 20-60 s more
SHUTTING_DOWN_S = 30.0  # aws-facts 7
STOPPING_S = 30.0  # aws-facts 3.1: stopping 20-60 s
IMPAIRED_AFTER_S = 60.0  # aws-facts 3.1: status checks every minute
STATUS_OK_S = 150.0  # aws-facts 3.1: status ok after 2-4 min
LISTED_AFTER_TERMINATION_S = 3600.0  # aws-facts 3.1: terminated stays visible ~1 h
SPREAD = 0.2  # our choice: no two instances of a group take exactly as long

NEVER = float("inf")


class WrongState(Exception):
    """The request does not fit the state that the instance is in."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state = state


@dataclass(frozen=True)
class Pace:
    """How long the steps of one instance's life take, in lab seconds."""

    pending_s: float = PENDING_S
    boot_s: float = BOOT_S
    shutting_down_s: float = SHUTTING_DOWN_S
    stopping_s: float = STOPPING_S


USUAL = Pace()


@dataclass(frozen=True)
class Life:
    """Where an instance is. Times are lab epoch seconds."""

    state: State
    since: float
    next_at: float
    """When the next state begins; NEVER for one that lasts."""
    up_at: float
    """When, while running, its processes run (again)."""
    boots: int
    """How often it has been told to boot."""
    pace: Pace = USUAL


def draw_pace(random: Random, usual: Pace = USUAL) -> Pace:
    """Draw how long one instance's steps take, around the usual lengths."""

    def drawn(seconds: float) -> float:
        return seconds * random.uniform(1 - SPREAD, 1 + SPREAD)

    return Pace(*map(drawn, (usual.pending_s, usual.boot_s, usual.shutting_down_s, usual.stopping_s)))


def launched(now: float, pace: Pace, boots: int = 1) -> Life:
    """Begin a life (or, with more boots, a stopped one's next stretch): pending, its first boot ahead."""
    running_at = now + pace.pending_s
    return Life("pending", now, running_at, running_at + pace.boot_s, boots, pace)


def advance(life: Life, now: float) -> Life:
    """Move to the state that holds at ``now``."""
    if now < life.next_at:
        return life
    return replace(life, state=NEXT_STATE[life.state], since=life.next_at, next_at=NEVER)


def start(life: Life, now: float) -> Life:
    """Start a stopped instance; starting one that is starting or running changes nothing."""
    if life.state in ("pending", "running"):
        return life
    if life.state != "stopped":
        raise WrongState(life.state)
    return launched(now, life.pace, life.boots + 1)


def stop(life: Life, now: float) -> Life:
    """Begin to stop a running instance; stopping one that is stopping or stopped changes nothing."""
    if life.state in ("stopping", "stopped"):
        return life
    if life.state != "running":
        raise WrongState(life.state)
    return replace(life, state="stopping", since=now, next_at=now + life.pace.stopping_s)


def terminate(life: Life, now: float) -> Life:
    """Begin to terminate, from any state; one that is terminating or gone stays as it is."""
    if life.state in ("shutting-down", "terminated"):
        return life
    return replace(life, state="shutting-down", since=now, next_at=now + life.pace.shutting_down_s)


def reboot(life: Life, now: float) -> Life:
    """Take the processes of a running instance down and boot it again; the state stays running."""
    if life.state != "running":
        raise WrongState(life.state)
    return replace(life, up_at=now + life.pace.boot_s, boots=life.boots + 1)


def host_restarted(life: Life, now: float) -> Life:
    """Boot again what ran when its host went down, as EC2's recovery does: addresses, id and state are kept."""
    return reboot(life, now) if power(life) == "on" else life


def hold(life: Life) -> Life:
    """Take the processes of a running instance down until ``reboot``, as CreateImage does."""
    if life.state != "running":
        raise WrongState(life.state)
    return replace(life, up_at=NEVER)


def power(life: Life) -> Power:
    """Say whether its processes should run: from the beginning of the boot on."""
    return "on" if life.state == "running" and life.up_at != NEVER else "off"


def is_up(life: Life, now: float) -> bool:
    """Say whether it has booted, so that others may reach it."""
    return life.state == "running" and now >= life.up_at


def status(life: Life, now: float, ok_after_s: float = STATUS_OK_S) -> Check:
    """Say what the status checks of DescribeInstanceStatus have found so far (aws-facts 3.1)."""
    if life.state != "running":
        return "not-applicable"
    return "ok" if now >= life.since + ok_after_s else "initializing"


def reachability(life: Life, off_since: float | None, now: float, ok_after_s: float = STATUS_OK_S) -> Check:
    """Say what the instance's own check has found: it is impaired when its processes have been gone for a minute."""
    if life.state == "running" and off_since is not None and now >= off_since + IMPAIRED_AFTER_S:
        return "impaired"
    return status(life, now, ok_after_s)


def listed(life: Life, now: float) -> bool:
    """Say whether EC2 still lists it."""
    return life.state != "terminated" or now < life.since + LISTED_AFTER_TERMINATION_S
