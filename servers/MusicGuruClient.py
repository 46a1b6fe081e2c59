#!/usr/bin/env python3
"""Asks a MusicGuru server for a song of a year, and prints the answer.

    $ python3 MusicGuruClient.py HOST PORT YEAR
    Specified year out of range (1950-2009), using random date instead: 2004
    In 2004 the number 7. song was Float On - Modest Mouse (192.168.0.57)

A load balancer's name and its first targets take minutes to work, so a failed attempt is tried again
(--tries, a second apart), and every attempt has a time limit (--timeout). When all fail, one line says why:

    exit 0  answered                      exit 4  refused: nothing listens there
    exit 1  any other network error       exit 5  timed out: no way through, or no answer
    exit 2  wrong arguments               exit 6  the connection ended without an answer
    exit 3  no such name

Python 3.7 or newer, standard library only.
"""

import argparse
import random
import socket
import sys
import time

FIRST_YEAR, LAST_YEAR = 1950, 2009
LONGEST_REPLY = 4096  # bytes


class NoAnswer(Exception):
    """The connection was made and ended before a whole line came."""


def usable_year(year, choose=random.randint):
    """Give the year if it is in range, else a random one that is."""
    return year if FIRST_YEAR <= year <= LAST_YEAR else choose(FIRST_YEAR, LAST_YEAR)


def ask(host, port, year, timeout_s):
    """Send the year and give the reply's line; each step waits ``timeout_s`` at most."""
    with socket.create_connection((host, port), timeout_s) as connection:
        connection.sendall("{}\n".format(year).encode("ascii"))
        return read_line(connection, time.monotonic() + timeout_s)


def read_line(connection, deadline):
    """Read one line, however many pieces it comes in."""
    line = b""
    while not line.endswith(b"\n") and len(line) < LONGEST_REPLY:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise socket.timeout("timed out")
        connection.settimeout(left_s)
        piece = connection.recv(LONGEST_REPLY)
        if not piece:
            raise NoAnswer("the connection was closed before an answer came")
        line += piece
    return line.decode("utf-8", "replace").split("\n")[0].rstrip("\r")


def describe(error, host, port):
    """Give the exit code and the words for what went wrong."""
    where = "{} port {}".format(host, port)
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return 3, "no such name: {} (a new load balancer's name takes minutes to appear)".format(host)
    if isinstance(error, ConnectionRefusedError):
        return 4, "{} refused the connection: nothing listens there".format(where)
    if isinstance(error, socket.timeout):
        return 5, "{} timed out: closed to you, not up yet, or too busy".format(where)
    if isinstance(error, (NoAnswer, ConnectionError)):
        return 6, "{} did not answer: {}".format(where, error)
    return 1, "{}: {}".format(where, error)


def ask_until_answered(host, port, year, timeout_s, tries, pause=time.sleep):
    """Ask up to ``tries`` times, a second apart, and give the reply; the last failure is raised."""
    for attempt in range(1, tries + 1):
        try:
            return ask(host, port, year, timeout_s)
        except (OSError, NoAnswer, UnicodeError):
            if attempt == tries:
                raise
            pause(1.0)
    raise AssertionError("tries is at least one")


def port_number(text):
    """Read a TCP port for argparse."""
    port = int(text)
    if not 1 <= port <= 65535:
        raise ValueError(text)
    return port


def at_least_one(text):
    """Read a count for argparse."""
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


def seconds(text):
    """Read a time limit for argparse."""
    limit = float(text)
    if not 0 < limit <= 3600:
        raise ValueError(text)
    return limit


def arguments_of(arguments):
    """Read the command line; a wrong one ends the program with exit code 2."""
    parser = argparse.ArgumentParser(
        description="Asks a MusicGuru server for a song of a year.",
        epilog="A YEAR out of {}-{}, such as 0, means a random one.".format(FIRST_YEAR, LAST_YEAR),
    )
    parser.add_argument("host", metavar="HOST", help="name or address of the server or load balancer")
    parser.add_argument("port", metavar="PORT", type=port_number, help="its port, usually 5000")
    parser.add_argument("year", metavar="YEAR", type=int, help="{}-{}".format(FIRST_YEAR, LAST_YEAR))
    parser.add_argument("--timeout", type=seconds, default=10.0, metavar="SECONDS", help="per attempt (default: 10)")
    parser.add_argument("--tries", type=at_least_one, default=3, metavar="N", help="attempts (default: 3)")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Run the client; returns the exit code."""
    options = arguments_of(arguments)
    sys.stdout.reconfigure(errors="replace")
    year = usable_year(options.year)
    if year != options.year:
        print("Specified year out of range ({}-{}), using random date instead: {}".format(FIRST_YEAR, LAST_YEAR, year))
    try:
        print(ask_until_answered(options.host, options.port, year, options.timeout, options.tries))
    except (OSError, NoAnswer, UnicodeError) as error:
        code, words = describe(error, options.host, options.port)
        sys.stdout.flush()
        print("MusicGuruClient: {}".format(words), file=sys.stderr)
        return code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
