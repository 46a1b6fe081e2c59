"""Notebook 05 at rate 1: the load balancer takes its real minutes, and the notebook waits for them unchanged.

What comes before is made at the usual rate; then the cloud's clock is set to the wall's, which a kept run goes on with.
Part of ``mglab test --all``: some four minutes of wall time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.local.cloud_under_test import eventually

ROOT = Path(__file__).parents[2]
RUN, CLOUD = "slow", "run-slow"
COMMAND_BOUND_S = 900
PROVISIONING_S = (120.0, 240.0)
"""aws-facts 7: how long a load balancer is provisioning, in the model."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("pace")
    try:
        mglab(home, "run", "--run", RUN, "--to", "04", "--keep")
        mglab(home, "cloud", "set", "rate=1", "--name", CLOUD)
        mglab(home, "run", "--run", RUN, "--from", "05", "--to", "05", "--keep")
        yield home / "outputs" / RUN
    finally:
        mglab(home, "cloud", "set", "rate=60", "--name", CLOUD)
        mglab(home, "teardown", "--run", RUN)


def mglab(home: Path, *words: str) -> str:
    """Run one command in a home of its own; it must succeed."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MGLAB_"))}
    places = {"MGLAB_OUTPUTS": str(home / "outputs"), "MGLAB_STATE_HOME": str(home / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "mglab", *words], cwd=ROOT, env={**plain, **places, "PYTHONPATH": str(ROOT)}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=COMMAND_BOUND_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_it_passes(folder: Path) -> None:
    record = json.loads((folder / "run.json").read_text("utf-8"))
    assert record["notebooks"]["05_load_balancer"]["status"] == "passed"


def test_a_minute_of_the_lab_was_a_minute_of_the_wall(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text("utf-8").splitlines()]
    balancing = [line for line in lines if line.get("step") in ("43-48", "49-57", "55")]
    first, last = balancing[0], balancing[-1]
    lab_s = (datetime.fromisoformat(last["at"]) - datetime.fromisoformat(first["at"])).total_seconds()
    assert lab_s == pytest.approx(last["wall"] - first["wall"], abs=0.2)


def test_the_balancer_takes_its_real_minutes(folder: Path) -> None:
    """The notebook goes on at once, as the sheet does; the balancer becomes active two to four minutes later."""
    told = json.loads((folder / "evidence" / "53-the-load-balancer-just-created.json").read_text("utf-8"))
    assert "provisioning" in told["rows"][0]
    elbv2 = client(folder.parents[1] / "state" / "clouds" / CLOUD / "cloud.json")
    (balancer,) = elbv2.describe_load_balancers()["LoadBalancers"]
    eventually(lambda: elbv2.describe_load_balancers()["LoadBalancers"][0]["State"]["Code"] == "active", bound_s=360)
    waited_s = (datetime.now(UTC) - wall_time_of(folder, balancer["CreatedTime"])).total_seconds()
    assert PROVISIONING_S[0] <= waited_s <= PROVISIONING_S[1] + 1


def client(cloud_file: Path) -> Any:
    """Make an owner's client of elbv2."""
    state = json.loads(cloud_file.read_text("utf-8"))
    return boto3.client(
        "elbv2", endpoint_url=state["endpoint"], region_name=state["region"],
        aws_access_key_id=state["access_key_id"], aws_secret_access_key=state["secret_access_key"],
    )  # fmt: skip


def wall_time_of(folder: Path, lab_time: datetime) -> datetime:
    """Say when that moment of the lab was on the wall; the clocks go alike at rate 1, and this line was filed then."""
    last = json.loads((folder / "ledger.jsonl").read_text("utf-8").splitlines()[-1])
    return datetime.fromtimestamp(last["wall"], UTC) - (datetime.fromisoformat(last["at"]) - lab_time)
