"""Instances, images, templates, VPC (aws-facts 3)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "Instances, images, templates, VPC"
FACTS: tuple[Fact, ...] = ()
