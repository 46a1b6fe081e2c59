"""Step 85 and question 2: instances are terminated while clients keep asking.

One, two or all three at once. The group finds out by itself that a member is gone (aws-facts 2.4) and launches
another; the balancer finds out by its own checks. Where three are to die there must be three: the sizes are
raised first, and put back afterwards whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from mglab.session import Lab
from mglab.steps import scaling
from mglab.study.disturbance import FEWER, Disturbance, Scene, Seen, disturb
from mglab.study.ready import staged
from mglab.study.watch import GONE, IN_DNS, LET_GO, Watch, settled, short

HEALED_TIMEOUT_S = 2400.0
IN_WORDS = {1: "one instance", 2: "two instances", 3: "three instances"}


def terminate_and_watch(lab: Lab, count: int, *, again: bool = False) -> Disturbance:
    """Terminate ``count`` instances under a client's pulse and watch until the group is whole; done once a run."""
    return staged(lab, f"terminate-{count}", Disturbance, lambda: _terminate(lab, count), again=again)


def durations(outage: Disturbance) -> list[Seen]:
    """Measure how long each part of an outage took, from the moment of termination."""
    lost = [short(one) for one in outage.disturbed]
    return [
        outage.until("EC2 calls the instance terminated", "EC2", "terminated", of=lost),
        outage.until("the balancer stops sending to it", "balancer", *LET_GO, of=lost),
        outage.until("its zone leaves DNS", "DNS", GONE),
        outage.counted_fewer(FEWER),
        outage.until("the group takes note", "group", "Terminating", of=lost),
        outage.until("a replacement is launched", "group", "Pending", but=lost),
        outage.until("the replacement is in service", "group", "InService", but=lost),
        outage.until("the balancer begins to check it", "balancer", "initial", but=lost),
        outage.until("the balancer calls it healthy", "balancer", "healthy", but=lost),
        outage.until("a zone is in DNS again", "DNS", IN_DNS),
        outage.newcomer_answers("a client is answered by a newcomer"),
    ]


def _terminate(lab: Lab, count: int) -> Disturbance:
    with _room_for(lab, count):
        wanted = scaling.group(lab).desired
        victims = [member.instance_id for member in scaling.instances(lab)[:count]]

        def play(scene: Scene) -> None:
            for victim in victims:
                scene.act(f"{short(victim)}: terminated by us", partial(scaling.terminate_instance, lab, victim))
            scene.until(lambda seen: _ended(seen, victims), what="the end of the instances", timeout_s=HEALED_TIMEOUT_S)
            scene.ask_held()
            scene.until(
                lambda seen: _healed(seen, wanted, victims), what="the group heals", timeout_s=HEALED_TIMEOUT_S
            )

        seen = disturb(lab, f"terminate-{count}", f"{IN_WORDS[count]} terminated", victims, play)
        scaling.file_members(lab)
    return seen


@contextmanager
def _room_for(lab: Lab, count: int) -> Iterator[None]:
    """Let the group have at least so many instances for as long as the block lasts (step 85: "or three")."""
    before = scaling.group(lab)
    if before.desired >= count:
        yield
        return
    with scaling.other_limits(lab, minimum=count, maximum=max(count, before.maximum)):
        _settle(lab, count)
        yield
    _settle(lab, before.desired)


def _settle(lab: Lab, wanted: int) -> None:
    Watch(lab).until(
        lambda seen: settled(seen, wanted), what=f"{wanted} instances, all healthy", timeout_s=HEALED_TIMEOUT_S
    )
    scaling.file_members(lab)


def _ended(watch: Watch, victims: Sequence[str]) -> bool:
    """Say whether EC2 calls every victim terminated, or no longer speaks of it."""
    states = [watch.now.get(("EC2", short(victim)), "terminated") for victim in victims]
    return all(state == "terminated" for state in states)


def _healed(watch: Watch, wanted: int, victims: Sequence[str]) -> bool:
    """Say whether the lost instances are gone from the group and enough others are in service and healthy."""
    gone = {short(one) for one in victims}
    left = any(instance in gone for who, instance in watch.now if who in ("group", "balancer"))
    return not left and settled(watch, wanted)

