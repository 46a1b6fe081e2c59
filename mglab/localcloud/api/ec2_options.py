"""What an instance is told beside image and type: metadata service, CPU credits, and members only read back.

An infrastructure tool compares every member that it reads with what it asked for, or with AWS's default. Members that
mean nothing to a file tree with processes (enclaves, host names, recovery) are kept as asked and read back with AWS's
defaults for the rest. The metadata service's defaults are the image's (``ImdsSupport``), then the account's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mglab.localcloud.api import ec2_types
from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_state import ACCOUNT, Image, Instance, World, dry_run
from mglab.localcloud.api.faults import ApiError

READ_BACK: Mapping[str, Mapping[str, Any]] = {
    "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
    "EnclaveOptions": {"Enabled": False},
    "MaintenanceOptions": {"AutoRecovery": "default", "RebootMigration": "default"},
    "NetworkPerformanceOptions": {"BandwidthWeighting": "default"},
    "PrivateDnsNameOptions": {
        "HostnameType": "ip-name",
        "EnableResourceNameDnsARecord": False,
        "EnableResourceNameDnsAAAARecord": False,
    },
}
"""Members that are read back as they were asked for, with AWS's defaults."""
METADATA_DEFAULTS: Mapping[str, Any] = {
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": 1,
    "HttpEndpoint": "enabled",
    "HttpProtocolIpv6": "disabled",
    "InstanceMetadataTags": "disabled",
}
METADATA_BY_IMAGE: Mapping[str, Any] = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
"""What an image with ``ImdsSupport`` v2.0 makes of them."""
CREDITS = ("standard", "unlimited")
PROFILE = "LabInstanceProfile"
"""The one instance profile of a Learner Lab (aws-facts 5)."""


class Options:
    """EC2's actions on an instance's metadata options and CPU credits."""

    def __init__(self, world: World) -> None:
        self._world = world

    def modify_instance_metadata_options(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change how an instance's metadata service answers."""
        instance = self._world.instance(params["InstanceId"])
        changes = {name: params[name] for name in METADATA_DEFAULTS if name in params}
        if not changes:
            raise ApiError("InvalidParameterCombination", "No attributes specified.")
        _check_metadata(changes)
        dry_run(params)
        instance.metadata_options.update(changes)
        answered = {"State": "pending", **instance.metadata_options}
        return {"InstanceId": instance.instance_id, "InstanceMetadataOptions": answered}

    def modify_instance_maintenance_options(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change whether an instance recovers by itself, which is only read back here."""
        instance = self._world.instance(params["InstanceId"])
        asked = {name: params[name] for name in READ_BACK["MaintenanceOptions"] if name in params}
        for name, value in asked.items():
            if value not in ("default", "disabled"):
                raise ApiError("InvalidParameterValue", f"Value ({value}) for parameter {name} is invalid.")
        dry_run(params)
        instance.options.setdefault("MaintenanceOptions", {}).update(asked)
        told = option_members(instance, fresh=False)["MaintenanceOptions"]
        return {"InstanceId": instance.instance_id, **told}

    def modify_private_dns_name_options(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change what an instance's host name is made of, which is only read back here."""
        instance = self._world.instance(params["InstanceId"])
        dry_run(params)
        renamed = {**params, "HostnameType": params.get("PrivateDnsHostnameType")}
        asked = {name: renamed[name] for name in READ_BACK["PrivateDnsNameOptions"] if renamed.get(name) is not None}
        instance.options.setdefault("PrivateDnsNameOptions", {}).update(asked)
        return {"Return": True}

    def describe_iam_instance_profile_associations(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say which instances were launched with an instance profile."""
        world = self._world
        bearers = [i for i in world.instances.values() if i.instance_profile and i.life.state != "terminated"]
        readers: dict[str, Reader] = {"instance-id": lambda i: (i.instance_id,), "state": lambda i: ("associated",)}
        found = select(bearers, params.get("Filters", []), readers, lambda i: world.tags(i.instance_id))
        shown, token = page(found, params, least=5, beside=("AssociationIds", "associationIds"))
        return {"IamInstanceProfileAssociations": [_association(instance) for instance in shown], **token}

    def describe_instance_credit_specifications(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say what burstable instances do when their CPU credits are used up."""
        dry_run(params)
        world = self._world
        if params.get("InstanceIds"):
            asked = [world.instance(instance_id) for instance_id in params["InstanceIds"]]
        else:
            asked = [i for i in world.instances.values() if i.cpu_credits == "unlimited"]
        burstable = [i for i in asked if i.cpu_credits is not None and i.life.state != "terminated"]
        readers: dict[str, Reader] = {"instance-id": lambda i: (i.instance_id,)}
        found = select(burstable, params.get("Filters", []), readers, lambda i: world.tags(i.instance_id))
        shown, token = page(found, params, least=5, most=1000, beside=("InstanceIds", "instanceIdsSet"))
        said = [{"InstanceId": i.instance_id, "CpuCredits": i.cpu_credits} for i in shown]
        return {"InstanceCreditSpecifications": said, **token}

    def modify_instance_credit_specification(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change what burstable instances do when their CPU credits are used up."""
        wanted = params["InstanceCreditSpecifications"]
        instances = [(self._world.instance(each["InstanceId"]), each.get("CpuCredits", "")) for each in wanted]
        dry_run(params)
        done, undone = [], []
        for instance, credits in instances:
            if instance.cpu_credits is None or credits not in CREDITS:
                message = "The request can only be made for T2, T3, T3a and T4g instances."
                error = {"Code": "InstanceCreditSpecification.NotSupported", "Message": message}
                undone.append({"InstanceId": instance.instance_id, "Error": error})
            else:
                instance.cpu_credits = credits
                done.append({"InstanceId": instance.instance_id})
        return {
            "SuccessfulInstanceCreditSpecifications": done,
            "UnsuccessfulInstanceCreditSpecifications": undone,
        }


def asked_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what a launch asks of the members that are only read back."""
    told = {name: dict(params[name]) for name in READ_BACK if params.get(name)}
    for name in ("CpuOptions", "EbsOptimized"):
        if params.get(name) is not None:
            told[name] = params[name]
    return told


def metadata_options(image: Image, params: Mapping[str, Any]) -> dict[str, Any]:
    """Give the metadata options of a launch: asked for, else the image's, else AWS's; raises ApiError."""
    asked = {name: value for name, value in params.get("MetadataOptions", {}).items() if name in METADATA_DEFAULTS}
    _check_metadata(asked)
    by_image = METADATA_BY_IMAGE if image.metadata_service == "v2.0" else {}
    return {**METADATA_DEFAULTS, **by_image, **asked}


def cpu_credits(instance_type: str, params: Mapping[str, Any]) -> str | None:
    """Give the CPU credits of a launch: asked for, else the type's; raises ApiError."""
    usual = ec2_types.default_credits(instance_type)
    asked = params.get("CreditSpecification", {}).get("CpuCredits")
    if asked is not None and asked not in CREDITS:
        raise ApiError("InvalidParameterValue", f"Value ({asked}) for parameter CpuCredits is invalid.")
    return asked if asked is not None and usual is not None else usual


def instance_profile(params: Mapping[str, Any]) -> str | None:
    """Name the instance profile of a launch; raises ApiError unless it is the lab's."""
    asked = params.get("IamInstanceProfile") or {}
    name = asked.get("Name") or asked.get("Arn", "").rpartition("/")[2]
    if not name:
        return None
    if name != PROFILE:
        what = "name" if asked.get("Name") else "arn"
        message = f"Value ({asked.get('Name') or asked['Arn']}) for parameter iamInstanceProfile.{what} is invalid. "
        raise ApiError("InvalidParameterValue", f"{message}Invalid IAM Instance Profile {what}")
    return str(name)


def option_members(instance: Instance, *, fresh: bool) -> dict[str, Any]:
    """Describe an instance's options, each with AWS's default where nothing was asked; ``fresh`` as RunInstances."""
    told = instance.options
    members: dict[str, Any] = {name: {**usual, **told.get(name, {})} for name, usual in READ_BACK.items()}
    members["CpuOptions"] = told.get("CpuOptions") or ec2_types.cpu_options(instance.instance_type)
    members["EbsOptimized"] = told.get("EbsOptimized", False)
    members["MetadataOptions"] = {"State": "pending" if fresh else "applied", **instance.metadata_options}
    members["CurrentInstanceBootMode"] = ec2_types.boot_mode(instance.instance_type)
    if instance.instance_profile:
        arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/{instance.instance_profile}"
        members["IamInstanceProfile"] = {"Arn": arn, "Id": "AIPALOCALCLOUDPROFILE"}
    return members


def _association(instance: Instance) -> dict[str, Any]:
    return {
        "AssociationId": f"iip-assoc-{instance.instance_id.removeprefix('i-')}",
        "InstanceId": instance.instance_id,
        "IamInstanceProfile": option_members(instance, fresh=False)["IamInstanceProfile"],
        "State": "associated",
    }


def _check_metadata(asked: Mapping[str, Any]) -> None:
    allowed = {
        "HttpTokens": ("optional", "required"),
        "HttpEndpoint": ("enabled", "disabled"),
        "HttpProtocolIpv6": ("enabled", "disabled"),
        "InstanceMetadataTags": ("enabled", "disabled"),
        "HttpPutResponseHopLimit": range(1, 65),
    }
    for name, value in asked.items():
        if value not in allowed[name]:
            raise ApiError("InvalidParameterValue", f"Value ({value}) for parameter {name} is invalid.")
