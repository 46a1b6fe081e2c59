"""What the filters of DescribeInstances and of DescribeInstanceStatus read.

The names are EC2's own; one that a call does not have is refused (``ec2_filters``). A terminated instance has no
addresses, interface or volume any more, so filters on these do not find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mglab.localcloud.api import ec2_options, ec2_types
from mglab.localcloud.api.ec2_documents import CHECK_DETAILS, instance_check, private_name, system_check
from mglab.localcloud.api.ec2_filters import Reader
from mglab.localcloud.api.ec2_state import ACCOUNT, Instance, World, to_the_second
from mglab.localcloud.api.moto_room import ZONE_IDS
from mglab.localcloud.api.wire_xml import iso8601
from mglab.localcloud.rules.lifecycle import STATE_CODES

One = Callable[[Instance], str | None]


def instance_readers(world: World) -> dict[str, Reader]:
    """Map the filters of DescribeInstances to what they read."""
    return {**_common(), **_plain(world), **_attached(world)}


def status_readers(world: World) -> dict[str, Reader]:
    """Map the filters of DescribeInstanceStatus to what they read."""

    events: Mapping[str, Reader] = {
        f"event.{name}": lambda i: ()
        for name in ("code", "description", "instance-event-id", "not-after", "not-before", "not-before-deadline")
    }
    return {
        **_common(),
        **events,
        "instance-status.status": lambda i: (instance_check(world, i),),
        "system-status.status": lambda i: (system_check(world, i),),
        "instance-status.reachability": lambda i: (CHECK_DETAILS.get(instance_check(world, i)),),
        "system-status.reachability": lambda i: (CHECK_DETAILS.get(system_check(world, i)),),
        "attached-ebs-status.status": lambda i: (
            (system_check(world, i),) if ec2_types.is_nitro(i.instance_type) else ()
        ),
    }


def _common() -> dict[str, Reader]:
    return {
        "availability-zone": lambda i: (i.interface.zone,),
        "availability-zone-id": lambda i: (ZONE_IDS.get(i.interface.zone),),
        "instance-state-name": lambda i: (i.life.state,),
        "instance-state-code": lambda i: (str(STATE_CODES[i.life.state]),),
        "operator.managed": lambda i: ("false",),
    }


def _plain(world: World) -> dict[str, Reader]:
    """Give the filters that find terminated instances too."""
    metadata = {
        "http-endpoint": "HttpEndpoint",
        "http-protocol-ipv6": "HttpProtocolIpv6",
        "http-put-response-hop-limit": "HttpPutResponseHopLimit",
        "http-tokens": "HttpTokens",
        "instance-metadata-tags": "InstanceMetadataTags",
    }
    return {
        **{f"metadata-options.{name}": _metadata(member) for name, member in metadata.items()},
        "instance-id": lambda i: (i.instance_id,),
        "instance-type": lambda i: (i.instance_type,),
        "image-id": lambda i: (i.image_id,),
        "key-name": lambda i: (i.key_name,),
        "reservation-id": lambda i: (i.reservation_id,),
        "client-token": lambda i: (i.client_token,),
        "owner-id": lambda i: (ACCOUNT,),
        "monitoring-state": lambda i: ("enabled" if i.monitoring else "disabled",),
        "launch-index": lambda i: (str(i.launch_index),),
        "launch-time": lambda i: (iso8601(to_the_second(i.launched_at)),),
        "architecture": lambda i: ("x86_64",),
        "current-instance-boot-mode": lambda i: (ec2_types.boot_mode(i.instance_type),),
        "ebs-optimized": lambda i: (_truth(i.options.get("EbsOptimized", False)),),
        "ena-support": lambda i: ("true",),
        "hypervisor": lambda i: ("xen",),
        "iam-instance-profile.arn": lambda i: (
            ec2_options.option_members(i, fresh=False).get("IamInstanceProfile", {}).get("Arn"),
        ),
        "instance-lifecycle": lambda i: (),
        "platform": lambda i: (),
        "platform-details": lambda i: ("Linux/UNIX",),
        "reason": lambda i: (i.transition,),
        "root-device-name": lambda i: ("/dev/xvda",),
        "root-device-type": lambda i: ("ebs",),
        "state-reason-code": lambda i: (i.reason[0],) if i.reason else (),
        "state-reason-message": lambda i: (i.reason[1],) if i.reason else (),
        "tenancy": lambda i: ("default",),
        "usage-operation": lambda i: ("RunInstances",),
        "virtualization-type": lambda i: ("hvm",),
    }


def _attached(world: World) -> dict[str, Reader]:
    """Give the filters on what a terminated instance has no more."""

    def public_name(i: Instance) -> str:
        return world.public_name(i.interface.vpc_id, i.interface.public_address)

    def goes_too(i: Instance) -> str:
        return _truth(world.volumes[i.volume_id].delete_on_termination)

    def group_names(i: Instance) -> Iterable[str]:
        groups = (world.backend.get_security_group_from_id(group_id) for group_id in i.interface.group_ids)
        return [group.name for group in groups if group is not None]

    one: Mapping[str, One] = {
        "vpc-id": lambda i: i.interface.vpc_id,
        "subnet-id": lambda i: i.interface.subnet_id,
        "private-ip-address": lambda i: i.interface.private_address,
        "private-dns-name": lambda i: private_name(i.interface.private_address),
        "ip-address": lambda i: i.interface.public_address,
        "dns-name": public_name,
        "source-dest-check": lambda i: _truth(i.source_dest_check),
        "block-device-mapping.volume-id": lambda i: i.volume_id,
        "block-device-mapping.device-name": lambda i: "/dev/xvda",
        "block-device-mapping.status": lambda i: "attached",
        "block-device-mapping.delete-on-termination": goes_too,
        "network-interface.network-interface-id": lambda i: i.interface.interface_id,
        "network-interface.subnet-id": lambda i: i.interface.subnet_id,
        "network-interface.vpc-id": lambda i: i.interface.vpc_id,
        "network-interface.availability-zone": lambda i: i.interface.zone,
        "network-interface.description": lambda i: i.interface.description,
        "network-interface.mac-address": lambda i: i.interface.mac_address,
        "network-interface.owner-id": lambda i: ACCOUNT,
        "network-interface.status": lambda i: "in-use",
        "network-interface.private-dns-name": lambda i: private_name(i.interface.private_address),
        "network-interface.addresses.private-ip-address": lambda i: i.interface.private_address,
        "network-interface.addresses.association.public-ip": lambda i: i.interface.public_address,
        "network-interface.association.public-ip": lambda i: i.interface.public_address,
        "network-interface.attachment.attachment-id": lambda i: i.interface.attachment_id,
        "network-interface.attachment.instance-id": lambda i: i.instance_id,
        "network-interface.attachment.status": lambda i: "attached",
        "network-interface.attachment.device-index": lambda i: "0",
    }
    return {
        **{name: _while_attached(read) for name, read in one.items()},
        "instance.group-id": lambda i: i.interface.group_ids,
        "instance.group-name": group_names,
        "network-interface.group-id": lambda i: i.interface.group_ids,
        "network-interface.group-name": group_names,
    }


def _while_attached(read: One) -> Reader:
    return lambda i: () if i.life.state == "terminated" else (read(i),)


def _metadata(member: str) -> Reader:
    return lambda i: (str(i.metadata_options.get(member)),)


def _truth(value: bool) -> str:
    return "true" if value else "false"
