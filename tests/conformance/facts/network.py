"""The VPC (aws-facts 3.5, 3.6, 3.7 rows 1-18 and the network's part of 27)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "The VPC"
FACTS: tuple[Fact, ...] = (
    Fact("3.5/prefix", "D", "A VPC and a subnet are between a /16 and a /28."),
    Fact(
        "3.5/reserved",
        "D",
        "The first four addresses of a subnet and its last are AWS's, so that a /24 has 251 to give.",
    ),
    Fact(
        "3.5/new-vpc",
        "D",
        "A new VPC comes with a main route table that has the local route alone, a default security group and a "
        "default network ACL that allows everything; it has no internet gateway, and its tenancy is default.",
    ),
    Fact(
        "3.5/default-vpc",
        "D",
        "The default VPC is 172.31.0.0/16, with a /20 in each zone that maps public addresses, and a gateway in "
        "its main table's default route.",
    ),
    Fact("3.5/map-public-ip", "D", "A subnet that somebody makes gives its instances no public address by itself."),
    Fact(
        "3.5/main-table",
        "D",
        "A subnet follows the main route table until it is associated with a table, which may be the main one; the "
        "main table cannot be deleted.",
    ),
    Fact(
        "3.5/default-group",
        "D",
        "A default security group admits its own members and lets everything out, and cannot be deleted.",
    ),
    Fact("3.5/new-group", "D", "A security group that somebody makes admits nobody and lets everything out."),
    Fact("3.5/subnet-association", "R", "A subnet that is deleted takes its route-table association with it."),
    Fact("3.5/blackhole", "I", "A route whose gateway is detached or deleted stays, in the state blackhole."),
    Fact(
        "3.5/vpc-delete",
        "D",
        "A VPC goes when its interfaces, subnets, gateways, other tables and other groups are gone, and takes its main "
        "table, default group and default ACL with it.",
    ),
    Fact(
        "3.5/quotas",
        "D",
        "Five VPCs, five internet gateways and five Elastic IP addresses to a region, 200 subnets to a VPC, five "
        "security groups to an interface.",
    ),
    Fact("3.5/zone-ids", "O", "A zone's name is the account's own: in the lab's, us-east-1a is use1-az2."),
    Fact("3.5/t2-micro-zones", "I", "t2.micro is not to be had in every zone: not in us-east-1e."),
    Fact(
        "3.6/order",
        "D",
        "The network goes in one order: groups of instances and load balancers, then security groups, the gateway, "
        "subnets, route tables, the VPC.",
    ),
    Fact(
        "3.6/linger",
        "O",
        "A deleted load balancer's interfaces stay for a while, and hold its subnets and the gateway meanwhile.",
    ),
    Fact("3.7/1", "O", "A VPC outside of /16 to /28 is refused: InvalidVpc.Range."),
    Fact("3.7/2", "O", "A block that is none is refused: InvalidParameterValue, with the text that was sent."),
    Fact("3.7/3", "O", "A subnet outside of its VPC's block is refused: InvalidSubnet.Range."),
    Fact("3.7/4", "O", "A subnet that overlaps another is refused: InvalidSubnet.Conflict."),
    Fact("3.7/5", "O", "A zone that there is not is refused with the zones that there are."),
    Fact("3.7/6", "O", "A VPC that has an internet gateway is refused a second one: InvalidParameterValue."),
    Fact("3.7/7", "O", "A gateway that is attached is refused a second VPC: Resource.AlreadyAssociated."),
    Fact("3.7/8", "O", "A route to a gateway that is not attached to the table's VPC is refused."),
    Fact("3.7/9", "O", "A second route for a block is refused: RouteAlreadyExists."),
    Fact(
        "3.7/10",
        "O",
        "A gateway stays attached while public addresses are mapped in its VPC, an instance's or a load balancer's: "
        "DependencyViolation.",
    ),
    Fact("3.7/11", "R", "An attached internet gateway is not deleted: DependencyViolation."),
    Fact("3.7/12", "R", "A subnet with an interface in it is not deleted: DependencyViolation."),
    Fact("3.7/13", "O", "A VPC with anything left in it is not deleted: DependencyViolation."),
    Fact(
        "3.7/14",
        "O",
        "A security group that an interface has, or that another group's rule names, is not deleted: "
        "DependencyViolation.",
    ),
    Fact("3.7/15", "I", "A main route table, or one that subnets use, is not deleted: DependencyViolation."),
    Fact("3.7/16", "O", "A security group's name is there once in a VPC: InvalidGroup.Duplicate."),
    Fact("3.7/17", "R", "A rule is there once in a group; the refusal spells it out: InvalidPermission.Duplicate."),
    Fact("3.7/18", "R", "A security group that there is not is InvalidGroup.NotFound."),
    Fact(
        "3.7/27-network",
        "R",
        "A subnet, VPC or internet gateway that there is not is refused with its id and the code of its kind.",
    ),
)
