"""CPUUtilization covers whole windows of what really passed: no false idleness at an instance's beginning."""

from __future__ import annotations

import pytest

from mglab.localcloud.api.compute import InstanceView
from mglab.localcloud.processor import Processor, window_ended
from mglab.localcloud.seam import MachineReport, Observed

BEGAN = 1_700_000_000.0


def instance(name: str, state: str = "running", group: str = "") -> InstanceView:
    return InstanceView(
        instance_id=name, state=state, image_id="ami-1", instance_type="t2.micro", vpc_id="vpc-1",
        subnet_id="subnet-1", zone="us-east-1a", private_address="192.168.0.5", loopback_address="127.64.0.1",
        public_address=None, security_group_ids=(), launched_at=0.0, serving=True,
        tags={"aws:autoscaling:groupName": group} if group else {},
    )  # fmt: skip


def burned(**seconds: float) -> Observed:
    """Give each instance's CPU seconds since its first boot."""
    return Observed(machines=tuple(MachineReport(name, "on", 1, int(s * 1e9), 1) for name, s in seconds.items()))


def percents(points: list[tuple[str, str, dict[str, str], float, str]]) -> dict[str, float]:
    return {"/".join(dimensions.values()): round(value, 3) for _, _, dimensions, value, _ in points}


@pytest.mark.fact("4.3/cpu")
def test_a_point_is_the_share_of_a_core_that_was_burned_in_the_window() -> None:
    processor = Processor(core_share=1.0)
    processor.points(burned(a=1.0), [instance("a", group="MGAS")], BEGAN)
    points = processor.points(burned(a=2.0), [instance("a", group="MGAS")], BEGAN + 5)
    assert percents(points) == {"a": 20.0, "MGAS": 20.0}


def test_its_share_of_a_core_is_all_that_an_instance_has() -> None:
    processor = Processor(core_share=0.1)
    processor.points(burned(a=0.0, b=0.0), [instance("a"), instance("b")], BEGAN)
    points = processor.points(burned(a=0.25, b=0.6), [instance("a"), instance("b")], BEGAN + 5)
    assert percents(points) == {"a": 50.0, "b": 100.0}


def test_who_warms_up_is_measured_but_not_counted_in_its_group() -> None:
    processor, members = Processor(core_share=1.0), [instance("old", group="MGAS"), instance("new", group="MGAS")]
    processor.points(burned(old=0.0, new=0.0), members, BEGAN)
    points = processor.points(burned(old=1.0, new=5.0), members, BEGAN + 5, warming={"new"})
    assert [(next(iter(it[2].values())), it[3]) for it in points] == [("old", 20.0), ("MGAS", 20.0), ("new", 100.0)]


def test_an_instances_first_and_partial_window_has_no_point() -> None:
    processor = Processor(core_share=1.0)
    processor.points(burned(a=0.0), [instance("a")], BEGAN)
    second = processor.points(burned(a=5.0, new=2.0), [instance("a"), instance("new")], BEGAN + 5)
    third = processor.points(burned(a=10.0, new=4.5), [instance("a"), instance("new")], BEGAN + 10)
    assert percents(second) == {"a": 100.0}
    assert percents(third) == {"a": 100.0, "new": 50.0}


def test_the_work_of_a_reboot_is_no_load() -> None:
    def after(seconds: float, boots: int) -> Observed:
        return Observed(machines=(MachineReport("a", "on", boots, int(seconds * 1e9), 1),))

    processor = Processor(core_share=1.0)
    processor.points(after(1.0, boots=1), [instance("a")], BEGAN)
    assert processor.points(after(5.0, boots=2), [instance("a")], BEGAN + 5) == []
    assert percents(processor.points(after(6.0, boots=2), [instance("a")], BEGAN + 10)) == {"a": 20.0}


@pytest.mark.parametrize("state", ["pending", "stopping", "stopped", "shutting-down", "terminated"])
def test_only_windows_that_it_ran_through_count(state: str) -> None:
    processor = Processor(core_share=1.0)
    processor.points(burned(a=1.0), [instance("a", state)], BEGAN)
    assert processor.points(burned(a=2.0), [instance("a")], BEGAN + 5) == []
    assert percents(processor.points(burned(a=3.0), [instance("a")], BEGAN + 10)) == {"a": 20.0}


def test_a_window_that_a_late_tick_made_longer_counts_as_long_as_it_was() -> None:
    processor = Processor(core_share=1.0)
    processor.points(burned(a=0.0), [instance("a")], BEGAN)
    assert percents(processor.points(burned(a=5.0), [instance("a")], BEGAN + 10)) == {"a": 50.0}


@pytest.mark.parametrize(
    ("before", "minute", "ended"), [(4, 5, True), (5, 6, False), (3, 6, True), (4, 21, True), (9, 9, False)]
)
def test_a_window_ends_though_its_very_minute_was_missed(before: int, minute: int, ended: bool) -> None:
    assert window_ended(before, minute) is ended
