"""Auto Scaling (aws-facts 2)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "Auto Scaling"
FACTS: tuple[Fact, ...] = ()
