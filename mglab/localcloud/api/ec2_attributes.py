"""An instance's attributes, one at a time: DescribeInstanceAttribute and ModifyInstanceAttribute.

Type and user data can be changed only while the instance is stopped, as on AWS; security groups, termination
protection and the like at any time. Attributes that mean nothing here (kernel, sriov ...) are left out.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from mglab.localcloud.api.ec2_launch import checked_user_data
from mglab.localcloud.api.ec2_state import Instance, World, dry_run
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.moto_room import instance_type_exists


class Attributes:
    """EC2's actions on an instance's attributes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def describe_instance_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Read one attribute."""
        instance = self._world.instance(params["InstanceId"])
        name = params["Attribute"]
        member = "Groups" if name == "groupSet" else name[0].upper() + name[1:]
        values = self._values(instance)
        if member not in values:
            raise ApiError("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
        return {"InstanceId": instance.instance_id, member: values[member]}

    def modify_instance_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change one attribute."""
        instance = self._world.instance(params["InstanceId"])
        dry_run(params)
        if "Groups" in params:
            instance.interface.group_ids = [self._group(instance, group_id) for group_id in params["Groups"]]
        elif "DisableApiTermination" in params:
            instance.refuses_termination = params["DisableApiTermination"].get("Value", False)
        elif "DisableApiStop" in params:
            instance.refuses_stop = params["DisableApiStop"].get("Value", False)
        elif "SourceDestCheck" in params:
            instance.source_dest_check = params["SourceDestCheck"].get("Value", True)
        elif "InstanceInitiatedShutdownBehavior" in params:
            instance.shutdown_behavior = params["InstanceInitiatedShutdownBehavior"]["Value"]
        elif "InstanceType" in params:
            instance.instance_type = self._type(instance, params["InstanceType"])
        elif "UserData" in params:
            _must_be_stopped(instance)
            instance.user_data = checked_user_data(params["UserData"].get("Value", b""))
        else:
            raise ApiError("InvalidParameterCombination", "No attributes specified.")
        return {}

    def _values(self, instance: Instance) -> dict[str, Any]:
        return {
            "InstanceType": {"Value": instance.instance_type},
            "UserData": {"Value": base64.b64encode(instance.user_data).decode()} if instance.user_data else {},
            "DisableApiTermination": {"Value": instance.refuses_termination},
            "DisableApiStop": {"Value": instance.refuses_stop},
            "SourceDestCheck": {"Value": instance.source_dest_check},
            "InstanceInitiatedShutdownBehavior": {"Value": instance.shutdown_behavior},
            "RootDeviceName": {"Value": "/dev/xvda"},
            "EbsOptimized": {"Value": False},
            "Groups": [{"GroupId": group_id} for group_id in instance.interface.group_ids],
        }

    def _group(self, instance: Instance, group_id: str) -> str:
        group = self._world.group(group_id)
        if group.vpc_id != instance.interface.vpc_id:
            interface_id = instance.interface.interface_id
            message = f"Security group {group_id} and interface {interface_id} belong to different networks."
            raise ApiError("InvalidParameter", message)
        return group_id

    def _type(self, instance: Instance, wanted: Mapping[str, Any]) -> str:
        _must_be_stopped(instance)
        name = str(wanted.get("Value"))
        if not instance_type_exists(name):
            raise ApiError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
        return name


def _must_be_stopped(instance: Instance) -> None:
    if instance.life.state != "stopped":
        message = f"The instance '{instance.instance_id}' is not in the 'stopped' state."
        raise ApiError("IncorrectInstanceState", message)
