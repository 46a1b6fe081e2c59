"""What goes wrong on AWS, set on the running cloud: throttling, no capacity, eventual consistency, a zone's outage."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conformance.aws_cli import Aws
from tests.local.cloud_under_test import Cloud, ask, eventually

A, B = "us-east-1a", "us-east-1b"
NO_CAPACITY = (
    r"We currently do not have sufficient t2\.micro capacity in the Availability Zone you requested \(us-east-1a\)\. "
    r"Our system will be working on provisioning additional capacity\. You can currently get t2\.micro capacity by not "
    r"specifying an Availability Zone in your request or choosing us-east-1b, us-east-1c, us-east-1d, us-east-1f\."
)


@pytest.fixture(autouse=True)
def _nothing_wrong_afterwards(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.set("throttling=0", "capacity=none", "consistency_s=0", "zone_outage=none")


def refusal(call: Any, **parameters: Any) -> tuple[int, str, str]:
    """Make a call that must be refused: HTTP status, code, message."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def first_refusal(call: Any, **parameters: Any) -> tuple[int, str, str]:
    """Make a call until it is refused."""

    def look() -> tuple[int, str, str] | None:
        try:
            call(**parameters)
        except ClientError as refused:
            answer = refused.response
            return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]
        return None

    return eventually(look, "a refusal")


def image(cloud: Cloud) -> str:
    return str(cloud.client("ec2").describe_images(Owners=["self"])["Images"][0]["ImageId"])


def subnet_of(cloud: Cloud, zone: str) -> str:
    filters = [{"Name": "default-for-az", "Values": ["true"]}, {"Name": "availability-zone", "Values": [zone]}]
    return str(cloud.client("ec2").describe_subnets(Filters=filters)["Subnets"][0]["SubnetId"])


def run(cloud: Cloud, **parameters: Any) -> str:
    told = {"ImageId": image(cloud), "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1, **parameters}
    return str(cloud.client("ec2").run_instances(**told)["Instances"][0]["InstanceId"])


def state_of(cloud: Cloud, instance_id: str) -> str:
    found = cloud.client("ec2").describe_instances(InstanceIds=[instance_id])
    return str(found["Reservations"][0]["Instances"][0]["State"]["Name"])


# -- throttling ------------------------------------------------------------------------------------------------


@pytest.mark.fact("fault/throttling", "fault/throttling-words")
def test_some_requests_are_one_too_many_and_the_next_may_pass(cloud: Cloud, aws: Aws) -> None:
    calls = {
        "ec2": "describe_vpcs", "elbv2": "describe_load_balancers", "autoscaling": "describe_auto_scaling_groups",
        "cloudwatch": "describe_alarms",
    }  # fmt: skip
    cloud.set("throttling=0.5")
    for service, operation in calls.items():
        call = getattr(cloud.client(service), operation)
        said = (503, "RequestLimitExceeded", "Request limit exceeded.")
        assert first_refusal(call) == (said if service == "ec2" else (400, "Throttling", "Rate exceeded"))
    patient = Config(retries={"mode": "standard", "total_max_attempts": 10})
    assert cloud.client("ec2", config=patient).describe_vpcs()["Vpcs"]
    assert first_refusal(cloud.client("ec2").create_vpc, CidrBlock="10.9.0.0/16")[1] == "RequestLimitExceeded"
    cloud.set("throttling=0.95")
    words = [aws.run("ec2", "describe-vpcs").stderr for _ in range(2)]
    assert any("(RequestLimitExceeded) when calling the DescribeVpcs operation" in text for text in words), words
    assert cloud.set("throttling=0")["settings"] == {}
    for _ in range(20):
        cloud.client("ec2").describe_vpcs()


# -- capacity --------------------------------------------------------------------------------------------------


@pytest.mark.fact("fault/capacity")
def test_a_zone_without_capacity_refuses_launches_and_names_the_others(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    stopped = run(cloud, SubnetId=subnet_of(cloud, A))
    eventually(lambda: state_of(cloud, stopped) == "running")
    ec2.stop_instances(InstanceIds=[stopped])
    eventually(lambda: state_of(cloud, stopped) == "stopped")
    cloud.set(f"capacity={A}")
    known = {"ImageId": image(cloud), "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}
    status, code, message = refusal(ec2.run_instances, **known, SubnetId=subnet_of(cloud, A))
    assert (status, code) == (500, "InsufficientInstanceCapacity") and re.fullmatch(NO_CAPACITY, message)
    assert refusal(ec2.run_instances, **known, Placement={"AvailabilityZone": A})[1] == "InsufficientInstanceCapacity"
    assert refusal(ec2.start_instances, InstanceIds=[stopped])[1] == "InsufficientInstanceCapacity"
    elsewhere = [ec2.run_instances(**known)["Instances"][0] for _ in range(4)]
    assert A not in {it["Placement"]["AvailabilityZone"] for it in elsewhere}
    assert refusal(ec2.run_instances, **known, SubnetId=subnet_of(cloud, A), DryRun=True)[1] == "DryRunOperation"
    ec2.terminate_instances(InstanceIds=[stopped, *(it["InstanceId"] for it in elsewhere)])


@pytest.mark.fact("fault/capacity-group")
def test_a_group_tries_its_other_zone_and_comes_back_into_balance(cloud: Cloud) -> None:
    ec2, scaling = cloud.client("ec2"), cloud.client("autoscaling")
    data = {"ImageId": image(cloud), "InstanceType": "t2.micro"}
    ec2.create_launch_template(LaunchTemplateName="capacity", LaunchTemplateData=data)
    cloud.set(f"capacity={A}", "decision_s=1")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="capacity", MinSize=0, MaxSize=3, DesiredCapacity=2,
        VPCZoneIdentifier=f"{subnet_of(cloud, A)},{subnet_of(cloud, B)}",
        LaunchTemplate={"LaunchTemplateName": "capacity"},
    )  # fmt: skip

    def zones() -> list[str]:
        found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["capacity"])["AutoScalingGroups"][0]
        return sorted(it["AvailabilityZone"] for it in found["Instances"] if it["LifecycleState"] == "InService")

    eventually(lambda: zones() == [B, B], lambda: str(zones()))
    history = scaling.describe_scaling_activities(AutoScalingGroupName="capacity")["Activities"]
    failed = next(it for it in history if it["StatusCode"] == "Failed")
    words = f"Could not launch On-Demand Instances. InsufficientInstanceCapacity - {NO_CAPACITY} "
    assert re.fullmatch(words + "Launching EC2 instance failed.", failed["StatusMessage"])
    assert re.fullmatch(
        f"Launching a new EC2 instance.  Status Reason: {words}Launching EC2 instance failed.", failed["Description"]
    )
    assert f'"Availability Zone":"{A}"' in failed["Details"]
    cloud.set("capacity=none")
    eventually(lambda: zones() == [A, B], lambda: str(zones()))
    scaling.delete_auto_scaling_group(AutoScalingGroupName="capacity", ForceDelete=True)


# -- eventual consistency --------------------------------------------------------------------------------------


@pytest.mark.fact("fault/eventual-consistency")
def test_what_was_made_just_now_may_not_be_found_and_later_is(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    old = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    cloud.set("rate=10", "consistency_s=60")
    vpc_id = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    said = (400, "InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    assert first_refusal(ec2.describe_vpcs, VpcIds=[vpc_id]) == said
    assert first_refusal(ec2.create_tags, Resources=[vpc_id], Tags=[{"Key": "a", "Value": "b"}]) == said
    for _ in range(10):
        ec2.describe_vpcs(VpcIds=[old])
    group_id = ec2.create_security_group(GroupName="young", Description="x", VpcId=old)["GroupId"]
    words = f"The security group '{group_id}' does not exist"
    assert first_refusal(ec2.describe_security_groups, GroupIds=[group_id]) == (400, "InvalidGroup.NotFound", words)
    instance_id = run(cloud)
    missing = (400, "InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
    assert first_refusal(ec2.describe_instances, InstanceIds=[instance_id]) == missing
    cloud.set(f"rate={cloud.rate:g}")
    cloud.lab_seconds(90)
    for _ in range(10):
        ec2.describe_vpcs(VpcIds=[vpc_id])
        ec2.describe_instances(InstanceIds=[instance_id])
    ec2.terminate_instances(InstanceIds=[instance_id])


# -- a zone's outage -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(cloud: Cloud) -> dict[str, Any]:
    """A server in each of two zones behind a load balancer, both healthy."""
    ec2, elbv2 = cloud.client("ec2"), cloud.client("elbv2")
    vpc_id = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="outage", Description="x", VpcId=vpc_id)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=5000, ToPort=5000, CidrIp="0.0.0.0/0"
    )
    servers = {zone: run(cloud, SubnetId=subnet_of(cloud, zone), SecurityGroupIds=[group]) for zone in (A, B)}
    balancer = elbv2.create_load_balancer(
        Name="outage", Type="network", Subnets=[subnet_of(cloud, zone) for zone in (A, B)]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    targets = elbv2.create_target_group(
        Name="outage", Protocol="TCP", Port=5000, VpcId=vpc_id, HealthCheckIntervalSeconds=10,
        HealthCheckTimeoutSeconds=5, HealthyThresholdCount=2, UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elbv2.create_listener(
        LoadBalancerArn=balancer, Protocol="TCP", Port=5000,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}],
    )  # fmt: skip
    eventually(lambda: all(state_of(cloud, it) == "running" for it in servers.values()))
    elbv2.register_targets(TargetGroupArn=targets, Targets=[{"Id": it} for it in servers.values()])
    return {"servers": servers, "targets": targets}


def health(cloud: Cloud, service: dict[str, Any]) -> dict[str, str]:
    found = cloud.client("elbv2").describe_target_health(TargetGroupArn=service["targets"])
    zone_of = {instance_id: zone for zone, instance_id in service["servers"].items()}
    return {zone_of[it["Target"]["Id"]]: it["TargetHealth"]["State"] for it in found["TargetHealthDescriptions"]}


@pytest.mark.fact("fault/zone-outage", "fault/impaired")
def test_a_zone_that_is_cut_off_is_impaired_unreachable_and_unhealthy(cloud: Cloud, service: dict[str, Any]) -> None:
    ec2 = cloud.client("ec2")
    eventually(lambda: health(cloud, service) == {A: "healthy", B: "healthy"}, lambda: str(health(cloud, service)))
    lost, kept = (service["servers"][zone] for zone in (A, B))
    addresses = {it: public_address(cloud, it) for it in (lost, kept)}
    assert "timed out" not in (ask(addresses[lost]), ask(addresses[kept]))
    cloud.set(f"zone_outage={A}")
    statuses = {it["InstanceId"]: it for it in ec2.describe_instance_status()["InstanceStatuses"]}
    for summary in (statuses[lost]["InstanceStatus"], statuses[lost]["SystemStatus"]):
        assert summary["Status"] == "impaired"
        (detail,) = summary["Details"]
        assert (detail["Name"], detail["Status"]) == ("reachability", "failed") and detail["ImpairedSince"]
    assert statuses[kept]["SystemStatus"]["Status"] in ("initializing", "ok")
    assert statuses[lost]["InstanceState"]["Name"] == "running"
    filters = [{"Name": "system-status.status", "Values": ["impaired"]}]
    found = ec2.describe_instance_status(Filters=filters)["InstanceStatuses"]
    assert [it["InstanceId"] for it in found] == [lost]
    eventually(lambda: ask(addresses[lost], timeout_s=0.5) == "timed out")
    eventually(lambda: health(cloud, service) == {A: "unhealthy", B: "healthy"}, lambda: str(health(cloud, service)))
    assert "timed out" not in ask(addresses[kept])
    known = {"ImageId": image(cloud), "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}
    assert refusal(ec2.run_instances, **known, SubnetId=subnet_of(cloud, A))[1] == "InsufficientInstanceCapacity"
    eventually(lambda: failed_checks(cloud, lost), "a datapoint of StatusCheckFailed_System")
    cloud.set("zone_outage=none")
    eventually(lambda: health(cloud, service) == {A: "healthy", B: "healthy"}, lambda: str(health(cloud, service)))
    eventually(lambda: "timed out" not in ask(addresses[lost]))


def public_address(cloud: Cloud, instance_id: str) -> str:
    found = cloud.client("ec2").describe_instances(InstanceIds=[instance_id])
    return str(found["Reservations"][0]["Instances"][0]["PublicIpAddress"])


def failed_checks(cloud: Cloud, instance_id: str) -> bool:
    """Whether CloudWatch has seen the instance fail its system status check."""
    state = cloud.state
    now = state["lab_epoch"] + (time.time() - state["wall_epoch"]) * state["rate"]
    points = cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {
            "Metric": {"Namespace": "AWS/EC2", "MetricName": "StatusCheckFailed_System",
                       "Dimensions": [{"Name": "InstanceId", "Value": instance_id}]},
            "Period": 60, "Stat": "Maximum"}}],
        StartTime=now - 3600, EndTime=now + 60,
    )  # fmt: skip
    return 1.0 in points["MetricDataResults"][0]["Values"]
