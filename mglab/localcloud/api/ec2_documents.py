"""How EC2 describes instances, their status checks, and interfaces."""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api.ec2_options import option_members
from mglab.localcloud.api.ec2_state import ACCOUNT, Instance, Interface, World, tag_list, to_the_second, when
from mglab.localcloud.api.ec2_types import is_nitro
from mglab.localcloud.api.moto_room import ZONE_IDS
from mglab.localcloud.rules.lifecycle import STATE_CODES, Check, State, status

CHECK_DETAILS: dict[Check, str] = {"ok": "passed", "initializing": "initializing", "impaired": "failed"}
LOAD_BALANCER_REQUESTER = "amazon-elb"
LOAD_BALANCER_ATTACHER = "amazon-aws"
"""Owner of a node's attachment; infrastructure tools wait by it for a deleted balancer's interfaces to go."""


def state_document(state: State) -> dict[str, Any]:
    """Describe a state."""
    return {"Code": STATE_CODES[state], "Name": state}


def private_name(address: str) -> str:
    """Name a private address (aws-facts 3.4)."""
    return f"ip-{address.replace('.', '-')}.ec2.internal"


def instance_document(world: World, instance: Instance, *, fresh: bool = False) -> dict[str, Any]:
    """Describe an instance; ``fresh`` as RunInstances does, before an address is mapped to it."""
    document: dict[str, Any] = {
        "InstanceId": instance.instance_id,
        "ImageId": instance.image_id,
        "State": state_document(instance.life.state),
        "PrivateDnsName": "",
        "PublicDnsName": "",
        "StateTransitionReason": instance.transition,
        "KeyName": instance.key_name,
        "AmiLaunchIndex": instance.launch_index,
        "ProductCodes": [],
        "InstanceType": instance.instance_type,
        "LaunchTime": to_the_second(instance.launched_at),
        "Placement": {
            "AvailabilityZone": instance.interface.zone,
            "AvailabilityZoneId": ZONE_IDS.get(instance.interface.zone),
            "GroupName": "",
            "Tenancy": "default",
        },
        "Monitoring": {"State": "enabled" if instance.monitoring else "disabled"},
        "Architecture": "x86_64",
        "BlockDeviceMappings": [],
        "ClientToken": instance.client_token,
        "EnaSupport": True,
        "Hypervisor": "xen",
        "NetworkInterfaces": [],
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "SecurityGroups": [],
        "Tags": tag_list(world.tags(instance.instance_id)) or None,
        "VirtualizationType": "hvm",
        "BootMode": "uefi-preferred",
        "Operator": {"Managed": False},
        **option_members(instance, fresh=fresh),
    }
    if not fresh:
        document["HibernationOptions"] = {"Configured": False}
        document["PlatformDetails"] = "Linux/UNIX"
        document["UsageOperation"] = "RunInstances"
        document["UsageOperationUpdateTime"] = to_the_second(instance.created_at)
    if instance.reason:
        document["StateReason"] = dict(zip(("Code", "Message"), instance.reason, strict=True))
    if instance.life.state != "terminated":
        document.update(_attached(world, instance, fresh))
    return document


def _attached(world: World, instance: Instance, fresh: bool) -> dict[str, Any]:
    """Describe what a terminated instance has no more: addresses, interface, volume."""
    interface = instance.interface
    public = None if fresh else interface.public_address
    return {
        "SubnetId": interface.subnet_id,
        "VpcId": interface.vpc_id,
        "PrivateIpAddress": interface.private_address,
        "PrivateDnsName": private_name(interface.private_address),
        "PublicIpAddress": public,
        "PublicDnsName": world.public_name(interface.vpc_id, public),
        "SourceDestCheck": instance.source_dest_check,
        "SecurityGroups": group_list(world, interface),
        "NetworkInterfaces": [_own_interface(world, instance, public, "attaching" if fresh else "attached")],
        "BlockDeviceMappings": [] if fresh else device_list(world, instance),
    }


def device_list(world: World, instance: Instance) -> list[dict[str, Any]]:
    """List an instance's volumes as its devices."""
    volume = world.volumes[instance.volume_id]
    disk = {
        "AttachTime": to_the_second(volume.created_at),
        "DeleteOnTermination": volume.delete_on_termination,
        "Status": "attached",
        "VolumeId": volume.volume_id,
    }
    return [{"DeviceName": volume.device, "Ebs": disk}]


def group_list(world: World, interface: Interface) -> list[dict[str, str]]:
    """List an interface's security groups."""
    groups = (world.backend.get_security_group_from_id(group_id) for group_id in interface.group_ids)
    return [{"GroupId": group.id, "GroupName": group.name} for group in groups if group is not None]


def _association(world: World, interface: Interface, public: str | None) -> dict[str, Any] | None:
    if public is None:
        return None
    owner = (
        LOAD_BALANCER_REQUESTER if interface.requester_managed else ACCOUNT if interface.association_id else "amazon"
    )
    return {"IpOwnerId": owner, "PublicDnsName": world.public_name(interface.vpc_id, public), "PublicIp": public}


def _whole_association(world: World, interface: Interface) -> dict[str, Any] | None:
    """Describe a public address as an interface by itself shows it: with the ids of an Elastic IP address."""
    association = _association(world, interface, interface.public_address)
    if association is None or interface.association_id is None:
        return association
    allocation_id = world.elastic_of(interface).allocation_id
    return {**association, "AllocationId": allocation_id, "AssociationId": interface.association_id}


def _addresses(world: World, interface: Interface, association: dict[str, Any] | None) -> dict[str, Any]:
    vpc = world.backend.vpcs.get(interface.vpc_id)
    name = private_name(interface.private_address) if vpc is not None and vpc.enable_dns_hostnames else None
    return {
        "Association": association,
        "PrivateIpAddress": interface.private_address,
        "PrivateDnsName": name,
        "PrivateIpAddresses": [
            {
                "Association": association,
                "Primary": True,
                "PrivateIpAddress": interface.private_address,
                "PrivateDnsName": name,
            }
        ],
    }


def _own_interface(world: World, instance: Instance, public: str | None, status: str) -> dict[str, Any]:
    """Describe an interface as part of its instance."""
    interface = instance.interface
    return {
        **_addresses(world, interface, _association(world, interface, public)),
        "Attachment": {
            "AttachTime": to_the_second(interface.attached_at),
            "AttachmentId": interface.attachment_id,
            "DeleteOnTermination": interface.delete_on_termination,
            "DeviceIndex": 0,
            "Status": status,
            "NetworkCardIndex": 0,
        },
        "Description": interface.description,
        "Groups": group_list(world, interface),
        "Ipv6Addresses": [],
        "MacAddress": interface.mac_address,
        "NetworkInterfaceId": interface.interface_id,
        "OwnerId": ACCOUNT,
        "SourceDestCheck": interface.source_dest_check,
        "Status": "in-use",
        "SubnetId": interface.subnet_id,
        "VpcId": interface.vpc_id,
        "InterfaceType": "interface",
        "Operator": {"Managed": False},
    }


def interface_document(world: World, interface: Interface) -> dict[str, Any]:
    """Describe an interface by itself."""
    balancer = interface.requester_managed
    return {
        **_addresses(world, interface, _whole_association(world, interface)),
        "Attachment": _attachment(interface) if interface.attached else None,
        "AvailabilityZone": interface.zone,
        "AvailabilityZoneId": ZONE_IDS[interface.zone],
        "Description": interface.description,
        "Groups": group_list(world, interface),
        "InterfaceType": "network_load_balancer" if balancer else "interface",
        "Ipv6Addresses": [],
        "MacAddress": interface.mac_address,
        "NetworkInterfaceId": interface.interface_id,
        "OwnerId": ACCOUNT,
        "RequesterId": LOAD_BALANCER_REQUESTER if balancer else None,
        "RequesterManaged": balancer,
        "SourceDestCheck": interface.source_dest_check and not balancer,
        "Status": "in-use" if interface.attached else "available",
        "SubnetId": interface.subnet_id,
        "TagSet": tag_list(world.tags(interface.interface_id)),
        "VpcId": interface.vpc_id,
    }


def _attachment(interface: Interface) -> dict[str, Any]:
    if interface.requester_managed:
        return {
            "AttachmentId": interface.attachment_id,
            "DeleteOnTermination": False,
            "DeviceIndex": 1,
            "InstanceOwnerId": LOAD_BALANCER_ATTACHER,
            "Status": "attached",
        }
    return {
        "AttachTime": when(interface.attached_at),
        "AttachmentId": interface.attachment_id,
        "DeleteOnTermination": interface.delete_on_termination,
        "DeviceIndex": 0,
        "InstanceId": interface.instance_id,
        "InstanceOwnerId": ACCOUNT,
        "Status": "attached",
    }


def status_document(world: World, instance: Instance) -> dict[str, Any]:
    """Describe an instance's status checks (aws-facts 3.1)."""
    system = _summary(system_check(world, instance), world.cut_off_since(instance))
    return {
        "AvailabilityZone": instance.interface.zone,
        "AvailabilityZoneId": ZONE_IDS.get(instance.interface.zone),
        "InstanceId": instance.instance_id,
        "InstanceState": state_document(instance.life.state),
        "InstanceStatus": _summary(instance_check(world, instance), world.impaired_since(instance)),
        "SystemStatus": system,
        "AttachedEbsStatus": system if is_nitro(instance.instance_type) else None,
        "Operator": {"Managed": False},
    }


def system_check(world: World, instance: Instance) -> Check:
    """Say what the check of an instance's host has found."""
    if world.cut_off_since(instance) is not None:
        return "impaired"
    return status(instance.life, world.now(), world.knobs.status_ok_s)


def instance_check(world: World, instance: Instance) -> Check:
    """Say what the check of the instance itself has found."""
    if world.impaired_since(instance) is not None:
        return "impaired"
    return status(instance.life, world.now(), world.knobs.status_ok_s)


def _summary(check: Check, since: float | None) -> dict[str, Any]:
    if check == "not-applicable":
        return {"Status": check}
    detail: dict[str, Any] = {"Name": "reachability", "Status": CHECK_DETAILS[check]}
    if since is not None:
        detail["ImpairedSince"] = when(since)
    return {"Status": check, "Details": [detail]}
