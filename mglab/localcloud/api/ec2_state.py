"""What EC2 remembers: instances, images, interfaces, templates as plain data; the rest is moto's.

One ``World`` is the single owner of it all. The pages (``ec2_instances``, ``ec2_images`` ...) read and
change it under the cloud's one lock. Times are lab epoch seconds.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from mglab.localcloud.addresses import AddressPlan
from mglab.localcloud.api.conditions import Conditions
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.moto_room import ACCOUNT, REGION, Backend
from mglab.localcloud.knobs import DEFAULTS, Knobs
from mglab.localcloud.rules.lifecycle import Life

__all__ = ["ACCOUNT", "REGION", "Image", "Instance", "Interface", "Template", "TemplateVersion", "World"]

FIRST_USABLE, RESERVED_ADDRESSES = 4, 5  # aws-facts 3.5: the first four and the last are AWS's


@dataclass
class Interface:
    """A network interface: an instance's own one, or a load balancer node's."""

    interface_id: str
    subnet_id: str
    vpc_id: str
    zone: str
    private_address: str
    loopback_address: str
    group_ids: list[str]
    description: str
    mac_address: str
    attached_at: float
    attachment_id: str
    public_address: str | None = None
    instance_id: str | None = None
    requester_managed: bool = False
    """Made by a load balancer, for one of its nodes."""
    delete_on_termination: bool = True

    @property
    def attached(self) -> bool:
        """Whether an instance or a load balancer uses it."""
        return self.requester_managed or self.instance_id is not None


@dataclass
class Instance:
    """An instance: what was asked for, and where its life stands."""

    instance_id: str
    reservation_id: str
    client_token: str
    launch_index: int
    image_id: str
    instance_type: str
    key_name: str | None
    public_key: str
    """Of that key pair as it was at launch: what becomes of the pair later changes nothing here."""
    user_data: bytes
    interface: Interface
    wants_public_address: bool
    volume_id: str
    launched_at: float
    life: Life
    monitoring: bool = False
    shutdown_behavior: str = "stop"
    refuses_termination: bool = False
    refuses_stop: bool = False
    source_dest_check: bool = True
    held_by: set[str] = field(default_factory=set)
    """Images that are being copied from it and keep it down."""
    reason: tuple[str, str] | None = None
    """StateReason: code and message."""
    transition: str = ""
    """StateTransitionReason."""


@dataclass
class Image:
    """A machine image, and its one snapshot."""

    image_id: str
    snapshot_id: str
    name: str
    description: str
    owner_id: str
    created_at: float
    ready_at: float
    state: str = "available"
    registered: bool = True
    source_instance_id: str | None = None
    source_volume_id: str = "vol-ffffffff"
    source_image_id: str | None = None
    no_reboot: bool = False
    copied: bool = True
    off_until: float = 0.0
    """When, at the earliest, the instance that it is made from is booted again."""
    owner_alias: str | None = None
    root_device: str = "/dev/xvda"
    gigabytes: int = 8
    deleted_snapshot: bool = False


@dataclass(frozen=True)
class TemplateVersion:
    """One version of a launch template; ``data`` is RequestLaunchTemplateData."""

    number: int
    data: Mapping[str, Any]
    description: str | None
    created_at: float


@dataclass
class Template:
    """A launch template."""

    template_id: str
    name: str
    created_at: float
    versions: list[TemplateVersion]
    default: int = 1


class Numbers:
    """Gives out numbers; one given back is used again only when the fresh ones are used up."""

    def __init__(self, fresh: int = 60_000) -> None:
        self._next, self._fresh, self._returned = 0, fresh, list[int]()

    def take(self) -> int:
        """Take one."""
        if self._next >= self._fresh and self._returned:
            return self._returned.pop(0)
        self._next += 1
        return self._next - 1

    def give_back(self, number: int) -> None:
        """Return one."""
        self._returned.append(number)


@dataclass
class World:
    """Everything that EC2 remembers in one cloud."""

    backend: Backend
    now: Callable[[], float]
    plan: AddressPlan
    random: Random
    directory: Path
    knobs: Knobs = DEFAULTS
    conditions: Conditions = field(default_factory=Conditions)
    instances: dict[str, Instance] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    interfaces: dict[str, Interface] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    _private: Numbers = field(default_factory=Numbers)
    _public: Numbers = field(default_factory=Numbers)
    _numbers: dict[str, int] = field(default_factory=dict)
    """loopback or public address -> its number in the plan"""

    # things by id

    def instance(self, instance_id: str) -> Instance:
        """Find an instance; raises ApiError (aws-facts 3.7 row 27)."""
        found = self.instances.get(check_id(instance_id, "i", "InvalidInstanceID"))
        return found or missing("InvalidInstanceID", f"The instance ID '{instance_id}' does not exist")

    def cut_off_since(self, instance: Instance) -> float | None:
        """Say since when an outage of its zone has kept a running instance from everybody; None: it is reachable."""
        since = self.conditions.cut_off_since.get(instance.interface.zone)
        return None if since is None or instance.life.state != "running" else max(since, instance.life.since)

    def image(self, image_id: str) -> Image:
        """Find a registered image; raises ApiError (row 21)."""
        found = self.images.get(check_id(image_id, "ami", "InvalidAMIID"))
        if found is None or not found.registered:
            missing("InvalidAMIID", f"The image id '[{image_id}]' does not exist")
        return found

    def subnet(self, subnet_id: str) -> Any:
        """Find moto's subnet; raises ApiError (row 27)."""
        for subnets in self.backend.subnets.values():
            if subnet_id in subnets:
                return subnets[subnet_id]
        return missing("InvalidSubnetID", f"The subnet ID '{subnet_id}' does not exist")

    def vpc(self, vpc_id: str) -> Any:
        """Find moto's VPC; raises ApiError (row 27)."""
        found = self.backend.vpcs.get(vpc_id)
        return found or missing("InvalidVpcID", f"The vpc ID '{vpc_id}' does not exist")

    def group(self, group_id: str) -> Any:
        """Find moto's security group; raises ApiError (row 18)."""
        found = self.backend.get_security_group_from_id(group_id)
        return found or missing("InvalidGroup", f"The security group '{group_id}' does not exist")

    def gateway_of(self, vpc_id: str) -> str | None:
        """Name the internet gateway attached to a VPC."""
        gateways = self.backend.internet_gateways.values()
        return next((g.id for g in gateways if g.vpc is not None and g.vpc.id == vpc_id), None)

    def holds(self, resource_id: str) -> bool:
        """Say whether something of ours, not of moto's, has this id."""
        if resource_id.startswith("snap-"):
            return any(image.snapshot_id == resource_id for image in self.images.values())
        if resource_id.startswith("vol-"):
            return any(instance.volume_id == resource_id for instance in self.instances.values())
        return any(resource_id in kind for kind in (self.instances, self.images, self.interfaces, self.templates))

    # tags, which moto keeps for everything

    def tags(self, resource_id: str) -> dict[str, str]:
        """Give a thing's tags."""
        return dict(self.backend.tags.get(resource_id, {}))

    def tag(self, resource_id: str, tags: Mapping[str, str]) -> None:
        """Put tags on a thing."""
        if tags:
            self.backend.tags[resource_id].update(tags)

    def untag(self, resource_id: str) -> None:
        """Forget all tags of a thing that is gone."""
        self.backend.tags.pop(resource_id, None)

    # interfaces and addresses

    def add_interface(
        self,
        subnet_id: str,
        group_ids: Iterable[str],
        description: str = "",
        *,
        private_address: str | None = None,
        instance_id: str | None = None,
    ) -> Interface:
        """Make an interface with a private address of the subnet."""
        subnet = self.subnet(subnet_id)
        interface = Interface(
            interface_id=new_id("eni"),
            subnet_id=subnet_id,
            vpc_id=subnet.vpc_id,
            zone=subnet.availability_zone,
            private_address=private_address or self._free_address(subnet),
            loopback_address=self._numbered(self._private, self.plan.private_loopback),
            group_ids=list(group_ids),
            description=description,
            mac_address="0a:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(5)),
            attached_at=self.now(),
            attachment_id=new_id("eni-attach"),
            instance_id=instance_id,
        )
        self.interfaces[interface.interface_id] = interface
        return interface

    def drop_interface(self, interface: Interface) -> None:
        """Delete an interface and give its addresses back."""
        self.release_public(interface)
        if self.interfaces.pop(interface.interface_id, None):
            self._private.give_back(self._numbers.pop(interface.loopback_address))
            self.untag(interface.interface_id)

    def assign_public(self, interface: Interface) -> None:
        """Give an interface a public address, unless it has one."""
        if interface.public_address is None:
            interface.public_address = self._numbered(self._public, self.plan.public)

    def release_public(self, interface: Interface) -> None:
        """Take an interface's public address away."""
        if interface.public_address is not None:
            self._public.give_back(self._numbers.pop(interface.public_address))
            interface.public_address = None

    def used_addresses(self) -> Iterable[tuple[str, str]]:
        """Give (subnet, private address) of every interface."""
        return ((i.subnet_id, i.private_address) for i in self.interfaces.values())

    def taken_addresses(self, subnet_id: str) -> set[str]:
        """Give the private addresses in use in a subnet."""
        return {address for used_in, address in self.used_addresses() if used_in == subnet_id}

    def count_free_addresses(self, subnet: Any) -> int:
        """Count a subnet's free addresses."""
        return int(subnet.cidr.num_addresses) - RESERVED_ADDRESSES - len(self.taken_addresses(subnet.id))

    def public_name(self, vpc_id: str, address: str | None) -> str:
        """Name a public address; empty unless its VPC has DNS host names on (aws-facts 3.4)."""
        vpc = self.backend.vpcs.get(vpc_id)
        if address is None or vpc is None or not vpc.enable_dns_hostnames:
            return ""
        return f"ec2-{address.replace('.', '-')}.compute-1.amazonaws.com"

    def _free_address(self, subnet: Any) -> str:
        taken, usable = self.taken_addresses(subnet.id), subnet.cidr.num_addresses - RESERVED_ADDRESSES
        first = self.random.randrange(usable)
        for step in range(usable):
            address = str(subnet.cidr[FIRST_USABLE + (first + step) % usable])
            if address not in taken:
                return address
        message = f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the requested number."
        raise ApiError("InsufficientFreeAddressesInSubnet", message)

    def _numbered(self, numbers: Numbers, address_of: Callable[[int], str]) -> str:
        number = numbers.take()
        address = address_of(number)
        self._numbers[address] = number
        return address


def new_id(prefix: str) -> str:
    """Make an id in EC2's form: a prefix and 17 hex digits (aws-facts 3.4)."""
    return f"{prefix}-0{secrets.token_hex(8)}"


def check_id(resource_id: str, prefix: str, code: str) -> str:
    """Refuse what cannot be an id of this kind (aws-facts 3.7 row 21)."""
    if not re.fullmatch(rf"{prefix}-[0-9a-f]{{8}}(?:[0-9a-f]{{9}})?", resource_id):
        raise ApiError(f"{code}.Malformed", f'Invalid id: "{resource_id}" (expecting "{prefix}-...")')
    return resource_id


def missing(kind: str, message: str) -> NoReturn:
    """Refuse because the thing is not there."""
    raise ApiError(f"{kind}.NotFound", message)


def dry_run(params: Mapping[str, Any]) -> None:
    """End a request that has passed its checks and was only to be tried."""
    if params.get("DryRun"):
        raise ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)


def when(at: float) -> datetime:
    """Give a lab moment as the time that an answer carries."""
    return datetime.fromtimestamp(at, UTC)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Write tags as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tags_for(kind: str, specifications: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Collect the tags that TagSpecifications ask for on one kind of resource."""
    return {
        tag["Key"]: tag.get("Value", "")
        for specification in specifications
        if specification.get("ResourceType") == kind
        for tag in specification.get("Tags", [])
    }
