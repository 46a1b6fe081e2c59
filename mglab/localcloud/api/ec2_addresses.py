"""Elastic IP addresses: kept by the account until it gives them back, mapped to an interface and off it again.

Here too they are addresses of this host that a client can connect to. What an instance was lent goes back when an
address of the account's takes its place (aws-facts 3.5: five of them).
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api import ec2_ids, ec2_tags
from mglab.localcloud.api.ec2_listing import filtered
from mglab.localcloud.api.ec2_state import ACCOUNT, REGION, ElasticAddress, Interface, World, dry_run, tag_list
from mglab.localcloud.api.faults import ApiError

MOST_ADDRESSES = 5  # aws-facts 3.5: quotas

FILTERS = {
    "allocation-id": "AllocationId",
    "association-id": "AssociationId",
    "domain": "Domain",
    "instance-id": "InstanceId",
    "network-border-group": "NetworkBorderGroup",
    "network-interface-id": "NetworkInterfaceId",
    "network-interface-owner-id": "NetworkInterfaceOwnerId",
    "private-ip-address": "PrivateIpAddress",
    "public-ip": "PublicIp",
}


class Addresses:
    """EC2's actions on Elastic IP addresses."""

    def __init__(self, world: World) -> None:
        self._world = world

    def allocate_address(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give the account an address."""
        tags = ec2_tags.asked(params, "elastic-ip")
        if len(self._world.elastic) >= MOST_ADDRESSES:
            raise ApiError("AddressLimitExceeded", "The maximum number of addresses has been reached.")
        dry_run(params)
        address = self._world.allocate()
        self._world.tag(address.allocation_id, tags)
        return {
            "AllocationId": address.allocation_id,
            "Domain": "vpc",
            "NetworkBorderGroup": REGION,
            "PublicIp": address.public_address,
            "PublicIpv4Pool": "amazon",
        }

    def associate_address(self, params: dict[str, Any]) -> dict[str, Any]:
        """Map an address to an instance's interface, or to an interface by its id."""
        address, interface = self._meant(params), self._interface(params)
        if self._world.gateway_of(interface.vpc_id) is None:
            message = f"Network {interface.vpc_id} is not attached to any internet gateway"
            raise ApiError("Gateway.NotAttached", message)
        if address.interface_id is not None and params.get("AllowReassociation") is False:
            holder = self._world.interfaces[address.interface_id]
            message = (
                f"resource {address.allocation_id} is already associated with associate-id {holder.association_id}"
            )
            raise ApiError("Resource.AlreadyAssociated", message)
        dry_run(params)
        self._world.associate(address, interface)
        return {"AssociationId": interface.association_id}

    def disassociate_address(self, params: dict[str, Any]) -> dict[str, Any]:
        """Take an address off its interface."""
        wanted = (params.get("AssociationId"), params.get("PublicIp"))
        holders = (it for it in self._world.interfaces.values() if it.association_id is not None)
        interface = next(
            (it for it in holders if it.association_id == wanted[0] or it.public_address == wanted[1]), None
        )
        if interface is None:
            message = f"The association ID '{wanted[0] or wanted[1]}' does not exist"
            raise ApiError("InvalidAssociationID.NotFound", message)
        dry_run(params)
        self._world.disassociate(interface)
        return {}

    def release_address(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give an address back that is mapped to nothing."""
        address = self._meant(params)
        if address.interface_id is not None:
            raise ApiError("InvalidIPAddress.InUse", f"Address {address.public_address} is in use.")
        dry_run(params)
        self._world.release(address)
        return {}

    def describe_addresses(self, params: dict[str, Any]) -> dict[str, Any]:
        """List the account's addresses."""
        named = [self._meant({"AllocationId": it}) for it in params.get("AllocationIds", [])]
        named += [self._meant({"PublicIp": it}) for it in params.get("PublicIps", [])]
        documents = [self._document(address) for address in named or self._world.elastic.values()]
        found = filtered(FILTERS, documents, params)
        dry_run(params)
        return {"Addresses": found}

    def describe_addresses_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """List the domain names of addresses: none has one here."""
        named = [self._meant({"AllocationId": it}) for it in params.get("AllocationIds", [])]
        chosen = named or self._world.elastic.values()
        return {"Addresses": [{"AllocationId": it.allocation_id, "PublicIp": it.public_address} for it in chosen]}

    def _meant(self, params: dict[str, Any]) -> ElasticAddress:
        allocation_id, public = params.get("AllocationId"), params.get("PublicIp")
        if allocation_id is not None:
            return ec2_ids.known(ec2_ids.ALLOCATION, allocation_id, self._world.elastic.get(allocation_id))
        if public is None:
            raise ApiError("MissingParameter", "Either public IP or allocation id must be specified")
        found = next((it for it in self._world.elastic.values() if it.public_address == public), None)
        if found is None:
            raise ApiError("InvalidAddress.NotFound", f"Address '{public}' not found.")
        return found

    def _interface(self, params: dict[str, Any]) -> Interface:
        if "NetworkInterfaceId" in params:
            return self._world.interface(params["NetworkInterfaceId"])
        if "InstanceId" not in params:
            raise ApiError("MissingParameter", "Either instance ID or network interface id must be specified")
        instance = self._world.instance(params["InstanceId"])
        if instance.life.state not in ("running", "stopped"):
            message = f"The instance '{instance.instance_id}' is not in a valid state for this operation."
            raise ApiError("InvalidInstanceID", message)
        return instance.interface

    def _document(self, address: ElasticAddress) -> dict[str, Any]:
        document: dict[str, Any] = {
            "AllocationId": address.allocation_id,
            "Domain": "vpc",
            "NetworkBorderGroup": REGION,
            "PublicIp": address.public_address,
            "PublicIpv4Pool": "amazon",
            "Tags": tag_list(self._world.tags(address.allocation_id)) or None,
        }
        if address.interface_id is not None:
            interface = self._world.interfaces[address.interface_id]
            document |= {
                "AssociationId": interface.association_id,
                "InstanceId": interface.instance_id,
                "NetworkInterfaceId": interface.interface_id,
                "NetworkInterfaceOwnerId": ACCOUNT,
                "PrivateIpAddress": interface.private_address,
            }
        return document
