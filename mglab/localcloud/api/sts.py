"""STS: who am I. The one question that a client asks before it begins; there are no roles to assume here."""

from __future__ import annotations

from typing import Any


class Sts:
    """Answers GetCallerIdentity."""

    def __init__(self, account: str, access_key_id: str) -> None:
        self._account = account
        self._user_id = access_key_id.replace("AKIA", "AIDA", 1)

    def get_caller_identity(self, params: dict[str, Any]) -> dict[str, Any]:
        """Name the account and the caller."""
        return {"Account": self._account, "UserId": self._user_id, "Arn": f"arn:aws:iam::{self._account}:user/student"}
