"""How EC2 describes instances, interfaces and volumes."""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api.ec2_state import ACCOUNT, Instance, Interface, World, tag_list, when
from mglab.localcloud.rules.lifecycle import STATE_CODES, State, status

LOAD_BALANCER_REQUESTER = "amazon-elb"


def state_document(state: State) -> dict[str, Any]:
    """Describe a state."""
    return {"Code": STATE_CODES[state], "Name": state}


def _cores(instance_type: str) -> int:
    return 1 if instance_type in ("t2.nano", "t2.micro", "t2.small") else 2


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
        "LaunchTime": when(instance.launched_at),
        "Placement": {"AvailabilityZone": instance.interface.zone, "GroupName": "", "Tenancy": "default"},
        "Monitoring": {"State": "enabled" if instance.monitoring else "disabled"},
        "Architecture": "x86_64",
        "BlockDeviceMappings": [],
        "ClientToken": instance.client_token,
        "EbsOptimized": False,
        "EnaSupport": True,
        "Hypervisor": "xen",
        "NetworkInterfaces": [],
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "SecurityGroups": [],
        "Tags": tag_list(world.tags(instance.instance_id)) or None,
        "VirtualizationType": "hvm",
        "CpuOptions": {"CoreCount": _cores(instance.instance_type), "ThreadsPerCore": 1},
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
    }
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
        "NetworkInterfaces": [_own_interface(world, interface, public)],
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {
                    "AttachTime": when(instance.launched_at),
                    "DeleteOnTermination": True,
                    "Status": "attached",
                    "VolumeId": instance.volume_id,
                },
            }
        ],
    }


def group_list(world: World, interface: Interface) -> list[dict[str, str]]:
    """List an interface's security groups."""
    groups = (world.backend.get_security_group_from_id(group_id) for group_id in interface.group_ids)
    return [{"GroupId": group.id, "GroupName": group.name} for group in groups if group is not None]


def _association(world: World, interface: Interface, public: str | None) -> dict[str, Any] | None:
    if public is None:
        return None
    owner = LOAD_BALANCER_REQUESTER if interface.requester_managed else "amazon"
    return {"IpOwnerId": owner, "PublicDnsName": world.public_name(interface.vpc_id, public), "PublicIp": public}


def _addresses(world: World, interface: Interface, public: str | None) -> dict[str, Any]:
    association = _association(world, interface, public)
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


def _own_interface(world: World, interface: Interface, public: str | None) -> dict[str, Any]:
    """Describe an interface as part of its instance."""
    return {
        **_addresses(world, interface, public),
        "Attachment": {
            "AttachTime": when(interface.attached_at),
            "AttachmentId": interface.attachment_id,
            "DeleteOnTermination": interface.delete_on_termination,
            "DeviceIndex": 0,
            "Status": "attached",
            "NetworkCardIndex": 0,
        },
        "Description": interface.description,
        "Groups": group_list(world, interface),
        "Ipv6Addresses": [],
        "MacAddress": interface.mac_address,
        "NetworkInterfaceId": interface.interface_id,
        "OwnerId": ACCOUNT,
        "SourceDestCheck": True,
        "Status": "in-use",
        "SubnetId": interface.subnet_id,
        "VpcId": interface.vpc_id,
        "InterfaceType": "interface",
    }


def interface_document(world: World, interface: Interface) -> dict[str, Any]:
    """Describe an interface by itself."""
    balancer = interface.requester_managed
    return {
        **_addresses(world, interface, interface.public_address),
        "Attachment": _attachment(interface) if interface.attached else None,
        "AvailabilityZone": interface.zone,
        "Description": interface.description,
        "Groups": group_list(world, interface),
        "InterfaceType": "network_load_balancer" if balancer else "interface",
        "Ipv6Addresses": [],
        "MacAddress": interface.mac_address,
        "NetworkInterfaceId": interface.interface_id,
        "OwnerId": ACCOUNT,
        "RequesterId": LOAD_BALANCER_REQUESTER if balancer else None,
        "RequesterManaged": balancer,
        "SourceDestCheck": not balancer,
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
            "InstanceOwnerId": LOAD_BALANCER_REQUESTER,
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


def status_document(instance: Instance, now: float, impaired_since: float | None = None) -> dict[str, Any]:
    """Describe an instance's status checks."""
    check = status(instance.life, now)
    summary: dict[str, Any] = {"Status": check}
    if impaired_since is not None:
        failed = {"Name": "reachability", "Status": "failed", "ImpairedSince": when(impaired_since)}
        summary = {"Status": "impaired", "Details": [failed]}
    elif check != "not-applicable":
        detail = "passed" if check == "ok" else "initializing"
        summary["Details"] = [{"Name": "reachability", "Status": detail}]
    return {
        "AvailabilityZone": instance.interface.zone,
        "InstanceId": instance.instance_id,
        "InstanceState": state_document(instance.life.state),
        "InstanceStatus": summary,
        "SystemStatus": summary,
    }


def volume_document(world: World, instance: Instance) -> dict[str, Any]:
    """Describe an instance's root volume."""
    image = world.images.get(instance.image_id)
    return {
        "VolumeId": instance.volume_id,
        "Size": image.gigabytes if image else 8,
        "SnapshotId": image.snapshot_id if image else "",
        "AvailabilityZone": instance.interface.zone,
        "State": "in-use",
        "CreateTime": when(instance.launched_at),
        "Encrypted": False,
        "VolumeType": "gp3",
        "Iops": 3000,
        "Throughput": 125,
        "MultiAttachEnabled": False,
        "Tags": tag_list(world.tags(instance.volume_id)) or None,
        "Attachments": [
            {
                "AttachTime": when(instance.launched_at),
                "Device": "/dev/xvda",
                "InstanceId": instance.instance_id,
                "State": "attached",
                "VolumeId": instance.volume_id,
                "DeleteOnTermination": True,
            }
        ],
    }
