"""Reads user-data into a plan of what the first boot (and each boot) is to do. Pure.

As cloud-init does on Amazon Linux 2023: raw or gzip; a script (``#!``), ``#cloud-config``, or MIME multi-part
of such. Of cloud-config the lab needs ``write_files``, ``runcmd`` and ``bootcmd``; any other key is named on
the console and left out, and so is what cannot be read: a mistake in user-data never stops a boot.
Left out: includes, jinja templates, part handlers, boothooks, file owners (there is one user).
"""

from __future__ import annotations

import base64
import binascii
import email
import email.message
import email.policy
import shlex
import zlib
from dataclasses import dataclass
from typing import Any

import yaml

MOST_BYTES = 10 * 1024 * 1024
"""No honest user-data unpacks to more; 16 KB raw is the API's limit."""
DEFAULT_MODE = 0o644
ACTED_ON = frozenset(("write_files", "runcmd", "bootcmd"))
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class PlannedFile:
    """A file of ``write_files``; ``path`` is the instance's."""

    path: str
    content: bytes
    mode: int = DEFAULT_MODE
    append: bool = False


@dataclass(frozen=True)
class PlannedScript:
    """A script of the user-data, run once after everything else; named as cloud-init names it."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Plan:
    """What user-data asks for, and what in it could not be understood."""

    files: tuple[PlannedFile, ...] = ()
    boot_commands: bytes = b""
    """``bootcmd`` as a shell script, for every boot."""
    run_commands: bytes = b""
    """``runcmd`` as a shell script, for the first boot."""
    scripts: tuple[PlannedScript, ...] = ()
    complaints: tuple[str, ...] = ()


class Unreadable(Exception):
    """A part of the user-data that cannot be understood, in cloud-init's words where it has some."""


@dataclass(frozen=True)
class _Part:
    name: str
    content: bytes


def plan(user_data: bytes) -> Plan:
    """Read user-data; whatever cannot be read becomes a complaint."""
    complaints: list[str] = []
    scripts: list[PlannedScript] = []
    config: dict[str, Any] = {}
    for part in _attempt(complaints, lambda: _parts(user_data), []):
        kind = _kind(part.content)
        if kind == "script":
            scripts.append(PlannedScript(part.name, part.content))
        elif kind == "config":
            # a later part's key replaces an earlier one's: cloud-init's default way to merge
            config.update(_attempt(complaints, lambda part=part: _config(part.content), {}))
        elif part.content.strip():
            complaints.append(_unhandled(part.content))
    for key in sorted(set(map(str, config)) - ACTED_ON):
        complaints.append(f"{key}: not acted on by the local cloud (it knows {', '.join(sorted(ACTED_ON))})")
    return Plan(
        tuple(_files(config.get("write_files"), complaints)),
        _attempt(complaints, lambda: _shell(config.get("bootcmd"), "bootcmd"), b""),
        _attempt(complaints, lambda: _shell(config.get("runcmd"), "runcmd"), b""),
        tuple(scripts),
        tuple(complaints),
    )


def _attempt(complaints: list[str], read: Any, otherwise: Any) -> Any:
    try:
        return read()
    except Unreadable as error:
        complaints.append(str(error))
        return otherwise


def unpacked(content: bytes) -> bytes:
    """Give the content, unzipped when it is gzip."""
    if not content.startswith(_GZIP):
        return content
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unzip.decompress(content, MOST_BYTES)
    except zlib.error as error:
        raise Unreadable(f"gzip that cannot be unpacked: {error}") from error
    if not unzip.eof:
        raise Unreadable(f"gzip that is cut short or unpacks to more than {MOST_BYTES} bytes")
    return plain


def _parts(user_data: bytes) -> list[_Part]:
    """Split MIME multi-part; anything else is one part."""
    content = unpacked(user_data)
    if not content[:64].lstrip().lower().startswith((b"content-type:", b"mime-version:")):
        return [_Part("part-001", content)] if content else []
    message = email.message_from_bytes(content.lstrip(), policy=email.policy.compat32)
    leaves = [leaf for leaf in message.walk() if not leaf.is_multipart()]
    return [_Part(leaf.get_filename() or f"part-{n:03d}", _payload(leaf)) for n, leaf in enumerate(leaves, 1)]


def _payload(leaf: email.message.Message) -> bytes:
    payload = leaf.get_payload(decode=True)
    return unpacked(payload) if isinstance(payload, bytes) else b""


def _kind(content: bytes) -> str:
    head = content.lstrip()
    if head.startswith(b"#!"):
        return "script"
    return "config" if head.startswith((b"#cloud-config\n", b"#cloud-config\r", b"#cloud-config ")) else "other"


def _unhandled(content: bytes) -> str:
    return f"Unhandled non-multipart (text/x-not-multipart) userdata: '{content[:24]!r}...'"


def _config(content: bytes) -> dict[str, Any]:
    try:
        values = yaml.safe_load(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unreadable(f"Failed loading yaml blob. {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise Unreadable(f"Failed loading yaml blob. Invalid format{where}: {reason}") from error
    if values is not None and not isinstance(values, dict):
        raise Unreadable(f"Failed loading yaml blob. Yaml load allows a mapping, but got {type(values).__name__}")
    return values or {}


def _files(entries: object, complaints: list[str]) -> list[PlannedFile]:
    if entries is None:
        return []
    if not isinstance(entries, list):
        complaints.append(f"write_files: a list was expected, not {type(entries).__name__}")
        return []
    found = [_attempt(complaints, lambda n=n, e=e: _file(n, e, complaints), None) for n, e in enumerate(entries, 1)]
    return [file for file in found if file]


def _file(number: int, entry: object, complaints: list[str]) -> PlannedFile:
    path = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(path, str) or not path.strip("/ "):
        raise Unreadable(f"No path provided to write for entry {number} in module write_files")
    if not path.startswith(("/", "~ec2-user/")):
        raise Unreadable(f"write_files: {path}: an absolute path was expected")
    content = _decoded(entry.get("content"), str(entry.get("encoding") or "text/plain").lower(), path)
    return PlannedFile(path, content, _mode(entry.get("permissions"), path, complaints), bool(entry.get("append")))


def _decoded(content: object, encoding: str, path: str) -> bytes:
    """Undo the encodings of ``write_files``: base64 first, then gzip."""
    if isinstance(content, (list, dict)):
        raise Unreadable(f"write_files: {path}: content is a text, not {type(content).__name__}")
    data = content if isinstance(content, bytes) else str("" if content is None else content).encode()
    steps = set(encoding.replace("base64", "b64").replace("gzip", "gz").split("+"))
    if not steps <= {"b64", "gz", "text/plain"}:
        raise Unreadable(f"write_files: {path}: Unknown encoding type {encoding}, assuming text/plain")
    try:
        data = base64.b64decode(b"".join(data.split()), validate=True) if "b64" in steps else data
    except binascii.Error as error:
        raise Unreadable(f"write_files: {path}: content is not base64: {error}") from error
    return unpacked(data) if "gz" in steps else data


def _mode(permissions: object, path: str, complaints: list[str]) -> int:
    """Read ``permissions``: a string is octal; YAML has already read 0644 without quotes as a number."""
    if permissions is None:
        return DEFAULT_MODE
    try:
        mode = permissions if isinstance(permissions, int) else int(str(permissions), 8)
    except ValueError:
        mode = -1
    if 0 <= mode <= 0o7777:
        return mode
    complaints.append(f"Undecodable permissions {permissions!r} of {path}, returning default {DEFAULT_MODE:o}")
    return DEFAULT_MODE


def _shell(commands: object, key: str) -> bytes:
    """Make a script of ``runcmd``: a string is a line of shell, a list is one command's words."""
    if commands is None:
        return b""
    if not isinstance(commands, list):
        raise Unreadable(f"{key}: a list was expected, not {type(commands).__name__}")
    return "\n".join(["#!/bin/sh", *(_line(command, key) for command in commands if command is not None), ""]).encode()


def _line(command: object, key: str) -> str:
    if isinstance(command, list):
        return " ".join(shlex.quote(str(word)) for word in command)
    if not isinstance(command, (str, int, float)):
        raise Unreadable(f"Failed to shellify {key}: unable to shellify type {type(command).__name__}")
    return str(command)
