"""Start, stop and describe a local cloud, as a program of its own: the lab side never imports it.

What a cloud answers is its own file (cloud.json): endpoint, credentials, clock. Those are for the same user's
clients; ``environment_of`` turns them into the variables that the AWS CLI, Terraform and the SDKs read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mglab.clock import Clock, told
from mglab.config import DEFAULT_CLOUD, cloud_directory
from mglab.errors import CloudUnavailable, UsageError


def directory_of(name: str, environ: Mapping[str, str]) -> Path:
    """Give the folder of the cloud of this name; refuses a name that cannot be one."""
    return cloud_directory({**environ, "MGLAB_CLOUD": name})


def kept(name: str) -> bool:
    """Say whether a cloud that does not run would come back with what was in it (``up``)."""
    return (directory_of(name, os.environ) / "world" / "snapshot").exists()


def command(verb: str, name: str, rate: float, knobs: Sequence[str] = (), words: Sequence[str] = ()) -> list[str]:
    """Give the command line that starts, sets, stops or describes a cloud.

    Knobs and what is to be set (``words``) are ``NAME=VALUE``, as the user wrote; flags may be among the words.
    """
    options = [("--directory", str(directory_of(name, os.environ))), ("--name", name), ("--rate", f"{rate:g}")]
    options += [("--knob", knob) for knob in knobs]
    return [sys.executable, "-m", "mglab.localcloud", verb, *words, *(word for pair in options for word in pair)]


def ask(
    verb: str, name: str, rate: float = 60.0, knobs: Sequence[str] = (), words: Sequence[str] = ()
) -> dict[str, Any] | None:
    """Run such a command; gives what the cloud says of itself, None when it does not run."""
    found = _asked(command(verb, name, rate, knobs, words))
    return found if isinstance(found, dict) else None


def knobs(given: Sequence[str] = ()) -> list[dict[str, Any]]:
    """List what may be set on a local cloud, its model's knobs too; raises UsageError when a given one cannot be."""
    return list(_asked(command("knobs", DEFAULT_CLOUD, 60.0, given)))


def _asked(words: Sequence[str]) -> Any:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return answer(done.returncode, done.stdout, done.stderr)


def answer(code: int, out: str, errors: str) -> Any:
    """Read what such a command printed; raises UsageError or CloudUnavailable with its own words when it failed."""
    if code == 0:
        return json.loads(out or "null")
    words = [line.strip() for line in errors.splitlines() if line.strip()] or [f"exit code {code}"]
    hint = words[-1].removeprefix("next: ") if words[-1].startswith("next: ") else "look at it: python3 -m mglab doctor"
    kept = words[:-1] if words[-1].startswith("next: ") else words
    if code == UsageError.exit_code:
        raise UsageError(" ".join(kept), hint=hint)
    raise CloudUnavailable(" ".join(kept[-3:]), hint=hint)


def clock_of(cloud: Mapping[str, Any]) -> Clock:
    """Give the clock that the cloud runs on; of AWS (an empty mapping), the wall's."""
    return told(cloud) if cloud else Clock()


def environment_of(cloud: Mapping[str, Any]) -> dict[str, str]:
    """Give the variables by which other AWS clients find the cloud and its names."""
    known = {
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        "AWS_ACCESS_KEY_ID": cloud["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": cloud["secret_access_key"],
        "AWS_SESSION_TOKEN": cloud.get("session_token") or "",
        "AWS_DEFAULT_REGION": cloud["region"],
        "AWS_REGION": cloud["region"],
        **cloud.get("client_environment", {}),
    }
    return {name: str(value) for name, value in known.items()}


def knobs_in_words(cloud: Mapping[str, Any]) -> str:
    """Say which knobs of a cloud do not have their default: ``, core_share=0.05``; empty when all have."""
    return "".join(f", {name}={value:g}" for name, value in cloud.get("knobs", {}).items())


def settings_in_words(cloud: Mapping[str, Any]) -> str:
    """Say what is set on a cloud: ``, throttling=0.2``; empty when nothing is."""
    return "".join(f", {name}={_word(name, value)}" for name, value in cloud.get("settings", {}).items())


def _word(name: str, value: Any) -> str:
    if name.endswith("_at"):
        return f"{datetime.fromtimestamp(value, UTC):%H:%M:%S}Z"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def shown(cloud: Mapping[str, Any]) -> dict[str, Any]:
    """Give what may be shown of a cloud: everything but its keys."""
    return {name: value for name, value in cloud.items() if name not in ("secret_access_key", "session_token")}
