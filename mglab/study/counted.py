"""What CloudWatch counted while something was disturbed: healthy hosts by zone, flows, resets, a point a minute.

The points are read once the last minute's is published (one to three minutes late, aws-facts 4.4) and kept with all
else that was seen: an account that has been torn down can no longer be asked. A line without points was not
published, which is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mglab.session import Lab
from mglab.steps import monitoring

HOSTS = "Healthy hosts"
FLOWS = "New flows"
TROUBLE = ("Client resets", "Target resets", "Load balancer resets", "Fail-open flows")
MINUTE = timedelta(seconds=monitoring.PERIOD_S)


@dataclass(frozen=True)
class Counted:
    """One of CloudWatch's lines: each point stands for the minute that begins at its moment."""

    label: str
    statistic: str
    points: tuple[tuple[datetime, float], ...]


def counted(lab: Lab, since: datetime, until: datetime) -> tuple[Counted, ...]:
    """Wait until the points of the time up to ``until`` are published, and read those from ``since`` on."""
    hosts = [line for line in monitoring.target_group_tab(lab) if line.label.startswith(f"{HOSTS} (")]
    traffic = [line for line in monitoring.load_balancer_tab(lab) if line.label in (FLOWS, *TROUBLE)]
    monitoring.wait_published(lab, hosts[0], until)
    frame = monitoring.read(lab, [*hosts, *traffic], since - MINUTE, until)
    read = (Counted(line.label, line.statistic, monitoring.points(frame, line.label)) for line in (*hosts, *traffic))
    return tuple(line for line in read if line.points)


def fell_at(lines: tuple[Counted, ...], began: datetime) -> datetime | None:
    """Say when the first minute was over in which a zone had fewer healthy hosts than before ``began``."""
    falls = [moment for line in lines if line.label.startswith(HOSTS) for moment in _falls(line, began)]
    return min(falls, default=None)


def _falls(line: Counted, began: datetime) -> list[datetime]:
    before = [value for at, value in line.points if at + MINUTE <= began]
    return [at + MINUTE for at, value in line.points if at + MINUTE > began and before and value < before[-1]]
