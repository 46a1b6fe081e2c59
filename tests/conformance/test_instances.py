"""Instances, their volumes and key pairs, as a client reads them (aws-facts 3.1, 3.4, 3.7)."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.compute_lab import UNKNOWN, Ground, dry_run, ground_on, having, refused
from tests.local.cloud_under_test import Cloud, eventually

BY_USER = {
    "Code": "Client.UserInitiatedShutdown",
    "Message": "Client.UserInitiatedShutdown: User initiated shutdown",
}
MOMENT = r"User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)"
SAYS = "#!/bin/sh\necho what the first boot says\n"


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return ground_on(cloud)


@pytest.fixture(scope="module")
def server(ground: Ground) -> Iterator[dict[str, Any]]:
    """A running instance that no test changes for good."""
    named = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "server"}]}]
    found = ground.running(KeyName=ground.key_name, UserData=SAYS, TagSpecifications=named, ClientToken="the-server")
    yield found
    ground.end(found["InstanceId"])


def changed(answer: dict[str, Any], member: str) -> tuple[dict[str, Any], dict[str, Any]]:
    (change,) = answer[member]
    return change["PreviousState"], change["CurrentState"]


# -- the states of a life -------------------------------------------------------------------------------------------


@pytest.mark.fact("3.1/states", "3.1/public-address", "3.1/private-address", "3.1/reasons", "3.1/listed-after-the-end")
def test_every_state_has_its_code_and_an_address_its_time(ground: Ground) -> None:
    ec2, fresh = ground.ec2, ground.run()
    instance_id = fresh["InstanceId"]
    assert fresh["State"] == {"Code": 0, "Name": "pending"}
    assert (fresh["StateReason"], fresh["StateTransitionReason"]) == ({"Code": "pending", "Message": "pending"}, "")
    assert "PublicIpAddress" not in fresh
    first = ground.in_state(instance_id, "running")
    assert first["State"] == {"Code": 16, "Name": "running"}
    assert "StateReason" not in first and first["StateTransitionReason"] == ""
    first = eventually(lambda: ground.addressed(instance_id))

    ec2.reboot_instances(InstanceIds=[instance_id])
    rebooted = ground.look(instance_id)
    assert rebooted["State"] == {"Code": 16, "Name": "running"}
    assert rebooted["PublicIpAddress"] == first["PublicIpAddress"]
    assert rebooted["LaunchTime"] == first["LaunchTime"]

    was, is_ = changed(ec2.stop_instances(InstanceIds=[instance_id]), "StoppingInstances")
    assert (was, is_) == ({"Code": 16, "Name": "running"}, {"Code": 64, "Name": "stopping"})
    stopped = ground.in_state(instance_id, "stopped")
    assert stopped["State"] == {"Code": 80, "Name": "stopped"}
    assert stopped["StateReason"] == BY_USER
    assert re.fullmatch(MOMENT, stopped["StateTransitionReason"])
    assert "PublicIpAddress" not in stopped and stopped["PublicDnsName"] == ""
    was, is_ = changed(ec2.stop_instances(InstanceIds=[instance_id]), "StoppingInstances")
    assert was == is_ == {"Code": 80, "Name": "stopped"}

    was, is_ = changed(ec2.start_instances(InstanceIds=[instance_id]), "StartingInstances")
    assert (was, is_) == ({"Code": 80, "Name": "stopped"}, {"Code": 0, "Name": "pending"})
    again = ground.in_state(instance_id, "running")
    again = eventually(lambda: ground.addressed(instance_id))
    assert again["PrivateIpAddress"] == first["PrivateIpAddress"] == stopped["PrivateIpAddress"]
    assert again["PublicIpAddress"] != first["PublicIpAddress"]
    assert again["LaunchTime"] > first["LaunchTime"]
    assert again["UsageOperationUpdateTime"] == first["UsageOperationUpdateTime"]
    assert "StateReason" not in again and again["StateTransitionReason"] == ""
    was, is_ = changed(ec2.start_instances(InstanceIds=[instance_id]), "StartingInstances")
    assert was == is_ == {"Code": 16, "Name": "running"}

    was, is_ = changed(ec2.terminate_instances(InstanceIds=[instance_id]), "TerminatingInstances")
    assert (was, is_) == ({"Code": 16, "Name": "running"}, {"Code": 32, "Name": "shutting-down"})
    gone = ground.in_state(instance_id, "terminated")
    assert gone["State"] == {"Code": 48, "Name": "terminated"}
    assert gone["StateReason"] == BY_USER
    assert re.fullmatch(MOMENT, gone["StateTransitionReason"])
    assert (gone["PrivateDnsName"], gone["PublicDnsName"]) == ("", "")
    assert (gone["BlockDeviceMappings"], gone["NetworkInterfaces"], gone["SecurityGroups"]) == ([], [], [])
    assert not {"PrivateIpAddress", "PublicIpAddress", "SubnetId", "VpcId", "SourceDestCheck"} & set(gone)
    was, is_ = changed(ec2.terminate_instances(InstanceIds=[instance_id]), "TerminatingInstances")
    assert was == is_ == {"Code": 48, "Name": "terminated"}


@pytest.mark.fact("3.1/states")
def test_what_a_state_does_not_allow_is_refused(ground: Ground) -> None:
    ec2, instance_id = ground.ec2, ground.run()["InstanceId"]
    ground.end(instance_id)
    code, message = refused(ec2.start_instances, InstanceIds=[instance_id])
    assert code == "IncorrectInstanceState"
    assert message == f"The instance '{instance_id}' is not in a state from which it can be started."
    code, message = refused(ec2.stop_instances, InstanceIds=[instance_id])
    assert code == "IncorrectInstanceState"
    assert message == f"This instance '{instance_id}' is not in a state from which it can be stopped."


@pytest.mark.fact("3.1/status-checks", "3.1/status-time")
def test_status_checks_end_with_two_that_passed(ground: Ground) -> None:
    ec2, instance_id = ground.ec2, ground.run()["InstanceId"]
    (first,) = ec2.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)["InstanceStatuses"]
    assert first["InstanceId"] == instance_id and first["AvailabilityZone"] == "us-east-1a"
    seen: list[str] = []

    def passed() -> bool:
        shown = ec2.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)
        (found,) = shown["InstanceStatuses"]
        assert found["InstanceStatus"] == found["SystemStatus"]
        word = found["InstanceStatus"]["Status"]
        seen.extend([word] if word not in seen else [])
        return word == "ok"

    eventually(passed, "passed status checks")
    order = ["not-applicable", "initializing", "ok"]
    assert seen == [word for word in order if word in seen]
    (found,) = ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
    assert found["InstanceState"] == {"Code": 16, "Name": "running"}
    assert found["InstanceStatus"] == {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]}
    filters = having("instance-status.reachability", "passed")
    assert instance_id in [it["InstanceId"] for it in ec2.describe_instance_status(Filters=filters)["InstanceStatuses"]]

    ec2.stop_instances(InstanceIds=[instance_id])
    ground.in_state(instance_id, "stopped")
    assert ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"] == []
    whole = ec2.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)["InstanceStatuses"]
    assert [it["InstanceStatus"] for it in whole] == [{"Status": "not-applicable"}]
    ground.end(instance_id)


@pytest.mark.fact("3.1/console")
def test_the_console_is_what_the_boot_printed(ground: Ground, server: dict[str, Any], aws: Aws) -> None:
    instance_id = server["InstanceId"]
    line = "what the first boot says"
    eventually(lambda: line in ground.ec2.get_console_output(InstanceId=instance_id).get("Output", ""), "a boot")
    said = aws("ec2", "get-console-output", "--instance-id", instance_id, "--latest")
    assert said["InstanceId"] == instance_id and line in said["Output"]


@pytest.mark.fact("3.1/poweroff")
def test_an_instance_that_powers_itself_off_is_stopped(ground: Ground) -> None:
    instance_id = ground.run(UserData="#!/bin/sh\npoweroff\n")["InstanceId"]
    found = ground.in_state(instance_id, "stopped")
    assert found["StateReason"] == {
        "Code": "Client.InstanceInitiatedShutdown",
        "Message": "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
    }
    ground.ec2.start_instances(InstanceIds=[instance_id])  # user data runs at the first boot alone
    ground.in_state(instance_id, "running")
    ground.end(instance_id)


# -- reading back ---------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.1/defaults")
def test_every_member_of_an_instance_is_there_with_its_default(ground: Ground, server: dict[str, Any]) -> None:
    found = ground.look(server["InstanceId"])
    assert found["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 1}
    assert found["Placement"] == {
        "AvailabilityZone": "us-east-1a",
        "AvailabilityZoneId": "use1-az2",
        "GroupName": "",
        "Tenancy": "default",
    }
    assert found["MetadataOptions"] == {
        "State": "applied",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 2,
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": "disabled",
    }
    assert found["PrivateDnsNameOptions"] == {
        "HostnameType": "ip-name",
        "EnableResourceNameDnsARecord": False,
        "EnableResourceNameDnsAAAARecord": False,
    }
    assert found["CapacityReservationSpecification"] == {"CapacityReservationPreference": "open"}
    assert found["EnclaveOptions"] == {"Enabled": False}
    assert found["HibernationOptions"] == {"Configured": False}
    assert found["MaintenanceOptions"]["AutoRecovery"] == "default"
    assert found["Monitoring"] == {"State": "disabled"}
    assert found["LaunchTime"].microsecond == 0
    assert found["SecurityGroups"] == [{"GroupId": ground.group_id, "GroupName": "compute"}]
    plain = {
        "AmiLaunchIndex": 0,
        "Architecture": "x86_64",
        "BootMode": "uefi-preferred",
        "ClientToken": "the-server",
        "CurrentInstanceBootMode": "legacy-bios",
        "EbsOptimized": False,
        "EnaSupport": True,
        "Hypervisor": "xen",
        "ImageId": ground.image_id,
        "InstanceType": "t2.micro",
        "KeyName": "ground",
        "PlatformDetails": "Linux/UNIX",
        "ProductCodes": [],
        "PublicDnsName": "",
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "SourceDestCheck": True,
        "SubnetId": ground.subnet_ids[0],
        "Tags": [{"Key": "Name", "Value": "server"}],
        "UsageOperation": "RunInstances",
        "VirtualizationType": "hvm",
        "VpcId": ground.vpc_id,
    }
    assert {name: found.get(name) for name in plain} == plain


@pytest.mark.fact("3.1/defaults")
def test_a_fresh_instance_is_answered_before_its_devices_are_there(ground: Ground) -> None:
    fresh = ground.run()
    assert fresh["BlockDeviceMappings"] == []
    assert fresh["NetworkInterfaces"][0]["Attachment"]["Status"] == "attaching"
    assert fresh["MetadataOptions"]["State"] == "pending"
    ground.in_state(fresh["InstanceId"], "running")
    ground.end(fresh["InstanceId"])


@pytest.mark.fact("3.1/interface", "3.4/ids", "3.4/private-name", "3.4/public-name")
def test_an_instance_has_one_interface_with_its_addresses(ground: Ground, server: dict[str, Any]) -> None:
    (nic,) = server["NetworkInterfaces"]
    private = server["PrivateIpAddress"]
    assert nic["PrivateIpAddress"] == private and private.startswith("192.168.0.")
    assert server["PrivateDnsName"] == f"ip-{private.replace('.', '-')}.ec2.internal"
    assert nic["Association"]["PublicIp"] == server["PublicIpAddress"]
    assert nic["Association"]["IpOwnerId"] == "amazon"
    assert (nic["Status"], nic["InterfaceType"], nic["SourceDestCheck"]) == ("in-use", "interface", True)
    attachment = {k: v for k, v in nic["Attachment"].items() if k not in ("AttachTime", "AttachmentId")}
    assert attachment == {"DeleteOnTermination": True, "DeviceIndex": 0, "NetworkCardIndex": 0, "Status": "attached"}
    volume_id = server["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    ids = {"i-": server["InstanceId"], "eni-": nic["NetworkInterfaceId"], "vol-": volume_id, "ami-": server["ImageId"]}
    assert [k for k, it in ids.items() if not re.fullmatch(rf"{k}[0-9a-f]{{17}}", it)] == []
    assert server["PublicDnsName"] == "", "the VPC has DNS host names off"

    def dns(attribute: str, vpc_id: str) -> Any:
        answer = ground.ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
        return answer[attribute[0].upper() + attribute[1:]]["Value"]

    (default,) = ground.ec2.describe_vpcs(Filters=having("is-default", "true"))["Vpcs"]
    for attribute, of_default, of_own in (("enableDnsHostnames", True, False), ("enableDnsSupport", True, True)):
        assert (dns(attribute, default["VpcId"]), dns(attribute, ground.vpc_id)) == (of_default, of_own)
    ground.ec2.modify_vpc_attribute(VpcId=ground.vpc_id, EnableDnsHostnames={"Value": True})
    named = ground.look(server["InstanceId"])["PublicDnsName"]
    ground.ec2.modify_vpc_attribute(VpcId=ground.vpc_id, EnableDnsHostnames={"Value": False})
    assert named == f"ec2-{server['PublicIpAddress'].replace('.', '-')}.compute-1.amazonaws.com"


@pytest.mark.fact("3.1/attributes")
def test_an_attribute_is_read_changed_and_read_again(ground: Ground, server: dict[str, Any]) -> None:
    ec2, instance_id = ground.ec2, server["InstanceId"]

    def value(attribute: str) -> Any:
        answer = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute=attribute)
        (member,) = set(answer) - {"InstanceId", "ResponseMetadata"}
        return answer[member].get("Value") if isinstance(answer[member], dict) else answer[member]

    defaults = {
        "instanceType": "t2.micro",
        "kernel": None,
        "ramdisk": None,
        "userData": base64.b64encode(SAYS.encode()).decode(),
        "disableApiTermination": False,
        "disableApiStop": False,
        "instanceInitiatedShutdownBehavior": "stop",
        "rootDeviceName": "/dev/xvda",
        "productCodes": [],
        "sourceDestCheck": True,
        "groupSet": [{"GroupId": ground.group_id}],
        "ebsOptimized": False,
        "enaSupport": True,
    }
    assert {name: value(name) for name in defaults} == defaults
    ec2.modify_instance_attribute(InstanceId=instance_id, SourceDestCheck={"Value": False})
    assert value("sourceDestCheck") is False and ground.look(instance_id)["SourceDestCheck"] is False
    ec2.modify_instance_attribute(InstanceId=instance_id, Attribute="sourceDestCheck", Value="true")
    assert value("sourceDestCheck") is True
    change: dict[str, Any] = {"InstanceId": instance_id, "InstanceType": {"Value": "t2.small"}}
    code, message = refused(ec2.modify_instance_attribute, **change)
    assert (code, message) == ("IncorrectInstanceState", f"The instance '{instance_id}' is not in the 'stopped' state.")
    assert refused(ec2.modify_instance_attribute, InstanceId=instance_id)[0] == "InvalidParameterCombination"
    assert dry_run(ec2.modify_instance_attribute, **change) == ("DryRunOperation", 412)


@pytest.mark.fact("3.1/options")
def test_metadata_options_and_cpu_credits_are_read_and_changed(ground: Ground, server: dict[str, Any]) -> None:
    ec2, instance_id = ground.ec2, server["InstanceId"]

    def credits(one: str) -> str:
        (found,) = ec2.describe_instance_credit_specifications(InstanceIds=[one])["InstanceCreditSpecifications"]
        return str(found["CpuCredits"])

    assert credits(instance_id) == "standard"
    wanted = [{"InstanceId": instance_id, "CpuCredits": "unlimited"}]
    answer = ec2.modify_instance_credit_specification(InstanceCreditSpecifications=wanted)
    assert answer["SuccessfulInstanceCreditSpecifications"] == [{"InstanceId": instance_id}]
    assert credits(instance_id) == "unlimited"
    ec2.modify_instance_credit_specification(
        InstanceCreditSpecifications=[{"InstanceId": instance_id, "CpuCredits": "standard"}]
    )
    other = ground.run(InstanceType="t3.micro", MetadataOptions={"HttpTokens": "optional", "HttpEndpoint": "enabled"})
    assert credits(other["InstanceId"]) == "unlimited"
    assert other["MetadataOptions"]["HttpTokens"] == "optional"
    assert other["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 2}
    assert other["CurrentInstanceBootMode"] == "uefi"
    changed_ = ec2.modify_instance_metadata_options(InstanceId=other["InstanceId"], HttpTokens="required")
    assert changed_["InstanceMetadataOptions"]["State"] == "pending"
    shown = ground.look(other["InstanceId"])["MetadataOptions"]
    assert (shown["HttpTokens"], shown["State"]) == ("required", "applied")
    ground.end(other["InstanceId"])


@pytest.mark.fact("3.1/monitoring")
def test_detailed_monitoring_is_turned_on_and_off(ground: Ground, server: dict[str, Any], aws: Aws) -> None:
    instance_id = server["InstanceId"]
    answer = aws("ec2", "monitor-instances", "--instance-ids", instance_id)
    assert answer["InstanceMonitorings"] == [{"InstanceId": instance_id, "Monitoring": {"State": "pending"}}]
    assert ground.look(instance_id)["Monitoring"] == {"State": "enabled"}
    answer = ground.ec2.unmonitor_instances(InstanceIds=[instance_id])
    assert answer["InstanceMonitorings"] == [{"InstanceId": instance_id, "Monitoring": {"State": "disabling"}}]
    assert ground.look(instance_id)["Monitoring"] == {"State": "disabled"}


# -- volumes --------------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.1/volume")
def test_a_root_volume_goes_with_its_instance_unless_it_is_to_stay(ground: Ground) -> None:
    ec2 = ground.ec2
    asked = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9, "VolumeType": "gp2", "DeleteOnTermination": False}}]
    tagged = [{"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "the test"}]}]
    stays, goes = ground.running(BlockDeviceMappings=asked, TagSpecifications=tagged), ground.running()
    (device,) = stays["BlockDeviceMappings"]
    assert (device["DeviceName"], device["Ebs"]["Status"]) == ("/dev/xvda", "attached")
    assert device["Ebs"]["DeleteOnTermination"] is False
    kept, lost = device["Ebs"]["VolumeId"], goes["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    (image,) = ec2.describe_images(ImageIds=[ground.image_id])["Images"]
    usual, bigger = (ec2.describe_volumes(VolumeIds=[each])["Volumes"][0] for each in (lost, kept))
    assert {name: usual[name] for name in ("Size", "VolumeType", "Iops", "Throughput", "Encrypted", "State")} == {
        "Size": 8,
        "VolumeType": "gp3",
        "Iops": 3000,
        "Throughput": 125,
        "Encrypted": False,
        "State": "in-use",
    }
    assert usual["SnapshotId"] == image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert usual["MultiAttachEnabled"] is False and usual["AvailabilityZone"] == "us-east-1a"
    (attachment,) = usual["Attachments"]
    assert (attachment["InstanceId"], attachment["Device"]) == (goes["InstanceId"], "/dev/xvda")
    assert (attachment["State"], attachment["DeleteOnTermination"]) == ("attached", True)
    assert (bigger["Size"], bigger["VolumeType"], bigger["Iops"]) == (9, "gp2", 100)
    assert bigger["Tags"] == [{"Key": "of", "Value": "the test"}]
    assert refused(ec2.delete_volume, VolumeId=kept)[0] == "VolumeInUse"

    ground.end(stays["InstanceId"], goes["InstanceId"])
    code, message = refused(ec2.describe_volumes, VolumeIds=[lost])
    assert (code, message) == ("InvalidVolume.NotFound", f"The volume '{lost}' does not exist.")
    (left,) = ec2.describe_volumes(Filters=having("status", "available"))["Volumes"]
    assert (left["VolumeId"], left["State"], left["Attachments"]) == (kept, "available", [])
    ec2.delete_volume(VolumeId=kept)
    assert refused(ec2.describe_volumes, VolumeIds=[kept])[0] == "InvalidVolume.NotFound"


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.7/19", "3.7/20", "3.7/21", "3.7/22", "3.7/26")
def test_what_cannot_be_launched_is_refused_in_ec2s_words(ground: Ground, cloud: Cloud) -> None:
    ec2, (subnet, _) = ground.ec2, ground.subnet_ids

    def launch(**params: Any) -> tuple[str, str]:
        whole = {"ImageId": ground.image_id, "InstanceType": "t2.micro", "SubnetId": subnet, "MinCount": 1,
                 "MaxCount": 1, **params}  # fmt: skip
        return refused(ec2.run_instances, **whole)

    ami = f"ami-{UNKNOWN}"
    assert launch(ImageId=ami) == ("InvalidAMIID.NotFound", f"The image id '[{ami}]' does not exist")
    assert launch(ImageId="mine") == ("InvalidAMIID.Malformed", 'Invalid id: "mine" (expecting "ami-...")')
    assert launch(KeyName="lost") == ("InvalidKeyPair.NotFound", "The key pair 'lost' does not exist")
    assert launch(InstanceType="t2.giant") == ("InvalidParameterValue", "Invalid value 't2.giant' for InstanceType.")
    (default,) = ec2.describe_vpcs(Filters=having("is-default", "true"))["Vpcs"]
    groups = ec2.describe_security_groups(Filters=having("vpc-id", default["VpcId"]))["SecurityGroups"]
    elsewhere = groups[0]["GroupId"]
    assert launch(SecurityGroupIds=[elsewhere]) == (
        "InvalidParameter",
        f"Security group {elsewhere} and subnet {subnet} belong to different networks.",
    )
    beside = "Network interfaces and an instance-level {} may not be specified on the same request"
    nic = [{"DeviceIndex": 0, "AssociatePublicIpAddress": True}]
    assert launch(NetworkInterfaces=nic) == ("InvalidParameterCombination", beside.format("subnet ID"))
    alone = {"ImageId": ground.image_id, "MinCount": 1, "MaxCount": 1, "NetworkInterfaces": nic}
    assert refused(ec2.run_instances, SecurityGroupIds=[ground.group_id], **alone) == (
        "InvalidParameterCombination",
        beside.format("security groups"),
    )
    cloud.set("vcpu_limit=32")
    code, message = launch(MinCount=33, MaxCount=33)
    cloud.set("vcpu_limit=none")
    assert code == "VcpuLimitExceeded"
    assert message.startswith("You have requested more vCPU capacity than your current vCPU limit of 32 allows for")
    assert message.endswith("http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.")
    assert launch(UserData="x" * 16_385) == ("InvalidParameterValue", "User data is limited to 16384 bytes")
    small = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]
    code, message = launch(BlockDeviceMappings=small)
    assert code == "InvalidBlockDeviceMapping" and message.startswith("Volume of size 4GB is smaller than snapshot")
    assert launch(IamInstanceProfile={"Name": "nobody"})[0] == "InvalidParameterValue"
    assert launch(InstanceMarketOptions={"MarketType": "spot"})[0] == "UnsupportedOperation"
    assert launch(InstanceInitiatedShutdownBehavior="sleep")[0] == "InvalidParameterValue"
    reserved = [{"ResourceType": "instance", "Tags": [{"Key": "aws:x", "Value": "y"}]}]
    assert launch(TagSpecifications=reserved) == (
        "InvalidParameterValue",
        "Tag keys starting with 'aws:' are reserved for internal use",
    )


@pytest.mark.fact("3.7/27", "3.1/unknown-ids")
def test_unknown_and_malformed_ids(ground: Ground) -> None:
    ec2, first, second = ground.ec2, f"i-{UNKNOWN}", "i-0fedcba9876543210"
    calls = (
        ec2.describe_instances,
        ec2.describe_instance_status,
        ec2.start_instances,
        ec2.stop_instances,
        ec2.reboot_instances,
        ec2.terminate_instances,
        ec2.monitor_instances,
    )
    for call in calls:
        one = refused(call, InstanceIds=[first])
        assert one == ("InvalidInstanceID.NotFound", f"The instance ID '{first}' does not exist")
        two = refused(call, InstanceIds=[first, second])
        assert two == ("InvalidInstanceID.NotFound", f"The instance IDs '{first}, {second}' do not exist")
        assert refused(call, InstanceIds=["mine"]) == ("InvalidInstanceID.Malformed", 'Invalid id: "mine"')
    assert refused(ec2.get_console_output, InstanceId=first)[0] == "InvalidInstanceID.NotFound"
    assert refused(ec2.describe_instance_attribute, InstanceId=first, Attribute="userData")[0] == (
        "InvalidInstanceID.NotFound"
    )
    assert refused(ec2.describe_volumes, VolumeIds=["mine"])[0] == "InvalidVolumeID.Malformed"


@pytest.mark.fact("3.7/28")
def test_a_protected_instance_is_not_terminated(ground: Ground, aws: Aws) -> None:
    ec2 = ground.ec2
    instance_id = ground.running(DisableApiTermination=True, DisableApiStop=True)["InstanceId"]
    said = aws.refused("ec2", "terminate-instances", "--instance-ids", instance_id)
    assert "(OperationNotPermitted)" in said
    assert said.endswith(
        f"The instance '{instance_id}' may not be terminated. Modify its 'disableApiTermination' instance attribute "
        "and try again."
    )
    assert refused(ec2.stop_instances, InstanceIds=[instance_id])[0] == "OperationNotPermitted"
    assert ground.look(instance_id)["State"]["Name"] == "running"
    ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": False})
    ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiStop={"Value": False})
    aws("ec2", "terminate-instances", "--instance-ids", instance_id)
    ground.in_state(instance_id, "terminated")


@pytest.mark.fact("3.1/client-token")
def test_a_client_token_stands_for_one_launch(ground: Ground) -> None:
    first = ground.run(ClientToken="once")
    again = ground.run(ClientToken="once")
    assert (again["InstanceId"], again["ClientToken"]) == (first["InstanceId"], "once")
    code, message = refused(ground.run, ClientToken="once", InstanceType="t2.small")
    assert code == "IdempotentParameterMismatch"
    assert message.startswith("Arguments on this idempotent request are inconsistent with arguments used in previous")
    assert ground.run()["InstanceId"] != first["InstanceId"]
    mine = ground.ec2.describe_instances(Filters=having("instance-state-name", "pending", "running"))["Reservations"]
    tokens = [it["ClientToken"] for found in mine for it in found["Instances"]]
    assert tokens.count("once") == 1
    ground.end(*[it["InstanceId"] for found in mine for it in found["Instances"] if it["ClientToken"] != "the-server"])


@pytest.mark.fact("3.1/dry-run")
def test_a_dry_run_checks_and_does_nothing(ground: Ground, server: dict[str, Any]) -> None:
    ec2, ids = ground.ec2, [server["InstanceId"]]
    launch = {"ImageId": ground.image_id, "MinCount": 1, "MaxCount": 1}
    assert dry_run(ec2.run_instances, **launch) == ("DryRunOperation", 412)
    assert dry_run(ec2.run_instances, **{**launch, "ImageId": f"ami-{UNKNOWN}"}) == ("InvalidAMIID.NotFound", 400)
    for call in (ec2.stop_instances, ec2.reboot_instances, ec2.terminate_instances, ec2.monitor_instances):
        assert dry_run(call, InstanceIds=ids) == ("DryRunOperation", 412)
    for call in (ec2.describe_instances, ec2.describe_instance_status, ec2.describe_volumes, ec2.describe_key_pairs,
                 ec2.describe_instance_types, ec2.describe_instance_type_offerings):  # fmt: skip
        assert dry_run(call) == ("DryRunOperation", 412)
    assert ground.look(ids[0])["State"]["Name"] == "running"
    assert ground.look(ids[0])["Monitoring"]["State"] == "disabled"


# -- lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.1/filters")
def test_filters_find_what_they_say_and_unknown_ones_are_refused(ground: Ground, server: dict[str, Any]) -> None:
    ec2, instance_id = ground.ec2, server["InstanceId"]
    finding = {
        "tag:Name": "ser*",
        "tag-key": "Name",
        "instance-state-code": "16",
        "private-ip-address": server["PrivateIpAddress"],
        "network-interface.addresses.private-ip-address": server["PrivateIpAddress"],
        "ip-address": server["PublicIpAddress"],
        "private-dns-name": server["PrivateDnsName"],
        "instance.group-name": "compute",
        "block-device-mapping.volume-id": server["BlockDeviceMappings"][0]["Ebs"]["VolumeId"],
        "launch-time": f"{server['LaunchTime']:%Y-%m-%d}*",
        "client-token": "the-server",
        "metadata-options.http-tokens": "required",
        "current-instance-boot-mode": "legacy-bios",
        "owner-id": "000000000000",
    }
    for name, value in finding.items():
        found = ec2.describe_instances(Filters=having(name, value))["Reservations"]
        assert instance_id in [it["InstanceId"] for each in found for it in each["Instances"]], name
        none = ec2.describe_instances(Filters=having(name, "no-such-value"))["Reservations"]
        assert none == [], name
    unknown = ("InvalidParameterValue", "The filter 'colour' is invalid")
    for call in (ec2.describe_instances, ec2.describe_instance_status, ec2.describe_volumes, ec2.describe_key_pairs,
                 ec2.describe_instance_types, ec2.describe_instance_type_offerings):  # fmt: skip
        assert refused(call, Filters=having("colour", "red")) == unknown
    assert refused(ec2.describe_instance_status, Filters=having("image-id", "ami-1"))[0] == "InvalidParameterValue"


@pytest.mark.fact("3.1/pages")
def test_lists_come_in_pages(ground: Ground, aws: Aws) -> None:
    ec2 = ground.ec2
    made = [ground.run()["InstanceId"] for _ in range(6)]
    only = {"Filters": having("instance-state-name", "pending", "running")}
    for name, member in (("describe_instances", "Reservations"), ("describe_volumes", "Volumes")):
        asked = {} if name == "describe_volumes" else only
        pages = list(ec2.get_paginator(name).paginate(PaginationConfig={"PageSize": 5}, **asked))
        sizes = [len(page[member]) for page in pages]
        assert len(sizes) > 1 and sizes[0] == 5 and 0 < sizes[-1] <= 5
        assert all("NextToken" in page for page in pages[:-1]) and "NextToken" not in pages[-1]
        assert sum(sizes) == len(getattr(ec2, name)(**asked)[member])
    one = {"InstanceIds": made[:1], "MaxResults": 5}
    assert refused(ec2.describe_instances, **one) == (
        "InvalidParameterCombination",
        "The parameter instancesSet cannot be used with the parameter maxResults",
    )
    assert refused(ec2.describe_instances, MaxResults=3) == (
        "InvalidParameterValue",
        "Value ( 3 ) for parameter maxResults is invalid. Expecting a value greater than 5.",
    )
    alive = "Name=instance-state-name,Values=pending,running"
    listed = aws("ec2", "describe-instances", "--page-size", "5", "--filters", alive)
    assert set(made) <= {it["InstanceId"] for found in listed["Reservations"] for it in found["Instances"]}
    ground.end(*made)


@pytest.mark.fact("3.1/types")
def test_types_and_where_they_are_offered(ground: Ground) -> None:
    ec2 = ground.ec2
    micro, other = ec2.describe_instance_types(InstanceTypes=["t2.micro", "t3.micro"])["InstanceTypes"]
    assert (micro["VCpuInfo"]["DefaultVCpus"], micro["MemoryInfo"]["SizeInMiB"]) == (1, 1024)
    assert (other["VCpuInfo"]["DefaultVCpus"], other["Hypervisor"]) == (2, "nitro")
    assert micro["BurstablePerformanceSupported"] is True and micro["SupportedBootModes"] == ["legacy-bios"]
    first = ec2.describe_instance_types()
    assert len(first["InstanceTypes"]) == 100 and first["NextToken"]
    both = having("vcpu-info.default-vcpus", "1") + having("instance-type", "t2.*")
    small = ec2.describe_instance_types(Filters=both)
    assert {it["InstanceType"] for it in small["InstanceTypes"]} == {"t2.nano", "t2.micro", "t2.small"}
    offered = ec2.describe_instance_type_offerings(Filters=having("instance-type", "t2.micro"))["InstanceTypeOfferings"]
    assert offered == [{"InstanceType": "t2.micro", "LocationType": "region", "Location": "us-east-1"}]
    zones = ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=having("instance-type", "t2.micro")
    )["InstanceTypeOfferings"]
    assert sorted(it["Location"] for it in zones) == [f"us-east-1{letter}" for letter in "abcdf"]
    assert refused(ec2.describe_instance_types, InstanceTypes=["t2.giant"])[0] == "InvalidInstanceType"


# -- key pairs ------------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.1/key-pairs", "3.7/22", "3.7/23")
def test_a_key_pair_is_made_imported_read_and_deleted(ground: Ground, tmp_path: Path) -> None:
    ec2 = ground.ec2
    tagged = [{"ResourceType": "key-pair", "Tags": [{"Key": "of", "Value": "the test"}]}]
    made = ec2.create_key_pair(KeyName="made", TagSpecifications=tagged)
    private, public = tmp_path / "made.pem", tmp_path / "made.pub"
    private.write_text(made["KeyMaterial"])
    private.chmod(0o600)
    assert made["KeyFingerprint"] == _by_twos(hashlib.sha1(_der(private, "pkcs8", "-topk8", "-nocrypt")).hexdigest())
    assert re.fullmatch(r"key-[0-9a-f]{17}", made["KeyPairId"])
    (shown,) = ec2.describe_key_pairs(KeyNames=["made"], IncludePublicKey=True)["KeyPairs"]
    assert (shown["KeyType"], shown["Tags"]) == ("rsa", [{"Key": "of", "Value": "the test"}])
    assert "PublicKey" not in ec2.describe_key_pairs(KeyPairIds=[made["KeyPairId"]])["KeyPairs"][0]
    public.write_text(shown["PublicKey"])
    imported = ec2.import_key_pair(KeyName="imported", PublicKeyMaterial=public.read_bytes())
    assert imported["KeyFingerprint"] == _by_twos(hashlib.md5(_der(private, "rsa", "-pubout")).hexdigest())
    curve = ec2.create_key_pair(KeyName="curve", KeyType="ed25519")
    (shown,) = ec2.describe_key_pairs(KeyNames=["curve"], IncludePublicKey=True)["KeyPairs"]
    assert shown["KeyType"] == "ed25519"
    of_blob = hashlib.sha256(base64.b64decode(shown["PublicKey"].split()[1])).digest()
    assert curve["KeyFingerprint"] == base64.b64encode(of_blob).decode()
    assert curve["KeyMaterial"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    found = ec2.describe_key_pairs(Filters=having("fingerprint", imported["KeyFingerprint"]))["KeyPairs"]
    assert [it["KeyName"] for it in found] == ["imported"]

    for call, more in ((ec2.create_key_pair, {}), (ec2.import_key_pair, {"PublicKeyMaterial": public.read_bytes()})):
        assert refused(call, KeyName="made", **more) == ("InvalidKeyPair.Duplicate", "The keypair already exists")
    code, message = refused(ec2.import_key_pair, KeyName="odd", PublicKeyMaterial=b"no key")
    assert (code, message) == ("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
    for name in ("made", "imported", "curve"):
        assert ec2.delete_key_pair(KeyName=name)["Return"] is True
        assert ec2.delete_key_pair(KeyName=name)["Return"] is True, "deleting what is not there succeeds"
    code, message = refused(ec2.describe_key_pairs, KeyNames=["made"])
    assert (code, message) == ("InvalidKeyPair.NotFound", "The key pair 'made' does not exist")


def _der(private: Path, *words: str) -> bytes:
    command = ["openssl", *words, "-in", str(private), "-outform", "DER"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def _by_twos(digits: str) -> str:
    return ":".join(re.findall("..", digits))


# -- a whole cycle --------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.1/cycle")
def test_create_read_change_read_destroy_leaves_nothing(ground: Ground) -> None:
    ec2 = ground.ec2
    tags = [{"Key": "Name", "Value": "cycle"}]
    asked = {
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume", "network-interface")
        ],
        "Monitoring": {"Enabled": True},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "IamInstanceProfile": {"Name": "LabInstanceProfile"},
        "EbsOptimized": False,
        "CreditSpecification": {"CpuCredits": "unlimited"},
        "MaintenanceOptions": {"AutoRecovery": "disabled"},
        "PrivateDnsNameOptions": {"HostnameType": "ip-name", "EnableResourceNameDnsARecord": True},
    }
    found = ground.running(**asked)
    instance_id = found["InstanceId"]
    assert (found["Monitoring"], found["MaintenanceOptions"]["AutoRecovery"]) == ({"State": "enabled"}, "disabled")
    assert found["IamInstanceProfile"]["Arn"] == "arn:aws:iam::000000000000:instance-profile/LabInstanceProfile"
    assert found["PrivateDnsNameOptions"]["EnableResourceNameDnsARecord"] is True
    behavior = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="instanceInitiatedShutdownBehavior")
    assert behavior["InstanceInitiatedShutdownBehavior"] == {"Value": "terminate"}
    volume_id = found["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    nic_id = found["NetworkInterfaces"][0]["NetworkInterfaceId"]
    kinds = {it["ResourceType"] for it in ec2.describe_tags(Filters=having("value", "cycle"))["Tags"]}
    assert kinds == {"instance", "volume", "network-interface"}

    ec2.stop_instances(InstanceIds=[instance_id])
    ground.in_state(instance_id, "stopped")
    ec2.modify_instance_attribute(InstanceId=instance_id, InstanceType={"Value": "t3.small"})
    ec2.modify_instance_attribute(InstanceId=instance_id, UserData={"Value": b"#!/bin/sh\n"})
    ec2.create_tags(Resources=[instance_id], Tags=[{"Key": "Name", "Value": "changed"}])
    changed_ = ground.look(instance_id)
    assert (changed_["InstanceType"], changed_["CpuOptions"]) == ("t3.small", {"CoreCount": 1, "ThreadsPerCore": 2})
    assert changed_["Tags"] == [{"Key": "Name", "Value": "changed"}]
    assert changed_["NetworkInterfaces"][0]["NetworkInterfaceId"] == nic_id
    assert changed_["BlockDeviceMappings"][0]["Ebs"]["VolumeId"] == volume_id

    ec2.modify_instance_maintenance_options(InstanceId=instance_id, AutoRecovery="default")
    ec2.modify_private_dns_name_options(InstanceId=instance_id, EnableResourceNameDnsARecord=False)
    again = ground.look(instance_id)
    assert again["MaintenanceOptions"]["AutoRecovery"] == "default"
    assert again["PrivateDnsNameOptions"]["EnableResourceNameDnsARecord"] is False
    (bearer,) = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    assert (bearer["InstanceId"], bearer["State"]) == (instance_id, "associated")
    (whole,) = ec2.describe_volume_status(VolumeIds=[volume_id])["VolumeStatuses"]
    assert whole["VolumeStatus"]["Status"] == "ok"

    ground.end(instance_id)
    assert refused(ec2.describe_volumes, VolumeIds=[volume_id])[0] == "InvalidVolume.NotFound"
    gone = refused(ec2.describe_network_interfaces, NetworkInterfaceIds=[nic_id])
    assert gone[0] == "InvalidNetworkInterfaceID.NotFound"
    left = {it["ResourceType"] for it in ec2.describe_tags(Filters=having("value", "cycle"))["Tags"]}
    assert left == set()
