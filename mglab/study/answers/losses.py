"""Question 2, a model answer: what happens when instances are lost, from six experiments.

Instances terminated (one, two, three at a time), one target deregistered in good order, one whose service alone is
stopped, the health port closed to all: the same client's pulse and the same watch through all of them, so their costs
can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

from mglab.display import text_of
from mglab.study import outage, silence
from mglab.study.answers.words import Measured, differ, durations_rest_on, listed, paragraph, seconds, sentence, written
from mglab.study.comparison import Cost, costs
from mglab.study.disturbance import Disturbance, Seen
from mglab.study.timeline import seconds_between

TAKES_NOTE, LETS_GO, LEAVES_DNS = "the group takes note", "the balancer stops sending to it", "its zone leaves DNS"
LAUNCHED, HEALTHY = "a replacement is launched", "the balancer calls it healthy"


def measured_2(*experiments: Disturbance) -> list[Measured]:
    """List what each experiment cost, and how fast the first was noticed and mended, beside the prediction."""
    found = [row for one in experiments for row in _cost_rows(one)]
    when = {seen.part: seen.seconds for one in experiments[:1] for seen in outage.durations(one)}
    parts = (TAKES_NOTE, LAUNCHED, HEALTHY)
    return found + [Measured(f"{experiments[0].did}: {part}, after", seconds(when[part])) for part in parts if when]


def _cost_rows(one: Disturbance) -> list[Measured]:
    (cost,) = costs(one)
    return [
        Measured(f"{one.did}: requests that failed", f"{cost.failed} of {cost.requests}"),
        Measured(f"{one.did}: longest stretch without an answer", _silence(one)),
    ]


def _silence(one: Disturbance) -> str:
    return seconds(longest_silence_s(one)) if one.failed else "none"


def longest_silence_s(one: Disturbance) -> float | None:
    """Give the longest stretch of lab time between two answers that has failures in it."""
    answered = [sample.at for sample in one.samples if sample.answered]
    failed = [sample.at for sample in one.failed]
    stretches = [
        seconds_between(before, after)
        for before, after in zip(answered, answered[1:], strict=False)
        if any(before < at < after for at in failed)
    ]
    return max(stretches, default=None)


def measured_83(closed: Disturbance) -> list[Measured]:
    """List what the closed health port cost the clients, and how fast it was noticed, beside the prediction."""
    unhealthy = closed.until("", "balancer", "unhealthy")
    return [*_cost_rows(closed), Measured("a target is called unhealthy, after", seconds(unhealthy.seconds))]


def step_83(closed: Disturbance, *, backend: str) -> list[str]:
    """Answer "does the client still get an answer?" when no target can pass its check."""
    return written([_fail_open(closed), durations_rest_on(backend)])


def question_2(
    terminated: Sequence[Disturbance], *, drained: Disturbance, silent: Disturbance, closed: Disturbance, backend: str
) -> list[str]:
    """Answer "what happens?" from the experiments; ``terminated`` in the order of how many instances were lost.

    ``closed`` is step 83's: the health port closed to every target at once.
    """
    first = terminated[0]
    return written(
        [
            *(_order(first), _observers(first), _dns(first)),
            *(_more(terminated), _in_good_order(first, drained), _quiet(silent), _fail_open(closed)),
            durations_rest_on(backend),
        ]
    )


def _order(one: Disturbance) -> str:
    found = outage.durations(one)
    cut = [it.part for it in found].index(LAUNCHED)
    missed = [it.part for it in found if it.seconds is None]
    if len(missed) == len(found):
        return paragraph(f"{one.did}: nobody was seen to take note of it")
    return paragraph(
        f"{one.did}, in the order seen: {_in_time(found[:cut]) or 'nobody took note of the loss'}",
        f"then the replacement: {_in_time(found[cut:]) or 'none was seen'}",
        f"Not seen in this run: {listed(missed)}" if missed else None,
    )


def _in_time(found: Sequence[Seen]) -> str:
    seen = sorted((it for it in found if it.seconds is not None), key=lambda it: it.seconds or 0.0)
    return listed([f"{it.part} after {seconds(it.seconds)}" for it in seen])


def _observers(one: Disturbance) -> str:
    when = {it.part: it for it in outage.durations(one)}
    group, balancer = when[TAKES_NOTE], when[LETS_GO]
    if group.seconds is None or balancer.seconds is None:
        missing = listed([it.part for it in (group, balancer) if it.seconds is None])
        return paragraph(f"whether the group and the balancer found out together was {missing}: not seen")
    return paragraph(
        f"The group and the balancer are two observers: the group took note after {seconds(group.seconds)}, the "
        f"balancer changed its word after {seconds(balancer.seconds)}, {_how_it_knew(balancer)}",
        "AWS documents that a group without additional health checks (step 69) believes EC2's state of the instance, "
        "and that the balancer believes its own probes of the health port, several of which have to fail in a row",
    )


def _how_it_knew(balancer: Seen) -> str:
    if balancer.source.endswith("unhealthy"):
        return "to “unhealthy”: its own probes had failed, nobody had told it"
    if balancer.source.endswith("draining"):
        return "to “draining”: the target was deregistered, which is what a group does to a member that it gives up"
    return "when the target was no longer in use"


def _dns(one: Disturbance) -> str:
    left = _left_dns(one)
    if not one.failed:
        return paragraph(f"No client noticed: none of the {len(one.during)} requests failed")
    last = seconds_between(one.began, one.failed[-1].at)
    addresses = _addresses(one)
    every = len(addresses) == 1
    return paragraph(
        f"{len(one.failed)} of {len(one.during)} requests failed, the last {seconds(last)} after the act",
        f"every one of them had gone to {addresses[0]}, one zone's address" if every else None,
        f"the failures were spread over {listed(addresses)}" if len(addresses) > 1 else None,
        _whether_dns_ended_it(left, last),
    )


def _addresses(one: Disturbance) -> list[str]:
    """Give the addresses to which requests had gone that failed."""
    return sorted({sample.address for sample in one.failed if sample.address})


def _whether_dns_ended_it(left: float | None, last: float) -> str:
    rule = (
        "AWS documents that the address of a zone without a healthy target is taken out of the name's answer, and that "
        "a client which goes on using it fails"
    )
    if left is None:
        return "No zone was seen to leave DNS, so DNS did not end the failures"
    if last <= left:
        return f"The zone left DNS after {seconds(left)}, and nobody failed later than that. {rule}"
    return f"The zone left DNS after {seconds(left)}, and requests failed even later than that. {rule}"


def _more(terminated: Sequence[Disturbance]) -> str:
    if len(terminated) < 2:
        return ""
    found = costs(*terminated)
    told = listed([f"{text_of(it.availability)} % with {it.event}" for it in found])
    silences = [_silence(one) for one in terminated]
    first, last = found[0], found[-1]
    worse = last.availability < first.availability and differ(last.failed, last.requests, first.failed, first.requests)
    return paragraph(
        f"Requests that were answered: {told}",
        f"the longest stretch without any answer was, in the same order, {listed(silences)}",
        "As long as one zone keeps a healthy target, its address goes on answering and the loss is a partial one; when "
        "the last target goes there is nobody to turn to until a replacement serves"
        if worse
        else "Losing more at once did not cost the clients more in this run than chance would give",
        _dns_of_larger_losses(terminated),
    )


def _dns_of_larger_losses(terminated: Sequence[Disturbance]) -> str | None:
    """Set what DNS did when more was lost against what it did at first."""
    if _left_dns(terminated[0]) is None:
        return None
    left = [(one, after) for one in terminated[1:] if (after := _left_dns(one)) is not None]
    stayed = [one.did for one in terminated[1:] if one.failed and _left_dns(one) is None]
    told = [f"with {one.did} a zone left DNS after {seconds(after)}" for one, after in left]
    if stayed:
        told.append(
            f"with {listed(stayed)} no zone was seen to leave DNS: AWS documents that, when no zone has a healthy "
            "target, every zone's address stays in the answer"
        )
    return sentence("; ".join(told))


def _left_dns(one: Disturbance) -> float | None:
    return next(it.seconds for it in outage.durations(one) if it.part == LEAVES_DNS)


def _in_good_order(lost: Disturbance, drained: Disturbance) -> str:
    died, left = costs(lost, drained)
    return paragraph(
        f"{drained.did}: {left.failed} of {left.requests} requests failed, against {died.failed} of {died.requests} "
        f"with {died.event}; of the connections that were open {left.survived} were answered, against {died.survived}",
        _what_good_order_saved(died, left, _alive(lost), _alive(drained)),
        f"What failed all the same had gone to {_addresses(drained)[0]}: the zone whose only target is taken off "
        "cannot answer until its address has left the name's answer, however orderly the leave"
        if len(_addresses(drained)) == 1
        else None,
    )


def _what_good_order_saved(died: Cost, left: Cost, alive_then: float, alive_now: float) -> str:
    rule = (
        "AWS documents why: deregistration stops new connections to a target and leaves open ones alone for the "
        "deregistration delay, while an instance that is terminated takes its connections with it"
    )
    spared = left.availability > died.availability and differ(left.failed, left.requests, died.failed, died.requests)
    if spared and alive_now >= alive_then:
        return f"An announced loss cost the clients {'nothing' if left.failed == 0 else 'less'}. {rule}"
    if alive_now > alive_then:
        return f"The shares of failures differ no more than chance gives; it is the open connections it spared. {rule}"
    return "In this run the good order saved nobody anything that chance would not"


def _alive(one: Disturbance) -> float:
    """Give the share of the connections held open that were answered."""
    answered = sum(it.outcome.startswith("answered") for it in one.survivals)
    return answered / len(one.survivals) if one.survivals else 0.0


def _quiet(silent: Disturbance) -> str:
    found = silence.phases(silent)
    if not found:
        return paragraph("What a stopped service does was not measured")
    told = [
        f"{it.phase}: {it.failed} of {it.requests} requests failed, the balancer said {it.balancer or 'nothing'}, the "
        f"group {it.group or 'nothing'}"
        for it in found
    ]
    return paragraph("; ".join(told), _what_the_check_proved(found[0]), _whether_it_was_replaced(found))


def _what_the_check_proved(first: silence.Phase) -> str:
    if first.failed and first.balancer == "healthy":
        return (
            "While the service alone was stopped the balancer went on sending clients to a port on which nobody "
            "listened: its probes ask the health port, so they prove the health check's life and not the service's"
        )
    if first.failed:
        return "Clients failed while the service was stopped, and the balancer changed its word in that time"
    return "No client failed while the service was stopped"


def _whether_it_was_replaced(found: Sequence[silence.Phase]) -> str:
    if {it.group for it in found} == {"InService"}:
        return (
            "The group said InService throughout and replaced nothing: AWS documents that it does so for a target that "
            "is unhealthy only when the balancer's health checks are turned on for the group, which step 69 leaves off"
        )
    return "The group's own word changed on the way"


def _fail_open(closed: Disturbance) -> str:
    """Say what a check that nobody could pass did to the clients."""
    (cost,) = costs(closed)
    unhealthy = closed.until("", "balancer", "unhealthy")
    if unhealthy.seconds is None:
        return paragraph(f"{closed.did}: no target was seen to become unhealthy")
    rule = (
        "AWS documents that a balancer without a healthy target in any zone sends to all of them: a check that "
        "everybody fails says more about the check than about the service"
    )
    if cost.failed:
        return paragraph(
            f"{closed.did}: targets were unhealthy after {seconds(unhealthy.seconds)}, and {cost.failed} of "
            f"{cost.requests} requests failed",
            "Some of the failures may lie between one target's verdict and the last one's",
        )
    return paragraph(
        f"{closed.did}: targets were unhealthy after {seconds(unhealthy.seconds)}, and none of the {cost.requests} "
        "requests failed",
        rule,
    )
