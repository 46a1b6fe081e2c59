"""Who may open a connection to whom, as the lab sheet's steps build it up."""

from __future__ import annotations

from dataclasses import replace

from mglab.localcloud.rules.reach import (
    IngressRule,
    Network,
    Route,
    Target,
    from_inside,
    from_internet,
    promised_ports,
)

ANY = "0.0.0.0/0"
CLIENT = "203.0.113.9"
SERVER = Target("vpc-1", "subnet-1", ("sg-1",), "127.65.0.1")
LAB = Network(
    ingress={"sg-1": (IngressRule("tcp", 22, 22, ANY), IngressRule("tcp", 5000, 5000, ANY))},
    routes={"subnet-1": (Route("192.168.0.0/23", "local"), Route(ANY, "igw-1"))},
    attached_gateways={"vpc-1": "igw-1"},
)


def test_the_finished_lab_admits_the_service_port() -> None:
    assert from_internet(LAB, SERVER, 5000, CLIENT).allowed


def test_a_port_no_group_names_is_dropped_and_the_reason_names_the_group() -> None:
    verdict = from_internet(LAB, SERVER, 5001, CLIENT)
    assert not verdict.allowed
    assert verdict.why == f"sg-1: no inbound rule admits TCP 5001 from {CLIENT}"


def test_without_gateway_route_or_public_address_nothing_arrives() -> None:
    no_gateway = replace(LAB, attached_gateways={})
    no_route = replace(LAB, routes={"subnet-1": (Route("192.168.0.0/23", "local"),)})
    other_gateway = replace(LAB, routes={"subnet-1": (Route(ANY, "igw-2"),)})
    assert "no internet gateway attached" in from_internet(no_gateway, SERVER, 5000, CLIENT).why
    assert "no route to igw-1" in from_internet(no_route, SERVER, 5000, CLIENT).why
    assert "no route to igw-1" in from_internet(other_gateway, SERVER, 5000, CLIENT).why
    assert "no public address" in from_internet(LAB, replace(SERVER, public_address=None), 5000, CLIENT).why


def test_inside_the_vpc_only_the_groups_speak() -> None:
    cut_off = replace(LAB, attached_gateways={}, routes={})
    assert from_inside(cut_off, SERVER, 5000, "192.168.1.10").allowed
    assert not from_inside(cut_off, SERVER, 5001, "192.168.1.10").allowed


def test_a_rule_for_the_vpc_admits_the_balancer_but_no_client() -> None:
    network = replace(LAB, ingress={"sg-1": (IngressRule("tcp", 5001, 5001, "192.168.0.0/23"),)})
    assert from_inside(network, SERVER, 5001, "192.168.1.10").allowed
    assert not from_internet(network, SERVER, 5001, CLIENT).allowed


def test_a_group_may_be_a_source() -> None:
    network = replace(LAB, ingress={"sg-1": (IngressRule("-1", -1, -1, None, "sg-2"),)})
    assert from_inside(network, SERVER, 5001, "192.168.1.10", ("sg-2",)).allowed
    assert not from_inside(network, SERVER, 5001, "192.168.1.10", ("sg-3",)).allowed


def test_promised_ports_are_ssh_the_listeners_and_what_groups_name() -> None:
    network = replace(LAB, ingress={"sg-1": (IngressRule("tcp", 5000, 5002, ANY), IngressRule("tcp", 0, 65535, ANY))})
    assert promised_ports(network, (80,)) == (22, 80, 5000, 5001, 5002)
