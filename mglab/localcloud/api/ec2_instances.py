"""Instances: run, describe, stop, start, reboot, monitor, terminate; what the console's page "Instances" does.

A call only writes down what is wanted: a new life, another turn in one. ``advance`` (called with each tick)
moves the lives on and does what AWS does in between: maps a public address soon after launch or start,
takes it away when the instance has stopped, deletes interface and volume when it has terminated
(aws-facts 3.1). The processes themselves run elsewhere, by what ``machines`` of ``ec2`` says.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from mglab.localcloud.api.ec2_documents import instance_document, state_document, status_document, volume_document
from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_launch import admit, authorize, checked, launch, merged
from mglab.localcloud.api.ec2_state import ACCOUNT, Instance, World, dry_run, new_id, when
from mglab.localcloud.api.ec2_templates import find_template, find_version
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.lifecycle import (
    STATE_CODES,
    Life,
    WrongState,
    advance,
    listed,
    reboot,
    start,
    status,
    stop,
    terminate,
)

CONSOLE_BYTES = 64 * 1024  # EC2 keeps the last 64 KB of a console
_BY_USER = {
    "stopping": ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"),
    "shutting-down": ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"),
}


class Instances:
    """EC2's actions on instances."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._readers = _readers(world)

    # requests

    def run_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Start instances, from a request alone or with a launch template."""
        world, token = self._world, params.get("ClientToken", "")
        repeated = [i for i in world.instances.values() if token and i.client_token == token]
        if repeated:
            return self._reservation(repeated, fresh=True)
        template, extra_tags = self._template_of(params)
        whole = merged({k: v for k, v in params.items() if k != "LaunchTemplate"}, template)
        authorize(world, whole)
        order = checked(world, whole)
        dry_run(params)
        count = self._count(params, order.subnet_id)
        zone = world.subnet(order.subnet_id).availability_zone
        admit(world, [(order.instance_type, zone)] * count)
        reservation_id = new_id("r")
        made = [launch(world, order, index, reservation_id, token) for index in range(count)]
        for instance in made:
            world.tag(instance.instance_id, extra_tags)
        return self._reservation(made, fresh=True)

    def start_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Start stopped instances: a new public address, the same private one."""
        dry_run(params)
        stopped = [i for i in self._named(params) if i.life.state == "stopped"]
        admit(self._world, [(i.instance_type, i.interface.zone) for i in stopped])
        return {"StartingInstances": self._change(params, start)}

    def stop_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Stop running instances."""
        for instance in self._named(params):
            if instance.refuses_stop:
                message = (
                    f"The instance '{instance.instance_id}' may not be stopped. Modify its 'disableApiStop' instance "
                    "attribute and try again."
                )
                raise ApiError("OperationNotPermitted", message)
        return {"StoppingInstances": self._change(params, stop)}

    def terminate_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Terminate instances."""
        for instance in self._named(params):
            if instance.refuses_termination:  # aws-facts 3.7 row 28
                message = (
                    f"The instance '{instance.instance_id}' may not be terminated. Modify its 'disableApiTermination' "
                    "instance attribute and try again."
                )
                raise ApiError("OperationNotPermitted", message)
        return {"TerminatingInstances": self._change(params, terminate)}

    def reboot_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Boot running instances again; addresses are kept."""
        instances = self._named(params)
        dry_run(params)
        for instance in instances:
            if not instance.held_by:
                instance.life = _turned(instance, reboot, self._world.now())
        return {}

    def monitor_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Turn detailed monitoring on: one-minute points."""
        return self._monitored(params, True, "pending")

    def unmonitor_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Turn detailed monitoring off: five-minute points."""
        return self._monitored(params, False, "disabling")

    def describe_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """List instances by reservation, terminated ones for an hour."""
        found = self._select(self._asked_for(params), params)
        reservations: dict[str, list[Instance]] = {}
        for instance in found:
            reservations.setdefault(instance.reservation_id, []).append(instance)
        shown, token = page(list(reservations.values()), params)
        return {"Reservations": [self._reservation(instances) for instances in shown], **token}

    def describe_instance_status(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say what the status checks found, of running instances unless all are asked for."""
        instances = self._asked_for(params)
        if not params.get("IncludeAllInstances"):
            instances = [i for i in instances if i.life.state == "running"]
        shown, token = page(self._select(instances, params), params)
        now = self._world.now()
        found = [status_document(instance, now, self._world.cut_off_since(instance)) for instance in shown]
        return {"InstanceStatuses": found, **token}

    def get_console_output(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give what an instance's boots have printed."""
        instance = self._world.instance(params["InstanceId"])
        log = self._world.directory / "instances" / instance.instance_id / "var" / "log" / "console.log"
        text = log.read_bytes()[-CONSOLE_BYTES:] if log.is_file() else b""
        output = base64.b64encode(text).decode()
        return {"InstanceId": instance.instance_id, "Timestamp": when(self._world.now()), "Output": output}

    def describe_volumes(self, params: dict[str, Any]) -> dict[str, Any]:
        """List root volumes; an instance here has no other."""
        alive = [i for i in self._world.instances.values() if i.life.state != "terminated"]
        wanted = params.get("VolumeIds", [])
        unknown = set(wanted) - {i.volume_id for i in alive}
        if unknown:
            raise ApiError("InvalidVolume.NotFound", f"The volume '{min(unknown)}' does not exist.")
        readers: dict[str, Reader] = {
            "volume-id": lambda i: (i.volume_id,),
            "attachment.instance-id": lambda i: (i.instance_id,),
            "status": lambda i: ("in-use",),
        }
        chosen = [i for i in alive if not wanted or i.volume_id in wanted]
        found = select(chosen, params.get("Filters", []), readers, lambda i: self._world.tags(i.volume_id))
        return {"Volumes": [volume_document(self._world, instance) for instance in found]}

    # time

    def advance(self, now: float) -> None:
        """Move every instance on to where it stands now."""
        for instance in list(self._world.instances.values()):
            before = instance.life
            instance.life = advance(before, now)
            if instance.life.state != before.state:
                self._arrived(instance)
            if instance.life.state in ("pending", "running") and instance.wants_public_address:
                self._world.assign_public(instance.interface)
            if not listed(instance.life, now):
                self._forget(instance)

    def _arrived(self, instance: Instance) -> None:
        if instance.life.state in ("stopped", "terminated"):
            self._world.release_public(instance.interface)
        if instance.life.state == "terminated":
            if instance.interface.delete_on_termination:
                self._world.drop_interface(instance.interface)
            instance.interface.instance_id = None
            self._world.untag(instance.volume_id)

    def _forget(self, instance: Instance) -> None:
        del self._world.instances[instance.instance_id]
        self._world.untag(instance.instance_id)

    # parts

    def _template_of(self, params: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, str]]:
        named = params.get("LaunchTemplate")
        if not named:
            return {}, {}
        template = find_template(self._world, named.get("LaunchTemplateId"), named.get("LaunchTemplateName"))
        version = find_version(template, named.get("Version"))
        return version.data, template_tags(template.template_id, version.number)

    def _count(self, params: Mapping[str, Any], subnet_id: str) -> int:
        least, most = params.get("MinCount", 1), params.get("MaxCount", 1)
        if least < 1 or most < least:
            raise ApiError("InvalidParameterValue", f"Value ({most}) for parameter maxCount is invalid.")
        count: int = min(most, self._world.count_free_addresses(self._world.subnet(subnet_id)))
        if count < least:
            message = f"There are not enough free addresses in subnet '{subnet_id}' to satisfy the requested number."
            raise ApiError("InsufficientFreeAddressesInSubnet", message)
        return count

    def _monitored(self, params: Mapping[str, Any], monitoring: bool, answer: str) -> dict[str, Any]:
        instances = self._named(params)
        dry_run(params)
        for instance in instances:
            instance.monitoring = monitoring
        said = [{"InstanceId": instance.instance_id, "Monitoring": {"State": answer}} for instance in instances]
        return {"InstanceMonitorings": said}

    def _named(self, params: Mapping[str, Any]) -> list[Instance]:
        instance_ids = params.get("InstanceIds", [])
        unknown = [name for name in instance_ids if name.startswith("i-") and name not in self._world.instances]
        if len(unknown) > 1:
            message = f"The instance IDs '{', '.join(unknown)}' do not exist"
            raise ApiError("InvalidInstanceID.NotFound", message)
        return [self._world.instance(instance_id) for instance_id in instance_ids]

    def _asked_for(self, params: Mapping[str, Any]) -> list[Instance]:
        return self._named(params) if params.get("InstanceIds") else list(self._world.instances.values())

    def _change(self, params: Mapping[str, Any], turn: Callable[[Life, float], Life]) -> list[dict[str, Any]]:
        instances = self._named(params)
        dry_run(params)
        now = self._world.now()
        lives = [_turned(instance, turn, now) for instance in instances]
        return [self.turn(instance, life, now) for instance, life in zip(instances, lives, strict=True)]

    def turn(self, instance: Instance, life: Life, now: float) -> dict[str, Any]:
        """Put an instance on another turn of its life, at somebody's request, and describe the change."""
        before = instance.life
        if life is not before:
            instance.life = life
            instance.reason = _BY_USER.get(life.state)
            instance.transition = f"User initiated ({_gmt(now)})" if instance.reason else ""
            if life.state == "pending":
                instance.launched_at = now
        return {
            "InstanceId": instance.instance_id,
            "CurrentState": state_document(life.state),
            "PreviousState": state_document(before.state),
        }

    def _select(self, instances: Iterable[Instance], params: Mapping[str, Any]) -> list[Instance]:
        tags = self._world.tags
        return select(instances, params.get("Filters", []), self._readers, lambda i: tags(i.instance_id))

    def _reservation(self, instances: list[Instance], *, fresh: bool = False) -> dict[str, Any]:
        documents = [instance_document(self._world, instance, fresh=fresh) for instance in instances]
        return {
            "ReservationId": instances[0].reservation_id,
            "OwnerId": ACCOUNT,
            "Groups": [],
            "Instances": documents,
        }


def template_tags(template_id: str, version: int) -> dict[str, str]:
    """Give the tags that EC2 itself puts on what it launches from a template."""
    return {"aws:ec2launchtemplate:id": template_id, "aws:ec2launchtemplate:version": str(version)}


def _turned(instance: Instance, turn: Callable[[Life, float], Life], now: float) -> Life:
    try:
        return turn(instance.life, now)
    except WrongState as wrong:
        what = turn.__name__
        message = f"The instance '{instance.instance_id}' is not in a state from which it can be {_PAST[what]}."
        code = "IncorrectState" if wrong.state == "terminated" else "IncorrectInstanceState"
        raise ApiError(code, message) from wrong


_PAST = {"start": "started", "stop": "stopped", "reboot": "rebooted", "terminate": "terminated"}


def _gmt(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} GMT"


def _readers(world: World) -> dict[str, Reader]:
    """Map the filters of DescribeInstances and DescribeInstanceStatus to what they read."""

    def attached(read: Callable[[Instance], str | None]) -> Reader:
        return lambda i: () if i.life.state == "terminated" else (read(i),)

    def checks(i: Instance) -> tuple[str, ...]:
        return ("impaired" if world.cut_off_since(i) is not None else status(i.life, world.now()),)

    return {
        "instance-id": lambda i: (i.instance_id,),
        "instance-state-name": lambda i: (i.life.state,),
        "instance-state-code": lambda i: (str(STATE_CODES[i.life.state]),),
        "instance-type": lambda i: (i.instance_type,),
        "image-id": lambda i: (i.image_id,),
        "key-name": lambda i: (i.key_name,),
        "reservation-id": lambda i: (i.reservation_id,),
        "client-token": lambda i: (i.client_token,),
        "monitoring-state": lambda i: ("enabled" if i.monitoring else "disabled",),
        "launch-index": lambda i: (str(i.launch_index),),
        "availability-zone": lambda i: (i.interface.zone,),
        "vpc-id": attached(lambda i: i.interface.vpc_id),
        "subnet-id": attached(lambda i: i.interface.subnet_id),
        "network-interface.subnet-id": attached(lambda i: i.interface.subnet_id),
        "network-interface.vpc-id": attached(lambda i: i.interface.vpc_id),
        "network-interface.network-interface-id": attached(lambda i: i.interface.interface_id),
        "private-ip-address": attached(lambda i: i.interface.private_address),
        "ip-address": attached(lambda i: i.interface.public_address),
        "dns-name": attached(lambda i: world.public_name(i.interface.vpc_id, i.interface.public_address)),
        "instance.group-id": lambda i: i.interface.group_ids,
        "network-interface.group-id": lambda i: i.interface.group_ids,
        "instance-status.status": checks,
        "system-status.status": checks,
    }
