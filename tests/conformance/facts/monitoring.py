"""CloudWatch and the wire (aws-facts 4)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "CloudWatch and the wire"
FACTS: tuple[Fact, ...] = (
    Fact("4.5/endpoint", "R", "A client finds a service by endpoint, region and credentials; nothing else is needed."),
)
