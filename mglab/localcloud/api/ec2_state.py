"""What EC2 remembers: instances, images, interfaces, templates as plain data; the rest is moto's.

One ``World`` is the single owner of it all. The pages (``ec2_instances``, ``ec2_images`` ...) read and
change it under the cloud's one lock. Times are lab epoch seconds.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from mglab.localcloud.addresses import AddressPlan
from mglab.localcloud.api import ec2_ids
from mglab.localcloud.api.conditions import Conditions
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.moto_room import ACCOUNT, REGION, Backend
from mglab.localcloud.knobs import DEFAULTS, Knobs
from mglab.localcloud.rules.lifecycle import Life, reachability

__all__ = ["ACCOUNT", "REGION", "Image", "Instance", "Interface", "Template", "TemplateVersion", "Volume", "World"]

FIRST_USABLE, RESERVED_ADDRESSES = 4, 5  # aws-facts 3.5: the first four and the last are AWS's
MOST_GROUPS = 5
"""aws-facts 3.5: security groups of one interface."""


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
    source_dest_check: bool = True
    association_id: str | None = None
    """Of the Elastic IP address that its public address is; None when AWS lent it."""

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
    created_at: float = 0.0
    """When it was launched first; ``launched_at`` moves with every start."""
    fingerprint: str = ""
    """Of the request with its client token: another request with the same token is refused."""
    options: dict[str, Any] = field(default_factory=dict)
    """What was asked for of the members that mean nothing here: read back as they were."""
    metadata_options: dict[str, Any] = field(default_factory=dict)
    cpu_credits: str | None = None
    """``standard`` or ``unlimited``; None for types that have no CPU credits."""
    instance_profile: str | None = None
    monitoring: bool = False
    shutdown_behavior: str = "stop"
    refuses_termination: bool = False
    refuses_stop: bool = False
    off_since: float | None = None
    """Since when its processes are gone though it runs; nobody told them to go."""
    held_by: set[str] = field(default_factory=set)
    """Images that are being copied from it and keep it down."""
    reason: tuple[str, str] | None = None
    """StateReason: code and message."""
    transition: str = ""
    """StateTransitionReason."""

    @property
    def source_dest_check(self) -> bool:
        """Whether its interface drops what is neither from it nor for it."""
        return self.interface.source_dest_check

    @source_dest_check.setter
    def source_dest_check(self, checks: bool) -> None:
        self.interface.source_dest_check = checks


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
    volume_type: str = "gp3"
    metadata_service: str | None = "v2.0"
    """ImdsSupport: which metadata service its instances start with."""
    launch_permissions: list[dict[str, str]] = field(default_factory=list)
    deleted_snapshot: bool = False


@dataclass
class ElasticAddress:
    """A public address that the account keeps until it gives it back."""

    allocation_id: str
    public_address: str
    interface_id: str | None = None
    """What it is associated with."""


@dataclass
class Volume:
    """A volume: an instance's root device, or what one has left behind."""

    volume_id: str
    gigabytes: int
    volume_type: str
    iops: int | None
    throughput: int | None
    snapshot_id: str
    zone: str
    created_at: float
    device: str
    instance_id: str | None
    """Whose it is; None when it is available."""
    delete_on_termination: bool = True
    encrypted: bool = False


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
    numbered: int = 1
    """The highest number given out: a deleted version's is never given again."""
    client_token: str = ""


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
    elastic: dict[str, ElasticAddress] = field(default_factory=dict)
    dhcp_options_id: str = field(default_factory=lambda: new_id("dopt"))
    """Of the set that every VPC of an account begins with."""
    volumes: dict[str, Volume] = field(default_factory=dict)
    _private: Numbers = field(default_factory=Numbers)
    _public: Numbers = field(default_factory=Numbers)
    _numbers: dict[str, int] = field(default_factory=dict)
    """loopback or public address -> its number in the plan"""

    # things by id

    def instance(self, instance_id: str) -> Instance:
        """Find an instance; raises ApiError (aws-facts 3.7 row 27)."""
        if not re.fullmatch(r"i-[0-9a-f]{8}(?:[0-9a-f]{9})?", instance_id):
            raise ApiError("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
        found = self.instances.get(instance_id)
        return found or missing("InvalidInstanceID", f"The instance ID '{instance_id}' does not exist")

    def cut_off_since(self, instance: Instance) -> float | None:
        """Say since when an outage of its zone has kept a running instance from everybody; None: it is reachable."""
        since = self.conditions.cut_off_since.get(instance.interface.zone)
        return None if since is None or instance.life.state != "running" else max(since, instance.life.since)

    def impaired_since(self, instance: Instance) -> float | None:
        """Say since when its status checks fail, by an outage or without its processes; None: they do not."""
        cut_off = self.cut_off_since(instance)
        if cut_off is not None:
            return cut_off
        check = reachability(instance.life, instance.off_since, self.now(), self.knobs.status_ok_s)
        return instance.off_since if check == "impaired" else None

    def image(self, image_id: str) -> Image:
        """Find a registered image; raises ApiError (row 21)."""
        found = self.images.get(check_id(image_id, "ami", "InvalidAMIID"))
        if found is None or not found.registered:
            missing("InvalidAMIID", f"The image id '[{image_id}]' does not exist")
        return found

    def subnet(self, subnet_id: str) -> Any:
        """Find moto's subnet; raises ApiError (row 27)."""
        found = (subnets[subnet_id] for subnets in self.backend.subnets.values() if subnet_id in subnets)
        return ec2_ids.known(ec2_ids.SUBNET, subnet_id, next(found, None))

    def vpc(self, vpc_id: str) -> Any:
        """Find moto's VPC; raises ApiError (row 27)."""
        return ec2_ids.known(ec2_ids.VPC, vpc_id, self.backend.vpcs.get(vpc_id))

    def group(self, group_id: str) -> Any:
        """Find moto's security group; raises ApiError (row 18)."""
        return ec2_ids.known(ec2_ids.GROUP, group_id, self.backend.get_security_group_from_id(group_id))

    def group_rules(self) -> Iterable[Any]:
        """Give moto's rules of every security group."""
        groups = (group for groups in self.backend.groups.values() for group in groups.values())
        return (rule for group in groups for rule in (*group.ingress_rules, *group.egress_rules))

    def interface(self, interface_id: str) -> Interface:
        """Find an interface; raises ApiError."""
        return ec2_ids.known(ec2_ids.INTERFACE, interface_id, self.interfaces.get(interface_id))

    def gateway_of(self, vpc_id: str) -> str | None:
        """Name the internet gateway attached to a VPC."""
        gateways = self.backend.internet_gateways.values()
        return next((g.id for g in gateways if g.vpc is not None and g.vpc.id == vpc_id), None)

    def holds(self, resource_id: str) -> bool:
        """Say whether something of ours, not of moto's, has this id."""
        if resource_id.startswith("snap-"):
            return any(image.snapshot_id == resource_id for image in self.images.values())
        if resource_id.startswith("vol-"):
            return resource_id in self.volumes
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
        check_group_number(group_ids := list(group_ids))
        interface = Interface(
            interface_id=new_id("eni"),
            subnet_id=subnet_id,
            vpc_id=subnet.vpc_id,
            zone=subnet.availability_zone,
            private_address=private_address or self._free_address(subnet),
            loopback_address=self._numbered(self._private, self.plan.private_loopback),
            group_ids=group_ids,
            description=description,
            mac_address="0a:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(5)),
            attached_at=self.now(),
            attachment_id=new_id("eni-attach"),
            instance_id=instance_id,
        )
        self.interfaces[interface.interface_id] = interface
        return interface

    def drop_interface(self, interface: Interface) -> None:
        """Delete an interface and give its addresses back; an Elastic IP address stays the account's."""
        self.disassociate(interface)
        self.release_public(interface)
        if self.interfaces.pop(interface.interface_id, None):
            self._private.give_back(self._numbers.pop(interface.loopback_address))
            self.untag(interface.interface_id)

    def assign_public(self, interface: Interface) -> None:
        """Give an interface a public address, unless it has one."""
        if interface.public_address is None:
            interface.public_address = self._numbered(self._public, self.plan.public)

    def release_public(self, interface: Interface) -> None:
        """Take away the public address that an interface was lent; its Elastic IP address stays."""
        if interface.public_address is not None and interface.association_id is None:
            self._public.give_back(self._numbers.pop(interface.public_address))
            interface.public_address = None

    def allocate(self) -> ElasticAddress:
        """Give the account a public address of its own."""
        address = ElasticAddress(new_id("eipalloc"), self._numbered(self._public, self.plan.public))
        self.elastic[address.allocation_id] = address
        return address

    def release(self, address: ElasticAddress) -> None:
        """Take an address of the account's back."""
        del self.elastic[address.allocation_id]
        self._public.give_back(self._numbers.pop(address.public_address))
        self.untag(address.allocation_id)

    def associate(self, address: ElasticAddress, interface: Interface) -> None:
        """Map an address of the account's to an interface, instead of the one that it had."""
        self.disassociate(interface)
        self.release_public(interface)
        if address.interface_id is not None:
            self.disassociate(self.interfaces[address.interface_id])
        address.interface_id, interface.association_id = interface.interface_id, new_id("eipassoc")
        interface.public_address = address.public_address

    def disassociate(self, interface: Interface) -> None:
        """Take an Elastic IP address off an interface, if it has one."""
        if interface.association_id is not None:
            self.elastic_of(interface).interface_id = None
            interface.association_id = interface.public_address = None

    def elastic_of(self, interface: Interface) -> ElasticAddress:
        """Give the Elastic IP address of an interface that has one."""
        return next(it for it in self.elastic.values() if it.interface_id == interface.interface_id)

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


def check_group_number(group_ids: Sequence[str]) -> None:
    """Refuse more security groups than an interface may have (aws-facts 3.5: quotas)."""
    if len(group_ids) > MOST_GROUPS:
        message = "The maximum number of security groups per interface has been reached."
        raise ApiError("SecurityGroupsPerInterfaceLimitExceeded", message)


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


def to_the_second(at: float) -> datetime:
    """Give a lab moment as EC2 writes launches and attachments: whole seconds."""
    return when(float(int(at)))


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Write tags as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tags_for(kind: str, specifications: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Collect the tags that TagSpecifications ask for on one kind of resource; raises ApiError."""
    tags = {
        tag["Key"]: tag.get("Value", "")
        for specification in specifications
        if specification.get("ResourceType") == kind
        for tag in specification.get("Tags", [])
    }
    if any(key.startswith("aws:") for key in tags):
        raise ApiError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
    return tags
