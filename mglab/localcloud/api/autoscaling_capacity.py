"""A wish for another capacity: recorded now, acted upon after AWS's usual pause (aws-facts 2.4, first row)."""

from __future__ import annotations

from mglab.localcloud.api.autoscaling_state import Change, Cloud, Group

DECISION = (0.2, 1.0, 3.0)
"""From a change of capacity to "an instance was started": 2-30 s, usually 10 (aws-facts 2.4, first row; 7)."""


def change(cloud: Cloud, group: Group, desired: int, wish: Change) -> None:
    """Ask for another capacity; asking for the present one is nothing."""
    if desired != group.desired:
        pause(cloud, group)
        group.desired = desired
        group.changes.append(wish)


def pause(cloud: Cloud, group: Group) -> None:
    """Let a few seconds pass before the group fills a gap or takes anyone out."""
    least, usual, most = (share * cloud.knobs.decision_s for share in DECISION)
    if not group.changes:
        group.capacity_due_at = cloud.now() + cloud.random.triangular(least, most, usual)
