"""Launch template, steps 25-40: the image, its size, its key and its network, so that a group can start more.

The security group goes into the template's network interface, with a public address and no subnet: the
group chooses the subnet (aws-facts 3.3). Outside the default VPC a subnet gives no public address by itself
(aws-facts 3.5), so the interface asks for one. New versions do not become the default; ``$Latest`` is what
the group will use. A template made again with other contents becomes a new version, not a new template.

Step 34 offers to create a second security group in the wizard; the one of steps 19-24 serves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mglab.config import Config
from mglab.display import column
from mglab.errors import NotFound
from mglab.session import Lab
from mglab.steps.ensure import (
    Record,
    Records,
    demand,
    details,
    ensure,
    having,
    only,
    refuse_foreign,
    tag_specification,
)
from mglab.steps.images import Image
from mglab.steps.instances import Instance, described, living, named, read, wait_running, wait_terminated
from mglab.steps.instances import terminate as terminate_instances
from mglab.steps.network import Subnet
from mglab.steps.security import SecurityGroup

NOTEBOOK = "04_launch_template"
LATEST = "$Latest"


@dataclass(frozen=True)
class LaunchTemplate(Record):
    """A launch template in its latest version."""

    name: str = field(metadata=column("Name"))
    template_id: str = field(metadata=column("Launch template ID", "id"))
    version: int = field(metadata=column("Latest version", "number"))
    default_version: int = field(metadata=column("Default version", "number"))
    image_id: str = field(metadata=column("AMI", "id"))
    instance_type: str = field(metadata=column("Instance type"))
    key_name: str = field(metadata=column("Key pair"))
    security_group_id: str = field(metadata=column("Security group", "id"))
    public_address: bool = field(metadata=column("Auto-assign public IP"))
    delete_on_termination: bool = field(metadata=column("Delete on termination"))


def template_data(config: Config, run: str, image_id: str, group_id: str) -> dict[str, Any]:
    """Say what the template holds (steps 31-35)."""
    return {
        "ImageId": image_id,
        "InstanceType": config.instance_type,
        "KeyName": config.key_name,
        "NetworkInterfaces": [
            {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "DeleteOnTermination": True, "Groups": [group_id]}
        ],
        "TagSpecifications": tag_specification(run, config.group_instance_name, "instance", "volume"),
    }


def launch_template_request(config: Config, run: str, image_id: str, group_id: str) -> dict[str, Any]:
    """Say what CreateLaunchTemplate is asked (step 36)."""
    return {
        "LaunchTemplateName": config.launch_template_name,
        "VersionDescription": "MusicGuru server with a health check",
        "LaunchTemplateData": template_data(config, run, image_id, group_id),
        "TagSpecifications": tag_specification(run, config.launch_template_name, "launch-template"),
    }


def test_launch_request(config: Config, run: str, template: LaunchTemplate, subnet: Subnet) -> dict[str, Any]:
    """Say what RunInstances is asked for one test instance in a subnet (steps 38-39).

    A subnet goes with the interface, and the interface replaces the template's, so it is given whole.
    """
    interface = {
        "DeviceIndex": 0,
        "SubnetId": subnet.subnet_id,
        "AssociatePublicIpAddress": template.public_address,
        "DeleteOnTermination": template.delete_on_termination,
        "Groups": [template.security_group_id],
    }
    return {
        "LaunchTemplate": {"LaunchTemplateId": template.template_id, "Version": LATEST},
        "MinCount": 1,
        "MaxCount": 1,
        "NetworkInterfaces": [interface],
        "TagSpecifications": tag_specification(run, name_of_test(config, subnet), "instance", "volume"),
    }


def name_of_test(config: Config, subnet: Subnet) -> str:
    """Name the test instance of a subnet."""
    return f"{config.test_name} {subnet.name}"


def create_launch_template(lab: Lab, image: Image, group: SecurityGroup) -> LaunchTemplate:
    """Create the template, or a new version of it when what it should hold has changed (steps 25-37)."""
    request = launch_template_request(lab.config, lab.run, image.image_id, group.group_id)
    found = ensure(
        lab,
        step="25-37",
        what="launch-template",
        key=lab.config.launch_template_name,
        by_id=lambda known: _same_id(_template(lab), known),
        by_tag=lambda: _template(lab),
        create=lambda: _created(lab, request),
        identify=lambda made: made.template_id,
    )
    wanted = (image.image_id, lab.config.instance_type, lab.config.key_name, group.group_id)
    if (found.image_id, found.instance_type, found.key_name, found.security_group_id) == wanted:
        return found
    return _new_version(lab, found, request)


def describe(lab: Lab) -> LaunchTemplate:
    """Find the run's launch template."""
    return demand(_template(lab), f"launch template {lab.config.launch_template_name}", NOTEBOOK)


def test_launch(lab: Lab, template: LaunchTemplate, subnet: Subnet) -> Instance:
    """Launch one instance from the template into a subnet (steps 38-39)."""
    name = name_of_test(lab.config, subnet)
    return ensure(
        lab,
        step="38-39",
        what="instance",
        key=name,
        by_id=lambda known: living(lab, known),
        by_tag=lambda: only(named(lab, name)),
        create=lambda: read(
            lab.ec2.run_instances(**test_launch_request(lab.config, lab.run, template, subnet))["Instances"][0]
        ),
        identify=lambda made: made.instance_id,
    )


def terminate(lab: Lab, chosen: Records[Instance]) -> Records[Instance]:
    """Terminate the test instances, wait for their end, and give them as they are then."""
    if not chosen:
        return chosen
    terminate_instances(lab, *chosen)
    wait_terminated(lab, *chosen)
    return described(lab, having("instance-id", *(it.instance_id for it in chosen)))


def test_instances(lab: Lab) -> Records[Instance]:
    """List the living test instances of both subnets."""
    return Records(it for name in lab.config.subnet_names for it in named(lab, f"{lab.config.test_name} {name}"))


def _created(lab: Lab, request: dict[str, Any]) -> LaunchTemplate:
    answer = lab.ec2.create_launch_template(**request)["LaunchTemplate"]
    return _read(answer, {"VersionNumber": 1, "LaunchTemplateData": request["LaunchTemplateData"]})


def _new_version(lab: Lab, found: LaunchTemplate, request: dict[str, Any]) -> LaunchTemplate:
    lab.ec2.create_launch_template_version(
        LaunchTemplateId=found.template_id,
        VersionDescription=request["VersionDescription"],
        LaunchTemplateData=request["LaunchTemplateData"],
    )
    changed = describe(lab)
    lab.ledger.note("25-37", "launch-template", id=found.template_id, key=found.name, **details(changed))
    return changed


def _template(lab: Lab) -> LaunchTemplate | None:
    name = lab.config.launch_template_name
    try:
        answer = lab.ec2.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"][0]
    except NotFound:
        return None
    refuse_foreign(lab, "launch template", name, answer.get("Tags"), "launch_template_name")
    latest = lab.ec2.describe_launch_template_versions(LaunchTemplateId=answer["LaunchTemplateId"], Versions=[LATEST])
    return _read(answer, latest["LaunchTemplateVersions"][0])


def _same_id(found: LaunchTemplate | None, known: str) -> LaunchTemplate | None:
    return found if found and found.template_id == known else None


def _read(answer: dict[str, Any], version: dict[str, Any]) -> LaunchTemplate:
    data = version["LaunchTemplateData"]
    interface = (data.get("NetworkInterfaces") or [{}])[0]
    return LaunchTemplate(
        name=answer["LaunchTemplateName"],
        template_id=answer["LaunchTemplateId"],
        version=version["VersionNumber"],
        default_version=answer["DefaultVersionNumber"],
        image_id=data.get("ImageId", ""),
        instance_type=data.get("InstanceType", ""),
        key_name=data.get("KeyName", ""),
        security_group_id=next(iter(interface.get("Groups") or ()), ""),
        public_address=bool(interface.get("AssociatePublicIpAddress")),
        delete_on_termination=bool(interface.get("DeleteOnTermination")),
    )


__all__ = [
    "LaunchTemplate",
    "create_launch_template",
    "describe",
    "launch_template_request",
    "template_data",
    "terminate",
    "test_instances",
    "test_launch",
    "test_launch_request",
    "wait_running",
]
