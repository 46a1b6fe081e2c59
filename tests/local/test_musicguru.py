"""MusicGuruServer.py and run.sh as real processes: what clients get, and that no client holds up another."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SERVERS = Path(__file__).parents[2] / "servers"
BOUND_S = 30.0
REPLY = re.compile(rb"In 2004 the number \d+\. song was .+ - .+ \(127\.0\.0\.1\)\n")


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + BOUND_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def listening_port(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline().split()[-1])


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    command = [sys.executable, str(SERVERS / "MusicGuruServer.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        yield listening_port(process)
        process.terminate()
        assert process.wait(BOUND_S) == 0


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), BOUND_S)


def asked(port: int, line: bytes) -> bytes:
    with connect(port) as client:
        client.sendall(line)
        return read_all(client)


def read_all(client: socket.socket) -> bytes:
    said = b""
    while piece := client.recv(4096):
        said += piece
    return said


def test_a_line_in_a_line_out_and_the_connection_closes(port: int) -> None:
    assert REPLY.fullmatch(asked(port, b"2004\n"))
    assert REPLY.fullmatch(asked(port, b"2004\r\n1985\r\n"))


def test_the_address_is_the_one_that_was_called(port: int) -> None:
    with socket.create_connection(("127.9.8.7", port), BOUND_S) as client:
        client.sendall(b"1999\n")
        assert read_all(client).endswith(b"(127.9.8.7)\n")


def test_different_songs_of_a_year_come(port: int) -> None:
    assert len({asked(port, b"2004\n") for _ in range(40)}) > 3


@pytest.mark.parametrize("line", [b"1949\n", b"hello\n", b"\n", bytes(range(128, 256)) + b"\n", b"\0\0\0\0\n"])
def test_a_bad_year_gets_one_line(port: int, line: bytes) -> None:
    said = asked(port, line)
    assert said.startswith(b"Sorry, ") and said.count(b"\n") == 1


def test_an_oversized_line_gets_one_line_though_the_client_goes_on_sending(port: int) -> None:
    said = asked(port, b"9" * 3000)
    assert said.startswith(b"Sorry, '99999999999999999999'...") and said.count(b"\n") == 1


def test_a_year_without_a_newline_is_answered_when_the_client_ends_sending(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"2004")
        client.shutdown(socket.SHUT_WR)
        assert REPLY.fullmatch(read_all(client))


def test_a_slow_line_is_put_together(port: int) -> None:
    with connect(port) as client:
        for piece in (b"2", b"00", b"4", b"\n"):
            client.sendall(piece)
            time.sleep(0.02)
        assert REPLY.fullmatch(read_all(client))


def test_silent_and_half_open_clients_hold_up_nobody(port: int) -> None:
    silent = [connect(port) for _ in range(50)]
    half = connect(port)
    half.sendall(b"20")
    try:
        assert REPLY.fullmatch(asked(port, b"2004\n"))
    finally:
        for client in (*silent, half):
            client.close()


def test_a_client_that_resets_the_connection_does_no_harm(port: int) -> None:
    client = connect(port)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client.sendall(b"2004\n")
    client.close()
    assert REPLY.fullmatch(asked(port, b"2004\n"))


def test_a_health_probe_gets_nothing_and_does_no_harm(port: int) -> None:
    with connect(port) as probe:
        probe.shutdown(socket.SHUT_WR)
        assert read_all(probe) == b""


def test_a_silent_client_is_let_go_after_a_while(tmp_path: Path) -> None:
    program = "import MusicGuruServer as server; server.READ_TIMEOUT_S = 0.2; server.main(['--port', '0'])"
    environment = {**os.environ, "PYTHONPATH": str(SERVERS)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as process:
        with connect(listening_port(process)) as client:
            client.sendall(b"20")
            assert read_all(client) == b"Sorry, no year came within 0.2 seconds (127.0.0.1)\n"
        process.terminate()


def test_a_port_in_use_is_one_clear_line(port: int) -> None:
    command = [sys.executable, str(SERVERS / "MusicGuruServer.py"), "--port", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert done.returncode == 1 and "address already in use" in done.stderr and "Traceback" not in done.stderr


# -- run.sh ------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Give an instance's home: a copy of servers/ whose processes end with the test."""
    folder = tmp_path / "ec2-user"
    shutil.copytree(SERVERS, folder, ignore=shutil.ignore_patterns("*.log", "*.pid", "__pycache__"))
    yield folder
    for pid in running(folder):
        os.kill(pid, signal.SIGKILL)


def running(folder: Path) -> list[int]:
    """Find the processes whose command line names a program of the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if any(word.startswith(str(folder).encode()) and word.endswith(b".py") for word in words):
                found.append(int(entry.name))
    return found


def boot(folder: Path, port: int) -> None:
    environment = {**os.environ, "MUSICGURU_PORT": str(port), "HEALTHCHECK_PORT": str(port + 1)}
    subprocess.run(["sh", str(folder / "run.sh")], cwd="/", env=environment, check=True, timeout=BOUND_S)


def accepts(port: int) -> bool:
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return False
    return True


def two_free_ports() -> int:
    for port in range(23000, 32000, 2):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no two free ports")


def test_run_sh_starts_both_and_a_second_time_replaces_both(home: Path) -> None:
    port = two_free_ports()
    boot(home, port)
    until(lambda: accepts(port) and accepts(port + 1))
    first = running(home)
    assert len(first) == 2
    boot(home, port)
    until(lambda: accepts(port) and accepts(port + 1))
    second = running(home)
    assert len(second) == 2 and not set(first) & set(second)
    assert REPLY.fullmatch(asked(port, b"2004\n"))


def test_run_sh_leaves_alone_a_process_that_a_stale_pid_file_names(home: Path) -> None:
    port = two_free_ports()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (home / "MusicGuruServer.pid").write_text(str(bystander.pid))
        (home / "HealthCheck.pid").write_text("not a number")
        boot(home, port)
        until(lambda: accepts(port) and accepts(port + 1))
        assert bystander.poll() is None
        bystander.kill()
