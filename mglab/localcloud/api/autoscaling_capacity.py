"""A wish for another capacity: recorded now, acted upon after AWS's usual pause (aws-facts 2.4, first row)."""

from __future__ import annotations

from mglab.localcloud.api.autoscaling_state import Change, Cloud, Group
from mglab.localcloud.rules.autoscaler import DECISION_S


def change(cloud: Cloud, group: Group, desired: int, wish: Change) -> None:
    """Ask for another capacity; asking for the present one is nothing."""
    if desired != group.desired:
        pause(cloud, group)
        group.desired = desired
        group.changes.append(wish)


def pause(cloud: Cloud, group: Group) -> None:
    """Let a few seconds pass before the group fills a gap or takes anyone out."""
    least, usual, most = DECISION_S
    if not group.changes:
        group.capacity_due_at = cloud.now() + cloud.random.triangular(least, most, usual)
