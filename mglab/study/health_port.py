"""Step 83, the other way round: what if the security group did not admit the health port?

The sheet's own rules (22 and the service port) leave it closed. Every probe is dropped, every target
becomes unhealthy, and the balancer, left without a healthy target anywhere, fails open: it sends to all of
them (aws-facts 0.1, 1.4). The rule is taken away, the consequences are seen, and it is put back.
"""

from __future__ import annotations

from dataclasses import dataclass

from mglab.session import Lab
from mglab.steps import balancing, scaling, security
from mglab.steps.balancing import TargetHealth
from mglab.study.disturbance import Disturbance, Scene, disturb
from mglab.study.ready import staged
from mglab.study.watch import settled

VERDICT_TIMEOUT_S = 900.0
WATCHED_S = 60.0


@dataclass(frozen=True)
class ClosedHealthPort:
    """Target health while no probe could get through, and what clients and everybody else saw."""

    targets: tuple[TargetHealth, ...]
    seen: Disturbance


def close_health_port(lab: Lab) -> ClosedHealthPort:
    """Take the health port's rule away, see what follows, and put it back; done once a run."""
    return staged(lab, "closed-health-port", ClosedHealthPort, lambda: _close(lab))


def _close(lab: Lab) -> ClosedHealthPort:
    group, port = security.security_group(lab), lab.config.health_port
    targets: list[TargetHealth] = []

    def play(scene: Scene) -> None:
        scene.act(f"port {port} closed", lambda: security.revoke(lab, group, port))
        try:
            scene.until(
                lambda seen: set(seen.states("balancer")) == {"unhealthy"}, what="every target unhealthy",
                timeout_s=VERDICT_TIMEOUT_S,
            )  # fmt: skip
            scene.ask_held()
            targets.extend(balancing.target_health(lab))
            scene.keep_watching(WATCHED_S, what="whether anybody is served")
        finally:
            scene.act(f"port {port} opened", lambda: security.allow(lab, group, port))
        wanted = scaling.group(lab).desired
        scene.until(lambda seen: settled(seen, wanted), what="every target healthy", timeout_s=VERDICT_TIMEOUT_S)

    seen = disturb(lab, "closed-health-port", "the health port closed, then opened", [], play, step="83")
    return ClosedHealthPort(tuple(targets), seen)
