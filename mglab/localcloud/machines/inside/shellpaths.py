"""Maps the absolute paths of a shell script into an instance's root. Pure.

A script says ``cd /home/ec2-user``; without a namespace of its own that would be the host's folder. So what
is run is a copy of the script in which every path that *begins a word* (``/var/log/x``, ``"/opt/$name"``,
``LOG=/tmp/x``, ``>/etc/y``) begins with the instance's root. Text is left alone, for it may be written into
a file that must make sense on AWS: here-documents, the arguments of echo and printf, the script of sed and
awk, anything in the middle of a quoted string. Commands given by path run through ``run-script``, which maps
what they call in turn. ``sh -c '...'`` is mapped by the stand-in ``sh`` when it is run.

Left out: paths that a program puts together itself (``/$x``), and those in programs that are not shell.
``shellreader.py`` walks over the script; here a word is mapped, given its role.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import Literal, NamedTuple

from mglab.localcloud.machines.inside.paths import INSTANCE_PATH

COMMANDS = frozenset(
    (
        *("sudo", "su", "runuser", "sh", "bash", "dash", "python3", "python", "hostname", "whoami", "chown", "chgrp"),
        *("pgrep", "pkill", "killall", "kill", "ps", "reboot", "poweroff", "shutdown", "halt", "init", "telinit"),
        *("systemctl", "service", "yum", "dnf", "crontab", "useradd", "usermod", "fuser"),
    )
)
"""Commands that mean something else inside an instance; ``standins.py`` has them."""

RUN_SCRIPT = "run-script"

Role = Literal["command", "argument", "text", "script", "sourced", "top"]
"""``text`` is left as it is, ``script`` is a quoted command, ``top`` may be the root folder itself."""

_LEAD = r"(?P<lead>(?:[A-Za-z_]\w*\+?=|--?[\w-]+=|-[A-Za-z])?[\"']?)"
_HEAD = re.compile(_LEAD + r"(?P<path>" + INSTANCE_PATH + ")")
_HOME = re.compile(_LEAD + r"~(?P<user>ec2-user|root)(?![\w-])")
_LITERAL = re.compile(r"[\w./+-]*")
_SYSTEM = re.compile(r"/(?:usr/)?s?bin/(?P<name>[\w.+-]+)$")
_SEARCH_PATH = re.compile(r"(?P<lead>PATH=[\"']?)")
_FURTHER = re.compile(r"(?<=:)(?=" + INSTANCE_PATH + ")")
_DEFAULT = re.compile(r"(?<=[-=+])(?=" + INSTANCE_PATH + ")")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^]]*\])?\+?=")


class Mapping(NamedTuple):
    """Where the instance's root and its stand-ins lie on the host."""

    root: str
    commands: str
    """The folder of the stand-ins."""

    def holds(self, text: str, at: int) -> bool:
        """Say whether a host path begins there: what has been mapped is not mapped again."""
        return text.startswith((self.root, self.commands), at)


def mapped_word(word: str, role: Role, mapping: Mapping) -> str:
    """Give a word of a script as it is to be run."""
    if role == "text":
        return word
    if role == "command":
        return _command(word, mapping)
    if role == "top" and word in ("/", "/*"):
        return shlex.quote(mapping.root) + word
    mapped = _search_path(_path(word, mapping), mapping)
    if role == "sourced" and "/" in word:
        return f'"$({shlex.quote(f"{mapping.commands}/{RUN_SCRIPT}")} --copy {mapped})"'
    return mapped


def mapped_default(expansion: str, mapping: Mapping) -> str:
    """Map the path in ``${name:-/path}``."""
    return _rooted(_DEFAULT, expansion, '"', mapping)


def _command(word: str, mapping: Mapping) -> str:
    system = _SYSTEM.match(word)
    if system:
        known = system["name"] in COMMANDS
        return shlex.quote(f"{mapping.commands}/{system['name']}") if known else word
    if "/" not in word or mapping.commands in word:
        return word
    return f"{shlex.quote(f'{mapping.commands}/{RUN_SCRIPT}')} {_path(word, mapping)}"


def _path(word: str, mapping: Mapping) -> str:
    """Put the root before the path that begins the word, and before those after ``:`` in an assignment."""
    if home := _HOME.match(word):
        folder = "/root" if home["user"] == "root" else "/home/ec2-user"
        word = home["lead"] + folder + word[home.end() :]
    word = _without_climbing(word)
    head = _HEAD.match(word)
    lead = head["lead"] if head else ""
    if head and not mapping.holds(word, head.start("path")):
        word = lead + _escaped(mapping.root, lead[-1:]) + word[head.start("path") :]
    return _rooted(_FURTHER, word, lead[-1:], mapping) if ASSIGNMENT.match(word) else word


def _rooted(places: re.Pattern[str], text: str, quote: str, mapping: Mapping) -> str:
    """Put the root at these places, but where a host path begins already."""
    root = _escaped(mapping.root, quote)
    return places.sub(lambda found: "" if mapping.holds(text, found.start()) else root, text)


def _without_climbing(word: str) -> str:
    """Resolve ``..`` in a literal path: a root of files would let it climb out."""
    head = _HEAD.match(word)
    if head is None or "/.." not in word:
        return word
    literal = _LITERAL.match(word, head.start("path"))
    end = literal.end() if literal else len(word)
    return word[: head.start("path")] + posixpath.normpath(word[head.start("path") : end]) + word[end:]


def _search_path(word: str, mapping: Mapping) -> str:
    """Keep the stand-ins first in a PATH that the script sets."""
    found = _SEARCH_PATH.match(word)
    if found is None or word.startswith(mapping.commands, found.end()):
        return word
    return found["lead"] + _escaped(mapping.commands, found["lead"][-1]) + ":" + word[found.end() :]


def _escaped(path: str, quote: str) -> str:
    """Write a host path so that it stands for itself between such quotes (or none)."""
    if quote == '"':
        return re.sub(r'(["$`\\])', r"\\\1", path)
    if quote == "'":
        return path.replace("'", "'\\''")
    return shlex.quote(path)
