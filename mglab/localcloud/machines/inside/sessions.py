"""Programs that somebody from outside starts in the instance: an SSH login, a command given to ``ssh``.

The server is the data plane's, but the program has to be the instance's: below its init, so that it counts in
its CPU time and ends with it. So the server sends the init a request, with the descriptors that the program
is to have, over a socket that only the two of them hold; the init starts it and, having reaped it, writes its
exit status (as ``waitstatus_to_exitcode`` gives it) to the last of those descriptors.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import termios
from collections.abc import Callable
from typing import Any, NamedTuple

from mglab.localcloud.machines.inside.paths import inside
from mglab.localcloud.machines.inside.standins import HOMES

STREAMS = 3
DESCRIPTORS = STREAMS + 1
"""Standard input, output and error, and where the exit status goes."""
MOST_BYTES = 256 * 1024


class Session(NamedTuple):
    """Who logs in, and what for."""

    user: str
    command: str | None
    """A command line for the user's shell; None: the shell itself."""
    on_terminal: bool
    variables: dict[str, str]
    """TERM and what tells where the client is."""


def receive(control: socket.socket) -> tuple[Session, list[int]] | None:
    """Take the next request from the server's socket; None when the server is gone."""
    content, descriptors, _, _ = socket.recv_fds(control, MOST_BYTES, DESCRIPTORS)
    for descriptor in descriptors:  # recv_fds takes flags and drops them
        os.set_inheritable(descriptor, False)
    return (Session(**json.loads(content)), descriptors) if content else None


def start(session: Session, descriptors: list[int], values: dict[str, Any], forget_signals: Callable[[], None]) -> int:
    """Start the session's program in a session of its own; give its process id."""
    pid = os.fork()
    if pid == 0:
        try:
            forget_signals()
            _become(session, descriptors, values)
        finally:
            os._exit(127)
    return pid


def _become(session: Session, descriptors: list[int], values: dict[str, Any]) -> None:
    os.setsid()
    for number, descriptor in enumerate(descriptors[:STREAMS]):
        os.dup2(descriptor, number)
    if session.on_terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    root, home = values["root"], inside(values["root"], HOMES[session.user])
    environment = {**values["environment"], "HOME": home, "USER": session.user, "LOGNAME": session.user}
    os.chdir(home if os.path.isdir(home) else root)
    shell = f"{values['commands']}/bash"
    arguments = [] if session.command is None else ["-c", session.command]
    os.execve(shell, [shell, *arguments], {**environment, **session.variables})
