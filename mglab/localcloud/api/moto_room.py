"""The rest of EC2, answered by moto: VPCs, subnets, gateways, route tables, security groups, keys, tags.

Everything that knows moto's private names is here, in ``moto_clock`` and in ``ec2_network``; each says at
import which names it relies on, so that another version of moto fails at once and by name. Only the
operations of ``ANSWERED`` reach moto: the rest of its EC2 would hand out addresses nobody can connect to or
instances that do not run, and says so instead (InvalidAction).

What we change in moto: its instances, images, interfaces and launch templates are not used (ours are data
in ``ec2_state``); zones carry the handout's ids (aws-facts 3.5); t2.micro is not offered in us-east-1e; only
default subnets are default; a route whose gateway is detached is a black hole; what is deleted takes its
tags and its network ACL (or its place in one) with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from mglab.localcloud.api import wire_query
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.signature import HttpRequest
from mglab.localcloud.api.wire import Answer

ACCOUNT = "000000000000"
REGION = "us-east-1"
# Read by moto while it is imported and again with every request.
os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

from moto.core.exceptions import ServiceException  # noqa: E402
from moto.core.request import Request  # noqa: E402
from moto.ec2 import models as ec2_models  # noqa: E402
from moto.ec2 import responses as ec2_responses  # noqa: E402
from moto.ec2.exceptions import FilterNotImplementedError  # noqa: E402
from moto.ec2.models import availability_zones_and_regions as moto_zones  # noqa: E402
from moto.ec2.models import instance_types as moto_types  # noqa: E402
from moto.ec2.models import key_pairs as moto_keys  # noqa: E402
from moto.ec2.models import network_acls as moto_acls  # noqa: E402
from moto.ec2.models import route_tables as moto_routes  # noqa: E402


def require(owner: Any, *names: str) -> None:
    """Fail, by name, when this version of moto lacks what we rely on."""
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        raise ImportError(
            f"this moto has no {', '.join(missing)} in {getattr(owner, '__name__', owner)}: "
            "install the version that requirements.lock names"
        )


require(
    ec2_models.EC2Backend,
    *("create_vpc", "create_subnet", "create_default_subnet", "do_resources_exist", "get_all_network_interfaces"),
    *("get_security_group_from_id", "get_security_group_from_name", "disassociate_route_table"),
    *("create_internet_gateway", "attach_internet_gateway", "create_route", "delete_key_pair"),
    *("import_key_pair",),
    *("delete_vpc", "delete_subnet", "delete_internet_gateway", "delete_route_table", "_delete_security_group"),
)
require(moto_acls.NetworkAcl, "associations")
require(moto_acls.NetworkAclAssociation, "network_acl_association_id")
require(ec2_models, "ec2_backends")
require(ec2_responses, "EC2Response")
require(ec2_responses.EC2Response, "dispatch")
require(Request, "from_primitives")
require(moto_zones, "RegionsAndZonesBackend", "Zone")
require(moto_zones.RegionsAndZonesBackend, "zones")
require(moto_types, "INSTANCE_TYPES", "INSTANCE_TYPE_OFFERINGS")
require(moto_keys.KeyPair, "public_key")
require(moto_routes, "Route")

ZONE_IDS = {
    "us-east-1a": "use1-az2",
    "us-east-1b": "use1-az4",
    "us-east-1c": "use1-az6",
    "us-east-1d": "use1-az1",
    "us-east-1e": "use1-az3",
    "us-east-1f": "use1-az5",
}
"""aws-facts 3.5: a and b as in the handout; the other four are our choice."""
NOT_OFFERED = {("t2.micro", "us-east-1e")}  # aws-facts 3.5

ANSWERED = frozenset(  # words are easier to read here than a list of literals
    """
    CreateVpc DeleteVpc DescribeVpcs DescribeVpcAttribute ModifyVpcAttribute
    CreateSubnet DeleteSubnet DescribeSubnets ModifySubnetAttribute
    CreateInternetGateway DeleteInternetGateway DescribeInternetGateways AttachInternetGateway DetachInternetGateway
    CreateRouteTable DeleteRouteTable DescribeRouteTables AssociateRouteTable DisassociateRouteTable
    ReplaceRouteTableAssociation CreateRoute DeleteRoute ReplaceRoute
    CreateSecurityGroup DeleteSecurityGroup DescribeSecurityGroups DescribeSecurityGroupRules
    AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress RevokeSecurityGroupEgress
    ModifySecurityGroupRules UpdateSecurityGroupRuleDescriptionsIngress UpdateSecurityGroupRuleDescriptionsEgress
    CreateKeyPair DeleteKeyPair DescribeKeyPairs ImportKeyPair
    CreateTags DeleteTags DescribeTags
    DescribeNetworkAcls DescribeDhcpOptions DescribeAddresses DescribeAvailabilityZones DescribeRegions
    DescribeAccountAttributes DescribeInstanceTypes DescribeInstanceTypeOfferings
    """.split()  # noqa: SIM905
)


class Backend(ec2_models.EC2Backend):
    """moto's EC2 of one cloud, which asks us for what is ours."""

    __module__ = "moto.ec2.models"  # its metaclass reads the service's name from here

    def __init__(self) -> None:
        self.ours: Callable[[str], bool] = lambda resource_id: False
        self.addresses_in: Callable[[], Iterable[tuple[str, str]]] = lambda: ()
        self.pending: list[Any] = []
        """VPCs and subnets that are not available yet."""
        ec2_models.EC2Backend.__init__(self, REGION, ACCOUNT)

    def do_resources_exist(self, resource_ids: list[str]) -> bool:
        """Let tags be put on instances, images and the like, which moto does not hold."""
        return super().do_resources_exist([name for name in resource_ids if not self.ours(name)])

    def get_all_network_interfaces(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Give what moto counts a subnet's free addresses by."""
        return [
            SimpleNamespace(subnet=SimpleNamespace(id=subnet_id), private_ip_addresses=[address])
            for subnet_id, address in self.addresses_in()
        ]

    def create_vpc(self, *args: Any, **kwargs: Any) -> Any:
        """Make a VPC, pending."""
        return self._as_pending(super().create_vpc(*args, **kwargs))

    def create_subnet(self, *args: Any, **kwargs: Any) -> Any:
        """Make a subnet, pending, that is no zone's default (moto takes the first of each zone for it)."""
        return self._as_pending(_as_default(super().create_subnet(*args, **kwargs), False))

    def create_default_subnet(self, availability_zone: str) -> Any:
        """Make a zone's default subnet."""
        return _as_default(super().create_default_subnet(availability_zone), True)

    def delete_vpc(self, vpc_id: str) -> Any:
        """Delete a VPC with its default network ACL."""
        vpc = super().delete_vpc(vpc_id)
        for acl in [acl for acl in self.network_acls.values() if acl.vpc_id == vpc_id]:
            self._forget(self.network_acls.pop(acl.id).id)
        return self._forget(vpc_id, vpc)

    def delete_subnet(self, subnet_id: str) -> Any:
        """Delete a subnet and its place in its VPC's network ACL."""
        subnet = super().delete_subnet(subnet_id)
        for acl in self.network_acls.values():
            for place in [it.id for it in acl.associations if it.subnet_id == subnet_id]:
                del acl._associations[place]
        return self._forget(subnet_id, subnet)

    def delete_internet_gateway(self, internet_gateway_id: str) -> None:
        """Delete a gateway."""
        super().delete_internet_gateway(internet_gateway_id)
        self._forget(internet_gateway_id)

    def delete_route_table(self, route_table_id: str) -> None:
        """Delete a route table; a VPC's main one goes with the VPC."""
        super().delete_route_table(route_table_id)
        self._forget(route_table_id)

    def _delete_security_group(self, vpc_id: str | None, group_id: str) -> None:
        super()._delete_security_group(vpc_id, group_id)
        self._forget(group_id)

    def delete_key_pair(self, name: str) -> Any:
        """Delete a key pair, if it is there."""
        key = super().delete_key_pair(name)
        return self._forget(key.id, key) if key else None

    def _forget(self, resource_id: str, gone: Any = None) -> Any:
        """Drop the tags of something that is gone (moto keeps them), and give it."""
        self.tags.pop(resource_id, None)
        return gone

    def _as_pending(self, thing: Any) -> Any:
        thing.state = "pending"
        self.pending.append(thing)
        return thing


def _as_default(subnet: Any, default: bool) -> Any:
    subnet.default_for_az = subnet.map_public_ip_on_launch = default
    return subnet


def open_backend() -> Backend:
    """Make an empty account (with its default VPC) and have moto answer for it from now on."""
    _set_zones()
    backend = Backend()
    ec2_models.ec2_backends[ACCOUNT][REGION] = backend
    _connect_default_vpc(backend)
    for thing in backend.pending:
        thing.state = "available"
    backend.pending.clear()
    return backend


def _connect_default_vpc(backend: Backend) -> None:
    """Give the default VPC its gateway and default route, as every account's has (aws-facts 3.5)."""
    vpc = next(vpc for vpc in backend.vpcs.values() if vpc.is_default)
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, vpc.id)
    table = next(table for table in backend.route_tables.values() if table.vpc_id == vpc.id)
    backend.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)


def _set_zones() -> None:
    moto_zones.RegionsAndZonesBackend.zones[REGION] = [
        moto_zones.Zone(region_name=REGION, name=name, zone_id=zone_id) for name, zone_id in ZONE_IDS.items()
    ]
    offerings = moto_types.INSTANCE_TYPE_OFFERINGS["availability-zone"]
    offerings[REGION] = [o for o in offerings[REGION] if (o["InstanceType"], o["Location"]) not in NOT_OFFERED]
    setattr(moto_routes.Route, "state", property(_route_state))  # noqa: B010 - moto has a constant here


def _route_state(route: Any) -> str:
    gateway = route.gateway
    return "blackhole" if gateway is not None and getattr(gateway, "vpc", None) is None else "active"


def public_key(backend: Backend, key_name: str | None) -> str:
    """Give the public half of a key pair in OpenSSH's form; nothing when none is named."""
    return str(backend.key_pairs[key_name].public_key).strip() if key_name else ""


def instance_type_exists(instance_type: str) -> bool:
    """Say whether EC2 knows the type."""
    return instance_type in moto_types.INSTANCE_TYPES


def vcpus(instance_type: str) -> int:
    """Say how many vCPUs a type has."""
    return int(moto_types.INSTANCE_TYPES[instance_type]["VCpuInfo"]["DefaultVCpus"])


def zones_offering(instance_type: str) -> tuple[str, ...]:
    """Name the zones that offer a type."""
    offerings = moto_types.INSTANCE_TYPE_OFFERINGS["availability-zone"][REGION]
    return tuple(sorted(o["Location"] for o in offerings if o["InstanceType"] == instance_type))


def answer(service: str, operation: str, request: HttpRequest) -> Answer | None:
    """Have moto answer a request; None when it is not one that we leave to moto."""
    if service != "ec2" or operation not in ANSWERED:
        return None
    if wire_query.form(request.body).get("DryRun", "false").lower() == "true":  # not every action of moto's looks
        raise ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
    url = f"http://{request.headers['host']}{request.path}"
    with refusals():
        status, headers, body = ec2_responses.EC2Response.dispatch(
            Request.from_primitives("POST", url, dict(request.headers), request.body)
        )
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "text/xml")
    return Answer(int(status), [("Content-Type", content_type)], body.encode() if isinstance(body, str) else body)


@contextmanager
def refusals() -> Any:
    """Turn moto's exceptions into ours."""
    try:
        yield
    except ServiceException as refused:
        raise ApiError(refused.code, refused.message) from refused
    except FilterNotImplementedError as unknown:
        name = re.search(r"The filter '([^']*)'", str(unknown))
        raise ApiError("InvalidParameterValue", f"The filter '{name[1] if name else '?'}' is invalid") from unknown
