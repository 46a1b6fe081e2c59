"""Filters and pages of EC2's Describe calls.

A filter names a property and some values; a thing passes when one of the values matches (``*`` and ``?`` are
wildcards) and passes all filters of the request. A name that the call does not know is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from mglab.localcloud.api.faults import ApiError

Thing = TypeVar("Thing")
Reader = Callable[[Any], Iterable[str | None]]


def select(
    things: Iterable[Thing],
    filters: Sequence[Mapping[str, Any]],
    readers: Mapping[str, Reader],
    tags_of: Callable[[Thing], Mapping[str, str]],
) -> list[Thing]:
    """Keep the things that pass every filter."""
    tests = [_test(f.get("Name", ""), f.get("Values", ()), readers, tags_of) for f in filters]
    return [thing for thing in things if all(test(thing) for test in tests)]


def page(
    things: Sequence[Thing],
    params: Mapping[str, Any],
    *,
    least: int = 1,
    most: int | None = None,
    beside: tuple[str, str] = ("", ""),
) -> tuple[Sequence[Thing], dict[str, str]]:
    """Cut out the page that NextToken and MaxResults ask for; give it and the token of the next, if any.

    A call has its smallest and its largest page; ``beside`` is the parameter that excludes MaxResults, and what AWS
    calls it when it says so.
    """
    _check_size(params, least, most, beside)
    token = params.get("NextToken") or "0"
    if not token.isdigit():
        raise ApiError("InvalidNextToken", f"The token '{token}' is invalid")
    start, size = int(token), params.get("MaxResults") or len(things)
    end = start + size
    return things[start:end], {"NextToken": str(end)} if end < len(things) else {}


def _check_size(params: Mapping[str, Any], least: int, most: int | None, beside: tuple[str, str]) -> None:
    size = params.get("MaxResults")
    if size is None:
        return
    if params.get(beside[0]):
        message = f"The parameter {beside[1]} cannot be used with the parameter maxResults"
        raise ApiError("InvalidParameterCombination", message)
    if size < least:
        message = f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than {least}."
        raise ApiError("InvalidParameterValue", message)
    if most is not None and size > most:
        message = f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value smaller than {most}."
        raise ApiError("InvalidParameterValue", message)


def _test(
    name: str, values: Sequence[str], readers: Mapping[str, Reader], tags_of: Callable[[Any], Mapping[str, str]]
) -> Callable[[Any], bool]:
    patterns, read = [_pattern(value) for value in values], _reader(name, readers, tags_of)

    def passes(thing: Any) -> bool:
        return any(p.fullmatch(text) for text in read(thing) if text is not None for p in patterns)

    return passes


def _reader(name: str, readers: Mapping[str, Reader], tags_of: Callable[[Any], Mapping[str, str]]) -> Reader:
    if name.startswith("tag:"):
        return lambda thing: (tags_of(thing).get(name[4:]),)
    if name == "tag-key":
        return lambda thing: tags_of(thing)
    if name not in readers:
        raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return readers[name]


@cache
def _pattern(value: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in value)
    return re.compile("".join(parts), re.DOTALL)
