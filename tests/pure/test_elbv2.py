"""Load balancing as a client of the API sees it: shapes, defaults, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mglab.localcloud.api.elbv2 import Elbv2
from mglab.localcloud.api.faults import ApiError
from tests.pure.elbv2_cloud import OPERATIONS, OTHER_VPC, VPC, A, Cloud, balancer, group, lab, listen, two_zones


@pytest.fixture
def cloud() -> Cloud:
    return two_zones()


# ---- what things look like


def test_a_new_load_balancer(cloud: Cloud) -> None:
    """aws-facts 1.1: names, ARN, zone id; State provisioning; no SecurityGroups when made without."""
    made = balancer(cloud)
    unique = made["LoadBalancerArn"].rsplit("/", 1)[1]
    arn = f"arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/MGLB/{unique}"
    assert made["LoadBalancerArn"] == arn
    assert made["DNSName"] == f"MGLB-{unique}.elb.us-east-1.amazonaws.com"
    assert len(unique) == 16
    assert made["CanonicalHostedZoneId"] == "Z26RNL4JYFTOTI"
    assert made["State"] == {"Code": "provisioning"}
    assert (made["Type"], made["Scheme"], made["VpcId"], made["IpAddressType"]) == (
        "network", "internet-facing", VPC, "ipv4",
    )  # fmt: skip
    assert made["AvailabilityZones"][0] == {"ZoneName": A, "SubnetId": "subnet-1", "LoadBalancerAddresses": []}
    assert "SecurityGroups" not in made
    assert list(cloud.compute.interfaces.values()) == [f"ELB net/MGLB/{unique}"] * 2


def test_it_is_active_after_two_to_four_minutes(cloud: Cloud) -> None:
    """aws-facts 1.1, 7: provisioning 150 (120-240); until then its name does not resolve (1.4)."""
    balancer(cloud)
    cloud.wait(119)
    assert cloud.elbv2.names() == {}
    assert cloud.call("describe_load_balancers")["LoadBalancers"][0]["State"] == {"Code": "provisioning"}
    cloud.wait(121)
    assert cloud.call("describe_load_balancers")["LoadBalancers"][0]["State"] == {"Code": "active"}
    assert cloud.elbv2.names()


def test_a_new_target_group_has_the_documented_defaults(cloud: Cloud) -> None:
    """aws-facts 1.5."""
    arn = group(cloud, HealthCheckPort="traffic-port")
    (found,) = cloud.call("describe_target_groups", Names=["MGTG"])["TargetGroups"]
    expected = {
        "TargetGroupArn": arn, "Protocol": "TCP", "Port": 5000, "HealthCheckProtocol": "TCP",
        "HealthCheckPort": "traffic-port", "HealthCheckIntervalSeconds": 30, "HealthCheckTimeoutSeconds": 10,
        "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2, "TargetType": "instance", "LoadBalancerArns": [],
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert ":targetgroup/MGTG/" in arn


def test_attributes_have_the_documented_defaults(cloud: Cloud) -> None:
    """aws-facts 1.1, 1.8."""
    balancer_arn, group_arn = lab(cloud)
    (listener,) = cloud.call("describe_listeners", LoadBalancerArn=balancer_arn)["Listeners"]
    shown = {
        "load_balancer": cloud.call("describe_load_balancer_attributes", LoadBalancerArn=balancer_arn),
        "target_group": cloud.call("describe_target_group_attributes", TargetGroupArn=group_arn),
        "listener": cloud.call("describe_listener_attributes", ListenerArn=listener["ListenerArn"]),
    }
    values = {kind: {a["Key"]: a["Value"] for a in answer["Attributes"]} for kind, answer in shown.items()}
    assert values["load_balancer"]["load_balancing.cross_zone.enabled"] == "false"
    assert values["load_balancer"]["deletion_protection.enabled"] == "false"
    assert values["target_group"]["deregistration_delay.timeout_seconds"] == "300"
    assert values["target_group"]["preserve_client_ip.enabled"] == "true"
    assert values["target_group"]["load_balancing.cross_zone.enabled"] == "use_load_balancer_configuration"
    assert len(values["target_group"]) == 13
    assert values["listener"] == {"tcp.idle_timeout.seconds": "350"}


def test_making_the_same_again_gives_the_same(cloud: Cloud) -> None:
    """aws-facts 1.1 idempotence."""
    balancer_arn, group_arn = lab(cloud)
    assert balancer(cloud, Subnets=["subnet-2", "subnet-1"])["LoadBalancerArn"] == balancer_arn
    assert group(cloud) == group_arn
    assert listen(cloud, balancer_arn, group_arn) == listen(cloud, balancer_arn, group_arn)
    assert len(cloud.compute.interfaces) == 2


def test_lists_come_in_pages(cloud: Cloud) -> None:
    arns = [group(cloud, Name=f"group-{number}") for number in range(5)]
    first = cloud.call("describe_target_groups", PageSize=3)
    rest = cloud.call("describe_target_groups", PageSize=3, Marker=first["NextMarker"])
    assert [g["TargetGroupArn"] for g in first["TargetGroups"] + rest["TargetGroups"]] == arns
    assert "NextMarker" not in rest


def test_tags_and_limits(cloud: Cloud) -> None:
    arn = group(cloud, Tags=[{"Key": "mglab:run", "Value": "x"}])
    cloud.call("add_tags", ResourceArns=[arn], Tags=[{"Key": "Name", "Value": "MGTG"}])
    cloud.call("remove_tags", ResourceArns=[arn], TagKeys=["mglab:run", "never there"])
    (told,) = cloud.call("describe_tags", ResourceArns=[arn])["TagDescriptions"]
    assert told == {"ResourceArn": arn, "Tags": [{"Key": "Name", "Value": "MGTG"}]}
    limits = cloud.call("describe_account_limits")["Limits"]
    assert {"Name": "network-load-balancers", "Max": "50"} in limits


# ---- refusals: (aws-facts row, code, piece of the message, what is asked of a cloud with the lab in it)

Ask = Callable[[Cloud, str, str], Any]
REFUSALS: list[tuple[str, str, str, Ask]] = [
    ("1.1 default type", "ValidationError", "only 'network' is",
     lambda c, lb, tg: c.call("create_load_balancer", Name="x", Subnets=["subnet-1"])),
    ("1.1 name", "ValidationError", "cannot begin with 'internal-'", lambda c, lb, tg: balancer(c, Name="internal-x")),
    ("1.1 subnets", "ValidationError", "either subnets or subnet mappings",
     lambda c, lb, tg: balancer(c, Name="x", Subnets=[])),
    ("1.1 eight addresses", "InvalidSubnet", "at least 8 free IP addresses",
     lambda c, lb, tg: (c.compute.add_subnet("subnet-3", A, free=7), balancer(c, Name="x", Subnets=["subnet-3"]))),
    ("row 29", "InvalidConfigurationRequest", "multiple subnets in the same Availability Zone",
     lambda c, lb, tg: (c.compute.add_subnet("subnet-3", A), balancer(c, Subnets=["subnet-1", "subnet-3"]))),
    ("row 30", "InvalidSubnet", "VPC vpc-1 has no internet gateway",
     lambda c, lb, tg: (c.compute.gateways.clear(), balancer(c, Name="x"))),
    ("row 31", "SubnetNotFound", "'subnet-9' does not exist", lambda c, lb, tg: balancer(c, Subnets=["subnet-9"])),
    ("row 32", "DuplicateLoadBalancerName", "'MGLB' exists, but with different settings",
     lambda c, lb, tg: balancer(c, Subnets=["subnet-1"])),
    ("row 32", "DuplicateTargetGroupName", "'MGTG' exists, but with different settings",
     lambda c, lb, tg: group(c, Port=5001)),
    ("row 33", "DuplicateListener", "A listener already exists on this port",
     lambda c, lb, tg: listen(c, lb, group(c, Name="other"))),
    ("row 34", "ResourceInUse", "currently in use by a listener or a rule",
     lambda c, lb, tg: c.call("delete_target_group", TargetGroupArn=tg)),
    ("row 35", "LoadBalancerNotFound", "Load balancers '[other]' not found",
     lambda c, lb, tg: c.call("describe_load_balancers", Names=["MGLB", "other"])),
    ("row 35", "TargetGroupNotFound", "One or more target groups not found",
     lambda c, lb, tg: c.call("describe_target_groups", Names=["MGTG", "other"])),
    ("row 35", "ListenerNotFound", "One or more listeners not found",
     lambda c, lb, tg: c.call("delete_listener", ListenerArn=lb.replace("loadbalancer", "listener") + "/" + "0" * 16)),
    ("row 37", "InvalidTarget", "not in a running state and cannot be registered: 'i-new'",
     lambda c, lb, tg: (c.compute.add("i-new", state="pending"),
                        c.call("register_targets", TargetGroupArn=tg, Targets=[{"Id": "i-new"}]))),
    ("row 38", "InvalidTarget", "not in the target group VPC 'vpc-1': 'i-far'",
     lambda c, lb, tg: (c.compute.add("i-far", vpc_id=OTHER_VPC),
                        c.call("register_targets", TargetGroupArn=tg, Targets=[{"Id": "i-far"}]))),
    ("row 37", "InvalidTarget", "do not exist: 'i-never'",
     lambda c, lb, tg: c.call("register_targets", TargetGroupArn=tg, Targets=[{"Id": "i-never"}])),
    ("row 39", "ValidationError", "Listener protocol 'HTTP' must be one of 'TCP, TLS, UDP, TCP_UDP'",
     lambda c, lb, tg: listen(c, lb, tg, Protocol="HTTP", Port=80)),
    ("row 40", "ValidationError", "cannot be longer than '32' characters", lambda c, lb, tg: group(c, Name="x" * 33)),
    ("row 40", "ValidationError", "alphanumeric characters or hyphens(-)", lambda c, lb, tg: group(c, Name="a_b")),
    ("row 40", "ValidationError", "cannot begin or end with '-'", lambda c, lb, tg: group(c, Name="-a")),
    ("1.5 timeout", "ValidationError", "timeout '15' must be smaller than or equal to the interval '10'",
     lambda c, lb, tg: group(c, HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=15)),
    ("1.5 ranges", "ValidationError", "Value '1' at 'healthyThresholdCount' failed to satisfy constraint",
     lambda c, lb, tg: group(c, HealthyThresholdCount=1)),
    ("1.2 security group", "InvalidSecurityGroup", "'sg-9' does not exist",
     lambda c, lb, tg: balancer(c, Name="x", SecurityGroups=["sg-9"])),
    ("1.2 none at creation", "InvalidConfigurationRequest", "created without any security groups",
     lambda c, lb, tg: c.call("set_security_groups", LoadBalancerArn=lb, SecurityGroups=["sg-1"])),
    ("1.8 unknown attribute", "ValidationError", "'slow_start.duration_seconds' is not recognized",
     lambda c, lb, tg: c.call("modify_target_group_attributes", TargetGroupArn=tg,
                              Attributes=[{"Key": "slow_start.duration_seconds", "Value": "30"}])),
    ("1.8 range", "ValidationError", "delay.timeout_seconds' value '3601' must be between '0-3600' inclusive",
     lambda c, lb, tg: c.call("modify_target_group_attributes", TargetGroupArn=tg,
                              Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "3601"}])),
    ("1.8 no bucket", "InvalidConfigurationRequest", "Access Denied for bucket: b. Please check S3bucket permission",
     lambda c, lb, tg: c.call("modify_load_balancer_attributes", LoadBalancerArn=lb, Attributes=[
         {"Key": "access_logs.s3.enabled", "Value": "true"}, {"Key": "access_logs.s3.bucket", "Value": "b"}])),
    ("1.8 not done here", "InvalidConfigurationRequest", "the local cloud does not do this",
     lambda c, lb, tg: c.call("modify_target_group_attributes", TargetGroupArn=tg,
                              Attributes=[{"Key": "proxy_protocol_v2.enabled", "Value": "true"}])),
]  # fmt: skip


@pytest.mark.fact("3.7/37")
@pytest.mark.parametrize(("row", "code", "words", "ask"), REFUSALS, ids=[f"{r[0]}: {r[1]}" for r in REFUSALS])
def test_refusal(cloud: Cloud, row: str, code: str, words: str, ask: Ask) -> None:
    balancer_arn, group_arn = lab(cloud)
    with pytest.raises(ApiError) as refused:
        ask(cloud, balancer_arn, group_arn)
    assert refused.value.code == code
    assert words in refused.value.message


def test_a_target_group_has_one_load_balancer(cloud: Cloud) -> None:
    _, group_arn = lab(cloud)
    second = balancer(cloud, Name="second")["LoadBalancerArn"]
    with pytest.raises(ApiError, match="TargetGroupAssociationLimit"):
        listen(cloud, second, group_arn)


@pytest.mark.fact("1.1/quotas")
def test_quotas_hold(cloud: Cloud) -> None:
    """aws-facts 1.1: 50 balancers, 3000 target groups, 1000 targets a group, 500 targets of a balancer in a zone."""
    balancer_arn, first = lab(cloud)
    second = group(cloud, Name="second")
    listen(cloud, balancer_arn, second, Port=5001)
    targets = [{"Id": "i-a", "Port": port} for port in range(1, 501)]
    cloud.call("register_targets", TargetGroupArn=first, Targets=targets[:300])
    cloud.call("register_targets", TargetGroupArn=second, Targets=targets[300:])
    for one_more in ([{"Id": "i-a", "Port": 9000}], targets[:301]):
        with pytest.raises(ApiError, match="TooManyTargets.*more than 500 targets in a zone"):
            cloud.call("register_targets", TargetGroupArn=first, Targets=one_more)
    cloud.call("register_targets", TargetGroupArn=first, Targets=[{"Id": "i-b", "Port": 9000}])
    unused = group(cloud, Name="unused")
    many = [{"Id": "i-a", "Port": port} for port in range(1, 1002)]
    cloud.call("register_targets", TargetGroupArn=unused, Targets=many[:1000])
    with pytest.raises(ApiError, match="TooManyTargets.*more than 1000 targets"):
        cloud.call("register_targets", TargetGroupArn=unused, Targets=many)
    for number in range(49):
        balancer(cloud, Name=f"balancer-{number}")
    with pytest.raises(ApiError, match="TooManyLoadBalancers"):
        balancer(cloud, Name="one-more")
    for number in range(2997):
        group(cloud, Name=f"group-{number}")
    with pytest.raises(ApiError, match="TooManyTargetGroups"):
        group(cloud, Name="one-more")


def test_deletion_protection(cloud: Cloud) -> None:
    """aws-facts 3.7 row 36."""
    arn, _ = lab(cloud)
    key = {"Key": "deletion_protection.enabled", "Value": "true"}
    cloud.call("modify_load_balancer_attributes", LoadBalancerArn=arn, Attributes=[key])
    with pytest.raises(ApiError, match="OperationNotPermitted.*deletion protection is enabled"):
        cloud.call("delete_load_balancer", LoadBalancerArn=arn)


def test_every_operation_that_is_here_is_one_of_aws_s() -> None:
    for_the_daemon = {"tick", "observe", "nodes", "probes", "names", "listener_ports", "minute", "host_restarted"}
    for_the_daemon |= {"use_knobs", "balancer_arns"}
    for_auto_scaling = {"register", "deregister", "target_state", "target_group_exists"}
    own = for_the_daemon | for_auto_scaling | {"transitions", "deregistration_delay_s"}
    public = {name for name in vars(Elbv2) if not name.startswith("_")}
    assert public - own <= set(OPERATIONS)
