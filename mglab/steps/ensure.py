"""The rule of every step that makes something, the tags it makes it with, and the records it returns.

A resource is looked for by the id in the ledger, then by its tags (``mglab:run`` and ``Name``), and only
then made: intent into the ledger, the call, id and addresses into the ledger. A crash between the call and
the ledger leaves a tagged resource, which the next run finds and files. What carries our name but not our
tag belongs to somebody else: it is refused, never adopted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from mglab import waits
from mglab.config import RUN_TAG
from mglab.display import table
from mglab.errors import CheckFailed, UsageError
from mglab.session import Lab

SEEN_TIMEOUT_S = 120.0
LOOK_EVERY_S = 2.0
Tags = list[dict[str, Any]]


class Record:
    """A frozen record that shows itself as a table in a notebook."""

    def _repr_html_(self) -> str:
        return table(self)._repr_html_()

    def _repr_markdown_(self) -> str:
        return table(self)._repr_markdown_()


Kind = TypeVar("Kind", bound=Record)
Made = TypeVar("Made", bound=Record)


class Records(tuple[Kind, ...]):
    """Several records, shown as one table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return table(self)._repr_html_()

    def _repr_markdown_(self) -> str:
        return table(self)._repr_markdown_()


def ensure(
    lab: Lab,
    *,
    step: str,
    what: str,
    key: str,
    by_id: Callable[[str], Made | None],
    by_tag: Callable[[], Made | None],
    create: Callable[[], Made],
    identify: Callable[[Made], str],
    is_settled: Callable[[Made], bool] = lambda _: True,
) -> Made:
    """Give the resource: the one the ledger knows, else the one with our tags, else a new one."""
    known = lab.ledger.find(what, key)
    found = by_id(known) if known else None
    if found is not None:
        return found
    found = by_tag()
    is_new = found is None
    if found is None:
        lab.ledger.intent(step, what, key)
        found = create()
    made_id = identify(found)
    lab.ledger.made(step, what, key, made_id, **details(found))
    if not is_new:
        return found
    return _once_seen(lab, f"{what} {key}", lambda: by_id(made_id), is_settled) or found


def _once_seen(lab: Lab, what: str, look: Callable[[], Made | None], is_settled: Callable[[Made], bool]) -> Made | None:
    """Wait until a new resource is seen and settled: AWS's reads may lag its writes. Silent if it is at once."""
    found = look()

    def state() -> str:
        nonlocal found
        found = look()
        return "not seen yet" if found is None else "there" if is_settled(found) else "being made"

    if found is None or not is_settled(found):
        waits.until(lab, state, lambda it: it == "there", what=what, timeout_s=SEEN_TIMEOUT_S, interval_s=LOOK_EVERY_S)
    return found


def ensure_done(
    lab: Lab, *, step: str, what: str, key: str, is_done: Callable[[], bool], do: Callable[[], Any]
) -> None:
    """Bring about a relation (an attachment, a route, a rule) unless it holds already."""
    if is_done():
        return
    lab.ledger.intent(step, what, key)
    do()
    lab.ledger.note(step, what, key=key, done=True)


def details(record: Record) -> dict[str, Any]:
    """Give a record's fields for the ledger."""
    assert dataclasses.is_dataclass(record) and not isinstance(record, type)
    return {"record": dataclasses.asdict(record)}


# -- tags --------------------------------------------------------------------------------------------------


def tags(run: str, name: str) -> Tags:
    """Give the tags of everything we make."""
    return [{"Key": "Name", "Value": name}, {"Key": RUN_TAG, "Value": run}]


def tag_specification(run: str, name: str, *resource_types: str) -> list[dict[str, Any]]:
    """Give EC2's form of the tags."""
    return [{"ResourceType": kind, "Tags": tags(run, name)} for kind in resource_types]


def tagged(run: str, name: str) -> list[dict[str, Any]]:
    """Give the EC2 filters that find what the run made under a name."""
    return [{"Name": f"tag:{RUN_TAG}", "Values": [run]}, {"Name": "tag:Name", "Values": [name]}]


def having(name: str, *values: str) -> list[dict[str, Any]]:
    """Give one EC2 filter. (By filter, what is not there is an empty answer; by id it would be an error.)"""
    return [{"Name": name, "Values": list(values)}]


def tag(pairs: Iterable[Mapping[str, Any]] | None, key: str) -> str:
    """Read one tag; a missing one is empty."""
    return next((str(pair["Value"]) for pair in pairs or () if pair["Key"] == key), "")


def refuse_foreign(lab: Lab, what: str, name: str, pairs: Iterable[Mapping[str, Any]] | None, parameter: str) -> None:
    """Refuse what has our name (names are unique in a region) but not our run's tag."""
    owner = tag(pairs, RUN_TAG)
    if owner != lab.run:
        whose = f"by run {owner!r}" if owner else "outside this workbook"
        raise UsageError(
            f"a {what} named {name!r} is there already, made {whose}",
            hint=f"give another name with the parameter {parameter}"
            + (f", or tear that run down: python3 -m mglab teardown --run {owner}" if owner else ""),
        )


# -- what earlier steps left ---------------------------------------------------------------------------------


def only(found: Iterable[Made]) -> Made | None:
    """Give the first of those found, if any."""
    return next(iter(found), None)


def demand(found: Made | None, what: str, notebook: str) -> Made:
    """Give what an earlier step should have left; raises CheckFailed that says which notebook makes it."""
    if found is None:
        raise CheckFailed(f"there is no {what} yet", hint=f"run notebook {notebook} first")
    return found
