"""What may be set on a cloud while it runs: ``mglab cloud set NAME=VALUE ...``, and with the same words at its start.

Three kinds of names. The clock's ``rate``. The account's conditions: the academy profile (``academy``,
``session_ends_s``, ``deny``, ``vcpu_limit``) and four faults (``throttling``, ``capacity``, ``consistency_s``,
``zone_outage``). And the model's knobs, from the next request that uses one; some of those are fixed for a cloud's life
(``FIXED``) and are refused by name.

Words are read as a whole, or refused before anything has changed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from mglab.errors import UsageError, nearest
from mglab.localcloud import knobs as model
from mglab.localcloud.knobs import LONGEST_S, Knobs
from mglab.localcloud.rules.academy import MOST_VCPUS
from mglab.localcloud.rules.faults import Faults

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f")
LEAST_RATE, MOST_RATE = 1.0, 3600.0
MOST_THROTTLED = 0.95
NOTHING = ("none", "off", "")

FIXED = {
    "core_share": "a point of CPUUtilization covers up to five minutes, and would be measured with two shares",
    "publication_delay_s": "datapoints that alarms and readers have seen already would be unpublished",
}
"""Knobs that cannot be turned while a cloud runs, and why."""


@dataclass(frozen=True)
class Settings:
    """The account's conditions."""

    academy: bool = False
    deny: tuple[str, ...] = ()
    """Actions that the account's policies deny, as policies write them: ``ec2:CreateVpc``, ``autoscaling:*``."""
    vcpu_limit: int | None = None
    """None: EC2's own limit of a Learner Lab, or none."""
    faults: Faults = Faults()

    @property
    def most_vcpus(self) -> int:
        """Give how many vCPUs may be used; 0: any number."""
        if self.vcpu_limit is None:
            return MOST_VCPUS if self.academy else 0
        return self.vcpu_limit

    @property
    def changed(self) -> dict[str, Any]:
        """Give what does not have its default, as JSON can carry it."""
        whole = {"academy": self.academy, "deny": list(self.deny), "vcpu_limit": self.vcpu_limit}
        whole |= {it.name: _plain(getattr(self.faults, it.name)) for it in fields(self.faults)}
        return {name: value for name, value in whole.items() if value not in (False, None, 0.0, [])}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Change:
    """What a command's words ask for; None: not spoken of."""

    settings: Settings
    knobs: Knobs
    rate: float | None = None
    session_ends_s: float | None = None
    starts_session: bool = False
    """``academy=on`` was said: the lab is started, or started again."""
    closes_account: bool = False
    """``academy=closed`` was said: the account is deactivated, for example beyond its budget."""


@dataclass(frozen=True)
class Name:
    """A name that may be set, beside the knobs."""

    name: str
    default: str
    unit: str
    source: str
    says: str


NAMES = (
    Name("rate", "60", "lab seconds a second", "(the clock's)", "how fast the cloud's clock runs"),
    Name("academy", "off", "on, off, closed", "5", "the account is a Learner Lab; on again: its next session"),
    Name("session_ends_s", "14400", "lab seconds", "5", "from now to the end of the Learner Lab's session"),
    Name("deny", "none", "actions", "5, 3.7 row 51", "what the account's policies deny, e.g. ec2:CreateVpc"),
    Name("vcpu_limit", "32 if academy", "vCPUs", "5, 3.7 row 26", "of all running instances together; 0: no limit"),
    Name("throttling", "0", "of all requests", "EC2 guide: throttling", "refused as too many"),
    Name("capacity", "none", "zones", "2.3, EC2 error codes", "without capacity (InsufficientInstanceCapacity)"),
    Name("consistency_s", "0", "lab seconds", "EC2 guide: eventual consistency", "a new resource may not be found"),
    Name("zone_outage", "none", "zones", "EC2 guide: status checks", "cut off: unreachable, impaired, no launches"),
)
CONDITIONS = ("academy", "deny", "vcpu_limit", *(it.name for it in fields(Faults)))


def read(words: Iterable[str], settings: Settings, knobs: Knobs, *, running: bool = True) -> Change:
    """Read ``NAME=VALUE`` words over what holds now; raises UsageError for the first that cannot be."""
    change = Change(settings, knobs)
    for word in words:
        change = _changed(change, *_divided(word), running=running)
    if change.session_ends_s is not None and not change.settings.academy:
        raise UsageError("session_ends_s is a Learner Lab's", hint="give academy=on as well")
    return change


def _divided(word: str) -> tuple[str, str]:
    name, equals, text = word.partition("=")
    known = [*(it.name for it in NAMES), *(it.name for it in fields(Knobs))]
    if not equals:
        raise UsageError(f"{word!r} sets nothing", hint="give NAME=VALUE, for example throttling=0.2")
    if name not in known:
        raise UsageError(f"there is nothing to set called {name!r}", hint=nearest(name, known, "name"))
    return name, text


def _changed(change: Change, name: str, text: str, *, running: bool) -> Change:
    settings, faults = change.settings, change.settings.faults
    if name == "rate":
        return replace(change, rate=_number(name, text, LEAST_RATE, MOST_RATE))
    if name == "session_ends_s":
        return replace(change, session_ends_s=_number(name, text, 0.0, LONGEST_S))
    if name == "academy":
        state = _one_of(name, text, "on", "off", "closed")
        told = replace(settings, academy=state != "off")
        return replace(change, settings=told, starts_session=state == "on", closes_account=state == "closed")
    if name == "deny":
        return replace(change, settings=replace(settings, deny=_actions(text)))
    if name == "vcpu_limit":
        limit = None if text in NOTHING else int(_number(name, text, 0.0, 10_000.0))
        return replace(change, settings=replace(settings, vcpu_limit=limit))
    if name in {it.name for it in fields(Faults)}:
        return replace(change, settings=replace(settings, faults=replace(faults, **{name: _fault(name, text)})))
    if running and name in FIXED:
        hint = f"{FIXED[name]}; start a cloud with it: mglab cloud up --knob {name}={text}"
        raise UsageError(f"knob {name} cannot be turned while the cloud runs", hint=hint)
    return replace(change, knobs=replace(change.knobs, **model.assigned(f"{name}={text}")))


def _fault(name: str, text: str) -> Any:
    if name in ("capacity", "zone_outage"):
        return _zones(name, text)
    return _number(name, "0" if text in NOTHING else text, 0.0, MOST_THROTTLED if name == "throttling" else LONGEST_S)


def _number(name: str, text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise UsageError(f"{name} cannot be {text!r}", hint=f"give a number from {least:g} to {most:g}")
    return value


def _one_of(name: str, text: str, *known: str) -> str:
    if text not in known:
        raise UsageError(f"{name} cannot be {text!r}", hint=f"give {', '.join(known[:-1])} or {known[-1]}")
    return text


def _zones(name: str, text: str) -> tuple[str, ...]:
    if text in NOTHING:
        return ()
    named = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for zone in named:
        if zone not in ZONES:
            raise UsageError(f"{name} cannot be {text!r}", hint=nearest(zone, ZONES, "zone"))
    return named


def _actions(text: str) -> tuple[str, ...]:
    if text in NOTHING:
        return ()
    named = tuple(part.strip() for part in text.split(","))
    for action in named:
        if not re.fullmatch(r"(ec2|elasticloadbalancing|autoscaling|cloudwatch|iam):[A-Za-z*?]+", action):
            raise UsageError(f"deny cannot be {action!r}", hint="give actions, for example ec2:CreateVpc")
    return named


def listing() -> list[dict[str, Any]]:
    """Describe all that may be set: the names of this module, then every knob, and whether a running cloud takes it."""
    own = [{**vars(it), "while it runs": "yes"} for it in NAMES]
    return own + [{**it, "while it runs": "no" if it["name"] in FIXED else "yes"} for it in model.listing()]
