"""The whole run at rates 20 and 60: the same states in the same order, and timings within the model's own jitter.

Part of ``mglab test --all``: two complete runs, some ten minutes of wall time. Each is reduced to its histories
(mglab/study/histories.py); the ranges are the cloud's own constants. Two things widen them, both counted from the
run and not guessed: how long at worst nobody looked (it grows with the rate and with what else the machine does),
and the cloud's ticks, which are of wall time. Where a real process has to start, one wall second is allowed on top.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from mglab.localcloud import daemon, dataplane
from mglab.localcloud.api import autoscaling_capacity, autoscaling_reconcile, elbv2_balancers, elbv2_targets
from mglab.localcloud.knobs import DEFAULTS
from mglab.localcloud.rules import lifecycle
from mglab.study import histories
from mglab.study.histories import History, Stage

ROOT = Path(__file__).parents[2]
RATES = (20, 60)
RUN_BOUND_S = 1800
TICKS_WALL_S = daemon.TICK_S + dataplane.TICK_S
REAL_START_WALL_S = 1.0
"""A service's process starts in a tenth of this when the machine is idle; no clock makes it faster."""
CHECK_INTERVAL_S = 30.0
DRAIN_S = 300.0


def spread(seconds: float, share: float = lifecycle.SPREAD) -> tuple[float, float]:
    return seconds * (1 - share), seconds * (1 + share)


def shares(seconds: float, drawn: tuple[float, ...]) -> tuple[float, float]:
    return seconds * drawn[0], seconds * drawn[-1]


PENDING_S, GONE_S = spread(DEFAULTS.pending_s), spread(DEFAULTS.shutting_down_s)
REGISTERED_S = spread(DEFAULTS.registration_s, elbv2_targets.REGISTRATION_SPREAD)
CHECKED_S = (REGISTERED_S[0], REGISTERED_S[1] + CHECK_INTERVAL_S)
RANGES = {
    "instance: pending": PENDING_S,
    "image: pending": spread(DEFAULTS.image_s),
    "load balancer: provisioning": shares(DEFAULTS.provisioning_s, elbv2_balancers.PROVISIONING),
    "EC2: pending": PENDING_S,
    "EC2: shutting-down": GONE_S,
    "group: Pending": PENDING_S,
    "Launching a new EC2 instance: begins": PENDING_S,
    "Terminating EC2 instance: begins": (DRAIN_S, DRAIN_S + GONE_S[1]),
    "group: Terminating": (DRAIN_S, DRAIN_S + GONE_S[1]),
    "balancer: initial": CHECKED_S,
    "checks: Elb.RegistrationInProgress": CHECKED_S,
    "us, terminated by us -> group: Terminating": shares(DEFAULTS.detection_s, autoscaling_reconcile.DETECTION),
    "us, minimum raised to N -> group: Pending": shares(DEFAULTS.decision_s, autoscaling_capacity.DECISION),
    "boot": spread(DEFAULTS.boot_s),
}
SEEN_AT_ANY_RATE = RANGES.keys() - {"instance: pending", "load balancer: provisioning"}
"""Waits may begin when these are over: the work before them takes wall time."""


@dataclass(frozen=True)
class Finished:
    """A run that has ended."""

    rate: int
    code: int
    said: str
    folder: Path

    @cached_property
    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "ledger.jsonl").read_text("utf-8").splitlines()]

    @cached_property
    def experiments(self) -> dict[str, dict[str, Any]]:
        files = sorted((self.folder / "experiments").glob("*.json"))
        return {file.stem: json.loads(file.read_text("utf-8")) for file in files}

    @cached_property
    def histories(self) -> list[History]:
        return histories.of_run(self.folder.name, self.ledger, self.experiments)

    @cached_property
    def stages(self) -> list[Stage]:
        waits = [line for line in self.ledger if line["kind"] == "wait"]
        found = histories.stages(self.histories)
        for experiment in self.experiments.values():
            events = histories.events_of(experiment)
            blind_s = histories.blindness(waits, events)
            found += histories.responses(events, blind_s)
            bands = experiment["result"].get("bands", ()) if "newcomer" in experiment["result"] else ()
            found += [Stage(one["band"], one["seconds"], one["within_s"]) for one in bands]
        return found

    def slack_s(self, stage: Stage) -> float:
        """Say how far a measured stage may lie off, in AWS seconds: its two ends are dated by looks."""
        real_wall_s = REAL_START_WALL_S if stage.name.startswith("boot") else 0.0
        return 2 * stage.blind_s + (TICKS_WALL_S + real_wall_s) * self.rate


def finish(folder: Path, rate: int) -> Finished:
    """Carry out the whole run at a rate, as a stranger would."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MGLAB_"))}
    places = {"MGLAB_OUTPUTS": str(folder / "outputs"), "MGLAB_STATE_HOME": str(folder / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "mglab", "run", "--run", f"at{rate}", "--rate", str(rate)],
        cwd=ROOT, env={**plain, **places, "PYTHONPATH": str(ROOT)}, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=RUN_BOUND_S, check=False,
    )  # fmt: skip
    return Finished(rate, done.returncode, done.stdout, folder / "outputs" / f"at{rate}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Finished, Finished]]:
    """Carry both runs out, one after the other."""
    folder = tmp_path_factory.mktemp("rates")
    slow, fast = (finish(folder, rate) for rate in RATES)
    assert (slow.code, fast.code) == (0, 0), slow.said + fast.said
    yield slow, fast


def test_the_same_states_in_the_same_order(runs: tuple[Finished, Finished]) -> None:
    slow, fast = runs
    assert slow.experiments.keys() == fast.experiments.keys()
    assert histories.differences(slow.histories, fast.histories) == []


def test_how_long_it_took_is_within_the_models_own_ranges(runs: tuple[Finished, Finished]) -> None:
    outside = []
    for run in runs:
        for stage in run.stages:
            least, most = RANGES.get(stage.name, (0.0, float("inf")))
            slack_s = run.slack_s(stage)
            expected = f"{least:g} to {most:g}, give or take {slack_s:.1f}"
            words = f"rate {run.rate}: {stage.name}: {stage.seconds:.1f} s, {expected}"
            if stage.name in RANGES:
                print(words)
            if not least - slack_s <= stage.seconds <= most + slack_s:
                outside.append(words)
    assert outside == []


def test_each_range_was_looked_at_in_both_runs(runs: tuple[Finished, Finished]) -> None:
    for run in runs:
        assert {stage.name for stage in run.stages} >= SEEN_AT_ANY_RATE


def test_where_the_time_went_adds_up(runs: tuple[Finished, Finished]) -> None:
    for run in runs:
        told = json.loads((run.folder / "run.json").read_text("utf-8"))["notebooks"].values()
        print(run.said)
        assert all(one["kernel_s"] > 0 and one["kernel_s"] + one["waiting_s"] <= one["seconds"] + 0.2 for one in told)
        assert sum(one["aws_waited_s"] for one in told) > 900
