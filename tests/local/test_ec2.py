"""Instances, images and launch templates, through boto3, with a clock that the test turns."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from mglab.localcloud.addresses import HIGH_SSH_PORT
from mglab.localcloud.api.compute import LaunchRequest
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.seam import MachineReport, Observed
from tests.local.front import BASE_IMAGE, LAB_EPOCH, PROJECT2_IMAGE, Front, open_front

ANY = "0.0.0.0/0"
USER_DATA = "#!/bin/sh\necho hello\n"


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    with open_front(tmp_path) as opened:
        yield opened


@pytest.fixture
def ec2(front: Front) -> Any:
    return front.client("ec2")


@pytest.fixture
def lab(ec2: Any) -> SimpleNamespace:
    """The lab's network, as after step 24, and its key."""
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/23")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"192.168.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate("ab")
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, GatewayId=gateway)
    group = ec2.create_security_group(GroupName="MGSG", Description="ssh and service", VpcId=vpc)["GroupId"]
    for port in (22, 5000):
        ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp=ANY)
    ec2.create_key_pair(KeyName="myGuruKeys")
    return SimpleNamespace(vpc=vpc, subnets=subnets, gateway=gateway, table=table, group=group)


def template(ec2: Any, lab: SimpleNamespace, **more: Any) -> str:
    """Make the lab's launch template (steps 25-36)."""
    nic = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": [lab.group], "DeleteOnTermination": True}
    data = {
        "ImageId": PROJECT2_IMAGE,
        "InstanceType": "t2.micro",
        "KeyName": "myGuruKeys",
        "UserData": base64.b64encode(USER_DATA.encode()).decode(),
        "NetworkInterfaces": [nic],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "made-by", "Value": "template"}]}],
        **more,
    }
    made = ec2.create_launch_template(LaunchTemplateName="MGLT", LaunchTemplateData=data)
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def run(ec2: Any, lab: SimpleNamespace, **more: Any) -> str:
    """Launch one instance with a public address and give its id."""
    nic = {"DeviceIndex": 0, "SubnetId": lab.subnets[0], "AssociatePublicIpAddress": True, "Groups": [lab.group]}
    request = {"ImageId": PROJECT2_IMAGE, "InstanceType": "t2.micro", "NetworkInterfaces": [nic], **more}
    made = ec2.run_instances(MinCount=1, MaxCount=1, **request)
    return str(made["Instances"][0]["InstanceId"])


def look(ec2: Any, instance_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return found


def machine(front: Front, instance_id: str) -> Any:
    return next((m for m in front.ec2.machines() if m.instance_id == instance_id), None)


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Give code and message of a call that must be refused."""
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def soon(front: Front, waiter: Any, lab_seconds: float, **params: Any) -> None:
    """Check that a waiter sees a state that is not final first, and the final one when its time has come."""
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        waiter.wait(**params, WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    front.advance(lab_seconds)
    waiter.wait(**params, WaiterConfig={"Delay": 0, "MaxAttempts": 1})


@pytest.mark.fact("3.1/states", "3.1/status-checks", "3.1/status-time")
def test_an_instance_is_pending_running_up_and_checked(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab, UserData=USER_DATA, KeyName="myGuruKeys")
    fresh = look(ec2, instance_id)
    assert fresh["State"] == {"Code": 0, "Name": "pending"}
    assert "PublicIpAddress" not in fresh
    assert fresh["LaunchTime"].timestamp() == LAB_EPOCH
    assert machine(front, instance_id).user_data == USER_DATA.encode()
    soon(front, ec2.get_waiter("instance_running"), 20, InstanceIds=[instance_id])
    view = front.ec2.instance(instance_id)
    assert view is not None and view.state == "running" and not view.serving
    front.advance(40)
    assert machine(front, instance_id).power == "on"
    soon(front, ec2.get_waiter("instance_status_ok"), 150, InstanceIds=[instance_id])
    status = ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"][0]
    assert status["SystemStatus"] == {"Details": [{"Name": "reachability", "Status": "passed"}], "Status": "ok"}


def test_addresses_are_the_subnets_and_reachable_from_here(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(5)
    shown = look(ec2, instance_id)
    private = shown["PrivateIpAddress"]
    assert re.fullmatch(r"192\.168\.0\.\d+", private) and 4 <= int(private.rpartition(".")[2]) <= 254
    assert shown["PrivateDnsName"] == f"ip-{private.replace('.', '-')}.ec2.internal"
    assert shown["PublicIpAddress"].startswith("127.65.")
    assert shown["PublicDnsName"] == ""
    assert shown["NetworkInterfaces"][0]["Association"]["PublicIp"] == shown["PublicIpAddress"]
    assert machine(front, instance_id).host_name == f"ip-{private.replace('.', '-')}"
    free = ec2.describe_subnets(SubnetIds=[lab.subnets[0]])["Subnets"][0]["AvailableIpAddressCount"]
    assert free == 250
    ec2.modify_vpc_attribute(VpcId=lab.vpc, EnableDnsHostnames={"Value": True})
    name = look(ec2, instance_id)["PublicDnsName"]
    assert name == f"ec2-{shown['PublicIpAddress'].replace('.', '-')}.compute-1.amazonaws.com"
    assert front.ec2.names()[name] == (shown["PublicIpAddress"],)


def test_detailed_monitoring_is_turned_on_and_off(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    basic, detailed = run(ec2, lab), run(ec2, lab, Monitoring={"Enabled": True})

    def monitored() -> list[str]:
        states = [look(ec2, each)["Monitoring"]["State"] for each in (basic, detailed)]
        assert [front.ec2.instance(each).detailed_monitoring for each in (basic, detailed)] == [
            state == "enabled" for state in states
        ]
        return states

    assert monitored() == ["disabled", "enabled"]
    answer = ec2.monitor_instances(InstanceIds=[basic])["InstanceMonitorings"]
    assert answer == [{"InstanceId": basic, "Monitoring": {"State": "pending"}}]
    answer = ec2.unmonitor_instances(InstanceIds=[detailed])["InstanceMonitorings"]
    assert answer == [{"InstanceId": detailed, "Monitoring": {"State": "disabling"}}]
    assert monitored() == ["enabled", "disabled"]
    assert refusal(ec2.monitor_instances, InstanceIds=["i-0123456789abcdef0"])[0] == "InvalidInstanceID.NotFound"


def test_a_template_may_ask_for_detailed_monitoring(ec2: Any, lab: SimpleNamespace) -> None:
    made = ec2.run_instances(
        LaunchTemplate={"LaunchTemplateId": template(ec2, lab, Monitoring={"Enabled": True})}, MinCount=1, MaxCount=1,
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": lab.subnets[0]}],
    )["Instances"]  # fmt: skip
    assert made[0]["Monitoring"] == {"State": "enabled"}


@pytest.mark.fact("3.1/status-checks")
def test_an_instance_whose_processes_are_gone_is_impaired(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(300)

    def checks() -> tuple[str, str]:
        (found,) = ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
        return found["SystemStatus"]["Status"], found["InstanceStatus"]["Status"]

    def seen(power: Any) -> None:
        front.ec2.observe(Observed(machines=(MachineReport(instance_id, power, 1, 0, 0),)))

    seen("off")
    assert checks() == ("ok", "ok")
    front.advance(70)
    assert checks() == ("ok", "impaired")
    seen("on")
    assert checks() == ("ok", "ok")


@pytest.mark.fact("3.1/poweroff")
@pytest.mark.parametrize("behavior, state", [("stop", "stopping"), ("terminate", "shutting-down")])
def test_poweroff_said_inside_ends_an_instance_as_it_was_told_to(
    front: Front, ec2: Any, lab: SimpleNamespace, behavior: str, state: str
) -> None:
    instance_id = run(ec2, lab, InstanceInitiatedShutdownBehavior=behavior, DisableApiTermination=True)
    front.advance(60)
    front.ec2.observe(Observed(machines=(MachineReport(instance_id, "off", 1, 0, 0, powered_off=True),)))
    shown = look(ec2, instance_id)
    assert shown["State"]["Name"] == state
    assert shown["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert shown["StateTransitionReason"] == "User initiated"


def test_stop_and_start_change_the_public_address_only(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(60)
    before = look(ec2, instance_id)
    change = ec2.stop_instances(InstanceIds=[instance_id])["StoppingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    soon(front, ec2.get_waiter("instance_stopped"), 40, InstanceIds=[instance_id])
    stopped = look(ec2, instance_id)
    assert "PublicIpAddress" not in stopped
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert machine(front, instance_id).power == "off"
    ec2.start_instances(InstanceIds=[instance_id])
    front.advance(60)
    after = look(ec2, instance_id)
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"]
    assert after["PublicIpAddress"] != before["PublicIpAddress"]
    assert (machine(front, instance_id).power, machine(front, instance_id).boots) == ("on", 2)


def test_a_reboot_keeps_addresses_and_boots_once_more(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(60)
    before = look(ec2, instance_id)
    ec2.reboot_instances(InstanceIds=[instance_id])
    assert look(ec2, instance_id)["State"]["Name"] == "running"
    assert (machine(front, instance_id).power, machine(front, instance_id).boots) == ("on", 2)
    view = front.ec2.instance(instance_id)
    assert view is not None and not view.serving
    front.advance(40)
    view = front.ec2.instance(instance_id)
    assert view is not None and view.serving
    assert look(ec2, instance_id)["PublicIpAddress"] == before["PublicIpAddress"]


@pytest.mark.fact("3.1/listed-after-the-end")
def test_a_terminated_instance_is_listed_for_an_hour(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(60)
    change = ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"][0]
    assert change["CurrentState"] == {"Code": 32, "Name": "shutting-down"}
    assert machine(front, instance_id).power == "off"
    soon(front, ec2.get_waiter("instance_terminated"), 40, InstanceIds=[instance_id])
    gone = look(ec2, instance_id)
    assert not {"PrivateIpAddress", "PublicIpAddress", "SubnetId", "VpcId"} & set(gone)
    assert machine(front, instance_id) is None
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    front.advance(3600, step=600)
    code, message = refusal(ec2.describe_instances, InstanceIds=[instance_id])
    assert (code, message) == ("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")


@pytest.mark.fact("3.1/states", "3.7/28")
def test_protection_and_wrong_states(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab, DisableApiTermination=True)
    code, message = refusal(ec2.terminate_instances, InstanceIds=[instance_id])
    assert code == "OperationNotPermitted"
    assert message.startswith(f"The instance '{instance_id}' may not be terminated. Modify its 'disableApiTermination'")
    never_ran = f"Instance '{instance_id}' cannot be stopped as it has never reached the 'running' state."
    assert refusal(ec2.stop_instances, InstanceIds=[instance_id]) == ("IncorrectInstanceState", never_ran)
    ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[instance_id])
    assert refusal(ec2.start_instances, InstanceIds=[instance_id])[0] == "IncorrectInstanceState"


def test_what_cannot_be_launched_is_refused(ec2: Any, lab: SimpleNamespace) -> None:
    def launch(**params: Any) -> tuple[str, str]:
        whole = {"ImageId": PROJECT2_IMAGE, "InstanceType": "t2.micro", "SubnetId": lab.subnets[0], **params}
        return refusal(ec2.run_instances, MinCount=1, MaxCount=1, **whole)

    unknown = "ami-0123456789abcdef0"
    assert launch(ImageId=unknown) == ("InvalidAMIID.NotFound", f"The image id '[{unknown}]' does not exist")
    assert launch(ImageId="mine") == ("InvalidAMIID.Malformed", 'Invalid id: "mine" (expecting "ami-...")')
    assert launch(InstanceType="t2.giant")[0] == "InvalidParameterValue"
    assert launch(KeyName="lost") == ("InvalidKeyPair.NotFound", "The key pair 'lost' does not exist")
    assert launch(SecurityGroupIds=["sg-0123"]) == (
        "InvalidGroup.NotFound",
        "The security group 'sg-0123' does not exist",
    )
    assert launch(SubnetId="subnet-1") == ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-1' does not exist")
    assert launch(UserData="x" * 16385) == ("InvalidParameterValue", "User data is limited to 16384 bytes")
    assert launch(DryRun=True)[0] == "DryRunOperation"
    code, message = launch(NetworkInterfaces=[{"DeviceIndex": 0}])
    assert code == "InvalidParameterCombination"
    assert message == "Network interfaces and an instance-level subnet ID may not be specified on the same request"
    default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    other = ec2.create_security_group(GroupName="other", Description="-", VpcId=default)["GroupId"]
    code, message = launch(SecurityGroupIds=[other])
    expected = f"Security group {other} and subnet {lab.subnets[0]} belong to different networks."
    assert (code, message) == ("InvalidParameter", expected)
    east = ec2.create_subnet(VpcId=default, CidrBlock="172.31.128.0/20", AvailabilityZone="us-east-1e")["Subnet"][
        "SubnetId"
    ]
    code, message = launch(SubnetId=east)
    assert code == "Unsupported" and "(us-east-1e)" in message and "us-east-1f" in message


def test_a_launch_asked_for_twice_with_one_token_happens_once(ec2: Any, lab: SimpleNamespace) -> None:
    assert run(ec2, lab, ClientToken="once") == run(ec2, lab, ClientToken="once")


@pytest.mark.fact("3.4/public-name")
def test_without_a_subnet_it_goes_to_the_default_vpc_with_a_public_address(front: Front, ec2: Any) -> None:
    made = ec2.run_instances(ImageId=BASE_IMAGE, InstanceType="t2.micro", MinCount=1, MaxCount=1)["Instances"][0]
    front.advance(5)
    shown = look(ec2, made["InstanceId"])
    assert shown["PrivateIpAddress"].startswith("172.31.")
    assert shown["PublicDnsName"].startswith("ec2-127-65-")


def test_a_template_launches_into_each_subnet(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    template_id = template(ec2, lab)
    for n, subnet in enumerate(lab.subnets):
        made = ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template_id},
            NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet}],
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": f"test-{n}"}]}],
            MinCount=1,
            MaxCount=1,
        )["Instances"][0]
        assert made["SubnetId"] == subnet
        assert made["SecurityGroups"] == [{"GroupId": lab.group, "GroupName": "MGSG"}]
        assert made["KeyName"] == "myGuruKeys"
        tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
        assert tags == {
            "Name": f"test-{n}",
            "made-by": "template",
            "aws:ec2launchtemplate:id": template_id,
            "aws:ec2launchtemplate:version": "1",
        }
        front.advance(5)
        assert "PublicIpAddress" in look(ec2, made["InstanceId"])
    named = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["test-*"]}])["Reservations"]
    assert len(named) == 2


def test_templates_have_versions_and_a_default(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    template_id = template(ec2, lab)
    ec2.create_launch_template_version(
        LaunchTemplateId=template_id, SourceVersion="1", LaunchTemplateData={"InstanceType": "t2.small"}
    )
    shown = ec2.describe_launch_templates(LaunchTemplateNames=["MGLT"])["LaunchTemplates"][0]
    assert (shown["DefaultVersionNumber"], shown["LatestVersionNumber"]) == (1, 2)
    assert front.ec2.template_version(template_id, "$Latest") == (2, PROJECT2_IMAGE, "t2.small")
    assert front.ec2.template_version(template_id, "$Default") == (1, PROJECT2_IMAGE, "t2.micro")
    ec2.modify_launch_template(LaunchTemplateId=template_id, DefaultVersion="2")
    assert front.ec2.template_version(template_id, "$Default")[0] == 2
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=template_id)["LaunchTemplateVersions"]
    assert [version["VersionNumber"] for version in versions] == [2, 1]
    assert versions[1]["LaunchTemplateData"]["NetworkInterfaces"][0]["Groups"] == [lab.group]
    again = refusal(ec2.create_launch_template, LaunchTemplateName="MGLT", LaunchTemplateData={"ImageId": BASE_IMAGE})
    assert again == ("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
    code, message = refusal(ec2.describe_launch_template_versions, LaunchTemplateId=template_id, Versions=["3"])
    assert code == "InvalidLaunchTemplateId.VersionNotFound"
    assert message == f"Could not find the specified version 3 for the launch template with ID {template_id}."
    ec2.delete_launch_template(LaunchTemplateId=template_id)
    code, message = refusal(ec2.describe_launch_templates, LaunchTemplateIds=[template_id])
    assert code == "InvalidLaunchTemplateId.NotFound"
    assert (
        refusal(ec2.delete_launch_template, LaunchTemplateName="lost")[0]
        == "InvalidLaunchTemplateName.NotFoundException"
    )


@pytest.mark.fact("3.3/interfaces", "3.7/22")
def test_a_group_launches_by_the_same_rules(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    template_id = template(ec2, lab)
    assert front.ec2.check_template(None, "MGLT", "$Default") == (template_id, "MGLT")
    request = LaunchRequest(template_id, "$Latest", lab.subnets[1], {"Name": "member"})
    instance_id = front.ec2.launch(request, front.time())
    view = front.ec2.instance(instance_id)
    assert view is not None
    assert (view.state, view.zone, view.subnet_id) == ("pending", "us-east-1b", lab.subnets[1])
    assert view.security_group_ids == (lab.group,)
    assert view.tags["Name"] == "member"
    front.ec2.terminate(instance_id, front.time())
    front.ec2.terminate("i-0123456789abcdef0", front.time())
    ec2.delete_key_pair(KeyName="myGuruKeys")
    with pytest.raises(ApiError, match=r"InvalidKeyPair.NotFound: The key pair 'myGuruKeys' does not exist"):
        front.ec2.check_template(template_id, None, "$Default")


@pytest.mark.fact("3.2/reboots", "3.2/launch-pending")
def test_create_image_reboots_and_takes_minutes(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(60)
    front.copies = False
    image_id = ec2.create_image(InstanceId=instance_id, Name="MusicGuru with health check")["ImageId"]
    assert look(ec2, instance_id)["State"]["Name"] == "running"
    assert machine(front, instance_id).power == "off"
    front.advance(300)
    assert machine(front, instance_id).power == "off", "the tree has not been copied yet"
    assert ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"] == "pending"
    assert refusal(run, ec2=ec2, lab=lab, ImageId=image_id)[1] == f"AMI {image_id} is pending, and cannot be run"
    front.copies = True
    front.advance(40)
    assert (machine(front, instance_id).power, machine(front, instance_id).boots) == ("on", 2)
    image = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["*health*"]}])["Images"][0]
    assert (image["ImageId"], image["State"], image["SourceInstanceId"]) == (image_id, "available", instance_id)
    assert run(ec2, lab, ImageId=image_id)


@pytest.mark.fact("3.2/states", "3.2/waiter")
def test_the_image_waiter_sees_pending_first(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(60)
    image_id = ec2.create_image(InstanceId=instance_id, Name="quick", NoReboot=True)["ImageId"]
    assert machine(front, instance_id).power == "on"
    snapshot = ec2.describe_images(ImageIds=[image_id])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "pending"
    soon(front, ec2.get_waiter("image_available"), 220, ImageIds=[image_id])
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    assert machine(front, instance_id).boots == 1


def test_image_names_and_the_end_of_an_image(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(60)
    image_id = ec2.create_image(InstanceId=instance_id, Name="mine")["ImageId"]
    code, message = refusal(ec2.create_image, InstanceId=instance_id, Name="mine")
    assert (code, message) == ("InvalidAMIName.Duplicate", f"AMI name mine is already in use by AMI {image_id}")
    assert refusal(ec2.create_image, InstanceId=instance_id, Name="no!")[0] == "InvalidAMIName.Malformed"
    front.advance(250)
    snapshot = ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "description", "Values": [f"*{image_id}*"]}])
    snapshot_id = snapshot["Snapshots"][0]["SnapshotId"]
    assert refusal(ec2.delete_snapshot, SnapshotId=snapshot_id)[0] == "InvalidSnapshot.InUse"
    ec2.deregister_image(ImageId=image_id)
    assert refusal(ec2.describe_images, ImageIds=[image_id])[0] == "InvalidAMIID.NotFound"
    assert image_id in {image.image_id for image in front.ec2.images()}, "the snapshot still holds the tree"
    ec2.delete_snapshot(SnapshotId=snapshot_id)
    assert image_id not in {image.image_id for image in front.ec2.images()}
    assert refusal(ec2.describe_snapshots, SnapshotIds=[snapshot_id])[0] == "InvalidSnapshot.NotFound"
    assert refusal(ec2.deregister_image, ImageId=BASE_IMAGE)[0] == "AuthFailure"


@pytest.mark.fact("3.2/states")
def test_an_image_of_an_instance_that_is_gone_fails(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(60)
    front.copies = False
    image_id = ec2.create_image(InstanceId=instance_id, Name="too late")["ImageId"]
    ec2.terminate_instances(InstanceIds=[instance_id])
    front.advance(60)
    assert ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"] == "failed"


def test_the_catalogue_is_seeded(ec2: Any) -> None:
    mine = ec2.describe_images(Owners=["self"])["Images"]
    assert [image["Name"] for image in mine] == ["MusicGuru Project 2"]
    pattern = [{"Name": "name", "Values": ["al2023-ami-2023.*-kernel-6.1-x86_64"]}]
    assert ec2.describe_images(Owners=["amazon"], Filters=pattern)["Images"][0]["ImageId"] == BASE_IMAGE


def test_the_console_is_the_instances_own(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    assert ec2.get_console_output(InstanceId=instance_id)["Output"] == ""
    log = front.directory / "instances" / instance_id / "var" / "log"
    log.mkdir(parents=True)
    (log / "console.log").write_text("cloud-init: hello\n")
    assert ec2.get_console_output(InstanceId=instance_id, Latest=True)["Output"] == "cloud-init: hello\n"


def test_filters_pages_and_unknown_filters(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    first, *others = (run(ec2, lab) for _ in range(6))
    front.advance(60)
    ec2.terminate_instances(InstanceIds=others)
    up = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}])
    assert [i["InstanceId"] for r in up["Reservations"] for i in r["Instances"]] == [first]
    pages = ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    assert [len(page["Reservations"]) for page in pages] == [5, 1]
    unknown = refusal(ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}])
    assert unknown == ("InvalidParameterValue", "The filter 'colour' is invalid")
    unknown = refusal(ec2.describe_vpcs, Filters=[{"Name": "colour", "Values": ["red"]}])
    assert unknown == ("InvalidParameterValue", "The filter 'colour' is invalid")


def test_tags_can_be_put_on_everything(ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    interface = look(ec2, instance_id)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    everything = [instance_id, interface, PROJECT2_IMAGE, lab.vpc, template(ec2, lab)]
    ec2.create_tags(Resources=everything, Tags=[{"Key": "mglab:run", "Value": "t"}])
    found = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["mglab:run"]}])["Tags"]
    assert {tag["ResourceId"] for tag in found} == set(everything)
    assert {tag["ResourceType"] for tag in found} >= {
        "instance",
        "network-interface",
        "image",
        "vpc",
        "launch-template",
    }
    ec2.delete_tags(Resources=[instance_id], Tags=[{"Key": "mglab:run"}])
    assert "Tags" not in look(ec2, instance_id)
    reserved = refusal(ec2.create_tags, Resources=[lab.vpc], Tags=[{"Key": "aws:x", "Value": "y"}])
    assert reserved[0] == "InvalidParameterValue"


def test_attributes_can_be_read_and_changed(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab, UserData=USER_DATA)
    data = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(data).decode() == USER_DATA
    other = ec2.create_security_group(GroupName="closed", Description="-", VpcId=lab.vpc)["GroupId"]
    ec2.modify_instance_attribute(InstanceId=instance_id, Groups=[other])
    assert look(ec2, instance_id)["SecurityGroups"] == [{"GroupId": other, "GroupName": "closed"}]
    change = {"InstanceId": instance_id, "InstanceType": {"Value": "t2.small"}}
    assert refusal(ec2.modify_instance_attribute, **change)[0] == "IncorrectInstanceState"
    front.advance(60)
    ec2.stop_instances(InstanceIds=[instance_id])
    front.advance(60)
    ec2.modify_instance_attribute(**change)
    assert look(ec2, instance_id)["InstanceType"] == "t2.small"


def test_fronts_follow_the_rules_and_the_processes(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(20)

    def verdicts() -> dict[int, str]:
        fronts = [f for f in front.ec2.fronts((8080,)) if f.instance_id == instance_id]
        assert {f.target_address for f in fronts} == {machine(front, instance_id).loopback_address}
        return {f.port: f.verdict for f in fronts}

    assert verdicts() == {22: "dropped", 5000: "dropped", 8080: "dropped"}, "it is still booting"
    front.advance(40)
    assert verdicts() == {22: "open", 5000: "open", 8080: "dropped"}
    ec2.revoke_security_group_ingress(GroupId=lab.group, IpProtocol="tcp", FromPort=5000, ToPort=5000, CidrIp=ANY)
    assert verdicts() == {22: "open", 8080: "dropped"}
    ec2.authorize_security_group_ingress(
        GroupId=lab.group, IpProtocol="tcp", FromPort=5000, ToPort=5000, CidrIp="203.0.113.5/32"
    )
    assert verdicts()[5000] == "dropped"
    ec2.delete_route(RouteTableId=lab.table, DestinationCidrBlock=ANY)
    assert verdicts()[22] == "dropped"


def test_the_rule_for_22_speaks_for_the_port_that_stands_for_it(
    front: Front, ec2: Any, lab: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ordinary user may not have port 22; a rule for the number that stands for it opens nothing."""
    monkeypatch.setattr(front.ec2, "_ssh_port", HIGH_SSH_PORT)
    instance_id = run(ec2, lab, KeyName="myGuruKeys")
    front.advance(60)

    def verdicts() -> list[tuple[int, str]]:
        found = [f for f in front.ec2.fronts(()) if f.instance_id == instance_id]
        return [(f.port, f.verdict) for f in found if f.port in (22, HIGH_SSH_PORT)]

    assert verdicts() == [(HIGH_SSH_PORT, "open")]
    assert machine(front, instance_id).ssh_port == HIGH_SSH_PORT
    assert machine(front, instance_id).public_key.startswith("ssh-rsa ")
    rule = {"GroupId": lab.group, "IpProtocol": "tcp", "CidrIp": ANY}
    ec2.revoke_security_group_ingress(**rule, FromPort=22, ToPort=22)
    ec2.authorize_security_group_ingress(**rule, FromPort=HIGH_SSH_PORT, ToPort=HIGH_SSH_PORT)
    assert verdicts() == [(HIGH_SSH_PORT, "dropped")]
