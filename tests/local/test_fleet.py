"""Whole snapshots in, whole reports out: what is becomes what should be."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mglab.localcloud.machines.fleet import Fleet
from mglab.localcloud.machines.running import Cloud
from mglab.localcloud.seam import ImageSpec, MachineReport, MachineSpec
from tests.local.machinery import ask, by_id, console, echo_image, left_of, next_block, spec

SEEDED = ImageSpec("ami-echo")


class Bench:
    """A fleet under test and its directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cloud = Cloud(directory, directory / "resolver")
        self.fleet = Fleet(directory, directory / "resolver")

    def want(self, *machines: MachineSpec, images: tuple[ImageSpec, ...] = (SEEDED,)) -> None:
        self.fleet.apply(machines, images)

    def machine(self, machine: MachineSpec) -> MachineReport:
        return by_id(self.fleet.report()[0], machine.instance_id)

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}; troubles: {self.fleet.report()[2]}"
            self.fleet.tick()
            time.sleep(0.01)

    def until_serving(self, machine: MachineSpec) -> None:
        self.until(lambda: self.answer(machine), f"{machine.instance_id} answers")

    def until_off(self, machine: MachineSpec) -> None:
        self.until(lambda: self.machine(machine).power == "off", f"{machine.instance_id} is off")

    def answer(self, machine: MachineSpec) -> str:
        return ask(machine.loopback_address)

    def home(self, machine: MachineSpec) -> Path:
        return self.directory / "instances" / machine.instance_id / "home/ec2-user"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    echo_image(tmp_path)
    bench = Bench(tmp_path)
    yield bench
    bench.fleet.close()
    assert left_of(f"{bench.cloud.token}-*") == []


@pytest.fixture
def block() -> int:
    return next_block()


def off(machine: MachineSpec) -> MachineSpec:
    return dataclasses.replace(machine, power="off")


def rebooted(machine: MachineSpec) -> MachineSpec:
    return dataclasses.replace(machine, boots=machine.boots + 1)


def test_instances_come_up_stop_and_go(bench: Bench, block: int) -> None:
    one, two = spec(1, block), spec(2, block)
    bench.want(one, two)
    bench.until_serving(one)
    bench.until_serving(two)
    assert bench.machine(one).boots == 1
    assert bench.machine(one).processes > 0
    bench.want(off(one))
    bench.until_off(one)
    bench.until(lambda: len(bench.fleet.report()[0]) == 1, "the other is gone")
    assert (bench.answer(one), bench.answer(two)) == ("", "")
    assert bench.home(one).is_dir()
    assert not bench.home(two).exists()


def test_more_boots_asked_for_means_boot_again(bench: Bench, block: int) -> None:
    machine = spec(3, block)
    bench.want(machine)
    bench.until_serving(machine)
    before = bench.machine(machine).cpu_ns
    bench.want(rebooted(machine))
    bench.until(lambda: bench.machine(machine).boots == 2, "it boots again")
    bench.until_serving(machine)
    assert bench.machine(machine).cpu_ns >= before


def test_an_image_is_copied_once_its_source_is_off_and_carries_the_change(bench: Bench, block: int) -> None:
    source, image = spec(4, block), ImageSpec("ami-new", "i-00000000000000004")
    bench.want(source)
    bench.until_serving(source)
    bench.want(source, images=(SEEDED, image))
    bench.fleet.tick()
    assert bench.fleet.report()[1] == ("ami-echo",)
    echo = bench.home(source) / "echo.py"
    echo.write_text(echo.read_text().replace("from", "changed, from"))
    bench.want(off(source), images=(SEEDED, image))
    bench.until(lambda: bench.fleet.report()[1] == ("ami-echo", "ami-new"), "the image is there")
    child = spec(5, block, image_id="ami-new")
    bench.want(rebooted(source), child, images=(SEEDED, image))
    bench.until_serving(child)
    bench.until_serving(source)
    assert bench.answer(child).startswith("hello changed, from 192.168.0.5 ")


def test_a_reboot_that_hides_the_stop_still_copies_before_it_boots(bench: Bench, block: int) -> None:
    source, image = spec(6, block), ImageSpec("ami-new", "i-00000000000000006")
    bench.want(source)
    bench.until_serving(source)
    bench.want(rebooted(source), images=(SEEDED, image))
    bench.until(lambda: bench.machine(source).boots == 2, "it has rebooted")
    assert bench.fleet.report()[1] == ("ami-echo", "ami-new")


def test_without_a_reboot_the_image_is_copied_while_it_serves(bench: Bench, block: int) -> None:
    source, image = spec(7, block), ImageSpec("ami-live", "i-00000000000000007", no_reboot=True)
    bench.want(source)
    bench.until_serving(source)
    bench.want(source, images=(SEEDED, image))
    bench.until(lambda: "ami-live" in bench.fleet.report()[1], "the image is there")
    assert bench.machine(source).boots == 1
    assert bench.answer(source)


def test_a_terminated_source_is_copied_before_its_tree_goes(bench: Bench, block: int) -> None:
    source, image = spec(8, block), ImageSpec("ami-last", "i-00000000000000008")
    bench.want(source)
    bench.until_serving(source)
    bench.want(images=(SEEDED, image))
    bench.until(lambda: not bench.fleet.report()[0], "the instance is gone")
    assert bench.fleet.report()[1] == ("ami-echo", "ami-last")


def test_images_no_longer_wanted_are_deleted(bench: Bench) -> None:
    bench.want(images=())
    bench.until(lambda: not (bench.directory / "images/ami-echo").exists(), "the tree is gone")
    assert bench.fleet.report() == ((), (), ())


def test_what_cannot_be_done_is_said(bench: Bench, block: int) -> None:
    machine = spec(9, block, image_id="ami-none")
    bench.want(machine, images=(SEEDED, ImageSpec("ami-late", "i-gone")))
    bench.until(lambda: len(bench.fleet.report()[2]) == 2, "both troubles are told")
    troubles = " ".join(bench.fleet.report()[2])
    assert "i-00000000000000009 cannot start: the files of image ami-none are not there" in troubles
    assert "image ami-late cannot be made: its source i-gone is gone" in troubles
    assert bench.machine(machine).power == "off"


def test_a_killed_init_is_seen_and_stays_off_until_the_next_boot(bench: Bench, block: int) -> None:
    machine = spec(10, block)
    bench.want(machine)
    bench.until_serving(machine)
    pid = int((bench.directory / "running" / machine.instance_id / "pid").read_text())
    os.kill(pid, signal.SIGKILL)
    bench.until_off(machine)
    bench.until(lambda: not left_of(bench.cloud.token_of(machine.instance_id)), "its processes end")
    assert "its init was killed (signal 9)" in bench.fleet.report()[2][0]
    bench.want(rebooted(machine))
    bench.until_serving(machine)
    assert bench.fleet.report()[2] == ()


def test_a_new_data_plane_boots_what_should_run_and_deletes_what_should_not_be(bench: Bench, block: int) -> None:
    kept, dropped = spec(11, block, user_data=b"#!/bin/sh\necho once\n"), spec(12, block)
    bench.want(kept, dropped)
    bench.until_serving(kept)
    bench.until_serving(dropped)
    bench.until(lambda: "\nonce\n" in console(bench.directory, kept.instance_id), "user-data runs")
    bench.fleet.close()
    bench.fleet = Fleet(bench.directory, bench.directory / "resolver")
    bench.want(kept)
    bench.until_serving(kept)
    bench.until(lambda: not bench.home(dropped).exists(), "the other's tree is deleted")
    assert console(bench.directory, kept.instance_id).count("\nonce\n") == 1
