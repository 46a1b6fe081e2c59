"""EC2 Auto Scaling: groups that keep their capacity, in balance over zones, behind their target groups.

Requests record what is wanted (a module for each page: groups, members, attachments, policies, hooks, refreshes,
schedule); once a tick every group looks at its members, ``rules/autoscaler`` decides, and ``autoscaling_reconcile``
carries it out with AWS's pauses, writing the activity history in AWS's words (``autoscaling_activities``). CloudWatch
calls when a policy's alarm speaks.

Left out: launch configurations, mixed instances, warm pools, predictive scaling, classic load balancers. Asking for
one is refused, not ignored.
"""

from __future__ import annotations

import random as randomness
from collections.abc import Callable

from mglab.localcloud.api import autoscaling_reconcile, autoscaling_scaling
from mglab.localcloud.api.autoscaling_activities import ActivityPage
from mglab.localcloud.api.autoscaling_attachments import AttachmentPage, Datum, group_metrics
from mglab.localcloud.api.autoscaling_groups import GroupPage
from mglab.localcloud.api.autoscaling_hooks import HookPage
from mglab.localcloud.api.autoscaling_members import MemberPage
from mglab.localcloud.api.autoscaling_notices import NoticePage
from mglab.localcloud.api.autoscaling_policies import PolicyPage
from mglab.localcloud.api.autoscaling_refreshes import RefreshPage
from mglab.localcloud.api.autoscaling_schedule import SchedulePage
from mglab.localcloud.api.autoscaling_state import AutoScalingState, Cloud, Elbv2
from mglab.localcloud.api.cloudwatch import CloudWatch
from mglab.localcloud.api.cloudwatch_state import Alarm
from mglab.localcloud.api.compute import Compute
from mglab.localcloud.knobs import DEFAULTS, Knobs
from mglab.localcloud.rules.alarms import State

__all__ = ["AutoScaling", "Elbv2"]


class AutoScaling:
    """The service: its operations are in ``pages``; ``tick`` and ``minute`` are for the cloud itself."""

    def __init__(
        self,
        compute: Compute,
        elbv2: Elbv2,
        cloudwatch: CloudWatch,
        now: Callable[[], float],
        account: str,
        region: str,
        random: randomness.Random,
        *,
        state: AutoScalingState | None = None,
        knobs: Knobs = DEFAULTS,
    ) -> None:
        self.state = state or AutoScalingState()
        self.cloud = Cloud(compute, elbv2, cloudwatch, now, account, region, random, self.state, knobs)
        parts = (
            GroupPage, MemberPage, AttachmentPage, PolicyPage, ActivityPage, HookPage, RefreshPage, SchedulePage,
            NoticePage,
        )  # fmt: skip
        self.pages = tuple(part(self.cloud) for part in parts)
        cloudwatch.on_alarm(self._on_alarm)

    def use_knobs(self, knobs: Knobs) -> None:
        """Let the model's knobs be these from now on."""
        self.cloud.knobs = knobs

    def tick(self, now: float) -> None:
        """Let every group take one step."""
        autoscaling_reconcile.tick(self.cloud, now)

    def minute(self, now: float) -> list[Datum]:
        """Give the enabled group metrics of the lab minute that ends now."""
        return [datum for group in self.state.groups.values() for datum in group_metrics(group)]

    def warming(self, at: float, *, at_least_s: float = 0.0) -> set[str]:
        """Name the instances that were still warming up at this moment: their group's averages leave them out."""
        return autoscaling_scaling.warming(self.cloud, at, at_least_s)

    def _on_alarm(self, alarm: Alarm, old_state: State, new_state: State, at: float) -> None:
        if new_state == "ALARM":
            autoscaling_scaling.on_alarm(self.cloud, alarm, at)
