"""Question 1, what is asked and what came back: who answers, in an experiment of several arms (no network here).

Four things might decide who answers a connection: the order in which DNS gives out the zones' addresses, the
address that the client then uses, the flow hash of the node behind it (aws-facts 1.3), or simply whose turn it
is. Each arm varies one of them and leaves the others alone:

* through the name, one request at a time, then several at once: what an ordinary client meets;
* through each zone's address: DNS is out of the play;
* with three instances one zone holds two: only there has the hash of a zone's node something to choose, so
  there it is asked again with one fixed source port, and under load;
* with cross-zone balancing on, through each zone's address: the zone is out of the play;
* with one instance, also through the address of the zone that has none.

Everything that is said later rests on the ``Pattern`` alone, and that is what is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mglab.display import column
from mglab.study.client import Sample
from mglab.study.stats import percent, wilson

NAME = "the name"
AT_ONCE = (8, 32)
"""How many requests are under way at the same time, in the arms that ask under load."""
TELLING_THIRDS = 2
"""How many times as often three instances are asked by name: a quarter and a third lie closer than a half and all."""
EMPTY_TRIES = 8
"""How often an address is asked whose zone has no target: each request waits for its time-out."""


@dataclass(frozen=True)
class Node:
    """The balancer's address in one zone."""

    zone: str
    address: str


@dataclass(frozen=True)
class Replica:
    """An instance that was registered and healthy while it was asked: one who could answer."""

    name: str = field(metadata=column("Name"))
    instance_id: str = field(metadata=column("Instance ID", "id"))
    zone: str = field(metadata=column("Zone"))
    private_address: str = field(metadata=column("Private IPv4", "address"))


@dataclass(frozen=True)
class Setting:
    """The system as it stood during an arm."""

    cross_zone: bool
    nodes: tuple[Node, ...]
    replicas: tuple[Replica, ...]

    @property
    def instances(self) -> int:
        """Give the number of those who could answer."""
        return len(self.replicas)

    @property
    def zones(self) -> dict[str, str]:
        """Give the zone of each node's and each replica's address."""
        nodes = {node.address: node.zone for node in self.nodes}
        return nodes | {replica.private_address: replica.zone for replica in self.replicas}

    def within(self, zone: str) -> list[str]:
        """Give the addresses of the zone's replicas."""
        return sorted(replica.private_address for replica in self.replicas if replica.zone == zone)


@dataclass(frozen=True)
class Arm:
    """Many requests that were asked in one way."""

    through: str = field(metadata=column("Asked through"))
    """``the name``, or the zone whose address was used."""
    at_once: int = field(metadata=column("At once", "number"))
    fixed_port: bool = field(metadata=column("One source port"))
    setting: Setting = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)

    @property
    def responders(self) -> list[str]:
        """Give who answered, in the order asked, leaving out requests that nobody answered."""
        return [sample.responder for sample in self.samples if sample.responder]

    @property
    def title(self) -> str:
        """Say in a few words what was done."""
        load = f", {self.at_once} at once" if self.at_once > 1 else ""
        port = ", one source port" if self.fixed_port else ""
        return f"{situation(self.setting)}, through {self.through}{load}{port}"


@dataclass(frozen=True)
class Planned:
    """An arm that has yet to be carried out."""

    through: str
    requests: int
    at_once: int = 1
    fixed_port: bool = False


@dataclass(frozen=True)
class Pattern:
    """The whole experiment."""

    requests: int
    """How many each arm was to ask."""
    arms: tuple[Arm, ...]

    def select(
        self,
        *,
        instances: int,
        cross_zone: bool = False,
        through: str | None = None,
        at_once: int | None = 1,
        fixed_port: bool = False,
    ) -> list[Arm]:
        """Give the arms that were asked so; None: no matter how."""
        return [
            arm
            for arm in self.arms
            if (arm.setting.instances, arm.setting.cross_zone, arm.fixed_port) == (instances, cross_zone, fixed_port)
            and through in (None, arm.through)
            and at_once in (None, arm.at_once)
        ]

    @property
    def replicas(self) -> list[Replica]:
        """Give everyone who could answer at any time, by zone and address."""
        known = {replica.private_address: replica for arm in self.arms for replica in arm.setting.replicas}
        return sorted(known.values(), key=lambda it: (it.zone, it.private_address))

    @property
    def samples(self) -> list[Sample]:
        """Give all requests that somebody should have answered."""
        return [sample for arm in self.arms if not is_empty(arm) for sample in arm.samples]


def plans(setting: Setting, requests: int) -> list[Planned]:
    """Say what is to be asked while the system stands so."""
    zones = [node.zone for node in setting.nodes]
    loaded = [zone for zone in zones if len(setting.within(zone)) > 1][:1]
    by_name = Planned(NAME, (TELLING_THIRDS if loaded and not setting.cross_zone else 1) * requests)
    if setting.cross_zone:
        return [by_name, *(Planned(zone, requests) for zone in zones)]
    empty = [Planned(zone, EMPTY_TRIES, EMPTY_TRIES) for zone in zones if not setting.within(zone)]
    if setting.instances < 2:
        return [by_name, *empty]
    return [
        by_name,
        *(Planned(NAME, requests, at_once) for at_once in AT_ONCE if not loaded),
        *(Planned(zone, requests) for zone in zones if setting.within(zone)),
        *(Planned(zone, requests, at_once) for zone in loaded for at_once in AT_ONCE),
        *(Planned(zone, requests, fixed_port=True) for zone in loaded),
        *empty,
    ]


def is_empty(arm: Arm) -> bool:
    """Say whether the arm asked through the address of a zone that had no target."""
    return is_empty_zone(arm.setting, arm.through)


def is_empty_zone(setting: Setting, through: str) -> bool:
    """Say whether ``through`` is a zone in which the node there has nobody to send to."""
    return through != NAME and not setting.cross_zone and not setting.within(through)


def situation(setting: Setting) -> str:
    """Say in words how many instances there were, and whether the balancer crossed zones."""
    count = f"{setting.instances} instance{'' if setting.instances == 1 else 's'}"
    return f"{count}, cross-zone on" if setting.cross_zone else count


def crossings(arm: Arm) -> int:
    """Count the answers that came from another zone than that of the address used."""
    zones = arm.setting.zones
    ends = ((sample.address, sample.responder or "") for sample in arm.samples if sample.answered)
    return sum(zones.get(address) != zones.get(responder) for address, responder in ends)


def candidates(arm: Arm) -> list[str]:
    """Give who might have answered: the replicas the node may choose from, and whoever did answer."""
    everyone = arm.through == NAME or arm.setting.cross_zone
    expected = [it.private_address for it in arm.setting.replicas if everyone or it.zone == arm.through]
    return sorted({*expected, *arm.responders})


def address_by_responder(arms: Iterable[Arm]) -> dict[str, Counter[str]]:
    """Count who answered behind each node's address."""
    counted: dict[str, Counter[str]] = {}
    for arm in arms:
        for sample in arm.samples:
            counts = counted.setdefault(sample.address, Counter())
            if sample.responder:
                counts[sample.responder] += 1
    return dict(sorted(counted.items()))


# -- tables ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """How often one replica answered in one arm."""

    arm: str = field(metadata=column("Arm"))
    instance_id: str = field(metadata=column("Instance ID", "id"))
    zone: str = field(metadata=column("Zone"))
    private_address: str = field(metadata=column("Private IPv4", "address"))
    answers: int = field(metadata=column("Answers", "number"))
    share: float | None = field(metadata=column("Share (%)", "number"))
    interval: str = field(metadata=column("95 % interval"))


@dataclass(frozen=True)
class Asked:
    """What one arm asked and what came back."""

    arm: str = field(metadata=column("Arm"))
    addresses: str = field(metadata=column("Addresses used (requests)"))
    asked: int = field(metadata=column("Asked", "number"))
    answered: int = field(metadata=column("Answered", "number"))
    responders: str = field(metadata=column("Answered by (answers)"))


def overview(seen: Pattern) -> list[Asked]:
    """Say of each arm which addresses were used and who answered."""
    return [_asked(arm) for arm in seen.arms]


def shares_by_arm(arms: Sequence[Arm]) -> list[Answered]:
    """Table how often each of those who might have answered did, with Wilson's interval."""
    return [
        _answered(arm, replica)
        for arm in arms
        for replica in arm.setting.replicas
        if replica.private_address in candidates(arm)
    ]


def _asked(arm: Arm) -> Asked:
    return Asked(
        arm=arm.title,
        addresses=_counted(sample.address for sample in arm.samples),
        asked=len(arm.samples),
        answered=sum(sample.answered for sample in arm.samples),
        responders=_counted(arm.responders),
    )


def _answered(arm: Arm, replica: Replica) -> Answered:
    answers, total = arm.responders.count(replica.private_address), len(arm.responders)
    interval = wilson(answers, total) if total else None
    return Answered(
        arm=arm.title,
        instance_id=replica.instance_id,
        zone=replica.zone,
        private_address=replica.private_address,
        answers=answers,
        share=percent(answers / total) if total else None,
        interval=f"{percent(interval[0])} to {percent(interval[1])}" if interval else "",
    )


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(Counter(names).items())) or "nobody"
