"""Before an experiment: a group as it was made, every member registered and healthy.

An experiment puts back what it changed, but a killed kernel puts nothing back: the limits stay raised, cross-zone on
and the health check quick, a target stays deregistered, a service stopped, the health port closed, a trial instance
running. What can be compared with how it was made is put back at once; for the rest the ledger tells which experiment
began and never ended. So every experiment starts by making that good, and finds the same group as the first did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mglab.session import Lab
from mglab.steps import balancing, images, scaling, security, trials
from mglab.study import rhythm
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
    if balancing.crosses_zones(lab):
        balancing.set_cross_zone(lab, on=False)
    rhythm.put_back(lab)
    trials.end(lab)
    make_good(lab)
    Watch(lab).until(lambda seen: settled(seen, wanted), what="the group is whole", timeout_s=READY_TIMEOUT_S)
    scaling.file_members(lab)
    return scaling.group(lab)


def make_good(lab: Lab) -> None:
    """Undo what experiments that were cut off did to a port, a target or a service; of whole ones, nothing."""
    for name in unfinished(lab):
        _make_good(lab, name)


def _make_good(lab: Lab, name: str) -> None:
    if name == CLOSED_HEALTH_PORT:
        security.allow(lab, security.security_group(lab), lab.config.health_port)
    registered = {target.instance_id for target in balancing.target_health(lab) if target.state != "draining"}
    for member in scaling.instances(lab):
        if member.lifecycle == "InService" and member.instance_id not in registered:
            balancing.register(lab, member.instance_id)
        if member.lifecycle == "InService" and name == STOPPED_SERVICE:
            _serve_again(lab, member)
    lab.ledger.note("experiment", "experiment", key=name, phase="end", did="made good after it was cut off")


def _serve_again(lab: Lab, member: scaling.Member) -> None:
    """Reboot a member whose service or health check is silent, and wait until both answer."""
    ports = (lab.config.service_port, lab.config.health_port)
    if all(images.telnet(lab, member.public_address, port).is_open for port in ports):
        return
    scaling.reboot_instance(lab, member.instance_id)
    for port in ports:
        images.wait_port(lab, member.public_address, port)


def unfinished(lab: Lab) -> list[str]:
    """Name the experiments that began and never ended, in the order in which they began."""
    open_: dict[str, None] = {}
    for entry in lab.ledger.entries():
        if entry.what == "experiment" and entry.details.get("phase") == "begin":
            open_[entry.key] = None
        if entry.what == "experiment" and entry.details.get("phase") == "end":
            open_.pop(entry.key, None)
    return list(open_)
