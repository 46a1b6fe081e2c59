"""moto, which holds the network (VPCs, subnets, gateways, tables, groups), keys and tags, and answers a little.

Everything that knows moto's private names is here and in ``moto_clock``; each says at import which names it
relies on, so that another version of moto fails at once and by name. Only the operations of ``ANSWERED`` reach
moto: what the network shows and refuses is ours (``ec2_vpcs`` and its neighbours), and the rest of its EC2 would
hand out addresses nobody can connect to or instances that do not run, and says so instead (InvalidAction).

What we change in moto: its instances, images, interfaces and launch templates are not used (ours are data
in ``ec2_state``); zones carry the handout's ids (aws-facts 3.5); t2.micro is not offered in us-east-1e; only
default subnets are default; a default group admits its members; a route whose gateway is detached is a black
hole; what is deleted takes its tags and its network ACL (or its place in one) with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mglab.localcloud.api import wire_query
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.signature import HttpRequest
from mglab.localcloud.api.wire import Answer
from mglab.localcloud.rules.permissions import Permission

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
from moto.ec2.models import security_groups as moto_groups  # noqa: E402


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
    *("create_vpc", "create_subnet", "create_default_subnet", "create_security_group", "create_route_table"),
    *("get_security_group_from_id", "get_security_group_from_name", "associate_route_table", "delete_route"),
    *("create_internet_gateway", "attach_internet_gateway", "detach_internet_gateway", "disassociate_route_table"),
    *("create_route", "delete_key_pair", "import_key_pair", "delete_vpc", "delete_subnet", "delete_internet_gateway"),
    *("delete_route_table", "delete_security_group", "_delete_security_group"),
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
require(moto_routes.RouteTable, "routes", "associations")
require(moto_groups.SecurityGroupRule, "cidr_ipv4", "cidr_ipv6")

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
    CreateKeyPair ImportKeyPair DescribeRegions
    """.split()  # noqa: SIM905
)


class Backend(ec2_models.EC2Backend):
    """moto's EC2 of one cloud."""

    __module__ = "moto.ec2.models"  # its metaclass reads the service's name from here

    def __init__(self) -> None:
        self.pending: list[Any] = []
        """VPCs and subnets that are not available yet."""
        ec2_models.EC2Backend.__init__(self, REGION, ACCOUNT)

    def create_vpc(self, *args: Any, **kwargs: Any) -> Any:
        """Make a VPC, pending, whose default group admits its own members (moto's admits nobody)."""
        vpc = self._as_pending(super().create_vpc(*args, **kwargs))
        group: Any = self.get_security_group_from_name("default", vpc.id)
        make_rule(self, group, Permission("-1", None, None, group.id), egress=False)
        return vpc

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

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by way of this module: by its own word the class is one of moto's."""
        return _blank_backend, (), vars(self)


def _blank_backend() -> Backend:
    blank: Backend = object.__new__(Backend)
    return blank


def _as_default(subnet: Any, default: bool) -> Any:
    subnet.default_for_az = subnet.map_public_ip_on_launch = default
    return subnet


def open_backend() -> Backend:
    """Make an empty account (with its default VPC) and have moto answer for it from now on."""
    backend = Backend()
    install(backend)
    _connect_default_vpc(backend)
    for thing in backend.pending:
        thing.state = "available"
    backend.pending.clear()
    return backend


def install(backend: Backend) -> None:
    """Have moto answer from this account, a new one or one that comes back, from now on."""
    _set_zones()
    ec2_models.ec2_backends[ACCOUNT][REGION] = backend


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


def is_main(table: Any) -> bool:
    """Say whether a route table is its VPC's main one."""
    return table.main_association_id is not None


def move_association(association_id: str, before: Any, after: Any, new_id: str) -> None:
    """Give a subnet's association with a route table, or a VPC's main one, to another table."""
    if association_id == before.main_association_id:
        before.main_association_id, after.main_association_id = None, new_id
    else:
        after._associations[new_id] = before._associations.pop(association_id)


def make_rule(backend: Backend, group: Any, permission: Permission, *, egress: bool) -> Any:
    """Add a rule to a security group and give it."""
    rule = moto_groups.SecurityGroupRule(backend, "-1", group.id, None, None, {}, is_egress=egress)
    set_rule(rule, permission)
    (group.egress_rules if egress else group.ingress_rules).append(rule)
    return rule


def set_rule(rule: Any, permission: Permission) -> None:
    """Have a rule permit this."""
    rule.ip_protocol, rule.from_port, rule.to_port = permission.protocol, permission.from_port, permission.to_port
    rule.ip_range, rule.source_group = {}, {}
    if permission.peer.startswith("sg-"):
        rule.source_group = {"GroupId": permission.peer, "UserId": ACCOUNT}
    else:
        rule.ip_range = {"CidrIpv6" if ":" in permission.peer else "CidrIp": permission.peer}
    describe_rule(rule, permission.description)


def describe_rule(rule: Any, description: str | None) -> None:
    """Put a description on a rule, or take it off."""
    words = rule.source_group or rule.ip_range
    words.pop("Description", None)
    if description:
        words["Description"] = description


def public_key(backend: Backend, key_name: str | None) -> str:
    """Give the public half of a key pair in OpenSSH's form; nothing when none is named."""
    return str(backend.key_pairs[key_name].public_key).strip() if key_name else ""


def instance_types() -> Mapping[str, Mapping[str, Any]]:
    """Give what EC2 says of every type: name -> InstanceTypeInfo."""
    catalogue: Mapping[str, Mapping[str, Any]] = moto_types.INSTANCE_TYPES
    return catalogue


def instance_type_exists(instance_type: str) -> bool:
    """Say whether EC2 knows the type."""
    return instance_type in moto_types.INSTANCE_TYPES


def offerings(location_type: str) -> Sequence[Mapping[str, str]]:
    """Give which type is offered where, by ``region``, ``availability-zone`` or ``availability-zone-id``."""
    found: Sequence[Mapping[str, str]] = moto_types.INSTANCE_TYPE_OFFERINGS.get(location_type, {}).get(REGION, ())
    return found


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
