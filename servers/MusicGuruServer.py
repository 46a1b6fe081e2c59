#!/usr/bin/env python3
"""MusicGuru: send a line with a year, get a line about one of that year's ten best songs, and the connection closes.

    $ printf '2004\n' | nc 192.168.0.57 5000
    In 2004 the number 7. song was Float On - Modest Mouse (192.168.0.57)

The address at the end is the one that this connection arrived at, so behind a load balancer the reply shows
which instance answered (on EC2 that is its private address). The songs are in songs.csv beside this file;
SOURCES.md says where they come from. Any file with the same columns will do.

One task per connection, and no task waits for another: a client that says nothing, talks slowly or sends
rubbish keeps only itself waiting, and not for longer than READ_TIMEOUT_S.

Python 3.7 or newer, standard library only.   python3 MusicGuruServer.py [--port 5000] [--songs songs.csv]
"""

import argparse
import asyncio
import csv
import os
import random
import re
import resource
import signal
import socket
import sys

FIRST_YEAR, LAST_YEAR = 1950, 2009
LONGEST_LINE = 256  # bytes; a year needs five
READ_TIMEOUT_S = 10.0  # for the whole line, however slowly it comes
WRITE_TIMEOUT_S = 10.0
BACKLOG = 1024
HERE = os.path.dirname(os.path.abspath(__file__))


def load_songs(path):
    """Read the songs into {year: [(rank, title, artist), ...]}."""
    songs = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            songs.setdefault(int(row["year"]), []).append((int(row["rank"]), row["title"], row["artist"]))
    missing = [year for year in range(FIRST_YEAR, LAST_YEAR + 1) if year not in songs]
    if missing:
        raise ValueError("no song for {}".format(", ".join(map(str, missing))))
    return songs


def parse_year(line):
    """Give the year that a line of bytes holds, or None when it holds anything else."""
    match = re.match(rb"\s*([0-9]{4})\s*\Z", line)
    year = int(match.group(1)) if match else 0
    return year if FIRST_YEAR <= year <= LAST_YEAR else None


def answer(line, songs, address, choose=random.choice):
    """Give the one line that answers ``line``; ``address`` is where the client reached us."""
    year = parse_year(line)
    if year is None:
        return "Sorry, {} is not a year from {} to {} ({})".format(shown(line), FIRST_YEAR, LAST_YEAR, address)
    rank, title, artist = choose(songs[year])
    return "In {} the number {}. song was {} - {} ({})".format(year, rank, title, artist, address)


def shown(line, longest=20):
    """Quote what a client sent, in plain ASCII and cut short, so that it fits in one line."""
    text = line.strip()
    return ascii(text[:longest].decode("utf-8", "replace")) + ("..." if len(text) > longest else "")


async def read_line(reader):
    """Read up to a newline, the client's end of sending, or LONGEST_LINE; None when nothing came in time."""
    line = b""
    try:
        line = await asyncio.wait_for(reader.readuntil(b"\n"), READ_TIMEOUT_S)
    except asyncio.IncompleteReadError as cut:
        line = cut.partial
    except asyncio.LimitOverrunError:
        line = await reader.read(LONGEST_LINE)
    except asyncio.TimeoutError:
        return None
    return line


async def finish(reader, writer):
    """Send what is left, say that it was all, and close without resetting a client that is still sending."""
    await asyncio.wait_for(writer.drain(), WRITE_TIMEOUT_S)
    writer.write_eof()
    unread = 64 * LONGEST_LINE
    while unread > 0:
        data = await asyncio.wait_for(reader.read(LONGEST_LINE), 1.0)
        if not data:
            return
        unread -= len(data)


async def serve_one(songs, reader, writer):
    """Answer one client and close. What a client does wrong ends its own connection and nothing else."""
    address = writer.get_extra_info("sockname")[0]
    try:
        line = await read_line(reader)
        if line is None:
            reply = "Sorry, no year came within {:g} seconds ({})".format(READ_TIMEOUT_S, address)
        else:
            reply = answer(line, songs, address) if line else ""
        if reply:
            writer.write(reply.encode("utf-8") + b"\n")
            await finish(reader, writer)
    except (OSError, asyncio.TimeoutError):
        pass  # the client went away, or would not read: there is nobody to tell
    finally:
        writer.close()


async def serve(host, port, songs):
    """Listen and answer until told to stop (SIGTERM or Ctrl-C)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    server = await asyncio.start_server(
        lambda reader, writer: serve_one(songs, reader, writer),
        host, port, family=socket.AF_INET, limit=LONGEST_LINE, backlog=BACKLOG,
    )
    print("MusicGuru answers on port {}".format(server.sockets[0].getsockname()[1]), flush=True)
    await stop.wait()
    server.close()


def allow_many_clients():
    """Raise this process's limit of open sockets as far as it may, so that idle clients cannot use them up."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(arguments=None):
    """Run the server; returns the exit code."""
    parser = argparse.ArgumentParser(description="Answers a line with a year with one of that year's best songs.")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
    parser.add_argument("--port", type=int, default=int(os.environ.get("MUSICGURU_PORT", "5000")))
    parser.add_argument("--songs", default=os.path.join(HERE, "songs.csv"), help="CSV: year,rank,title,artist")
    options = parser.parse_args(arguments)
    try:
        songs = load_songs(options.songs)
        allow_many_clients()
        asyncio.run(serve(options.host, options.port, songs))
    except (OSError, OverflowError, ValueError, KeyError) as error:
        print("MusicGuruServer: {}".format(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
