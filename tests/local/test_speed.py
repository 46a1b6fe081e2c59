"""What would make it faster, on the real local cloud: it is measured, and everything is put back, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mglab.session import Lab
from mglab.steps import balancing, instances, network, scaling, teardown, trials
from mglab.study import growth, hurry, ready, rhythm
from tests.local.cloud_under_test import lab_on, put_up_service, started

RATE = 120.0
CHECKS = (30, 10, 5)
SIZES = (2, 3, 2)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with started("speed", RATE) as cloud, lab_on(cloud, "speed") as lab:
        put_up_service(lab)
        balancing.wait_healthy(lab)
        yield lab
        teardown.teardown(lab)


def checks(lab: Lab) -> tuple[int, int, int]:
    group = balancing.target_group(lab)
    return group.interval_s, group.timeout_s, group.healthy_threshold


def sizes(lab: Lab) -> tuple[int, int, int]:
    group = scaling.group(lab)
    return group.minimum, group.maximum, group.desired


def test_both_ways_of_bringing_the_server_answer_and_are_ended(lab: Lab) -> None:
    tried = hurry.image_or_user_data(lab)
    assert [one.way for one in tried.trials] == [way for way in trials.WAYS for _ in range(trials.TIMES)]
    assert all(one.bands[-1].ends_s > 0 for one in tried.trials)
    assert not trials.living(lab) or {it.state for it in trials.living(lab)} == {"shutting-down"}


def test_the_group_grows_with_quicker_checks_and_all_is_put_back(lab: Lab) -> None:
    seen = hurry.check_more_often(lab)
    assert (seen.interval_s, seen.healthy_threshold) == (rhythm.INTERVAL_S, rhythm.HEALTHY_THRESHOLD)
    assert seen.bands[-1].band == "first answer"
    assert (checks(lab), sizes(lab)) == (CHECKS, SIZES)


def test_a_trial_that_fails_puts_everything_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(lab: Lab, name: str) -> growth.Growth:
        assert checks(lab) == (rhythm.INTERVAL_S, rhythm.TIMEOUT_S, rhythm.HEALTHY_THRESHOLD)
        scaling.set_limits(lab, minimum=3)
        raise KeyboardInterrupt

    monkeypatch.setattr(growth, "measure", fails)
    with pytest.raises(KeyboardInterrupt):
        hurry.check_more_often(lab, again=True)
    assert (checks(lab), sizes(lab)) == (CHECKS, SIZES)


def test_what_a_kernel_that_died_left_is_put_back_by_the_next_experiment(lab: Lab) -> None:
    dying = rhythm.checked_more_often(lab)
    dying.__enter__()  # and nothing ever leaves it, as after kill -9
    left = trials.launch(lab, trials.recipe(lab, trials.FROM_IMAGE), network.subnets(lab)[0])
    balancing.set_cross_zone(lab, on=True)
    assert checks(lab) != CHECKS
    ready.make_ready(lab)
    assert checks(lab) == CHECKS and not balancing.crosses_zones(lab)
    ended = instances.instance(lab, left.instance_id)
    assert ended is None or ended.state in ("shutting-down", "terminated")
