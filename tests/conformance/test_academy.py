"""The account as an AWS Academy Learner Lab: what it may do, its limits, its sessions."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.aws_cli import Aws
from tests.local.cloud_under_test import Cloud, eventually

A = "us-east-1a"
CALLER = r"arn:aws:sts::000000000000:assumed-role/voclabs/user\d+=\S+@\S+"
DENIED = "with an explicit deny in an identity-based policy"
VCPU_LIMIT = (
    "You have requested more vCPU capacity than your current vCPU limit of {} allows for the instance bucket that the "
    "specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an "
    "adjustment to this limit."
)


@pytest.fixture
def lab(cloud: Cloud) -> Iterator[Cloud]:
    """The cloud with a Learner Lab's session under way; an ordinary, empty account afterwards."""
    cloud.set("academy=on", "decision_s=1", "detection_s=10")
    yield cloud
    cloud.set("academy=off", "deny=none", "vcpu_limit=none")
    scaling = cloud.client("autoscaling")
    for group in scaling.describe_auto_scaling_groups()["AutoScalingGroups"]:
        scaling.delete_auto_scaling_group(AutoScalingGroupName=group["AutoScalingGroupName"], ForceDelete=True)
    if alive := [instance_id for instance_id, state in states(cloud).items() if state != "terminated"]:
        cloud.client("ec2").terminate_instances(InstanceIds=alive)


def refusal(call: Any, **parameters: Any) -> tuple[int, str, str]:
    """Make a call that must be refused: HTTP status, code, message."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def states(cloud: Cloud) -> dict[str, str]:
    found = cloud.client("ec2").describe_instances()["Reservations"]
    return {it["InstanceId"]: it["State"]["Name"] for one in found for it in one["Instances"]}


def instance(cloud: Cloud, instance_id: str) -> dict[str, Any]:
    found = cloud.client("ec2").describe_instances(InstanceIds=[instance_id])
    return dict(found["Reservations"][0]["Instances"][0])


def image(cloud: Cloud) -> str:
    """Give the base image: nothing runs in it."""
    found = cloud.client("ec2").describe_images(Owners=["amazon"])["Images"]
    return str(found[0]["ImageId"])


def request(cloud: Cloud, count: int = 1, **parameters: Any) -> dict[str, Any]:
    return {"ImageId": image(cloud), "InstanceType": "t2.nano", "MinCount": count, "MaxCount": count, **parameters}


def run(cloud: Cloud, count: int = 1, **parameters: Any) -> list[str]:
    made = cloud.client("ec2").run_instances(**request(cloud, count, **parameters))["Instances"]
    return [it["InstanceId"] for it in made]


def group(cloud: Cloud, name: str, desired: int, **data: Any) -> None:
    """Make a launch template and a group of that name in one zone."""
    filters = [{"Name": "default-for-az", "Values": ["true"]}, {"Name": "availability-zone", "Values": [A]}]
    subnet = cloud.client("ec2").describe_subnets(Filters=filters)["Subnets"][0]["SubnetId"]
    told = {"ImageId": image(cloud), "InstanceType": "t2.micro", **data}
    cloud.client("ec2").create_launch_template(LaunchTemplateName=name, LaunchTemplateData=told)
    cloud.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name, MinSize=0, MaxSize=5, DesiredCapacity=desired, VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateName": name},
    )  # fmt: skip


def activities(cloud: Cloud, name: str) -> list[dict[str, Any]]:
    return list(cloud.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=name)["Activities"])


def denied(action: str, resource: str = "") -> str:
    """Write the sentence of a denial, as a pattern."""
    on = f" on resource: {re.escape(resource)}" if resource else ""
    return f"User: {CALLER} is not authorized to perform: {action}{on} {DENIED}"


NOT_AUTHORIZED = r"You are not authorized to perform this operation\. "


# -- who, where, what --------------------------------------------------------------------------------------------


@pytest.mark.fact("5/caller", "5/credentials", "3.7/52-expired", "3.7/52-expired-ec2")
def test_a_session_has_credentials_of_its_own(cloud: Cloud, aws: Aws) -> None:
    lasting = {service: cloud.client(service) for service in ("ec2", "elbv2", "sts", "cloudwatch")}
    plain = lasting["sts"].get_caller_identity()
    assert plain["Arn"].startswith("arn:aws:iam::")
    state = cloud.set("academy=on")
    assert state["access_key_id"].startswith("ASIA") and state["session_token"]
    who = aws("sts", "get-caller-identity")
    assert re.fullmatch(CALLER, who["Arn"]) and who["Account"] == plain["Account"]
    assert who["UserId"].startswith("AROA") and who["UserId"].endswith(":" + who["Arn"].rpartition("/")[2])
    expired = "The security token included in the request is expired"
    assert refusal(lasting["ec2"].describe_vpcs) == (400, "RequestExpired", "Request has expired.")
    assert refusal(lasting["elbv2"].describe_load_balancers) == (403, "ExpiredToken", expired)
    assert refusal(lasting["sts"].get_caller_identity) == (403, "ExpiredToken", expired)
    assert refusal(lasting["cloudwatch"].describe_alarms)[1] == "ExpiredToken"
    untold = cloud.client("ec2", aws_session_token=None)
    assert refusal(untold.describe_vpcs)[:2] == (401, "AuthFailure")
    wrong = cloud.client("sts", aws_session_token="x" * 300)
    assert refusal(wrong.get_caller_identity)[:2] == (403, "InvalidClientTokenId")
    session = cloud.client("sts")
    cloud.set("academy=on")
    assert re.fullmatch(CALLER, session.get_caller_identity()["Arn"]), "one that runs is extended, not replaced"
    cloud.set("academy=off")
    assert refusal(session.get_caller_identity)[1] == "ExpiredToken"
    assert cloud.client("sts").get_caller_identity()["Arn"] == plain["Arn"]


@pytest.mark.fact("5/session")
def test_a_session_lasts_four_hours_and_is_extended(cloud: Cloud) -> None:
    def lasts_s(state: dict[str, Any]) -> float:
        return float(state["settings"]["session_ends_at"] - state["lab_epoch"])

    first = cloud.set("academy=on", f"rate={cloud.rate:g}")
    assert 4 * 3600 - 1 <= lasts_s(first) <= 4 * 3600 + 1
    assert lasts_s(cloud.set("session_ends_s=600", f"rate={cloud.rate:g}")) == pytest.approx(600, abs=1)
    again = cloud.set("academy=on", f"rate={cloud.rate:g}")
    assert 4 * 3600 - 1 <= lasts_s(again) <= 4 * 3600 + 1 and again["access_key_id"] == first["access_key_id"]
    ends = datetime.fromtimestamp(again["settings"]["session_ends_at"], UTC)
    assert ends > datetime.fromtimestamp(first["settings"]["session_ends_at"], UTC)
    cloud.set("academy=off")


@pytest.mark.fact("5/regions", "5/services")
def test_two_regions_and_the_labs_services(lab: Cloud) -> None:
    words = refusal(lab.client("ec2", region_name="eu-west-1").describe_vpcs)
    assert words[:2] == (403, "UnauthorizedOperation")
    assert re.fullmatch(NOT_AUTHORIZED + denied("ec2:DescribeVpcs"), words[2])
    status, code, message = refusal(lab.client("elbv2", region_name="us-west-1").describe_load_balancers)
    assert (status, code) == (403, "AccessDenied") and DENIED in message
    assert DENIED not in refusal(lab.client("ec2", region_name="us-west-2").describe_vpcs)[2]
    lab.client("ec2").describe_vpcs()
    lab.client("elbv2").describe_load_balancers()
    lab.client("autoscaling").describe_auto_scaling_groups()
    lab.client("cloudwatch").describe_alarms()


@pytest.mark.fact("5/iam", "5/ready-made", "3.7/51-denied")
def test_iam_is_to_be_read_and_holds_the_labs_role(lab: Cloud, aws: Aws) -> None:
    iam = lab.client("iam")
    role = iam.get_role(RoleName="LabRole")["Role"]
    assert role["Arn"] == "arn:aws:iam::000000000000:role/LabRole"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    profile = aws("iam", "get-instance-profile", "--instance-profile-name", "LabInstanceProfile")["InstanceProfile"]
    assert [it["RoleName"] for it in profile["Roles"]] == ["LabRole"]
    assert refusal(iam.get_role, RoleName="mine")[:2] == (404, "NoSuchEntity")
    status, code, message = refusal(iam.create_role, RoleName="mine", AssumeRolePolicyDocument="{}")
    assert (status, code) == (403, "AccessDenied")
    assert re.fullmatch(denied("iam:CreateRole", "arn:aws:iam::000000000000:role/mine"), message)
    assert refusal(iam.create_user, UserName="me")[1] == "AccessDenied"
    assert refusal(iam.create_service_linked_role, AWSServiceName="autoscaling.amazonaws.com")[1] != "AccessDenied"
    (key,) = lab.client("ec2").describe_key_pairs(KeyNames=["vockey"])["KeyPairs"]
    assert key["KeyType"] == "rsa"
    file = lab.directory / "labsuser.pem"
    assert file.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----") and stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.fact("5/instance-types", "5/on-demand", "5/volumes", "3.7/51-denied")
def test_small_on_demand_instances_only(lab: Cloud) -> None:
    ec2 = lab.client("ec2")
    words = NOT_AUTHORIZED + denied("ec2:RunInstances", "arn:aws:ec2:us-east-1:000000000000:instance/*")
    disk = {"DeviceName": "/dev/xvda"}
    for parameters in (
        {"InstanceType": "t2.xlarge"},
        {"InstanceType": "m5.2xlarge"},
        {"InstanceMarketOptions": {"MarketType": "spot"}},
        {"BlockDeviceMappings": [{**disk, "Ebs": {"VolumeSize": 101}}]},
        {"BlockDeviceMappings": [{**disk, "Ebs": {"VolumeType": "io1", "Iops": 100, "VolumeSize": 8}}]},
    ):
        status, code, message = refusal(ec2.run_instances, **request(lab, **parameters))
        assert (status, code) == (403, "UnauthorizedOperation") and re.fullmatch(words, message), parameters
    assert refusal(ec2.request_spot_instances)[1] == "UnauthorizedOperation"
    assert ec2.describe_images(Owners=["aws-marketplace"])["Images"] == []
    for size in ("nano", "micro", "small", "medium", "large"):
        tried = request(lab, InstanceType=f"t2.{size}", DryRun=True)
        assert refusal(ec2.run_instances, **tried)[1] == "DryRunOperation"
    with pytest.raises(ClientError, match="You must use a valid fully-formed launch template"):
        group(lab, "too-large", 1, InstanceType="t2.xlarge")


@pytest.mark.fact("5/course-denials", "3.7/51-denied")
def test_a_course_may_deny_more(lab: Cloud, aws: Aws) -> None:
    lab.set("deny=ec2:CreateVpc,elasticloadbalancing:*")
    status, code, message = refusal(lab.client("ec2").create_vpc, CidrBlock="10.0.0.0/16")
    assert (status, code) == (403, "UnauthorizedOperation")
    assert re.fullmatch(NOT_AUTHORIZED + denied("ec2:CreateVpc", "arn:aws:ec2:us-east-1:000000000000:vpc/*"), message)
    said = aws.refused("elbv2", "describe-load-balancers")
    assert "(AccessDenied)" in said and "elasticloadbalancing:DescribeLoadBalancers" in said and DENIED in said
    assert lab.client("ec2").describe_vpcs()["Vpcs"]


# -- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.fact("5/nine-instances", "5/unwritten-limits")
def test_the_tenth_instance_is_terminated(lab: Cloud) -> None:
    run(lab, 8)
    (ninth,) = run(lab)
    (tenth,) = run(lab)
    eventually(lambda: states(lab)[tenth] in ("shutting-down", "terminated"))
    lab.lab_seconds(60)
    found = list(states(lab).values())
    assert found.count("running") + found.count("pending") == 9 and states(lab)[ninth] in ("pending", "running")


@pytest.mark.fact("5/vcpus", "3.7/26-vcpu-limit", "5/unwritten-limits")
def test_vcpus_are_limited_also_for_a_group(lab: Cloud) -> None:
    ec2 = lab.client("ec2")
    large = request(lab, 17, InstanceType="t2.large")  # two vCPUs each
    assert refusal(ec2.run_instances, **large) == (400, "VcpuLimitExceeded", VCPU_LIMIT.format(32))
    assert "pending" not in states(lab).values()
    lab.set("vcpu_limit=2")
    group(lab, "vcpus", 3)

    def failed() -> list[dict[str, Any]]:
        return [it for it in activities(lab, "vcpus") if it["StatusCode"] == "Failed"]

    eventually(failed, "a Failed activity")
    words = f"Could not launch On-Demand Instances. VcpuLimitExceeded - {VCPU_LIMIT.format(2)} Launching EC2 instance "
    assert failed()[0]["StatusMessage"] == words + "failed."
    assert refusal(ec2.run_instances, **request(lab)) == (400, "VcpuLimitExceeded", VCPU_LIMIT.format(2))


@pytest.mark.fact("5/twenty-instances")
def test_twenty_instances_close_the_account(lab: Cloud) -> None:
    group(lab, "closing", 1)
    run(lab, 10)
    run(lab, 20)
    eventually(lambda: closed(lab), "the account to be closed")
    lab.set("academy=off")
    assert set(states(lab).values()) <= {"shutting-down", "terminated"}
    groups = lab.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert all(it["DesiredCapacity"] == 0 for it in groups)


@pytest.mark.fact("5/over-budget")
def test_an_account_over_its_budget_is_closed(lab: Cloud) -> None:
    (lost,) = run(lab)
    lab.set("academy=closed")
    assert closed(lab)
    again = answer_of(lab, "academy=on")
    assert "deactivated" in again
    lab.set("academy=off")
    assert states(lab)[lost] in ("shutting-down", "terminated")


def closed(cloud: Cloud) -> bool:
    try:
        cloud.client("ec2").describe_instances()
    except ClientError as refused:
        return bool(refused.response["Error"]["Code"] == "UnauthorizedOperation")
    return False


def answer_of(cloud: Cloud, *words: str) -> str:
    """Give what the command that sets the cloud says when it refuses."""
    command = cloud.begin("set", *words)
    _, errors = command.communicate()
    assert command.returncode == 2, errors
    return str(errors)


# -- the end of a session ----------------------------------------------------------------------------------------


@pytest.mark.fact("5/session-end", "5/cancel-policy", "0.9/group-after-session-end", "3.7/51-denied")
def test_a_sessions_end_stops_instances_and_denies_all_but_sts(lab: Cloud, aws: Aws) -> None:
    (alone,) = run(lab)
    group(lab, "ending", 1)
    eventually(lambda: list(states(lab).values()).count("running") >= 2)
    before = instance(lab, alone)
    member = in_service(lab)
    vpcs = lab.client("ec2").describe_vpcs()["Vpcs"]
    lab.set("session_ends_s=0")
    eventually(lambda: (lab.call("status") or {})["settings"]["session"] == "ended")
    words = refusal(lab.client("ec2").describe_availability_zones)
    assert words[:2] == (403, "UnauthorizedOperation")
    assert re.fullmatch(NOT_AUTHORIZED + denied("ec2:DescribeAvailabilityZones"), words[2])
    for service, operation, action in (
        ("elbv2", "describe_load_balancers", "elasticloadbalancing:DescribeLoadBalancers"),
        ("autoscaling", "describe_auto_scaling_groups", "autoscaling:DescribeAutoScalingGroups"),
        ("cloudwatch", "describe_alarms", "cloudwatch:DescribeAlarms"),
        ("iam", "list_roles", "iam:ListRoles"),
    ):
        status, code, message = refusal(getattr(lab.client(service), operation))
        assert (status, code) == (403, "AccessDenied")
        assert f"is not authorized to perform: {action}" in message and message.endswith(DENIED)
    assert re.fullmatch(CALLER, lab.client("sts").get_caller_identity()["Arn"])
    assert "explicit deny" in aws.refused("ec2", "describe-vpcs")
    lab.lab_seconds(240)
    lab.set("academy=on")
    eventually(lambda: states(lab)[alone] == "running")
    after = instance(lab, alone)
    assert after["PublicIpAddress"] != before["PublicIpAddress"]
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"] and after["LaunchTime"] > before["LaunchTime"]
    assert lab.client("ec2").describe_vpcs()["Vpcs"] == vpcs
    eventually(lambda: in_service(lab) not in ("", member))
    assert states(lab)[member] in ("shutting-down", "terminated")
    causes = [it["Cause"] for it in activities(lab, "ending")]
    stopped = "in response to an EC2 health check indicating it has been terminated or stopped."
    assert any(it.endswith(stopped) for it in causes)
    assert any(it.endswith("in response to an unhealthy instance needing to be replaced.") for it in causes)


def in_service(cloud: Cloud) -> str:
    found = cloud.client("autoscaling").describe_auto_scaling_instances()["AutoScalingInstances"]
    return str(next((it["InstanceId"] for it in found if it["LifecycleState"] == "InService"), ""))
