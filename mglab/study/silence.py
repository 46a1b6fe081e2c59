"""Step 85, the quiet way to fail: the instance runs, but what it is there for does not.

Two servers run on each instance, and two observers judge it. First only MusicGuru is stopped: the health
check still answers, so the balancer calls the target healthy and goes on sending clients to a closed port.
Then the health check is stopped as well: now the balancer takes the target out, and the clients are well again.
The group asks EC2 alone (step 69): for it the instance is healthy throughout, and nothing is ever replaced. A
reboot runs ``run.sh`` and brings both servers back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mglab.display import column
from mglab.session import Lab
from mglab.steps import balancing, scaling, shell
from mglab.study.disturbance import US, Disturbance, Scene, disturb
from mglab.study.ready import staged
from mglab.study.timeline import Event, seconds_between
from mglab.study.watch import Watch, settled, short

WATCHED_S = 150.0
"""How long a phase is watched in which nothing is expected: a few check intervals."""
VERDICT_TIMEOUT_S = 900.0
HEALTHY_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Phase:
    """One stretch between two acts: what clients felt, and what the balancer and the group said of the instance."""

    phase: str = field(metadata=column("Phase"))
    seconds: float = field(metadata=column("AWS seconds", "number"))
    requests: int = field(metadata=column("Requests", "number"))
    failed: int = field(metadata=column("Failed", "number"))
    balancer: str = field(metadata=column("The balancer said"))
    group: str = field(metadata=column("The group said"))
    ec2: str = field(metadata=column("EC2 said"))


def stop_service_and_watch(lab: Lab, *, again: bool = False) -> Disturbance:
    """Stop MusicGuru on one instance, then its health check, then reboot it, under a client's pulse; once a run."""
    return staged(lab, "stop-service", Disturbance, lambda: _stop(lab), again=again)


def phases(seen: Disturbance) -> list[Phase]:
    """Say of each stretch between two of our acts what everybody saw."""
    acts = [event for event in seen.events if event.lane == US]
    ends = [event.at for event in acts[1:]] + [seen.ended]
    return [_phase(seen, act, end) for act, end in zip(acts, ends, strict=True)]


def _phase(seen: Disturbance, act: Event, end: datetime) -> Phase:
    asked = [sample for sample in seen.samples if act.at <= sample.at < end]
    return Phase(
        phase=act.what.partition(": ")[2],
        seconds=seconds_between(act.at, end),
        requests=len(asked),
        failed=sum(not sample.answered for sample in asked),
        balancer=_said(seen, "balancer", act.at, end),
        group=_said(seen, "group", act.at, end),
        ec2=_said(seen, "EC2", act.at, end),
    )


def _said(seen: Disturbance, who: str, since: datetime, until: datetime) -> str:
    """Give what ``who`` said of the instance in a stretch, in order: what stood at its beginning comes first."""
    (instance,) = (short(one) for one in seen.disturbed)
    told = [(e.at, e.what.partition(": ")[2]) for e in seen.events if e.lane == who and e.what.startswith(instance)]
    before = [state for at, state in told if at < since][-1:]
    return " -> ".join(before + [state for at, state in told if since <= at < until])


def _stop(lab: Lab) -> Disturbance:
    wanted = scaling.group(lab).desired
    chosen = next(it.instance_id for it in balancing.target_health(lab) if it.state == "healthy")

    def state(watch: Watch) -> str:
        return watch.now.get(("balancer", short(chosen)), "")

    def play(scene: Scene) -> None:
        scene.act(f"{short(chosen)}: MusicGuru stopped", lambda: shell.stop_service(lab, chosen))
        try:
            scene.ask_held()
            scene.keep_watching(WATCHED_S, what="what a stopped service changes")
            scene.act(f"{short(chosen)}: health check stopped", lambda: shell.stop_health_check(lab, chosen))
            scene.until(lambda seen: state(seen) == "unhealthy", what="a verdict", timeout_s=VERDICT_TIMEOUT_S)
            scene.keep_watching(WATCHED_S, what="whether anybody replaces it")
        finally:
            scene.act(f"{short(chosen)}: rebooted", lambda: scaling.reboot_instance(lab, chosen))
        scene.until(lambda seen: settled(seen, wanted), what="all targets healthy", timeout_s=HEALTHY_TIMEOUT_S)

    return disturb(lab, "stop-service", "the service stopped, then its health check, then a reboot", [chosen], play)
