"""The steps in the sheet's order against the real local cloud, the rule they all keep, and the teardown.

One cloud serves every test; each test is a run of its own, and when it ends its run is torn down and the account
must list again exactly what it listed before. What is alive behind the steps is tested elsewhere.
"""

from __future__ import annotations

import itertools
import json
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mglab
from mglab.config import configured
from mglab.errors import AwsError, CheckFailed, Denied, TeardownIncomplete, UsageError
from mglab.ledger import Ledger
from mglab.session import Lab
from mglab.steps import balancing, images, instances, monitoring, network, scaling, security, teardown, templates
from mglab.steps.ensure import tag_specification
from mglab.study import topology
from mglab.study.topology import Topology
from tests.local.account_under_test import (
    THEIRS,
    account,
    difference,
    how_many,
    inventory,
    state_of,
    their_instance,
    their_key_pair,
)
from tests.local.cloud_under_test import Network, eventually, lab_on, put_up_network, started

RATE = 240.0
BLOCKED_TIMEOUT_S = 60.0
"""Lab seconds after which a teardown that is held up on purpose stops trying."""
PORTS = (22, 5000, 5001)
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def session() -> Iterator[Lab]:
    with started("steps", RATE) as cloud, lab_on(cloud, "steps") as lab:
        yield lab


@pytest.fixture
def lab(session: Lab) -> Iterator[Lab]:
    """A run of its own, of which nothing is left afterwards."""
    lab = as_run(session, f"run-{next(NUMBERS)}")
    before = account(lab)
    yield lab
    teardown.teardown(lab)
    eventually(lambda: account(lab) == before, lambda: difference(before, account(lab)))


def as_run(lab: Lab, run: str) -> Lab:
    """Give the session another run's name; its clients take a while to make, so they are kept."""
    folder = lab.folder.parent / run
    return replace(lab, run=run, folder=folder, ledger=replace(lab.ledger, path=folder / "ledger.jsonl"))


# -- the sheet, in its order ---------------------------------------------------------------------------------


def preliminary(lab: Lab) -> images.Image:
    server = images.launch_server(lab, images.project2_image(lab), images.health_check_user_data(lab))
    (server,) = instances.wait_running(lab, server)
    images.reboot(lab, server)
    return images.wait_image(lab, images.create_image(lab, server))


def steps_25_to_37(lab: Lab, ground: Network, image: images.Image) -> templates.LaunchTemplate:
    security.create_key_pair(lab)
    return templates.create_launch_template(lab, image, ground.group)


def steps_42_to_57(lab: Lab, ground: Network) -> None:
    target_group = balancing.create_target_group(lab, ground.vpc)
    balancing.create_listener(lab, balancing.create_load_balancer(lab, network.subnets(lab)), target_group)
    balancing.wait_active(lab)


def steps_1_to_57(lab: Lab, image: images.Image | None = None) -> tuple[Any, ...]:
    """Carry the steps out and give what is there then: the same, whenever it is done again."""
    ground = put_up_network(lab, *PORTS)
    steps_25_to_37(lab, ground, image or images.project2_image(lab))
    steps_42_to_57(lab, ground)
    vpc, group = network.vpc(lab), security.security_group(lab)
    table = network.main_route_table(lab, vpc)
    return (
        *(vpc, network.subnets(lab), network.internet_gateway(lab), table),
        *(network.routes(lab, table), network.associations(lab, table), group, security.rules(lab, group)),
        *(security.key_pair(lab), templates.describe(lab)),
        *(balancing.target_group(lab), balancing.load_balancer(lab), balancing.listener(lab)),
    )


def steps_58_to_77(lab: Lab) -> None:
    scaling.create_group(lab, templates.describe(lab), network.subnets(lab), balancing.target_group(lab))
    scaling.enable_group_metrics(lab)
    scaling.put_target_tracking(lab)
    scaling.wait_in_service(lab)


def the_whole_lab(lab: Lab) -> None:
    steps_1_to_57(lab, preliminary(lab))
    steps_58_to_77(lab)


def intents(lab: Lab) -> list[str]:
    """List what was about to be made."""
    return [f"{it.what} {it.key}" for it in lab.ledger.entries() if it.kind == "intent"]


def test_1_to_18_a_vpc_with_two_public_subnets(lab: Lab) -> None:
    assert network.create_internet_gateway(lab).state == "detached"
    ground = put_up_network(lab)
    assert (ground.vpc.name, ground.vpc.cidr, ground.vpc.state) == ("MusicGuruVPC", "192.168.0.0/23", "available")
    assert [(it.name, it.cidr, it.zone, it.state) for it in ground.subnets] == [
        ("public 1", "192.168.0.0/24", "us-east-1a", "available"),
        ("public 2", "192.168.1.0/24", "us-east-1b", "available"),
    ]
    gateway = ground.gateway
    assert (gateway.name, gateway.state, gateway.vpc_id) == ("MusicGuruGateway", "attached", ground.vpc.vpc_id)
    assert {(it.destination, it.target, it.state) for it in network.routes(lab, ground.table)} == {
        ("192.168.0.0/23", "local", "active"), ("0.0.0.0/0", gateway.gateway_id, "active"),
    }  # fmt: skip
    assert [it.name for it in network.associations(lab, ground.table)] == ["public 1", "public 2"]
    assert (network.vpc(lab), network.subnets(lab)) == (ground.vpc, ground.subnets)


def test_19_to_24_a_rule_is_there_once_and_goes_once(lab: Lab) -> None:
    ground = put_up_network(lab)
    assert security.rules(lab, ground.group) == ()
    for port in (*PORTS, *PORTS):
        security.allow(lab, ground.group, port)
    assert [(it.ports, it.source, it.description) for it in security.rules(lab, ground.group)] == [
        ("22", "0.0.0.0/0", "SSH"),
        ("5000", "0.0.0.0/0", "MusicGuru service"),
        ("5001", "0.0.0.0/0", "health check"),
    ]
    assert sum(it.startswith("security-group-rule") for it in intents(lab)) == len(PORTS)

    for _ in range(2):
        assert [it.ports for it in security.revoke(lab, ground.group, 5001)] == ["22", "5000"]
    from_inside = security.allow(lab, ground.group, 5001, source=lab.config.vpc_cidr)
    assert [(it.ports, it.source) for it in from_inside][2:] == [("5001", "192.168.0.0/23")]
    assert len(security.revoke(lab, ground.group, 5001)) == 3, "another source's rule is another rule"


def test_33_the_private_key_is_the_users_alone(lab: Lab) -> None:
    pair = security.create_key_pair(lab)
    file = Path(pair.private_key_file).expanduser()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    outputs = lab.folder.parent
    assert outputs not in file.parents
    assert not [it for it in outputs.rglob("*") if it.is_file() and "PRIVATE KEY--" in it.read_text()]
    assert security.create_key_pair(lab) == pair
    teardown.teardown(lab)
    assert not file.exists()


def test_33_a_key_without_its_private_half_is_made_again(lab: Lab) -> None:
    first = security.create_key_pair(lab)
    Path(first.private_key_file).expanduser().unlink()
    second = security.create_key_pair(lab)
    assert second.key_pair_id != first.key_pair_id and Path(second.private_key_file).expanduser().exists()
    assert lab.ledger.find("key-pair", second.name) == second.key_pair_id


def test_33_an_existing_key_is_used_and_not_ours(lab: Lab) -> None:
    academy = replace(lab, config=configured(lab.config, {"key_name": "vockey", "existing_key": True}))
    with pytest.raises(UsageError, match="vockey"):
        security.create_key_pair(academy)
    with their_key_pair(academy):
        assert security.create_key_pair(academy).name == "vockey"
        assert (teardown.inventory(academy), teardown.teardown(academy)) == ((), ())
        assert lab.ec2.describe_key_pairs(KeyNames=["vockey"])["KeyPairs"]


def test_25_to_40_a_template_and_a_test_launch_in_each_subnet(lab: Lab) -> None:
    ground = put_up_network(lab, *PORTS)
    template = steps_25_to_37(lab, ground, images.project2_image(lab))
    assert (template.security_group_id, template.public_address, template.version) == (ground.group.group_id, True, 1)
    launched = [templates.test_launch(lab, template, subnet) for subnet in ground.subnets]
    running = templates.wait_running(lab, *launched)
    assert [it.instance_id for it in running] == [it.instance_id for it in launched]
    assert [(it.name, it.zone, it.state) for it in running] == [
        ("MG test public 1", "us-east-1a", "running"), ("MG test public 2", "us-east-1b", "running"),
    ]  # fmt: skip
    assert all(it.public_address and it.private_address.startswith("192.168.") for it in running)

    again = [templates.test_launch(lab, template, subnet) for subnet in ground.subnets]
    assert again == list(running)
    ended = templates.terminate(lab, templates.test_instances(lab))
    assert [it.state for it in ended] == ["terminated", "terminated"]
    assert not templates.test_instances(lab)


def test_31_another_image_becomes_a_new_version(lab: Lab) -> None:
    ground = put_up_network(lab)
    first = steps_25_to_37(lab, ground, images.project2_image(lab))
    assert steps_25_to_37(lab, ground, images.project2_image(lab)) == first
    other = images.amazon_linux_image(lab)
    second = steps_25_to_37(lab, ground, other)
    assert (second.template_id, second.version, second.image_id) == (first.template_id, 2, other.image_id)


def test_42_to_57_a_balancer_and_its_target_group(lab: Lab) -> None:
    ground = put_up_network(lab)
    target_group = balancing.create_target_group(lab, ground.vpc)
    assert (target_group.protocol_port, target_group.health_check) == ("TCP : 5000", "TCP : 5001")
    load_balancer = balancing.create_load_balancer(lab, network.subnets(lab))
    assert (load_balancer.state, load_balancer.scheme) == ("provisioning", "internet-facing")
    assert all(it.subnet_id in load_balancer.zones for it in ground.subnets)
    listener = balancing.create_listener(lab, load_balancer, target_group)
    assert (listener.protocol_port, listener.forwards_to) == ("TCP : 5000", target_group.arn)
    assert balancing.wait_active(lab).state == "active"
    assert balancing.target_group(lab).load_balancers == "MGLB"
    assert balancing.target_health(lab) == ()
    before, lines = lab.clock.now() - timedelta(hours=1), monitoring.target_group_tab(lab)
    frame = monitoring.read(lab, lines, before - timedelta(hours=1), before)
    assert list(frame.columns)[:2] == ["Healthy hosts", "Healthy hosts (us-east-1a)"]
    assert frame.empty, "what was never published is empty, not zero"
    assert monitoring.wait_published(lab, lines[0], lab.clock.now()).state == "given up", "it has no targets"
    what = monitoring.widget(lines, before, lab.clock.now(), title="Target group", region=lab.region)
    png = monitoring.picture(lab, what)
    assert png.startswith(b"\x89PNG") and struct.unpack(">II", png[16:24]) == (what["width"], what["height"])


def test_the_topology_is_what_the_account_says_at_every_stage(lab: Lab) -> None:
    assert topology.read(lab) == Topology()
    ground = put_up_network(lab, *PORTS)
    bare = topology.read(lab)
    assert (bare.vpc, bare.subnets, bare.gateway) == (ground.vpc, tuple(network.subnets(lab)), ground.gateway)
    assert bare.associated == ("public 1", "public 2") and bare == topology.read_network(lab)
    steps_25_to_37(lab, ground, images.project2_image(lab))
    steps_42_to_57(lab, ground)
    balanced = topology.read(lab)
    assert [it.zone for it in balanced.nodes] == [it.zone for it in balanced.subnets]
    zonal = [f"{it.zone}.{balancing.load_balancer(lab).dns_name}" for it in balanced.nodes]
    assert [[it.public_address] for it in balanced.nodes] == [lab.resolve(name) for name in zonal]
    steps_58_to_77(lab)
    whole = topology.read(lab)
    known = {it.instance_id: it for it in scaling.instances(lab)}
    assert {it.instance_id for it in whole.machines} == set(known) and len(known) == 2
    for it in whole.machines:
        assert (it.private_address, it.lifecycle) == (known[it.instance_id].private_address, "InService")
        assert it.health in ("initial", "healthy", "unhealthy")


def test_58_to_86_a_group_whose_members_alone_are_terminated(lab: Lab) -> None:
    one = replace(lab, config=configured(lab.config, {"minimum": 1, "desired": 1, "maximum": 2}))
    steps_1_to_57(one)
    steps_58_to_77(one)
    group, (member,) = scaling.group(one), scaling.instances(one)
    assert (group.minimum, group.maximum, group.desired, group.health_type) == (1, 2, 1, "EC2")
    assert (group.template, group.group_metrics, group.grace_period_s) == ("MGLaunch | $Latest", True, 300)
    assert (member.name, member.lifecycle) == ("MG from MGAS", "InService")
    assert member.instance_id in {it.id for it in one.ledger.live() if it.what == "instance"}
    assert [it.instance_id for it in balancing.target_health(one)] == [member.instance_id]

    with their_instance(one) as foreign:
        with pytest.raises(UsageError, match=f"{foreign.instance_id} is not in group MGAS") as refusal:
            scaling.terminate_instance(one, foreign.instance_id)
        assert member.instance_id in refusal.value.hint
        with pytest.raises(UsageError, match=f"{foreign.instance_id} does not belong to run {one.run}"):
            instances.terminate(one, foreign)
        with pytest.raises(UsageError, match="does not belong to run another"):
            instances.terminate(as_run(one, "another"), *instances.instances(one))
        assert [state_of(one, it.instance_id) for it in (foreign, member)] == ["running", "running"]

    with pytest.raises(UsageError, match="changes nothing"):
        scaling.set_limits(one)
    with pytest.raises(AwsError, match="[Mm]ax"):
        scaling.set_limits(one, minimum=3)
    changed = scaling.set_limits(one, maximum=4)
    assert (changed.minimum, changed.desired, changed.maximum) == (1, 1, 4)
    assert scaling.set_limits(one, maximum=4) == changed
    assert scaling.terminate_instance(one, member.instance_id).state in ("shutting-down", "terminated")


# -- the rule ------------------------------------------------------------------------------------------------


def test_the_second_time_nothing_is_made(lab: Lab) -> None:
    the_whole_lab(lab)
    filed, seen, counted = intents(lab), inventory(lab), how_many(lab)
    the_whole_lab(lab)
    assert intents(lab) == filed
    assert inventory(lab) == seen
    assert {what for what, _, _ in seen} == set(teardown.LISTINGS)
    assert how_many(lab) == counted


def test_a_crash_between_call_and_ledger_is_found_again_by_tag(lab: Lab) -> None:
    given, known = steps_1_to_57(lab), lab.ledger.live()
    filed, listed = intents(lab), account(lab)
    lines = lab.ledger.path.read_text().splitlines(keepends=True)
    lab.ledger.path.write_text("".join(it for it in lines if json.loads(it)["kind"] != "made"))
    assert lab.ledger.live() == []
    assert steps_1_to_57(lab) == given
    assert intents(lab) == filed
    assert account(lab) == listed
    assert ids(lab.ledger) == {(it.what, it.key, it.id) for it in known}


def test_a_crash_in_the_middle_of_a_step_is_found_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "made", crash)
        with pytest.raises(KeyboardInterrupt):
            network.create_vpc(lab)
    found = network.create_vpc(lab)
    assert intents(lab) == ["vpc MusicGuruVPC"]
    assert inventory(lab) == [("vpc", "MusicGuruVPC", found.vpc_id)]


def test_a_lost_ledger_changes_nothing(lab: Lab) -> None:
    before = account(lab)
    given, known, listed = steps_1_to_57(lab), ids(lab.ledger), account(lab)
    lab.ledger.path.unlink()
    assert steps_1_to_57(lab) == given
    assert intents(lab) == []
    assert ids(lab.ledger) == known
    assert account(lab) == listed

    lab.ledger.path.unlink()
    assert {it.outcome for it in teardown.teardown(lab)} == {"removed"}
    assert account(lab) == before, difference(before, account(lab))


def ids(ledger: Ledger) -> set[tuple[str, str, str]]:
    """Say what a ledger knows to be there."""
    return {(it.what, it.key, it.id) for it in ledger.live()}


def test_what_was_deleted_by_hand_is_made_again(lab: Lab) -> None:
    first = network.create_vpc(lab)
    lab.ec2.delete_vpc(VpcId=first.vpc_id)
    assert network.create_vpc(lab).vpc_id != first.vpc_id


def test_a_step_too_early_says_which_notebook_comes_first(session: Lab) -> None:
    lab = as_run(session, "early")
    for look in (network.vpc, network.subnets, security.security_group, templates.describe, balancing.load_balancer):
        with pytest.raises(CheckFailed) as refusal:
            look(lab)
        assert "notebook 0" in refusal.value.hint


def test_a_parameter_that_does_not_exist_is_refused(session: Lab) -> None:
    before = account(session)
    with pytest.raises(UsageError, match="'load_balancer_nme'") as refusal:
        mglab.connect("misspelt", "local", load_balancer_nme="mine")
    assert "did you mean 'load_balancer_name'?" in refusal.value.hint
    assert account(session) == before
    assert not (session.folder.parent / "misspelt").exists()


# -- what is somebody else's -----------------------------------------------------------------------------------


NO_TEMPLATE: Any = SimpleNamespace(template_id="lt-0123456789abcdef0")
NO_TARGET_GROUP: Any = SimpleNamespace(arn="arn:none")
OUR_STEPS: dict[str, Callable[[Lab, Network], object]] = {
    "key_name": lambda lab, _: security.create_key_pair(lab),
    "launch_template_name": lambda lab, ground: templates.create_launch_template(
        lab, images.project2_image(lab), ground.group
    ),
    "target_group_name": lambda lab, ground: balancing.create_target_group(lab, ground.vpc),
    "load_balancer_name": lambda lab, _: balancing.create_load_balancer(lab, network.subnets(lab)),
    "group_name": lambda lab, _: scaling.create_group(lab, NO_TEMPLATE, network.subnets(lab), NO_TARGET_GROUP),
}
"""Parameter with a name that must be unique in a region -> our step that wants it."""


def test_names_that_somebody_else_holds_are_refused_and_theirs_stay(lab: Lab) -> None:
    with ExitStack() as standing:
        for make_theirs in THEIRS.values():
            standing.enter_context(make_theirs(lab))
        with_theirs = account(lab)
        ground = put_up_network(lab)
        for parameter, our_step in OUR_STEPS.items():
            with pytest.raises(UsageError, match="there already, made outside this workbook") as refusal:
                our_step(lab, ground)
            assert f"the parameter {parameter}" in refusal.value.hint
        teardown.teardown(lab)
        assert account(lab) == with_theirs, difference(with_theirs, account(lab))


def test_a_name_that_another_run_holds_is_refused_with_the_way_out(lab: Lab) -> None:
    other = as_run(lab, "other")
    security.create_key_pair(other)
    with pytest.raises(UsageError, match="made by run 'other'") as refusal:
        security.create_key_pair(lab)
    assert "teardown --run other" in refusal.value.hint
    teardown.teardown(lab)
    assert [(it.what, it.run) for it in teardown.orphans(lab)] == [("key-pair", "other")]
    teardown.teardown(other)


def test_what_merely_has_our_names_is_not_adopted_and_not_removed(lab: Lab) -> None:
    before = account(lab)
    named = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": lab.config.vpc_name}]}]
    theirs = [
        lab.ec2.create_vpc(CidrBlock=lab.config.vpc_cidr, TagSpecifications=told)["Vpc"]["VpcId"]
        for told in (named, tag_specification("other", lab.config.vpc_name, "vpc"))
    ]
    eventually(lambda: {it["State"] for it in lab.ec2.describe_vpcs(VpcIds=theirs)["Vpcs"]} == {"available"})
    with_theirs = account(lab)
    ours = put_up_network(lab, *PORTS)
    assert ours.vpc.vpc_id not in theirs
    assert {it.vpc_id for it in ours.subnets} == {ours.vpc.vpc_id}
    teardown.teardown(lab)
    assert account(lab) == with_theirs
    assert [(it.resource_id, it.run) for it in teardown.orphans(lab)] == [(theirs[1], "other")]
    for vpc_id in theirs:
        lab.ec2.delete_vpc(VpcId=vpc_id)
    assert account(lab) == before


# -- teardown --------------------------------------------------------------------------------------------------


def test_99_everything_goes_and_nothing_else(lab: Lab) -> None:
    before = account(lab)
    the_whole_lab(lab)
    removed = teardown.teardown(lab)
    assert account(lab) == before, difference(before, account(lab))
    assert {it.outcome for it in removed} == {"removed"}
    assert teardown.orphans(lab) == ()
    assert lab.ledger.live() == []
    assert teardown.teardown(lab) == ()


def test_99_what_holds_on_is_named_and_a_second_teardown_finishes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teardown, "IN_USE_TIMEOUT_S", BLOCKED_TIMEOUT_S)
    monkeypatch.setattr("mglab.waits.PATIENCE_FLOOR_WALL_S", 0.0)
    ground = put_up_network(lab, *PORTS)
    (subnet, empty), group_id = ground.subnets, ground.group.group_id
    interface = {"DeviceIndex": 0, "SubnetId": subnet.subnet_id, "AssociatePublicIpAddress": True, "Groups": [group_id]}
    with their_instance(lab, NetworkInterfaces=[interface]) as foreign:
        with pytest.raises(TeardownIncomplete) as refusal:
            teardown.teardown(lab)
        lines = {it.split(": ")[0].strip(): it for it in refusal.value.message.splitlines()[1:]}
        held = {
            f"security-group MusicGuruSG {group_id}",
            f"internet-gateway MusicGuruGateway {ground.gateway.gateway_id}",
            f"subnet public 1 {subnet.subnet_id}",
            f"vpc MusicGuruVPC {ground.vpc.vpc_id}",
        }
        assert set(lines) == held
        for line in lines.values():
            assert "in use (DependencyViolation)" in line
            assert f"held by instance {foreign.instance_id}" in line
        assert f"subnet public 1 {subnet.subnet_id}" in lines[f"vpc MusicGuruVPC {ground.vpc.vpc_id}"]
        assert empty.subnet_id not in {it.resource_id for it in teardown.inventory(lab)}
        assert {it.id for it in lab.ledger.live()} >= {group_id, subnet.subnet_id, ground.vpc.vpc_id}
        with pytest.raises(TeardownIncomplete, match="still there"):
            teardown.require_nothing_left(lab)
        assert state_of(lab, foreign.instance_id) == "running"

    finished = teardown.teardown(lab)
    assert {f"{it.what} {it.name} {it.resource_id}" for it in finished} == held
    assert {it.outcome for it in finished} == {"removed"}
    assert lab.ledger.live() == []


def test_99_what_we_may_not_list_is_not_called_gone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Lab) -> Any:
        raise Denied("DescribeLoadBalancers: no", code="AccessDenied", operation="DescribeLoadBalancers")

    put_up_network(lab)
    with monkeypatch.context() as broken:
        broken.setitem(teardown.LISTINGS, "load-balancer", denied)
        with pytest.raises(TeardownIncomplete, match="every load-balancer: could not be looked for"):
            teardown.teardown(lab)
    assert teardown.inventory(lab) == (), "the rest went all the same"


def test_99_a_teardown_that_was_cut_off_is_finished_by_the_next(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*_: Any) -> None:
        raise KeyboardInterrupt

    steps_1_to_57(lab)
    with monkeypatch.context() as broken:
        broken.setitem(teardown.REMOVERS, "internet-gateway", cut_off)
        with pytest.raises(KeyboardInterrupt):
            teardown.teardown(lab)
    left = [it.what for it in teardown.inventory(lab)]
    assert left == ["internet-gateway", "subnet", "subnet", "vpc", "key-pair"]
    assert [it.what for it in teardown.teardown(lab)] == left
