"""The network that a Python program of an instance sees, made of the ordinary socket module.

Inside an instance (``MGLAB_BIND``, ``MGLAB_PRIVATE``, ``MGLAB_HOST``, ``MGLAB_VPC``, ``MGLAB_RESOLVER``):

* listening on "", 0.0.0.0, :: or the private address means the instance's own loopback address;
* addresses read back are private ones: its own, and those of other instances and of balancer nodes;
* its host name is ``MGLAB_HOST``; dialling localhost reaches the instance's own services;
* private addresses are dialled where the cloud says; one that it does not know has no route. So a program
  never reaches a real 10.x, 172.16.x or 192.168.x host.

Outside, with ``MGLAB_RESOLVER`` alone, names of load balancers and instances resolve and nothing else
changes. Everything is asked of the cloud's resolver, a unix socket. Methods of ``socket.socket`` are replaced
in place, so asyncio, socketserver, http.server and ssl are confined too. Python 3.7 and later.
"""

from __future__ import annotations

import _socket
import errno
import os
import re
import socket
import time

TYPE_CHECKING = False  # importing typing would cost every start of Python some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

BIND = os.environ.get("MGLAB_BIND", "")
PRIVATE = os.environ.get("MGLAB_PRIVATE", "")
HOST = os.environ.get("MGLAB_HOST", "")
VPC = os.environ.get("MGLAB_VPC", "")
RESOLVER = os.environ.get("MGLAB_RESOLVER", "")
FULL_NAME = HOST if "." in HOST else HOST + ".ec2.internal"
OWN_NAMES = (HOST.lower(), FULL_NAME.lower()) if HOST else ()

# names as AWS gives them (aws-facts 1.1, 3.4)
CLOUD_NAME = re.compile(
    r"(?:.+\.elb\.[a-z0-9-]+\.amazonaws\.com|ec2(?:-\d+){4}\.(?:compute-1|[a-z0-9-]+\.compute)\.amazonaws\.com"
    r"|(?P<private>ip(?:-\d+){4})(?:\.ec2\.internal|\.[a-z0-9-]+\.compute\.internal)?)\.?",
    re.IGNORECASE,
)
PRIVATE_NETWORK = re.compile(r"(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d")
ANYWHERE = ("", "0.0.0.0", "::", "<any>")
LOCALHOST = ("localhost", "127.0.0.1", "::1")
MAPPED = "::ffff:"
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; Python has the name from 3.12 only
ASK_TIMEOUT_S = 2.0
REMEMBER_S = 2.0
UNKNOWN_NAME = (socket.EAI_NONAME, "Name or service not known")

METHODS = ("bind", "connect", "connect_ex", "accept", "sendto", "recvfrom", "getsockname", "getpeername")
original = {name: getattr(socket.socket, name) for name in METHODS}
resolve = {
    name: getattr(socket, name) for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")
}
system = os.uname
remembered: dict[str, tuple[str, float]] = {}


def install() -> None:
    """Replace what a client needs (names), and inside an instance what a server needs (addresses)."""
    _put(socket, (getaddrinfo, gethostbyname, gethostbyname_ex))
    _put(socket.socket, (connect, connect_ex))
    if BIND:
        _put(socket, (gethostname, gethostbyaddr))
        _put(socket.socket, (bind, accept, sendto, recvfrom, getsockname, getpeername))
        _put(os, (uname,))


def _put(holder: Any, functions: Iterable[Callable[..., Any]]) -> None:
    for function in functions:
        setattr(holder, function.__name__, function)


# --- names


def ask(question: str) -> list[str]:
    """Ask the cloud's resolver; no answer, or no cloud, is an empty list."""
    asking = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    asking.settimeout(ASK_TIMEOUT_S)
    answer = b""
    try:
        asking.connect(RESOLVER)
        asking.sendall(question.encode() + b"\n")
        while True:
            chunk = asking.recv(4096)
            if not chunk:
                return [line.split()[0] for line in answer.decode().splitlines() if line.strip()]
            answer += chunk
    except OSError:
        return []
    finally:
        asking.close()


def look_up(name: object) -> list[str] | None:
    """Give the addresses of a name that belongs to the cloud; None for any other."""
    name = _text(name).lower()
    if name in OWN_NAMES:
        return [PRIVATE]
    found = CLOUD_NAME.fullmatch(name)
    if not found:
        return None
    addresses = _neighbour(found.group("private")) or ask("A " + name.rstrip("."))
    if not addresses:
        raise socket.gaierror(*UNKNOWN_NAME)
    return addresses


def _neighbour(name: str | None) -> list[str]:
    """Give the private address that a name like ip-192-168-0-57 spells, when this VPC has it."""
    address = name[3:].replace("-", ".") if name and BIND else ""
    return [address] if address and loopback_of(address) else []


def loopback_of(private: str) -> str | None:
    """Give the loopback address that stands for a private one of this VPC; None when there is none."""
    if private == PRIVATE:
        return BIND
    return next(iter(ask(f"TO {VPC} {private}")), None)


def private_of(loopback: str) -> str:
    """Give the private address that a loopback address stands for, or itself."""
    if loopback == BIND:
        return PRIVATE
    if not loopback.startswith("127.") or loopback.startswith("127.0.0."):
        return loopback
    known, until = remembered.get(loopback, ("", 0.0))
    if time.monotonic() >= until:
        known = next(iter(ask("SEEN " + loopback)), loopback)
        remembered[loopback] = (known, time.monotonic() + REMEMBER_S)
    return known


def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:  # noqa: A002 - the library's own names
    known = look_up(host)
    if known is None:
        passive = BIND and flags & socket.AI_PASSIVE and family == 0 and _text(host) in ANYWHERE
        return resolve["getaddrinfo"](host, port, _socket.AF_INET if passive else family, type, proto, flags)
    if family not in (0, _socket.AF_INET):
        raise socket.gaierror(*UNKNOWN_NAME)
    answers = [resolve["getaddrinfo"](address, port, _socket.AF_INET, type, proto, flags) for address in known]
    return [entry for answer in answers for entry in answer]


def gethostbyname(name: Any) -> Any:
    known = look_up(name)
    return known[0] if known else resolve["gethostbyname"](name)


def gethostbyname_ex(name: Any) -> Any:
    known = look_up(name)
    return (_text(name), [], known) if known else resolve["gethostbyname_ex"](name)


def gethostbyaddr(name: Any) -> Any:
    if _text(name).lower() in OWN_NAMES or _text(name) in (PRIVATE, BIND):
        return (FULL_NAME, [HOST], [PRIVATE])
    return resolve["gethostbyaddr"](name)


def gethostname() -> str:
    return HOST


def uname() -> os.uname_result:
    real = system()
    return os.uname_result((real[0], HOST) + tuple(real)[2:])


# --- addresses


def bind(self: Any, address: Any) -> Any:
    return original["bind"](self, _listening(self, address) if _is_internet(self, address) else address)


def connect(self: Any, address: Any) -> Any:
    target = _target(self, address)
    try:
        return original["connect"](self, target)
    except ConnectionRefusedError:
        if target is address or _text(address[0]) not in LOCALHOST or self.gettimeout() == 0:
            raise
    return original["connect"](self, address)  # a service of the instance that listens on localhost only


def connect_ex(self: Any, address: Any) -> Any:
    try:
        target = _target(self, address)
    except socket.gaierror:
        raise
    except OSError as error:
        return error.errno
    return original["connect_ex"](self, target)


def sendto(self: Any, data: Any, *rest: Any) -> Any:
    return original["sendto"](self, data, *(rest[:-1] + (_target(self, rest[-1]),)))


def accept(self: Any) -> Any:
    accepted, address = original["accept"](self)
    return accepted, _shown(address)


def recvfrom(self: Any, *rest: Any) -> Any:
    data, address = original["recvfrom"](self, *rest)
    return data, _shown(address)


def getsockname(self: Any) -> Any:
    return _shown(original["getsockname"](self))


def getpeername(self: Any) -> Any:
    return _shown(original["getpeername"](self))


def _is_internet(sock: Any, address: Any) -> bool:
    internet = sock.family in (_socket.AF_INET, _socket.AF_INET6)
    return internet and isinstance(address, tuple) and len(address) >= 2


def _listening(sock: Any, address: Any) -> Any:
    """Give where a socket that asks for this address really listens."""
    name = _text(address[0]).lower()
    if name not in ANYWHERE and name != PRIVATE and name not in OWN_NAMES:
        return address
    if sock.family == _socket.AF_INET6 and sock.getsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY):
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))  # the VPC has no IPv6
    if sock.type == _socket.SOCK_STREAM:
        # connections of the boot before may linger here; on AWS a boot is a new kernel, without them
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    return _in_family(sock, BIND, address)


def _target(sock: Any, address: Any) -> Any:
    """Give where a connection really goes; it is made from the instance's own address."""
    if not _is_internet(sock, address):
        return address
    there = _dialled(_text(address[0]))
    if there is None:
        return address
    if BIND and there.startswith("127.") and original["getsockname"](sock)[1] == 0:
        sock.setsockopt(_socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        original["bind"](sock, _in_family(sock, BIND, (BIND, 0)))
    return _in_family(sock, there, address)


def _dialled(name: str) -> str | None:
    """Give the address behind a name or private address; None for what is not the cloud's; raise: no route."""
    name = name[len(MAPPED) :] if name.startswith(MAPPED) else name
    known = look_up(name)
    name = known[0] if known else name
    if BIND and (name in LOCALHOST or name in ANYWHERE):
        return BIND
    if not BIND or not PRIVATE_NETWORK.match(name):
        return name if known else None
    there = loopback_of(name)
    if there is None:
        raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    return there


def _in_family(sock: Any, there: str, address: Any) -> Any:
    """Write an IPv4 address for the socket's own family."""
    return ((MAPPED + there if sock.family == _socket.AF_INET6 else there),) + tuple(address[1:])


def _shown(address: Any) -> Any:
    """Give an address as programs are to see it."""
    if not isinstance(address, tuple) or not address or not isinstance(address[0], str):
        return address
    mapped = MAPPED if address[0].startswith(MAPPED) else ""
    return (mapped + private_of(address[0][len(mapped) :]),) + address[1:]


def _text(name: object) -> str:
    if isinstance(name, (bytes, bytearray)):
        return bytes(name).decode("ascii", "replace")
    return name if isinstance(name, str) else ""
