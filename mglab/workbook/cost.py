"""What a run would have taken and cost on AWS, from its ledger and a dated price table.

Two kinds of time are in a run. Waits are modelled: a load balancer takes its minutes, here at the clock's rate.
All else (API calls, cells, real clients) is wall time and would take about as long there. So the time on AWS is
the wall time outside the waits plus the lab time of the waits; the same holds for any stretch of the run, such
as a load balancer's life. Costs follow AWS's rounding: a load balancer by the started hour, an instance by the
second with 60 at least, public addresses by the second.

Left out: data transfer and block storage (cents at this size), taxes, the Academy's own accounting.
Prices: us-east-1, Linux, on demand (aws-facts 6). They change: the table says of when it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

HOUR_S = 3600.0
INSTANCE_MINIMUM_S = 60.0  # aws-facts 6
QUIET_CAPACITY_UNITS = 0.001  # NLCU of one quiet hour, aws-facts 6
BALANCER_ADDRESSES = 2  # one public address a zone, aws-facts 6
DEFAULT_TYPE = "t2.micro"  # step 32
BALANCER, INSTANCE = "load balancer", "instance"


@dataclass(frozen=True)
class Prices:
    """US dollars (aws-facts 6), and of when they are."""

    as_of: str = "2026"
    region: str = "us-east-1"
    load_balancer_hour: float = 0.0225
    capacity_unit_hour: float = 0.006
    public_address_hour: float = 0.005
    snapshot_gigabyte_month: float = 0.05
    instance_hours: Mapping[str, float] = field(default_factory=lambda: {"t2.micro": 0.0116, "t3.micro": 0.0104})

    def instance_hour(self, instance_type: str) -> float | None:
        """Give an instance type's price; None when the table does not hold it."""
        return self.instance_hours.get(instance_type)


PRICES = Prices()


@dataclass(frozen=True)
class Stretch:
    """A stretch of wall time (seconds since 1970)."""

    start: float
    end: float


@dataclass(frozen=True)
class Waited:
    """A wait: when it was on the wall, and how many lab seconds it took."""

    start: float
    end: float
    lab_seconds: float


@dataclass(frozen=True)
class Charged:
    """One kind of resource in a run: how many, for how long on AWS, at what price."""

    what: str
    count: int
    aws_seconds: float
    dollars: float


@dataclass(frozen=True)
class Estimate:
    """What the run would have taken and cost on AWS."""

    aws_seconds: float
    charges: tuple[Charged, ...]

    @property
    def dollars(self) -> float:
        """Give the sum of all charges."""
        return sum(charge.dollars for charge in self.charges)


def modelled_seconds(stretch: Stretch, waits: Iterable[Waited]) -> float:
    """Say how long a stretch of a run would have taken on AWS."""
    covered_until, waited, walled = stretch.start, 0.0, 0.0
    for wait in sorted(waits, key=lambda one: one.start):
        start, end = max(wait.start, covered_until), min(wait.end, stretch.end)
        if end <= start:
            continue
        walled += start - covered_until
        waited += wait.lab_seconds * (end - start) / (wait.end - wait.start)
        covered_until = end
    return walled + waited + max(0.0, stretch.end - covered_until)


def estimate(entries: Sequence[Mapping[str, Any]], run: Stretch, prices: Prices = PRICES) -> Estimate:
    """Estimate a run from its ledger's lines."""
    waits = waits_of(entries)
    lives = [(what, modelled_seconds(life, waits), entry) for what, life, entry in lives_of(entries, run)]
    balancers = [seconds for what, seconds, _ in lives if what == BALANCER]
    machines = [
        (str(entry.get("instance_type") or DEFAULT_TYPE), seconds)
        for what, seconds, entry in lives
        if what == INSTANCE
    ]
    charges = (_balancers(balancers, prices), _instances(machines, prices), _addresses(balancers, machines, prices))
    return Estimate(modelled_seconds(run, waits), tuple(charge for charge in charges if charge.count))


def waits_of(entries: Sequence[Mapping[str, Any]]) -> list[Waited]:
    """Read the waits: a line is filed when its wait ends, with the lab seconds that it took."""
    waits = [entry for entry in entries if entry.get("kind") == "wait" and float(entry.get("seconds", 0)) > 0]
    rate = _rate(entries) if waits else 1.0
    ended = [(float(entry["wall"]), float(entry["seconds"])) for entry in waits]
    return [Waited(wall - lab_s / rate, wall, lab_s) for wall, lab_s in ended]


def _rate(entries: Sequence[Mapping[str, Any]]) -> float:
    """Tell the clock's rate from the first and last line: each carries lab time and wall time."""
    dated = [(_epoch(str(one["at"])), float(one["wall"])) for one in entries if one.get("at") and one.get("wall")]
    (lab_0, wall_0), (lab_1, wall_1) = dated[0], dated[-1]
    return (lab_1 - lab_0) / (wall_1 - wall_0) if wall_1 > wall_0 else 1.0


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def lives_of(entries: Sequence[Mapping[str, Any]], run: Stretch) -> list[tuple[str, Stretch, Mapping[str, Any]]]:
    """Say from when to when each resource was there; what was not removed lives to the run's end."""
    begun: dict[tuple[str, str], Mapping[str, Any]] = {}
    ended: dict[tuple[str, str], float] = {}
    for entry in entries:
        name = (_noun(entry), str(entry.get("id", "")))
        if entry.get("kind") == "made":
            begun.setdefault(name, entry)
        elif entry.get("kind") == "removed":
            ended[name] = float(entry["wall"])
    return [
        (name[0], Stretch(max(float(entry["wall"]), run.start), ended.get(name, run.end)), entry)
        for name, entry in begun.items()
        if ended.get(name, run.end) > run.start
    ]


def _noun(entry: Mapping[str, Any]) -> str:
    return str(entry.get("what", "")).replace("-", " ").replace("_", " ").lower()


def _balancers(seconds: Sequence[float], prices: Prices) -> Charged:
    hours = sum(math.ceil(life / HOUR_S) for life in seconds)  # a partial hour is a full one, aws-facts 6
    each = prices.load_balancer_hour + QUIET_CAPACITY_UNITS * prices.capacity_unit_hour
    return Charged("network load balancer", len(seconds), sum(seconds), hours * each)


def _instances(machines: Sequence[tuple[str, float]], prices: Prices) -> Charged:
    dollars = sum(
        max(seconds, INSTANCE_MINIMUM_S) / HOUR_S * (prices.instance_hour(kind) or prices.instance_hours[DEFAULT_TYPE])
        for kind, seconds in machines
    )
    return Charged("instances", len(machines), sum(seconds for _, seconds in machines), dollars)


def _addresses(balancers: Sequence[float], machines: Sequence[tuple[str, float]], prices: Prices) -> Charged:
    """Charge one address an instance and one a zone of the balancer."""
    address_seconds = BALANCER_ADDRESSES * sum(balancers) + sum(seconds for _, seconds in machines)
    count = BALANCER_ADDRESSES * len(balancers) + len(machines)
    dollars = address_seconds / HOUR_S * prices.public_address_hour
    return Charged("public IPv4 addresses", count, address_seconds, dollars)
