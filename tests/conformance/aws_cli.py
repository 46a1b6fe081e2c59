"""The AWS CLI as a stranger uses it: a command, an environment, and what it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.local.cloud_under_test import COMMAND_BOUND_S, Cloud

PROGRAM = Path(sys.executable).with_name("aws")


@dataclass(frozen=True)
class Aws:
    """Call it with the command's words: ``aws("ec2", "describe-vpcs")`` gives the parsed answer."""

    cloud: Cloud

    def __call__(self, *words: str) -> Any:
        """Run one command that must succeed; give its JSON, or None when it printed nothing."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *words: str) -> str:
        """Run one command that must be refused; give what it said."""
        done = self.run(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr.strip()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command, whatever becomes of it."""
        return subprocess.run(
            [str(PROGRAM), *words], env=self._environment(), text=True, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=COMMAND_BOUND_S,
        )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        known = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        state = self.cloud.state
        return {
            **known,
            "HOME": str(self.cloud.home),
            "AWS_ENDPOINT_URL": state["endpoint"],
            "AWS_ACCESS_KEY_ID": state["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": state["secret_access_key"],
            "AWS_SESSION_TOKEN": state.get("session_token") or "",
            "AWS_DEFAULT_REGION": state["region"],
            "AWS_DEFAULT_OUTPUT": "json",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }
