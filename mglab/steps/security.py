"""Security groups and key pairs, steps 19-24 and 33-34.

A new group lets nothing in and everything out (aws-facts 3.5). The sheet opens 22 and the service port;
the load balancer's nodes probe the health port from their private addresses inside the VPC, so without a
third rule every target is unhealthy (aws-facts 0.1, 1.3). Rules are stateful: answers need none.

AWS gives the private key once, at creation. It goes to the user's state home with mode 0600, never to
outputs; a key pair of ours whose private half is not here is of no use and is made again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mglab.config import Config, from_home
from mglab.display import column
from mglab.errors import NotFound, OutputsUnwritable, UsageError
from mglab.session import Lab
from mglab.steps.ensure import (
    Record,
    Records,
    demand,
    ensure,
    ensure_done,
    having,
    only,
    refuse_foreign,
    tag,
    tag_specification,
    tagged,
)
from mglab.steps.network import Vpc

ANYWHERE = "0.0.0.0/0"
SSH_PORT = 22
NOTEBOOK = "03_security_group"


@dataclass(frozen=True)
class SecurityGroup(Record):
    """A set of inbound rules for the interfaces that carry it."""

    name: str = field(metadata=column("Name"))
    group_id: str = field(metadata=column("Security group ID", "id"))
    vpc_id: str = field(metadata=column("VPC", "id"))
    description: str = field(metadata=column("Description"))


@dataclass(frozen=True)
class Rule(Record):
    """One inbound rule."""

    rule_id: str = field(metadata=column("Rule ID", "id"))
    protocol: str = field(metadata=column("Protocol"))
    ports: str = field(metadata=column("Port range", "number"))
    source: str = field(metadata=column("Source", "address"))
    description: str = field(metadata=column("Description"))


@dataclass(frozen=True)
class KeyPair(Record):
    """A key pair, and where its private half lies on this machine."""

    name: str = field(metadata=column("Name"))
    key_pair_id: str = field(metadata=column("Key pair ID", "id"))
    fingerprint: str = field(metadata=column("Fingerprint"))
    private_key_file: str = field(metadata=column("Private key file"))


def security_group_request(name: str, run: str, vpc_id: str) -> dict[str, Any]:
    """Say what CreateSecurityGroup is asked (steps 20-22)."""
    return {
        "GroupName": name,
        "Description": "MusicGuru service and its health check",
        "VpcId": vpc_id,
        "TagSpecifications": tag_specification(run, name, "security-group"),
    }


def rule_request(group_id: str, port: int, source: str, description: str) -> dict[str, Any]:
    """Say what AuthorizeSecurityGroupIngress is asked for one TCP port (step 23)."""
    allowed = {"CidrIp": source, **({"Description": description} if description else {})}
    permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [allowed]}
    return {"GroupId": group_id, "IpPermissions": [permission]}


def create_security_group(lab: Lab, vpc: Vpc, *, name: str = "") -> SecurityGroup:
    """Create the group in the VPC, without a rule (steps 19-22)."""
    wanted = name or lab.config.security_group_name
    return ensure(
        lab,
        step="19-22",
        what="security-group",
        key=wanted,
        by_id=lambda known: only(_groups(lab, having("group-id", known))),
        by_tag=lambda: only(_groups(lab, [*tagged(lab.run, wanted), *having("vpc-id", vpc.vpc_id)])),
        create=lambda: _created(lab, security_group_request(wanted, lab.run, vpc.vpc_id)),
        identify=lambda made: made.group_id,
    )


def allow(lab: Lab, group: SecurityGroup, port: int, *, source: str = ANYWHERE, why: str = "") -> Records[Rule]:
    """Let TCP connections to the port in, from anywhere or from a network (steps 23-24)."""
    ensure_done(
        lab,
        step="23",
        what="security-group-rule",
        key=f"{group.group_id} tcp {port} {source}",
        is_done=lambda: _opens(rules(lab, group), port, source),
        do=lambda: lab.ec2.authorize_security_group_ingress(
            **rule_request(group.group_id, port, source, why or _purpose(lab.config, port))
        ),
    )
    return rules(lab, group)


def revoke(lab: Lab, group: SecurityGroup, port: int, *, source: str = ANYWHERE) -> Records[Rule]:
    """Take the rule for the port away, if it is there."""
    if _opens(rules(lab, group), port, source):
        lab.ec2.revoke_security_group_ingress(**rule_request(group.group_id, port, source, ""))
        lab.ledger.note("23", "security-group-rule", key=f"{group.group_id} tcp {port} {source}", revoked=True)
    return rules(lab, group)


def rules(lab: Lab, group: SecurityGroup) -> Records[Rule]:
    """List the inbound rules, by port."""
    answer = lab.ec2.describe_security_group_rules(Filters=having("group-id", group.group_id))
    inbound = [it for it in answer["SecurityGroupRules"] if not it["IsEgress"]]
    return Records(map(_rule, sorted(inbound, key=lambda it: (it.get("FromPort", -1), it.get("CidrIpv4", "")))))


def security_group(lab: Lab, *, name: str = "") -> SecurityGroup:
    """Find the run's security group."""
    wanted = name or lab.config.security_group_name
    return demand(only(_groups(lab, tagged(lab.run, wanted))), f"security group of run {lab.run}", NOTEBOOK)


# -- key pairs ---------------------------------------------------------------------------------------------


def key_pair_request(config: Config, run: str) -> dict[str, Any]:
    """Say what CreateKeyPair is asked (step 33)."""
    return {
        "KeyName": config.key_name,
        "KeyType": "rsa",
        "KeyFormat": "pem",
        "TagSpecifications": tag_specification(run, config.key_name, "key-pair"),
    }


def create_key_pair(lab: Lab) -> KeyPair:
    """Create the key pair and keep its private half; with ``existing_key``, just find it (step 33)."""
    if lab.config.existing_key:
        return key_pair(lab)
    _drop_key_without_private_half(lab)
    return ensure(
        lab,
        step="33",
        what="key-pair",
        key=lab.config.key_name,
        by_id=lambda known: only(it for it in (_key_pair(lab),) if it and it.key_pair_id == known),
        by_tag=lambda: _key_pair(lab),
        create=lambda: _created_key_pair(lab),
        identify=lambda made: made.key_pair_id,
    )


def key_pair(lab: Lab) -> KeyPair:
    """Find the key pair that instances are launched with."""
    found = _key_pair(lab)
    if found is None and lab.config.existing_key:
        raise UsageError(
            f"there is no key pair {lab.config.key_name!r} in {lab.region}",
            hint="give key_name (the Learner Lab's vockey is in us-east-1 only), or leave existing_key out",
        )
    return demand(found, f"key pair {lab.config.key_name}", NOTEBOOK)


def private_key_file(lab: Lab) -> Path:
    """Say where the private half is kept."""
    return lab.keys_folder / f"{lab.config.key_name}.pem"


def _drop_key_without_private_half(lab: Lab) -> None:
    found = _key_pair(lab)
    if found is not None and not found.private_key_file:
        lab.ec2.delete_key_pair(KeyName=found.name)
        lab.ledger.removed("33", "key-pair", found.name, found.key_pair_id, why="its private half is not here")


def _created_key_pair(lab: Lab) -> KeyPair:
    answer = lab.ec2.create_key_pair(**key_pair_request(lab.config, lab.run))
    keep_private(private_key_file(lab), answer["KeyMaterial"])
    return _read_key_pair(lab, answer)


def keep_private(file: Path, text: str) -> None:
    """Write a private key where only its owner reads it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(text if text.endswith("\n") else text + "\n")
    except OSError as error:
        raise OutputsUnwritable(
            f"cannot keep the private key in {file}: {error.strerror}",
            hint="make that folder writable, or name another: MGLAB_STATE_HOME=FOLDER",
        ) from None


def _key_pair(lab: Lab) -> KeyPair | None:
    try:
        answer = lab.ec2.describe_key_pairs(KeyNames=[lab.config.key_name])["KeyPairs"][0]
    except NotFound:
        return None
    if not lab.config.existing_key:
        refuse_foreign(lab, "key pair", lab.config.key_name, answer.get("Tags"), "key_name (or set existing_key)")
    return _read_key_pair(lab, answer)


def _read_key_pair(lab: Lab, answer: dict[str, Any]) -> KeyPair:
    file = private_key_file(lab)
    return KeyPair(
        name=answer["KeyName"],
        key_pair_id=answer.get("KeyPairId", ""),
        fingerprint=answer.get("KeyFingerprint", ""),
        private_key_file=from_home(file) if file.exists() else "",
    )


# -- reading AWS's answers ---------------------------------------------------------------------------------


def _created(lab: Lab, request: dict[str, Any]) -> SecurityGroup:
    group_id = lab.ec2.create_security_group(**request)["GroupId"]
    return SecurityGroup(request["GroupName"], group_id, request["VpcId"], request["Description"])


def _groups(lab: Lab, filters: list[dict[str, Any]]) -> Records[SecurityGroup]:
    found = lab.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    return Records(
        SecurityGroup(tag(it.get("Tags"), "Name"), it["GroupId"], it.get("VpcId", ""), it["Description"])
        for it in found
    )


def _rule(answer: dict[str, Any]) -> Rule:
    first, last = answer.get("FromPort", -1), answer.get("ToPort", -1)
    source = answer.get("CidrIpv4") or answer.get("CidrIpv6") or answer.get("PrefixListId")
    return Rule(
        rule_id=answer.get("SecurityGroupRuleId", ""),
        protocol="all" if answer["IpProtocol"] == "-1" else answer["IpProtocol"],
        ports="all" if first == -1 else str(first) if first == last else f"{first}-{last}",
        source=source or answer.get("ReferencedGroupInfo", {}).get("GroupId", ""),
        description=answer.get("Description", ""),
    )


def _opens(existing: Records[Rule], port: int, source: str) -> bool:
    return any((it.protocol, it.ports, it.source) == ("tcp", str(port), source) for it in existing)


def _purpose(config: Config, port: int) -> str:
    known = {SSH_PORT: "SSH", config.service_port: "MusicGuru service", config.health_port: "health check"}
    return known.get(port, "")
