"""Networks: what AWS refuses that moto would allow, network interfaces, and the network as ``reach`` reads it.

Most methods here look and return None: moto then carries the request out. They hold the rules of the lab's
steps 1-24 and of its teardown: what is in use cannot be deleted (aws-facts 3.7 rows 5-18). One thing goes
with another as on AWS: a subnet's route-table association with the subnet (aws-facts 3.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moto.ec2.models import route_tables as moto_routes
from moto.ec2.models import security_groups as moto_groups

from mglab.localcloud.api.ec2_documents import interface_document
from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_state import Interface, World, check_id, dry_run, missing
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.moto_room import ZONE_IDS, require
from mglab.localcloud.rules.reach import IngressRule, Network, Route

require(moto_routes.RouteTable, "routes", "associations")
require(moto_groups.SecurityGroupRule, "cidr_ipv4")

MOST_VPCS = 5  # aws-facts 3.5: quotas
MOST_GATEWAYS = 5
NETWORK_S = 2.0  # our choice: AWS shows a new VPC or subnet as pending for a moment


class Networks:
    """Checks before moto's VPC, subnet, gateway, route and security group actions; network interfaces."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backend = world.backend
        self._ready_at: dict[str, float] = {}

    # VPCs and subnets

    def create_vpc(self, params: dict[str, Any]) -> None:
        """Refuse one more than the quota."""
        if len(self._backend.vpcs) >= MOST_VPCS:
            raise ApiError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")

    def delete_vpc(self, params: dict[str, Any]) -> None:
        """Refuse a VPC that still has something made in it (row 13)."""
        vpc_id = self._world.vpc(params["VpcId"]).id
        if any(self._contents(vpc_id)):
            raise _dependency(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")

    def _contents(self, vpc_id: str) -> Iterable[bool]:
        yield any(subnet.vpc_id == vpc_id for subnets in self._backend.subnets.values() for subnet in subnets.values())
        yield any(interface.vpc_id == vpc_id for interface in self._world.interfaces.values())
        yield self._world.gateway_of(vpc_id) is not None
        yield any(not group.is_default for group in self._backend.groups.get(vpc_id, {}).values())
        yield any(t.vpc_id == vpc_id and not _is_main(t) for t in self._backend.route_tables.values())

    def create_subnet(self, params: dict[str, Any]) -> None:
        """Refuse an unknown VPC or zone (row 5); moto refuses bad blocks."""
        self._world.vpc(params["VpcId"])
        zone = params.get("AvailabilityZone")
        if zone is not None and zone not in ZONE_IDS:
            raise ApiError(
                "InvalidParameterValue",
                f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently only be created in "
                f"the following availability zones: {', '.join(ZONE_IDS)}.",
            )

        self._check_size(params["CidrBlock"])

    def _check_size(self, block: str) -> None:
        prefix = block.rpartition("/")[2]
        if prefix.isdigit() and not 16 <= int(prefix) <= 28:  # aws-facts 3.5
            raise ApiError("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")

    def delete_subnet(self, params: dict[str, Any]) -> None:
        """Refuse a subnet with interfaces in it (row 12); else its route-table association goes first."""
        subnet = self._world.subnet(params["SubnetId"])
        if any(interface.subnet_id == subnet.id for interface in self._world.interfaces.values()):
            raise _dependency(f"The subnet '{subnet.id}' has dependencies and cannot be deleted.")
        for table in self._backend.route_tables.values():
            for association in table.associations:
                if association.get("SubnetId") == subnet.id:
                    self._backend.disassociate_route_table(association["RouteTableAssociationId"])

    def describe_vpcs(self, params: dict[str, Any]) -> None:
        """Refuse unknown ids."""
        for vpc_id in params.get("VpcIds", []):
            self._world.vpc(vpc_id)

    def describe_subnets(self, params: dict[str, Any]) -> None:
        """Refuse unknown ids."""
        for subnet_id in params.get("SubnetIds", []):
            self._world.subnet(subnet_id)

    # internet gateways and routes

    def create_internet_gateway(self, params: dict[str, Any]) -> None:
        """Refuse one more than the quota."""
        if len(self._backend.internet_gateways) >= MOST_GATEWAYS:
            raise ApiError("InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.")

    def attach_internet_gateway(self, params: dict[str, Any]) -> None:
        """Refuse a second gateway for a VPC (row 6) and a second VPC for a gateway (row 7)."""
        gateway, vpc = self._gateway(params["InternetGatewayId"]), self._world.vpc(params["VpcId"])
        if gateway.vpc is not None:
            message = f"resource {gateway.id} is already attached to network {gateway.vpc.id}"
            raise ApiError("Resource.AlreadyAssociated", message)
        if self._world.gateway_of(vpc.id) is not None:
            raise ApiError("InvalidParameterValue", f"Network {vpc.id} already has an internet gateway attached")

    def detach_internet_gateway(self, params: dict[str, Any]) -> None:
        """Refuse while public addresses are mapped in the VPC (row 10)."""
        vpc_id = self._world.vpc(params["VpcId"]).id
        if any(i.vpc_id == vpc_id and i.public_address for i in self._world.interfaces.values()):
            raise _dependency(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
                "detaching the gateway."
            )

    def delete_internet_gateway(self, params: dict[str, Any]) -> None:
        """Refuse an attached gateway (row 11)."""
        gateway = self._gateway(params["InternetGatewayId"])
        if gateway.vpc is not None:
            raise _dependency(f"The internetGateway '{gateway.id}' has dependencies and cannot be deleted.")

    def create_route(self, params: dict[str, Any]) -> None:
        """Refuse a gateway that is not attached to the table's VPC (row 8), and a second route (row 9)."""
        gateway_id = params.get("GatewayId", "")
        table = self._table(params["RouteTableId"])
        if not gateway_id.startswith("igw-"):
            raise ApiError("InvalidParameterCombination", "The local cloud routes to internet gateways only.")
        gateway = self._gateway(gateway_id)
        if gateway.vpc is None or gateway.vpc.id != table.vpc_id:
            message = f"route table {table.id} and network gateway {gateway_id} belong to different networks"
            raise ApiError("InvalidParameterValue", message)
        destination = params.get("DestinationCidrBlock")
        if any(route.destination_cidr_block == destination for route in table.routes):
            raise ApiError("RouteAlreadyExists", f"The route identified by {destination} already exists.")

    def associate_route_table(self, params: dict[str, Any]) -> None:
        """Refuse a subnet of another VPC, or one that another table has already."""
        table, subnet = self._table(params["RouteTableId"]), self._world.subnet(params.get("SubnetId", ""))
        if table.vpc_id != subnet.vpc_id:
            message = f"Route table {table.id} and subnet {subnet.id} belong to different networks"
            raise ApiError("InvalidParameterValue", message)
        for other in self._backend.route_tables.values():
            if other is not table and any(a.get("SubnetId") == subnet.id for a in other.associations):
                message = f"the specified association for route table {table.id} conflicts with an existing association"
                raise ApiError("Resource.AlreadyAssociated", message)

    def delete_route_table(self, params: dict[str, Any]) -> None:
        """Refuse the main table and one that subnets use (row 15)."""
        table = self._table(params["RouteTableId"])
        if table.associations:
            raise _dependency(f"The routeTable '{table.id}' has dependencies and cannot be deleted.")

    # security groups and keys

    def create_security_group(self, params: dict[str, Any]) -> None:
        """Refuse an unknown VPC and a name that the VPC has already (row 16)."""
        vpc_id = params.get("VpcId") or self._default_vpc_id()
        name = params["GroupName"]
        self._world.vpc(vpc_id)
        if name.startswith("sg-"):
            message = "Invalid security group name. Group names may not be in the format sg-*."
            raise ApiError("InvalidParameterValue", message)
        if self._backend.get_security_group_from_name(name, vpc_id) is not None:
            message = f"The security group '{name}' already exists for VPC '{vpc_id}'"
            raise ApiError("InvalidGroup.Duplicate", message)

    def describe_security_groups(self, params: dict[str, Any]) -> None:
        """Refuse unknown ids (row 18)."""
        for group_id in params.get("GroupIds", []):
            self._world.group(group_id)
        for name in params.get("GroupNames", []):
            self._world.group(self._named_group(name))

    def authorize_security_group_ingress(self, params: dict[str, Any]) -> None:
        """Refuse a rule that is there already (row 17), and groups that are not (row 18)."""
        group = self._world.group(params.get("GroupId") or params.get("GroupName", ""))
        rules = (rule for rule in group.ingress_rules if rule.cidr_ipv4)
        there = {_rule_key(r.ip_protocol, r.from_port, r.to_port, r.cidr_ipv4) for r in rules}
        for permission in params.get("IpPermissions") or [params]:
            protocol, first, last = (permission.get(name) for name in ("IpProtocol", "FromPort", "ToPort"))
            for cidr in _blocks(permission):
                key = _rule_key(protocol, first, last, cidr)
                if key in there:
                    raise ApiError("InvalidPermission.Duplicate", _duplicate_rule(*key))
            for pair in permission.get("UserIdGroupPairs", []):
                if "GroupId" in pair:
                    self._world.group(pair["GroupId"])

    def delete_security_group(self, params: dict[str, Any]) -> None:
        """Refuse a default group, and one that an interface or another group's rule uses (row 14)."""
        group = self._world.group(params.get("GroupId") or self._named_group(params.get("GroupName", "")))
        if group.is_default:
            message = f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
            raise ApiError("CannotDelete", message)
        used = any(group.id in interface.group_ids for interface in self._world.interfaces.values())
        if used or self._is_referenced(group):
            raise _dependency(f"resource {group.id} has a dependent object")

    def describe_key_pairs(self, params: dict[str, Any]) -> None:
        """Refuse unknown names (row 22)."""
        for name in params.get("KeyNames", []):
            if name not in self._backend.key_pairs:
                missing("InvalidKeyPair", f"The key pair '{name}' does not exist")

    def delete_key_pair(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a key by name or id; one that is not there is no error."""
        dry_run(params)
        wanted = (params.get("KeyName"), params.get("KeyPairId"))
        for key in list(self._backend.key_pairs.values()):
            if key.key_name == wanted[0] or key.id == wanted[1]:
                self._backend.delete_key_pair(key.key_name)
                return {"Return": True, "KeyPairId": key.id}
        return {"Return": True}

    def create_tags(self, params: dict[str, Any]) -> None:
        """Refuse keys that AWS keeps for itself."""
        for tag in params.get("Tags", []):
            if tag.get("Key", "").startswith("aws:"):
                message = "Tag keys starting with 'aws:' are reserved for internal use"
                raise ApiError("InvalidParameterValue", message)

    # network interfaces

    def describe_network_interfaces(self, params: dict[str, Any]) -> dict[str, Any]:
        """List interfaces: those of instances and those of load balancers."""
        world = self._world
        wanted = [self._interface(interface_id) for interface_id in params.get("NetworkInterfaceIds", [])]
        found = select(
            wanted or list(world.interfaces.values()),
            params.get("Filters", []),
            _READERS,
            lambda interface: world.tags(interface.interface_id),
        )
        shown, token = page(found, params)
        return {"NetworkInterfaces": [interface_document(world, interface) for interface in shown], **token}

    def delete_network_interface(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete an interface that a terminated instance has left behind."""
        interface = self._interface(params["NetworkInterfaceId"])
        if interface.attached:
            message = f"Network interface '{interface.interface_id}' is currently in use."
            raise ApiError("InvalidParameterValue", message)
        dry_run(params)
        self._world.drop_interface(interface)
        return {}

    # time

    def advance(self, now: float) -> None:
        """Make new VPCs and subnets available when their moment has passed."""
        for thing in list(self._backend.pending):
            if now >= self._ready_at.setdefault(thing.id, now + NETWORK_S):
                thing.state = "available"
                self._backend.pending.remove(thing)
                del self._ready_at[thing.id]

    # the network as rules/reach reads it

    def network(self) -> Network:
        """Give rules, routes and gateways as they are now."""
        backend = self._backend
        groups = [group for groups in backend.groups.values() for group in groups.values()]
        subnets = [subnet for subnets in backend.subnets.values() for subnet in subnets.values()]
        gateways: list[Any] = [g for g in backend.internet_gateways.values() if g.vpc is not None]
        return Network(
            ingress={group.id: tuple(_ingress(rule) for rule in group.ingress_rules) for group in groups},
            routes={subnet.id: _routes(self._table_of(subnet)) for subnet in subnets},
            attached_gateways={gateway.vpc.id: gateway.id for gateway in gateways},
            cut_off_zones=frozenset(self._world.conditions.cut_off_since),
        )

    def _table_of(self, subnet: Any) -> Any:
        tables = [table for table in self._backend.route_tables.values() if table.vpc_id == subnet.vpc_id]
        for table in tables:
            if any(a.get("SubnetId") == subnet.id for a in table.associations):
                return table
        return next((table for table in tables if _is_main(table)), None)

    def _is_referenced(self, group: Any) -> bool:
        others = (other for groups in self._backend.groups.values() for other in groups.values() if other is not group)
        rules = (rule for other in others for rule in [*other.ingress_rules, *other.egress_rules])
        return any(rule.source_group.get("GroupId") == group.id for rule in rules)

    def _named_group(self, name: str) -> str:
        found = self._backend.get_security_group_from_name(name, self._default_vpc_id())
        return str(found.id) if found else name

    def _default_vpc_id(self) -> str:
        default = next((vpc.id for vpc in self._backend.vpcs.values() if vpc.is_default), None)
        if default is None:
            raise ApiError("VPCIdNotSpecified", "No default VPC for this user")
        return str(default)

    def _gateway(self, gateway_id: str) -> Any:
        found = self._backend.internet_gateways.get(gateway_id)
        return found or missing("InvalidInternetGatewayID", f"The internetGateway ID '{gateway_id}' does not exist")

    def _table(self, table_id: str) -> Any:
        found = self._backend.route_tables.get(table_id)
        return found or missing("InvalidRouteTableID", f"The routeTable ID '{table_id}' does not exist")

    def _interface(self, interface_id: str) -> Interface:
        found = self._world.interfaces.get(check_id(interface_id, "eni", "InvalidNetworkInterfaceID"))
        return found or missing("InvalidNetworkInterfaceID", f"The networkInterface ID '{interface_id}' does not exist")


def _dependency(message: str) -> ApiError:
    return ApiError("DependencyViolation", message)


def _is_main(table: Any) -> bool:
    return any(association["Main"] for association in table.associations)


def _routes(table: Any) -> tuple[Route, ...]:
    if table is None:
        return ()
    return tuple(
        Route(route.destination_cidr_block, None if route.state == "blackhole" else route.gateway_id)
        for route in table.routes
        if route.destination_cidr_block
    )


def _ingress(rule: Any) -> IngressRule:
    port = -1 if rule.from_port is None else rule.from_port
    last = -1 if rule.to_port is None else rule.to_port
    return IngressRule(rule.ip_protocol, port, last, rule.cidr_ipv4, rule.source_group.get("GroupId"))


def _blocks(permission: Mapping[str, Any]) -> list[str]:
    single = [permission["CidrIp"]] if permission.get("CidrIp") else []
    return single + [block["CidrIp"] for block in permission.get("IpRanges", []) if "CidrIp" in block]


RuleKey = tuple[str, int, int, str]


def _rule_key(protocol: Any, from_port: Any, to_port: Any, cidr: str) -> RuleKey:
    names = {"6": "tcp", "17": "udp", "1": "icmp", "all": "-1"}
    name = str(protocol).lower()
    name = names.get(name, name)
    if name == "-1":
        return (name, -1, -1, cidr)
    return (name, int(from_port), int(to_port), cidr)


def _duplicate_rule(protocol: str, from_port: int, to_port: int, cidr: str) -> str:
    if protocol == "-1":
        return f'the specified rule "peer: {cidr}, ALL, ALLOW" already exists'
    ports = f"from port: {from_port}, to port: {to_port}"
    return f'the specified rule "peer: {cidr}, {protocol.upper()}, {ports}, ALLOW" already exists'


_READERS: dict[str, Reader] = {
    "network-interface-id": lambda i: (i.interface_id,),
    "subnet-id": lambda i: (i.subnet_id,),
    "vpc-id": lambda i: (i.vpc_id,),
    "availability-zone": lambda i: (i.zone,),
    "description": lambda i: (i.description,),
    "group-id": lambda i: i.group_ids,
    "private-ip-address": lambda i: (i.private_address,),
    "addresses.private-ip-address": lambda i: (i.private_address,),
    "association.public-ip": lambda i: (i.public_address,),
    "attachment.instance-id": lambda i: (i.instance_id,),
    "attachment.attachment-id": lambda i: (i.attachment_id,),
    "attachment.status": lambda i: ("attached",) if i.attached else (),
    "requester-managed": lambda i: ("true" if i.requester_managed else "false",),
    "requester-id": lambda i: ("amazon-elb",) if i.requester_managed else (),
    "interface-type": lambda i: ("network_load_balancer" if i.requester_managed else "interface",),
    "status": lambda i: ("in-use" if i.attached else "available",),
    "mac-address": lambda i: (i.mac_address,),
}
