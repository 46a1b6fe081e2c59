"""Launch templates and what is launched from them, as a client reads them (aws-facts 3.3, 3.7)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from botocore.config import Config

from tests.conformance.aws_cli import Aws
from tests.conformance.compute_lab import UNKNOWN, Ground, dry_run, ground_on, having, refused
from tests.local.cloud_under_test import Cloud, eventually

MINIMAL = {"ImageId": "ami-abc123"}
WHICH = (
    "To describe the launch template data for all your launch templates, for ‘--versions’ specify ‘$Latest’, "
    "‘$Default’, or both, and omit ‘--launch-template-id’, ‘--launch-template-name’, and version numbers. To describe "
    "the launch template data for a specific launch template, specify ‘--launch-template-id’ or "
    "‘--launch-template-name’, and for ‘--versions’ specify one or more of the following values: ‘$Latest’, "
    "‘$Default’, or one or more version numbers."
)


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return ground_on(cloud)


def made(ground: Ground, name: str, **data: Any) -> str:
    answer = ground.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data or MINIMAL)
    return str(answer["LaunchTemplate"]["LaunchTemplateId"])


def contents(ground: Ground, **more: Any) -> dict[str, Any]:
    """What the lab's template says: an interface without a subnet, its groups inside it."""
    nic = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": True,
        "Groups": [ground.group_id],
        "DeleteOnTermination": True,
    }
    data = {
        "ImageId": ground.image_id,
        "InstanceType": "t2.micro",
        "KeyName": ground.key_name,
        "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
        "NetworkInterfaces": [nic],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "made-by", "Value": "template"}]}],
    }
    return {**data, **more}


def version_of(ground: Ground, **which: Any) -> dict[str, Any]:
    (found,) = ground.ec2.describe_launch_template_versions(**which)["LaunchTemplateVersions"]
    return dict(found)


# -- the sixteen cases of versions ----------------------------------------------------------------------------------


@pytest.mark.fact("3.3/versions", "3.7/24")
def test_a_template_begins_with_version_one(ground: Ground) -> None:
    answer = ground.ec2.create_launch_template(LaunchTemplateName="one", LaunchTemplateData=MINIMAL)["LaunchTemplate"]
    assert answer["LaunchTemplateName"] == "one"
    assert (answer["DefaultVersionNumber"], answer["LatestVersionNumber"]) == (1, 1)
    again = refused(ground.ec2.create_launch_template, LaunchTemplateName="one", LaunchTemplateData=MINIMAL)
    assert again == ("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
    for which in ({"LaunchTemplateName": "one"}, {"LaunchTemplateId": answer["LaunchTemplateId"]}):
        for version in ("1", "$Latest", "$Default"):
            found = version_of(ground, **which, Versions=[version])
            assert (found["LaunchTemplateData"], found["VersionNumber"]) == (MINIMAL, 1)


@pytest.mark.fact("3.3/version-errors")
def test_versions_without_a_template_are_the_named_ones_of_all(ground: Ground) -> None:
    ec2 = ground.ec2
    assert refused(ec2.describe_launch_template_versions) == ("MissingParameter", WHICH)
    assert refused(ec2.describe_launch_template_versions, Versions=["1"]) == ("InvalidParameterValue", WHICH)
    made(ground, "of-all")
    found = ec2.describe_launch_template_versions(Versions=["$Latest"])["LaunchTemplateVersions"]
    assert "of-all" in [it["LaunchTemplateName"] for it in found]
    both = ec2.describe_launch_template_versions(Versions=["$Latest", "$Default"])["LaunchTemplateVersions"]
    assert len(both) == len({(it["LaunchTemplateId"], it["VersionNumber"]) for it in both})


@pytest.mark.fact("3.3/version-errors", "3.7/25")
def test_what_is_not_there_is_named(cloud: Cloud, ground: Ground, aws: Aws) -> None:
    ec2, unknown = ground.ec2, f"lt-{UNKNOWN}"
    by_name = (
        "InvalidLaunchTemplateName.NotFoundException",
        "The specified launch template, with template name lost, does not exist.",
    )
    by_id = (
        "InvalidLaunchTemplateId.NotFound",
        f"The specified launch template, with template ID {unknown}, does not exist.",
    )
    assert refused(ec2.describe_launch_template_versions, LaunchTemplateName="lost") == by_name
    assert refused(ec2.describe_launch_template_versions, LaunchTemplateId=unknown) == by_id
    assert refused(ec2.delete_launch_template, LaunchTemplateName="lost") == by_name
    assert refused(ec2.delete_launch_template, LaunchTemplateId=unknown) == by_id
    assert refused(ec2.describe_launch_templates, LaunchTemplateNames=["lost"]) == (
        "InvalidLaunchTemplateName.NotFoundException",
        "At least one of the launch templates specified in the request does not exist.",
    )
    template_id = made(ground, "three")
    said = aws.refused("ec2", "describe-launch-template-versions", "--launch-template-name", "three", "--versions", "3")
    assert "(InvalidLaunchTemplateId.VersionNotFound)" in said
    assert said.endswith(f"Could not find the specified version 3 for the launch template with ID {template_id}.")
    assert refused(ec2.describe_launch_templates, LaunchTemplateIds=["mine"])[0] == "InvalidLaunchTemplateId.Malformed"
    code, message = refused(ec2.delete_launch_template)
    assert code == "MissingParameter"
    assert message == "The request must contain the parameter launch template ID or launch template name"
    careless = cloud.client("ec2", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
    for name in ("no", "what?"):
        asked = {"LaunchTemplateName": name, "LaunchTemplateData": MINIMAL}
        assert refused(careless.create_launch_template, **asked)[0] == "InvalidLaunchTemplateName.MalformedException"


@pytest.mark.fact("3.3/versions", "3.3/default")
def test_a_new_version_does_not_become_the_default(ground: Ground) -> None:
    ec2, template_id = ground.ec2, made(ground, "versions")
    answer = ec2.create_launch_template_version(
        LaunchTemplateName="versions", LaunchTemplateData={"ImageId": "ami-def456"}, VersionDescription="new ami"
    )["LaunchTemplateVersion"]
    assert (answer["LaunchTemplateId"], answer["VersionNumber"]) == (template_id, 2)
    assert (answer["DefaultVersion"], answer["VersionDescription"]) == (False, "new ami")
    assert answer["LaunchTemplateData"] == {"ImageId": "ami-def456"}
    third = ec2.create_launch_template_version(
        LaunchTemplateId=template_id, SourceVersion="2", LaunchTemplateData={"InstanceType": "t2.micro"}
    )["LaunchTemplateVersion"]
    assert third["LaunchTemplateData"] == {"ImageId": "ami-def456", "InstanceType": "t2.micro"}
    (template,) = ec2.describe_launch_templates(LaunchTemplateNames=["versions"])["LaunchTemplates"]
    assert (template["DefaultVersionNumber"], template["LatestVersionNumber"]) == (1, 3)
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=template_id)["LaunchTemplateVersions"]
    assert [(it["VersionNumber"], it["DefaultVersion"]) for it in versions] == [(3, False), (2, False), (1, True)]
    some = ec2.describe_launch_template_versions(LaunchTemplateId=template_id, Versions=["1", "3"])
    assert {it["VersionNumber"] for it in some["LaunchTemplateVersions"]} == {1, 3}
    for bounds, numbers in (
        ({"MinVersion": "2"}, {2, 3}),
        ({"MaxVersion": "2"}, {1, 2}),
        ({"MinVersion": "2", "MaxVersion": "2"}, {2}),
    ):
        found = ec2.describe_launch_template_versions(LaunchTemplateId=template_id, **bounds)["LaunchTemplateVersions"]
        assert {it["VersionNumber"] for it in found} == numbers

    for which in ({"LaunchTemplateName": "versions"}, {"LaunchTemplateId": template_id}):
        wanted = "2" if "LaunchTemplateName" in which else "3"
        moved = ec2.modify_launch_template(**which, DefaultVersion=wanted)["LaunchTemplate"]
        assert moved["DefaultVersionNumber"] == int(wanted)
        now = ec2.describe_launch_template_versions(**which)["LaunchTemplateVersions"]
        assert [it["VersionNumber"] for it in now if it["DefaultVersion"]] == [int(wanted)]
    assert version_of(ground, LaunchTemplateId=template_id, Versions=["$Default"])["VersionNumber"] == 3


@pytest.mark.fact("3.3/version-errors")
def test_the_default_is_moved_by_one_name_to_a_version_that_is_there(ground: Ground) -> None:
    ec2 = ground.ec2
    made(ground, "moved")
    both = {"LaunchTemplateId": "template_n", "LaunchTemplateName": "moved", "DefaultVersion": "2"}
    assert refused(ec2.modify_launch_template, **both) == (
        "InvalidParameterCombination",
        "Either provide launch template ID or launch template name to modify the template.",
    )
    assert refused(ec2.modify_launch_template, LaunchTemplateName="moved", DefaultVersion="2") == (
        "InvalidLaunchTemplateId.VersionNotFound",
        "The launch template version 2 is not found for the specified launch template.",
    )


@pytest.mark.fact("3.3/deleted-versions")
def test_a_deleted_versions_number_is_not_given_again(ground: Ground, aws: Aws) -> None:
    ec2, template_id = ground.ec2, made(ground, "numbers")
    for image_id in ("ami-000002", "ami-000003"):
        ec2.create_launch_template_version(LaunchTemplateId=template_id, LaunchTemplateData={"ImageId": image_id})
    words = ("--launch-template-id", template_id, "--versions", "3", "1", "9")
    answer = aws("ec2", "delete-launch-template-versions", *words)
    (done,) = answer["SuccessfullyDeletedLaunchTemplateVersions"]
    assert done == {"LaunchTemplateId": template_id, "LaunchTemplateName": "numbers", "VersionNumber": 3}
    undone = answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [(it["VersionNumber"], it["ResponseError"]["Code"]) for it in undone] == [
        (1, "unexpectedError"),
        (9, "launchTemplateVersionDoesNotExist"),
    ]
    (template,) = ec2.describe_launch_templates(LaunchTemplateIds=[template_id])["LaunchTemplates"]
    assert (template["DefaultVersionNumber"], template["LatestVersionNumber"]) == (1, 2)
    fourth = ec2.create_launch_template_version(LaunchTemplateId=template_id, LaunchTemplateData=MINIMAL)
    assert fourth["LaunchTemplateVersion"]["VersionNumber"] == 4


# -- reading back ---------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.3/cycle")
def test_create_read_change_read_destroy(ground: Ground) -> None:
    ec2 = ground.ec2
    data = contents(
        ground,
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 10, "DeleteOnTermination": True}}],
        Monitoring={"Enabled": True},
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        InstanceInitiatedShutdownBehavior="terminate",
        CreditSpecification={"CpuCredits": "standard"},
    )
    template = ec2.create_launch_template(
        LaunchTemplateName="cycle",
        VersionDescription="the first",
        LaunchTemplateData=data,
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "of", "Value": "cycle"}]}],
    )["LaunchTemplate"]
    assert template["Tags"] == [{"Key": "of", "Value": "cycle"}]
    assert template["CreatedBy"].startswith("arn:aws:")
    found = version_of(ground, LaunchTemplateId=template["LaunchTemplateId"])
    assert found["LaunchTemplateData"] == data
    assert found["CreateTime"] == template["CreateTime"]
    assert (found["VersionDescription"], found["DefaultVersion"]) == ("the first", True)
    (listed,) = ec2.describe_launch_templates(Filters=having("tag:of", "cycle"))["LaunchTemplates"]
    assert listed == template
    ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])
    gone = refused(ec2.describe_launch_templates, LaunchTemplateIds=[template["LaunchTemplateId"]])
    assert gone[0] == "InvalidLaunchTemplateId.NotFound"
    assert ec2.describe_tags(Filters=having("resource-id", template["LaunchTemplateId"]))["Tags"] == []


@pytest.mark.fact("3.3/lists")
def test_templates_and_versions_are_filtered_and_come_in_pages(ground: Ground, aws: Aws) -> None:
    ec2, template_id = ground.ec2, made(ground, "listed-1", ImageId="ami-000001", InstanceType="t2.micro")
    made(ground, "listed-2")
    ec2.create_launch_template_version(LaunchTemplateId=template_id, LaunchTemplateData={"InstanceType": "t2.small"})
    only = having("launch-template-name", "listed-*")
    templates, by_one = ec2.get_paginator("describe_launch_templates"), {"PageSize": 1}
    pages = list(templates.paginate(Filters=only, PaginationConfig=by_one))
    assert [it["LaunchTemplateName"] for page in pages for it in page["LaunchTemplates"]] == ["listed-1", "listed-2"]
    versions = ec2.get_paginator("describe_launch_template_versions")
    shown = list(versions.paginate(LaunchTemplateId=template_id, PaginationConfig=by_one))
    assert [len(page["LaunchTemplateVersions"]) for page in shown] == [1, 1]
    for name, value, number in (("instance-type", "t2.small", 2), ("is-default-version", "true", 1)):
        which = {"LaunchTemplateId": template_id, "Filters": having(name, value)}
        assert version_of(ground, **which)["VersionNumber"] == number
    unknown = ("InvalidParameterValue", "The filter 'colour' is invalid")
    assert refused(ec2.describe_launch_templates, Filters=having("colour", "red")) == unknown
    which = {"LaunchTemplateId": template_id, "Filters": having("colour", "red")}
    assert refused(ec2.describe_launch_template_versions, **which) == unknown
    assert refused(ec2.describe_launch_template_versions, LaunchTemplateId=template_id, MaxResults=201)[0] == (
        "InvalidParameterValue"
    )
    listed = aws("ec2", "describe-launch-templates", "--filters", "Name=launch-template-name,Values=listed-2")
    assert [it["LaunchTemplateName"] for it in listed["LaunchTemplates"]] == ["listed-2"]


@pytest.mark.fact("3.3/idempotence")
def test_a_token_stands_for_one_template_and_a_dry_run_for_none(ground: Ground) -> None:
    ec2 = ground.ec2
    asked = {"LaunchTemplateName": "token", "LaunchTemplateData": MINIMAL, "ClientToken": "again"}
    first, again = ec2.create_launch_template(**asked), ec2.create_launch_template(**asked)
    assert first["LaunchTemplate"] == again["LaunchTemplate"]
    asked = {"LaunchTemplateName": "only-tried", "LaunchTemplateData": MINIMAL}
    assert dry_run(ec2.create_launch_template, **asked) == ("DryRunOperation", 412)
    assert refused(ec2.describe_launch_templates, LaunchTemplateNames=["only-tried"])[0].endswith("NotFoundException")
    for call in (ec2.create_launch_template_version, ec2.delete_launch_template, ec2.modify_launch_template):
        more = {"LaunchTemplateData": MINIMAL} if call == ec2.create_launch_template_version else {}
        assert dry_run(call, LaunchTemplateName="token", **more) == ("DryRunOperation", 412)


# -- launching ------------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.3/default", "3.3/basic-monitoring", "3.3/interfaces")
def test_run_instances_takes_the_default_version_and_lays_the_request_over_it(ground: Ground) -> None:
    ec2, template_id = ground.ec2, made(ground, "launches", **contents(ground))
    second = {"InstanceType": "t2.small"}
    ec2.create_launch_template_version(LaunchTemplateId=template_id, SourceVersion="1", LaunchTemplateData=second)
    nic = [{"DeviceIndex": 0, "SubnetId": ground.subnet_ids[1]}]

    def launched(**more: Any) -> dict[str, Any]:
        asked = {"LaunchTemplate": {"LaunchTemplateId": template_id, **more.pop("which", {})}, "NetworkInterfaces": nic}
        (found,) = ec2.run_instances(MinCount=1, MaxCount=1, **asked, **more)["Instances"]
        return dict(found)

    default, latest = launched(), launched(which={"Version": "$Latest"})
    assert (default["InstanceType"], latest["InstanceType"]) == ("t2.micro", "t2.small")
    assert default["SubnetId"] == ground.subnet_ids[1]
    assert default["SecurityGroups"] == [{"GroupId": ground.group_id, "GroupName": "compute"}]
    assert default["Monitoring"] == {"State": "disabled"}
    assert {tag["Key"]: tag["Value"] for tag in default["Tags"]} == {
        "made-by": "template",
        "aws:ec2launchtemplate:id": template_id,
        "aws:ec2launchtemplate:version": "1",
    }
    over = launched(InstanceType="t2.nano", KeyName=ground.key_name)
    assert over["InstanceType"] == "t2.nano"
    missing = refused(launched, which={"Version": "7"})
    assert missing[0] == "InvalidLaunchTemplateId.VersionNotFound"
    lost = {"LaunchTemplateName": "lost"}
    assert refused(ec2.run_instances, MinCount=1, MaxCount=1, LaunchTemplate=lost)[0] == (
        "InvalidLaunchTemplateName.NotFoundException"
    )
    ground.end(*[it["InstanceId"] for it in (default, latest, over)])


@pytest.mark.fact("3.3/cycle")
def test_an_instance_is_written_down_as_a_template(ground: Ground) -> None:
    instance = ground.run(KeyName=ground.key_name, UserData="#!/bin/sh\n", DisableApiTermination=False)
    data = ground.ec2.get_launch_template_data(InstanceId=instance["InstanceId"])["LaunchTemplateData"]
    assert (data["ImageId"], data["InstanceType"]) == (instance["ImageId"], "t2.micro")
    assert (data["KeyName"], data["Monitoring"]) == (ground.key_name, {"Enabled": False})
    assert data["NetworkInterfaces"][0]["Groups"] == [ground.group_id]
    made(ground, "like-it", **data)
    answer = ground.ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": "like-it"})
    (twin,) = answer["Instances"]
    assert (twin["SubnetId"], twin["KeyName"]) == (instance["SubnetId"], ground.key_name)
    ground.end(instance["InstanceId"], twin["InstanceId"])


@pytest.mark.fact("3.3/contents", "3.3/asg-version", "3.3/default", "3.7/22")
def test_contents_are_looked_at_when_something_is_launched(cloud: Cloud, ground: Ground) -> None:
    ec2, groups = ground.ec2, cloud.client("autoscaling")
    wrong = contents(ground, KeyName="lost")
    template_id = made(ground, "wrong", **wrong)  # AWS takes it as it is
    subnets = ",".join(ground.subnet_ids)
    asked = {"AutoScalingGroupName": "of-templates", "MinSize": 0, "MaxSize": 2, "VPCZoneIdentifier": subnets}
    which = {"LaunchTemplateId": template_id, "Version": "$Latest"}
    code, message = refused(groups.create_auto_scaling_group, LaunchTemplate=which, **asked)
    assert code == "ValidationError"
    assert message.startswith("You must use a valid fully-formed launch template.")
    assert "The key pair 'lost' does not exist" in message
    nic = [{"DeviceIndex": 0, "SubnetId": ground.subnet_ids[0]}]
    launch = {"LaunchTemplate": {"LaunchTemplateId": template_id}, "NetworkInterfaces": nic}
    missing = ("InvalidKeyPair.NotFound", "The key pair 'lost' does not exist")
    assert refused(ec2.run_instances, MinCount=1, MaxCount=1, **launch) == missing

    right = contents(ground)
    ec2.create_launch_template_version(LaunchTemplateId=template_id, LaunchTemplateData=right)
    groups.create_auto_scaling_group(LaunchTemplate=which, **asked)

    def group() -> dict[str, Any]:
        (found,) = groups.describe_auto_scaling_groups(AutoScalingGroupNames=["of-templates"])["AutoScalingGroups"]
        return dict(found)

    assert group()["LaunchTemplate"]["Version"] == "$Latest", "kept as it was said, whatever is latest later"
    right["InstanceType"] = "t2.small"
    ec2.create_launch_template_version(LaunchTemplateId=template_id, LaunchTemplateData=right)
    groups.set_desired_capacity(AutoScalingGroupName="of-templates", DesiredCapacity=1)
    (member,) = eventually(lambda: group()["Instances"], "a member")
    assert (member["InstanceType"], member["LaunchTemplate"]["Version"]) == ("t2.small", "3")
    assert ground.look(member["InstanceId"])["SubnetId"] in ground.subnet_ids
    ec2.modify_launch_template(LaunchTemplateId=template_id, DefaultVersion="2")
    groups.update_auto_scaling_group(
        AutoScalingGroupName="of-templates", LaunchTemplate={"LaunchTemplateId": template_id}, DesiredCapacity=2
    )

    def of_default() -> list[str]:
        return [it["InstanceType"] for it in group()["Instances"] if it["LaunchTemplate"]["Version"] == "2"]

    assert eventually(of_default, "a member of the default version") == ["t2.micro"]
    groups.delete_auto_scaling_group(AutoScalingGroupName="of-templates", ForceDelete=True)
    ground.in_state(member["InstanceId"], "terminated")
