"""What load balancing and scaling ask of EC2, as values and a protocol.

``ec2.py`` answers it from moto's backend; tests answer it from a dictionary. Times are lab epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mglab.localcloud.rules.reach import Network

InstanceState = Literal["pending", "running", "shutting-down", "terminated", "stopping", "stopped"]


@dataclass(frozen=True)
class InstanceView:
    """An instance as the rest of the cloud sees it."""

    instance_id: str
    state: InstanceState
    image_id: str
    instance_type: str
    vpc_id: str
    subnet_id: str
    zone: str
    private_address: str
    loopback_address: str
    public_address: str | None
    security_group_ids: tuple[str, ...]
    launched_at: float
    serving: bool
    """Powered on in the data plane: its processes run (running, boot time over, not being imaged)."""
    tags: Mapping[str, str] = field(default_factory=dict)
    detailed_monitoring: bool = False
    """One-minute points in CloudWatch instead of five-minute ones."""
    impaired_since: float | None = None
    """Since when its status checks fail; None: they do not."""


@dataclass(frozen=True)
class SubnetView:
    """A subnet as the rest of the cloud sees it."""

    subnet_id: str
    vpc_id: str
    zone: str
    zone_id: str
    cidr: str
    free_addresses: int


@dataclass(frozen=True)
class NodeInterface:
    """A load balancer node's network interface in one subnet."""

    interface_id: str
    private_address: str
    loopback_address: str
    public_address: str | None


@dataclass(frozen=True)
class LaunchRequest:
    """What a group asks EC2 to start: a template version and where."""

    launch_template_id: str
    version: str
    """``$Latest``, ``$Default`` or a number."""
    subnet_id: str
    tags: Mapping[str, str] = field(default_factory=dict)


class Compute(Protocol):
    """EC2 as seen by elbv2, autoscaling and the reconciler. Every method is called under the one lock."""

    def instance(self, instance_id: str) -> InstanceView | None:
        """Give an instance, terminated ones included while EC2 still lists them."""

    def instances(self) -> tuple[InstanceView, ...]:
        """Give every instance that EC2 lists."""

    def subnet(self, subnet_id: str) -> SubnetView | None:
        """Give a subnet."""

    def has_gateway(self, vpc_id: str) -> bool:
        """Say whether the VPC has an internet gateway attached."""

    def security_group_exists(self, group_id: str) -> bool:
        """Say whether the security group is there."""

    def check_template(self, template_id: str | None, name: str | None, version: str) -> tuple[str, str]:
        """Give (template id, name) of a launch template whose contents could be launched.

        Raises ApiError with EC2's code and message when it, its version, image, key pair or group is not there.
        """

    def template_version(self, template_id: str, version: str) -> tuple[int, str, str]:
        """Resolve ``$Latest`` or ``$Default``: give (version number, image id, instance type)."""

    def launch(self, request: LaunchRequest, now: float) -> str:
        """Start one instance (pending) and give its id; raises ApiError as RunInstances would."""

    def terminate(self, instance_id: str, now: float) -> None:
        """Begin to terminate an instance; one that is gone already is no error."""

    def create_node_interface(self, description: str, subnet_id: str, *, public: bool) -> NodeInterface:
        """Make a load balancer's interface (``ELB net/...``, requester-managed) in a subnet."""

    def delete_node_interface(self, interface_id: str) -> None:
        """Delete a load balancer's interface; one that is gone already is no error."""

    def network(self) -> Network:
        """Give route tables, gateways and security groups as the reachability rule reads them."""
