"""A refusal, in AWS's words: code and message as clients read them off the wire (aws-facts 3.7)."""

from __future__ import annotations

from collections.abc import Sequence

from mglab.localcloud.rules.faults import Refusal


class ApiError(Exception):
    """One error answer. ``code`` is the wire code, e.g. ``DuplicateListener``, not the shape's name."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def missing_members(names: Sequence[str]) -> ApiError:
    """Make the refusal of a request without members that it needs, all of them told at once."""
    demand = "failed to satisfy constraint: Member must not be null"
    count = "1 validation error" if len(names) == 1 else f"{len(names)} validation errors"
    told = "; ".join(f"Value null at '{name}' {demand}" for name in names)
    return ApiError("ValidationError", f"{count} detected: {told}")


def refused(refusal: Refusal) -> ApiError:
    """Make the error answer of a refusal that the rules have decided."""
    return ApiError(refusal.code, refusal.message, refusal.status)
