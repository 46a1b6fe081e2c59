"""A target's walk, told as histories: what happened when, and what DescribeTargetHealth would have said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mglab.localcloud.rules import health
from mglab.localcloud.rules.health import (
    DRAINING,
    FIRST_CHECKS,
    GROUP_NOT_IN_USE,
    HEALTHY,
    REGISTERING,
    STOPPED,
    UNHEALTHY,
    ZONE_NOT_ENABLED,
    Streak,
    Surroundings,
    TargetHealth,
    Thresholds,
)

A, B = "us-east-1a", "us-east-1b"
REGISTRATION_S = 90.0
THRESHOLDS = Thresholds()


@dataclass
class Walk:
    """One target and its surroundings; an event changes one of them at a moment."""

    around: Surroundings = Surroundings(unused=None, balancer_active_at=0.0, zones=frozenset({A, B}))
    target: health.Target | None = None

    def happen(self, at: float, event: str, *details: Any) -> None:
        getattr(self, event)(at, *details)
        if self.target is not None:
            self.target = None if health.gone(self.target, at) else self.target
        if self.target is not None:
            self.target = health.step(self.target, self.around, THRESHOLDS, at)

    def register(self, at: float) -> None:
        self.target = health.register(at, REGISTRATION_S)

    def passes(self, at: float, count: int, zone: str = A) -> None:
        self._outcome(zone, Streak(True, count))

    def fails(self, at: float, count: int, zone: str = A) -> None:
        self._outcome(zone, Streak(False, count))

    def unused(self, at: float, why: TargetHealth | None) -> None:
        self.around = replace(self.around, unused=why, streaks={})

    def provisioned_at(self, at: float, active_at: float) -> None:
        self.around = replace(self.around, balancer_active_at=active_at)

    def deregister(self, at: float, delay_s: float = 300.0) -> None:
        assert self.target is not None
        self.target = health.drain(self.target, at, delay_s)

    def zone_leaves(self, at: float, zone: str) -> None:
        self.around = replace(self.around, zones=self.around.zones - {zone})

    def wait(self, at: float) -> None:
        pass

    def _outcome(self, zone: str, streak: Streak) -> None:
        self.around = replace(self.around, streaks={**self.around.streaks, zone: streak})


# (what, [(moment, event, details..., state afterwards; None = not registered any more)])
HISTORIES: list[tuple[str, Sequence[tuple[Any, ...]]]] = [
    (
        "aws-facts 1.5: registration takes about 90 s, one pass is enough at first",
        [
            (0, "register", REGISTERING),
            (89, "wait", REGISTERING),
            (90, "wait", FIRST_CHECKS),
            (91, "passes", 1, HEALTHY),
        ],
    ),
    (
        "aws-facts 0.4, 1.5: an early pass does not shorten the registration",
        [(0, "register", REGISTERING), (30, "passes", 1, REGISTERING), (90, "wait", HEALTHY)],
    ),
    (
        "aws-facts 1.1: nothing is probed before the balancer is provisioned",
        [
            (0, "provisioned_at", 150.0, None),
            (1, "register", REGISTERING),
            (149, "wait", REGISTERING),
            (150, "wait", FIRST_CHECKS),
        ],
    ),
    (
        "aws-facts 1.5: two failures in a row take it out, five passes bring it back",
        [
            (0, "register", REGISTERING),
            (90, "passes", 1, HEALTHY),
            (120, "fails", 1, HEALTHY),
            (150, "fails", 2, UNHEALTHY),
            (180, "passes", 4, UNHEALTHY),
            (210, "passes", 5, HEALTHY),
        ],
    ),
    (
        "aws-facts 1.6: a target that never passes is unhealthy after two failures",
        [(0, "register", REGISTERING), (90, "fails", 1, FIRST_CHECKS), (120, "fails", 2, UNHEALTHY)],
    ),
    (
        "aws-facts 1.5 consensus: one node that judged unhealthy is enough, all must agree on healthy",
        [
            (0, "register", REGISTERING),
            (90, "passes", 1, A, HEALTHY),
            (95, "passes", 1, B, HEALTHY),
            (150, "fails", 2, B, UNHEALTHY),
            (300, "passes", 5, A, UNHEALTHY),
            (330, "passes", 5, B, HEALTHY),
        ],
    ),
    (
        "aws-facts 1.1 SetSubnets: a node that is no more has no vote",
        [
            (0, "register", REGISTERING),
            (90, "passes", 1, A, HEALTHY),
            (150, "fails", 2, B, UNHEALTHY),
            (160, "zone_leaves", B, HEALTHY),
        ],
    ),
    (
        "aws-facts 1.7: draining for the whole delay, then gone, whatever the checks say",
        [
            (0, "register", REGISTERING),
            (90, "passes", 1, HEALTHY),
            (100, "deregister", DRAINING),
            (200, "fails", 9, DRAINING),
            (399, "wait", DRAINING),
            (400, "wait", None),
        ],
    ),
    (
        "aws-facts 1.6 Target.NotInUse: without a listener it waits, and registers anew when one comes",
        [
            (0, "unused", GROUP_NOT_IN_USE, None),
            (1, "register", GROUP_NOT_IN_USE),
            (500, "unused", None, REGISTERING),
            (589, "wait", REGISTERING),
            (590, "wait", FIRST_CHECKS),
        ],
    ),
    (
        "aws-facts 1.6: what gets no traffic has nothing to drain",
        [(0, "unused", ZONE_NOT_ENABLED, None), (1, "register", ZONE_NOT_ENABLED), (2, "deregister", None)],
    ),
    (
        "aws-facts 1.6 Target.InvalidState: a stopped instance; started again its old passes do not count",
        [
            (0, "register", REGISTERING),
            (90, "passes", 1, HEALTHY),
            (100, "unused", STOPPED, STOPPED),
            (400, "unused", None, FIRST_CHECKS),
            (430, "passes", 1, HEALTHY),
        ],
    ),
    (
        "aws-facts 1.8: a deregistration delay of 0 does not drain",
        [(0, "register", REGISTERING), (90, "passes", 1, HEALTHY), (100, "deregister", 0.0, None)],
    ),
]


@pytest.mark.parametrize(("what", "history"), HISTORIES, ids=[what for what, _ in HISTORIES])
def test_history(what: str, history: Sequence[tuple[Any, ...]]) -> None:
    walk = Walk()
    for at, event, *details, expected in history:
        walk.happen(at, event, *details)
        assert (walk.target.health if walk.target else None) == expected, (at, event)


# aws-facts 1.6: (state, reason, description) word for word
WORDS = [
    (REGISTERING, "initial", "Elb.RegistrationInProgress", "Target registration is in progress"),
    (FIRST_CHECKS, "initial", "Elb.InitialHealthChecking", "Initial health checks in progress"),
    (HEALTHY, "healthy", None, None),
    (UNHEALTHY, "unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
    (DRAINING, "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"),
    (health.NOT_REGISTERED, "unused", "Target.NotRegistered", "Target is not registered to the target group"),
    (
        GROUP_NOT_IN_USE,
        "unused",
        "Target.NotInUse",
        "Target group is not configured to receive traffic from the load balancer",
    ),
    (
        ZONE_NOT_ENABLED,
        "unused",
        "Target.NotInUse",
        "Target is in an Availability Zone that is not enabled for the load balancer",
    ),
    (STOPPED, "unused", "Target.InvalidState", "Target is in the stopped state"),
]


@pytest.mark.parametrize(("said", "state", "reason", "description"), WORDS)
@pytest.mark.fact(
    "1.6/registering",
    "1.6/initial-checks",
    "1.6/healthy",
    "1.6/unhealthy",
    "1.6/draining",
    "1.6/not-registered",
    "1.6/not-in-use",
    "1.6/zone-not-enabled",
    "1.6/stopped",
)
def test_words(said: TargetHealth, state: str, reason: str | None, description: str | None) -> None:
    assert said == TargetHealth(state, reason, description)  # type: ignore[arg-type]


def test_every_change_is_kept_with_its_moment() -> None:
    walk = Walk()
    for at, event, *details in [(0, "register"), (90, "passes", 1), (150, "fails", 2), (160, "deregister")]:
        walk.happen(at, event, *details)
    assert walk.target is not None
    assert [(t.at, t.health.state) for t in walk.target.history] == [
        (0, "initial"),
        (90, "healthy"),
        (150, "unhealthy"),
        (160, "draining"),
    ]


# aws-facts 1.6: why a target is unused
UNUSED = [
    ("running", True, True, None),
    ("pending", True, True, None),
    ("running", False, True, GROUP_NOT_IN_USE),
    ("running", True, False, ZONE_NOT_ENABLED),
    ("stopping", True, True, None),
    ("stopped", True, True, STOPPED),
]


@pytest.mark.parametrize(("state", "in_use", "zone_enabled", "expected"), UNUSED)
def test_unused_because(state: Any, in_use: bool, zone_enabled: bool, expected: TargetHealth | None) -> None:
    assert health.unused_because(state, in_use=in_use, zone_enabled=zone_enabled) == expected


# a probe's counters outlive a registration: (streak, total, baseline) -> what counts
STREAKS = [(7, 9, 0, 7), (7, 9, 6, 3), (7, 9, 9, None), (2, 2, 9, 2)]


@pytest.mark.parametrize(("streak", "total", "baseline", "counted"), STREAKS)
def test_outcomes_of_an_earlier_registration_do_not_count(
    streak: int, total: int, baseline: int, counted: int | None
) -> None:
    assert health.streak_since(True, streak, total, baseline) == (Streak(True, counted) if counted else None)


@pytest.mark.fact("1.5/passes")
def test_initial_passes_is_a_knob() -> None:
    """aws-facts 8.1: one pass, or HealthyThresholdCount passes, from initial to healthy."""
    strict = Thresholds(healthy=3, initial_passes=3)
    assert health.opinion(None, Streak(True, 2), strict) is None
    assert health.opinion(None, Streak(True, 3), strict) == "healthy"


@pytest.mark.fact("1.6/unhealthy-draining")
def test_an_unhealthy_target_may_keep_its_connections_for_a_while() -> None:
    """aws-facts 1.6, 1.8: with a draining interval it is unhealthy.draining first; one pass series ends either."""
    keeps = Thresholds(unhealthy_draining_s=60.0)
    zones = frozenset({A})
    target = health.register(0, 0.0)
    seen = []
    probes = [(0, True, 1), (30, False, 2), (60, False, 3), (89, False, 3), (90, False, 4), (150, True, 5)]
    for at, passed, count in probes:
        around = Surroundings(None, 0.0, zones, {A: Streak(passed, count)})
        target = health.step(target, around, keeps, at)
        seen.append(target.health.state)
    assert seen == ["healthy", *["unhealthy.draining"] * 3, "unhealthy", "healthy"]
