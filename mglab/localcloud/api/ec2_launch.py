"""RunInstances: from a request (and its launch template) to a checked order, from an order to instances.

AWS lays the request over the template, member by member; interfaces meet by DeviceIndex, tags by key. Only
then is the whole checked, in AWS's order of complaint: image, type, key, network, groups (aws-facts 3.7 rows
18-22). A network interface in the template excludes subnet and groups beside it in the request (row 20).
An Auto Scaling group's launch goes the same way, with the group's subnet put where the template wants it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from mglab.localcloud.api import moto_room
from mglab.localcloud.api.ec2_options import asked_options, cpu_credits, instance_profile, metadata_options
from mglab.localcloud.api.ec2_state import ACCOUNT, REGION, Image, Instance, Volume, World, missing, new_id, tags_for
from mglab.localcloud.api.ec2_types import vcpus
from mglab.localcloud.api.ec2_volumes import Disk, wanted_disk
from mglab.localcloud.api.faults import ApiError, refused
from mglab.localcloud.knobs import Knobs
from mglab.localcloud.rules import academy
from mglab.localcloud.rules.faults import without_capacity
from mglab.localcloud.rules.lifecycle import Pace, draw_pace, launched

USER_DATA_LIMIT_BYTES = 16 * 1024  # raw, before base64: EC2's limit
DEFAULT_TYPE = "m1.small"

_NOT_BESIDE_INTERFACES = {
    "SubnetId": "subnet ID",
    "SecurityGroupIds": "security groups",
    "SecurityGroups": "security groups",
}

NOT_MODELLED = (
    *("InstanceMarketOptions", "InstanceRequirements", "LicenseSpecifications", "SecondaryInterfaces"),
    *("KernelId", "RamdiskId", "RamDiskId", "Ipv6AddressCount", "Ipv6Addresses", "EnablePrimaryIpv6"),
    *("ElasticGpuSpecification", "ElasticGpuSpecifications", "ElasticInferenceAccelerators"),
)
"""What would change the instance and does not exist here: a Learner Lab is on-demand only (aws-facts 5)."""


@dataclass(frozen=True)
class Order:
    """A launch that has passed every check."""

    image_id: str
    instance_type: str
    key_name: str | None
    subnet_id: str
    group_ids: tuple[str, ...]
    public: bool
    private_address: str | None
    user_data: bytes
    disk: Disk
    options: Mapping[str, Any]
    metadata_options: Mapping[str, Any]
    cpu_credits: str | None = None
    instance_profile: str | None = None
    monitoring: bool = False
    shutdown_behavior: str = "stop"
    refuses_termination: bool = False
    refuses_stop: bool = False
    interface_description: str = ""
    delete_interface: bool = True
    instance_tags: Mapping[str, str] = field(default_factory=dict)
    volume_tags: Mapping[str, str] = field(default_factory=dict)
    interface_tags: Mapping[str, str] = field(default_factory=dict)


def merged(request: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a request over a template's data."""
    whole = {**deepcopy(dict(template)), **deepcopy(dict(request))}
    below, above = template.get("NetworkInterfaces", []), request.get("NetworkInterfaces", [])
    if below and above:
        by_index = {nic.get("DeviceIndex", 0): dict(nic) for nic in below}
        for nic in above:
            index = nic.get("DeviceIndex", 0)
            by_index[index] = {**by_index.get(index, {}), **nic}
        whole["NetworkInterfaces"] = [by_index[index] for index in sorted(by_index)]
    specifications = [*template.get("TagSpecifications", []), *request.get("TagSpecifications", [])]
    whole["TagSpecifications"] = specifications
    return whole


def checked(world: World, params: Mapping[str, Any]) -> Order:
    """Check a whole request; raises ApiError in EC2's words."""
    image_id, instance_type = checked_contents(world, params)
    nic = _interface_of(params)
    subnet = _subnet_for(world, nic.get("SubnetId") or params.get("SubnetId"), instance_type, params)
    group_ids = tuple(_groups(world, params, nic, subnet))
    public = nic.get("AssociatePublicIpAddress")
    specifications: Sequence[Mapping[str, Any]] = params.get("TagSpecifications", [])
    image = world.image(image_id)
    return Order(
        image_id=image_id,
        instance_type=instance_type,
        key_name=params.get("KeyName"),
        subnet_id=subnet.id,
        group_ids=group_ids,
        public=bool(subnet.map_public_ip_on_launch if public is None else public),
        private_address=_private_address(world, nic.get("PrivateIpAddress") or params.get("PrivateIpAddress"), subnet),
        user_data=decoded_user_data(params.get("UserData", "")),
        disk=wanted_disk(image, params.get("BlockDeviceMappings", [])),
        options=asked_options(params),
        metadata_options=metadata_options(image, params),
        cpu_credits=cpu_credits(instance_type, params),
        instance_profile=instance_profile(params),
        monitoring=bool(params.get("Monitoring", {}).get("Enabled", False)),
        shutdown_behavior=params.get("InstanceInitiatedShutdownBehavior", "stop"),
        refuses_termination=params.get("DisableApiTermination", False),
        refuses_stop=params.get("DisableApiStop", False),
        interface_description=nic.get("Description", ""),
        delete_interface=nic.get("DeleteOnTermination", True),
        instance_tags=tags_for("instance", specifications),
        volume_tags=tags_for("volume", specifications),
        interface_tags=tags_for("network-interface", specifications),
    )


def checked_contents(world: World, params: Mapping[str, Any]) -> tuple[str, str]:
    """Check image, type, key and groups, which do not depend on the subnet; give image id and type."""
    _check_modelled(params)
    image_id = params.get("ImageId")
    if not image_id:
        raise ApiError("MissingParameter", "The request must contain the parameter ImageId")
    image = world.image(image_id)
    if image.state != "available":
        raise ApiError("InvalidAMIID.Unavailable", f"AMI {image_id} is {image.state}, and cannot be run")
    instance_type = params.get("InstanceType", DEFAULT_TYPE)
    if not moto_room.instance_type_exists(instance_type):
        raise ApiError("InvalidParameterValue", f"Invalid value '{instance_type}' for InstanceType.")
    key_name = params.get("KeyName")
    if key_name and key_name not in world.backend.key_pairs:
        missing("InvalidKeyPair", f"The key pair '{key_name}' does not exist")
    for group_id in [*params.get("SecurityGroupIds", []), *_interface_of(params).get("Groups", [])]:
        world.group(group_id)
    decoded_user_data(params.get("UserData", ""))
    return image_id, instance_type


def authorize(world: World, params: Mapping[str, Any]) -> None:
    """Refuse what a policy of the account does not let its user run; raises ApiError (aws-facts 5)."""
    conditions = world.conditions
    if conditions.settings.academy and not academy.may_run(params, DEFAULT_TYPE):
        arn = conditions.caller(ACCOUNT)
        raise refused(academy.denial("ec2", "RunInstances", params, ACCOUNT, REGION, arn=arn))


def admit(world: World, wanted: Sequence[tuple[str, str]]) -> None:
    """Refuse what EC2 cannot run: (type, zone) of each instance; raises ApiError (aws-facts 3.7 row 26, 2.3)."""
    limit = world.conditions.settings.most_vcpus
    in_use = [i.instance_type for i in world.instances.values() if i.life.state in ("pending", "running")]
    asked = [instance_type for instance_type, _ in wanted]
    refusal = academy.too_many_vcpus(_vcpus(asked), _vcpus(in_use), limit)
    if refusal is not None:
        raise refused(refusal)
    closed = world.conditions.settings.faults.closed_zones
    for instance_type, zone in wanted:
        if zone in closed:
            raise refused(without_capacity(instance_type, zone, moto_room.zones_offering(instance_type), closed))


def _vcpus(instance_types: Iterable[str]) -> int:
    return sum(map(vcpus, instance_types))


def launch(world: World, order: Order, index: int, reservation_id: str, client_token: str) -> Instance:
    """Make one instance, pending."""
    now = world.now()
    instance_id = new_id("i")
    interface = world.add_interface(
        order.subnet_id,
        order.group_ids,
        order.interface_description,
        private_address=order.private_address,
        instance_id=instance_id,
    )
    interface.delete_on_termination = order.delete_interface
    volume = _root_volume(world, order, instance_id, interface.zone)
    instance = Instance(
        instance_id=instance_id,
        reservation_id=reservation_id,
        client_token=client_token,
        launch_index=index,
        image_id=order.image_id,
        instance_type=order.instance_type,
        key_name=order.key_name,
        public_key=moto_room.public_key(world.backend, order.key_name),
        user_data=order.user_data,
        interface=interface,
        wants_public_address=order.public,
        volume_id=volume.volume_id,
        launched_at=now,
        created_at=now,
        reason=("pending", "pending"),
        options=dict(order.options),
        metadata_options=dict(order.metadata_options),
        cpu_credits=order.cpu_credits,
        instance_profile=order.instance_profile,
        life=launched(now, draw_pace(world.random, _usual_pace(world.knobs))),
        monitoring=order.monitoring,
        shutdown_behavior=order.shutdown_behavior,
        refuses_termination=order.refuses_termination,
        refuses_stop=order.refuses_stop,
    )
    world.instances[instance_id] = instance
    world.tag(instance_id, order.instance_tags)
    world.tag(instance.volume_id, order.volume_tags)
    world.tag(interface.interface_id, order.interface_tags)
    return instance


def _check_modelled(params: Mapping[str, Any]) -> None:
    """Refuse what would be launched otherwise than it was asked for."""
    asked = [name for name in NOT_MODELLED if params.get(name)]
    if params.get("HibernationOptions", {}).get("Configured"):
        asked.append("HibernationOptions")
    if params.get("Placement", {}).get("Tenancy", "default") != "default":
        asked.append("Placement.Tenancy")
    if asked:
        raise ApiError("UnsupportedOperation", f"The local cloud launches no instances with {', '.join(asked)}.")
    behavior = params.get("InstanceInitiatedShutdownBehavior", "stop")
    if behavior not in ("stop", "terminate"):
        message = f"Value ({behavior}) for parameter instanceInitiatedShutdownBehavior is invalid."
        raise ApiError("InvalidParameterValue", message)


def _root_volume(world: World, order: Order, instance_id: str, zone: str) -> Volume:
    image: Image = world.image(order.image_id)
    volume = Volume(
        volume_id=new_id("vol"),
        gigabytes=order.disk.gigabytes,
        volume_type=order.disk.volume_type,
        iops=order.disk.iops,
        throughput=order.disk.throughput,
        snapshot_id=image.snapshot_id,
        zone=zone,
        created_at=world.now(),
        device=image.root_device,
        instance_id=instance_id,
        delete_on_termination=order.disk.delete_on_termination,
        encrypted=order.disk.encrypted,
    )
    world.volumes[volume.volume_id] = volume
    return volume


def _usual_pace(knobs: Knobs) -> Pace:
    return Pace(knobs.pending_s, knobs.boot_s, knobs.shutting_down_s, knobs.stopping_s)


def _interface_of(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the one interface that a request or template describes, or an empty one."""
    interfaces = params.get("NetworkInterfaces", [])
    if not interfaces:
        return {}
    for name, what in _NOT_BESIDE_INTERFACES.items():
        if params.get(name):  # aws-facts 3.7 row 20
            message = f"Network interfaces and an instance-level {what} may not be specified on the same request"
            raise ApiError("InvalidParameterCombination", message)
    if len(interfaces) > 1 or "NetworkInterfaceId" in interfaces[0]:
        raise ApiError("UnsupportedOperation", "The local cloud gives an instance one network interface of its own.")
    first: Mapping[str, Any] = interfaces[0]
    return first


def _subnet_for(world: World, subnet_id: str | None, instance_type: str, params: Mapping[str, Any]) -> Any:
    wanted = params.get("Placement", {}).get("AvailabilityZone")
    offered = moto_room.zones_offering(instance_type)
    if subnet_id is not None:
        subnet = world.subnet(subnet_id)
        _check_offered(instance_type, subnet.availability_zone, offered)
        return subnet
    if wanted is not None:
        _check_offered(instance_type, wanted, offered)
    closed = world.conditions.settings.faults.closed_zones
    open_zones = [zone for zone in offered if zone not in closed] or offered
    defaults = [
        subnet
        for subnets in world.backend.subnets.values()
        for subnet in subnets.values()
        if subnet.default_for_az and subnet.availability_zone in ((wanted,) if wanted else open_zones)
    ]
    if not defaults:
        message = "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC."
        raise ApiError("VPCIdNotSpecified", message)
    return world.random.choice(defaults)


def _check_offered(instance_type: str, zone: str, offered: tuple[str, ...]) -> None:
    if zone not in offered:
        raise ApiError(
            "Unsupported",
            f"Your requested instance type ({instance_type}) is not supported in your requested Availability Zone "
            f"({zone}). Please retry your request by not specifying an Availability Zone or choosing "
            f"{', '.join(offered)}.",
        )


def _groups(world: World, params: Mapping[str, Any], nic: Mapping[str, Any], subnet: Any) -> list[str]:
    groups: list[Any] = [world.group(group_id) for group_id in nic.get("Groups") or params.get("SecurityGroupIds", [])]
    for name in params.get("SecurityGroups", []):
        found = world.backend.get_security_group_from_name(name, subnet.vpc_id)
        groups.append(found or missing("InvalidGroup", f"The security group '{name}' does not exist"))
    for group in groups:
        if group.vpc_id != subnet.vpc_id:  # aws-facts 3.7 row 19
            message = f"Security group {group.id} and subnet {subnet.id} belong to different networks."
            raise ApiError("InvalidParameter", message)
    if not groups:
        groups = [world.backend.get_security_group_from_name("default", subnet.vpc_id)]
    return [group.id for group in groups]


def _private_address(world: World, address: str | None, subnet: Any) -> str | None:
    if address is None:
        return None
    if ip_address(address) not in subnet.cidr:
        raise ApiError("InvalidParameterValue", "Address does not fall within the subnet's address range")
    if address in world.taken_addresses(subnet.id):
        raise ApiError("InvalidIPAddress.InUse", f"Address {address} is in use.")
    return address


def decoded_user_data(encoded: str) -> bytes:
    """Decode and check user data; raises ApiError."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ApiError("InvalidParameterValue", "Invalid BASE64 encoding of user data.") from None
    return checked_user_data(raw)


def checked_user_data(raw: bytes) -> bytes:
    """Hold user data to EC2's limit; raises ApiError."""
    if len(raw) > USER_DATA_LIMIT_BYTES:
        raise ApiError("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT_BYTES} bytes")
    return raw
