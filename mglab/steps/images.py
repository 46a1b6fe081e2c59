"""Images and the first server: the Preliminary. Project 2's image + a health check = this project's image.

A network load balancer asks for proof of life by opening a TCP connection, which may hold up a server that
serves one client at a time; so a tiny server on a port of its own is added to the image. This module takes
the image of Project 2, starts a server from it with user-data that adds the health check, reboots it so
that ``run.sh`` runs, tries the port as telnet would, and makes the new image.

The first server lives in the default VPC (ours comes with step 2), with a small security group of its own.
CreateImage reboots the instance unless told otherwise (aws-facts 3.2), and an image takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mglab import waits
from mglab.config import RUN_TAG, Config, servers_folder
from mglab.display import column
from mglab.errors import CheckFailed, UsageError
from mglab.session import Lab
from mglab.steps import network, security, userdata
from mglab.steps.ensure import (
    Record,
    Records,
    details,
    ensure,
    ensure_done,
    having,
    only,
    tag,
    tag_specification,
    tagged,
)
from mglab.steps.instances import Instance, living, named, read, wait_running
from mglab.steps.probing import Transcript, telnet, wait_port

__all__ = [
    "Image",
    "Transcript",
    "amazon_linux_image",
    "console",
    "create_image",
    "health_check_user_data",
    "image",
    "launch_server",
    "project2_image",
    "reboot",
    "server",
    "telnet",
    "wait_console",
    "wait_image",
    "wait_port",
    "wait_running",
]

AMAZON_LINUX_NAME = "al2023-ami-2023.*-x86_64"
IMAGE_TIMEOUT_S = 1800.0
CONSOLE_TIMEOUT_S = 900.0
NOTEBOOK = "01_server_and_image"


@dataclass(frozen=True)
class Image(Record):
    """An Amazon Machine Image."""

    name: str = field(metadata=column("AMI name"))
    image_id: str = field(metadata=column("AMI ID", "id"))
    state: str = field(metadata=column("Status", "status"))
    created: str = field(metadata=column("Created", "time"))
    owner: str = field(metadata=column("Owner"))
    description: str = field(metadata=column("Description"))


# -- images that are there ----------------------------------------------------------------------------------


def project2_image(lab: Lab) -> Image:
    """Find the image made in Project 2: as told by ``image_id``, else the newest of one's own by name."""
    if lab.config.image_id:
        return _told_image(lab, lab.config.image_id)
    own = lab.ec2.describe_images(Owners=["self"], Filters=having("name", lab.config.project2_image_name))["Images"]
    found = newest(it for it in own if not tag(it.get("Tags"), RUN_TAG))
    if found is None:
        raise CheckFailed(
            f"no image of your own is named like {lab.config.project2_image_name!r}",
            hint="give the one made in Project 2: image_id=ami-..., or its name: project2_image_name='...*'",
        )
    return found


def amazon_linux_image(lab: Lab) -> Image:
    """Find the newest Amazon Linux 2023 image."""
    filters = [*having("name", AMAZON_LINUX_NAME), *having("state", "available")]
    found = newest(lab.ec2.describe_images(Owners=["amazon"], Filters=filters)["Images"])
    if found is None:
        raise CheckFailed(f"{lab.region} offers no image {AMAZON_LINUX_NAME}", hint="give one: image_id=ami-...")
    return found


def image(lab: Lab) -> Image:
    """Find the run's image: the one with the health check."""
    found = only(_images(lab, tagged(lab.run, lab.config.image_name)))
    if found is None:
        raise CheckFailed(f"run {lab.run} has no image yet", hint=f"run notebook {NOTEBOOK} first")
    return found


def newest(answers: Iterable[dict[str, Any]]) -> Image | None:
    """Choose the newest available image."""
    ready = [it for it in answers if it["State"] == "available"]
    return _image(max(ready, key=lambda it: it["CreationDate"])) if ready else None


# -- the first server ---------------------------------------------------------------------------------------


def health_check_user_data(lab: Lab, servers: Path | None = None) -> str:
    """Write the user-data that adds ``HealthCheck.py`` to the server and to its ``run.sh`` (Preliminary 2-3)."""
    file = (servers or servers_folder()) / "HealthCheck.py"
    try:
        return userdata.health_check_config(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", hint="servers/ holds what goes into the image") from None


def first_server_request(
    config: Config, run: str, *, image_id: str, user_data: str, subnet_id: str, group_id: str
) -> dict[str, Any]:
    """Say what RunInstances is asked for the first server."""
    return {
        "ImageId": image_id,
        "InstanceType": config.instance_type,
        "KeyName": config.key_name,
        "MinCount": 1,
        "MaxCount": 1,
        "UserData": user_data,
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": subnet_id,
                "AssociatePublicIpAddress": True,
                "DeleteOnTermination": True,
                "Groups": [group_id],
            }
        ],
        "TagSpecifications": tag_specification(run, config.server_name, "instance", "volume"),
    }


def launch_server(lab: Lab, chosen: Image, user_data: str) -> Instance:
    """Start the first server in the default VPC, its ports open (Preliminary 1-2)."""
    return ensure(
        lab,
        step="P1-2",
        what="instance",
        key=lab.config.server_name,
        by_id=lambda known: living(lab, known),
        by_tag=lambda: only(named(lab, lab.config.server_name)),
        create=lambda: _launched(lab, chosen, user_data),
        identify=lambda made: made.instance_id,
    )


def server(lab: Lab) -> Instance:
    """Find the run's first server, if it lives."""
    found = only(named(lab, lab.config.server_name))
    if found is None:
        raise CheckFailed(f"the first server of run {lab.run} is not there", hint=f"run notebook {NOTEBOOK} first")
    return found


def console(lab: Lab, instance: Instance) -> str:
    """Read the instance's console log; EC2 posts it some time after the boot."""
    return str(lab.ec2.get_console_output(InstanceId=instance.instance_id).get("Output", ""))


def wait_console(
    lab: Lab, instance: Instance, text: str = userdata.LAST_WORDS, *, timeout_s: float = CONSOLE_TIMEOUT_S
) -> str:
    """Wait until the console log holds the text (the user-data's last words), and give the log (Preliminary 3)."""
    waits.until(
        lab,
        look=lambda: "posted" if text in console(lab, instance) else "not yet",
        is_done=lambda state: state == "posted",
        what=f"console log of {instance.name}",
        timeout_s=timeout_s,
        interval_s=10.0,
    )
    return console(lab, instance)


def reboot(lab: Lab, instance: Instance, *, again: bool = False) -> Instance:
    """Reboot the instance, once in its life unless ``again``; it keeps id and addresses (Preliminary 4-5)."""
    ensure_done(
        lab,
        step="P4-5",
        what="reboot",
        key=instance.instance_id,
        is_done=lambda: not again and _was_rebooted(lab, instance),
        do=lambda: lab.ec2.reboot_instances(InstanceIds=[instance.instance_id]),
    )
    return instance


def default_subnet(lab: Lab) -> tuple[str, str]:
    """Find the default VPC and its subnet in a zone that offers the instance type."""
    filters = [*having("default-for-az", "true"), *having("availability-zone", *network.zones(lab))]
    found = sorted(lab.ec2.describe_subnets(Filters=filters)["Subnets"], key=lambda it: it["AvailabilityZone"])
    if not found:
        raise CheckFailed(
            f"this account has no default VPC in {lab.region}", hint="make one: aws ec2 create-default-vpc"
        )
    return found[0]["VpcId"], found[0]["SubnetId"]


def first_security_group(lab: Lab, vpc_id: str) -> security.SecurityGroup:
    """Make the first server's security group in the default VPC: SSH, the service and the health check."""
    default_vpc = network.Vpc(name="default", vpc_id=vpc_id, state="available", cidr="")
    group = security.create_security_group(lab, default_vpc, name=lab.config.first_security_group_name)
    for port in (security.SSH_PORT, lab.config.service_port, lab.config.health_port):
        security.allow(lab, group, port)
    return group


def _launched(lab: Lab, chosen: Image, user_data: str) -> Instance:
    security.create_key_pair(lab)
    vpc_id, subnet_id = default_subnet(lab)
    request = first_server_request(
        lab.config,
        lab.run,
        image_id=chosen.image_id,
        user_data=user_data,
        subnet_id=subnet_id,
        group_id=first_security_group(lab, vpc_id).group_id,
    )
    return read(lab.ec2.run_instances(**request)["Instances"][0])


def _was_rebooted(lab: Lab, instance: Instance) -> bool:
    notes = (it for it in lab.ledger.entries() if (it.kind, it.what) == ("note", "reboot"))
    return any(it.key == instance.instance_id for it in notes)


# -- the new image ------------------------------------------------------------------------------------------


def image_request(config: Config, run: str, instance_id: str) -> dict[str, Any]:
    """Say what CreateImage is asked (Preliminary 6); image names are unique in an account."""
    return {
        "InstanceId": instance_id,
        "Name": f"{config.image_name}-{run}",
        "Description": "MusicGuru server with a health check",
        "TagSpecifications": tag_specification(run, config.image_name, "image", "snapshot"),
    }


def create_image(lab: Lab, instance: Instance) -> Image:
    """Make the image with the health check from the instance; it is ``pending`` for minutes (Preliminary 6)."""
    return ensure(
        lab,
        step="P6",
        what="image",
        key=lab.config.image_name,
        by_id=lambda known: only(_images(lab, having("image-id", known))),
        by_tag=lambda: only(_images(lab, tagged(lab.run, lab.config.image_name))),
        create=lambda: _imaged(lab, image_request(lab.config, lab.run, instance.instance_id)),
        identify=lambda made: made.image_id,
    )


def wait_image(lab: Lab, made: Image, *, timeout_s: float = IMAGE_TIMEOUT_S) -> Image:
    """Wait until the image is available, and give it as it is then."""
    waits.until(
        lab,
        look=lambda: _told_image(lab, made.image_id).state,
        is_done=lambda state: state == "available",
        is_failed=lambda state: state in ("failed", "invalid", "error", "deregistered"),
        what=f"image {made.name}",
        timeout_s=timeout_s,
        interval_s=15.0,
    )
    ready = _told_image(lab, made.image_id)
    lab.ledger.note("P6", "image", id=ready.image_id, key=lab.config.image_name, **details(ready))
    return ready


def _imaged(lab: Lab, request: dict[str, Any]) -> Image:
    image_id = lab.ec2.create_image(**request)["ImageId"]
    return Image(request["Name"], image_id, "pending", "", lab.account, request["Description"])


def _told_image(lab: Lab, image_id: str) -> Image:
    found = only(_images(lab, having("image-id", image_id)))
    if found is None:
        raise CheckFailed(f"there is no image {image_id} in {lab.region}", hint="look at its id, and at the region")
    return found


def _images(lab: Lab, filters: list[dict[str, Any]]) -> Records[Image]:
    return Records(map(_image, lab.ec2.describe_images(Filters=filters)["Images"]))


def _image(answer: dict[str, Any]) -> Image:
    return Image(
        name=answer.get("Name", ""),
        image_id=answer["ImageId"],
        state=answer["State"],
        created=answer.get("CreationDate", ""),
        owner=answer.get("OwnerId", ""),
        description=answer.get("Description", ""),
    )
