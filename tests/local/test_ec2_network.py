"""VPC, subnets, gateway, routes, security groups: what AWS makes by itself, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mglab.localcloud.rules.reach import IngressRule, Route
from tests.local.front import PROJECT2_IMAGE, Front, open_front
from tests.local.test_ec2 import ANY, lab, look, refusal, run, soon, template

__all__ = ["lab"]  # a fixture


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    with open_front(tmp_path) as opened:
        yield opened


@pytest.fixture
def ec2(front: Front) -> Any:
    return front.client("ec2")


def of(vpc: str) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [vpc]}]


def test_the_account_has_a_default_vpc(ec2: Any) -> None:
    vpc = ec2.describe_vpcs()["Vpcs"][0]
    assert (vpc["CidrBlock"], vpc["IsDefault"]) == ("172.31.0.0/16", True)
    subnets = ec2.describe_subnets(Filters=of(vpc["VpcId"]))["Subnets"]
    assert len(subnets) == 6 and all(s["MapPublicIpOnLaunch"] and s["DefaultForAz"] for s in subnets)
    table = ec2.describe_route_tables(Filters=of(vpc["VpcId"]))["RouteTables"][0]
    assert {route["DestinationCidrBlock"] for route in table["Routes"]} == {"172.31.0.0/16", ANY}


def test_a_new_vpc_has_a_main_table_a_group_and_an_acl_and_no_way_out(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/23")["Vpc"]["VpcId"]
    tables = ec2.describe_route_tables(Filters=of(vpc))["RouteTables"]
    assert [a["Main"] for a in tables[0]["Associations"]] == [True]
    routes = [(r["DestinationCidrBlock"], r["GatewayId"], r["State"]) for r in tables[0]["Routes"]]
    assert routes == [("192.168.0.0/23", "local", "active")]
    groups = ec2.describe_security_groups(Filters=of(vpc))["SecurityGroups"]
    assert [group["GroupName"] for group in groups] == ["default"]
    assert len(ec2.describe_network_acls(Filters=of(vpc))["NetworkAcls"]) == 1
    names = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")
    assert names["EnableDnsHostnames"] == {"Value": False}


def test_a_vpc_and_a_subnet_are_pending_for_a_moment(front: Front, ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/23")["Vpc"]
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="192.168.0.0/24")["Subnet"]
    assert (vpc["State"], subnet["State"]) == ("pending", "pending")
    front.tick()
    soon(front, ec2.get_waiter("vpc_available"), 2, VpcIds=[vpc["VpcId"]])
    second = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="192.168.1.0/24")["Subnet"]
    front.tick()
    soon(front, ec2.get_waiter("subnet_available"), 2, SubnetIds=[subnet["SubnetId"], second["SubnetId"]])


def test_a_dry_run_changes_nothing(ec2: Any, lab: SimpleNamespace) -> None:
    for call, params in (
        ("delete_vpc", {"VpcId": ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]}),
        ("delete_key_pair", {"KeyName": "myGuruKeys"}),
        ("deregister_image", {"ImageId": PROJECT2_IMAGE}),
    ):
        assert refusal(getattr(ec2, call), DryRun=True, **params)[0] == "DryRunOperation"
    assert len(ec2.describe_vpcs()["Vpcs"]) == 3
    assert ec2.describe_key_pairs()["KeyPairs"] and ec2.describe_images(Owners=["self"])["Images"]


def test_zones_carry_the_handouts_ids(ec2: Any, lab: SimpleNamespace) -> None:
    zones = {z["ZoneName"]: z["ZoneId"] for z in ec2.describe_availability_zones()["AvailabilityZones"]}
    assert (zones["us-east-1a"], zones["us-east-1b"], len(zones)) == ("use1-az2", "use1-az4", 6)
    subnet = ec2.describe_subnets(SubnetIds=[lab.subnets[1]])["Subnets"][0]
    assert (subnet["AvailabilityZoneId"], subnet["AvailableIpAddressCount"]) == ("use1-az4", 251)
    assert not subnet["MapPublicIpOnLaunch"]
    offered = ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t2.micro"]}]
    )["InstanceTypeOfferings"]
    assert "us-east-1e" not in {offer["Location"] for offer in offered}


def test_what_cannot_be_made_is_refused(ec2: Any, lab: SimpleNamespace) -> None:
    assert refusal(ec2.create_vpc, CidrBlock="10.0.0.0/8") == ("InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid.")
    code, message = refusal(ec2.create_vpc, CidrBlock="lab")
    assert code == "InvalidParameterValue"
    assert message == "Value (lab) for parameter cidrBlock is invalid. This is not a valid CIDR block."

    def subnet(cidr: str, zone: str = "us-east-1a", vpc: str = lab.vpc) -> tuple[str, str]:
        return refusal(ec2.create_subnet, VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)

    assert subnet("10.1.0.0/24") == ("InvalidSubnet.Range", "The CIDR '10.1.0.0/24' is invalid.")
    assert subnet("192.168.0.0/29")[0] == "InvalidSubnet.Range"
    conflict = "The CIDR '192.168.0.0/24' conflicts with another subnet"
    assert subnet("192.168.0.0/24") == ("InvalidSubnet.Conflict", conflict)
    code, message = subnet("192.168.0.0/24", zone="us-east-1z")
    assert code == "InvalidParameterValue"
    assert message == (
        "Value (us-east-1z) for parameter availabilityZone is invalid. Subnets can currently only be created in the "
        "following availability zones: us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e, us-east-1f."
    )
    unknown = subnet("192.168.0.0/24", vpc="vpc-0123456789abcdef0")
    assert unknown == ("InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist")
    code, message = refusal(ec2.create_security_group, GroupName="MGSG", Description="-", VpcId=lab.vpc)
    assert (code, message) == (
        "InvalidGroup.Duplicate",
        f"The security group 'MGSG' already exists for VPC '{lab.vpc}'",
    )
    assert refusal(ec2.create_key_pair, KeyName="myGuruKeys")[0] == "InvalidKeyPair.Duplicate"


def test_unknown_things_are_not_found(ec2: Any) -> None:
    def unknown(call: str, **params: Any) -> tuple[str, str]:
        return refusal(getattr(ec2, call), **params)

    assert unknown("describe_vpcs", VpcIds=["vpc-1"]) == ("InvalidVpcID.NotFound", "The vpc ID 'vpc-1' does not exist")
    subnet = unknown("describe_subnets", SubnetIds=["subnet-1"])
    assert subnet == ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-1' does not exist")
    group = unknown("describe_security_groups", GroupIds=["sg-1"])
    assert group == ("InvalidGroup.NotFound", "The security group 'sg-1' does not exist")
    gateway = unknown("attach_internet_gateway", InternetGatewayId="igw-1", VpcId="vpc-1")
    assert gateway == ("InvalidInternetGatewayID.NotFound", "The internetGateway ID 'igw-1' does not exist")
    key = unknown("describe_key_pairs", KeyNames=["lost"])
    assert key == ("InvalidKeyPair.NotFound", "The key pair 'lost' does not exist")
    assert unknown("describe_network_interfaces", NetworkInterfaceIds=["eni-0123456789abcdef0"])[0] == (
        "InvalidNetworkInterfaceID.NotFound"
    )


def test_a_gateway_must_be_attached_before_it_is_routed_to(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/23")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    table = ec2.describe_route_tables(Filters=of(vpc))["RouteTables"][0]["RouteTableId"]
    route = {"RouteTableId": table, "DestinationCidrBlock": ANY, "GatewayId": gateway}
    code, message = refusal(ec2.create_route, **route)
    assert code == "InvalidParameterValue"
    assert message == f"route table {table} and network gateway {gateway} belong to different networks"
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(**route)
    exists = refusal(ec2.create_route, **route)
    assert exists == ("RouteAlreadyExists", "The route identified by 0.0.0.0/0 already exists.")
    again = refusal(ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    assert again == ("Resource.AlreadyAssociated", f"resource {gateway} is already attached to network {vpc}")
    second = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    code, message = refusal(ec2.attach_internet_gateway, InternetGatewayId=second, VpcId=vpc)
    assert (code, message) == ("InvalidParameterValue", f"Network {vpc} already has an internet gateway attached")
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    assert [route["State"] for route in routes if route["DestinationCidrBlock"] == ANY] == ["blackhole"]


def test_rules_that_exist_are_refused(ec2: Any, lab: SimpleNamespace) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": ANY}]}
    code, message = refusal(ec2.authorize_security_group_ingress, GroupId=lab.group, IpPermissions=[rule])
    assert code == "InvalidPermission.Duplicate"
    assert message == 'the specified rule "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW" already exists'
    unknown = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": "sg-0123"}]}
    code, _ = refusal(ec2.authorize_security_group_ingress, GroupId=lab.group, IpPermissions=[unknown])
    assert code == "InvalidGroup.NotFound"
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [lab.group]}])[
        "SecurityGroupRules"
    ]
    assert sorted(rule["FromPort"] for rule in rules if not rule["IsEgress"]) == [22, 5000]


def test_what_is_in_use_cannot_be_deleted(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    run(ec2, lab)
    front.advance(20)

    def refused(call: str, **params: Any) -> str:
        code, message = refusal(getattr(ec2, call), **params)
        assert code == "DependencyViolation"
        return message

    subnet, gateway, table = lab.subnets[0], lab.gateway, lab.table
    in_use = "has dependencies and cannot be deleted."
    assert refused("delete_subnet", SubnetId=subnet) == f"The subnet '{subnet}' {in_use}"
    assert refused("delete_security_group", GroupId=lab.group) == f"resource {lab.group} has a dependent object"
    assert refused("delete_vpc", VpcId=lab.vpc) == f"The vpc '{lab.vpc}' {in_use}"
    message = f"The internetGateway '{gateway}' {in_use}"
    assert refused("delete_internet_gateway", InternetGatewayId=gateway) == message
    assert refused("delete_route_table", RouteTableId=table) == f"The routeTable '{table}' {in_use}"
    assert refused("detach_internet_gateway", InternetGatewayId=gateway, VpcId=lab.vpc) == (
        f"Network {lab.vpc} has some mapped public address(es). Please unmap those public address(es) before "
        "detaching the gateway."
    )
    default = ec2.describe_security_groups(Filters=of(lab.vpc))["SecurityGroups"][0]["GroupId"]
    assert refusal(ec2.delete_security_group, GroupId=default)[0] == "CannotDelete"
    other = ec2.create_security_group(GroupName="other", Description="-", VpcId=lab.vpc)["GroupId"]
    pair = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": other}]}
    ec2.authorize_security_group_ingress(GroupId=lab.group, IpPermissions=[pair])
    assert refused("delete_security_group", GroupId=other) == f"resource {other} has a dependent object"


def test_a_balancers_interface_is_listed_and_holds_the_network_until_it_is_gone(
    front: Front, ec2: Any, lab: SimpleNamespace
) -> None:
    made = front.ec2.create_node_interface("ELB net/MGLB/50dc6c495c0c9188", lab.subnets[0], public=True)
    shown = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB net/MGLB/*"]}])
    interface = shown["NetworkInterfaces"][0]
    assert interface["NetworkInterfaceId"] == made.interface_id
    assert interface["PrivateIpAddress"] == made.private_address
    assert interface["Association"]["PublicIp"] == made.public_address
    assert interface["RequesterManaged"] is True
    assert interface["InterfaceType"] == "network_load_balancer"
    assert interface["Attachment"]["InstanceOwnerId"] == "amazon-aws"
    assert interface["Attachment"]["AttachmentId"].startswith("ela-attach-")
    assert refusal(ec2.delete_subnet, SubnetId=lab.subnets[0])[0] == "DependencyViolation"
    assert (
        refusal(ec2.detach_internet_gateway, InternetGatewayId=lab.gateway, VpcId=lab.vpc)[0] == "DependencyViolation"
    )
    front.ec2.delete_node_interface(made.interface_id)
    front.ec2.delete_node_interface(made.interface_id)
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    ec2.delete_subnet(SubnetId=lab.subnets[0])


def test_the_whole_network_goes_in_the_order_that_works(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    for subnet in lab.subnets:
        ec2.associate_route_table(RouteTableId=lab.table, SubnetId=subnet)
    template_id, instance_id = template(ec2, lab), run(ec2, lab)
    front.advance(60)
    ec2.terminate_instances(InstanceIds=[instance_id])
    front.advance(60)
    ec2.delete_launch_template(LaunchTemplateId=template_id)
    ec2.delete_security_group(GroupId=lab.group)
    ec2.detach_internet_gateway(InternetGatewayId=lab.gateway, VpcId=lab.vpc)
    ec2.delete_internet_gateway(InternetGatewayId=lab.gateway)
    for subnet in lab.subnets:
        ec2.delete_subnet(SubnetId=subnet)
    associations = ec2.describe_route_tables(RouteTableIds=[lab.table])["RouteTables"][0]["Associations"]
    assert [association["Main"] for association in associations] == [True]
    ec2.delete_vpc(VpcId=lab.vpc)
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1
    assert ec2.describe_security_groups(Filters=of(lab.vpc))["SecurityGroups"] == []


def test_an_elastic_address_stays_with_an_instance_until_it_ends(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(60)
    lent = look(ec2, instance_id)["PublicIpAddress"]
    address = ec2.allocate_address()
    made = ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance_id)
    seen = look(ec2, instance_id)
    assert seen["PublicIpAddress"] == address["PublicIp"] != lent
    assert seen["NetworkInterfaces"][0]["Association"]["IpOwnerId"] == "000000000000"
    assert {front_.address for front_ in front.ec2.fronts(())} == {address["PublicIp"]}
    ec2.stop_instances(InstanceIds=[instance_id])
    front.advance(120)
    assert look(ec2, instance_id)["PublicIpAddress"] == address["PublicIp"]
    ec2.start_instances(InstanceIds=[instance_id])
    front.advance(60)
    assert look(ec2, instance_id)["PublicIpAddress"] == address["PublicIp"]
    ec2.disassociate_address(AssociationId=made["AssociationId"])
    front.tick()
    assert look(ec2, instance_id)["PublicIpAddress"] not in (address["PublicIp"], lent)  # it is lent another one
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance_id)
    ec2.terminate_instances(InstanceIds=[instance_id])
    front.advance(60)
    kept = ec2.describe_addresses()["Addresses"][0]
    assert (kept["PublicIp"], "AssociationId" in kept) == (address["PublicIp"], False)
    ec2.release_address(AllocationId=address["AllocationId"])


def test_an_instances_interface_and_the_instance_agree(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    instance_id = run(ec2, lab)
    front.advance(60)
    interface = look(ec2, instance_id)["NetworkInterfaces"][0]
    change = {"NetworkInterfaceId": interface["NetworkInterfaceId"], "SourceDestCheck": {"Value": False}}
    ec2.modify_network_interface_attribute(**change)
    seen = look(ec2, instance_id)
    assert (seen["SourceDestCheck"], seen["NetworkInterfaces"][0]["SourceDestCheck"]) == (False, False)
    ec2.modify_instance_attribute(InstanceId=instance_id, SourceDestCheck={"Value": True})
    shown = ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [instance_id]}])
    assert shown["NetworkInterfaces"][0]["SourceDestCheck"] is True
    attachment = interface["Attachment"]["AttachmentId"]
    assert refusal(ec2.detach_network_interface, AttachmentId=attachment)[0] == "OperationNotPermitted"
    assert refusal(ec2.detach_network_interface, AttachmentId="eni-attach-1")[0] == "InvalidAttachmentID.NotFound"
    assert refusal(ec2.delete_network_interface, NetworkInterfaceId=interface["NetworkInterfaceId"]) == (
        "InvalidParameterValue",
        f"Network interface '{interface['NetworkInterfaceId']}' is currently in use.",
    )


def test_what_goes_takes_its_tags_and_its_acl_with_it(front: Front, ec2: Any) -> None:
    def account() -> tuple[Any, Any]:
        return ec2.describe_tags()["Tags"], ec2.describe_network_acls()["NetworkAcls"]

    def tagged(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": kind}]}]

    before = account()
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/23", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="192.168.0.0/24", TagSpecifications=tagged("subnet"))["Subnet"]
    group = ec2.create_security_group(
        GroupName="g", Description="g", VpcId=vpc, TagSpecifications=tagged("security-group")
    )
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway"))["InternetGateway"]
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table"))["RouteTable"]
    ec2.create_key_pair(KeyName="k", TagSpecifications=tagged("key-pair"))
    front.advance(10)
    assert len(ec2.describe_tags()["Tags"]) == len(before[0]) + 6

    ec2.delete_key_pair(KeyName="k")
    ec2.delete_route_table(RouteTableId=table["RouteTableId"])
    ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    ec2.delete_security_group(GroupId=group["GroupId"])
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    assert ec2.describe_network_acls(Filters=of(vpc))["NetworkAcls"][0]["Associations"] == []
    ec2.delete_vpc(VpcId=vpc)
    assert account() == before


def test_an_interface_may_outlive_its_instance(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    nic = {"DeviceIndex": 0, "SubnetId": lab.subnets[0], "Groups": [lab.group], "DeleteOnTermination": False}
    instance_id = run(ec2, lab, NetworkInterfaces=[nic])
    front.advance(20)
    interface_id = look(ec2, instance_id)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert refusal(ec2.delete_network_interface, NetworkInterfaceId=interface_id)[0] == "InvalidParameterValue"
    ec2.terminate_instances(InstanceIds=[instance_id])
    front.advance(60)
    left = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_id])["NetworkInterfaces"][0]
    assert left["Status"] == "available"
    ec2.delete_network_interface(NetworkInterfaceId=interface_id)
    ec2.delete_subnet(SubnetId=lab.subnets[0])


def test_the_network_is_told_as_the_rule_reads_it(front: Front, ec2: Any, lab: SimpleNamespace) -> None:
    network = front.ec2.network()
    assert network.attached_gateways[lab.vpc] == lab.gateway
    assert network.routes[lab.subnets[0]] == (Route("192.168.0.0/23", "local"), Route(ANY, lab.gateway))
    assert set(network.ingress[lab.group]) == {IngressRule("tcp", port, port, ANY) for port in (22, 5000)}
    own = ec2.create_route_table(VpcId=lab.vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=own, SubnetId=lab.subnets[0])
    assert front.ec2.network().routes[lab.subnets[0]] == (Route("192.168.0.0/23", "local"),)
    assert refusal(ec2.associate_route_table, RouteTableId=lab.table, SubnetId=lab.subnets[0])[0] == (
        "Resource.AlreadyAssociated"
    )
    assert front.ec2.has_gateway(lab.vpc) and not front.ec2.has_gateway("vpc-1")
    view = front.ec2.subnet(lab.subnets[0])
    assert view is not None
    assert (view.zone, view.zone_id, view.cidr, view.free_addresses) == (
        "us-east-1a",
        "use1-az2",
        "192.168.0.0/24",
        251,
    )


def test_keys_have_real_material(ec2: Any) -> None:
    rsa = ec2.create_key_pair(KeyName="rsa")
    ed25519 = ec2.create_key_pair(KeyName="ed", KeyType="ed25519")
    assert rsa["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert "PRIVATE KEY" in ed25519["KeyMaterial"]
    public = ec2.describe_key_pairs(KeyNames=["ed"], IncludePublicKey=True)["KeyPairs"][0]["PublicKey"]
    assert public.startswith("ssh-ed25519 ")
    ec2.delete_key_pair(KeyPairId=rsa["KeyPairId"])
    assert refusal(ec2.describe_key_pairs, KeyNames=["rsa"])[0] == "InvalidKeyPair.NotFound"
    ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=public.encode())
    assert ec2.describe_key_pairs(KeyNames=["mine"])["KeyPairs"][0]["KeyType"] == "ed25519"


def test_subnets_can_be_used_up(ec2: Any, lab: SimpleNamespace) -> None:
    default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    small = ec2.create_subnet(VpcId=default, CidrBlock="172.31.255.240/28", AvailabilityZone="us-east-1a")["Subnet"]
    request = {"ImageId": PROJECT2_IMAGE, "InstanceType": "t2.micro", "SubnetId": small["SubnetId"]}
    made = ec2.run_instances(MinCount=11, MaxCount=11, **request)["Instances"]
    assert {int(i["PrivateIpAddress"].rpartition(".")[2]) for i in made} == set(range(244, 255))
    assert refusal(ec2.run_instances, MinCount=1, MaxCount=1, **request)[0] == "InsufficientFreeAddressesInSubnet"
