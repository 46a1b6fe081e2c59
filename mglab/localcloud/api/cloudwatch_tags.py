"""Tags of alarms, and the lists of what the local cloud has none of.

Anomaly detectors, Contributor Insights rules and metric streams are left out: their lists are empty, so that a tool
that takes stock of an account finds an end, and making one is refused by name.
"""

from __future__ import annotations

from mglab.localcloud.api.cloudwatch_forms import invalid, require
from mglab.localcloud.api.cloudwatch_state import CloudWatchState, Params
from mglab.localcloud.api.faults import ApiError

MOST_TAGS = 50


class TagPage:
    """Answers the operations on tags."""

    def __init__(self, state: CloudWatchState) -> None:
        self.state = state

    def tag_resource(self, params: Params) -> Params:
        """Tag an alarm."""
        require(params, "ResourceARN", "Tags")
        tags = self._tags(params) | {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        if len(tags) > MOST_TAGS:
            raise ApiError("InvalidParameterValue", f"An alarm cannot have more than {MOST_TAGS} tags.")
        self.state.tags[params["ResourceARN"]] = tags
        return {}

    def untag_resource(self, params: Params) -> Params:
        """Take tags off an alarm."""
        require(params, "ResourceARN", "TagKeys")
        tags = self._tags(params)
        for key in params["TagKeys"]:
            tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, params: Params) -> Params:
        """Give an alarm's tags."""
        require(params, "ResourceARN")
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tags(params).items()]}

    def _tags(self, params: Params) -> dict[str, str]:
        tags = self.state.tags.get(params["ResourceARN"])
        if tags is None:
            raise ApiError("ResourceNotFoundException", f"Unknown resource: {params['ResourceARN']}", 404)
        return tags


class AbsentPage:
    """Answers for what there is none of."""

    def describe_anomaly_detectors(self, params: Params) -> Params:
        """List no anomaly detectors."""
        return {"AnomalyDetectors": []}

    def describe_insight_rules(self, params: Params) -> Params:
        """List no Contributor Insights rules."""
        return {"InsightRules": []}

    def list_metric_streams(self, params: Params) -> Params:
        """List no metric streams."""
        return {"Entries": []}

    def put_anomaly_detector(self, params: Params) -> Params:
        """Refuse anomaly detection."""
        raise invalid("The local cloud does not model anomaly detection.")

    def put_insight_rule(self, params: Params) -> Params:
        """Refuse Contributor Insights."""
        raise invalid("The local cloud does not model Contributor Insights.")

    def put_metric_stream(self, params: Params) -> Params:
        """Refuse metric streams."""
        raise invalid("The local cloud does not model metric streams.")
