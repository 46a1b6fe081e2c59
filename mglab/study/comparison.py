"""Question 2 as tables: the ways of losing a target, side by side.

What an event cost is counted from the requests of its pulse and from the connections that were open. How long
recovery took is read from who noticed what and when. The error budget puts an outage into proportion: a service
that promises 99.9 % may fail for 43 minutes in thirty days.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mglab.display import column
from mglab.study.disturbance import Disturbance
from mglab.study.timeline import seconds_between
from mglab.study.watch import LET_GO, short

PROMISED = 0.999
MONTH_S = 30 * 86400
BUDGET_S = (1 - PROMISED) * MONTH_S


@dataclass(frozen=True)
class Cost:
    """What one experiment cost the clients."""

    event: str = field(metadata=column("Event"))
    requests: int = field(metadata=column("Requests", "number"))
    failed: int = field(metadata=column("Failed", "number"))
    availability: float = field(metadata=column("Answered (%)", "number"))
    lost_s: float = field(metadata=column("Time lost (AWS s)", "number"))
    budget: float = field(metadata=column("Of a month's budget (%)", "number"))
    how: str = field(metadata=column("How requests failed"))
    survived: str = field(metadata=column("Open connections that survived"))
    lasted_s: float = field(metadata=column("Until all was well (AWS s)", "number"))


@dataclass(frozen=True)
class Recovery:
    """Who noticed one event and when, in AWS seconds since it; empty: nobody did."""

    event: str = field(metadata=column("Event"))
    first_failure_s: float | None = field(metadata=column("First failure", "number"))
    balancer_s: float | None = field(metadata=column("Balancer lets go", "number"))
    group_s: float | None = field(metadata=column("Group takes note", "number"))
    launch_s: float | None = field(metadata=column("Launch", "number"))
    in_service_s: float | None = field(metadata=column("In service", "number"))
    healthy_s: float | None = field(metadata=column("Healthy", "number"))
    first_answer_s: float | None = field(metadata=column("Newcomer's first answer", "number"))
    last_failure_s: float | None = field(metadata=column("Last failure", "number"))


def costs(*experiments: Disturbance) -> list[Cost]:
    """Set experiments side by side: what each cost those who asked, and those who were connected."""
    return [_cost(one) for one in experiments]


def recoveries(*experiments: Disturbance) -> list[Recovery]:
    """Set experiments side by side: time to detect, to launch, to the first answer."""
    return [_recovery(one) for one in experiments]


def _cost(one: Disturbance) -> Cost:
    """Count; the time lost is the share of failures times the time that the pulse ran through the event."""
    asked, failed = one.during, one.failed
    kinds = Counter(sample.failure for sample in failed)
    alive = sum(survival.outcome.startswith("answered") for survival in one.survivals)
    lasted_s = seconds_between(one.began, one.ended)
    lost_s = lasted_s * len(failed) / len(asked) if asked else 0.0
    return Cost(
        event=one.did,
        requests=len(asked),
        failed=len(failed),
        availability=round(100 - 100 * len(failed) / len(asked), 2) if asked else 0.0,
        lost_s=round(lost_s, 1),
        budget=round(100 * lost_s / BUDGET_S, 2),
        how=", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none did",
        survived=f"{alive} of {len(one.survivals)}" if one.survivals else "not asked",
        lasted_s=lasted_s,
    )


def _recovery(one: Disturbance) -> Recovery:
    mine = [short(instance) for instance in one.disturbed]
    failures = [sample.at for sample in one.failed]
    return Recovery(
        event=one.did,
        first_failure_s=seconds_between(one.began, failures[0]) if failures else None,
        balancer_s=one.until("", "balancer", *LET_GO, of=mine).seconds,
        group_s=one.until("", "group", "Terminating", of=mine).seconds,
        launch_s=one.until("", "group", "Pending", but=mine).seconds,
        in_service_s=one.until("", "group", "InService", but=mine).seconds,
        healthy_s=one.until("", "balancer", "healthy").seconds,
        first_answer_s=one.newcomer_answers("").seconds,
        last_failure_s=seconds_between(one.began, failures[-1]) if failures else None,
    )
