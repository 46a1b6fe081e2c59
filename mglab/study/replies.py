"""Steps 82 and 84: the instances asked directly, and the balancer asked until a second one answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from mglab.display import column
from mglab.errors import ServiceUnreachable
from mglab.session import Lab
from mglab.steps import scaling
from mglab.study.client import ask, responder_of, run_client
from mglab.study.kept import once

MOST_TRIES = 24
"""With two even responders the chance of seeing only one in so many tries is below one in eight million."""


@dataclass(frozen=True)
class Direct:
    """One instance of the group, asked at its own public address."""

    name: str = field(metadata=column("Name"))
    instance_id: str = field(metadata=column("Instance ID", "id"))
    zone: str = field(metadata=column("Zone"))
    public_address: str = field(metadata=column("Public IPv4", "address"))
    reply: str = field(metadata=column("Reply"))
    failure: str = field(metadata=column("Failure"))
    total_ms: float = field(metadata=column("Took (ms)", "number"))


@dataclass(frozen=True)
class Replies:
    """The client's transcript until two different replicas had answered."""

    transcript: str
    responders: tuple[str, ...]


def ask_instances(lab: Lab) -> list[Direct]:
    """Ask every instance of the group at its public address (step 82)."""
    return [_ask(lab, member) for member in scaling.instances(lab) if member.public_address]


def until_two_responders(lab: Lab, host: str) -> Replies:
    """Run the lab's client again and again until two replicas have answered (step 84); done once a run.

    Raises ServiceUnreachable when only one ever answers.
    """
    return once(lab, "two-responders", Replies, lambda: _until_two(lab, host))


def _until_two(lab: Lab, host: str) -> Replies:
    said: dict[str, str] = {}
    for _ in range(MOST_TRIES):
        transcript = run_client(lab, host)
        responder = responder_of(transcript)
        if responder:
            said.setdefault(responder, transcript)
        if len(said) > 1:
            return Replies("\n\n".join(said.values()), tuple(said))
    raise ServiceUnreachable(
        f"{MOST_TRIES} requests to {host} were all answered by {', '.join(said) or 'nobody'}",
        hint="look at target health: are two targets healthy, one in each zone?",
    )


def _ask(lab: Lab, member: scaling.Member) -> Direct:
    sample = ask(lab, member.public_address)
    return Direct(
        name=member.name,
        instance_id=member.instance_id,
        zone=member.zone,
        public_address=member.public_address,
        reply=sample.reply,
        failure=sample.failure,
        total_ms=sample.total_ms,
    )
