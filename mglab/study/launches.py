"""Steps 38-40: start one instance from the template in each subnet, talk to both, and end them again."""

from __future__ import annotations

from dataclasses import dataclass, field

from mglab.display import column
from mglab.session import Lab
from mglab.steps import instances, probing, templates
from mglab.steps.ensure import Records
from mglab.steps.instances import Instance
from mglab.steps.network import Subnet
from mglab.steps.templates import LaunchTemplate
from mglab.study.client import ask, run_client
from mglab.study.kept import once


@dataclass(frozen=True)
class Reached:
    """How one test instance answered at its public address."""

    name: str = field(metadata=column("Name"))
    instance_id: str = field(metadata=column("Instance ID", "id"))
    zone: str = field(metadata=column("Zone"))
    public_address: str = field(metadata=column("Public IPv4", "address"))
    private_address: str = field(metadata=column("Private IPv4", "address"))
    responder: str | None = field(metadata=column("Answered as", "address"))
    total_ms: float = field(metadata=column("Took (ms)", "number"))
    ssh: str = field(metadata=column("SSH"))


@dataclass(frozen=True)
class TemplateTest:
    """The two instances while they ran, how they answered, and the client's own words."""

    instances: tuple[Instance, ...]
    answers: tuple[Reached, ...]
    transcript: str


def test_template(lab: Lab, template: LaunchTemplate, subnets: Records[Subnet]) -> TemplateTest:
    """Launch one instance in each subnet, ask both, terminate both; done once a run (steps 38-40)."""
    return once(lab, "template-test", TemplateTest, lambda: _test(lab, template, subnets))


test_template.__test__ = False  # type: ignore[attr-defined]


def _test(lab: Lab, template: LaunchTemplate, subnets: Records[Subnet]) -> TemplateTest:
    started = [templates.test_launch(lab, template, subnet) for subnet in subnets]
    running = instances.wait_running(lab, *started)
    for instance in running:
        probing.wait_port(lab, instance.public_address, lab.config.service_port)
    answers = tuple(_reach(lab, instance) for instance in running)
    transcript = "\n\n".join(run_client(lab, instance.public_address) for instance in running)
    templates.terminate(lab, running)
    return TemplateTest(tuple(running), answers, transcript)


def _reach(lab: Lab, instance: Instance) -> Reached:
    sample = ask(lab, instance.public_address, year=1985)
    return Reached(
        name=instance.name,
        instance_id=instance.instance_id,
        zone=instance.zone,
        public_address=instance.public_address,
        private_address=instance.private_address,
        responder=sample.responder or sample.failure,
        total_ms=sample.total_ms,
        ssh=probing.telnet(lab, instance.public_address, lab.ssh_port).outcome,
    )
