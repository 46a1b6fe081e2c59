"""Instances: run, describe, stop, start, reboot, monitor, terminate; what the console's page "Instances" does.

A call only writes down what is wanted: a new life, another turn in one. ``advance`` (called with each tick)
moves the lives on and does what AWS does in between: maps a public address soon after launch or start,
takes it away when the instance has stopped, deletes interface and volume when it has terminated
(aws-facts 3.1). ``observe`` takes in whose processes have ended by themselves, told to or not. The processes
run elsewhere, by what ``machines`` of ``ec2`` says.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from mglab.localcloud.api import ec2_volumes
from mglab.localcloud.api.ec2_documents import instance_document, state_document, status_document
from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_instance_filters import instance_readers, status_readers
from mglab.localcloud.api.ec2_launch import admit, authorize, checked, launch, merged
from mglab.localcloud.api.ec2_state import ACCOUNT, Instance, World, dry_run, new_id, when
from mglab.localcloud.api.ec2_templates import find_template, find_version
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.lifecycle import (
    Life,
    WrongState,
    advance,
    host_restarted,
    listed,
    power,
    reboot,
    start,
    stop,
    terminate,
)
from mglab.localcloud.seam import MachineReport

CONSOLE_BYTES = 64 * 1024  # EC2 keeps the last 64 KB of a console
_PENDING = ("pending", "pending")
_BY_INSTANCE = ("Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown")
_BY_USER = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
_LOST = ("Server.InternalError", "Server.InternalError: Internal error on launch")


class Instances:
    """EC2's actions on instances."""

    def __init__(self, world: World) -> None:
        self._world = world

    # requests

    def run_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Start instances, from a request alone or with a launch template."""
        world, token = self._world, params.get("ClientToken", "")
        asked = _fingerprint(params)
        repeated = [i for i in world.instances.values() if token and i.client_token == token]
        if repeated:
            _check_same(repeated[0], asked)
            return self._reservation(repeated)
        template, extra_tags = self._template_of(params)
        whole = merged({k: v for k, v in params.items() if k != "LaunchTemplate"}, template)
        authorize(world, whole)
        order = checked(world, whole)
        count = self._count(params, order.subnet_id)
        zone = world.subnet(order.subnet_id).availability_zone
        dry_run(params)
        admit(world, [(order.instance_type, zone)] * count)
        reservation_id = new_id("r")
        made = [launch(world, order, index, reservation_id, token) for index in range(count)]
        for instance in made:
            instance.fingerprint = asked
            world.tag(instance.instance_id, extra_tags)
        return self._reservation(made, fresh=True)

    def start_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Start stopped instances: a new public address, the same private one."""
        stopped = [i for i in self._named(params) if i.life.state == "stopped"]
        admit(self._world, [(i.instance_type, i.interface.zone) for i in stopped])
        return {"StartingInstances": self._change(params, start)}

    def stop_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        """Stop running instances."""
        if params.get("Hibernate"):
            message = "The instances that the local cloud launches are not configured for hibernation."
            raise ApiError("UnsupportedHibernationConfiguration", message)
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
        dry_run(params)
        found = self._select(self._asked_for(params), params, instance_readers(self._world))
        reservations: dict[str, list[Instance]] = {}
        for instance in found:
            reservations.setdefault(instance.reservation_id, []).append(instance)
        shown, token = page(list(reservations.values()), params, least=5, beside=("InstanceIds", "instancesSet"))
        return {"Reservations": [self._reservation(instances) for instances in shown], **token}

    def describe_instance_status(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say what the status checks found, of running instances unless all are asked for."""
        dry_run(params)
        instances = self._asked_for(params)
        if not params.get("IncludeAllInstances"):
            instances = [i for i in instances if i.life.state == "running"]
        found = self._select(instances, params, status_readers(self._world))
        shown, token = page(found, params, least=5, beside=("InstanceIds", "instancesSet"))
        return {"InstanceStatuses": [status_document(self._world, instance) for instance in shown], **token}

    def get_console_output(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give what an instance's boots have printed."""
        instance = self._world.instance(params["InstanceId"])
        dry_run(params)
        log = self._world.directory / "instances" / instance.instance_id / "var" / "log" / "console.log"
        text = log.read_bytes()[-CONSOLE_BYTES:] if log.is_file() else b""
        output = base64.b64encode(text).decode()
        return {"InstanceId": instance.instance_id, "Timestamp": when(self._world.now()), "Output": output}

    # time

    def observe(self, machines: Iterable[MachineReport]) -> None:
        """Take in whose processes have ended by themselves: told to from inside, or by accident."""
        now = self._world.now()
        for machine in machines:
            instance = self._world.instances.get(machine.instance_id)
            if instance is None or power(instance.life) == "off" or machine.boots != instance.life.boots:
                continue  # not a word on the boot that it is in
            if machine.power == "on":
                instance.off_since = None
            elif machine.powered_off:
                self._shut_down_from_inside(instance, now)
            elif instance.off_since is None:
                instance.off_since = now

    def _shut_down_from_inside(self, instance: Instance, now: float) -> None:
        turn = terminate if instance.shutdown_behavior == "terminate" else stop
        instance.life = turn(instance.life, now)
        instance.reason, instance.transition = _BY_INSTANCE, "User initiated"

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

    def host_restarted(self, now: float, lost: Collection[str]) -> None:
        """Boot again what ran; end what has lost its disk, as EC2 does what it cannot start."""
        self.advance(now)
        for instance in list(self._world.instances.values()):
            if instance.instance_id in lost:
                self.turn(instance, terminate(instance.life, now), now)
                instance.reason = _LOST if instance.life.state == "shutting-down" else instance.reason
            else:
                instance.life = host_restarted(instance.life, now)

    def _arrived(self, instance: Instance) -> None:
        instance.off_since = None
        if instance.life.state == "running":
            instance.reason, instance.transition = None, ""
        if instance.life.state in ("stopped", "terminated"):
            self._world.release_public(instance.interface)
        if instance.life.state == "terminated":
            if instance.interface.delete_on_termination:
                self._world.drop_interface(instance.interface)
            instance.interface.instance_id = None
            ec2_volumes.part(self._world, self._world.volumes[instance.volume_id])

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
            message = (
                f"There are not enough free addresses in subnet '{subnet_id}' to satisfy the requested number of "
                "instances."
            )
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
            if life.state == "pending":
                instance.launched_at, instance.reason, instance.transition = now, _PENDING, ""
            else:
                instance.reason, instance.transition = _BY_USER, f"User initiated ({_gmt(now)})"
        return {
            "InstanceId": instance.instance_id,
            "CurrentState": state_document(life.state),
            "PreviousState": state_document(before.state),
        }

    def _select(
        self, instances: Iterable[Instance], params: Mapping[str, Any], readers: Mapping[str, Reader]
    ) -> list[Instance]:
        tags = self._world.tags
        return select(instances, params.get("Filters", []), readers, lambda i: tags(i.instance_id))

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
        raise ApiError("IncorrectInstanceState", _wrong_state(instance, turn.__name__, wrong.state)) from wrong


def _wrong_state(instance: Instance, what: str, state: str) -> str:
    name = f"nstance '{instance.instance_id}'"
    if what == "stop" and state == "pending" and instance.life.boots == 1:
        return f"I{name} cannot be stopped as it has never reached the 'running' state."
    if what == "stop":
        return f"This i{name} is not in a state from which it can be stopped."
    return f"The i{name} is not in a state from which it can be {_PAST[what]}."


_PAST = {"start": "started", "reboot": "rebooted", "terminate": "terminated"}


def _fingerprint(params: Mapping[str, Any]) -> str:
    """Tell a request from any other, its client token and DryRun aside."""
    told = {name: value for name, value in params.items() if name not in ("ClientToken", "DryRun")}
    return hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()


def _check_same(instance: Instance, asked: str) -> None:
    if instance.fingerprint != asked:
        message = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
        raise ApiError("IdempotentParameterMismatch", message)


def _gmt(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} GMT"
