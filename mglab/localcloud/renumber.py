"""Moves a packed world to other loopback addresses, when another cloud has taken those that it had.

Addresses are all over the world: interfaces, balancers' nodes, names, tables keyed by them. So they are replaced
where all of it is one stream: in the pickle, text by text. Everything else in it stays as it is.
"""

from __future__ import annotations

import pickletools
import re
import struct

_TEXTS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})


def renumbered(packed: bytes, slot: int, to: int) -> bytes:
    """Give the pickle with every address of ``slot``'s two /16s moved to those of ``to``."""
    codes = [(code.name, argument, at) for code, argument, at in pickletools.genops(packed)]
    ends = [*(at for _, _, at in codes[1:]), len(packed)]
    return b"".join(
        _code(name, argument, packed[at:end], slot, to) for (name, argument, at), end in zip(codes, ends, strict=True)
    )


def moved(text: str, slot: int, to: int) -> str:
    """Give a text with the addresses in it (127.64.0.1, ec2-127-65-0-1) moved."""
    return re.sub(
        rf"(?<!\d)127([.-])({slot}|{slot + 1})(?=[.-]\d)", lambda it: f"127{it[1]}{int(it[2]) - slot + to}", text
    )


def _code(name: str, argument: object, code: bytes, slot: int, to: int) -> bytes:
    if name == "FRAME":  # its length would be another; a pickle needs no frames
        return b""
    if name in _TEXTS and (text := moved(str(argument), slot, to)) != argument:
        encoded = text.encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(encoded)) + encoded
    return code
