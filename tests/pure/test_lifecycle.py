"""An instance's life, told with a clock that the test turns."""

from __future__ import annotations

from random import Random

import pytest

from mglab.localcloud.rules.lifecycle import (
    BOOT_S,
    LISTED_AFTER_TERMINATION_S,
    NEVER,
    PENDING_S,
    SHUTTING_DOWN_S,
    STATUS_OK_S,
    STOPPING_S,
    Life,
    Pace,
    WrongState,
    advance,
    draw_pace,
    hold,
    is_up,
    launched,
    listed,
    power,
    reachability,
    reboot,
    start,
    status,
    stop,
    terminate,
)

NOW = 1000.0


def running(at: float = NOW) -> Life:
    return advance(launched(at, Pace()), at + PENDING_S)


def test_a_launched_instance_is_pending_then_running_then_up() -> None:
    life = launched(NOW, Pace())
    assert (life.state, life.boots, power(life), is_up(life, NOW)) == ("pending", 1, "off", False)
    assert advance(life, NOW + PENDING_S - 0.1).state == "pending"
    life = advance(life, NOW + PENDING_S)
    assert life.state == "running"
    assert (power(life), is_up(life, NOW + PENDING_S)) == ("on", False)  # it boots: real processes take their time
    assert is_up(life, NOW + PENDING_S + BOOT_S)


def test_a_late_tick_does_not_stretch_a_state() -> None:
    life = advance(launched(NOW, Pace()), NOW + 500)
    assert life.since == NOW + PENDING_S
    assert life.next_at == NEVER


def test_status_checks_pass_minutes_after_running() -> None:
    life = running()
    assert status(launched(NOW, Pace()), NOW) == "not-applicable"
    assert status(life, life.since + STATUS_OK_S - 1) == "initializing"
    assert status(life, life.since + STATUS_OK_S) == "ok"
    assert reachability(life, None, life.since + STATUS_OK_S) == "ok"
    assert reachability(life, life.since + STATUS_OK_S, life.since + STATUS_OK_S + 59) == "ok"
    assert reachability(life, life.since + STATUS_OK_S, life.since + STATUS_OK_S + 60) == "impaired"
    assert reachability(stop(life, NOW + 500), life.since, NOW + 600) == "not-applicable"


def test_stop_and_start_boot_again() -> None:
    life = stop(running(), NOW + 100)
    assert (life.state, power(life), is_up(life, NOW + 100)) == ("stopping", "off", False)
    life = advance(life, NOW + 100 + STOPPING_S)
    assert life.state == "stopped"
    life = start(life, NOW + 300)
    assert (life.state, life.boots) == ("pending", 2)
    assert is_up(advance(life, NOW + 400), NOW + 400)


def test_a_reboot_keeps_the_state_and_boots_the_processes_anew() -> None:
    life = reboot(running(), NOW + 100)
    assert (life.state, life.boots) == ("running", 2)
    assert (power(life), is_up(life, NOW + 100)) == ("on", False)
    assert is_up(life, NOW + 100 + BOOT_S)


def test_a_held_instance_stays_down_until_it_is_booted() -> None:
    life = hold(running())
    assert (power(life), is_up(life, NOW + 10_000)) == ("off", False)
    assert is_up(reboot(life, NOW + 10_000), NOW + 10_000 + BOOT_S)


@pytest.mark.parametrize("life", [launched(NOW, Pace()), running(), stop(running(), NOW + 20)])
def test_anything_can_be_terminated_and_is_listed_for_an_hour(life: Life) -> None:
    gone = terminate(life, NOW + 50)
    assert (gone.state, power(gone), is_up(gone, NOW + 50)) == ("shutting-down", "off", False)
    gone = advance(gone, NOW + 50 + SHUTTING_DOWN_S)
    assert gone.state == "terminated"
    assert listed(gone, gone.since + LISTED_AFTER_TERMINATION_S - 1)
    assert not listed(gone, gone.since + LISTED_AFTER_TERMINATION_S)


def test_asking_twice_changes_nothing() -> None:
    stopping, going = stop(running(), NOW + 50), terminate(running(), NOW + 50)
    assert stop(stopping, NOW + 60) is stopping
    assert terminate(going, NOW + 60) is going
    assert start(running(), NOW + 60) == running()


@pytest.mark.parametrize("request_", [start, stop, reboot])
def test_what_does_not_fit_the_state_is_refused(request_) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WrongState) as refused:
        request_(terminate(running(), NOW + 50), NOW + 60)
    assert refused.value.state == "shutting-down"


def test_the_same_seed_draws_the_same_pace() -> None:
    assert draw_pace(Random(7)) == draw_pace(Random(7))
    assert draw_pace(Random(7)) != draw_pace(Random(8))
    assert 0.8 * BOOT_S <= draw_pace(Random(7)).boot_s <= 1.2 * BOOT_S
