"""Targets checked more often, for as long as an experiment lasts: what was is in the ledger before it is changed.

The interval goes from AWS's 30 s to 10 s, and the healthy threshold to its least (aws-facts 1.5). An exception puts the
old settings back; a kernel that died could not, so every experiment that depends on them begins with ``put_back``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mglab.ledger import Entry
from mglab.session import Lab
from mglab.steps import balancing
from mglab.steps.balancing import TargetGroup

INTERVAL_S, TIMEOUT_S, HEALTHY_THRESHOLD = 10, 10, 2
CHANGED = "health-check"


@contextmanager
def checked_more_often(lab: Lab) -> Iterator[None]:
    """Check every 10 s for as long as the block lasts; the old settings come back whatever happens."""
    put_back(lab)
    before = balancing.target_group(lab)
    lab.ledger.intent("86", CHANGED, before.name, before=_settings(before))
    try:
        balancing.set_health_check(lab, interval_s=INTERVAL_S, timeout_s=TIMEOUT_S, healthy_threshold=HEALTHY_THRESHOLD)
        yield
    finally:
        put_back(lab)


def put_back(lab: Lab) -> None:
    """Give the health check the settings it had before a trial that has not put them back; else change nothing."""
    last = next((entry for entry in reversed(lab.ledger.entries()) if entry.what == CHANGED), None)
    if last is None or last.kind != "intent":
        return
    balancing.set_health_check(lab, **_told(last))
    lab.ledger.note("86", CHANGED, key=last.key, done="put back")


def _settings(group: TargetGroup) -> dict[str, int]:
    return {
        "interval_s": group.interval_s,
        "timeout_s": group.timeout_s,
        "healthy_threshold": group.healthy_threshold,
    }


def _told(entry: Entry) -> dict[str, int]:
    return {name: int(value) for name, value in entry.details["before"].items()}
