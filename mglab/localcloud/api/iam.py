"""IAM, as far as a Learner Lab has it ready-made: one role, one instance profile, to be looked at (aws-facts 5).

Outside of a Learner Lab the account has neither. Making roles or users is not for this cloud, where a policy is never
evaluated; a Learner Lab denies it anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mglab.localcloud.api.conditions import Conditions
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.academy import INSTANCE_PROFILE, ROLE

Params = dict[str, Any]

MADE = datetime(2023, 1, 1, tzinfo=UTC)
NOT_FOUND = 404
TRUST = (
    "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B"
    "%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D"
)
"""Who may assume the role, URL-encoded as IAM answers it: EC2."""


class Iam:
    """Answers IAM's questions about roles and instance profiles."""

    def __init__(self, account: str, conditions: Callable[[], Conditions]) -> None:
        self._account = account
        self._conditions = conditions

    def get_role(self, params: Params) -> Params:
        """Show a role."""
        return {"Role": self._named(params["RoleName"], self._roles(), "RoleName", "role")}

    def list_roles(self, params: Params) -> Params:
        """List the roles."""
        return {"Roles": self._roles(), "IsTruncated": False}

    def get_instance_profile(self, params: Params) -> Params:
        """Show an instance profile."""
        name = params["InstanceProfileName"]
        found = self._named(name, self._profiles(), "InstanceProfileName", "Instance Profile")
        return {"InstanceProfile": found}

    def list_instance_profiles(self, params: Params) -> Params:
        """List the instance profiles."""
        return {"InstanceProfiles": self._profiles(), "IsTruncated": False}

    def list_instance_profiles_for_role(self, params: Params) -> Params:
        """List the instance profiles of a role."""
        self.get_role(params)
        return {"InstanceProfiles": self._profiles(), "IsTruncated": False}

    def _roles(self) -> list[Params]:
        if not self._conditions().settings.academy:
            return []
        return [
            {
                "Path": "/",
                "RoleName": ROLE,
                "RoleId": "AROAMGLABROLE00000001",
                "Arn": f"arn:aws:iam::{self._account}:role/{ROLE}",
                "CreateDate": MADE,
                "AssumeRolePolicyDocument": TRUST,
                "MaxSessionDuration": 3600,
            }
        ]

    def _profiles(self) -> list[Params]:
        return [
            {
                "Path": "/",
                "InstanceProfileName": INSTANCE_PROFILE,
                "InstanceProfileId": "AIPAMGLABPROFILE00001",
                "Arn": f"arn:aws:iam::{self._account}:instance-profile/{INSTANCE_PROFILE}",
                "CreateDate": MADE,
                "Roles": [role],
            }
            for role in self._roles()
        ]

    def _named(self, name: str, there: list[Params], key: str, kind: str) -> Params:
        for found in there:
            if found[key] == name:
                return found
        said = f"The role with name {name} cannot be found." if kind == "role" else f"{kind} {name} cannot be found."
        raise ApiError("NoSuchEntity", said, NOT_FOUND)
