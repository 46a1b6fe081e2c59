"""The account (aws-facts  academy profile, faults, survival:5)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "The account"
FACTS: tuple[Fact, ...] = ()
