"""Twenty kills at seeded moments: part of ``mglab test --all``, some two minutes."""

from __future__ import annotations

from tests.local.kill_moments import kill_at_moments


def test_what_was_answered_survives_twenty_kills() -> None:
    kill_at_moments(kills=20, seed=20)
