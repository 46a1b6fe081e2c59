"""VPC, steps 1-18: two public subnets in two zones, a gateway, and the route that joins them to the internet.

A VPC comes with a main route table that knows only local traffic, and with no gateway (aws-facts 3.5).
Public is not a property of a subnet: it is a route to an internet gateway. Subnets follow the main table
silently; step 17 associates them with it explicitly, so that the association can be seen.
``enableDnsHostnames`` stays false, as AWS makes it: instances here have public addresses and no public
names (aws-facts 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mglab.config import Config, halves
from mglab.display import column
from mglab.errors import CheckFailed
from mglab.session import Lab
from mglab.steps.ensure import (
    Record,
    Records,
    demand,
    ensure,
    ensure_done,
    having,
    only,
    tag,
    tag_specification,
    tagged,
)

INTERNET = "0.0.0.0/0"
NOTEBOOK = "02_vpc"


@dataclass(frozen=True)
class Vpc(Record):
    """A virtual network."""

    name: str = field(metadata=column("Name"))
    vpc_id: str = field(metadata=column("VPC ID", "id"))
    state: str = field(metadata=column("State", "status"))
    cidr: str = field(metadata=column("IPv4 CIDR", "address"))


@dataclass(frozen=True)
class Subnet(Record):
    """A piece of the VPC's addresses, in one zone."""

    name: str = field(metadata=column("Name"))
    subnet_id: str = field(metadata=column("Subnet ID", "id"))
    state: str = field(metadata=column("State", "status"))
    vpc_id: str = field(metadata=column("VPC", "id"))
    cidr: str = field(metadata=column("IPv4 CIDR", "address"))
    zone: str = field(metadata=column("Availability Zone"))
    zone_id: str = field(metadata=column("Zone ID"))
    free_addresses: int = field(metadata=column("Free addresses", "number"))


@dataclass(frozen=True)
class Gateway(Record):
    """An internet gateway; ``state`` is ``attached`` or ``detached``, as the console words it."""

    name: str = field(metadata=column("Name"))
    gateway_id: str = field(metadata=column("Internet gateway ID", "id"))
    state: str = field(metadata=column("State", "status"))
    vpc_id: str = field(metadata=column("VPC", "id"))


@dataclass(frozen=True)
class RouteTable(Record):
    """A route table and how many subnets are explicitly its own."""

    table_id: str = field(metadata=column("Route table ID", "id"))
    vpc_id: str = field(metadata=column("VPC", "id"))
    main: bool = field(metadata=column("Main"))
    associated: int = field(metadata=column("Explicit subnet associations", "number"))


@dataclass(frozen=True)
class Route(Record):
    """One route."""

    destination: str = field(metadata=column("Destination", "address"))
    target: str = field(metadata=column("Target", "id"))
    state: str = field(metadata=column("Status", "status"))
    propagated: bool = field(metadata=column("Propagated"))


@dataclass(frozen=True)
class Association(Record):
    """A subnet that is explicitly associated with a route table."""

    name: str = field(metadata=column("Name"))
    subnet_id: str = field(metadata=column("Subnet ID", "id"))
    cidr: str = field(metadata=column("IPv4 CIDR", "address"))
    zone: str = field(metadata=column("Availability Zone"))
    association_id: str = field(metadata=column("Association", "id"))


# -- requests ----------------------------------------------------------------------------------------------


def vpc_request(config: Config, run: str) -> dict[str, Any]:
    """Say what CreateVpc is asked (steps 2-3)."""
    return {"CidrBlock": config.vpc_cidr, "TagSpecifications": tag_specification(run, config.vpc_name, "vpc")}


def subnet_request(config: Config, run: str, vpc_id: str, number: int, zone: str) -> dict[str, Any]:
    """Say what CreateSubnet is asked for the first or second half (step 5)."""
    name = config.subnet_names[number - 1]
    return {
        "VpcId": vpc_id,
        "CidrBlock": halves(config.vpc_cidr)[number - 1],
        "AvailabilityZone": zone,
        "TagSpecifications": tag_specification(run, name, "subnet"),
    }


def gateway_request(config: Config, run: str) -> dict[str, Any]:
    """Say what CreateInternetGateway is asked (step 8)."""
    return {"TagSpecifications": tag_specification(run, config.gateway_name, "internet-gateway")}


def default_route_request(table_id: str, gateway_id: str) -> dict[str, Any]:
    """Say what CreateRoute is asked (steps 14-15)."""
    return {"RouteTableId": table_id, "DestinationCidrBlock": INTERNET, "GatewayId": gateway_id}


# -- buttons -----------------------------------------------------------------------------------------------


def create_vpc(lab: Lab) -> Vpc:
    """Create and name the VPC (steps 1-4)."""
    return ensure(
        lab,
        step="1-4",
        what="vpc",
        key=lab.config.vpc_name,
        by_id=lambda known: only(_vpcs(lab, having("vpc-id", known))),
        by_tag=lambda: only(_vpcs(lab, tagged(lab.run, lab.config.vpc_name))),
        create=lambda: _vpc(lab.ec2.create_vpc(**vpc_request(lab.config, lab.run))["Vpc"]),
        identify=lambda made: made.vpc_id,
        is_settled=lambda made: made.state == "available",
    )


def zones(lab: Lab) -> tuple[str, str]:
    """Choose two zones: as told, else the first two in which the instance type is offered.

    Not every zone offers every type: us-east-1e has no t2.micro (aws-facts 3.5).
    """
    answer = lab.ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=having("instance-type", lab.config.instance_type)
    )
    offering = sorted(it["Location"] for it in answer["InstanceTypeOfferings"])
    missing = [zone for zone in lab.config.zones if zone not in offering]
    if missing or len(offering) < 2:
        raise CheckFailed(
            f"{lab.config.instance_type} is not offered in {', '.join(missing) or 'two zones of ' + lab.region}",
            hint=f"the zones that offer it: {', '.join(offering) or 'none'}",
        )
    first, second = lab.config.zones or offering[:2]
    return first, second


def create_subnet(lab: Lab, vpc: Vpc, number: int) -> Subnet:
    """Create subnet 1 or 2: its half of the addresses, in its own zone (steps 5-6)."""
    name = lab.config.subnet_names[number - 1]
    return ensure(
        lab,
        step="5-6",
        what="subnet",
        key=name,
        by_id=lambda known: only(_subnets(lab, having("subnet-id", known))),
        by_tag=lambda: only(_subnets(lab, [*tagged(lab.run, name), *having("vpc-id", vpc.vpc_id)])),
        create=lambda: _subnet(
            lab.ec2.create_subnet(**subnet_request(lab.config, lab.run, vpc.vpc_id, number, zones(lab)[number - 1]))[
                "Subnet"
            ]
        ),
        identify=lambda made: made.subnet_id,
        is_settled=lambda made: made.state == "available",
    )


def create_subnets(lab: Lab, vpc: Vpc) -> Records[Subnet]:
    """Create both public subnets, and make sure that their zones differ (steps 5-6)."""
    made = Records((create_subnet(lab, vpc, 1), create_subnet(lab, vpc, 2)))
    require_different_zones(made)
    return made


def require_different_zones(made: Records[Subnet]) -> None:
    """Refuse two subnets in one zone: the balancer could not span zones."""
    if len({subnet.zone for subnet in made}) != len(made):
        raise CheckFailed(
            f"the subnets share the zone {made[0].zone}", hint="tear the run down and choose two zones: zones=a,b"
        )


def create_internet_gateway(lab: Lab) -> Gateway:
    """Create and name the gateway; it begins detached (step 8)."""
    return ensure(
        lab,
        step="7-8",
        what="internet-gateway",
        key=lab.config.gateway_name,
        by_id=lambda known: only(_gateways(lab, having("internet-gateway-id", known))),
        by_tag=lambda: only(_gateways(lab, tagged(lab.run, lab.config.gateway_name))),
        create=lambda: _gateway(
            lab.ec2.create_internet_gateway(**gateway_request(lab.config, lab.run))["InternetGateway"]
        ),
        identify=lambda made: made.gateway_id,
    )


def attach_internet_gateway(lab: Lab, gateway: Gateway, vpc: Vpc) -> Gateway:
    """Attach the gateway to the VPC (steps 9-10)."""
    ensure_done(
        lab,
        step="9-10",
        what="gateway-attachment",
        key=f"{gateway.gateway_id} {vpc.vpc_id}",
        is_done=lambda: internet_gateway(lab).vpc_id == vpc.vpc_id,
        do=lambda: lab.ec2.attach_internet_gateway(InternetGatewayId=gateway.gateway_id, VpcId=vpc.vpc_id),
    )
    return internet_gateway(lab)


def main_route_table(lab: Lab, vpc: Vpc) -> RouteTable:
    """Find the table that came with the VPC (step 11)."""
    return demand(only(map(_route_table, _main_tables(lab, vpc.vpc_id))), "main route table", NOTEBOOK)


def add_default_route(lab: Lab, table: RouteTable, gateway: Gateway) -> Records[Route]:
    """Send everything that is not local to the gateway (steps 13-15)."""
    ensure_done(
        lab,
        step="13-15",
        what="route",
        key=f"{table.table_id} {INTERNET}",
        is_done=lambda: any((it.destination, it.target) == (INTERNET, gateway.gateway_id) for it in routes(lab, table)),
        do=lambda: lab.ec2.create_route(**default_route_request(table.table_id, gateway.gateway_id)),
    )
    return routes(lab, table)


def associate_subnets(lab: Lab, table: RouteTable, chosen: Records[Subnet]) -> Records[Association]:
    """Associate the subnets with the table explicitly (steps 16-17)."""
    for subnet in chosen:
        _associate(lab, table, subnet)
    return associations(lab, table)


def _associate(lab: Lab, table: RouteTable, subnet: Subnet) -> None:
    ensure_done(
        lab,
        step="16-17",
        what="route-table-association",
        key=f"{table.table_id} {subnet.subnet_id}",
        is_done=lambda: subnet.subnet_id in _associated(lab, table),
        do=lambda: lab.ec2.associate_route_table(RouteTableId=table.table_id, SubnetId=subnet.subnet_id),
    )


# -- what is there -----------------------------------------------------------------------------------------


def vpc(lab: Lab) -> Vpc:
    """Find the run's VPC."""
    found = only(_vpcs(lab, tagged(lab.run, lab.config.vpc_name)))
    return demand(found, f"VPC {lab.config.vpc_name} of run {lab.run}", NOTEBOOK)


def subnets(lab: Lab) -> Records[Subnet]:
    """Find the run's two subnets, first and second half in order (step 18)."""
    found = (only(_subnets(lab, tagged(lab.run, name))) for name in lab.config.subnet_names)
    names = lab.config.subnet_names
    return Records(
        demand(it, f"subnet {name} of run {lab.run}", NOTEBOOK) for it, name in zip(found, names, strict=True)
    )


def internet_gateway(lab: Lab) -> Gateway:
    """Find the run's gateway."""
    found = only(_gateways(lab, tagged(lab.run, lab.config.gateway_name)))
    return demand(found, f"internet gateway of run {lab.run}", NOTEBOOK)


def routes(lab: Lab, table: RouteTable) -> Records[Route]:
    """List a table's routes, as its Routes tab does (steps 12, 18)."""
    return Records(map(_route, _read_table(lab, table)["Routes"]))


def associations(lab: Lab, table: RouteTable) -> Records[Association]:
    """List the subnets that are explicitly associated with a table (step 18)."""
    by_subnet = _associated(lab, table)
    named = _subnets(lab, having("subnet-id", *by_subnet)) if by_subnet else Records[Subnet]()
    return Records(
        Association(it.name, it.subnet_id, it.cidr, it.zone, by_subnet[it.subnet_id])
        for it in sorted(named, key=lambda it: it.name)
    )


# -- reading AWS's answers ---------------------------------------------------------------------------------


def _vpcs(lab: Lab, filters: list[dict[str, Any]]) -> Records[Vpc]:
    return Records(map(_vpc, lab.ec2.describe_vpcs(Filters=filters)["Vpcs"]))


def _subnets(lab: Lab, filters: list[dict[str, Any]]) -> Records[Subnet]:
    return Records(map(_subnet, lab.ec2.describe_subnets(Filters=filters)["Subnets"]))


def _gateways(lab: Lab, filters: list[dict[str, Any]]) -> Records[Gateway]:
    return Records(map(_gateway, lab.ec2.describe_internet_gateways(Filters=filters)["InternetGateways"]))


def _main_tables(lab: Lab, vpc_id: str) -> list[dict[str, Any]]:
    filters = [*having("vpc-id", vpc_id), *having("association.main", "true")]
    return list(lab.ec2.describe_route_tables(Filters=filters)["RouteTables"])


def _read_table(lab: Lab, table: RouteTable) -> dict[str, Any]:
    return dict(lab.ec2.describe_route_tables(RouteTableIds=[table.table_id])["RouteTables"][0])


def _associated(lab: Lab, table: RouteTable) -> dict[str, str]:
    """Map each explicitly associated subnet to its association."""
    found = _read_table(lab, table)["Associations"]
    return {it["SubnetId"]: it["RouteTableAssociationId"] for it in found if it.get("SubnetId")}


def _vpc(answer: dict[str, Any]) -> Vpc:
    return Vpc(tag(answer.get("Tags"), "Name"), answer["VpcId"], answer["State"], answer["CidrBlock"])


def _subnet(answer: dict[str, Any]) -> Subnet:
    return Subnet(
        name=tag(answer.get("Tags"), "Name"),
        subnet_id=answer["SubnetId"],
        state=answer["State"],
        vpc_id=answer["VpcId"],
        cidr=answer["CidrBlock"],
        zone=answer["AvailabilityZone"],
        zone_id=answer.get("AvailabilityZoneId", ""),
        free_addresses=answer["AvailableIpAddressCount"],
    )


def _gateway(answer: dict[str, Any]) -> Gateway:
    attached = only_attachment(answer.get("Attachments") or [])
    return Gateway(
        name=tag(answer.get("Tags"), "Name"),
        gateway_id=answer["InternetGatewayId"],
        state="attached" if attached else "detached",
        vpc_id=attached,
    )


def only_attachment(attachments: list[dict[str, Any]]) -> str:
    """Give the VPC a gateway is attached to, or nothing (the API words the state ``available``)."""
    return next((str(it["VpcId"]) for it in attachments if it["State"] in ("available", "attached")), "")


def _route_table(answer: dict[str, Any]) -> RouteTable:
    links = answer["Associations"]
    return RouteTable(
        table_id=answer["RouteTableId"],
        vpc_id=answer["VpcId"],
        main=any(it.get("Main") for it in links),
        associated=sum(1 for it in links if it.get("SubnetId")),
    )


def _route(answer: dict[str, Any]) -> Route:
    return Route(
        destination=answer.get("DestinationCidrBlock", ""),
        target=answer.get("GatewayId") or answer.get("NatGatewayId") or answer.get("NetworkInterfaceId") or "",
        state=answer.get("State", "active"),
        propagated=answer.get("Origin") == "EnableVgwRoutePropagation",
    )
