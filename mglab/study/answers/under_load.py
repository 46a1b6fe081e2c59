"""Scale under load, a model answer: how the group grew and shrank by its own rule, and what a user felt of it.

Durations are taken between moments that CloudWatch, the group or our own clock told; what did not come is said not to
have come.
"""

from __future__ import annotations

from mglab.display import text_of
from mglab.study.answers.words import Measured, differ, durations_rest_on, paragraph, seconds, written
from mglab.study.surge import Feeling, Surge
from mglab.study.timeline import seconds_between

FIRED, ANSWERED = "from load on to the high alarm", "from load on to the newcomer's first answer"
CALMED, BACK = "from load off to the low alarm", "from load off until the group is back"


def measured_load(seen: Surge) -> list[Measured]:
    """List how long each way took and what a user felt, to stand beside the prediction."""
    under, after, _ = seen.felt
    return [
        *(Measured(what, seconds(took)) for what, took in _durations(seen).items()),
        Measured("a user's requests not answered under the load", f"{under.failed} of {under.requests}"),
        Measured("and after it", f"{after.failed} of {after.requests}"),
    ]


def under_load(seen: Surge, *, backend: str) -> list[str]:
    """Answer how the group followed its load, which way was the longer one and why, and what a user felt."""
    return written([_out(seen), _in(seen), _which_is_longer(seen), _felt(seen), durations_rest_on(backend)])


def _durations(seen: Surge) -> dict[str, float | None]:
    """Give AWS seconds from the load's coming or going to what followed; None where it was not seen."""
    back = seen.ended if seen.answered_at and seen.is_back else None
    ways = {FIRED: (seen.began, seen.fired_at), ANSWERED: (seen.began, seen.answered_at),
            CALMED: (seen.load_off, seen.calmed_at), BACK: (seen.load_off, back)}  # fmt: skip
    return {what: round(seconds_between(since, at), 1) if at else None for what, (since, at) in ways.items()}


def _out(seen: Surge) -> str:
    took = _durations(seen)
    if took[FIRED] is None:
        return paragraph(
            "The load was borne: the high alarm did not fire, so nothing was to be scaled",
            "AWS documents that the policy follows its metric and nothing else: users who wait start no instance",
        )
    if took[ANSWERED] is None:
        return paragraph(f"The high alarm fired {seconds(took[FIRED])} after the load came on, and nobody new answered")
    return paragraph(
        f"The high alarm fired {seconds(took[FIRED])} after the load came on, and {seen.newcomer} first answered "
        f"{seconds(took[ANSWERED])} after it",
        "AWS documents what lies before the alarm: an average of the instances' CPU has to be published and to stand "
        "above the target for several periods; what lies behind it is the launch of Question 3",
    )


def _in(seen: Surge) -> str:
    took = _durations(seen)
    if took[ANSWERED] is None:
        return ""
    if took[CALMED] is None:
        return paragraph("After the load went off, the low alarm was not seen to fire")
    return paragraph(
        f"After the load went off, the low alarm fired after {seconds(took[CALMED])}",
        f"the group was at its old size after {seconds(took[BACK])}"
        if took[BACK] is not None
        else "the group was not seen to come back to its old size",
    )


def _which_is_longer(seen: Surge) -> str:
    took = _durations(seen)
    out, back = took[ANSWERED], took[BACK]
    if out is None or back is None:
        return paragraph("Which way is the longer one was not measured")
    if back <= out:
        return paragraph("In this run the way back was not the longer one")
    return paragraph(
        "The way back is the longer one",
        "AWS documents that a target tracking policy puts availability first: it adds as fast as it can and takes away "
        "more slowly. Its two alarms (step 73) are made so: the one that takes away has to last for more periods, "
        "below a threshold that lies under the target, so that a short lull does not cost an instance that the next "
        "minute needs. Too few fail users at once; one too many costs a little money",
    )


def _felt(seen: Surge) -> str:
    under, after, _ = seen.felt
    if not under.requests:
        return paragraph("What a user felt was not measured")
    worse = differ(under.failed, under.requests, after.failed, after.requests) and under.failed > after.failed
    return paragraph(
        f"A light client beside the load: {_told(under)} under it, {_told(after)} after it",
        "The scaling came too late for those: a policy answers a load that is there already"
        if worse
        else "Under the load no more of its requests went unanswered than after it, but for what chance gives",
    )


def _told(felt: Feeling) -> str:
    median = f" (median of the others {text_of(felt.median_ms)} ms of the wall)" if felt.median_ms is not None else ""
    return f"{felt.failed} of {felt.requests} requests unanswered{median}"
