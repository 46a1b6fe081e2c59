"""Route tables: a VPC's main one and others, their routes, and which subnets follow them (aws-facts 3.5, 3.7).

Every table has the local route of its VPC; other routes lead to the internet gateway. A subnet follows the main
table until it is associated with one, and a route whose gateway is gone is a black hole.
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api import ec2_ids, ec2_tags, moto_room
from mglab.localcloud.api.ec2_listing import Listing, listed
from mglab.localcloud.api.ec2_state import ACCOUNT, World, dry_run, new_id, tag_list
from mglab.localcloud.api.ec2_vpcs import block_asked
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import blocks

ASSOCIATED = {"State": "associated"}

ROUTE_TABLES = Listing(
    kind=ec2_ids.ROUTE_TABLE,
    ids="RouteTableIds",
    answer="RouteTables",
    id="RouteTableId",
    filters={
        "association.gateway-id": "Associations.GatewayId",
        "association.main": "Associations.Main",
        "association.route-table-association-id": "Associations.RouteTableAssociationId",
        "association.route-table-id": "Associations.RouteTableId",
        "association.subnet-id": "Associations.SubnetId",
        "owner-id": "OwnerId",
        "route-table-id": "RouteTableId",
        "route.destination-cidr-block": "Routes.DestinationCidrBlock",
        "route.destination-ipv6-cidr-block": "Routes.DestinationIpv6CidrBlock",
        "route.destination-prefix-list-id": "Routes.DestinationPrefixListId",
        "route.egress-only-internet-gateway-id": "Routes.EgressOnlyInternetGatewayId",
        "route.gateway-id": "Routes.GatewayId",
        "route.instance-id": "Routes.InstanceId",
        "route.nat-gateway-id": "Routes.NatGatewayId",
        "route.origin": "Routes.Origin",
        "route.state": "Routes.State",
        "route.transit-gateway-id": "Routes.TransitGatewayId",
        "route.vpc-peering-connection-id": "Routes.VpcPeeringConnectionId",
        "vpc-id": "VpcId",
    },
)


class RouteTables:
    """EC2's actions on route tables, routes and associations."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backend = world.backend

    def create_route_table(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make a table with the local route alone."""
        vpc = self._world.vpc(params["VpcId"])
        tags = ec2_tags.asked(params, "route-table")
        dry_run(params)
        table = self._backend.create_route_table(vpc.id)
        self._world.tag(table.id, tags)
        return {"RouteTable": self._document(table)}

    def delete_route_table(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a table that is not the main one and that no subnet uses (row 15)."""
        table = self._table(params["RouteTableId"])
        if table.associations:
            message = f"The routeTable '{table.id}' has dependencies and cannot be deleted."
            raise ApiError("DependencyViolation", message)
        dry_run(params)
        self._backend.delete_route_table(table.id)
        return {}

    def describe_route_tables(self, params: dict[str, Any]) -> dict[str, Any]:
        """List tables."""
        return listed(ROUTE_TABLES, (self._document(it) for it in self._backend.route_tables.values()), params)

    def create_route(self, params: dict[str, Any]) -> dict[str, Any]:
        """Add a route to the VPC's gateway (row 8) for a block that has none yet (row 9)."""
        table, destination, gateway = self._route_asked(params)
        if _route(table, destination) is not None:
            raise ApiError("RouteAlreadyExists", f"The route identified by {destination} already exists.")
        vpc = self._world.vpc(table.vpc_id)
        if blocks.within(destination, [vpc.cidr_block]):
            raise ApiError(
                "InvalidParameterValue",
                f"The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR "
                "blocks. This route can target only an interface or an instance.",
            )
        dry_run(params)
        self._backend.create_route(table.id, destination, gateway_id=gateway.id)
        return {"Return": True}

    def replace_route(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give a route that is there another target."""
        table, destination, gateway = self._route_asked(params)
        route = _route(table, destination)
        if route is None:
            message = f"There is no route defined for '{destination}' in the route table. Use CreateRoute instead."
            raise ApiError("InvalidParameterValue", message)
        if route.local:
            raise ApiError("InvalidParameterValue", "The local cloud keeps a VPC's local route as it is.")
        dry_run(params)
        route.gateway = gateway
        return {}

    def delete_route(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a route that somebody made."""
        table, destination = self._table(params["RouteTableId"]), _destination(params)
        route = _route(table, destination)
        if route is None:
            message = f"no route with destination-cidr-block {destination} in route table {table.id}"
            raise ApiError("InvalidRoute.NotFound", message)
        if route.local:
            message = f"cannot remove local route {destination} in route table {table.id}"
            raise ApiError("InvalidParameterValue", message)
        dry_run(params)
        self._backend.delete_route(table.id, destination)
        return {}

    def associate_route_table(self, params: dict[str, Any]) -> dict[str, Any]:
        """Have a subnet use a table of its VPC; the same again is the same association."""
        if "SubnetId" not in params:
            raise ApiError("MissingParameter", "The request must contain the parameter subnetId")
        table, subnet = self._table(params["RouteTableId"]), self._world.subnet(params["SubnetId"])
        if table.vpc_id != subnet.vpc_id:
            message = f"Route table {table.id} and subnet {subnet.id} belong to different networks"
            raise ApiError("InvalidParameterValue", message)
        for other in self._backend.route_tables.values():
            if other is not table and any(it.get("SubnetId") == subnet.id for it in other.associations):
                message = f"the specified association for route table {table.id} conflicts with an existing association"
                raise ApiError("Resource.AlreadyAssociated", message)
        dry_run(params)
        association_id = self._backend.associate_route_table(table.id, subnet_id=subnet.id)
        return {"AssociationId": association_id, "AssociationState": ASSOCIATED}

    def replace_route_table_association(self, params: dict[str, Any]) -> dict[str, Any]:
        """Have a subnet, or the VPC itself (the main table), use another table."""
        table, before = self._table(params["RouteTableId"]), self._associated(params["AssociationId"])
        if table.vpc_id != before.vpc_id:
            message = f"route table {table.id} and network {before.vpc_id} belong to different networks"
            raise ApiError("InvalidParameterValue", message)
        dry_run(params)
        new = new_id("rtbassoc")
        moto_room.move_association(params["AssociationId"], before, table, new)
        return {"NewAssociationId": new, "AssociationState": ASSOCIATED}

    def disassociate_route_table(self, params: dict[str, Any]) -> dict[str, Any]:
        """Have a subnet follow the main table again."""
        association_id = params["AssociationId"]
        table = self._associated(association_id)
        if association_id == table.main_association_id:
            message = f"cannot disassociate the main route table association {association_id}"
            raise ApiError("InvalidParameterValue", message)
        dry_run(params)
        self._backend.disassociate_route_table(association_id)
        return {}

    def _route_asked(self, params: dict[str, Any]) -> tuple[Any, str, Any]:
        table, destination = self._table(params["RouteTableId"]), _destination(params)
        gateway_id = params.get("GatewayId")
        if gateway_id is None:
            raise ApiError("InvalidParameterCombination", "The local cloud routes to internet gateways only.")
        gateway = self._backend.internet_gateways.get(gateway_id)
        if gateway is None:
            raise ApiError("InvalidGatewayID.NotFound", f"The gateway ID '{gateway_id}' does not exist")
        if gateway.vpc is None or gateway.vpc.id != table.vpc_id:
            message = f"route table {table.id} and network gateway {gateway_id} belong to different networks"
            raise ApiError("InvalidParameterValue", message)
        return table, destination, gateway

    def _table(self, table_id: str) -> Any:
        return ec2_ids.known(ec2_ids.ROUTE_TABLE, table_id, self._backend.route_tables.get(table_id))

    def _associated(self, association_id: str) -> Any:
        for table in self._backend.route_tables.values():
            if any(it["RouteTableAssociationId"] == association_id for it in table.associations):
                return table
        message = f"The association ID '{association_id}' does not exist"
        raise ApiError("InvalidAssociationID.NotFound", message)

    def _document(self, table: Any) -> dict[str, Any]:
        return {
            "Associations": table.associations,
            "OwnerId": ACCOUNT,
            "PropagatingVgws": [],
            "RouteTableId": table.id,
            "Routes": [
                {
                    "DestinationCidrBlock": route.destination_cidr_block,
                    "GatewayId": route.gateway_id,
                    "Origin": route.origin,
                    "State": route.state,
                }
                for route in table.routes
            ],
            "Tags": tag_list(self._world.tags(table.id)),
            "VpcId": table.vpc_id,
        }


def _destination(params: dict[str, Any]) -> str:
    if "DestinationCidrBlock" not in params:
        raise ApiError("MissingParameter", "The request must contain the parameter destinationCidrBlock")
    return block_asked(params["DestinationCidrBlock"], "destinationCidrBlock")


def _route(table: Any, destination: str) -> Any:
    return next((route for route in table.routes if route.destination_cidr_block == destination), None)
