"""``ps``, ``pgrep``, ``pkill``, ``killall`` and ``kill``: among the instance's own processes only.

The host shows every process of every instance to everybody, and its ``pkill -f MusicGuruServer.py`` would end
all of them. Own is what descends from the instance's init, but for the init, its boot sequence and whoever
asks. Command lines are shown and matched as the instance's user knows them: ``python3 /home/ec2-user/x.py``.

Of ``ps`` there are the layouts that people type (plain, ``-f``, ``aux``) and ``-o`` with the common columns; it
shows everything that the instance runs unless ``-p`` or ``-C`` choose. bash's own ``kill`` is hidden by a function
(``BASH_KILL``). Left out: a Python program's ``os.kill``, and shells that are not bash.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from mglab.localcloud.machines.inside import proctree
from mglab.localcloud.machines.inside.instance import Instance
from mglab.localcloud.machines.inside.paths import shown
from mglab.localcloud.machines.inside.scripts import CannotRun

BASH_KILL = "BASH_FUNC_kill%%"
"""The variable by which every bash of the instance gets a function in the place of its own ``kill``."""
BASH_KILL_FUNCTION = (
    """() {{ case " $* " in *" -l "*|*" -L "*|*" %"*) builtin kill "$@";; *) {command} "$@";; esac; }}"""
)
_SIGNAL = re.compile(r"-(?:SIG)?([A-Z]+\d?|\d+)")


# -- pgrep, pkill, killall, kill -------------------------------------------------------------------------------


def find(instance: Instance, name: str, rest: list[str]) -> int:
    """``pgrep``, ``pkill``, ``killall``: by the program's name, or with ``-f`` by the whole command line."""
    number, options, pattern = int(signal.SIGTERM), "x" if name == "killall" else "", ""
    while rest:
        word = rest.pop(0)
        if found := _SIGNAL.fullmatch(word):
            number = _signal_number(found[1])
        elif re.fullmatch(r"-[a-z]+", word):
            options += word[1:]
        else:
            pattern = shown(word, instance.place.root)
    matching = [pid for pid in _own(instance) if _matches(instance, pid, pattern, options)]
    if name != "pgrep":
        proctree.send(matching, number)
    else:
        lines = (f"{pid} {_shown_command(instance, pid)}" if "a" in options else str(pid) for pid in sorted(matching))
        print("".join(f"{line}\n" for line in lines), end="")
    return 0 if matching else 1


def kill(instance: Instance, name: str, rest: list[str]) -> int:
    """``kill [-SIGNAL] PID...``: a process of another instance, or of the host, is none."""
    number, own, failed = int(signal.SIGTERM), set(_own(instance)), 0
    if rest[:1] in (["-s"], ["-n"]) and len(rest) > 1:
        number, rest = _signal_number(rest[1].removeprefix("SIG")), rest[2:]
    elif rest and (found := _SIGNAL.fullmatch(rest[0])):
        number, rest = _signal_number(found[1]), rest[1:]
    for word in rest[1:] if rest[:1] == ["--"] else rest:
        if not re.fullmatch(r"-?\d+", word):
            raise CannotRun(f"{word}: arguments must be process or job IDs", 1)
        meant = _group(-int(word), own) if word.startswith("-") else own & {int(word)}
        proctree.send(meant, number)
        if not meant:
            failed = 1
            os.write(2, f"kill: ({word}) - No such process\n".encode())
    return failed


def _group(leader: int, own: set[int]) -> set[int]:
    """Give the instance's processes of one process group."""
    return {pid for pid in own if _group_of(pid) == leader}


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _signal_number(name: str) -> int:
    if name.isdigit():
        return int(name)
    known = getattr(signal, f"SIG{name}", None)
    if known is None:
        raise CannotRun(f"{name}: unknown signal", 2)
    return int(known)


def _own(instance: Instance) -> list[int]:
    """Find the instance's processes, but for this one, its init and its boot sequence (the same command line)."""
    init = instance.init_pid()
    below = proctree.descendants(proctree.children_of(proctree.table()), init)
    boot = _command_line(init)
    return [pid for pid in below if pid != os.getpid() and _command_line(pid) != boot]


def _matches(instance: Instance, pid: int, pattern: str, options: str) -> bool:
    words = _command_line(pid)
    if not words:
        return False
    text = _shown_command(instance, pid) if "f" in options else _program(words)
    try:
        return bool(re.fullmatch(pattern, text) if "x" in options else re.search(pattern, text))
    except re.error:
        return pattern in text


def _shown_command(instance: Instance, pid: int) -> str:
    """Give a command line as the instance's user knows it."""
    words = _command_line(pid)
    if words[1:2] == ["--rcfile"]:  # an interactive shell's, which is no business of the user's
        del words[1:3]
    return shown(" ".join([_program(words), *words[1:]]), instance.place.root, instance.place.commands) if words else ""


def _program(words: list[str]) -> str:
    """Name a program; whatever Python the host has, it is ``python3`` here."""
    name = os.path.basename(words[0])
    return "python3" if name.startswith("python") else name


def _command_line(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return [word for word in file.read().split("\0") if word]
    except OSError:
        return []


# -- ps --------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One process as ``ps`` shows it."""

    process: proctree.Process
    command: str
    user: str
    terminal: str
    cpu_s: int
    running_s: float
    size_kb: int
    resident_kb: int


class Column(NamedTuple):
    """A column of ``ps``: its heading, its width (to the left if negative), what it holds."""

    heading: str
    width: int
    value: Callable[[Row], str]


COLUMNS = {
    "user": Column("USER", -8, lambda row: row.user),
    "pid": Column("PID", 7, lambda row: str(row.process.pid)),
    "ppid": Column("PPID", 7, lambda row: str(row.process.parent)),
    "pcpu": Column("%CPU", 4, lambda row: f"{min(100.0 * row.cpu_s / max(row.running_s, 1.0), 99.9):.1f}"),
    "vsz": Column("VSZ", 6, lambda row: str(row.size_kb)),
    "rss": Column("RSS", 5, lambda row: str(row.resident_kb)),
    "tty": Column("TTY", -8, lambda row: row.terminal),
    "stat": Column("STAT", -4, lambda row: row.process.state),
    "start": Column("START", 5, lambda row: time.strftime("%H:%M", time.localtime(time.time() - row.running_s))),
    "etime": Column("ELAPSED", 11, lambda row: _clock(int(row.running_s))),
    "time": Column("TIME", 8, lambda row: _clock(row.cpu_s)),
    "comm": Column("CMD", -15, lambda row: _name(row)),
    "args": Column("CMD", -1, lambda row: row.command),
}
SAME = {"uid": "user", "cmd": "args", "command": "args", "%cpu": "pcpu", "tt": "tty", "s": "stat", "stime": "start"}
PLAIN = ("pid", "tty", "time", "comm")
FULL = ("user", "pid", "ppid", "start", "tty", "time", "args")
AUX = ("user", "pid", "pcpu", "vsz", "rss", "tty", "stat", "start", "time", "args")


def show(instance: Instance, name: str, rest: list[str]) -> int:
    """``ps``: the instance's processes."""
    layout: tuple[str, ...] = PLAIN
    headings, chosen = True, set[str]()
    while rest:
        word = rest.pop(0)
        if "u" in word or "f" in word:
            layout = AUX if "u" in word else FULL
        if re.fullmatch(r"-?[A-Za-z]*[opC]", word) and rest:
            value = rest.pop(0)
            if word[-1] == "o":
                layout, headings = _layout(value)
            else:
                chosen |= set(value.split(","))
    columns = [COLUMNS[name] for name in layout]
    rows = [row for row in _rows(instance) if not chosen or {str(row.process.pid), _name(row)} & chosen]
    table = [[column.heading for column in columns]] if headings else []
    table += [[column.value(row) for column in columns] for row in rows]
    print("".join(f"{_line(columns, cells)}\n" for cells in table), end="")
    return 0 if rows else 1


def _layout(value: str) -> tuple[tuple[str, ...], bool]:
    """Read the columns that ``-o`` names; a name with ``=`` asks for no heading."""
    names = [SAME.get(name.rstrip("="), name.rstrip("=")) for name in value.split(",") if name]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or not names:
        raise CannotRun(f"unknown column {', '.join(unknown)}; there are {', '.join(COLUMNS)}", 1)
    return tuple(names), "=" not in value


def _line(columns: list[Column], cells: list[str]) -> str:
    pairs = zip(columns, cells, strict=True)
    padded = (f"{cell:<{-one.width}}" if one.width < 0 else f"{cell:>{one.width}}" for one, cell in pairs)
    return " ".join(padded).rstrip()


def _name(row: Row) -> str:
    return row.command.partition(" ")[0]


def _rows(instance: Instance) -> list[Row]:
    found = (_row(instance, pid) for pid in sorted(_own(instance)))
    return [row for row in found if row]


def _row(instance: Instance, pid: int) -> Row | None:
    process, command = proctree.read(pid), _shown_command(instance, pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open(f"/proc/{pid}/environ", "rb") as file:
            user = re.search(rb"(?:^|\0)USER=([^\0]*)", file.read())
    except OSError:
        return None  # it has just ended
    if process is None or not command:
        return None
    ticks = int(fields[11]) + int(fields[12])
    return Row(
        process=process,
        command=command,
        user=user[1].decode(errors="replace") if user else "root",
        terminal=_terminal(int(fields[4])),
        cpu_s=ticks * proctree.NS_PER_TICK // 1_000_000_000,
        running_s=max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - process.started * proctree.NS_PER_TICK / 1e9),
        size_kb=int(fields[20]) // 1024,
        resident_kb=int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024,
    )


def _terminal(device: int) -> str:
    major, minor = os.major(device), os.minor(device)
    return f"pts/{minor + 256 * (major - 136)}" if 136 <= major <= 143 else "?"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
