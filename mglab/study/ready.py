"""Before an experiment: a group as it was made, every target healthy.

An experiment puts back what it changed, but a killed kernel puts nothing back: the minimum stays raised, an
instance is still dying, the health port is closed. The next one starts by making that good, and finds the same
group as the first did.
"""

from __future__ import annotations

from mglab.session import Lab
from mglab.steps import scaling
from mglab.study import health_port
from mglab.study.watch import Watch

READY_TIMEOUT_S = 2400.0


def make_ready(lab: Lab) -> scaling.Group:
    """Put back what an interrupted experiment left, and wait until the group is whole and every target healthy."""
    wanted = scaling.put_limits_back(lab).desired
    health_port.reopen(lab)
    Watch(lab).until(lambda seen: is_whole(seen, wanted), what="the group is whole", timeout_s=READY_TIMEOUT_S)
    scaling.file_members(lab)
    return scaling.group(lab)


def is_whole(watch: Watch, wanted: int) -> bool:
    """Say whether so many instances, and no others, are in service and healthy."""
    return watch.states("group") == ["InService"] * wanted and watch.states("balancer") == ["healthy"] * wanted
