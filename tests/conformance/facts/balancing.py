"""Network Load Balancers (aws-facts 1)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "Network Load Balancers"
FACTS: tuple[Fact, ...] = ()
