"""Before an experiment: a group as it was made, every member registered and healthy.

An experiment puts back what it changed, but a killed kernel puts nothing back: the limits stay raised, a target
stays deregistered, a service stays stopped, the health port stays closed. The ledger tells which experiment began
and never ended; the next one starts by making that good, and finds the same group as the first did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mglab.session import Lab
from mglab.steps import balancing, scaling, security
from mglab.study.kept import once
from mglab.study.watch import Watch, settled

READY_TIMEOUT_S = 2400.0
CLOSED_HEALTH_PORT, STOPPED_SERVICE = "closed-health-port", "stop-service"

Result = TypeVar("Result")


def staged(lab: Lab, name: str, kind: type[Result], measure: Callable[[], Result], *, again: bool = False) -> Result:
    """Give the kept result of an experiment on the group, else make the group ready, measure and keep it."""

    def on_a_sane_group() -> Result:
        make_ready(lab)
        return measure()

    return once(lab, name, kind, on_a_sane_group, again=again)


def make_ready(lab: Lab) -> scaling.Group:
    """Put back what an interrupted experiment left, and wait until the group is whole and every target healthy."""
    wanted = scaling.put_limits_back(lab).desired
    make_good(lab)
    Watch(lab).until(lambda seen: settled(seen, wanted), what="the group is whole", timeout_s=READY_TIMEOUT_S)
    scaling.file_members(lab)
    return scaling.group(lab)


def make_good(lab: Lab) -> None:
    """Undo what the experiment that was cut off did to a port, a target or a service; of whole ones, nothing."""
    name = unfinished(lab)
    if not name:
        return
    if name == CLOSED_HEALTH_PORT:
        security.allow(lab, security.security_group(lab), lab.config.health_port)
    registered = {target.instance_id for target in balancing.target_health(lab) if target.state != "draining"}
    for member in scaling.instances(lab):
        if member.lifecycle == "InService" and member.instance_id not in registered:
            balancing.register(lab, member.instance_id)
        if member.lifecycle == "InService" and name == STOPPED_SERVICE:
            scaling.reboot_instance(lab, member.instance_id)
    lab.ledger.note("experiment", "experiment", key=name, phase="end", did="made good after it was cut off")


def unfinished(lab: Lab) -> str:
    """Name the experiment that began last, if it never ended."""
    told = [it for it in lab.ledger.entries() if it.what == "experiment" and "phase" in it.details]
    return told[-1].key if told and told[-1].details["phase"] == "begin" else ""
