"""An instance's attributes, one at a time: DescribeInstanceAttribute and ModifyInstanceAttribute.

Type and user data can be changed only while the instance is stopped, as on AWS; security groups, termination
protection and the like at any time. A request changes one attribute, by its own member or in the older form
(``Attribute`` and ``Value``). Kernel, RAM disk and product codes are there and empty, as for any image of today.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from mglab.localcloud.api import ec2_types
from mglab.localcloud.api.ec2_documents import device_list
from mglab.localcloud.api.ec2_launch import checked_user_data
from mglab.localcloud.api.ec2_options import option_members
from mglab.localcloud.api.ec2_state import Instance, World, dry_run
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.moto_room import instance_type_exists

ATTRIBUTES: Mapping[str, str] = {
    "instanceType": "InstanceType",
    "kernel": "KernelId",
    "ramdisk": "RamdiskId",
    "userData": "UserData",
    "disableApiTermination": "DisableApiTermination",
    "disableApiStop": "DisableApiStop",
    "instanceInitiatedShutdownBehavior": "InstanceInitiatedShutdownBehavior",
    "rootDeviceName": "RootDeviceName",
    "blockDeviceMapping": "BlockDeviceMappings",
    "productCodes": "ProductCodes",
    "sourceDestCheck": "SourceDestCheck",
    "groupSet": "Groups",
    "ebsOptimized": "EbsOptimized",
    "sriovNetSupport": "SriovNetSupport",
    "enaSupport": "EnaSupport",
    "enclaveOptions": "EnclaveOptions",
}
"""What a request calls an attribute -> the member that carries it."""


class Attributes:
    """EC2's actions on an instance's attributes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def describe_instance_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Read one attribute."""
        instance = self._world.instance(params["InstanceId"])
        name = params["Attribute"]
        if name not in ATTRIBUTES:
            raise ApiError("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
        dry_run(params)
        return {"InstanceId": instance.instance_id, ATTRIBUTES[name]: self._value(instance, ATTRIBUTES[name])}

    def modify_instance_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change one attribute."""
        instance = self._world.instance(params["InstanceId"])
        asked = _in_new_form(params)
        named = [name for name in CHANGES if name in asked]
        if not named:
            raise ApiError("InvalidParameterCombination", "No attributes specified.")
        if len(named) > 1:
            message = "Fields for multiple attribute types specified: " + ", ".join(n[0].lower() + n[1:] for n in named)
            raise ApiError("InvalidParameterCombination", message)
        dry_run(params)
        CHANGES[named[0]](self._world, instance, asked[named[0]])
        return {}

    def reset_instance_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give an attribute its default again; of today's images only the source/destination check has one."""
        instance, name = self._world.instance(params["InstanceId"]), params["Attribute"]
        if name not in ("sourceDestCheck", "kernel", "ramdisk"):
            raise ApiError("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
        dry_run(params)
        if name == "sourceDestCheck":
            instance.source_dest_check = True
        return {}

    def _value(self, instance: Instance, member: str) -> Any:
        values: dict[str, Any] = {
            "InstanceType": {"Value": instance.instance_type},
            "UserData": {"Value": base64.b64encode(instance.user_data).decode()} if instance.user_data else {},
            "DisableApiTermination": {"Value": instance.refuses_termination},
            "DisableApiStop": {"Value": instance.refuses_stop},
            "SourceDestCheck": {"Value": instance.source_dest_check},
            "InstanceInitiatedShutdownBehavior": {"Value": instance.shutdown_behavior},
            "RootDeviceName": {"Value": "/dev/xvda"},
            "EbsOptimized": {"Value": instance.options.get("EbsOptimized", False)},
            "SriovNetSupport": {"Value": "simple"},
            "EnaSupport": {"Value": True},
            "EnclaveOptions": option_members(instance, fresh=False)["EnclaveOptions"],
            "Groups": [{"GroupId": group_id} for group_id in instance.interface.group_ids],
            "KernelId": {},
            "RamdiskId": {},
            "ProductCodes": [],
            "BlockDeviceMappings": [],
        }
        if member == "BlockDeviceMappings" and instance.volume_id in self._world.volumes:
            return device_list(self._world, instance)
        return values[member]


def _in_new_form(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a request whose attribute is a member of its own, whichever form it came in."""
    name = params.get("Attribute")
    if name is None:
        return params
    if name not in ATTRIBUTES:
        raise ApiError("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
    if "Value" not in params:
        return params
    return {**params, ATTRIBUTES[name]: {"Value": _typed(ATTRIBUTES[name], params["Value"])}}


def _typed(member: str, text: str) -> Any:
    if member in ("DisableApiTermination", "DisableApiStop", "SourceDestCheck", "EbsOptimized"):
        return text.lower() == "true"
    if member == "UserData":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ApiError("InvalidParameterValue", "Invalid BASE64 encoding of user data.") from None
    return text


def _set_groups(world: World, instance: Instance, group_ids: Any) -> None:
    instance.interface.group_ids = [_group(world, instance, group_id) for group_id in group_ids]


def _group(world: World, instance: Instance, group_id: str) -> str:
    if world.group(group_id).vpc_id != instance.interface.vpc_id:
        interface_id = instance.interface.interface_id
        message = f"Security group {group_id} and interface {interface_id} belong to different networks."
        raise ApiError("InvalidParameter", message)
    return group_id


def _set_devices(world: World, instance: Instance, mappings: Any) -> None:
    volume = world.volumes[instance.volume_id]
    for mapping in mappings:
        if mapping.get("DeviceName") != volume.device:
            message = f"No device is currently mapped at {mapping.get('DeviceName')}"
            raise ApiError("InvalidInstanceAttributeValue", message)
        volume.delete_on_termination = mapping.get("Ebs", {}).get("DeleteOnTermination", True)


def _set_refuses_termination(_: World, instance: Instance, asked: Any) -> None:
    instance.refuses_termination = asked.get("Value", False)


def _set_refuses_stop(_: World, instance: Instance, asked: Any) -> None:
    instance.refuses_stop = asked.get("Value", False)


def _set_source_dest_check(_: World, instance: Instance, asked: Any) -> None:
    instance.source_dest_check = asked.get("Value", True)


def _set_shutdown_behavior(_: World, instance: Instance, asked: Any) -> None:
    behavior = asked.get("Value")
    if behavior not in ("stop", "terminate"):
        message = f"Value ({behavior}) for parameter instanceInitiatedShutdownBehavior is invalid."
        raise ApiError("InvalidParameterValue", message)
    instance.shutdown_behavior = behavior


def _set_type(_: World, instance: Instance, asked: Any) -> None:
    _must_be_stopped(instance)
    name = str(asked.get("Value"))
    if not instance_type_exists(name):
        raise ApiError("InvalidInstanceAttributeValue", f"Invalid value '{name}' for InstanceType.")
    instance.instance_type = name
    instance.options.pop("CpuOptions", None)  # they were the old type's
    instance.cpu_credits = ec2_types.default_credits(name)


def _set_ebs_optimized(_: World, instance: Instance, asked: Any) -> None:
    _must_be_stopped(instance)
    instance.options["EbsOptimized"] = asked.get("Value", False)


def _set_user_data(_: World, instance: Instance, asked: Any) -> None:
    _must_be_stopped(instance)
    instance.user_data = checked_user_data(asked.get("Value", b""))


def _must_be_stopped(instance: Instance) -> None:
    if instance.life.state != "stopped":
        message = f"The instance '{instance.instance_id}' is not in the 'stopped' state."
        raise ApiError("IncorrectInstanceState", message)


CHANGES: Mapping[str, Callable[[World, Instance, Any], None]] = {
    "Groups": _set_groups,
    "BlockDeviceMappings": _set_devices,
    "DisableApiTermination": _set_refuses_termination,
    "DisableApiStop": _set_refuses_stop,
    "SourceDestCheck": _set_source_dest_check,
    "InstanceInitiatedShutdownBehavior": _set_shutdown_behavior,
    "InstanceType": _set_type,
    "EbsOptimized": _set_ebs_optimized,
    "UserData": _set_user_data,
}
"""The member that a change comes in -> what carries it out."""
