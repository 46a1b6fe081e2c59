"""Security groups and their rules: made, named, changed, revoked, refused (aws-facts 3.5, 3.7 rows 14 and 16-18)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.networks import (
    ACCOUNT,
    ANYWHERE,
    Id,
    a_subnet,
    a_vpc,
    named,
    refused,
    tagged,
    the_default_group,
)
from tests.local.cloud_under_test import Cloud

UNKNOWN = "sg-0123456789abcdef0"
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
NOT_THERE = ("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")


@pytest.fixture(scope="module")
def ec2(cloud: Cloud) -> Any:
    return cloud.client("ec2")


@pytest.fixture(scope="module")
def vpc(ec2: Any) -> Iterator[str]:
    with a_vpc(ec2) as vpc_id:
        yield vpc_id


@pytest.fixture
def group(ec2: Any, vpc: str) -> Iterator[str]:
    group_id = ec2.create_security_group(GroupName="MGSG", Description="ssh and service", VpcId=vpc)["GroupId"]
    yield group_id
    ec2.delete_security_group(GroupId=group_id)


def read(ec2: Any, group_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    return found


def rules_of(ec2: Any, group_id: str, *, egress: bool = False) -> list[dict[str, Any]]:
    rules = ec2.describe_security_group_rules(Filters=named("group-id", group_id))["SecurityGroupRules"]
    return [rule for rule in rules if rule["IsEgress"] is egress]


def open_to(*blocks: str, **more: Any) -> dict[str, Any]:
    return {**SSH, **more, "IpRanges": [{"CidrIp": block} for block in blocks]}


# -- groups ----------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.5/new-group")
def test_a_new_group_admits_nobody_and_lets_everything_out(ec2: Any, vpc: str, group: str) -> None:
    everything = {"IpProtocol": "-1", "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    assert read(ec2, group) == {
        "Description": "ssh and service",
        "GroupId": group,
        "GroupName": "MGSG",
        "IpPermissions": [],
        "IpPermissionsEgress": [{**everything, "IpRanges": [{"CidrIp": ANYWHERE}]}],
        "OwnerId": ACCOUNT,
        "SecurityGroupArn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:security-group/{group}",
        "VpcId": vpc,
    }


@pytest.mark.fact("3.7/16")
def test_a_name_is_there_once_in_a_vpc(ec2: Any, vpc: str, group: str) -> None:
    assert refused(ec2.create_security_group, GroupName="MGSG", Description="again", VpcId=vpc) == (
        "InvalidGroup.Duplicate",
        f"The security group 'MGSG' already exists for VPC '{vpc}'",
    )
    elsewhere = ec2.create_security_group(GroupName="MGSG", Description="in the default VPC")["GroupId"]
    assert [it["GroupId"] for it in ec2.describe_security_groups(GroupNames=["MGSG"])["SecurityGroups"]] == [elsewhere]
    ec2.delete_security_group(GroupName="MGSG")


WORDS = "strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
BAD_NAMES = (
    ("sg-mine", "d", "Invalid security group name. Group names may not be in the format sg-*."),
    ("default", "d", "Cannot use reserved security group name: default"),
    ("a|b", "d", f"Invalid security group name. Valid names are {WORDS}"),
    ("n" * 256, "d", f"Invalid security group name. Valid names are {WORDS}"),
    ("n", "a|b", f"Invalid security group description. Valid descriptions are {WORDS}"),
    ("n", "ssh für alle", "Value (ssh für alle) for parameter GroupDescription is invalid. Character sets beyond ASCII "
     "are not supported."),
)  # fmt: skip


@pytest.mark.parametrize("name, description, message", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_a_group_has_a_name_and_a_description(ec2: Any, vpc: str, name: str, description: str, message: str) -> None:
    asked = {"GroupName": name, "Description": description, "VpcId": vpc}
    assert refused(ec2.create_security_group, **asked) == ("InvalidParameterValue", message)


@pytest.mark.fact("3.7/18")
def test_a_group_that_there_is_not(ec2: Any, vpc: str, group: str) -> None:
    not_found = ("InvalidGroup.NotFound", f"The security group '{UNKNOWN}' does not exist")
    rule = [open_to(ANYWHERE)]
    assert refused(ec2.describe_security_groups, GroupIds=[group, UNKNOWN]) == not_found
    assert refused(ec2.authorize_security_group_ingress, GroupId=UNKNOWN, IpPermissions=rule) == not_found
    assert refused(ec2.revoke_security_group_egress, GroupId=UNKNOWN, IpPermissions=rule) == not_found
    assert refused(ec2.delete_security_group, GroupId=UNKNOWN) == not_found
    peer = [{**SSH, "UserIdGroupPairs": [{"GroupId": UNKNOWN}]}]
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=peer) == not_found
    assert refused(ec2.describe_security_groups, GroupIds=["MGSG"]) == (
        "InvalidGroupId.Malformed",
        'Invalid id: "MGSG" (expecting "sg-...")',
    )
    assert refused(ec2.delete_security_group, GroupId="sg-mine, sg-yours") == (
        "InvalidGroupId.Malformed",
        'Invalid id: "sg-mine, sg-yours"',
    )
    assert refused(ec2.describe_security_group_rules, Filters=named("group-id", "MGSG")) == (
        "InvalidGroupId.Malformed",
        "The security group ID 'MGSG' is malformed",
    )
    default_vpc = ec2.describe_vpcs(Filters=named("is-default", "true"))["Vpcs"][0]["VpcId"]
    assert refused(ec2.describe_security_groups, GroupNames=["MGSG"]) == (
        "InvalidGroup.NotFound",
        f"The security group 'MGSG' does not exist in default VPC '{default_vpc}'",
    )


@pytest.mark.fact("3.7/14")
def test_a_group_in_use_stays(ec2: Any, vpc: str, group: str) -> None:
    in_use = ("DependencyViolation", f"resource {group} has a dependent object")
    other = ec2.create_security_group(GroupName="other", Description="-", VpcId=vpc)["GroupId"]
    by_group = [{**SSH, "UserIdGroupPairs": [{"GroupId": group}]}]
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=by_group)
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=by_group)  # itself is no hindrance
    assert refused(ec2.delete_security_group, GroupId=group) == in_use
    ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=by_group)
    subnet = a_subnet(ec2, vpc)
    interface = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    assert refused(ec2.delete_security_group, GroupId=group) == in_use
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_security_group(GroupId=other)
    ec2.delete_subnet(SubnetId=subnet)


# -- rules -----------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.7/17")
def test_a_rule_is_there_once(ec2: Any, vpc: str, group: str) -> None:
    def twice(permission: dict[str, Any]) -> tuple[str, str]:
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
        return refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[permission])

    def exists(words: str) -> tuple[str, str]:
        return "InvalidPermission.Duplicate", f'the specified rule "{words}" already exists'

    assert twice(open_to(ANYWHERE)) == exists("peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW")
    by_number = [{**open_to("192.168.0.0/0"), "IpProtocol": "6"}]  # the same again, in other words
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=by_number) == exists(
        "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW"
    )
    assert twice({**SSH, "UserIdGroupPairs": [{"GroupId": group}]}) == exists(
        f"peer: {group}, TCP, from port: 22, to port: 22, ALLOW"
    )
    assert twice({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}) == exists("peer: 10.0.0.0/8, ALL, ALLOW")
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]
    assert refused(ec2.authorize_security_group_egress, GroupId=group, IpPermissions=everything) == exists(
        "peer: 0.0.0.0/0, ALL, ALLOW"
    )
    same = [open_to("10.1.0.0/16"), open_to("10.1.2.3/16")]
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=same) == (
        "InvalidParameterValue",
        "The same permission must not appear multiple times",
    )


def test_rules_are_bundled_by_ports_and_have_ids_of_their_own(ec2: Any, group: str) -> None:
    asked = [
        {**SSH, "IpRanges": [{"CidrIp": "10.0.0.7/24", "Description": "the office"}, {"CidrIp": "10.1.0.0/16"}]},
        {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": group}]},
        {"IpProtocol": "17", "FromPort": 53, "ToPort": 54, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
    ]
    made = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=asked, TagSpecifications=tagged("security-group-rule", by="test")
    )
    assert made["Return"] is True
    office = {
        "CidrIpv4": "10.0.0.0/24",
        "Description": "the office",
        "FromPort": 22,
        "GroupId": group,
        "GroupOwnerId": ACCOUNT,
        "IpProtocol": "tcp",
        "IsEgress": False,
        "SecurityGroupRuleArn": f"arn:aws:ec2:us-east-1:{ACCOUNT}:security-group-rule/"
        + made["SecurityGroupRules"][0]["SecurityGroupRuleId"],
        "SecurityGroupRuleId": Id("sgr"),
        "Tags": [{"Key": "by", "Value": "test"}],
        "ToPort": 22,
    }
    assert made["SecurityGroupRules"][0] == office
    assert made["SecurityGroupRules"] == rules_of(ec2, group)
    empty: dict[str, Any] = {"IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    pair = {"GroupId": group, "UserId": ACCOUNT}
    assert read(ec2, group)["IpPermissions"] == [
        {**empty, **SSH, "IpRanges": [{"CidrIp": "10.0.0.0/24", "Description": "the office"},
                                      {"CidrIp": "10.1.0.0/16"}]},
        {**empty, "IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "UserIdGroupPairs": [pair]},
        {**empty, "IpProtocol": "udp", "FromPort": 53, "ToPort": 54, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
    ]  # fmt: skip
    by_group = made["SecurityGroupRules"][2]
    assert by_group["ReferencedGroupInfo"] == pair
    out = rules_of(ec2, group, egress=True)
    assert [(it["IpProtocol"], it["FromPort"], it["ToPort"], it["CidrIpv4"]) for it in out] == [
        ("-1", -1, -1, ANYWHERE)
    ]


def test_a_rule_may_be_spelled_out_beside_the_group(ec2: Any, group: str) -> None:
    spelled = {"IpProtocol": "tcp", "FromPort": 5000, "ToPort": 5001, "CidrIp": ANYWHERE}
    made = ec2.authorize_security_group_ingress(GroupId=group, **spelled)["SecurityGroupRules"]
    assert [(it["FromPort"], it["ToPort"]) for it in made] == [(5000, 5001)]
    gone = ec2.revoke_security_group_ingress(GroupId=group, **spelled)
    assert [it["SecurityGroupRuleId"] for it in gone["RevokedSecurityGroupRules"]] == [made[0]["SecurityGroupRuleId"]]
    assert read(ec2, group)["IpPermissions"] == []


def test_what_is_revoked_must_be_there(ec2: Any, group: str) -> None:
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[open_to("10.0.0.0/8", "10.9.0.0/16")])
    partly = [open_to("10.0.0.0/8", "10.7.0.0/16")]
    assert refused(ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=partly) == NOT_THERE
    assert len(rules_of(ec2, group)) == 2
    assert refused(ec2.revoke_security_group_egress, GroupId=group, IpPermissions=[open_to("10.0.0.0/8")]) == NOT_THERE
    ids = [rule["SecurityGroupRuleId"] for rule in rules_of(ec2, group)]
    unknown = "sgr-0123456789abcdef0"
    assert refused(ec2.revoke_security_group_ingress, GroupId=group, SecurityGroupRuleIds=[ids[0], unknown]) == (
        "InvalidSecurityGroupRuleId.NotFound",
        f"The security group rule ID '{unknown}' does not exist",
    )
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids[:1])
    assert [rule["SecurityGroupRuleId"] for rule in rules_of(ec2, group)] == ids[1:]
    assert refused(ec2.describe_security_group_rules, SecurityGroupRuleIds=ids)[0] == (
        "InvalidSecurityGroupRuleId.NotFound"
    )


def test_a_rule_is_changed_in_place(ec2: Any, group: str) -> None:
    asked = [open_to("10.0.0.0/8"), open_to("10.0.0.0/8", FromPort=80, ToPort=80)]
    first, second = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=asked)["SecurityGroupRules"]

    def update(rule_id: str, **rule: Any) -> dict[str, Any]:
        change = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": ANYWHERE, **rule}
        return {"GroupId": group, "SecurityGroupRules": [{"SecurityGroupRuleId": rule_id, "SecurityGroupRule": change}]}

    rule_id = first["SecurityGroupRuleId"]
    ec2.modify_security_group_rules(**update(rule_id, Description="from anywhere"))
    changed = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule_id])["SecurityGroupRules"][0]
    expected = {"FromPort": 443, "ToPort": 443, "CidrIpv4": ANYWHERE, "Description": "from anywhere"}
    assert {name: changed[name] for name in expected} == expected
    taken = update(second["SecurityGroupRuleId"])
    assert refused(ec2.modify_security_group_rules, **taken)[0] == "InvalidPermission.Duplicate"
    other_kind = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "ReferencedGroupId": group}
    asked_for = {"SecurityGroupRuleId": rule_id, "SecurityGroupRule": other_kind}
    assert refused(ec2.modify_security_group_rules, GroupId=group, SecurityGroupRules=[asked_for]) == (
        "InvalidParameterValue",
        f"Invalid rule type for security group rule '{rule_id}'. You may not specify ReferencedGroupId for an existing "
        "CidrIpv4 rule.",
    )
    both = update(rule_id, ReferencedGroupId=group)
    assert refused(ec2.modify_security_group_rules, **both) == (
        "InvalidParameterCombination",
        "Only one of cidrIp, cidrIpv6, prefixListId, or referencedGroupId can be specified",
    )
    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule_id, "Description": "anew"}]
    )
    by_words = {**SSH, "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "web"}]}
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[by_words])
    assert [it.get("Description") for it in rules_of(ec2, group)] == ["anew", "web"]


BAD_RULES = (
    ({"IpProtocol": "all"}, "Invalid value 'all' for IP protocol. Unknown protocol."),
    ({"IpProtocol": "256"}, "Invalid value '256' for IP protocol. Unknown protocol."),
    ({"ToPort": None}, "Invalid value for portRange. Must specify both from and to ports with TCP/UDP."),
    ({"FromPort": -1}, "TCP/UDP (from) port (-1) out of range"),
    ({"ToPort": 65536}, "TCP/UDP (to) port (65536) out of range"),
    ({"FromPort": 23}, "Invalid TCP/UDP port range (23:22)"),
    ({"IpProtocol": "icmp", "FromPort": 8, "ToPort": 256}, "ICMP code (256) out of range"),
    ({"IpRanges": [{"CidrIp": "10.0.0.0/33"}]}, "CIDR block 10.0.0.0/33 is malformed"),
    ({"IpRanges": [{"CidrIp": "10.0.0.1"}]}, "CIDR block 10.0.0.1 is malformed"),
    ({"IpRanges": [{"CidrIp": ANYWHERE, "Description": "a|b"}]},
     f"Invalid rule description. Valid descriptions are {WORDS}"),
)  # fmt: skip


@pytest.mark.parametrize("change, message", BAD_RULES, ids=range(len(BAD_RULES)))
def test_a_rule_that_cannot_be(ec2: Any, vpc: str, change: dict[str, Any], message: str) -> None:
    asked = {name: value for name, value in {**open_to(ANYWHERE), **change}.items() if value is not None}
    group = the_default_group(ec2, vpc)["GroupId"]
    answer = refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[asked])
    assert answer == ("InvalidParameterValue", message)


def test_a_group_holds_sixty_rules_each_way(ec2: Any, group: str) -> None:
    blocks = [f"10.{number}.0.0/16" for number in range(60)]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[open_to(*blocks)])
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[open_to("10.60.0.0/16")]) == (
        "RulesPerSecurityGroupLimitExceeded",
        "The maximum number of rules per security group has been reached.",
    )


def test_groups_are_found_by_what_they_permit(ec2: Any, vpc: str, group: str) -> None:
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[open_to("10.77.0.0/16")])
    for name, value in (
        ("ip-permission.cidr", "10.77.0.0/16"),
        ("ip-permission.cidr", "10.77.*"),
        ("group-name", "MG??"),
        ("description", "ssh and service"),
    ):
        filters = [*named("vpc-id", vpc), *named(name, value)]
        assert [it["GroupId"] for it in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]] == [group]
    by_port = [*named("vpc-id", vpc), *named("ip-permission.from-port", "22")]
    assert [it["GroupId"] for it in ec2.describe_security_groups(Filters=by_port)["SecurityGroups"]] == [group]
    assert refused(ec2.describe_security_groups, Filters=named("group_name", "MGSG")) == (
        "InvalidParameterValue",
        "The filter 'group_name' is invalid",
    )


@pytest.mark.fact("3.7/17")
def test_the_aws_cli_spells_rules_its_own_way(aws: Aws, ec2: Any, group: str) -> None:
    words = ("--group-id", group, "--protocol", "tcp", "--port", "22", "--cidr", ANYWHERE)
    made = aws("ec2", "authorize-security-group-ingress", *words)
    assert made["SecurityGroupRules"][0]["CidrIpv4"] == ANYWHERE
    assert aws.refused("ec2", "authorize-security-group-ingress", *words).endswith(
        "An error occurred (InvalidPermission.Duplicate) when calling the AuthorizeSecurityGroupIngress operation: the "
        'specified rule "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW" already exists'
    )
    aws("ec2", "revoke-security-group-ingress", *words)
    everything = ("--group-id", group, "--protocol", "all", "--cidr", ANYWHERE)
    aws("ec2", "authorize-security-group-ingress", *everything)
    assert [it["IpProtocol"] for it in rules_of(ec2, group)] == ["-1"]
