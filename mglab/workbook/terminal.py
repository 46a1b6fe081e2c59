"""``mglab ssh``: this terminal, or one command's streams, on an instance.

A shell is the system's own ``ssh`` with the run's key and pinned host keys; where there is none, one over
asyncssh with the terminal in raw mode. A command's standard streams are passed through as bytes, and its exit
status is ours. Nothing else is printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import asyncssh

from mglab.config import nearest
from mglab.errors import UsageError
from mglab.session import Lab
from mglab.steps import instances, shell
from mglab.steps.instances import Instance
from mglab.steps.security import private_key_file

CHUNK = 64 * 1024
BROKEN = 255
"""What ssh itself gives for a command that a signal ended, or whose end is not known."""


def find(lab: Lab, word: str) -> Instance:
    """Find the instance that a name or an id means; several of one name are told apart by their ids."""
    listed = instances.instances(lab)
    found = [it for it in listed if it.state == "running" and word in (it.name, it.instance_id)]
    if not found and word.startswith("i-"):
        found = [it for it in (instances.instance(lab, word),) if it is not None]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{len(found)} instances are named {word!r}", hint=f"give an id: {_ids(found)}")
    known = [name for it in listed for name in (it.instance_id, it.name) if name]
    hint = nearest(word, known, "instance") if known else f"run {lab.run} has none; see: python3 -m mglab status"
    raise UsageError(f"there is no running instance {word!r}", hint=hint)


def _ids(found: Iterable[Instance]) -> str:
    return ", ".join(it.instance_id for it in found)


def converse(lab: Lab, instance: Instance, command: str) -> int:
    """Give the user a shell (no command), or run the command; gives the exit code."""
    shell.private_key(lab)  # said in our words, before ssh says it in its own
    on_terminal = not command and sys.stdin.isatty()
    if on_terminal and (program := shutil.which("ssh")):
        os.execv(program, ssh_command(lab, instance))
    return asyncio.run(_converse(lab, instance, command, on_terminal))


def ssh_command(lab: Lab, instance: Instance) -> list[str]:
    """Give the command line by which the system's ``ssh`` opens a shell on the instance."""
    options = {
        "IdentitiesOnly": "yes",
        "HostKeyAlias": instance.instance_id,
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": _quoted(str(shell.known_hosts_file(lab))),
        "GlobalKnownHostsFile": os.devnull,
        "LogLevel": "ERROR",
    }
    told = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    key = str(private_key_file(lab)).replace("%", "%%")
    address = f"{shell.USER}@{instance.public_address}"
    return ["ssh", "-F", "none", "-i", key, "-p", str(lab.ssh_port), *told, address]


def _quoted(path: str) -> str:
    """Write a path as ssh's options want it: blanks in quotes, a percent sign doubled."""
    return '"' + path.replace("%", "%%") + '"'


async def _converse(lab: Lab, instance: Instance, command: str, on_terminal: bool) -> int:
    wanted = {"term_type": os.environ.get("TERM", "xterm"), "term_size": _size()} if on_terminal else {}
    async with shell.opened(lab, instance) as connection:
        process = await connection.create_process(command or None, encoding=None, **wanted)
        with _raw() if on_terminal else contextlib.nullcontext():
            if on_terminal:
                _follow_size(process)
            threading.Thread(target=_feed, args=(process, asyncio.get_running_loop()), daemon=True).start()
            await asyncio.gather(_copy(process.stdout, sys.stdout.buffer), _copy(process.stderr, sys.stderr.buffer))
            await process.wait_closed()
        status = process.returncode
    return status if status is not None and status >= 0 else BROKEN


def _feed(process: asyncssh.SSHClientProcess[bytes], loop: asyncio.AbstractEventLoop) -> None:
    """Send on what comes in at standard input: a thread, since any kind of file may be there."""

    async def send(data: bytes) -> None:
        process.stdin.write(data)
        await process.stdin.drain()

    async def end() -> None:
        process.stdin.write_eof()

    with contextlib.suppress(OSError, RuntimeError):  # the command has ended and the connection is closed
        while data := os.read(sys.stdin.fileno(), CHUNK):
            asyncio.run_coroutine_threadsafe(send(data), loop).result()
        asyncio.run_coroutine_threadsafe(end(), loop).result()


async def _copy(reader: asyncssh.SSHReader[bytes], file: BinaryIO) -> None:
    while data := await reader.read(CHUNK):
        file.write(data)
        file.flush()


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Let every key through to the other side while the block lasts."""
    before = termios.tcgetattr(sys.stdin.fileno())
    tty.setraw(sys.stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)


def _size() -> tuple[int, int]:
    columns, lines = shutil.get_terminal_size()
    return columns, lines


def _follow_size(process: asyncssh.SSHClientProcess[bytes]) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, lambda: process.change_terminal_size(*_size()))
