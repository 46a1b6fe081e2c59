"""Refusals (aws-facts 3.7)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "Refusals"
FACTS: tuple[Fact, ...] = ()
