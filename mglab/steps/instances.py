"""Instances: the console's Instances page, shared by every step that starts, shows or ends some.

A record always shows name, id, state, zone, private and public address, as the sheet asks of every
screenshot. The public address is released when an instance stops or terminates (aws-facts 3.1); a
terminated one is still listed for about an hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mglab import waits
from mglab.config import RUN_TAG
from mglab.display import column
from mglab.errors import CheckFailed, UsageError
from mglab.session import Lab
from mglab.steps.ensure import Record, Records, details, having, tag, tagged

ALIVE = ("pending", "running", "stopping", "stopped")
LISTED = (*ALIVE, "shutting-down")
RUNNING_TIMEOUT_S = 600.0
GONE_TIMEOUT_S = 600.0
LOOK_EVERY_S = 5.0


@dataclass(frozen=True)
class Instance(Record):
    """An EC2 instance."""

    name: str = field(metadata=column("Name"))
    instance_id: str = field(metadata=column("Instance ID", "id"))
    state: str = field(metadata=column("Instance state", "status"))
    instance_type: str = field(metadata=column("Type"))
    zone: str = field(metadata=column("Availability Zone"))
    private_address: str = field(metadata=column("Private IPv4", "address"))
    public_address: str = field(metadata=column("Public IPv4", "address"))
    image_id: str = field(metadata=column("AMI", "id"))
    subnet_id: str = field(metadata=column("Subnet", "id"))
    launched_at: datetime = field(metadata=column("Launched", "time"))


def instance(lab: Lab, instance_id: str) -> Instance | None:
    """Give one instance by id, as it is now; None when EC2 does not list it."""
    return next(iter(described(lab, having("instance-id", instance_id))), None)


def instances(lab: Lab) -> Records[Instance]:
    """List the run's instances that are not terminated, by name and launch time (step 78)."""
    return described(lab, [*having(f"tag:{RUN_TAG}", lab.run), *having("instance-state-name", *LISTED)])


def named(lab: Lab, name: str) -> Records[Instance]:
    """List the run's living instances of one name."""
    return described(lab, [*tagged(lab.run, name), *having("instance-state-name", *ALIVE)])


def living(lab: Lab, instance_id: str) -> Instance | None:
    """Give an instance by id unless it has ended."""
    found = instance(lab, instance_id)
    return found if found and found.state in ALIVE else None


def described(lab: Lab, filters: list[dict[str, Any]]) -> Records[Instance]:
    """Read the instances that the filters let through."""
    pages = lab.ec2.get_paginator("describe_instances").paginate(Filters=filters)
    found = (it for page in pages for reservation in page["Reservations"] for it in reservation["Instances"])
    return Records(sorted(map(read, found), key=lambda it: (it.name, it.launched_at, it.instance_id)))


def read(answer: dict[str, Any]) -> Instance:
    """Make a record of EC2's answer."""
    return Instance(
        name=tag(answer.get("Tags"), "Name"),
        instance_id=answer["InstanceId"],
        state=answer["State"]["Name"],
        instance_type=answer["InstanceType"],
        zone=answer.get("Placement", {}).get("AvailabilityZone", ""),
        private_address=answer.get("PrivateIpAddress", ""),
        public_address=answer.get("PublicIpAddress", ""),
        image_id=answer["ImageId"],
        subnet_id=answer.get("SubnetId", ""),
        launched_at=answer["LaunchTime"],
    )


def wait_running(lab: Lab, *chosen: Instance, timeout_s: float = RUNNING_TIMEOUT_S) -> Records[Instance]:
    """Wait until the instances run, and give them with their addresses; files those in the ledger."""
    ids = [it.instance_id for it in chosen]
    waits.until(
        lab,
        look=lambda: summary(it.state for it in _by_ids(lab, ids)),
        is_done=lambda state: state == f"{len(ids)} running",
        is_failed=lambda state: any(word in state for word in ("terminated", "shutting-down", "stopp")),
        what=f"instance {', '.join(it.name or it.instance_id for it in chosen)}",
        timeout_s=timeout_s,
        interval_s=LOOK_EVERY_S,
    )
    running = _by_ids(lab, ids)
    for it in running:
        lab.ledger.note("running", "instance", id=it.instance_id, key=it.name, **details(it))
    return running


def terminate(lab: Lab, *chosen: Instance) -> Records[Instance]:
    """Terminate instances of this run, and give them as they are now; others are refused."""
    for it in chosen:
        _require_ours(lab, it.instance_id)
    lab.ec2.terminate_instances(InstanceIds=[it.instance_id for it in chosen])
    for it in chosen:
        lab.ledger.removed("terminate", "instance", it.name, it.instance_id, **details(it))
    return _by_ids(lab, [it.instance_id for it in chosen])


def wait_terminated(lab: Lab, *chosen: Instance, timeout_s: float = GONE_TIMEOUT_S) -> waits.Wait:
    """Wait until the instances have ended."""
    ids = [it.instance_id for it in chosen]
    return waits.until(
        lab,
        look=lambda: summary(it.state for it in _by_ids(lab, ids)) or "gone",
        is_done=lambda state: state in (f"{len(ids)} terminated", "gone"),
        what=f"end of {', '.join(it.name or it.instance_id for it in chosen)}",
        timeout_s=timeout_s,
        interval_s=LOOK_EVERY_S,
    )


def summary(states: Iterable[str]) -> str:
    """Count states in words: ``1 initial, 2 healthy``."""
    counted: dict[str, int] = {}
    for state in states:
        counted[state] = counted.get(state, 0) + 1
    return ", ".join(f"{number} {state}" for state, number in sorted(counted.items()))


def _by_ids(lab: Lab, ids: list[str]) -> Records[Instance]:
    return described(lab, having("instance-id", *ids)) if ids else Records()


def _require_ours(lab: Lab, instance_id: str) -> None:
    filters = [*having("instance-id", instance_id), *having(f"tag:{RUN_TAG}", lab.run)]
    if not described(lab, filters):
        if instance(lab, instance_id) is None:
            raise CheckFailed(f"there is no instance {instance_id}", hint="list them: instances.instances(lab)")
        raise UsageError(
            f"instance {instance_id} does not belong to run {lab.run}", hint="only instances of this run are ended here"
        )
