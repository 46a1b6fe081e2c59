"""The cloud's own control channel: how ``mglab cloud set`` reaches a supervisor that runs.

It is no AWS API: a Unix socket, in a folder that only the owner may enter, 0600 itself; the kernel says whose program
connects. One line of JSON each way: a list of words in, the cloud's state or a refusal out.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mglab.errors import CloudUnavailable, UsageError

log = logging.getLogger(__name__)

PATIENCE_S = 30.0
MOST_BYTES = 65536
_PEER = "3i"
"""struct ucred of unix(7): process, user, group."""

Handle = Callable[[Sequence[str]], dict[str, Any]]


class Channel:
    """The listening end, answering in a thread of its own until it is closed."""

    def __init__(self, path: Path, handle: Handle) -> None:
        self._handle = handle
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(os.fspath(path))
        path.chmod(0o600)
        self._listener.listen()
        threading.Thread(target=self._serve, name="control", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            with wire, contextlib.suppress(OSError):
                wire.settimeout(PATIENCE_S)
                if _is_mine(wire):
                    wire.sendall(json.dumps(self._answer(_line(wire))).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"state": self._handle([str(word) for word in json.loads(line)])}
        except UsageError as error:
            return {"message": error.message, "hint": error.hint}
        except ValueError:
            return {"message": "the words cannot be read", "hint": "send a JSON list of NAME=VALUE"}
        except Exception:
            log.exception("the cloud could not be set")
            return {}


def ask(path: str, words: Sequence[str]) -> dict[str, Any]:
    """Have a running cloud set these words; give its state. Raises UsageError with its words when it refuses."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(PATIENCE_S)
            wire.connect(path)
            wire.sendall(json.dumps(list(words)).encode() + b"\n")
            answer = json.loads(_line(wire))
    except (OSError, ValueError) as error:
        hint = "look whether it still runs: mglab cloud status"
        raise CloudUnavailable(f"the cloud's control channel does not answer: {error}", hint=hint) from None
    if "message" in answer:
        raise UsageError(answer["message"], hint=answer["hint"])
    if "state" not in answer:
        raise CloudUnavailable("the cloud could not be set", hint="its log says why: log/control.log in its folder")
    state: dict[str, Any] = answer["state"]
    return state


def _line(wire: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < MOST_BYTES and (piece := wire.recv(4096)):
        line += piece
    return line


def _is_mine(wire: socket.socket) -> bool:
    peer = wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_PEER))
    _, user, _ = struct.unpack(_PEER, peer)
    return bool(user == os.getuid())
