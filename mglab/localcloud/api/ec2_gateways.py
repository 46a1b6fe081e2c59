"""Internet gateways: a VPC's one way out, attached and detached (aws-facts 3.7 rows 6, 7, 10 and 11)."""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api import ec2_ids, ec2_tags
from mglab.localcloud.api.ec2_listing import Listing, listed
from mglab.localcloud.api.ec2_state import ACCOUNT, World, dry_run, tag_list
from mglab.localcloud.api.faults import ApiError

MOST_GATEWAYS = 5  # aws-facts 3.5: quotas

GATEWAYS = Listing(
    kind=ec2_ids.GATEWAY,
    ids="InternetGatewayIds",
    answer="InternetGateways",
    id="InternetGatewayId",
    filters={
        "attachment.state": "Attachments.State",
        "attachment.vpc-id": "Attachments.VpcId",
        "internet-gateway-id": "InternetGatewayId",
        "owner-id": "OwnerId",
    },
)


class Gateways:
    """EC2's actions on internet gateways."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backend = world.backend

    def create_internet_gateway(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make a gateway, attached to nothing."""
        tags = ec2_tags.asked(params, "internet-gateway")
        if len(self._backend.internet_gateways) >= MOST_GATEWAYS:
            raise ApiError("InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.")
        dry_run(params)
        gateway = self._backend.create_internet_gateway()
        self._world.tag(gateway.id, tags)
        return {"InternetGateway": self._document(gateway)}

    def delete_internet_gateway(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a gateway that is attached to nothing (row 11)."""
        gateway = self._gateway(params["InternetGatewayId"])
        if gateway.vpc is not None:
            message = f"The internetGateway '{gateway.id}' has dependencies and cannot be deleted."
            raise ApiError("DependencyViolation", message)
        dry_run(params)
        self._backend.delete_internet_gateway(gateway.id)
        return {}

    def describe_internet_gateways(self, params: dict[str, Any]) -> dict[str, Any]:
        """List gateways."""
        return listed(GATEWAYS, (self._document(it) for it in self._backend.internet_gateways.values()), params)

    def attach_internet_gateway(self, params: dict[str, Any]) -> dict[str, Any]:
        """Attach a gateway that is free (row 7) to a VPC that has none (row 6)."""
        gateway, vpc = self._gateway(params["InternetGatewayId"]), self._vpc(params["VpcId"])
        if gateway.vpc is not None:
            message = f"resource {gateway.id} is already attached to network {gateway.vpc.id}"
            raise ApiError("Resource.AlreadyAssociated", message)
        if self._world.gateway_of(vpc.id) is not None:
            raise ApiError("InvalidParameterValue", f"Network {vpc.id} already has an internet gateway attached")
        dry_run(params)
        self._backend.attach_internet_gateway(gateway.id, vpc.id)
        return {}

    def detach_internet_gateway(self, params: dict[str, Any]) -> dict[str, Any]:
        """Detach a gateway from a VPC in which no public address is mapped (row 10)."""
        gateway, vpc = self._gateway(params["InternetGatewayId"]), self._vpc(params["VpcId"])
        if gateway.vpc is None or gateway.vpc.id != vpc.id:
            raise ApiError("Gateway.NotAttached", f"resource {gateway.id} is not attached to network {vpc.id}")
        if any(it.vpc_id == vpc.id and it.public_address for it in self._world.interfaces.values()):
            raise ApiError(
                "DependencyViolation",
                f"Network {vpc.id} has some mapped public address(es). Please unmap those public address(es) before "
                "detaching the gateway.",
            )
        dry_run(params)
        self._backend.detach_internet_gateway(gateway.id, vpc.id)
        return {}

    def _gateway(self, gateway_id: str) -> Any:
        return ec2_ids.known(ec2_ids.GATEWAY, gateway_id, self._backend.internet_gateways.get(gateway_id))

    def _vpc(self, vpc_id: str) -> Any:
        return ec2_ids.known(ec2_ids.ATTACHED_VPC, vpc_id, self._backend.vpcs.get(vpc_id))

    def _document(self, gateway: Any) -> dict[str, Any]:
        return {
            "Attachments": [{"State": "available", "VpcId": gateway.vpc.id}] if gateway.vpc else [],
            "InternetGatewayId": gateway.id,
            "OwnerId": ACCOUNT,
            "Tags": tag_list(self._world.tags(gateway.id)),
        }
