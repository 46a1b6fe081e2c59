"""The model's knobs: what a cloud takes for granted where AWS gives no promise, each with its source.

AWS documents what follows what, seldom how long it takes. The lengths here were observed by others or chosen
by us (aws-facts 7: "every one a knob"); a cloud is started with the defaults or with other values, and most may be
turned while it runs (``settings``): what has been drawn already stays as it is. Lengths are lab seconds and the usual
ones: where the model draws at random, it draws around them as the sources do (the shares beside each use), so 0 means
at once.

    mglab cloud knobs                                    list them
    mglab cloud up --knob publication_delay_s=0          start a cloud with another value

``core_share`` alone is about this machine, not about AWS. A ``t2.micro`` may burn 10 % of a vCPU for as long as it
likes (its baseline; more costs credits), so 100 % of an instance is about a tenth of a host core here; how much exactly
follows from what a request costs MusicGuruServer.py (two shared cores of 2026, through the balancer): 1.0 ms of CPU at
4 requests a second, 0.7 at 100, 0.5 at 200, 0.4 at 300, for a busy server takes several at a time, and 0.26 on a host
that seven times as many processes want. With 0.08 of a core
  * the health checks alone, 0.3 ms a second, show as 0.4 %;
  * an experiment's pulse of 20 requests a second, all on one instance, as 25 %: far from alarming at 50 %;
  * 300 requests a second, on two instances, as 79 %, and what a host so busy lets through, 350, as 56 %;
  * 100 % is reached at about 400 requests a second, for which client, balancer and servers take 0.7 cores together.
What AWS does when CPU credits are used up, and bursts above the baseline, are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from mglab.errors import UsageError, nearest
from mglab.localcloud.rules.lifecycle import BOOT_S, PENDING_S, SHUTTING_DOWN_S, STATUS_OK_S, STOPPING_S

LONGEST_S = 86_400.0


def _knob(default: float, unit: str, source: str, says: str, *, least: float = 0.0, most: float = LONGEST_S) -> Any:
    return field(default=default, metadata={"unit": unit, "source": source, "says": says, "least": least, "most": most})


def _seconds(default: float, source: str, says: str) -> Any:
    return _knob(default, "lab seconds", source, says)


@dataclass(frozen=True)
class Knobs:
    """One value of every knob."""

    publication_delay_s: float = _seconds(90.0, "4.4, 7", "from the end of a minute to its datapoints being seen")
    core_share: float = _knob(
        0.08, "of a host core", "4.3; t2.micro's baseline", "what an instance's CPU at 100 % burns here", least=0.001,
        most=64.0,
    )  # fmt: skip
    alarm_low_factor: float = _knob(
        0.7, "of the target", "2.6, row f", "threshold of target tracking's low alarm", least=0.01, most=1.0
    )
    provisioning_s: float = _seconds(150.0, "1.1, 7", "from a load balancer's making to its being active")
    registration_s: float = _seconds(90.0, "1.5, 7", "from a target's registration to its first check")
    initial_passes: int = _knob(
        1, "checks", "1.5, 8.1", "passed checks that make a new target healthy", least=1, most=10
    )
    passive_failures: int = _knob(
        3, "connections", "1.5", "refused in a row that make a node take a target for unhealthy before its check does",
        least=1, most=1000,
    )  # fmt: skip
    dns_removal_lag_s: float = _seconds(30.0, "1.4, 7", "from a zone's last healthy target to its leaving DNS")
    interface_linger_s: float = _seconds(120.0, "1.1", "how long a deleted balancer's interfaces stay")
    terminated_draining_s: float = _seconds(600.0, "0.6", "how long a terminated target, asked for by id, is draining")
    pending_s: float = _seconds(PENDING_S, "7", "from an instance's launch to its running")
    boot_s: float = _seconds(BOOT_S, "7, 3.1", "from running, or a reboot, to its programs being started")
    shutting_down_s: float = _seconds(SHUTTING_DOWN_S, "7", "from a termination to terminated")
    stopping_s: float = _seconds(STOPPING_S, "3.1", "from a stop to stopped")
    status_ok_s: float = _seconds(STATUS_OK_S, "3.1", "from running to passed status checks")
    image_s: float = _seconds(180.0, "7", "from CreateImage to an available image")
    image_off_s: float = _seconds(30.0, "7", "of which the instance is off")
    decision_s: float = _seconds(10.0, "2.4, 7", "from a change of capacity to the launch or the end of an instance")
    detection_s: float = _seconds(60.0, "2.4, 7", "at most, from a member's failure to the group's notice of it")
    replacement_s: float = _seconds(1.0, "2.4, 7", "from a member's terminating activity to its replacement's launch")

    @property
    def changed(self) -> dict[str, float]:
        """Give the knobs that do not have their default."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}


DEFAULTS = Knobs()


def turned(assignments: Iterable[str]) -> Knobs:
    """Make knobs from ``name=value`` words; raises UsageError for a name there is not, or a value it cannot have."""
    values: dict[str, Any] = {}
    for word in assignments:
        values |= assigned(word)
    return replace(DEFAULTS, **values)


def listing() -> list[dict[str, Any]]:
    """Describe every knob: name, default, unit, where it comes from, what it says."""
    told = ("unit", "says", "source")
    return [
        {"name": each.name, "default": each.default, **{name: each.metadata[name] for name in told}}
        for each in fields(Knobs)
    ]


def difference(running: Mapping[str, float], asked: Knobs) -> str:
    """Say in which knobs a running cloud (by its changed ones) is not what was asked for; empty when it is."""
    other = {**{name: getattr(DEFAULTS, name) for name in asked.changed}, **running}
    wanted = {name: getattr(asked, name) for name in other}
    return ", ".join(f"{name} is {is_:g}, not {wanted[name]:g}" for name, is_ in other.items() if is_ != wanted[name])


def assigned(word: str) -> dict[str, Any]:
    """Read one ``name=value`` word: the knob's name -> its value; raises UsageError."""
    name, equals, text = word.partition("=")
    known = {each.name: each for each in fields(Knobs)}
    if not equals:
        raise UsageError(f"{word!r} turns no knob", hint="give NAME=VALUE, for example publication_delay_s=0")
    if name not in known:
        raise UsageError(f"there is no knob {name!r}", hint=nearest(name, known, "knob"))
    limits, whole = known[name].metadata, isinstance(known[name].default, int)
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = math.nan
    if not limits["least"] <= value <= limits["most"]:
        wanted = "a whole number" if whole else "a number"
        hint = f"give {wanted} from {limits['least']:g} to {limits['most']:g} ({limits['unit']})"
        raise UsageError(f"knob {name} cannot be {text!r}", hint=hint)
    return {name: value}
