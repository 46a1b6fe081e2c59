"""How a program of the instance is started: the argument list that the kernel would make of its first line.

Shell scripts run as a mapped copy from a side folder (``shellreader.py``); the original is what ``cat``,
CreateImage and the script's own ``$0`` see. On Amazon Linux ``/bin/sh`` is bash; so it is here where the
host has bash. Python programs run in the interpreter that runs the workbook, wherever their ``#!`` points.
"""

from __future__ import annotations

import os
import shlex
import zlib
from typing import NamedTuple

from mglab.localcloud.machines.inside.paths import inside, is_under
from mglab.localcloud.machines.inside.shellpaths import Mapping
from mglab.localcloud.machines.inside.shellreader import mapped_script

SHELLS = ("sh", "bash", "dash")
NOT_EXECUTABLE, NOT_FOUND = 126, 127


class Place(NamedTuple):
    """The folders of one running instance on the host."""

    root: str
    commands: str
    copies: str

    @property
    def mapping(self) -> Mapping:
        return Mapping(self.root, self.commands)


class CannotRun(Exception):
    """A program that is not there or may not be executed; ``code`` is the shell's exit status."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def argv(program: str, arguments: list[str], place: Place) -> list[str]:
    """Say how to start a program given by path, as ``execve`` would read its ``#!`` line."""
    path = _found(program)
    interpreter, options = _first_line(path)
    if interpreter is None:
        return [path, *arguments]
    if interpreter in SHELLS:
        return shell(interpreter, options, path, arguments, place)
    if interpreter.startswith("python"):
        return [f"{place.commands}/python3", *options, path, *arguments]
    return [path, *arguments]


def shell(name: str, options: list[str], path: str, arguments: list[str], place: Place) -> list[str]:
    """Say how to run a shell script: its mapped copy, under the name of its original."""
    return [*shell_program(name), *options, "-c", f". {shlex.quote(mapped_copy(path, place))}", path, *arguments]


def shell_program(name: str) -> list[str]:
    """Give the host's shell for ``sh``, ``bash`` or ``dash``."""
    bash = which("bash", os.defpath)
    if name == "dash" or bash is None:
        return ["/bin/sh"]
    return [bash, "--posix"] if name == "sh" else [bash]


def mapped_copy(path: str, place: Place) -> str:
    """Write the mapped copy of a script and give its path."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        text = file.read()
    path = os.path.abspath(path)
    copy = os.path.join(place.copies, f"{zlib.crc32(os.fsencode(path)):08x}-{os.path.basename(path)}")
    _write(copy, mapped_script(text, place.mapping, path))
    return copy


def which(name: str, search_path: str) -> str | None:
    """Find a program in a search path."""
    for folder in search_path.split(":"):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def _write(path: str, text: str) -> None:
    unfinished = f"{path}.{os.getpid()}"
    with open(unfinished, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
    os.rename(unfinished, path)


def host_path(path: str, place: Place) -> str:
    """Give where a path named by a program of the instance lies on the host."""
    if not path.startswith("/") or is_under(place.root, path):
        return path
    candidate = inside(place.root, path)
    return candidate if os.path.exists(candidate) else path


def _found(program: str) -> str:
    if not os.path.exists(program):
        raise CannotRun(f"{program}: No such file or directory", NOT_FOUND)
    if os.path.isdir(program):
        raise CannotRun(f"{program}: Is a directory", NOT_EXECUTABLE)
    if not os.access(program, os.X_OK):
        raise CannotRun(f"{program}: Permission denied", NOT_EXECUTABLE)
    return program


def _first_line(path: str) -> tuple[str | None, list[str]]:
    """Read (interpreter's name, its options); (None, []) for a binary, ``sh`` for a text without ``#!``."""
    with open(path, "rb") as file:
        head = file.read(512)
    if not head.startswith(b"#!"):
        return (None, []) if b"\0" in head else ("sh", [])
    words = head[2:].split(b"\n")[0].decode(errors="replace").split(" ")
    words = [word for word in words if word]
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S"]
    return (os.path.basename(words[0]), words[1:]) if words else (None, [])
