"""What stands in the way, before anything is made (notebook 00 and ``mglab doctor``).

Every finding asks one question of the account or of this machine, says what it found, and, when that is not
right, what to do. Nothing is created: the questions are read-only calls. A blocking finding stops the run
here, where nothing has been spent yet.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mglab.config import Config
from mglab.display import column
from mglab.errors import CheckFailed, LabError
from mglab.session import Lab
from mglab.steps import teardown, trials
from mglab.workbook import software

MOST_VPCS = 5
"""VPCs in a region, AWS's default quota (aws-facts 3.5)."""
MOST_INSTANCES = 9
"""Running instances in an Academy region before the excess is terminated (aws-facts 5)."""
LARGEST_LOSS = 3
"""Step 85: "or three" are terminated, whatever the group's sizes are."""
UNCLAIMED_ADDRESS = "127.255.0.1"


@dataclass(frozen=True)
class Fact:
    """One thing that is so."""

    what: str = field(metadata=column("What"))
    value: str = field(metadata=column("Value"))


@dataclass(frozen=True)
class Finding:
    """One question, its answer, and what to do about it."""

    question: str = field(metadata=column("Question"))
    found: str = field(metadata=column("Found"))
    status: str = field(metadata=column("Status", "status"))
    next: str = field(metadata=column("What to do"))
    blocks: bool = field(default=False, repr=False)


def whereabouts(lab: Lab) -> list[Fact]:
    """Say which cloud, account, region and clock this run uses, and with which software."""
    pace = "real time" if lab.clock.rate == 1 else f"{lab.clock.rate:g} lab seconds a wall second"
    return [
        Fact("Run", lab.run),
        Fact("Backend", "AWS account" if lab.backend == "aws" else "embedded local cloud on this machine"),
        Fact("Account", lab.account),
        Fact("Region", lab.region),
        Fact("Clock", f"{lab.clock.now():%Y-%m-%d %H:%M:%S} UTC, {pace}"),
        Fact("Outputs", lab.folder.name),
        *(Fact(name, told) for name, told in software.versions().items()),
    ]


def findings(lab: Lab) -> list[Finding]:
    """Ask every question; a question that cannot be answered is a finding too."""
    return [_asked(question, ask, lab) for question, ask in QUESTIONS]


def require(found: Sequence[Finding]) -> None:
    """Stop here when something blocks.

    Raises CheckFailed that names every blocking finding and what to do about it.
    """
    blocking = [finding for finding in found if finding.blocks]
    if blocking:
        raise CheckFailed(
            "; ".join(f"{finding.question} {finding.found}" for finding in blocking),
            hint="; ".join(finding.next for finding in blocking),
        )


def _asked(question: str, ask: Callable[[Lab], tuple[str, str]], lab: Lab) -> Finding:
    try:
        found, to_do = ask(lab)
    except LabError as error:
        return Finding(question, error.message, "failed", error.hint or "mend this first", blocks=True)
    return Finding(question, found, "warning" if to_do else "ok", to_do)


def _may_use_ec2(lab: Lab) -> tuple[str, str]:
    zones = lab.ec2.describe_availability_zones()["AvailabilityZones"]
    return f"yes, {len(zones)} zones", ""


def _offers_the_type(lab: Lab) -> tuple[str, str]:
    wanted = lab.config.instance_type
    offers = lab.ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [wanted]}]
    )["InstanceTypeOfferings"]
    zones = sorted(offer["Location"] for offer in offers)
    if len(zones) < 2:
        raise CheckFailed(f"{wanted} is offered in {len(zones)} zone(s)", hint="choose another instance_type")
    return f"{wanted} in {', '.join(zones)}", ""


def _room_for_a_vpc(lab: Lab) -> tuple[str, str]:
    count = len(lab.ec2.describe_vpcs()["Vpcs"])
    if count >= MOST_VPCS:
        return f"{count} VPCs, and {MOST_VPCS} is the usual limit", "delete a VPC that nobody needs"
    return f"{count} of {MOST_VPCS} in use", ""


def _room_for_instances(lab: Lab) -> tuple[str, str]:
    pages = lab.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    )
    running = sum(len(r["Instances"]) for page in pages for r in page["Reservations"])
    at_once = most_at_once(lab.config)
    if running + at_once > MOST_INSTANCES:
        wanted = f"{at_once} more at times; an Academy account allows {MOST_INSTANCES}"
        return f"{running} running, and this lab has {wanted}", "stop what is not needed"
    return f"{running} running, and this lab has {at_once} more at times", ""


def most_at_once(config: Config) -> int:
    """Say how many instances there are at most at a time: the group's, a replacement, and the trials beside them."""
    return max(config.maximum, LARGEST_LOSS) + trials.AT_ONCE


def _nothing_left_over(lab: Lab) -> tuple[str, str]:
    left = [orphan for orphan in teardown.orphans(lab) if orphan.run != lab.run]
    if left:
        return f"{len(left)} resources of earlier runs", "look at them: python3 -m mglab orphans"
    return "nothing", ""


def _ports_are_free(lab: Lab) -> tuple[str, str]:
    """Try the service's ports on an address of the loopback that nobody asks for by name."""
    if lab.backend != "local":
        return "not asked: instances have addresses of their own on AWS", ""
    for port in (lab.config.service_port, lab.config.health_port):
        with socket.socket() as tried:
            try:
                tried.bind((UNCLAIMED_ADDRESS, port))
            except OSError as error:
                taken = error.errno == errno.EADDRINUSE
                raise CheckFailed(
                    f"no: TCP {port} {'is taken on all addresses of this machine' if taken else error.strerror}",
                    hint=f"end the program that listens there (ss -ltnp 'sport = :{port}' names it), then go on",
                ) from None
    return f"yes, {lab.config.service_port} and {lab.config.health_port}", ""


def _outputs_can_be_written(lab: Lab) -> tuple[str, str]:
    lab.ledger.note("preflight", "outputs can be written")
    return "yes", ""


def _the_folio_can_be_typeset(lab: Lab) -> tuple[str, str]:
    import typst

    pdf = typst.compile(b"= MusicGuru", format="pdf")
    return f"yes, a page of {len(pdf)} bytes", ""


QUESTIONS: tuple[tuple[str, Callable[[Lab], tuple[str, str]]], ...] = (
    ("May this account use EC2?", _may_use_ec2),
    ("Is the instance type offered in two zones?", _offers_the_type),
    ("Is there room for one more VPC?", _room_for_a_vpc),
    ("Is there room for the instances?", _room_for_instances),
    ("Is anything left of earlier runs?", _nothing_left_over),
    ("Are the service's ports free here?", _ports_are_free),
    ("Can the outputs be written?", _outputs_can_be_written),
    ("Can the folio be typeset?", _the_folio_can_be_typeset),
)


@dataclass(frozen=True)
class Priced:
    """Something this lab makes, and what it costs."""

    what: str = field(metadata=column("What"))
    how_many: str = field(metadata=column("How many"))
    per_hour: float | None = field(metadata=column("US$ an hour, each", "number"))
    remark: str = field(metadata=column("Remark"))


def plan(lab: Lab) -> list[Priced]:
    """List what the notebooks will make, with the price of each on AWS."""
    return list(_plan(lab))


def _plan(lab: Lab) -> Iterator[Priced]:
    from mglab.workbook import cost

    config, prices = lab.config, cost.PRICES
    yield Priced("Network load balancer", "1", prices.load_balancer_hour, "every started hour counts")
    yield Priced("Its capacity units", "few", prices.capacity_unit_hour, "a quiet hour uses about a thousandth of one")
    yield Priced(
        f"{config.instance_type} instances",
        f"{config.minimum} to {config.maximum}; at times {most_at_once(config)} with those that test and try",
        prices.instance_hour(config.instance_type),
        "by the second, 60 s at least",
    )
    yield Priced("Public IPv4 addresses", "one an instance, one a zone", prices.public_address_hour, "while assigned")
    yield Priced("Snapshot of the image", "1", None, f"US$ {prices.snapshot_gigabyte_month:g} a gigabyte and month")
    yield Priced("VPC, subnets, gateway, routes, groups, template, alarms", "", 0.0, "free")
