"""Python programs of an instance have its network, unmodified; a client outside only gets the cloud's names."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from mglab.localcloud.machines.running import SHIM
from tests.local.machinery import Resolver, ask, next_block, resolver, until

BALANCER = "mglb-50dc6c495c0c9188.elb.us-east-1.amazonaws.com"


class Net:
    """Two instances' worth of environment, and what the resolver knows."""

    def __init__(self, folder: Path, answering: Resolver, block: int) -> None:
        self.folder = folder
        self.resolver = answering
        self.one, self.two = f"127.190.{block}.1", f"127.190.{block}.2"

    def environment(self, number: int | None) -> dict[str, str]:
        outside = {"PYTHONPATH": str(SHIM), "MGLAB_RESOLVER": str(self.folder / "r"), "PATH": os.defpath}
        if number is None:
            return outside
        return outside | {
            "MGLAB_BIND": self.one if number == 1 else self.two,
            "MGLAB_PRIVATE": f"192.168.0.{number}",
            "MGLAB_HOST": f"ip-192-168-0-{number}",
            "MGLAB_VPC": "vpc-1",
        }

    def run(self, number: int | None, program: str, **more: str) -> str:
        """Run a program inside an instance (None: outside) and give what it printed."""
        words = [sys.executable, "-c", textwrap.dedent(program)]
        environment = self.environment(number) | more
        done = subprocess.run(words, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextlib.contextmanager
    def serving(self, number: int, program: str, *words: str) -> Iterator[None]:
        """Run a server inside an instance until the test is done with it."""
        command = [sys.executable, *(words or ("-c", textwrap.dedent(program)))]
        with subprocess.Popen(command, env=self.environment(number), cwd=self.folder, stderr=subprocess.PIPE) as server:
            try:
                yield
            finally:
                server.kill()


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    block = next_block()
    one, two = f"127.190.{block}.1", f"127.190.{block}.2"
    table = {
        "TO vpc-1 192.168.0.1": [one],
        "TO vpc-1 192.168.0.2": [two],
        f"SEEN {one}": ["192.168.0.1"],
        f"SEEN {two}": ["192.168.0.2"],
        f"A {BALANCER}": [f"{two} 60", f"{one} 60"],
        "A ec2-44-204-116-160.compute-1.amazonaws.com": [f"{two} 60"],
    }
    with resolver(tmp_path / "r", table) as answering:
        yield Net(tmp_path, answering, block)


WHO = """\
import socket, sys
server = socket.socket({family})
server.bind({address})
server.listen(5)
while True:
    client, caller = server.accept()
    with client:
        client.recv(100)
        said = [server.getsockname()[0], client.getsockname()[0], caller[0], client.getpeername()[0]]
        client.sendall((" ".join(said) + "\\n").encode())
"""


@pytest.mark.parametrize("host", ["", "0.0.0.0", "192.168.0.1", "ip-192-168-0-1"])
def test_every_way_to_listen_everywhere_is_the_instances_own_address(net: Net, host: str) -> None:
    with net.serving(1, WHO.format(family="", address=(host, 5000))):
        until(lambda: ask(net.one), "it answers")
        assert ask(net.one) == "192.168.0.1 192.168.0.1 127.0.0.1 127.0.0.1"
        assert ask(net.two) == ""


def test_a_socket_for_both_families_too(net: Net) -> None:
    with net.serving(1, WHO.format(family="socket.AF_INET6", address=("::", 5000))):
        until(lambda: ask(net.one), "it answers")
        assert ask(net.one).split()[:2] == ["::ffff:192.168.0.1", "::ffff:192.168.0.1"]


@pytest.mark.parametrize(
    "program",
    [
        """
        import socketserver
        class Who(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write((self.server.server_address[0] + " " + self.client_address[0] + "\\n").encode())
        socketserver.TCPServer(("", 5000), Who).serve_forever()
        """,
        """
        import asyncio
        async def who(reader, writer):
            ours, theirs = writer.get_extra_info("sockname")[0], writer.get_extra_info("peername")[0]
            writer.write(f"{ours} {theirs}\\n".encode())
            writer.close()
        async def main():
            server = await asyncio.start_server(who, None, 5000)
            await server.serve_forever()
        asyncio.run(main())
        """,
    ],
    ids=["socketserver", "asyncio"],
)
def test_servers_of_the_library_are_confined(net: Net, program: str) -> None:
    with net.serving(1, program), net.serving(2, program):
        until(lambda: ask(net.one) and ask(net.two), "both listen on the same port")
        said = net.run(2, "import socket; print(socket.create_connection(('192.168.0.1', 5000)).makefile().readline())")
        assert said == "192.168.0.1 192.168.0.2"


def test_http_server_is_confined(net: Net) -> None:
    (net.folder / "page").write_text("hello")
    with net.serving(1, "", "-m", "http.server", "5000"):
        until(lambda: ask(net.one, "GET /page HTTP/1.0\r\n"), "it answers")
        fetch = "import urllib.request as u; print(u.urlopen('http://ip-192-168-0-1.ec2.internal:5000/page').read())"
        assert net.run(2, fetch) == "b'hello'"


def test_the_host_is_the_instance(net: Net) -> None:
    said = net.run(
        1,
        """
        import os, platform, socket
        print(socket.gethostname(), os.uname().nodename, platform.node(), socket.getfqdn())
        print(socket.gethostbyname(socket.gethostname()), socket.gethostbyname(socket.getfqdn()))
        """,
    )
    assert said.split() == ["ip-192-168-0-1"] * 3 + ["ip-192-168-0-1.ec2.internal"] + ["192.168.0.1"] * 2


def test_instances_see_each_others_private_addresses(net: Net) -> None:
    with net.serving(1, WHO.format(family="", address=("", 5000))):
        until(lambda: ask(net.one), "it answers")
        said = net.run(
            2,
            """
            import socket
            for host in ("192.168.0.1", "ip-192-168-0-1", b"192.168.0.1"):
                client = socket.socket()
                client.connect((host, 5000))
                print(client.getpeername()[0], client.getsockname()[0])
                client.sendall(b"x")
                print(client.makefile().readline())
            """,
        )
    assert said.splitlines()[0] == "192.168.0.1 192.168.0.2"
    assert set(said.split()[2:6]) == {"192.168.0.1", "192.168.0.2"}
    assert said.count("192.168.0.1 192.168.0.1 192.168.0.2 192.168.0.2") == 3


def test_localhost_is_the_instance_wherever_its_service_listens(net: Net) -> None:
    dial = "import socket; s = socket.create_connection(('localhost', 5000)); s.send(b'x'); print(s.recv(99).decode())"
    with net.serving(1, WHO.format(family="", address=("", 5000))):
        until(lambda: ask(net.one), "it answers")
        assert net.run(1, dial).startswith("192.168.0.1 ")


@pytest.mark.parametrize("address", ["192.168.0.99", "10.1.2.3", "172.31.0.5"])
def test_an_unknown_private_address_has_no_route_and_is_never_dialled(net: Net, address: str) -> None:
    program = f"""
    import errno, socket
    try:
        socket.create_connection(("{address}", 5000), 5)
    except OSError as error:
        print(errno.errorcode[error.errno], socket.socket().connect_ex(("{address}", 5000)) == error.errno)
    """
    assert net.run(1, program) == "EHOSTUNREACH True"
    assert f"TO vpc-1 {address}" in net.resolver.asked


@pytest.mark.parametrize("number", [1, None], ids=["inside", "outside"])
def test_the_clouds_names_resolve_and_unknown_ones_do_not(net: Net, number: int | None) -> None:
    program = f"""
    import socket
    print(*sorted(set(entry[4][0] for entry in socket.getaddrinfo("{BALANCER}", 5000))))
    print(socket.gethostbyname("EC2-44-204-116-160.compute-1.amazonaws.com."))
    print(len(socket.gethostbyname_ex("{BALANCER}")[2]))
    for name in ("none-1.elb.us-east-1.amazonaws.com", "ec2-1-2-3-4.compute-1.amazonaws.com", "ip-192-168-0-9"):
        try:
            print(socket.getaddrinfo(name, 80))
        except socket.gaierror as error:
            print(error.errno == socket.EAI_NONAME)
    """
    table = net.resolver.table
    table["A ec2-44-204-116-160.compute-1.amazonaws.com"] = [f"{net.two} 60"]
    assert net.run(number, program).split() == [net.one, net.two, net.two, "2", "True", "True", "True"]


def test_a_client_outside_reaches_the_balancer_by_name_and_is_else_untouched(net: Net) -> None:
    with net.serving(2, WHO.format(family="", address=("", 5000))):
        until(lambda: ask(net.two), "it answers")
        said = net.run(
            None,
            f"""
            import socket
            client = socket.socket()
            client.connect(("{BALANCER}", 5000))
            print(client.getpeername()[0], socket.gethostname())
            server = socket.create_server(("", 0))
            print(server.getsockname()[0], socket.gethostbyname("localhost"))
            """,
        )
    assert said.split() == [net.two, socket.gethostname(), "0.0.0.0", "127.0.0.1"]


def test_without_a_resolver_names_of_the_cloud_do_not_resolve_and_nothing_hangs(net: Net) -> None:
    program = f"""
    import socket
    try:
        socket.create_connection(("{BALANCER}", 5000))
    except socket.gaierror as error:
        print("no such name")
    """
    assert net.run(None, program, MGLAB_RESOLVER=str(net.folder / "none")) == "no such name"


def test_a_program_started_by_a_program_is_confined_too(net: Net) -> None:
    child = "import socket; print(socket.gethostname())"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    assert net.run(1, program) == "ip-192-168-0-1"


def test_a_sitecustomize_that_is_hidden_runs_and_without_the_variable_nothing_is_loaded(net: Net) -> None:
    hidden = net.folder / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import builtins; builtins.hidden_ran = True\n")
    path = f"{SHIM}:{hidden}"
    assert net.run(1, "print(hidden_ran)", PYTHONPATH=path) == "True"
    program = "import sys; print(hidden_ran, 'mglab_network' in sys.modules, 'socket' in sys.modules)"
    assert net.run(None, program, PYTHONPATH=path, MGLAB_RESOLVER="") == "True False False"
