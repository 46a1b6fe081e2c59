"""An AWS Academy Learner Lab: what its account may do, and how its sessions end.

A Learner Lab is an account under somebody else's policies (aws-facts 5): small instances only, few at a time, IAM
nearly read-only. "Start Lab" opens a session of about four hours and gives credentials that carry a session token.
When it ends, running instances are stopped and a policy (``voc-cancel-cred``) denies everything from then on; STS
alone, which no policy can deny, still says who is calling. Starting the lab again brings the stopped instances back,
with other public addresses. Nine instances may run in a region: more are terminated. With twenty, or beyond its budget,
the account is closed and what it holds is deleted. On-demand instances share a limit of 32 vCPUs, which EC2 itself
enforces.

Left out: counting the budget (no API tells it), Marketplace images (there are none here).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from mglab.localcloud.rules.faults import Refusal

SESSION_S = 4 * 3600.0
MOST_RUNNING, CLOSED_AT, MOST_VCPUS = 9, 20, 32
SIZES = ("nano", "micro", "small", "medium", "large")
MOST_GIGABYTES, VOLUME_TYPES = 100, ("gp2", "gp3", "sc1", "standard")
REGIONS = ("us-east-1", "us-west-2")
CALLER = "voclabs/user1234567=student@example.org"
ROLE, INSTANCE_PROFILE, KEY_PAIR = "LabRole", "LabInstanceProfile", "vockey"
FORBIDDEN = 403

Standing = Literal["running", "ended", "closed"]
"""How a session stands; ``closed``: the account is deactivated."""

PREFIXES = {"elbv2": "elasticloadbalancing"}
"""botocore's name of a service -> how its actions begin, where they differ."""
_READS = ("Describe", "Get", "List")
_NOT_DENIED_IN_IAM = ("Get*", "List*", "CreateServiceLinkedRole", "DeleteServiceLinkedRole", "PassRole")


@dataclass(frozen=True)
class Session:
    """One session of a Learner Lab. Times are lab epoch seconds."""

    ends_at: float
    standing: Standing = "running"


def caller(account: str, academy: bool) -> str:
    """Give the ARN of whoever calls."""
    return f"arn:aws:sts::{account}:assumed-role/{CALLER}" if academy else f"arn:aws:iam::{account}:user/student"


def action_of(service: str, operation: str) -> str:
    """Name an operation as policies do."""
    return f"{PREFIXES.get(service, service)}:{operation}"


def is_denied(service: str, operation: str, session: Session | None, patterns: Iterable[str]) -> bool:
    """Say whether a policy of the account denies an operation; ``session`` is None outside of a Learner Lab."""
    action = action_of(service, operation)
    if action == "sts:GetCallerIdentity":
        return False
    if session is not None and session.standing != "running":
        return True
    if any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns):
        return True
    if session is None:
        return False
    spot = action in ("ec2:RequestSpotInstances", "ec2:RequestSpotFleet")
    return spot or (service == "iam" and not any(fnmatchcase(operation, it) for it in _NOT_DENIED_IN_IAM))


def denial(service: str, operation: str, params: Mapping[str, Any], account: str, region: str, *, arn: str) -> Refusal:
    """Refuse an operation that a policy denies, in AWS's words (aws-facts 3.7 row 51)."""
    resource = _resource(service, operation, params, account, region)
    on = f" on resource: {resource}" if resource else ""
    action = action_of(service, operation)
    said = f"User: {arn} is not authorized to perform: {action}{on} with an explicit deny in an identity-based policy"
    if service == "ec2":
        return Refusal("UnauthorizedOperation", f"You are not authorized to perform this operation. {said}", FORBIDDEN)
    return Refusal("AccessDenied", said, FORBIDDEN)


def _resource(service: str, operation: str, params: Mapping[str, Any], account: str, region: str) -> str:
    """Name what the operation would have touched; what only reads touches nothing in particular."""
    if service == "iam":
        name = params.get("RoleName") or params.get("UserName") or params.get("InstanceProfileName") or "*"
        kind = "user" if "User" in operation else "instance-profile" if "InstanceProfile" in operation else "role"
        return f"arn:aws:iam::{account}:{kind}/{name}"
    if operation.startswith(_READS):
        return ""
    kind = {"RunInstances": "instance/*", "CreateVpc": "vpc/*", "CreateSubnet": "subnet/*"}.get(operation, "*")
    return f"arn:aws:{PREFIXES.get(service, service)}:{region}:{account}:{kind}"


def may_run(params: Mapping[str, Any], usual_type: str) -> bool:
    """Say whether a Learner Lab may run what RunInstances or a launch template asks for."""
    small = params.get("InstanceType", usual_type).partition(".")[2] in SIZES
    volumes = [mapping.get("Ebs", {}) for mapping in params.get("BlockDeviceMappings", ())]
    return small and not params.get("InstanceMarketOptions") and all(map(_may_have, volumes))


def _may_have(volume: Mapping[str, Any]) -> bool:
    """Say whether a Learner Lab may have such a volume."""
    return int(volume.get("VolumeSize", 0)) <= MOST_GIGABYTES and volume.get("VolumeType", "gp3") in VOLUME_TYPES


def too_many_vcpus(wanted: int, in_use: int, limit: int) -> Refusal | None:
    """Refuse a launch beyond the account's limit (aws-facts 2.3, 3.7 row 26); a limit of 0 is none."""
    if not limit or in_use + wanted <= limit:
        return None
    return Refusal(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance bucket "
        "that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
        "request an adjustment to this limit.",
    )


def moved_on(session: Session, now: float, running: int) -> Session:
    """Let a session end: its time is over, or the account runs so many instances that it is closed."""
    if session.standing != "closed" and running >= CLOSED_AT:
        return Session(session.ends_at, "closed")
    if session.standing == "running" and now >= session.ends_at:
        return Session(session.ends_at, "ended")
    return session


def excess(launched: Mapping[str, float]) -> list[str]:
    """Name the instances that are too many: the youngest (instance id -> when it was launched)."""
    by_age = sorted(launched, key=lambda instance_id: (launched[instance_id], instance_id))
    return by_age[MOST_RUNNING:]
