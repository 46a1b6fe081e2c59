"""Is a port open? A transcript that reads as telnet's, from a real connection (Preliminary, "Test it").

Four things can happen to a client that says nothing: the server closes (the health check does just that),
the server keeps silent (a service that waits for a request), the connection is refused (the host is there,
nothing listens), or nothing answers (a security group or a missing route drops the packets: aws-facts 1.3).
Real sockets take wall time: the time-outs here are wall seconds on either backend.
"""

from __future__ import annotations

import html
import socket
from dataclasses import dataclass, field

from mglab import waits
from mglab.display import column
from mglab.session import Lab
from mglab.steps.ensure import Record

CONNECT_TIMEOUT_WALL_S = 5.0
QUICK_TIMEOUT_WALL_S = 1.0
PATIENT_LOOK_S = 10.0
SILENCE_WALL_S = 2.0
PORT_TIMEOUT_S = 600.0
_OUTCOMES = {
    "closed by the server": "Connection closed by foreign host.",
    "reset": "Connection reset by peer.",
    "refused": "telnet: Unable to connect to remote host: Connection refused",
    "timed out": "telnet: Unable to connect to remote host: Connection timed out",
    "unreachable": "telnet: Unable to connect to remote host: Network is unreachable",
    "unresolved": "telnet: could not resolve {host}/{port}: Name or service not known",
    "kept open": "(still open, nothing sent; we hung up)",
}


@dataclass(frozen=True)
class Transcript(Record):
    """What telnet would have shown, and the outcome in a word or three."""

    host: str = field(metadata=column("Host"))
    port: int = field(metadata=column("Port", "number"))
    address: str = field(metadata=column("Address", "address"))
    outcome: str = field(metadata=column("Outcome"))
    text: str = field(metadata=column("Transcript"))

    def __str__(self) -> str:
        return self.text

    @property
    def is_open(self) -> bool:
        """Say whether the connection was made."""
        return self.outcome in ("closed by the server", "kept open", "reset")

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text)}</pre>"

    def _repr_markdown_(self) -> str:
        return f"```\n{self.text}\n```"


def telnet(lab: Lab, host: str, port: int, *, timeout_wall_s: float = CONNECT_TIMEOUT_WALL_S) -> Transcript:
    """Connect, say nothing, and see what happens; the transcript reads as telnet's."""
    addresses = lab.resolve(host)
    if not addresses:
        return _transcript(host, port, "", "unresolved")
    try:
        with socket.create_connection((addresses[0], port), timeout=timeout_wall_s) as wire:
            return _transcript(host, port, addresses[0], _farewell(wire))
    except ConnectionRefusedError:
        outcome = "refused"
    except ConnectionResetError:
        outcome = "reset"  # whoever listened closed the port with us in its queue
    except TimeoutError:
        outcome = "timed out"
    except OSError:
        outcome = "unreachable"
    return _transcript(host, port, addresses[0], outcome)


def wait_port(lab: Lab, host: str, port: int, *, timeout_s: float = PORT_TIMEOUT_S) -> waits.Wait:
    """Wait until the port accepts connections."""
    return waits.until(
        lab,
        look=lambda: "open" if _accepts(lab, host, port) else "closed",
        is_done=lambda state: state == "open",
        what=f"port {port} of {host}",
        timeout_s=timeout_s,
        interval_s=5.0,
        advice="look at the server's console log (images.console(lab, instance)) and at the security group",
    )


def _farewell(wire: socket.socket) -> str:
    """Listen for a while: what does the server do with a client that says nothing?"""
    wire.settimeout(SILENCE_WALL_S)
    try:
        while wire.recv(4096):
            pass
    except TimeoutError:
        return "kept open"
    except ConnectionResetError:
        return "reset"
    return "closed by the server"


def _accepts(lab: Lab, host: str, port: int) -> bool:
    """Try once: for ten lab seconds, though never less than one wall second."""
    timeout_wall_s = max(QUICK_TIMEOUT_WALL_S, lab.clock.wall_seconds(PATIENT_LOOK_S))
    for address in lab.resolve(host)[:1]:
        try:
            socket.create_connection((address, port), timeout=timeout_wall_s).close()
        except OSError:
            return False
        return True
    return False


def _transcript(host: str, port: int, address: str, outcome: str) -> Transcript:
    lines = [f"$ telnet {host} {port}"]
    if address:
        lines.append(f"Trying {address}...")
    if outcome in ("closed by the server", "kept open", "reset"):
        lines += [f"Connected to {host}.", "Escape character is '^]'."]
    lines.append(_OUTCOMES[outcome].format(host=host, port=port))
    return Transcript(host, port, address, outcome, "\n".join(lines))
