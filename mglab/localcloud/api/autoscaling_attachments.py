"""Operations on what hangs on a group: target groups, tags, group metrics.

A target group walks Adding, Added, InService, Removing (aws-facts 2.2): the reconciler registers the members,
sees the first healthy one, and waits for the drain. Group metrics are off until they are enabled and then
recorded once a lab minute (aws-facts 2.7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mglab.localcloud.api import autoscaling_settings as settings
from mglab.localcloud.api import autoscaling_views as views
from mglab.localcloud.api.autoscaling_state import Attachment, Cloud, Group, Params, find_group
from mglab.localcloud.api.cloudwatch_forms import invalid, page, require
from mglab.localcloud.rules.autoscaler import ACTIVE, LEAVING, STARTING

Datum = tuple[str, str, dict[str, str], float, str]
"""(namespace, metric, dimensions, value, unit)"""
NAMESPACE = "AWS/AutoScaling"


def _count(*lifecycles: str) -> Callable[[Group], int]:
    return lambda group: sum(member.lifecycle in lifecycles for member in group.members.values())


_in_service, _pending, _standby = _count("InService"), _count(*STARTING), _count("Standby", "EnteringStandby")
_terminating = _count("Terminating", "Terminating:Wait", "Terminating:Proceed")
_total = _count(*ACTIVE, *LEAVING, "Standby", "EnteringStandby")

GROUP_METRICS: dict[str, Callable[[Group], int]] = {
    "GroupMinSize": lambda group: group.minimum,
    "GroupMaxSize": lambda group: group.maximum,
    "GroupDesiredCapacity": lambda group: group.desired,
    "GroupInServiceInstances": _in_service,
    "GroupPendingInstances": _pending,
    "GroupStandbyInstances": _standby,
    "GroupTerminatingInstances": _terminating,
    "GroupTotalInstances": _total,
    "GroupInServiceCapacity": _in_service,
    "GroupPendingCapacity": _pending,
    "GroupStandbyCapacity": _standby,
    "GroupTerminatingCapacity": _terminating,
    "GroupTotalCapacity": _total,
}
"""What is published of a group without a warm pool, as every group here is."""
WARM_POOL_METRICS = (
    "WarmPoolMinSize", "WarmPoolDesiredCapacity", "WarmPoolPendingCapacity", "WarmPoolTerminatingCapacity",
    "WarmPoolWarmedCapacity", "WarmPoolTotalCapacity", "GroupAndWarmPoolDesiredCapacity",
    "GroupAndWarmPoolTotalCapacity",
)  # fmt: skip
"""May be enabled, and are by "all", but are reported of groups that have a warm pool only (aws-facts 2.7, its page)."""
KNOWN_METRICS = (*GROUP_METRICS, *WARM_POOL_METRICS)


_TAG_FILTERS = {
    "auto-scaling-group": "ResourceId", "key": "Key", "value": "Value", "propagate-at-launch": "PropagateAtLaunch",
}  # fmt: skip
"""What DescribeTags can be asked by, and the member that is compared."""


def group_metrics(group: Group) -> Iterator[Datum]:
    """Give a group's enabled metrics as they are at this moment."""
    for name in (name for name in group.enabled_metrics if name in GROUP_METRICS):
        yield NAMESPACE, name, {"AutoScalingGroupName": group.name}, float(GROUP_METRICS[name](group)), "None"


class AttachmentPage:
    """Answers the operations on target groups, tags and group metrics."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def attach_load_balancer_target_groups(self, params: Params) -> Params:
        """Have members registered with more target groups."""
        require(params, "AutoScalingGroupName", "TargetGroupARNs")
        return self._attach(params)

    def detach_load_balancer_target_groups(self, params: Params) -> Params:
        """Have members deregistered from target groups."""
        require(params, "AutoScalingGroupName", "TargetGroupARNs")
        return self._detach(params, params["TargetGroupARNs"])

    def attach_traffic_sources(self, params: Params) -> Params:
        """Do as AttachLoadBalancerTargetGroups does, by the newer name."""
        require(params, "AutoScalingGroupName", "TrafficSources")
        return self._attach(params)

    def detach_traffic_sources(self, params: Params) -> Params:
        """Do as DetachLoadBalancerTargetGroups does, by the newer name."""
        require(params, "AutoScalingGroupName", "TrafficSources")
        return self._detach(params, settings.traffic_sources(params))

    def describe_load_balancer_target_groups(self, params: Params) -> Params:
        """List a group's target groups and how far each is attached."""
        items, token = page(params, self._group(params).attachments, default=100, maximum=100)
        shown = [{"LoadBalancerTargetGroupARN": each.arn, "State": each.state} for each in items]
        return {"LoadBalancerTargetGroups": shown, "NextToken": token}

    def describe_traffic_sources(self, params: Params) -> Params:
        """List a group's traffic sources and how far each is attached."""
        wanted = params.get("TrafficSourceType") in (None, "elbv2")
        items, token = page(params, self._group(params).attachments if wanted else [], default=50, maximum=50)
        shown = [
            {"TrafficSource": each.arn, "Identifier": each.arn, "Type": "elbv2", "State": each.state} for each in items
        ]
        return {"TrafficSources": shown, "NextToken": token}

    def _group(self, params: Params) -> Group:
        require(params, "AutoScalingGroupName")
        return find_group(self.cloud, params["AutoScalingGroupName"])

    def _attach(self, params: Params) -> Params:
        group = self._group(params)
        arns = settings.target_group_arns(self.cloud, params)
        known = {each.arn: each for each in group.attachments}
        if len({*known, *arns}) > settings.MOST_TARGET_GROUPS:
            raise invalid(f"Only {settings.MOST_TARGET_GROUPS} target groups are allowed for an AutoScalingGroup.")
        for arn in arns:
            if arn in known:
                known[arn].state = "Adding" if known[arn].state == "Removing" else known[arn].state
            else:
                group.attachments.append(Attachment(arn))
        return {}

    def _detach(self, params: Params, arns: list[str]) -> Params:
        group = self._group(params)
        if not set(arns) <= {each.arn for each in group.attachments}:
            raise invalid("Trying to remove Target Groups that are not part of the group")
        for each in group.attachments:
            if each.arn in arns:
                each.state = "Removing"
        return {}

    def create_or_update_tags(self, params: Params) -> Params:
        """Set groups' tags; they reach instances launched from now on."""
        require(params, "Tags")
        for group, tag in [(self._tagged(tag), tag) for tag in params["Tags"]]:
            group.tags |= settings.tags([tag])
        return {}

    def delete_tags(self, params: Params) -> Params:
        """Take tags off groups."""
        require(params, "Tags")
        for group, tag in [(self._tagged(tag), tag) for tag in params["Tags"]]:
            require(tag, "Key")
            group.tags.pop(tag["Key"], None)
        return {}

    def describe_tags(self, params: Params) -> Params:
        """List groups' tags."""
        for name in (each.get("Name") for each in params.get("Filters") or ()):
            if name not in _TAG_FILTERS:
                raise invalid(f"Invalid filter name {name}; use one of {', '.join(_TAG_FILTERS)}.")
        groups = [group for _, group in sorted(self.cloud.state.groups.items())]
        found = [tag for group in groups for tag in views.tags(group) if _wanted(tag, params)]
        items, token = page(params, found, default=50, maximum=100)
        return {"Tags": items, "NextToken": token}

    def _tagged(self, tag: Params) -> Group:
        if tag.get("ResourceType") != "auto-scaling-group":
            raise invalid("Resource type must be auto-scaling-group.")
        require(tag, "ResourceId")
        name = tag["ResourceId"]
        return find_group(self.cloud, name, f"AutoScalingGroup not found - AutoScaling Group {name} not found")

    def enable_metrics_collection(self, params: Params) -> Params:
        """Have group metrics recorded each minute; all of them when none is named."""
        require(params, "Granularity")
        if params["Granularity"] != views.GRANULARITY:
            raise invalid(f"Granularity {params['Granularity']} is invalid; the only one is {views.GRANULARITY}.")
        group, names = self._group(params), _metrics(params)
        group.enabled_metrics = tuple(name for name in KNOWN_METRICS if name in {*group.enabled_metrics, *names})
        return {}

    def disable_metrics_collection(self, params: Params) -> Params:
        """End the recording of group metrics."""
        group, names = self._group(params), _metrics(params)
        group.enabled_metrics = tuple(name for name in group.enabled_metrics if name not in names)
        return {}

    def describe_metric_collection_types(self, params: Params) -> Params:
        """List the group metrics."""
        return {
            "Metrics": [{"Metric": name} for name in KNOWN_METRICS],
            "Granularities": [{"Granularity": views.GRANULARITY}],
        }


def _metrics(params: Params) -> list[str]:
    given = params.get("Metrics") or list(KNOWN_METRICS)
    for name in given:
        if name not in KNOWN_METRICS:
            raise invalid(f"Unknown metric type '{name}'; the local cloud has: {', '.join(KNOWN_METRICS)}.")
    return list(given)


def _wanted(tag: Params, params: Params) -> bool:
    return all(_shown_as(tag, each["Name"]) in (each.get("Values") or []) for each in params.get("Filters") or ())


def _shown_as(tag: Params, filter_name: str) -> str:
    shown = tag[_TAG_FILTERS[filter_name]]
    return str(shown).lower() if isinstance(shown, bool) else str(shown)
