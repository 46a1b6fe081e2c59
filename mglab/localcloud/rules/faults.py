"""Four things that go wrong on AWS, to be rehearsed: when do they strike, and in which words?

* throttling: a share of the requests is refused, each service in its own words; the next try may well pass;
* capacity: zones have no machine left of any type; RunInstances and StartInstances say so there, and name the others;
* consistency: EC2 is eventually consistent: for a while after its making a resource is unknown to some of the calls
  that name it, at first to nearly all of them, then to fewer and fewer;
* zone outage: what runs in a zone is cut off and fails its status checks, nothing can be launched there.

All of it is documented in EC2's guides (error codes; eventual consistency; status checks); how often it strikes is set
by whoever rehearses. Chance is an argument.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

SERVER_ERROR, UNAVAILABLE, BAD_REQUEST = 500, 503, 400


@dataclass(frozen=True)
class Refusal:
    """What a client is told: the wire code, the sentence, the HTTP status."""

    code: str
    message: str
    status: int = BAD_REQUEST


@dataclass(frozen=True)
class Faults:
    """What goes wrong at present; by default nothing does."""

    throttling: float = 0.0
    """Share of the requests that are refused."""
    capacity: tuple[str, ...] = ()
    """Zones without capacity."""
    consistency_s: float = 0.0
    """How long a new resource may be unknown."""
    zone_outage: tuple[str, ...] = ()
    """Zones that are cut off."""

    @property
    def closed_zones(self) -> frozenset[str]:
        """Name the zones where nothing can be launched."""
        return frozenset(self.capacity) | frozenset(self.zone_outage)


def is_throttled(faults: Faults, chance: Random) -> bool:
    """Draw whether a request is one too many."""
    return faults.throttling > 0 and chance.random() < faults.throttling


def throttled(service: str) -> Refusal:
    """Refuse a request of a service (botocore's name) as one too many."""
    if service == "ec2":
        return Refusal("RequestLimitExceeded", "Request limit exceeded.", UNAVAILABLE)
    return Refusal("Throttling", "Rate exceeded")


def without_capacity(instance_type: str, zone: str, offered: Sequence[str], closed: Collection[str]) -> Refusal:
    """Refuse a launch in a zone that has no machine left, and name the zones that have."""
    others = ", ".join(other for other in offered if other not in closed)
    advice = "by not specifying an Availability Zone in your request or choosing"
    hope = f" You can currently get {instance_type} capacity {advice} {others}." if others else ""
    message = (
        f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested "
        f"({zone}). Our system will be working on provisioning additional capacity.{hope}"
    )
    return Refusal("InsufficientInstanceCapacity", message, SERVER_ERROR)


# -- eventual consistency --------------------------------------------------------------------------------------

MADE_BY: Mapping[str, str] = {
    "CreateVpc": "vpc",
    "CreateSubnet": "subnet",
    "CreateInternetGateway": "igw",
    "CreateRouteTable": "rtb",
    "CreateSecurityGroup": "sg",
    "CreateLaunchTemplate": "lt",
    "CreateImage": "ami",
    "RunInstances": "i",
}
"""EC2's operations that make something, and how the ids of what they make begin."""

_UNKNOWN: Mapping[str, tuple[str, str]] = {
    "vpc": ("InvalidVpcID", "The vpc ID '{}' does not exist"),
    "subnet": ("InvalidSubnetID", "The subnet ID '{}' does not exist"),
    "igw": ("InvalidInternetGatewayID", "The internetGateway ID '{}' does not exist"),
    "rtb": ("InvalidRouteTableID", "The routeTable ID '{}' does not exist"),
    "sg": ("InvalidGroup", "The security group '{}' does not exist"),
    "lt": ("InvalidLaunchTemplateId", "The specified launch template, with template ID {}, does not exist."),
    "ami": ("InvalidAMIID", "The image id '[{}]' does not exist"),
    "i": ("InvalidInstanceID", "The instance ID '{}' does not exist"),
}


def unknown(resource_id: str) -> Refusal:
    """Refuse a request because its resource is not known (yet)."""
    kind, message = _UNKNOWN[resource_id.partition("-")[0]]
    return Refusal(f"{kind}.NotFound", message.format(resource_id))


def is_unknown(age_s: float, consistency_s: float, chance: Random) -> bool:
    """Draw whether a call finds a resource of this age unknown: ever less likely, never after the time is over."""
    return consistency_s > 0 and chance.random() > age_s / consistency_s


def named_in(params: Mapping[str, Any]) -> Iterator[str]:
    """Give every text that a request's parameters name; what it filters by is not named."""
    for name, value in params.items():
        if name != "Filters":
            yield from _texts(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from named_in(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
