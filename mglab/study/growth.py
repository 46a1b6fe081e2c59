"""Step 86 and question 3: raise the minimum, and follow the newcomer to its first answer.

Who is asked meanwhile: the group, EC2, the balancer and DNS (``watch``), the newcomer at its own address, and the
balancer's name by a pulse of clients. Afterwards the services' own timestamps are read. ``moments`` turns all that
into moments with bounds, ``bands`` cuts them into the waterfall.

Whatever broke off before, an experiment begins from the desired size, else nothing new would come; and step 86 from
the lab's own health check.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from mglab.session import Lab
from mglab.steps import balancing, instances, scaling
from mglab.study import bands, moments
from mglab.study.bands import Band
from mglab.study.client import Sample, answers
from mglab.study.disturbance import Felt, Scene, disturb, felt
from mglab.study.load import pulse
from mglab.study.moments import Moment
from mglab.study.ready import make_ready, staged
from mglab.study.timeline import Event, merge
from mglab.study.watch import Look, Watch, short

GROWN_TIMEOUT_S = 1800.0
LARGER = 3
"""The minimum that step 86 raises to; the sheet's maximum (step 72)."""
LOOKED_FOR = {moments.SERVING: "answers at its own address", moments.ANSWERED: "answers through the balancer"}
CLIENT = "client"


@dataclass(frozen=True)
class Growth:
    """Everything one raise of the minimum saw."""

    newcomer: str
    interval_s: int
    healthy_threshold: int
    """How the balancer checked its targets meanwhile: how often, and how many passes bring one back that failed."""
    events: tuple[Event, ...]
    moments: tuple[Moment, ...]
    bands: tuple[Band, ...]
    samples: tuple[Sample, ...]
    """The pulse that ran through it."""

    @property
    def checks(self) -> str:
        """Say in words how the balancer checked."""
        return f"every {self.interval_s} s and {self.healthy_threshold} passes"

    @property
    def comes_back_s(self) -> int:
        """Say how long a target that has failed must pass before it is trusted, in AWS seconds."""
        return self.interval_s * self.healthy_threshold

    @property
    def felt(self) -> list[Felt]:
        """Count what the clients met meanwhile: growing should cost nobody anything."""
        return felt(self.samples, self.events[0].at)


@dataclass
class _Followed:
    """What following one newcomer brought to light."""

    ours: tuple[Moment, ...] = ()
    instance_id: str = ""
    private_address: str = ""
    direct: tuple[Sample, ...] = ()
    through: list[Sample] = field(default_factory=list)
    looks: Sequence[Look] = ()


def grow(lab: Lab, *, again: bool = False) -> Growth:
    """Raise the minimum to three and follow the newcomer to its first answer; done once a run (step 86)."""
    return staged(lab, "grow", Growth, lambda: measure(lab, "grow"), again=again)


def shrink(lab: Lab) -> scaling.Group:
    """Put the sizes back and wait until the surplus instance has drained and gone."""
    return make_ready(lab)


def measure(lab: Lab, name: str) -> Growth:
    """Grow from the size that stands by one and follow who comes; the larger size stays."""
    known = {short(member.instance_id) for member in scaling.instances(lab)}
    larger = max(LARGER, len(known) + 1)
    followed = _Followed()

    def play(scene: Scene) -> None:
        before = lab.clock.now()
        scene.act(f"minimum raised to {larger}", lambda: _raise(lab, larger))
        began, returned = scene.acts[0].at, lab.clock.now()
        followed.ours = (
            Moment(moments.ASKED, before, began, "our own clock"),
            Moment(moments.ACCEPTED, began, returned, "our call returned"),
        )
        scene.until(lambda seen: bool(_new(seen, known)), what="a new instance", timeout_s=GROWN_TIMEOUT_S)
        _follow(scene, _new(scene.watch, known), followed)

    seen = disturb(lab, name, f"minimum raised to {larger}", [], play, step="86")
    scaling.file_members(lab)
    found = _moments(lab, followed, seen.samples)
    newcomer = short(followed.instance_id)
    noted = [Event(one.until, CLIENT, f"{newcomer}: {LOOKED_FOR[one.name]}") for one in found if one.name in LOOKED_FOR]
    events = tuple(event for event in merge(list(seen.events), noted) if event.at >= seen.began)
    cut = bands.cut({mark.name: mark for mark in found}, lab.backend, lab.clock.rate)
    checked = balancing.target_group(lab)
    return Growth(
        newcomer=newcomer, interval_s=checked.interval_s, healthy_threshold=checked.healthy_threshold,
        events=events, moments=tuple(found), bands=cut, samples=seen.samples,
    )  # fmt: skip


def _raise(lab: Lab, larger: int) -> None:
    maximum = scaling.group(lab).maximum
    scaling.set_limits(lab, minimum=larger, maximum=larger if larger > maximum else None)


def _follow(scene: Scene, newcomer: str, followed: _Followed) -> None:
    """Watch the newcomer until it answers at its own address, is healthy, and answers through the balancer."""
    lab, dns_name = scene.lab, balancing.load_balancer(scene.lab).dns_name
    scene.until(lambda _: bool(_member(lab, newcomer).public_address), what=f"{newcomer} has an address",
                timeout_s=GROWN_TIMEOUT_S)  # fmt: skip
    member = _member(lab, newcomer)
    followed.instance_id, followed.private_address = member.instance_id, member.private_address

    def is_reached() -> bool:
        followed.through.append(answers(lab, dns_name))
        return followed.through[-1].responder == member.private_address

    with ExitStack() as stack:
        direct = stack.enter_context(pulse(lab, member.public_address))
        scene.until(lambda _: any(one.answered for one in direct.samples), what=f"{newcomer} serves",
                    timeout_s=GROWN_TIMEOUT_S)  # fmt: skip
    followed.direct = direct.samples
    scene.until(
        lambda seen: seen.now.get(("balancer", newcomer)) == "healthy", what=f"{newcomer} is healthy",
        timeout_s=GROWN_TIMEOUT_S,
    )  # fmt: skip
    scene.until(lambda _: is_reached(), what=f"{newcomer} answers", timeout_s=GROWN_TIMEOUT_S)
    followed.looks = tuple(scene.watch.looks)


def _moments(lab: Lab, followed: _Followed, samples: Sequence[Sample]) -> list[Moment]:
    """Read every source there is about the newcomer, the services' own timestamps among them."""
    launched = instances.instance(lab, followed.instance_id)
    found = [*followed.ours, *moments.of_looks(followed.looks, short(followed.instance_id))]
    if launched is not None:
        found.append(moments.stamped(moments.LAUNCHED, launched.launched_at, "EC2's LaunchTime"))
    for activity in scaling.activities(lab):
        if activity.description.startswith("Launching") and followed.instance_id in activity.description:
            found = [*moments.ended_by(found, activity), *moments.of_activity(activity)]
    found += moments.of_asking(followed.direct, lab.clock.rate)
    found += moments.of_answer([*samples, *followed.through], followed.private_address, lab.clock.rate)
    return list(moments.in_order(found).values())


def _new(watch: Watch, known: set[str]) -> str:
    return next((instance for who, instance in sorted(watch.now) if who == "group" and instance not in known), "")


def _member(lab: Lab, newcomer: str) -> scaling.Member:
    return next(member for member in scaling.instances(lab) if short(member.instance_id) == newcomer)
