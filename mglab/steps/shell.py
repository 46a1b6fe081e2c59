"""A shell on an instance: the ways in that step 33's key pair is for, and "stop only the service" (step 85).

SSH to the public address as ec2-user, with the key pair's private half, on either backend alike. The first
time that an instance is seen its host key is pinned in the keys folder, under its id: addresses are used
again by other instances, ids never. Nothing of the user's own SSH configuration or agent is consulted.

What a command does takes wall time, on a real machine or here: the time-outs are wall seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from mglab import waits
from mglab.display import column
from mglab.errors import (
    CheckFailed,
    LabError,
    LoginRefused,
    OutputsUnwritable,
    ServiceUnreachable,
    UsageError,
    WaitTimedOut,
)
from mglab.session import Lab
from mglab.steps import instances, probing
from mglab.steps.ensure import Record
from mglab.steps.instances import Instance
from mglab.steps.security import private_key_file

USER = "ec2-user"
CONNECT_TIMEOUT_WALL_S = 10.0
COMMAND_TIMEOUT_WALL_S = 60.0
NOBODY_LISTENS = ("refused", "timed out")
SERVICE, HEALTH_CHECK = "MusicGuruServer.py", "HealthCheck.py"
STEP = "85"
T = TypeVar("T")


@dataclass(frozen=True)
class Finished(Record):
    """A command that has run on an instance."""

    command: str = field(metadata=column("Command"))
    exit_status: int = field(metadata=column("Exit status", "number"))
    """As the shell gave it; the negative number of the signal that ended it."""
    out: str = field(metadata=column("Output"))
    err: str = field(metadata=column("Errors"))


@dataclass(frozen=True)
class Stopped(Record):
    """A program that was stopped on an instance that runs on."""

    instance_id: str = field(metadata=column("Instance ID", "id"))
    program: str = field(metadata=column("Program"))
    port: int = field(metadata=column("Port", "number"))
    was_running: bool = field(metadata=column("Was running"))


def run(lab: Lab, instance: Instance, command: str, *, timeout_s: float = COMMAND_TIMEOUT_WALL_S) -> Finished:
    """Run a command line on the instance as ec2-user, and give how it ended and what it said.

    Raises UsageError (no private key here), ServiceUnreachable (refused, no answer), LoginRefused (key not
    accepted, host key changed), WaitTimedOut after ``timeout_s`` wall seconds. A command that fails is no error.
    """
    return from_a_cell(_run(lab, instance, command, timeout_s))


async def _run(lab: Lab, instance: Instance, command: str, timeout_s: float) -> Finished:
    async with opened(lab, instance) as connection:
        try:
            done = await asyncio.wait_for(connection.run(command, stdin=asyncssh.DEVNULL, errors="replace"), timeout_s)
        except TimeoutError:
            raise WaitTimedOut(
                f"`{command}` had not ended on {instance.instance_id} after {timeout_s:g} s",
                hint="give it more time (timeout_s), or run it in the background with its output in a file",
            ) from None
        except (OSError, asyncssh.Error) as error:
            raise _broken(instance, error) from None
    status = done.returncode if done.returncode is not None else -1
    return Finished(command, status, str(done.stdout or ""), str(done.stderr or ""))


# -- stop only the service -------------------------------------------------------------------------------------


def stop_service(lab: Lab, instance_id: str) -> Stopped:
    """Stop the service on an instance and nothing else: it runs on, and its health check answers (step 85)."""
    return _stop(lab, instance_id, "service", SERVICE, lab.config.service_port)


def stop_health_check(lab: Lab, instance_id: str) -> Stopped:
    """Stop the health check on an instance and nothing else: its service answers as before (step 85)."""
    return _stop(lab, instance_id, "health-check", HEALTH_CHECK, lab.config.health_port)


def _stop(lab: Lab, instance_id: str, what: str, program: str, port: int) -> Stopped:
    instance = _ours(lab, instance_id)
    # the brackets keep the pattern from matching the shell and the sudo whose command lines it stands in
    killed = run(lab, instance, f"sudo pkill -f '[{program[0]}]{program[1:]}'")
    if killed.exit_status not in (0, 1):
        raise CheckFailed(
            f"{program} could not be stopped on {instance_id}: {killed.err.strip() or killed.exit_status}",
            hint="log in and look: python3 -m mglab ssh " + instance_id,
        )
    waits.until(
        lab,
        look=lambda: probing.telnet(lab, instance.public_address, port).outcome,
        is_done=lambda outcome: outcome in NOBODY_LISTENS,
        what=f"end of {program} on {instance_id}",
        timeout_s=60.0,
        interval_s=instances.LOOK_EVERY_S,
        advice=f"something else listens on port {port}, or starts {program} again: python3 -m mglab ssh {instance_id}",
    )
    stopped = Stopped(instance_id, program, port, was_running=killed.exit_status == 0)
    lab.ledger.note(STEP, what, key=instance_id, state="stopped", program=program, was_running=stopped.was_running)
    return stopped


def _ours(lab: Lab, instance_id: str) -> Instance:
    found = next((it for it in instances.instances(lab) if it.instance_id == instance_id), None)
    if found is None:
        raise UsageError(
            f"run {lab.run} has no instance {instance_id} that is not terminated",
            hint="list them: instances.instances(lab)",
        )
    return found


# -- the connection --------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def opened(lab: Lab, instance: Instance) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Log in to an instance for as long as the block lasts; raises LabError as ``run`` does."""
    key, address = private_key(lab), _address(instance)
    pinned = pinned_keys(lab, instance.instance_id)
    attempt = asyncssh.connect(
        address, lab.ssh_port, username=USER, client_keys=[key], known_hosts=(pinned, [], []) if pinned else None,
        config=None, agent_path=None, preferred_auth=("publickey",), login_timeout=CONNECT_TIMEOUT_WALL_S,
    )  # fmt: skip
    try:
        connection = await asyncio.wait_for(attempt, CONNECT_TIMEOUT_WALL_S)
    except (OSError, TimeoutError, asyncssh.Error) as error:
        raise _refusal(lab, instance, error) from None
    async with connection:
        shown = connection.get_server_host_key()
        if not pinned and shown is not None:
            _pin(lab, instance.instance_id, shown)
        yield connection


def private_key(lab: Lab) -> asyncssh.SSHKey:
    """Read the private half of the key pair that instances are launched with."""
    file = private_key_file(lab)
    try:
        return asyncssh.read_private_key(file)
    except FileNotFoundError:
        download = "put it there, mode 0600 (Learner Lab: AWS Details, Download PEM)"
        hint = download if lab.config.existing_key else f"make the key pair (notebook 03), or {download}"
        raise UsageError(f"the private key {file} is not here", hint=hint) from None
    except (OSError, asyncssh.KeyImportError) as error:
        raise UsageError(
            f"{file} cannot be read as a private key: {error}", hint="it has to be the key pair's PEM, unencrypted"
        ) from None


def known_hosts_file(lab: Lab) -> Path:
    """Say where the host keys of this cloud's instances are pinned, each under its instance's id."""
    return lab.keys_folder / "known_hosts"


def pinned_keys(lab: Lab, instance_id: str) -> list[asyncssh.SSHKey]:
    """Give the host keys that an instance has shown before."""
    file = known_hosts_file(lab)
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    told = (line.partition(" ") for line in lines)
    return [asyncssh.import_public_key(key) for name, _, key in told if name == instance_id]


def _pin(lab: Lab, instance_id: str, key: asyncssh.SSHKey) -> None:
    file = known_hosts_file(lab)
    kind, text = key.export_public_key().split()[:2]
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(b"%s %s %s\n" % (instance_id.encode(), kind, text))
    except OSError as error:
        raise OutputsUnwritable(
            f"cannot keep the host key in {file}: {error.strerror}",
            hint="make that folder writable, or name another: MGLAB_STATE_HOME=FOLDER",
        ) from None


def _address(instance: Instance) -> str:
    if not instance.public_address:
        raise ServiceUnreachable(
            f"instance {instance.instance_id} ({instance.state}) has no public address",
            hint="wait until it runs: instances.wait_running(lab, instance); one that was stopped has to be started",
        )
    return instance.public_address


def _refusal(lab: Lab, instance: Instance, error: Exception) -> LabError:
    """Say why nobody got in, and what to do about it."""
    where = f"{instance.instance_id} ({instance.public_address}, port {lab.ssh_port})"
    if isinstance(error, ConnectionRefusedError):
        return ServiceUnreachable(
            f"{where} refuses SSH connections", hint="it may still be booting: try again in half a minute"
        )
    if isinstance(error, TimeoutError):
        return ServiceUnreachable(
            f"{where} does not answer", hint="let port 22 in (security.allow), and look at the route and its state"
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return LoginRefused(
            f"{where} does not accept the key {private_key_file(lab)}",
            hint="it was launched with another key pair or with none: launch one from the template, or give its key",
        )
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return LoginRefused(
            f"{where} shows another host key than before: it may be another machine",
            hint=f"if you know why, take the line of {instance.instance_id} out of {known_hosts_file(lab)}",
        )
    return _broken(instance, error)


def _broken(instance: Instance, error: Exception) -> LabError:
    return ServiceUnreachable(
        f"the SSH connection to {instance.instance_id} failed: {str(error) or type(error).__name__}",
        hint="look whether the instance still runs, then try again",
    )


def from_a_cell(work: Coroutine[Any, Any, T]) -> T:
    """Do asyncio work and wait for it, also where a loop runs already, as in a notebook."""
    with ThreadPoolExecutor(1, thread_name_prefix="ssh") as thread:
        return thread.submit(asyncio.run, work).result()
