"""Checks that several elbv2 operations share: names, ARNs, pages, what may be asked together.

Names: aws-facts 1.1; the wording of refusals: aws-facts 3.7 rows 35 and 40. An ARN that no resource of this account
and region could have is refused by its form, before anything is looked for. What the API's model says of single
values (ranges, lengths, words) is checked before a handler is called (``wire_constraints``). Lists come in the order
of creation; a marker is a position in that order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from mglab.localcloud.api.faults import ApiError

LONGEST_NAME = 32
MOST_ASKED_FOR = 20
"""Names or ARNs in one describe call (documented with each of them)."""
_OWN = r"(?:app|net|gwy)/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}"
ARN_FORMS = {
    "load balancer": rf"loadbalancer/{_OWN}",
    "target group": r"targetgroup/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}",
    "listener": rf"listener/{_OWN}/[0-9a-f]{{16}}",
    "listener rule": rf"listener-rule/{_OWN}/[0-9a-f]{{16}}/[0-9a-f]{{16}}",
}
"""Kind of resource -> the last part of its ARN (aws-facts 1.1)."""
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


def check_arn(kind: str, arn: str, prefix: str) -> None:
    """Refuse an ARN that no resource of this kind could have; ``prefix`` is the account's and the region's."""
    if not arn.startswith(prefix) or not re.fullmatch(ARN_FORMS[kind], arn[len(prefix) :]):
        raise invalid(f"'{arn}' is not a valid {kind} ARN")


def only_one_of(params: dict[str, Any], **called: str) -> None:
    """Refuse a request that selects in two ways at once; ``called`` gives member name -> what AWS calls it."""
    given = [words for member, words in called.items() if params.get(member)]
    if len(given) > 1:
        first = given[0][0].upper() + given[0][1:]
        raise invalid(f"{first} and {given[1]} cannot be specified at the same time")
    for member, words in called.items():
        if isinstance(params.get(member), list) and len(params[member]) > MOST_ASKED_FOR:
            raise invalid(f"The maximum number of {words} that can be specified is '{MOST_ASKED_FOR}'")


def required(params: dict[str, Any], key: str) -> Any:
    """Read a parameter that must be there."""
    if params.get(key) in (None, "", []):
        raise invalid(f"The request must contain the parameter {key}")
    return params[key]


def page(params: dict[str, Any], items: Sequence[Item]) -> tuple[list[Item], dict[str, str]]:
    """Cut one page out of a list; give it and the NextMarker member, if more is left."""
    start = _position(params.get("Marker"))
    end = start + params.get("PageSize", LARGEST_PAGE)
    return list(items[start:end]), {"NextMarker": str(end)} if end < len(items) else {}


def _position(marker: str | None) -> int:
    if not marker:
        return 0
    if not marker.isdecimal():
        raise invalid(f"The marker '{marker}' is not valid")
    return int(marker)
