"""What is kept of a cloud, and how it comes back: the whole world goes through a snapshot and is the same."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mglab.localcloud import keeper as keeping
from mglab.localcloud import pointlog, snapshot
from mglab.localcloud.addresses import AddressPlan
from mglab.localcloud.api.cloudwatch_state import metric_key
from mglab.localcloud.api.ec2 import Setting
from mglab.localcloud.controlplane import PROJECT2_IMAGE_ID, ControlPlane, host_restarted, tick
from mglab.localcloud.kept import Kept, passing
from mglab.localcloud.machines.inside import boot
from mglab.localcloud.machines.inside.scripts import Place
from mglab.localcloud.renumber import moved, renumbered
from mglab.localcloud.rules import health, lifecycle
from mglab.localcloud.rules.statistics import single
from mglab.localcloud.seam import Observed
from mglab.localcloud.snapshot import Identity, Unkeepable, Unreadable
from tests.pure.survival_world import SLOT, InProcess, begun, everything, of, populated

KEYS = [["ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "token"], ["AKIA0", "old", ""]]
WHO = Identity(KEYS, True, 40404, SLOT, "/tmp/mglab-x/resolver")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[InProcess, dict[str, str]]:
    """An account with one of everything. Tests read it, and change only what they have unpacked of it."""
    world = begun(tmp_path_factory.mktemp("world"))
    return world, populated(world)


def unpacked(world: InProcess) -> ControlPlane:
    cloud = snapshot.unpack(packed(world.cloud))
    assert isinstance(cloud, ControlPlane)
    return cloud


def packed(cloud: ControlPlane) -> bytes:
    """Pack a control plane; a field that cannot be is named."""
    try:
        return snapshot.pack(cloud)
    except Unkeepable as error:
        pytest.fail(f"{snapshot.culprit(cloud)} cannot be kept: {error}; next: {error.hint}")


# -- the whole world -------------------------------------------------------------------------------------------


def test_a_world_with_one_of_everything_is_the_same_after_a_snapshot(full: tuple[InProcess, dict[str, str]]) -> None:
    world, _ = full
    wanted = tick(world.cloud, Observed())
    before, twin = everything(world), of(unpacked(world))
    assert everything(twin) == before
    assert tick(twin.cloud, Observed()) == wanted
    of(world.cloud)


def test_a_snapshot_of_an_unchanged_world_is_the_same_bytes(full: tuple[InProcess, dict[str, str]]) -> None:
    world, _ = full
    tick(world.cloud, Observed())
    first = packed(world.cloud)
    tick(world.cloud, Observed())
    assert packed(world.cloud) == first, "an idle cloud writes nothing"


def test_the_parts_of_a_world_still_know_each_other(full: tuple[InProcess, dict[str, str]]) -> None:
    cloud = unpacked(full[0])
    assert cloud.autoscaling.cloud.compute is cloud.ec2
    assert cloud.autoscaling.cloud.elbv2 is cloud.elbv2
    assert cloud.autoscaling.cloud.random is cloud.ec2._world.random
    assert cloud.cloudwatch.alarms.listeners == [cloud.autoscaling._on_alarm]
    assert cloud.ec2._world.now() == cloud.clock.time()
    with cloud.lock:
        pass


def test_chance_goes_on_where_it_was(full: tuple[InProcess, dict[str, str]]) -> None:
    one, other = unpacked(full[0]), unpacked(full[0])
    assert [one.ec2._world.random.random() for _ in range(3)] == [other.ec2._world.random.random() for _ in range(3)]


def test_a_field_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    cloud = begun(tmp_path).cloud
    cloud.autoscaling.state.activities.append({"when": [lambda: 0]})  # type: ignore[arg-type]
    with pytest.raises(Unkeepable, match="lambda"):
        snapshot.pack(cloud)
    assert ".activities[0]['when'][0] (builtins.function)" in snapshot.culprit(cloud)


@dataclass
class Half(Kept):
    kept: int = 1
    gone: list[int] = passing(list)
    also: dict[str, int] = field(default_factory=dict)


def test_a_passing_field_has_its_first_value_again() -> None:
    assert pickle.loads(pickle.dumps(Half(2, [3], {"a": 4}))) == Half(2, [], {"a": 4})


# -- as after a restart of every host --------------------------------------------------------------------------


@pytest.fixture
def risen(full: tuple[InProcess, dict[str, str]], tmp_path: Path) -> Iterator[Callable[..., InProcess]]:
    """Let the world come back some time later, perhaps without some of its file trees."""
    world, then = full[0], full[0].hand.at

    def rise(*lost: str, after_s: float = 30.0, slot: int = SLOT) -> InProcess:
        stream = packed(world.cloud)
        cloud = snapshot.unpack(renumbered(stream, SLOT, slot) if slot != SLOT else stream)
        twin = of(cloud)
        twin.hand.at = then + after_s
        host_restarted(cloud, Setting(tmp_path, AddressPlan(slot), 10022, frozenset(lost)))
        return twin

    yield rise
    of(world.cloud)


def state_of(world: InProcess, instance_id: str) -> str:
    found = world.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])


def test_what_ran_boots_again_and_the_rest_goes_on(
    full: tuple[InProcess, dict[str, str]], risen: Callable[..., InProcess]
) -> None:
    world, made = full
    before = {spec.instance_id: spec for spec in world.cloud.ec2.machines()}
    twin = risen()
    after = {spec.instance_id: spec for spec in twin.cloud.ec2.machines()}
    assert after[made["running"]] == replace(before[made["running"]], boots=2, ssh_port=10022)
    assert after[made["stopped"]] == replace(before[made["stopped"]], ssh_port=10022)
    assert [state_of(twin, made[name]) for name in ("running", "stopped", "pending")] == [
        "running", "stopped", "running",
    ]  # fmt: skip
    view = twin.cloud.ec2.instance(made["running"])
    assert view is not None and not view.serving, "it is still booting"
    old = world.cloud.ec2.instance(made["running"])
    assert old is not None and view.public_address == old.public_address
    twin.pass_time(60)
    view = twin.cloud.ec2.instance(made["running"])
    assert view is not None and view.serving


def test_targets_are_learnt_of_again_and_nobody_is_replaced(
    full: tuple[InProcess, dict[str, str]], risen: Callable[..., InProcess]
) -> None:
    world, made = full
    members = {each["InstanceId"] for each in everything(world)["auto_scaling_instances"]["AutoScalingInstances"]}
    twin = risen(after_s=3600.0)
    assert set(health_of(twin, made)) == {"initial"}
    twin.pass_time(600)
    assert set(health_of(twin, made)) == {"healthy"}
    after = everything(twin)["auto_scaling_instances"]["AutoScalingInstances"]
    assert {each["InstanceId"] for each in after} == members


def health_of(world: InProcess, made: dict[str, str]) -> list[str]:
    told = world.elbv2.describe_target_health(TargetGroupArn=made["targets"])["TargetHealthDescriptions"]
    return [each["TargetHealth"]["State"] for each in told]


def test_an_instance_without_its_disk_ends_and_its_group_replaces_it(
    full: tuple[InProcess, dict[str, str]], risen: Callable[..., InProcess]
) -> None:
    world, _ = full
    lost = str(everything(world)["auto_scaling_instances"]["AutoScalingInstances"][0]["InstanceId"])
    twin = risen(lost)
    found = twin.ec2.describe_instances(InstanceIds=[lost])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] == "shutting-down"
    assert found["StateReason"] == {
        "Code": "Server.InternalError", "Message": "Server.InternalError: Internal error on launch",
    }  # fmt: skip
    twin.pass_time(900)
    members = twin.autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"]
    assert len(members) == 2 and lost not in {each["InstanceId"] for each in members}


def test_an_image_without_its_tree_has_failed_and_one_being_made_goes_on(
    full: tuple[InProcess, dict[str, str]], risen: Callable[..., InProcess]
) -> None:
    _, made = full
    twin = risen(made["image"], made["copying"])
    states = {each["ImageId"]: each["State"] for each in twin.ec2.describe_images(Owners=["self"])["Images"]}
    assert states == {made["image"]: "failed", made["copying"]: "pending", PROJECT2_IMAGE_ID: "available"}
    wanted = {spec.image_id for spec in twin.cloud.ec2.images()}
    assert made["image"] not in wanted, "nor is it made of what its source holds now"
    twin.pass_time(600)
    states = {each["ImageId"]: each["State"] for each in twin.ec2.describe_images(Owners=["self"])["Images"]}
    assert states[made["copying"]] == "available"


def test_a_world_whose_addresses_are_taken_moves_to_others(
    full: tuple[InProcess, dict[str, str]], risen: Callable[..., InProcess]
) -> None:
    world, made = full
    before, twin = tick(world.cloud, Observed()), risen(slot=200)
    after = tick(twin.cloud, Observed())
    assert "127.64." not in repr(after) and "127.65." not in repr(after)
    name = made["name"].lower()
    assert after.names[name] == tuple(moved(each, SLOT, 200) for each in before.names[name])
    told = twin.ec2.describe_instances(InstanceIds=[made["running"]])["Reservations"][0]["Instances"][0]
    assert told["PublicIpAddress"].startswith("127.201.")
    fresh = twin.ec2.run_instances(ImageId=PROJECT2_IMAGE_ID, InstanceType="t2.micro", MinCount=1, MaxCount=1)
    twin.pass_time(60)
    view = twin.cloud.ec2.instance(fresh["Instances"][0]["InstanceId"])
    assert view is not None and str(view.public_address).startswith("127.201.")
    taken = [spec.loopback_address for spec in twin.cloud.ec2.machines()]
    assert len(set(taken)) == len(taken)


def test_metrics_have_a_gap_and_go_on(
    full: tuple[InProcess, dict[str, str]], risen: Callable[..., InProcess]
) -> None:
    world, made = full
    twin = risen(after_s=1800.0)
    for key, sample in world.cloud.cloudwatch.state.points():
        twin.cloud.cloudwatch.state.add(key, [sample])
    left, back = world.hand.at, twin.hand.at
    twin.pass_time(600)
    balancer = made["balancer"].split("loadbalancer/")[1]
    wanted = metric_key("AWS/NetworkELB", "NewFlowCount", {"LoadBalancer": balancer})
    times = [sample.at for key, sample in twin.cloud.cloudwatch.state.points() if key == wanted]
    assert [at for at in times if at < left - 60] and [at for at in times if at >= back - 60]
    assert not [at for at in times if left + 60 <= at < back - 60]


# -- rules -----------------------------------------------------------------------------------------------------

ON = lifecycle.advance(lifecycle.launched(0.0, lifecycle.Pace(10.0, 20.0, 5.0, 5.0)), 100.0)


@pytest.mark.parametrize(
    ("life", "boots"),
    [
        (ON, 2),
        (lifecycle.launched(99.0, lifecycle.USUAL), 1),
        (lifecycle.stop(ON, 100.0), 1),
        (lifecycle.advance(lifecycle.stop(ON, 100.0), 105.0), 1),
        (lifecycle.terminate(ON, 100.0), 1),
        (lifecycle.hold(ON), 1),
    ],
    ids=["running", "pending", "stopping", "stopped", "shutting-down", "held for its image"],
)
def test_only_what_ran_boots_again(life: lifecycle.Life, boots: int) -> None:
    after = lifecycle.host_restarted(life, 110.0)
    assert (after.state, after.boots) == (life.state, boots)
    assert after == (replace(life, boots=2, up_at=130.0) if boots == 2 else life)


def test_nodes_that_restart_know_nothing_of_a_target() -> None:
    new, opinions = health.register(0.0, 90.0), {"us-east-1a": "healthy"}
    target = replace(new, health=health.HEALTHY, opinions=opinions, probed_from=90.0)
    anew = health.nodes_restarted(target, 1000.0, 1090.0)
    assert (anew.health, anew.opinions, anew.probed_from) == (health.REGISTERING, {}, 1090.0)
    assert anew.history[-1] == health.Transition(1000.0, health.REGISTERING)
    draining = replace(target, health=health.DRAINING, leaves_at=1100.0)
    unused = replace(target, health=health.STOPPED)
    assert [health.nodes_restarted(it, 1000.0, 1090.0) for it in (draining, unused)] == [draining, unused]


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("127.64.0.1", "127.100.0.1"),
        ("ec2-127-65-0-12.compute-1.amazonaws.com", "ec2-127-101-0-12.compute-1.amazonaws.com"),
        ("127.64", "127.64"),
        ("127.66.0.1", "127.66.0.1"),
        ("1127.64.0.1", "1127.64.0.1"),
        ("127.640.0.1", "127.640.0.1"),
        ("10.127.0.64", "10.127.0.64"),
    ],
)
def test_addresses_of_the_slot_move_and_nothing_else(text: str, then: str) -> None:
    assert moved(text, 64, 100) == then


def test_a_stream_is_renumbered_whole() -> None:
    address, long = "127.64.0.1", "127.65.0.1 " * 100
    thing = {address: [address, long, "x" * 70_000], "ü": (b"127.64.0.1", 127.64, None), "n": {address}}
    after = pickle.loads(renumbered(snapshot.pack(thing), 64, 200))
    new, longer = "127.200.0.1", "127.201.0.1 " * 100
    assert after == {new: [new, longer, "x" * 70_000], "ü": (b"127.64.0.1", 127.64, None), "n": {new}}


# -- a first boot that was cut short ---------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["write_files", "per-boot", "per-instance", "user"])
def test_each_part_of_a_first_boot_is_begun_once(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    names = {"per-boot/a": "per-boot", "per-instance/a": "per-instance", "scripts/mine": "user"}

    def carry_out(name: str) -> None:
        done.append(name)
        if name == part and done.count(name) == 1:
            raise KeyboardInterrupt  # the host ends here

    monkeypatch.setattr(boot, "say", lambda line: None)
    monkeypatch.setattr(boot, "_write_file", lambda it, file: carry_out("write_files"))
    monkeypatch.setattr(boot, "_run", lambda it, script: carry_out(next(n for p, n in names.items() if p in script)))
    for folder in ("per-boot", "per-instance"):
        script = tmp_path / "var/lib/cloud/scripts" / folder / "a"
        script.parent.mkdir(parents=True)
        script.touch(0o755)
    one = boot.Boot(
        "i-0", "host", "10.0.0.4", 1, Place(str(tmp_path), "", ""), {}, b"", ({},), b"", b"",
        ({"name": "mine", "content": b"#!/bin/sh"},), (),
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        boot.run(one)
    boot.run(one)
    boot.run(one)
    once = {name: done.count(name) for name in ("write_files", "per-instance", "user")}
    assert once == {"write_files": 1, "per-instance": 1, "user": 1}
    assert done.count("per-boot") == (2 if part == "write_files" else 3)


# -- the file --------------------------------------------------------------------------------------------------


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert snapshot.read(tmp_path) is None
    snapshot.write(tmp_path, WHO, b"the world")
    snapshot.write(tmp_path, WHO, b"the world today")
    found = snapshot.read(tmp_path)
    assert found is not None and (found.identity, found.packed) == (WHO, b"the world today")
    assert snapshot.folder(tmp_path).stat().st_mode & 0o777 == 0o700
    assert (snapshot.folder(tmp_path) / snapshot.NAME).stat().st_mode & 0o777 == 0o600
    snapshot.forget(tmp_path)
    assert snapshot.read(tmp_path) is None


def test_a_write_that_was_cut_short_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot.write(tmp_path, WHO, b"old")

    def killed(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mglab.localcloud.snapshot.os.fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            snapshot.write(tmp_path, WHO, b"new")
    found = snapshot.read(tmp_path)
    assert found is not None and found.packed == b"old"
    snapshot.write(tmp_path, WHO, b"new")
    found = snapshot.read(tmp_path)
    assert found is not None and found.packed == b"new"


def spoilt(path: Path, spoil: str) -> None:
    """Make a snapshot one that must not be believed."""
    content = path.read_bytes()
    if spoil == "cut short":
        path.write_bytes(content[:-1])
    elif spoil == "another version's":
        path.write_bytes(content.replace(b"moto-", b"moto-0", 1))
    elif spoil == "no snapshot at all":
        path.write_bytes(b"\x80\x05garbage\n")
    elif spoil == "readable by others":
        path.chmod(0o644)
    elif spoil == "in a folder open to others":
        path.parent.chmod(0o755)
    elif spoil == "a link":
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
    elif spoil == "a pipe":
        path.unlink()
        os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        ("cut short", "not those that were written"),
        ("another version's", "another version"),
        ("no snapshot at all", "none of ours"),
        ("readable by others", "not this user's alone"),
        ("in a folder open to others", "not this user's alone"),
        ("a link", "cannot be read"),
        ("a pipe", "not this user's alone"),
    ],
)
def test_what_cannot_be_believed_is_refused_and_put_aside(tmp_path: Path, spoil: str, word: str) -> None:
    snapshot.write(tmp_path, WHO, b"the world")
    spoilt(snapshot.folder(tmp_path) / snapshot.NAME, spoil)
    with pytest.raises(Unreadable, match=word):
        snapshot.read(tmp_path)
    aside = snapshot.put_aside(tmp_path)
    assert aside.is_dir() and snapshot.read(tmp_path) is None
    snapshot.write(tmp_path, WHO, b"anew")
    assert snapshot.put_aside(tmp_path) == aside


def test_the_stamp_names_moto_and_python() -> None:
    assert " moto-" in snapshot.stamp() and " python-3." in snapshot.stamp()


# -- points ----------------------------------------------------------------------------------------------------


def points(count: int) -> list[pointlog.Point]:
    key = metric_key("Kept", "points", {"Of": "what"})
    return [(key, single(60.0 * n, float(n), "Count", 60.0 * n)) for n in range(count)]


def test_points_are_added_and_read_back(tmp_path: Path) -> None:
    assert list(pointlog.read(tmp_path)) == []
    log = pointlog.PointLog(tmp_path)
    log.begin(points(3))
    log.add(points(5)[3:])
    log.add([])
    assert list(pointlog.read(tmp_path)) == points(5)
    assert not log.overgrown


def test_a_frame_that_was_cut_short_ends_the_log(tmp_path: Path) -> None:
    log = pointlog.PointLog(tmp_path)
    log.begin(points(3))
    log.add(points(9)[3:])
    path = snapshot.folder(tmp_path) / pointlog.NAME
    path.write_bytes(path.read_bytes()[:-1])
    assert list(pointlog.read(tmp_path)) == points(3)
    path.write_bytes(b"another version\n" + path.read_bytes())
    assert list(pointlog.read(tmp_path)) == []


# -- keeping ---------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[InProcess, keeping.Keeper, Path]]:
    """An account that is being kept."""
    world = begun(tmp_path)
    keeper = keeping.Keeper(world.cloud, tmp_path)
    keeper.start(lambda: WHO)
    yield world, keeper, tmp_path
    keeper.stop()


def on_disk(directory: Path) -> ControlPlane:
    found = snapshot.read(directory)
    assert found is not None
    cloud = snapshot.unpack(found.packed)
    assert isinstance(cloud, ControlPlane)
    return cloud


def test_what_was_answered_is_on_disk(kept: tuple[InProcess, keeping.Keeper, Path]) -> None:
    world, keeper, directory = kept
    for number in range(3):
        vpc_id = world.ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
        keeper.keep("CreateVpc")
        assert vpc_id in on_disk(directory).ec2._world.backend.vpcs


def test_requests_that_come_together_are_all_kept(kept: tuple[InProcess, keeping.Keeper, Path]) -> None:
    world, keeper, directory = kept
    state = world.cloud.elbv2._state
    found = []

    def ask(name: str) -> None:
        with world.cloud.lock:
            state.tags[name] = {}
        keeper.keep("AddTags")
        found.append(name in on_disk(directory).elbv2._state.tags)

    threads = [threading.Thread(target=ask, args=(f"arn:{number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 12


def test_reading_waits_for_no_disk(kept: tuple[InProcess, keeping.Keeper, Path]) -> None:
    _, keeper, _ = kept
    asked = keeper._asked
    for operation in ("DescribeVpcs", "GetMetricData", "ListMetrics", "PutMetricData"):
        keeper.keep(operation)
    assert keeper._asked == asked
    keeper.keep("CreateVpc")
    assert keeper._asked == keeper._kept == asked + 1


def test_nothing_is_written_where_nothing_happens(kept: tuple[InProcess, keeping.Keeper, Path]) -> None:
    world, keeper, directory = kept
    keeper.keep("CreateVpc")
    before = (snapshot.folder(directory) / snapshot.NAME).stat()
    keeper.keep("CreateVpc")
    assert (snapshot.folder(directory) / snapshot.NAME).stat() == before
    with world.cloud.lock:
        world.cloud.elbv2._state.tags["arn"] = {}
    keeper.keep("AddTags")
    assert (snapshot.folder(directory) / snapshot.NAME).stat() != before


def test_points_go_into_their_log(kept: tuple[InProcess, keeping.Keeper, Path]) -> None:
    world, keeper, directory = kept
    world.cloudwatch.put_metric_data(Namespace="Kept", MetricData=[{"MetricName": "points", "Value": 4.0}])
    keeper.keep("CreateVpc")
    ((key, sample),) = pointlog.read(directory)
    assert (key.name, sample.total) == ("points", 4.0) and world.cloud.cloudwatch.state.unsaved == []


def test_a_disk_that_cannot_be_written_is_said_once_and_holds_nobody_up(
    kept: tuple[InProcess, keeping.Keeper, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world, keeper, directory = kept

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with caplog.at_level(logging.INFO), monkeypatch.context() as patch:
        patch.setattr("mglab.localcloud.snapshot.replace", full)
        for number in range(2):
            world.ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
            keeper.keep("CreateVpc")
    assert [line.levelname for line in caplog.records if "No space left" in line.getMessage()] == ["ERROR"]
    keeper.keep("CreateVpc")
    assert len(on_disk(directory).ec2._world.backend.vpcs) == 3
