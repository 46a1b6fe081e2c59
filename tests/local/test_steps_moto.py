"""The steps in the sheet's order, against a plain moto server where what it does suffices.

moto stands in for the account: it knows VPCs, groups, templates, balancers and tags. It launches groups into one
zone, knows no activities and no alarms of target tracking; what is alive is tested on the local cloud.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

import mglab
from mglab.config import RUN_TAG, configured
from mglab.errors import CheckFailed, Denied, TeardownIncomplete, UsageError
from mglab.ledger import Ledger
from mglab.session import Lab
from mglab.steps import balancing, images, instances, monitoring, network, scaling, security, teardown, templates

pytest.importorskip("flask", reason="moto's server needs flask")
from moto.server import ThreadedMotoServer  # noqa: E402

RATE = 600.0


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def connected(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A session, opened once: its clients take a second to make."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "clouds" / "default"
    folder.mkdir(parents=True)
    now = time.time()
    cloud = {
        "name": "default", "pid": os.getpid(), "endpoint": endpoint, "access_key_id": "local", "secret_access_key": "x",
        "session_token": None, "region": "us-east-1", "rate": RATE, "wall_epoch": now, "lab_epoch": now,
    }  # fmt: skip
    (folder / "cloud.json").write_text(json.dumps(cloud))
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("MGLAB_")]:
            environment.delenv(name)
        environment.setenv("MGLAB_STATE_HOME", str(home))
        return mglab.connect("trial")


@pytest.fixture
def lab(connected: Lab, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The session on an account as new, with an empty ledger."""
    urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    monkeypatch.setattr(images, "image_request", without_snapshot_tags(images.image_request))
    return as_run(connected, "trial", tmp_path)


def as_run(lab: Lab, run: str, folder: Path) -> Lab:
    ledger = Ledger(folder / run / "ledger.jsonl", lab.clock, lab.ledger.place)
    return replace(lab, run=run, folder=folder / run, ledger=ledger, keys_folder=folder / "keys")


def without_snapshot_tags(request: Any) -> Any:
    """moto's CreateImage takes no tags for snapshots; AWS's and ours do."""

    def asked(*given: Any) -> dict[str, Any]:
        wanted: dict[str, Any] = request(*given)
        tags = [it for it in wanted["TagSpecifications"] if it["ResourceType"] != "snapshot"]
        return {**wanted, "TagSpecifications": tags}

    return asked


def steps_1_to_18(lab: Lab) -> tuple[network.Vpc, network.Records[network.Subnet]]:
    vpc = network.create_vpc(lab)
    subnets = network.create_subnets(lab, vpc)
    gateway = network.attach_internet_gateway(lab, network.create_internet_gateway(lab), vpc)
    table = network.main_route_table(lab, vpc)
    network.add_default_route(lab, table, gateway)
    network.associate_subnets(lab, table, subnets)
    return vpc, subnets


def steps_19_to_24(lab: Lab, vpc: network.Vpc) -> security.SecurityGroup:
    group = security.create_security_group(lab, vpc)
    for port in (22, lab.config.service_port, lab.config.health_port):
        security.allow(lab, group, port)
    return group


def preliminary(lab: Lab) -> images.Image:
    server = images.launch_server(lab, images.amazon_linux_image(lab), images.health_check_user_data(lab))
    (server,) = images.wait_running(lab, server)
    images.reboot(lab, server)
    return images.wait_image(lab, images.create_image(lab, server))


def the_whole_lab(lab: Lab) -> None:
    image = preliminary(lab)
    vpc, subnets = steps_1_to_18(lab)
    template = templates.create_launch_template(lab, image, steps_19_to_24(lab, vpc))
    target_group = balancing.create_target_group(lab, vpc)
    balancing.create_listener(lab, balancing.create_load_balancer(lab, subnets), target_group)
    balancing.wait_active(lab)
    scaling.create_group(lab, template, subnets, target_group)
    scaling.enable_group_metrics(lab)
    scaling.put_target_tracking(lab)
    scaling.wait_in_service(lab)


def intents(lab: Lab) -> list[str]:
    """List what was about to be made; but for group metrics, which moto forgets when none is named."""
    found = [entry for entry in lab.ledger.entries() if entry.kind == "intent" and entry.what != "group-metrics"]
    return [f"{entry.what} {entry.key}" for entry in found]


# -- steps --------------------------------------------------------------------------------------------------


def test_1_to_18_a_vpc_with_two_public_subnets(lab: Lab) -> None:
    vpc, subnets = steps_1_to_18(lab)
    assert (vpc.name, vpc.cidr) == ("MusicGuruVPC", "192.168.0.0/23")
    assert [(it.name, it.cidr) for it in subnets] == [("public 1", "192.168.0.0/24"), ("public 2", "192.168.1.0/24")]
    assert [it.zone for it in subnets] == ["us-east-1a", "us-east-1b"]
    table = network.main_route_table(lab, vpc)
    assert {(it.destination, it.target) for it in network.routes(lab, table)} == {
        ("192.168.0.0/23", "local"), ("0.0.0.0/0", network.internet_gateway(lab).gateway_id),
    }  # fmt: skip
    assert [it.name for it in network.associations(lab, table)] == ["public 1", "public 2"]
    assert network.vpc(lab) == vpc


def test_8_a_gateway_begins_detached(lab: Lab) -> None:
    assert network.create_internet_gateway(lab).state == "detached"


def test_19_to_24_a_security_group_with_rules(lab: Lab) -> None:
    group = steps_19_to_24(lab, network.create_vpc(lab))
    assert [(it.ports, it.source) for it in security.rules(lab, group)] == [
        ("22", "0.0.0.0/0"), ("5000", "0.0.0.0/0"), ("5001", "0.0.0.0/0"),
    ]  # fmt: skip
    security.revoke(lab, group, 5001)
    security.revoke(lab, group, 5001)
    assert [it.ports for it in security.rules(lab, group)] == ["22", "5000"]
    security.allow(lab, group, 5001, source=lab.config.vpc_cidr)
    assert ("5001", "192.168.0.0/23") in [(it.ports, it.source) for it in security.rules(lab, group)]


def test_33_the_private_key_is_the_users_alone(lab: Lab) -> None:
    pair = security.create_key_pair(lab)
    file = Path(pair.private_key_file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert lab.folder not in file.parents
    assert "PRIVATE KEY" in file.read_text()
    assert "PRIVATE KEY" not in lab.ledger.path.read_text()
    assert security.create_key_pair(lab) == pair


def test_33_a_key_without_its_private_half_is_made_again(lab: Lab) -> None:
    first = security.create_key_pair(lab)
    Path(first.private_key_file).unlink()
    second = security.create_key_pair(lab)
    assert second.key_pair_id != first.key_pair_id and Path(second.private_key_file).exists()


def test_33_an_existing_key_is_used_and_not_ours(lab: Lab) -> None:
    academy = replace(lab, config=configured(lab.config, {"key_name": "vockey", "existing_key": True}))
    with pytest.raises(UsageError, match="vockey"):
        security.create_key_pair(academy)
    lab.ec2.create_key_pair(KeyName="vockey")
    assert security.create_key_pair(academy).name == "vockey"
    teardown.teardown(academy)
    assert lab.ec2.describe_key_pairs(KeyNames=["vockey"])["KeyPairs"]


def test_25_to_40_a_template_and_a_test_launch_in_each_subnet(lab: Lab) -> None:
    vpc, subnets = steps_1_to_18(lab)
    group = steps_19_to_24(lab, vpc)
    security.create_key_pair(lab)
    template = templates.create_launch_template(lab, images.amazon_linux_image(lab), group)
    assert (template.security_group_id, template.public_address, template.version) == (group.group_id, True, 1)
    launched = [templates.test_launch(lab, template, subnet) for subnet in subnets]
    running = templates.wait_running(lab, *launched)
    assert [it.zone for it in running] == ["us-east-1a", "us-east-1b"]
    assert all(it.public_address and it.private_address.startswith("192.168.") for it in running)
    ended = templates.terminate(lab, templates.test_instances(lab))
    assert [it.state for it in ended] == ["terminated", "terminated"]
    assert not templates.test_instances(lab)


def test_31_another_image_becomes_a_new_version(lab: Lab) -> None:
    group = steps_19_to_24(lab, network.create_vpc(lab))
    first = templates.create_launch_template(lab, images.amazon_linux_image(lab), group)
    other = images.Image("other", "ami-0123456789abcdef0", "available", "", "", "")
    second = templates.create_launch_template(lab, other, group)
    assert (second.template_id, second.version, second.image_id) == (first.template_id, 2, other.image_id)


def test_42_to_57_a_balancer_and_its_target_group(lab: Lab) -> None:
    vpc, subnets = steps_1_to_18(lab)
    target_group = balancing.create_target_group(lab, vpc)
    load_balancer = balancing.create_load_balancer(lab, subnets)
    listener = balancing.create_listener(lab, load_balancer, target_group)
    assert (listener.protocol_port, listener.forwards_to) == ("TCP : 5000", target_group.arn)
    assert balancing.wait_active(lab).state == "active"
    assert balancing.target_group(lab).load_balancers == "MGLB"
    assert target_group.health_check == "TCP : 5001"


def test_58_to_88_a_group_whose_members_are_named(lab: Lab) -> None:
    the_whole_lab(lab)
    group = scaling.group(lab)
    assert (group.minimum, group.maximum, group.desired, group.health_type) == (2, 3, 2, "EC2")
    assert group.template == "MGLaunch | $Latest"
    members = scaling.instances(lab)
    assert [it.name for it in members] == ["MG from MGAS"] * 2
    filed = {entry.id for entry in lab.ledger.live() if entry.what == "instance"}
    assert {it.instance_id for it in members} <= filed
    assert {it.instance_id for it in balancing.target_health(lab)} == {it.instance_id for it in members}

    with pytest.raises(UsageError, match="not in group"):
        scaling.terminate_instance(lab, images.server(lab).instance_id)
    assert scaling.terminate_instance(lab, members[0].instance_id).state in ("shutting-down", "terminated")

    assert scaling.set_limits(lab, minimum=3).minimum == 3
    with pytest.raises(UsageError, match="changes nothing"):
        scaling.set_limits(lab)

    frame = monitoring.target_group_metrics(lab, lab.clock.now() - timedelta(hours=1))
    assert list(frame.columns)[:2] == ["Healthy hosts", "Healthy hosts (us-east-1a)"]
    assert frame.empty, "what was never published is empty, not zero"


# -- the rule -----------------------------------------------------------------------------------------------


def test_the_second_time_nothing_is_made(lab: Lab) -> None:
    the_whole_lab(lab)
    before, seen = intents(lab), teardown.inventory(lab)
    the_whole_lab(lab)
    assert intents(lab) == before
    assert teardown.inventory(lab) == seen


def test_a_lost_ledger_changes_nothing(lab: Lab) -> None:
    vpc, subnets = steps_1_to_18(lab)
    group = steps_19_to_24(lab, vpc)
    lab.ledger.path.unlink()
    assert steps_1_to_18(lab) == (vpc, subnets)
    assert steps_19_to_24(lab, vpc) == group
    assert intents(lab) == []
    assert lab.ledger.find("vpc", "MusicGuruVPC") == vpc.vpc_id


def test_a_crash_after_the_call_is_found_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(type(lab.ledger), "made", crash)
        with pytest.raises(KeyboardInterrupt):
            network.create_vpc(lab)
    found = network.create_vpc(lab)
    assert intents(lab) == ["vpc MusicGuruVPC"]
    tagged = [{"Name": f"tag:{RUN_TAG}", "Values": ["trial"]}]
    assert [it["VpcId"] for it in lab.ec2.describe_vpcs(Filters=tagged)["Vpcs"]] == [found.vpc_id]


def test_what_was_deleted_by_hand_is_made_again(lab: Lab) -> None:
    first = network.create_vpc(lab)
    lab.ec2.delete_vpc(VpcId=first.vpc_id)
    assert network.create_vpc(lab).vpc_id != first.vpc_id


def test_a_name_that_somebody_else_holds_is_refused(lab: Lab) -> None:
    vpc, subnets = steps_1_to_18(lab)
    lab.elbv2.create_load_balancer(Name="MGLB", Type="network", Subnets=[it.subnet_id for it in subnets])
    with pytest.raises(UsageError, match="outside this workbook") as refusal:
        balancing.create_load_balancer(lab, subnets)
    assert "load_balancer_name" in refusal.value.hint


def test_a_step_too_early_says_which_notebook_comes_first(lab: Lab) -> None:
    for look in (network.vpc, network.subnets, security.security_group, templates.describe, balancing.load_balancer):
        with pytest.raises(CheckFailed) as refusal:
            look(lab)
        assert "notebook 0" in refusal.value.hint


# -- teardown -----------------------------------------------------------------------------------------------


def test_99_everything_goes_and_nothing_else(lab: Lab) -> None:
    theirs = lab.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    the_whole_lab(lab)
    removed = teardown.teardown(lab)
    assert {it.outcome for it in removed} == {"removed"}
    assert teardown.orphans(lab) == ()
    assert lab.ledger.live() == []
    assert not instances.instances(lab)
    assert lab.ec2.describe_vpcs(VpcIds=[theirs])["Vpcs"]
    assert not security.private_key_file(lab).exists()
    assert teardown.teardown(lab) == ()


def test_99_without_the_ledger_the_tags_suffice(lab: Lab) -> None:
    the_whole_lab(lab)
    lab.ledger.path.unlink()
    teardown.teardown(lab)
    assert teardown.orphans(lab) == ()


def test_99_another_run_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    other = as_run(lab, "other", tmp_path)
    vpc = network.create_vpc(other)
    network.create_vpc(lab)
    teardown.teardown(lab)
    assert [(it.resource_id, it.run) for it in teardown.orphans(lab)] == [(vpc.vpc_id, "other")]


def test_99_what_holds_on_is_named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mglab.waits.PATIENCE_FLOOR_WALL_S", 0.5)
    vpc = network.create_vpc(lab)
    lab.ec2.create_subnet(VpcId=vpc.vpc_id, CidrBlock="192.168.0.0/24")
    with pytest.raises(TeardownIncomplete, match=f"vpc MusicGuruVPC {vpc.vpc_id}.*DependencyViolation"):
        teardown.teardown(lab)
    with pytest.raises(TeardownIncomplete):
        teardown.require_nothing_left(lab)
    assert [it.what for it in teardown.inventory(lab)] == ["vpc"]


def test_99_what_we_may_not_list_is_not_called_gone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Lab) -> Any:
        raise Denied("DescribeLoadBalancers: no", code="AccessDenied", operation="DescribeLoadBalancers")

    monkeypatch.setitem(teardown.LISTINGS, "load-balancer", denied)
    network.create_vpc(lab)
    with pytest.raises(TeardownIncomplete, match="every load-balancer: could not be looked for"):
        teardown.teardown(lab)
    assert teardown.of_kind(lab, "vpc", lab.run) == (), "the rest went all the same"
