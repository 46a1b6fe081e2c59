"""STS: who am I. The one question that a client asks before it begins; there are no roles to assume here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mglab.localcloud.api.conditions import Conditions


class Sts:
    """Answers GetCallerIdentity."""

    def __init__(self, account: str, access_key_id: str, conditions: Callable[[], Conditions] = Conditions) -> None:
        self._account = account
        self._unique_id = access_key_id[4:]
        self._conditions = conditions

    def get_caller_identity(self, params: dict[str, Any]) -> dict[str, Any]:
        """Name the account and the caller."""
        conditions = self._conditions()
        arn = conditions.caller(self._account)
        user_id = f"AIDA{self._unique_id}"
        if conditions.settings.academy:
            user_id = f"AROA{self._unique_id}:{arn.rpartition('/')[2]}"
        return {"Account": self._account, "UserId": user_id, "Arn": arn}
