"""Trial instances outside the group: the same server from the image, and from a plain image by user-data.

Both ways start in one of our subnets, with the template's security group, type and key, so that nothing differs but
how the server comes to be there. The user-data writes the files of ``servers/`` and runs ``run.sh``: what the
Preliminary does to an image once, each such instance does at its first boot. They are ended when they have answered;
what a broken-off trial left is found by its tags and ended first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mglab.config import Config, servers_folder
from mglab.errors import UsageError
from mglab.session import Lab
from mglab.steps import images, instances, templates, userdata
from mglab.steps.ensure import Records, details, tag_specification
from mglab.steps.instances import Instance, named, read
from mglab.steps.network import Subnet
from mglab.steps.templates import LaunchTemplate

FROM_IMAGE, FROM_USER_DATA = "pre-baked image", "user-data"
WAYS = (FROM_IMAGE, FROM_USER_DATA)
TIMES = 2
"""How often each way is tried, in a zone each: with the group's three, within a Learner Lab's nine (aws-facts 5)."""
AT_ONCE = TIMES * len(WAYS)
FILES = ("MusicGuruServer.py", "HealthCheck.py", "run.sh", "songs.csv")


@dataclass(frozen=True)
class Recipe:
    """What an instance is started from: an image, and what its first boot adds."""

    way: str
    image_id: str
    user_data: bytes = b""


def recipe(lab: Lab, way: str, servers: Path | None = None) -> Recipe:
    """Say what one way of bringing the server starts from."""
    if way == FROM_IMAGE:
        return Recipe(way, images.image(lab).image_id)
    folder = servers or servers_folder()
    try:
        files = {name: (folder / name).read_text("utf-8") for name in FILES}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{folder} cannot be read: {error}", hint="servers/ holds what an instance runs") from None
    return Recipe(way, images.amazon_linux_image(lab).image_id, userdata.server_config(files))


def name_of(config: Config, way: str) -> str:
    """Name the trial instances of one way."""
    return f"{config.test_name} {way}"


def request(config: Config, run: str, chosen: Recipe, template: LaunchTemplate, subnet: Subnet) -> dict[str, Any]:
    """Say what RunInstances is asked for one trial instance."""
    interface = {
        "DeviceIndex": 0,
        "SubnetId": subnet.subnet_id,
        "AssociatePublicIpAddress": True,
        "DeleteOnTermination": True,
        "Groups": [template.security_group_id],
    }
    asked = {
        "ImageId": chosen.image_id,
        "InstanceType": template.instance_type,
        "KeyName": template.key_name,
        "MinCount": 1,
        "MaxCount": 1,
        "NetworkInterfaces": [interface],
        "TagSpecifications": tag_specification(run, name_of(config, chosen.way), "instance", "volume"),
    }
    return {**asked, "UserData": chosen.user_data} if chosen.user_data else asked


def launch(lab: Lab, chosen: Recipe, subnet: Subnet) -> Instance:
    """Start one trial instance; it is in the ledger before it is anywhere else."""
    name, template = name_of(lab.config, chosen.way), templates.describe(lab)
    lab.ledger.intent("86", "instance", name)
    made = read(lab.ec2.run_instances(**request(lab.config, lab.run, chosen, template, subnet))["Instances"][0])
    lab.ledger.made("86", "instance", name, made.instance_id, **details(made))
    return made


def living(lab: Lab) -> Records[Instance]:
    """List the trial instances that there are."""
    return Records(one for way in WAYS for one in named(lab, name_of(lab.config, way)))


def end(lab: Lab) -> None:
    """Terminate every trial instance of this run, those of a trial that broke off included."""
    if found := living(lab):
        instances.terminate(lab, *found)
