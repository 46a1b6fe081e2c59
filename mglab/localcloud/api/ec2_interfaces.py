"""Network interfaces: an instance's own one, a load balancer node's, and those that somebody makes (aws-facts 1.1).

An interface holds its subnet, its groups and its addresses for as long as it is there, whoever made it: this is
why a teardown waits for a load balancer's (aws-facts 3.6). Attaching one to an instance is left out: an instance
here has the one that it was born with.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from mglab.localcloud.api import ec2_ids, ec2_tags
from mglab.localcloud.api.ec2_documents import group_list, interface_document
from mglab.localcloud.api.ec2_listing import Listing, listed
from mglab.localcloud.api.ec2_state import FIRST_USABLE, World, check_group_number, dry_run
from mglab.localcloud.api.ec2_vpcs import one_attribute
from mglab.localcloud.api.faults import ApiError

ONE_INTERFACE = "The local cloud gives an instance one network interface of its own."

INTERFACES = Listing(
    kind=ec2_ids.INTERFACE,
    ids="NetworkInterfaceIds",
    answer="NetworkInterfaces",
    id="NetworkInterfaceId",
    filters={
        "addresses.association.owner-id": "PrivateIpAddresses.Association.IpOwnerId",
        "addresses.association.public-ip": "PrivateIpAddresses.Association.PublicIp",
        "addresses.primary": "PrivateIpAddresses.Primary",
        "addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
        "association.allocation-id": "Association.AllocationId",
        "association.association-id": "Association.AssociationId",
        "association.ip-owner-id": "Association.IpOwnerId",
        "association.public-dns-name": "Association.PublicDnsName",
        "association.public-ip": "Association.PublicIp",
        "attachment.attach-time": "Attachment.AttachTime",
        "attachment.attachment-id": "Attachment.AttachmentId",
        "attachment.delete-on-termination": "Attachment.DeleteOnTermination",
        "attachment.device-index": "Attachment.DeviceIndex",
        "attachment.instance-id": "Attachment.InstanceId",
        "attachment.instance-owner-id": "Attachment.InstanceOwnerId",
        "attachment.status": "Attachment.Status",
        "availability-zone": "AvailabilityZone",
        "availability-zone-id": "AvailabilityZoneId",
        "description": "Description",
        "group-id": "Groups.GroupId",
        "group-name": "Groups.GroupName",
        "interface-type": "InterfaceType",
        "ipv6-addresses.ipv6-address": "Ipv6Addresses.Ipv6Address",
        "mac-address": "MacAddress",
        "network-interface-id": "NetworkInterfaceId",
        "operator.managed": "Operator.Managed",
        "operator.principal": "Operator.Principal",
        "owner-id": "OwnerId",
        "private-dns-name": "PrivateDnsName",
        "private-ip-address": "PrivateIpAddress",
        "requester-id": "RequesterId",
        "requester-managed": "RequesterManaged",
        "source-dest-check": "SourceDestCheck",
        "status": "Status",
        "subnet-id": "SubnetId",
        "vpc-id": "VpcId",
    },
)


class Interfaces:
    """EC2's actions on network interfaces."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_network_interface(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make an interface that nothing uses yet; without groups it gets the VPC's default one."""
        subnet = self._world.subnet(params["SubnetId"])
        group_ids = self._groups(params, subnet)
        check_group_number(group_ids)
        address = self._address(params, subnet)
        tags = ec2_tags.asked(params, "network-interface")
        dry_run(params)
        description = params.get("Description", "")
        made = self._world.add_interface(subnet.id, group_ids, description, private_address=address)
        self._world.tag(made.interface_id, tags)
        shown = {**interface_document(self._world, made), "Status": "pending"}
        return {"NetworkInterface": shown, "ClientToken": params.get("ClientToken")}

    def delete_network_interface(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete an interface that nothing uses."""
        interface = self._world.interface(params["NetworkInterfaceId"])
        if interface.attached:
            message = f"Network interface '{interface.interface_id}' is currently in use."
            raise ApiError("InvalidParameterValue", message)
        dry_run(params)
        self._world.drop_interface(interface)
        return {}

    def describe_network_interfaces(self, params: dict[str, Any]) -> dict[str, Any]:
        """List interfaces, whoever made them."""
        return listed(
            INTERFACES, (interface_document(self._world, it) for it in self._world.interfaces.values()), params
        )

    def describe_network_interface_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Read one attribute."""
        interface, name = self._world.interface(params["NetworkInterfaceId"]), params.get("Attribute", "")
        document = interface_document(self._world, interface)
        values: Mapping[str, dict[str, Any]] = {
            "attachment": {"Attachment": document["Attachment"]},
            "description": {"Description": {"Value": interface.description}},
            "groupSet": {"Groups": group_list(self._world, interface)},
            "sourceDestCheck": {"SourceDestCheck": {"Value": document["SourceDestCheck"]}},
        }
        if name not in values:
            raise ApiError("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
        dry_run(params)
        return {"NetworkInterfaceId": interface.interface_id, **values[name]}

    def modify_network_interface_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change one attribute."""
        interface = self._world.interface(params["NetworkInterfaceId"])
        name = one_attribute(params, ("Description", "SourceDestCheck", "Groups", "Attachment"))
        group_ids = self._groups(params, self._world.subnet(interface.subnet_id)) if name == "Groups" else []
        check_group_number(group_ids)
        if name == "Attachment" and params[name].get("AttachmentId") != interface.attachment_id:
            raise _no_attachment(params[name].get("AttachmentId"))
        dry_run(params)
        if name == "Description":
            interface.description = params[name].get("Value", "")
        elif name == "SourceDestCheck":
            interface.source_dest_check = params[name].get("Value", True)
        elif name == "Groups":
            interface.group_ids = group_ids
        else:
            interface.delete_on_termination = params[name].get("DeleteOnTermination", interface.delete_on_termination)
        return {}

    def reset_network_interface_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Check source and destination again."""
        interface = self._world.interface(params["NetworkInterfaceId"])
        dry_run(params)
        interface.source_dest_check = True
        return {}

    def attach_network_interface(self, params: dict[str, Any]) -> dict[str, Any]:
        """Refuse: left out here."""
        raise ApiError("UnsupportedOperation", ONE_INTERFACE)

    def detach_network_interface(self, params: dict[str, Any]) -> dict[str, Any]:
        """Refuse: an instance's first interface cannot be detached, nor a load balancer's."""
        attachment_id = params["AttachmentId"]
        found = (it for it in self._world.interfaces.values() if it.attached and it.attachment_id == attachment_id)
        interface = next(found, None)
        if interface is None:
            raise _no_attachment(attachment_id)
        if interface.requester_managed:
            raise ApiError("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")
        raise ApiError("OperationNotPermitted", "The network interface at device index 0 cannot be detached.")

    def _groups(self, params: dict[str, Any], subnet: Any) -> list[str]:
        found = [self._world.group(group_id) for group_id in params.get("Groups", [])]
        for group in found:
            if group.vpc_id != subnet.vpc_id:
                message = f"Security group {group.id} and subnet {subnet.id} belong to different networks."
                raise ApiError("InvalidParameter", message)
        default = self._world.backend.get_security_group_from_name("default", subnet.vpc_id)
        return [group.id for group in found or [default] if group is not None]

    def _address(self, params: dict[str, Any], subnet: Any) -> str | None:
        several = params.get("PrivateIpAddresses", [])
        if len(several) > 1 or params.get("SecondaryPrivateIpAddressCount"):
            raise ApiError("UnsupportedOperation", "The local cloud gives an interface one private address.")
        address = params.get("PrivateIpAddress") or next((it.get("PrivateIpAddress") for it in several), None)
        if address is None:
            return None
        if not subnet.cidr[FIRST_USABLE] <= ip_address(address) < subnet.cidr[-1]:
            raise ApiError("InvalidParameterValue", "Address does not fall within the subnet's address range")
        if address in self._world.taken_addresses(subnet.id):
            raise ApiError("InvalidIPAddress.InUse", f"Address {address} is in use.")
        return str(address)


def _no_attachment(attachment_id: str | None) -> ApiError:
    message = f"The network interface attachment ID '{attachment_id}' does not exist"
    return ApiError("InvalidAttachmentID.NotFound", message)
