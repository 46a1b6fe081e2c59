"""Notification configurations, and what an account without classic load balancers and warm pools answers.

Launch configurations cannot be made, as in every account of AWS's that is new since 2024.

This cloud has no SNS: a configuration is kept and given back, and nobody is notified.
"""

from __future__ import annotations

from mglab.localcloud.api.autoscaling_state import Cloud, Params, find_group
from mglab.localcloud.api.cloudwatch_forms import invalid, page, require
from mglab.localcloud.api.faults import ApiError

NOTIFICATION_TYPES = (
    "autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_LAUNCH_ERROR", "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR", "autoscaling:TEST_NOTIFICATION",
)  # fmt: skip
NO_BALANCER = "Provided Load Balancers may not be valid. Please ensure they exist and try again."


class NoticePage:
    """Answers the operations on notifications, and the questions for what no group here has."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def put_notification_configuration(self, params: Params) -> Params:
        """Say which events a topic is to hear of; earlier ones of that topic are replaced."""
        require(params, "AutoScalingGroupName", "TopicARN", "NotificationTypes")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        for kind in params["NotificationTypes"]:
            if kind not in NOTIFICATION_TYPES:
                raise invalid(f'"{kind}" is not a valid Notification Type.')
        group.notifications[params["TopicARN"]] = tuple(params["NotificationTypes"])
        return {}

    def describe_notification_configurations(self, params: Params) -> Params:
        """List who is to hear of what."""
        names = params.get("AutoScalingGroupNames") or []
        groups = [group for _, group in sorted(self.cloud.state.groups.items()) if not names or group.name in names]
        found = [
            {"AutoScalingGroupName": group.name, "TopicARN": topic, "NotificationType": kind}
            for group in groups
            for topic, kinds in sorted(group.notifications.items())
            for kind in kinds
        ]
        items, token = page(params, found, default=50, maximum=100)
        return {"NotificationConfigurations": items, "NextToken": token}

    def delete_notification_configuration(self, params: Params) -> Params:
        """Let a topic hear of nothing more."""
        require(params, "AutoScalingGroupName", "TopicARN")
        find_group(self.cloud, params["AutoScalingGroupName"]).notifications.pop(params["TopicARN"], None)
        return {}

    def describe_auto_scaling_notification_types(self, params: Params) -> Params:
        """List the kinds of events."""
        return {"AutoScalingNotificationTypes": list(NOTIFICATION_TYPES)}

    def describe_load_balancers(self, params: Params) -> Params:
        """List a group's classic load balancers: there are none."""
        require(params, "AutoScalingGroupName")
        find_group(self.cloud, params["AutoScalingGroupName"])
        return {"LoadBalancers": []}

    def attach_load_balancers(self, params: Params) -> Params:
        """Refuse, as for any classic load balancer that does not exist."""
        require(params, "AutoScalingGroupName", "LoadBalancerNames")
        find_group(self.cloud, params["AutoScalingGroupName"])
        raise invalid(NO_BALANCER)

    def describe_warm_pool(self, params: Params) -> Params:
        """Give a group's warm pool: none has one."""
        require(params, "AutoScalingGroupName")
        find_group(self.cloud, params["AutoScalingGroupName"])
        return {"Instances": []}

    def describe_launch_configurations(self, params: Params) -> Params:
        """List launch configurations: groups here are launched from templates."""
        return {"LaunchConfigurations": []}

    def create_launch_configuration(self, params: Params) -> Params:
        """Refuse, in AWS's words for new accounts."""
        raise ApiError(
            "UnsupportedOperation",
            "The Launch Configuration creation operation is not available in your account. Use launch templates to "
            "create configuration templates for your Auto Scaling groups.",
        )

    def delete_launch_configuration(self, params: Params) -> Params:
        """Refuse: there is none."""
        require(params, "LaunchConfigurationName")
        name = params["LaunchConfigurationName"]
        raise invalid(f"Launch configuration name not found - Launch configuration {name} not found")
