"""One SSH connection: who may log in, and what a login is given. Loads asyncssh.

As on Amazon Linux: a user gets in by a key that the instance's own ``authorized_keys`` names, and by nothing
else; root's says who to log in as. A command or shell becomes a process below the instance's init
(``inside/sessions.py``), over pipes or a terminal of its own. scp and sftp see the instance's tree as its root,
and links are followed as after chroot.

Left out: forwarding of ports, agents and X11, and the variables that a client would set.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import posixpath
import signal
import socket
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import asyncssh

from mglab.localcloud.machines.inside.paths import inside, within
from mglab.localcloud.machines.sshkeys import AUTHORIZED_KEYS, HOST_KEY
from mglab.localcloud.wires.sshd import Host, StartSession

NOT_STARTED = 255
"""The exit status of what could not be started; also ssh's own for a connection that failed."""
HOME = b"/home/ec2-user"

logging.getLogger("asyncssh").setLevel(logging.WARNING)


async def serve(host: Host, connection: socket.socket, start_session: StartSession) -> None:
    """Speak SSH over an accepted connection until it ends; cancelled, end it."""
    root = str(host.root)
    client = connection.dup()  # asyncssh owns the other; this one can hang up at any stage
    try:
        login = await asyncssh.run_server(
            connection,
            server_factory=lambda: Login(root),
            server_host_keys=[inside(root, HOST_KEY)],
            process_factory=partial(_run, host, start_session),
            sftp_factory=partial(Files, root),
            allow_scp=True,
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
            password_auth=False,
            kbdint_auth=False,
            gss_host=None,
        )
        await login.wait_closed()
    except (OSError, asyncssh.Error):
        return  # a client that went away or was not let in
    finally:
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()


class Login(asyncssh.SSHServer):
    """Lets in whoever holds a key that the instance's own files name."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Note the connection."""
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        """Read the user's authorized keys as they are now; a user without any is asked for one all the same."""
        path = AUTHORIZED_KEYS.get(username)
        # no such file, or no key in it that can be read: nobody gets in
        with contextlib.suppress(OSError, ValueError):
            if path is not None and self._connection is not None:
                self._connection.set_authorized_keys(inside(self._root, path))
        return True

    def public_key_auth_supported(self) -> bool:
        """Say that keys are the way in."""
        return True


# -- commands and shells ---------------------------------------------------------------------------------------


async def _run(host: Host, start_session: StartSession, process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Have the instance run what the client asks for, and pass on its streams and its end."""
    on_terminal = process.term_type is not None
    ours, theirs = _terminal() if on_terminal else _pipes()
    status, told = os.pipe()
    try:
        start_session(host.instance_id, _request(host, process), [*theirs, told])
    except OSError as failure:
        for descriptor in (*ours, status):
            os.close(descriptor)
        process.stderr.write(f"{host.instance_id} cannot start that: {failure.strerror}\r\n".encode())
        process.exit(NOT_STARTED)
        return
    finally:
        for descriptor in {*theirs, told}:
            os.close(descriptor)
    stdin, stdout, *stderr = ours
    await process.redirect(stdin, stdout, stderr[0] if stderr else None)
    ended = await _read(status)
    await process.stdout.drain()
    await process.stderr.drain()
    _tell(process, ended)
    await process.wait_closed()


def _request(host: Host, process: asyncssh.SSHServerProcess[bytes]) -> bytes:
    client, port = process.get_extra_info("peername")[:2]
    variables = {
        "SSH_CLIENT": f"{client} {port} {host.port}",
        "SSH_CONNECTION": f"{client} {port} {host.private_address} {host.port}",
    }
    if process.term_type is not None:
        variables["TERM"] = process.term_type
    asked = {
        "user": process.get_extra_info("username"),
        "command": process.command,
        "on_terminal": process.term_type is not None,
        "variables": variables,
    }
    return json.dumps(asked).encode()


def _pipes() -> tuple[list[int], list[int]]:
    """Make three pipes: our ends (written to, read, read) and the program's."""
    (theirs_in, ours_in), (ours_out, theirs_out), (ours_err, theirs_err) = os.pipe(), os.pipe(), os.pipe()
    return [ours_in, ours_out, ours_err], [theirs_in, theirs_out, theirs_err]


def _terminal() -> tuple[list[int], list[int]]:
    """Make a terminal: our side twice (written to, read), and the program's for all three of its streams."""
    ours, theirs = os.openpty()
    return [os.dup(ours), ours], [theirs] * 3


async def _read(descriptor: int) -> bytes:
    """Wait until a pipe has been written to or closed, and read it; the loop keeps whoever waits here alive."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
        return os.read(descriptor, 64)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _tell(process: asyncssh.SSHServerProcess[bytes], ended: bytes) -> None:
    """Tell the client how its program ended; nothing is known of one whose init was killed."""
    status = int(ended or str(NOT_STARTED))
    if status >= 0:
        process.exit(status)
    else:
        process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))


# -- files -----------------------------------------------------------------------------------------------------


class Files(asyncssh.SFTPServer):
    """The instance's tree for sftp and scp: ``/`` is its root, a relative path starts in ec2-user's home."""

    def __init__(self, root: str, channel: asyncssh.SSHServerChannel[Any]) -> None:
        super().__init__(channel, chroot=os.fsencode(root))
        self._root = root

    def map_path(self, path: bytes) -> bytes:
        """Give the host path: every link but the last name's is followed inside the tree."""
        folder, name = posixpath.split(posixpath.join(HOME, path))
        if name in (b"", b".", b".."):
            return os.fsencode(inside(self._root, os.fsdecode(posixpath.join(folder, name))))
        return posixpath.join(os.fsencode(inside(self._root, os.fsdecode(folder))), name)

    def realpath(self, path: bytes) -> bytes:
        """Give the absolute path in the instance, without links."""
        whole = os.fsdecode(posixpath.join(HOME, path))
        return os.fsencode(within(self._root, inside(self._root, whole)))

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Open a file; a link leads on inside the tree."""
        return super().open(self.realpath(path), pflags, attrs)

    def stat(self, path: bytes) -> Any:
        """Describe a file; a link leads on inside the tree."""
        return super().stat(self.realpath(path))

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
        """Change a file's attributes; a link leads on inside the tree."""
        return super().setstat(self.realpath(path), attrs)

    def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """List a folder; a link leads on inside the tree."""
        return super().scandir(self.realpath(path))

    def statvfs(self, path: bytes) -> Any:
        """Describe the file system; a link leads on inside the tree."""
        return super().statvfs(self.realpath(path))

    def exit(self) -> None:
        """End an sftp session with status 0, which scp waits for; the old scp protocol gives its own."""
        if self.channel.get_subsystem() is not None:
            self.channel.exit(0)

    def format_user(self, uid: int | None) -> str:
        """Name the one user to whom everything belongs."""
        return "ec2-user"

    def format_group(self, gid: int | None) -> str:
        """Name that user's group."""
        return "ec2-user"
