"""What the keepers of a Learner Lab do to its account: end its sessions, hold it to its limits, start it again.

The rules are ``rules/academy``; this carries them out, once a tick, with EC2's own means. An Auto Scaling group sees a
member that was stopped at a session's end as failed, and launches another (aws-facts 0.9): nobody tells it that the
session is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mglab.localcloud.api.compute import InstanceView
from mglab.localcloud.api.conditions import Conditions
from mglab.localcloud.rules import academy

USED = ("pending", "running")


class Machines(Protocol):
    """EC2, as far as the keepers use it."""

    def instances(self) -> tuple[InstanceView, ...]:
        """Give every instance that EC2 lists."""

    def stop(self, instance_id: str, now: float) -> None:
        """Begin to stop a running instance."""

    def start(self, instance_id: str, now: float) -> None:
        """Start a stopped instance."""

    def terminate(self, instance_id: str, now: float) -> None:
        """Begin to terminate an instance."""


def start(conditions: Conditions, machines: Machines, now: float, lasts_s: float) -> None:
    """Start the lab: a session begins (one that runs is extended), and what the last one's end stopped comes back."""
    conditions.session = academy.Session(now + lasts_s)
    stopped = {it.instance_id for it in machines.instances() if it.state == "stopped"}
    for instance_id in conditions.stopped_by_session:
        if instance_id in stopped:
            machines.start(instance_id, now)
    conditions.stopped_by_session = []


def tick(conditions: Conditions, machines: Machines, close: Callable[[float], None], now: float) -> None:
    """Hold the account to the Learner Lab's rules; ``close`` deletes what it holds."""
    if conditions.session is None:
        return
    used = [it for it in machines.instances() if it.state in USED]
    before = conditions.session.standing
    conditions.session = academy.moved_on(conditions.session, now, len(used))
    standing = conditions.session.standing
    if standing == "closed" and before != "closed":
        close(now)
    elif standing == "ended" and before == "running":
        conditions.stopped_by_session = _stop(machines, used, now)
    for instance_id in academy.excess({it.instance_id: it.launched_at for it in used}):
        machines.terminate(instance_id, now)


def _stop(machines: Machines, used: list[InstanceView], now: float) -> list[str]:
    running = [it.instance_id for it in used if it.state == "running"]
    for instance_id in running:
        machines.stop(instance_id, now)
    return running
