"""Dashboards: kept as they are given, and given back to the letter.

PutDashboard replaces a dashboard whole, and checks its document (``rules/dashboard``); DeleteDashboards deletes all
or, when one of them is not there, none. The sentences of the refusals are as others recorded them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from mglab.localcloud.api.cloudwatch_forms import moment, page, require
from mglab.localcloud.api.cloudwatch_state import CloudWatchState, Dashboard, Params
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.dashboard import check
from mglab.localcloud.rules.document import InvalidDocument, decoded

MOST_BYTES = 1024 * 1024
_NAME = re.compile(r"[0-9A-Za-z_-]{1,255}\Z")


class DashboardPage:
    """Answers the operations on dashboards."""

    def __init__(self, state: CloudWatchState, now: Callable[[], float], account: str) -> None:
        self.state = state
        self.now = now
        self.arn_prefix = f"arn:aws:cloudwatch::{account}:dashboard/"

    def put_dashboard(self, params: Params) -> Params:
        """Create a dashboard, or replace one."""
        require(params, "DashboardName", "DashboardBody")
        name, body = params["DashboardName"], params["DashboardBody"]
        if not _NAME.match(name):
            raise _wrong(
                f"The value {name} for field DashboardName contains invalid characters. It can only contain "
                "alphanumerics, dash (-) and underscore (_)."
            )
        try:
            document = decoded(body, MOST_BYTES)
        except InvalidDocument:
            raise _wrong("The field DashboardBody must be a valid JSON object") from None
        try:
            check(document)
        except InvalidDocument as mistakes:
            raise _wrong(_told(mistakes)) from None
        self.state.dashboards[name] = Dashboard(name, body, self.now())
        return {"DashboardValidationMessages": []}

    def get_dashboard(self, params: Params) -> Params:
        """Give a dashboard."""
        require(params, "DashboardName")
        found = self._found(params["DashboardName"])
        return {"DashboardArn": self.arn_prefix + found.name, "DashboardBody": found.body, "DashboardName": found.name}

    def list_dashboards(self, params: Params) -> Params:
        """List dashboards, by the beginning of their names."""
        prefix = params.get("DashboardNamePrefix") or ""
        found = [one for name, one in sorted(self.state.dashboards.items()) if name.startswith(prefix)]
        items, token = page(params, found, default=1000, maximum=1000)
        return {"DashboardEntries": [self._entry(one) for one in items], "NextToken": token}

    def delete_dashboards(self, params: Params) -> Params:
        """Delete dashboards, all or none."""
        require(params, "DashboardNames")
        for name in [self._found(name).name for name in dict.fromkeys(params["DashboardNames"])]:
            del self.state.dashboards[name]
        return {}

    def _found(self, name: str) -> Dashboard:
        if name not in self.state.dashboards:
            raise ApiError("ResourceNotFound", f"Dashboard {name} does not exist", 404)
        return self.state.dashboards[name]

    def _entry(self, one: Dashboard) -> Params:
        return {
            "DashboardArn": self.arn_prefix + one.name,
            "DashboardName": one.name,
            "LastModified": moment(one.modified_at),
            "Size": len(one.body.encode()),
        }


def _wrong(message: str) -> ApiError:
    return ApiError("InvalidParameterInput", message)


def _told(mistakes: InvalidDocument) -> str:
    rows = [{"dataPath": one.path, "message": one.message} for one in mistakes.mistakes]
    text = json.dumps(rows, indent=2, ensure_ascii=False)
    return f"The dashboard body is invalid, there are {len(rows)} validation errors:\n{text}"
