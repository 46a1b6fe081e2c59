"""Step 83, the other way round: what if the security group did not admit the health port?

The sheet's own rules (22 and the service port) leave it closed. Every probe is dropped, every target
becomes unhealthy, and the balancer, left without a healthy target anywhere, fails open: it sends to all of
them (aws-facts 0.1, 1.4). The rule is taken away, the consequences are seen, and it is put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mglab import waits
from mglab.session import Lab
from mglab.steps import balancing, security
from mglab.steps.balancing import TargetHealth
from mglab.study.client import Sample, ask
from mglab.study.kept import once

VERDICT_TIMEOUT_S = 900.0
ASKED = 6
CLOSED = "closed health port"


@dataclass(frozen=True)
class ClosedHealthPort:
    """Target health and the service's answers while no probe could get through."""

    targets: tuple[TargetHealth, ...]
    answers: tuple[Sample, ...]


def close_health_port(lab: Lab) -> ClosedHealthPort:
    """Take the health port's rule away, see what follows, and put it back; done once a run."""
    return once(lab, "closed-health-port", ClosedHealthPort, lambda: _close(lab))


def _close(lab: Lab) -> ClosedHealthPort:
    with _closed(lab):
        _wait_for(lab, "unhealthy")
        dns_name = balancing.load_balancer(lab).dns_name
        found = ClosedHealthPort(
            targets=tuple(balancing.target_health(lab)), answers=tuple(ask(lab, dns_name) for _ in range(ASKED))
        )
    _wait_for(lab, "healthy")
    return found


@contextmanager
def _closed(lab: Lab) -> Iterator[None]:
    """Keep the health port closed for as long as the block lasts; it is opened again whatever happens."""
    group = security.security_group(lab)
    lab.ledger.intent("83", CLOSED, group.group_id)
    try:
        security.revoke(lab, group, lab.config.health_port)
        yield
    finally:
        _open(lab, group)


def reopen(lab: Lab) -> None:
    """Open the health port again if a demonstration that was cut off (a kernel killed) left it closed."""
    group = security.security_group(lab)
    told = [it for it in lab.ledger.entries() if (it.what, it.key) == (CLOSED, group.group_id)]
    if told and told[-1].kind == "intent":
        _open(lab, group)


def _open(lab: Lab, group: security.SecurityGroup) -> None:
    security.allow(lab, group, lab.config.health_port)
    lab.ledger.note("83", CLOSED, key=group.group_id, opened=True)


def _wait_for(lab: Lab, verdict: str) -> waits.Wait:
    return waits.until(
        lab,
        lambda: balancing.summary(target.state for target in balancing.target_health(lab)),
        lambda seen: seen.endswith(f" {verdict}") and "," not in seen,
        what=f"every target {verdict}",
        timeout_s=VERDICT_TIMEOUT_S,
        interval_s=balancing.LOOK_EVERY_S,
    )
