"""Load balancers, target groups and listeners: what exists, found by ARN, and who uses what.

One ``State`` owns all of it; the other ``elbv2_*`` modules are functions over it. The forms of ARNs and DNS
names are aws-facts 1.1, refusals for what is not there are aws-facts 3.7 row 35. A target group serves at most
one load balancer, through any number of its listeners.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from mglab.localcloud.api import elbv2_forms as forms
from mglab.localcloud.api.compute import Compute, NodeInterface
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.kept import Kept, passing
from mglab.localcloud.knobs import Knobs
from mglab.localcloud.rules import health
from mglab.localcloud.rules.peaks import Peak
from mglab.localcloud.seam import FlowKey, FlowReport

CANONICAL_HOSTED_ZONE_ID = "Z26RNL4JYFTOTI"
"""Of every network load balancer in us-east-1 (aws-facts 1.1)."""

MOST_TAGS = 50


TargetKey = tuple[str, int]
"""(instance id, port)"""


Datum = tuple[str, str, dict[str, str], float, str]
"""(namespace, metric name, dimensions, value, unit)"""


@dataclass
class Registration(Kept):
    """One target of one group: its walk, and what each node's probes last said."""

    target: health.Target
    streaks: dict[str, health.Streak] = passing(dict)
    baselines: dict[str, int] = passing(dict)
    """Zone -> outcomes that a probe of the same name had counted before this registration was probed."""

    refused: dict[str, int] = passing(dict)
    """Zone -> refused connections that its node has taken into account."""
    doubted: dict[str, bool] = passing(dict)
    """Zones whose node doubts the target: outcomes of its check count from the next one on."""

    def forget_probes(self) -> None:
        """Drop what the probes said: from here they count anew."""
        self.streaks.clear()
        self.baselines.clear()

    def doubt(self, zone: str) -> None:
        """Let a node doubt the target, whatever its check has said so far."""
        self.target = health.doubted(self.target, zone)
        self.streaks.pop(zone, None)
        self.doubted[zone] = True


@dataclass
class TargetGroup:
    """A target group of type instance, protocol TCP."""

    arn: str
    name: str
    port: int
    vpc_id: str
    health_check_port: str
    interval_s: int
    timeout_s: int
    healthy_threshold: int
    unhealthy_threshold: int
    attributes: dict[str, str]
    targets: dict[TargetKey, Registration] = field(default_factory=dict)
    departed: dict[TargetKey, float] = field(default_factory=dict)
    """Targets whose instance was terminated, and until when they are still called draining."""
    ended: dict[TargetKey, float] = field(default_factory=dict)
    """Targets whose connections ended with their deregistration delay, and until when that is told the nodes."""

    @property
    def dimension(self) -> str:
        return self.arn.split(":", 5)[5]

    def probed_port(self, target_port: int) -> int:
        """Give the port that a target's health checks connect to."""
        return target_port if self.health_check_port == "traffic-port" else int(self.health_check_port)


@dataclass(frozen=True)
class Place:
    """A load balancer's presence in one zone."""

    zone: str
    subnet_id: str
    interface: NodeInterface


@dataclass
class LoadBalancer:
    """A network load balancer."""

    arn: str
    name: str
    dns_name: str
    scheme: str
    vpc_id: str
    security_group_ids: tuple[str, ...]
    created_at: float
    active_at: float
    hash_key: bytes
    attributes: dict[str, str]
    places: dict[str, Place] = field(default_factory=dict)
    """Zone -> place."""
    dns: dict[str, float | None] = field(default_factory=dict)
    """Zones in DNS now, and when each leaves if it must."""
    private_link_rules: str = "on"
    """Whether its security groups' rules hold for PrivateLink; there is none here, so it is only kept."""

    @property
    def dimension(self) -> str:
        return self.arn.split("loadbalancer/", 1)[1]

    def active(self, now: float) -> bool:
        """Say whether it is provisioned."""
        return now >= self.active_at


@dataclass
class Listener:
    """A TCP port of a load balancer and the target group behind it."""

    arn: str
    load_balancer_arn: str
    port: int
    target_group_arn: str
    attributes: dict[str, str]
    rule_id: str = ""
    """Of its default rule."""

    @property
    def rule_arn(self) -> str:
        return f"{self.arn.replace(':listener/', ':listener-rule/')}/{self.rule_id}"


@dataclass
class State(Kept):
    """Everything that elbv2 knows of one account and region."""

    compute: Compute
    now: Callable[[], float]
    account: str
    region: str
    random: Random
    secret: Callable[[int], bytes]
    knobs: Knobs
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    target_groups: dict[str, TargetGroup] = field(default_factory=dict)
    listeners: dict[str, Listener] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    """ARN -> tags."""
    lingering: dict[str, float] = field(default_factory=dict)
    """Interfaces of places that are no more, and when each is deleted."""
    flows: dict[FlowKey, FlowReport] = passing(dict)
    """What the data plane last said."""
    flows_at_minute: dict[FlowKey, FlowReport] = passing(dict)
    """What it had said at the last minute's datapoints."""
    health: dict[str, list[Datum]] = passing(dict)
    """Each balancer's points about its targets, as of the last look."""
    peaks: dict[tuple[str, str], Peak] = passing(dict)
    """Load balancer's dimension value and zone: how high its node's traffic has risen in this minute."""

    def arn(self, path: str) -> str:
        """Give an ARN of this account."""
        return f"arn:aws:elasticloadbalancing:{self.region}:{self.account}:{path}"

    def new_id(self) -> str:
        """Give 16 hex digits that nothing else has."""
        return self.secret(8).hex()


def check_arn(state: State, kind: str, arn: str) -> None:
    """Refuse an ARN that no resource of this kind, account and region could have."""
    forms.check_arn(kind, arn, state.arn(""))


def load_balancer(state: State, arn: str) -> LoadBalancer:
    """Find a load balancer or refuse."""
    check_arn(state, "load balancer", arn)
    if (found := state.load_balancers.get(arn)) is None:
        raise ApiError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
    return found


def target_group(state: State, arn: str) -> TargetGroup:
    """Find a target group or refuse."""
    check_arn(state, "target group", arn)
    if (found := state.target_groups.get(arn)) is None:
        raise ApiError("TargetGroupNotFound", f"Target groups '{arn}' not found")
    return found


def listener(state: State, arn: str) -> Listener:
    """Find a listener or refuse."""
    check_arn(state, "listener", arn)
    if (found := state.listeners.get(arn)) is None:
        raise ApiError("ListenerNotFound", "One or more listeners not found")
    return found


def rule(state: State, arn: str) -> Listener:
    """Find a listener by its default rule, the only one that it has, or refuse."""
    check_arn(state, "listener rule", arn)
    if (found := next((each for each in state.listeners.values() if each.rule_arn == arn), None)) is None:
        raise ApiError("RuleNotFound", "One or more rules not found")
    return found


def listeners_of(state: State, balancer: LoadBalancer) -> list[Listener]:
    """Give a balancer's listeners in the order they were made."""
    return [found for found in state.listeners.values() if found.load_balancer_arn == balancer.arn]


def groups_of(state: State, balancer: LoadBalancer) -> list[TargetGroup]:
    """Give the target groups that a balancer's listeners forward to, each once."""
    arns = dict.fromkeys(found.target_group_arn for found in listeners_of(state, balancer))
    return [state.target_groups[arn] for arn in arns]


def balancer_of(state: State, group: TargetGroup) -> LoadBalancer | None:
    """Give the one balancer that uses a target group."""
    for found in state.listeners.values():
        if found.target_group_arn == group.arn:
            return state.load_balancers[found.load_balancer_arn]
    return None


def tags_of(items: Iterable[dict]) -> dict[str, str]:
    """Read a request's Tags list; a key given twice is refused."""
    tags: dict[str, str] = {}
    for item in items:
        if item["Key"].lower().startswith("aws:"):
            raise forms.invalid("Tag keys starting with 'aws:' are reserved for internal use")
        if item["Key"] in tags:
            raise ApiError("DuplicateTagKeys", f"Tag key was specified more than once: {item['Key']}")
        tags[item["Key"]] = item.get("Value", "")
    if len(tags) > MOST_TAGS:
        raise ApiError("TooManyTags", f"A resource cannot have more than {MOST_TAGS} tags")
    return tags


def moment(seconds: float) -> datetime:
    """Give lab seconds as the datetime that goes into an answer."""
    return datetime.fromtimestamp(seconds, UTC)
