"""Question 1's experiment on the living cloud: it measures what it says, and puts everything back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mglab.session import Lab
from mglab.steps import balancing, scaling
from mglab.study import pattern_arms
from mglab.study.client import ask, free_port
from mglab.study.pattern import NAME, crossings, is_empty
from tests.local.cloud_under_test import lab_on, put_up_service, started

RATE = 240.0
REQUESTS = 12


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with started("pattern", RATE) as cloud, lab_on(cloud, "pattern") as lab:
        put_up_service(lab)
        balancing.wait_healthy(lab)
        yield lab


def sizes(lab: Lab) -> tuple[int, int, int]:
    group = scaling.group(lab)
    return group.minimum, group.desired, group.maximum


def as_before(lab: Lab) -> bool:
    wanted = lab.config
    return sizes(lab) == (wanted.minimum, wanted.desired, wanted.maximum) and not balancing.crosses_zones(lab)


def test_one_source_port_is_used_again_and_again(lab: Lab) -> None:
    """The server closes first, so that the same pair of ends is free for the next connection at once."""
    (address, *_) = lab.resolve(balancing.load_balancer(lab).dns_name)
    port = free_port()
    samples = [ask(lab, address, source_port=port) for _ in range(25)]
    assert {(sample.source_port, sample.failure) for sample in samples} == {(port, "")}


def test_cross_zone_is_switched_and_filed(lab: Lab) -> None:
    assert not balancing.crosses_zones(lab)
    balancing.set_cross_zone(lab, on=True)
    assert balancing.crosses_zones(lab)
    balancing.set_cross_zone(lab, on=False)
    assert not balancing.crosses_zones(lab)
    filed = [
        entry.details["did"]
        for entry in lab.ledger.entries()
        if entry.what == "load-balancer" and entry.step == "Question 1"
    ]
    assert filed == ["cross-zone on", "cross-zone off"]


def test_how_long_it_takes_is_said_beforehand(lab: Lab) -> None:
    planned = pattern_arms.schedule(lab, REQUESTS)
    assert [stretch.what for stretch in planned] == [
        "2 instances", "2 instances, cross-zone on", "3 instances", "1 instance", "put back"
    ]  # fmt: skip
    assert all(stretch.about_s >= round(stretch.waiting_s / RATE, 1) for stretch in planned)
    assert planned[-2].about_s > 3, "the address of the empty zone costs its time-out"


def test_what_broke_off_in_the_middle_is_put_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client dies when three instances are asked for the first time."""
    really = pattern_arms.many

    def dies(lab: Lab, *words: Any, **more: Any) -> Any:
        if scaling.group(lab).desired == 3:
            assert sizes(lab) == (3, 3, 3)
            raise KeyboardInterrupt
        return really(lab, *words, **more)

    monkeypatch.setattr(pattern_arms, "many", dies)
    with pytest.raises(KeyboardInterrupt):
        pattern_arms.find_pattern(lab, 2)
    assert as_before(lab)
    assert not (lab.folder / "experiments" / "pattern.json").exists()


def test_the_whole_experiment_sees_each_situation_and_puts_it_back(lab: Lab) -> None:
    seen = pattern_arms.find_pattern(lab, REQUESTS)
    assert as_before(lab) and len(scaling.instances(lab)) == lab.config.desired
    situations = dict.fromkeys((arm.setting.instances, arm.setting.cross_zone) for arm in seen.arms)
    assert tuple(situations) == pattern_arms.COURSE
    assert all(sample.answered for sample in seen.samples)
    assert not any(crossings(arm) for arm in seen.arms if not arm.setting.cross_zone)
    across = [arm for arm in seen.arms if arm.setting.cross_zone and arm.through != NAME]
    assert sum(map(crossings, across)) > 0
    (empty,) = [arm for arm in seen.arms if is_empty(arm)]
    assert not empty.responders
    (fixed,) = [arm for arm in seen.arms if arm.fixed_port]
    assert len({sample.source_port for sample in fixed.samples}) == 1
    assert pattern_arms.find_pattern(lab, REQUESTS) == seen, "it is done once"
