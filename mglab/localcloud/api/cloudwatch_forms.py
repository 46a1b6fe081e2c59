"""What CloudWatch and Auto Scaling requests have in common: required members, bounds, pages, times.

The wire has checked types; what a member may be is checked here, in the words AWS uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from mglab.localcloud.api.faults import ApiError, missing_members

Params = dict[str, Any]
Item = TypeVar("Item")


def moment(at: float) -> datetime:
    """Give lab epoch seconds as the datetime that answers carry."""
    return datetime.fromtimestamp(at, UTC)


def invalid(message: str) -> ApiError:
    """Make the refusal that most mistakes get."""
    return ApiError("ValidationError", message)


def constraint(value: object, member: str, demand: str) -> ApiError:
    """Make AWS's refusal of a member that breaks its model's constraint (aws-facts 3.7 row 54)."""
    name = member[:1].lower() + member[1:]
    return invalid(f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {demand}")


def require(params: Params, *members: str) -> None:
    """Refuse a request in which some of the members are missing; all of them are told at once."""
    absent = [member[:1].lower() + member[1:] for member in members if params.get(member) is None]
    if absent:
        raise missing_members(absent)


def one_of(params: Params, member: str, allowed: Sequence[str]) -> None:
    """Refuse a member whose value is not in AWS's list."""
    value = params.get(member)
    if value is not None and value not in allowed:
        raise constraint(value, member, f"Member must satisfy enum value set: [{', '.join(allowed)}]")


def refuse_members(params: Params, *members: str) -> None:
    """Refuse members whose effect the local cloud does not model, instead of ignoring them."""
    for member in members:
        if params.get(member) not in (None, [], {}, False):
            raise invalid(f"The local cloud does not model {member}; leave it out.")


def page(
    params: Params, items: Sequence[Item], *, limit: str = "MaxRecords", default: int = 50, maximum: int = 100
) -> tuple[list[Item], str | None]:
    """Cut one page out of a list; give it and the token of the next one."""
    size = params.get(limit) or default
    if not 1 <= size <= maximum:
        bound = f"less than or equal to {maximum}" if size > maximum else "greater than or equal to 1"
        raise constraint(size, limit, f"Member must have value {bound}")
    start = _position(params.get("NextToken"))
    end = start + size
    return list(items[start:end]), str(end) if end < len(items) else None


def _position(token: str | None) -> int:
    if not token:
        return 0
    if not token.isdecimal():
        raise ApiError("InvalidNextToken", f"The token '{token}' is invalid.")
    return int(token)
