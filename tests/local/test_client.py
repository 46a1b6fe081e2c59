"""MusicGuruClient.py as the sheet uses it, and what it says when there is no answer."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "servers" / "MusicGuruClient.py"
BOUND_S = 60.0
SONG = "In {} the number 7. song was Float On - Modest Mouse (192.168.0.57)\n"


def client(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)


@contextmanager
def serving(act: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve each connection by ``act`` until the test is over; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def loop() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    act(connection)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(BOUND_S)


def a_song(connection: socket.socket) -> None:
    year = connection.recv(100).decode().strip()
    for piece in re.findall(".{1,7}|\n", SONG.format(year)):
        connection.sendall(piece.encode())


def test_a_year_is_sent_and_the_reply_printed() -> None:
    with serving(a_song) as port:
        done = client("127.0.0.1", port, 2004)
    assert (done.returncode, done.stdout, done.stderr) == (0, SONG.format(2004), "")


def test_a_year_out_of_range_becomes_a_random_one_and_it_says_so() -> None:
    with serving(a_song) as port:
        done = client("127.0.0.1", port, 0)
    told, reply = done.stdout.splitlines()
    match = re.fullmatch(r"Specified year out of range \(1950-2009\), using random date instead: (\d{4})", told)
    assert match and 1950 <= int(match[1]) <= 2009
    assert reply + "\n" == SONG.format(match[1])


def silent(connection: socket.socket) -> None:
    connection.recv(100)
    connection.recv(1)


@pytest.mark.parametrize(
    ("act", "code", "says"),
    [(lambda connection: None, 6, "did not answer"), (silent, 5, "timed out")],
    ids=["closed without a word", "silent"],
)
def test_no_answer_is_one_line_and_an_exit_code(act: Callable[[socket.socket], None], code: int, says: str) -> None:
    with serving(act) as port:
        done = client("127.0.0.1", port, 2004, "--tries", 1, "--timeout", 0.3)
    assert done.returncode == code and says in done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_refused_and_unknown_names_differ() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    refused = client("127.0.0.1", port, 2004, "--tries", 1)
    unknown = client("no-such-balancer.invalid", 5000, 2004, "--tries", 1)
    assert refused.returncode == 4 and "refused" in refused.stderr
    assert unknown.returncode == 3 and "no such name" in unknown.stderr


def test_it_tries_again() -> None:
    answers = iter([lambda connection: None, a_song])
    with serving(lambda connection: next(answers)(connection)) as port:
        done = client("127.0.0.1", port, 2004, "--tries", 2)
    assert (done.returncode, done.stdout) == (0, SONG.format(2004))


@pytest.mark.parametrize("words", [(), ("h", 5000), ("h", 70000, 1), ("h", 5000, "y"), ("h", 5000, 1, "--tries", 0)])
def test_wrong_arguments_are_exit_code_2(words: tuple[object, ...]) -> None:
    assert client(*words).returncode == 2
