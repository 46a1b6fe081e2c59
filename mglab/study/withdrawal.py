"""Step 85, the other way to lose a target: deregistered in good order instead of terminated.

The balancer stops sending new connections to it and leaves those that are open alone for the deregistration
delay (aws-facts 1.7). The instance goes on running, and its group, which asks only EC2, sees nothing wrong. The
zone that has lost its only target leaves DNS; when the target is registered again, it starts as ``initial``.
"""

from __future__ import annotations

from mglab.session import Lab
from mglab.steps import balancing, scaling
from mglab.study.disturbance import FEWER, Disturbance, Scene, Seen, disturb
from mglab.study.ready import staged
from mglab.study.watch import GONE, IN_DNS, Watch, settled, short

DRAINED_TIMEOUT_S = 1200.0
HEALTHY_TIMEOUT_S = 1200.0


def deregister_and_watch(lab: Lab, *, again: bool = False) -> Disturbance:
    """Deregister one target, wait until it has drained, and register it again; done once a run."""
    return staged(lab, "deregister", Disturbance, lambda: _deregister(lab), again=again)


def durations(withdrawal: Disturbance) -> list[Seen]:
    """Measure how long each part of a withdrawal took, from the moment of deregistration."""
    target = [short(one) for one in withdrawal.disturbed]
    return [
        withdrawal.until("the target drains", "balancer", "draining", of=target),
        withdrawal.until("its zone leaves DNS", "DNS", GONE),
        withdrawal.counted_fewer(FEWER),
        withdrawal.until("it has drained", "balancer", GONE, of=target),
        withdrawal.until("it is registered again", "balancer", "initial", of=target),
        withdrawal.until("the balancer calls it healthy", "balancer", "healthy", of=target),
        withdrawal.until("its zone is in DNS again", "DNS", IN_DNS),
    ]


def _deregister(lab: Lab) -> Disturbance:
    wanted = scaling.group(lab).desired
    target = next(it.instance_id for it in balancing.target_health(lab) if it.state == "healthy")

    def state(seen: Watch) -> str:
        return seen.now.get(("balancer", short(target)), "")

    def play(scene: Scene) -> None:
        scene.act(f"{short(target)}: deregistered by us", lambda: balancing.deregister(lab, target))
        try:
            scene.until(lambda seen: state(seen) == "draining", what="the target drains", timeout_s=DRAINED_TIMEOUT_S)
            scene.ask_held()
            scene.until(lambda seen: not state(seen), what="the target has drained", timeout_s=DRAINED_TIMEOUT_S)
        finally:
            scene.act(f"{short(target)}: registered by us", lambda: balancing.register(lab, target))
        scene.until(lambda seen: settled(seen, wanted), what="all targets healthy", timeout_s=HEALTHY_TIMEOUT_S)

    return disturb(lab, "deregister", "one target deregistered, then registered again", [target], play)
