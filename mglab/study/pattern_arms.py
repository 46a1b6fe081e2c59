"""Question 1, carried out: the system is brought into each of its situations, asked, and put back.

Two instances, then cross-zone on, then three instances, then one. The group is held at each size (minimum,
maximum and desired size alike), so that the questions themselves, being load, cannot make it grow. A draining
target gets no new connections (aws-facts 1.7) and is not waited for until the very end. After every change the
balancer's nodes may go on as before for about 75 s (aws-facts 1.5) and resolvers for 60 s (aws-facts 1.4), which
no API tells: that much is always waited. Sizes and cross-zone are put back whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from mglab.display import column
from mglab.session import Lab
from mglab.steps import balancing, network, scaling
from mglab.study.client import TIMEOUT_S, ask, free_port
from mglab.study.disturbance import filed
from mglab.study.load import many
from mglab.study.pattern import NAME, Arm, Node, Pattern, Planned, Replica, Setting, is_empty_zone, plans, situation
from mglab.study.pattern_tests import BASE, LARGER
from mglab.study.ready import staged
from mglab.study.watch import Watch, settled

COURSE = ((BASE, False), (BASE, True), (LARGER, False), (1, False))
"""How many instances, and whether cross-zone is on, in the order in which it costs least time."""
DID = "who answers was asked of one, two and three instances, and across zones"
CHANGE_LAG_S = 90.0
STANDS_TIMEOUT_S = 1800.0
USUAL_S = {"launched": 240.0, "drained": 330.0}
"""AWS seconds that a launch with its first checks and a drain usually take, for the estimate beforehand."""
TRIALS = 3


@dataclass(frozen=True)
class Stretch:
    """One part of the experiment, and how long it is going to take."""

    what: str = field(metadata=column("Situation"))
    through: str = field(metadata=column("Asked through"))
    requests: int = field(metadata=column("Requests", "number"))
    waiting_s: float = field(metadata=column("Waiting (AWS s)", "number"))
    about_s: float = field(metadata=column("In all, about (wall s)", "number"))


def find_pattern(lab: Lab, requests: int, *, again: bool = False) -> Pattern:
    """Carry out the whole experiment with so many requests an arm; done once a run (Question 1)."""
    return staged(lab, "pattern", Pattern, lambda: _carried_out(lab, requests), again=again)


def schedule(lab: Lab, requests: int) -> list[Stretch]:
    """Say beforehand what is going to be done and how long it takes here, from a few requests made now."""
    host = balancing.load_balancer(lab).dns_name
    one_s = median(ask(lab, host).total_ms for _ in range(TRIALS)) / 1000
    nodes = _nodes(lab)
    stretches: list[Stretch] = []
    held = BASE
    for instances, cross_zone in COURSE:
        setting = Setting(cross_zone, nodes, _imagined(nodes, instances))
        changes = 0.0 if not stretches else CHANGE_LAG_S + (USUAL_S["launched"] if instances > held else 0.0)
        stretches.append(_stretch(lab, setting, plans(setting, requests), changes, one_s))
        held = instances
    return [*stretches, Stretch("put back", "", 0, USUAL_S["drained"], _wall_s(lab, USUAL_S["drained"]))]


def in_all(stretches: Sequence[Stretch]) -> str:
    """Say in words how long all of it takes."""
    seconds = sum(stretch.about_s for stretch in stretches)
    return f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} minutes"


def _carried_out(lab: Lab, requests: int) -> Pattern:
    with filed(lab, "Question 1", "pattern", DID):
        arms = _asked(lab, requests)
        wanted = scaling.group(lab).desired
        Watch(lab).until(
            lambda seen: settled(seen, wanted), what="the group is whole again", timeout_s=STANDS_TIMEOUT_S
        )
    scaling.file_members(lab)
    return Pattern(requests, tuple(arms))


def _asked(lab: Lab, requests: int) -> list[Arm]:
    arms: list[Arm] = []
    with _put_back(lab):
        for instances, cross_zone in COURSE:
            setting = _brought_about(lab, instances, cross_zone)
            arms += [_arm(lab, setting, plan) for plan in plans(setting, requests)]
    return arms


# -- the situations ----------------------------------------------------------------------------------------


@contextmanager
def _put_back(lab: Lab) -> Iterator[None]:
    """Put the group's sizes back to those it was made with, and cross-zone to off, however the block ends."""
    try:
        yield
    finally:
        try:
            scaling.put_limits_back(lab)
        finally:
            if balancing.crosses_zones(lab):
                balancing.set_cross_zone(lab, on=False)


def _brought_about(lab: Lab, instances: int, cross_zone: bool) -> Setting:
    """Hold the group at so many instances, set cross-zone, and wait until both can be relied upon."""
    held = scaling.group(lab)
    changed = False
    if {held.minimum, held.maximum, held.desired} != {instances}:
        scaling.set_limits(lab, minimum=instances, maximum=instances, desired=instances)
        changed = held.desired != instances
    if balancing.crosses_zones(lab) != cross_zone:
        balancing.set_cross_zone(lab, cross_zone)
        changed = True
    _wait_until_it_stands(lab, instances, cross_zone)
    if changed:
        lab.clock.sleep(CHANGE_LAG_S)
    scaling.file_members(lab)
    return Setting(cross_zone, _nodes(lab), _replicas(lab))


def _wait_until_it_stands(lab: Lab, instances: int, cross_zone: bool) -> None:
    """Watch until so many members serve and are healthy, the others drain, and DNS lists the zones it should."""
    dns_name, zones = balancing.load_balancer(lab).dns_name, [subnet.zone for subnet in network.subnets(lab)]

    def stands(seen: Watch) -> bool:
        targets = seen.states("balancer")
        serving = seen.states("group").count("InService") == targets.count("healthy") == instances
        if not serving or set(targets) - {"healthy", "draining"}:
            return False
        fit = len(zones) if cross_zone else len({replica.zone for replica in _replicas(lab)})
        return len(seen.states("DNS")) == fit

    what = f"{instances} serve, cross-zone {'on' if cross_zone else 'off'}"
    Watch(lab, dns_name=dns_name, doors=zones).until(stands, what=what, timeout_s=STANDS_TIMEOUT_S)


def _nodes(lab: Lab) -> tuple[Node, ...]:
    """Give the balancer's address in each zone, by the zone's own name."""
    dns_name = balancing.load_balancer(lab).dns_name
    zones = sorted(subnet.zone for subnet in network.subnets(lab))
    return tuple(Node(zone, address) for zone in zones for address in lab.resolve(f"{zone}.{dns_name}")[:1])


def _replicas(lab: Lab) -> tuple[Replica, ...]:
    """Give the targets that are healthy now."""
    healthy = (target for target in balancing.target_health(lab) if target.state == "healthy")
    return tuple(Replica(it.name, it.instance_id, it.zone, it.private_address) for it in healthy)


# -- asking ------------------------------------------------------------------------------------------------


def _arm(lab: Lab, setting: Setting, plan: Planned) -> Arm:
    address = {node.zone: node.address for node in setting.nodes} | {NAME: balancing.load_balancer(lab).dns_name}
    port = free_port() if plan.fixed_port else 0
    samples = many(lab, address[plan.through], plan.requests, concurrency=plan.at_once, source_port=port)
    return Arm(plan.through, plan.at_once, plan.fixed_port, setting, tuple(samples))


# -- the estimate ------------------------------------------------------------------------------------------


def _imagined(nodes: Sequence[Node], instances: int) -> tuple[Replica, ...]:
    """Spread instances that do not exist yet over the zones, as the group would."""
    return tuple(Replica("", "", nodes[n % len(nodes)].zone, f"instance {n}") for n in range(instances))


def _stretch(lab: Lab, setting: Setting, planned: Sequence[Planned], waiting_s: float, one_s: float) -> Stretch:
    asking_s = sum(_asking_s(setting, plan, one_s) for plan in planned)
    return Stretch(
        what=situation(setting),
        through="; ".join(_in_words(plan) for plan in planned),
        requests=sum(plan.requests for plan in planned),
        waiting_s=waiting_s,
        about_s=round(asking_s + _wall_s(lab, waiting_s), 1),
    )


def _asking_s(setting: Setting, plan: Planned, one_s: float) -> float:
    each_s = TIMEOUT_S if is_empty_zone(setting, plan.through) else one_s
    return plan.requests * each_s / plan.at_once


def _in_words(plan: Planned) -> str:
    load = f" ({plan.at_once} at once)" if plan.at_once > 1 else ""
    return f"{plan.through}{load}{' (one source port)' if plan.fixed_port else ''}"


def _wall_s(lab: Lab, lab_seconds: float) -> float:
    return round(lab.clock.wall_seconds(lab_seconds), 1)
