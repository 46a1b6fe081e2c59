"""Remove everything a run made, in the order that works, and say what is left.

Each kind is listed by its tag at its turn, removed, and seen to be gone before the next one's turn
(aws-facts 3.6): the group first, or it would replace the instances; then the balancer, whose interfaces
outlive it by minutes and hold on to subnets and gateway; and so on down to the VPC, the image and its
snapshots. "Still in use" is asked again for a while, in lab time; what somebody else hung into our VPC is
not touched; it is what then holds it up, and is named.

Nothing without our run's tag is ever removed, and one failure does not stop the rest: what could not be
removed is named at the end, with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from mglab import waits
from mglab.display import column
from mglab.errors import AwsError, CheckFailed, NotFound, TeardownIncomplete, WaitTimedOut
from mglab.ledger import Patient
from mglab.session import Lab
from mglab.steps.ensure import Record, Records, having
from mglab.steps.holding import holders
from mglab.steps.inventory import LISTINGS, Found, everything, interfaces_of, of_kind

IN_USE_TIMEOUT_S = 600.0
GONE_TIMEOUT_S = 1800.0
LOOK_EVERY_S = 10.0
STILL_IN_USE = frozenset(
    {
        *("DependencyViolation", "ResourceInUse", "InvalidSnapshot.InUse", "VolumeInUse"),
        *("ScalingActivityInProgress", "ResourceContention", "IncorrectState"),
    }
)


@dataclass(frozen=True)
class Removal(Record):
    """One resource and what became of it."""

    what: str = field(metadata=column("Resource"))
    name: str = field(metadata=column("Name"))
    resource_id: str = field(metadata=column("ID", "id"))
    outcome: str = field(metadata=column("Outcome", "status"))
    at: datetime = field(metadata=column("At", "time"))
    reason: str = field(metadata=column("Reason"))


def plan(found: Iterable[Found]) -> Records[Found]:
    """Put resources in the order of their removal."""
    order = list(LISTINGS)
    return Records(sorted(found, key=lambda it: (order.index(it.what), it.name, it.resource_id)))


def inventory(lab: Lab) -> Records[Found]:
    """List what the run has in the account: what ``teardown`` would remove, in its order."""
    return plan(everything(lab, lab.run))


def orphans(lab: Lab, run: str | None = None) -> Records[Found]:
    """List everything in the account that carries a run's tag, whatever any ledger says."""
    return plan(everything(lab, run))


def teardown(lab: Lab) -> Records[Removal]:
    """Remove everything of the run, kind by kind; raises TeardownIncomplete that names what is left.

    A ledger that cannot be written (a full disk) holds up nothing: what is missing in it is said at the end.
    """
    ledger = Patient(lab.ledger.path, lab.ledger.clock, lab.ledger.place)
    lab = replace(lab, ledger=ledger)
    removals = Records(removal for what in LISTINGS for removal in _remove_kind(lab, what))
    require_nothing_left(lab, removals)
    _close_ledger(lab)
    if ledger.lost:
        words = f"✗ {len(ledger.lost)} lines are missing in the ledger: {ledger.lost[0].message}"
        waits.StatusLine().show(words)
    return removals


def require_nothing_left(lab: Lab, removals: Iterable[Removal] = ()) -> None:
    """Look again for everything of the run; raises TeardownIncomplete that names what is left, and why."""
    reasons = {it.resource_id: it.reason for it in removals}
    lines = []
    for what in LISTINGS:
        left, refusal = _listed(lab, what)
        lines += [f"{what} {it.name} {it.resource_id}: {reasons.get(it.resource_id) or 'still there'}" for it in left]
        lines += [f"every {what}: could not be looked for: {refusal}"] if refusal else []
    if lines:
        raise TeardownIncomplete(
            "something of the run is left, or may be, and may cost money:\n  " + "\n  ".join(lines),
            hint="run the teardown again; what is not ours inside our VPC must be removed by hand first",
        )


def _remove_kind(lab: Lab, what: str) -> list[Removal]:
    """Remove all of one kind, then wait until none of it is seen any more."""
    batch, refusal = _listed(lab, what)
    if refusal:
        return [Removal(what, "", "", "failed", lab.clock.now(), refusal)]
    removals = [_remove(lab, found) for found in batch]
    reason = _wait_gone(lab, batch) if what in LINGERING else ""
    return [_with_reason(it, reason) for it in removals]


def _listed(lab: Lab, what: str) -> tuple[Records[Found], str]:
    """List the run's resources of one kind, or say why AWS does not let us."""
    try:
        return of_kind(lab, what, lab.run), ""
    except AwsError as error:
        return Records(), error.message


def _remove(lab: Lab, found: Found) -> Removal:
    """Remove one resource; what is still in use is tried again for a while."""
    reason = ""
    try:
        waits.until(
            lab,
            look=lambda: _attempt(lab, found),
            is_done=lambda state: state == "removed",
            what=f"{found.what} {found.name or found.resource_id}",
            timeout_s=IN_USE_TIMEOUT_S,
            interval_s=LOOK_EVERY_S,
        )
        lab.ledger.removed("99", found.what, found.name, found.resource_id)
    except WaitTimedOut as error:
        reason = error.message + _held_by(lab, found)
    except AwsError as error:
        reason = error.message
    outcome = "failed" if reason else "removed"
    return Removal(found.what, found.name, found.resource_id, outcome, lab.clock.now(), reason)


def _held_by(lab: Lab, found: Found) -> str:
    """Say what still uses a resource, as far as AWS lets us see."""
    try:
        found_holders = holders(lab, found)
    except AwsError as error:
        return f"; what holds it could not be looked for: {error.message}"
    return f"; held by {', '.join(found_holders)}" if found_holders else ""


def _attempt(lab: Lab, found: Found) -> str:
    try:
        REMOVERS[found.what](lab, found)
    except NotFound:
        return "removed"
    except AwsError as error:
        if error.code in STILL_IN_USE:
            return f"in use ({error.code})"
        raise
    return "removed"


def _wait_gone(lab: Lab, batch: Records[Found]) -> str:
    """Wait until none of the batch lingers; gives the reason if some do for too long."""
    if not batch:
        return ""
    try:
        waits.until(
            lab,
            look=lambda: _lingering(lab, batch),
            is_done=lambda state: state == "gone",
            what=f"{batch[0].what}: {', '.join(it.name or it.resource_id for it in batch)}",
            timeout_s=GONE_TIMEOUT_S,
            interval_s=LOOK_EVERY_S,
        )
    except (WaitTimedOut, CheckFailed) as error:
        return error.message
    return ""


def _lingering(lab: Lab, batch: Records[Found]) -> str:
    """Say how many of the batch are still seen."""
    left = sum(1 for it in batch if LINGERING[it.what](lab, it))
    return f"{left} still there" if left else "gone"


def _with_reason(removal: Removal, reason: str) -> Removal:
    if not reason or removal.reason:
        return removal
    return Removal(removal.what, removal.name, removal.resource_id, "failed", removal.at, reason)


def _close_ledger(lab: Lab) -> None:
    """File what the ledger still calls live: it went with its owner, or was removed by hand."""
    for entry in lab.ledger.live():
        lab.ledger.removed("99", entry.what, entry.key, entry.id, why="no longer there")


# -- how each kind is removed ---------------------------------------------------------------------------------


def _group(lab: Lab, found: Found) -> None:
    if not found.state:  # a state is shown only while the group is going
        lab.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=found.resource_id, ForceDelete=True)


def _security_group(lab: Lab, found: Found) -> None:
    """Delete a security group, its rules that name other groups first."""
    answer = lab.ec2.describe_security_groups(GroupIds=[found.resource_id])["SecurityGroups"][0]
    naming = [it for it in answer["IpPermissions"] if it.get("UserIdGroupPairs")]
    if naming:
        lab.ec2.revoke_security_group_ingress(GroupId=found.resource_id, IpPermissions=naming)
    lab.ec2.delete_security_group(GroupId=found.resource_id)


def _gateway(lab: Lab, found: Found) -> None:
    """Detach the gateway, then delete it."""
    answer = lab.ec2.describe_internet_gateways(InternetGatewayIds=[found.resource_id])["InternetGateways"][0]
    for it in answer.get("Attachments") or ():
        lab.ec2.detach_internet_gateway(InternetGatewayId=found.resource_id, VpcId=it["VpcId"])
    lab.ec2.delete_internet_gateway(InternetGatewayId=found.resource_id)


def _subnet(lab: Lab, found: Found) -> None:
    """Give up the subnet's explicit route-table association, then delete it."""
    holding = having("association.subnet-id", found.resource_id)
    for table in lab.ec2.describe_route_tables(Filters=holding)["RouteTables"]:
        for link in table["Associations"]:
            if link.get("SubnetId") == found.resource_id:
                lab.ec2.disassociate_route_table(AssociationId=link["RouteTableAssociationId"])
    lab.ec2.delete_subnet(SubnetId=found.resource_id)


def _volume(lab: Lab, found: Found) -> None:
    """Delete a volume that outlived its instance; one in use goes with its instance."""
    if found.state in ("available", "error"):
        lab.ec2.delete_volume(VolumeId=found.resource_id)


def _key_pair(lab: Lab, found: Found) -> None:
    """Delete the key pair, and its private half here."""
    lab.ec2.delete_key_pair(KeyName=found.name)
    (lab.keys_folder / f"{found.name}.pem").unlink(missing_ok=True)


REMOVERS: dict[str, Callable[[Lab, Found], object]] = {
    "auto-scaling-group": _group,
    "alarm": lambda lab, it: lab.cloudwatch.delete_alarms(AlarmNames=[it.resource_id]),
    "load-balancer": lambda lab, it: lab.elbv2.delete_load_balancer(LoadBalancerArn=it.resource_id),
    "target-group": lambda lab, it: lab.elbv2.delete_target_group(TargetGroupArn=it.resource_id),
    "launch-template": lambda lab, it: lab.ec2.delete_launch_template(LaunchTemplateId=it.resource_id),
    "instance": lambda lab, it: lab.ec2.terminate_instances(InstanceIds=[it.resource_id]),
    "volume": _volume,
    "security-group": _security_group,
    "internet-gateway": _gateway,
    "subnet": _subnet,
    "vpc": lambda lab, it: lab.ec2.delete_vpc(VpcId=it.resource_id),
    "image": lambda lab, it: lab.ec2.deregister_image(ImageId=it.resource_id),
    "snapshot": lambda lab, it: lab.ec2.delete_snapshot(SnapshotId=it.resource_id),
    "key-pair": _key_pair,
}


def _is_listed(lab: Lab, found: Found) -> bool:
    return any(it.resource_id == found.resource_id for it in of_kind(lab, found.what, found.run))


# These are still seen for a while after their removal was asked for, and hold on to what comes after them.
LINGERING: dict[str, Callable[[Lab, Found], bool]] = {
    "auto-scaling-group": _is_listed,
    "load-balancer": lambda lab, it: _is_listed(lab, it) or bool(interfaces_of(lab, it.resource_id)),
    "instance": _is_listed,
    "volume": _is_listed,
}
