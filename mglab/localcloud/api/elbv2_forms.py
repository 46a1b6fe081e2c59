"""Checks that several elbv2 operations share: names, pages, numbers in a range.

Names: aws-facts 1.1; the wording of refusals: aws-facts 3.7 rows 35 and 40. Lists come in the order of
creation; a marker is a position in that order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from mglab.localcloud.api.faults import ApiError

LONGEST_NAME = 32
LARGEST_PAGE = 400

Item = TypeVar("Item")


def invalid(message: str) -> ApiError:
    """Make the refusal of a parameter that makes no sense."""
    return ApiError("ValidationError", message)


def check_name(kind: str, name: str) -> None:
    """Refuse a name that AWS would refuse (aws-facts 3.7 row 40)."""
    if len(name) > LONGEST_NAME:
        raise invalid(f"{kind} name '{name}' cannot be longer than '{LONGEST_NAME}' characters")
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise invalid(
            f"{kind} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )
    if name.startswith("-") or name.endswith("-"):
        raise invalid(f"{kind} name '{name}' cannot begin or end with '-'")


def whole(params: dict[str, Any], key: str, default: int, lowest: int, highest: int) -> int:
    """Read a whole number that must lie in a range."""
    value = params.get(key, default)
    if not lowest <= value <= highest:
        raise invalid(f"{key} '{value}' must be between {lowest} and {highest} inclusive")
    return int(value)


def required(params: dict[str, Any], key: str) -> Any:
    """Read a parameter that must be there."""
    if params.get(key) in (None, "", []):
        raise invalid(f"The request must contain the parameter {key}")
    return params[key]


def page(params: dict[str, Any], items: Sequence[Item]) -> tuple[list[Item], dict[str, str]]:
    """Cut one page out of a list; give it and the NextMarker member, if more is left."""
    start = _position(params.get("Marker"))
    end = start + whole(params, "PageSize", LARGEST_PAGE, 1, LARGEST_PAGE)
    return list(items[start:end]), {"NextMarker": str(end)} if end < len(items) else {}


def _position(marker: str | None) -> int:
    if not marker:
        return 0
    if not marker.isdecimal():
        raise invalid(f"The marker '{marker}' is not valid")
    return int(marker)
