"""Smithy RPC v2 over CBOR: CloudWatch as the newest SDKs speak it (aws-facts 4.4: the model lists it first).

The operation stands in the path (``/service/GraniteServiceVersion20100801/operation/ListMetrics``), body and answer are
CBOR (RFC 8949): of it, all that AWS's clients send, including what has no stated length; half-precision numbers
are read, never written. Times are seconds since 1970 under tag 1.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from mglab.localcloud.api import wire_json
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.wire_xml import known

PROTOCOL = "rpc-v2-cbor"
CONTENT_TYPE = "application/cbor"
DEEPEST = 64
EPOCH_TAG = 1
_PATH = re.compile(r"/service/[A-Za-z0-9_.]+/operation/([A-Za-z0-9_]+)\Z")
_BREAK = object()
_WORDS: Mapping[int, Any] = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}


def operation_of(path: str) -> str:
    """Read the operation's name off the path; empty when it names none."""
    found = _PATH.match(path)
    return found[1] if found else ""


def read(shape: StructureShape | None, body: bytes) -> dict[str, Any]:
    """Read a body as the parameters that the shape describes."""
    try:
        document = decoded(body) if body else {}
        return wire_json.structure_in(shape, document) if shape is not None else {}
    except (ValueError, TypeError, AttributeError, IndexError, struct.error) as broken:
        raise ApiError("SerializationException", "The request body could not be read.") from broken


def write(shape: StructureShape | None, values: Mapping[str, Any]) -> bytes:
    """Write a result."""
    out = bytearray()
    if shape is None:
        _head(out, 5, 0)
    else:
        _out(out, shape, values)
    return bytes(out)


def error(shape_name: str, message: str) -> bytes:
    """Write an error's body."""
    out = bytearray()
    _head(out, 5, 2)
    for text in ("__type", shape_name, "message", message):
        _text(out, text)
    return bytes(out)


# -- reading ----------------------------------------------------------------------------------------------------


def decoded(body: bytes) -> Any:
    """Decode one CBOR item; raises ValueError, IndexError or struct.error when it is none."""
    reader = _Reader(body)
    value = reader.item(0)
    if value is _BREAK or reader.left:
        raise ValueError("not one CBOR item")
    return value


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._body) - self._at

    def item(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        first = self._take(1)[0]
        major, low = first >> 5, first & 31
        if major == 7:
            return self._simple(low)
        length = None if low == 31 else self._argument(low)
        match major:
            case 0 if length is not None:
                return length
            case 1 if length is not None:
                return -1 - length
            case 2:
                return b"".join(self._chunks(length, depth))
            case 3:
                return b"".join(self._chunks(length, depth)).decode()
            case 4:
                return list(self._items(length, depth))
            case 5:
                return self._map(length, depth)
            case 6 if length is not None:
                return self.item(depth + 1)
        raise ValueError("not CBOR")

    def _simple(self, low: int) -> Any:
        if low in _FLOATS:
            (value,) = struct.unpack(_FLOATS[low], self._take(struct.calcsize(_FLOATS[low])))
            return value
        if low == 31:
            return _BREAK
        if low not in _WORDS:
            raise ValueError("not CBOR")
        return _WORDS[low]

    def _argument(self, low: int) -> int:
        if low < 24:
            return low
        if low > 27:
            raise ValueError("not CBOR")
        return int.from_bytes(self._take(1 << (low - 24)), "big")

    def _chunks(self, length: int | None, depth: int) -> list[bytes]:
        if length is not None:
            return [self._take(length)]
        return [part.encode() if isinstance(part, str) else part for part in self._items(None, depth)]

    def _items(self, length: int | None, depth: int) -> list[Any]:
        found: list[Any] = []
        while length is None or len(found) < length:
            one = self.item(depth + 1)
            if one is _BREAK:
                if length is not None:
                    raise ValueError("not CBOR")
                break
            found.append(one)
        return found

    def _map(self, length: int | None, depth: int) -> dict[str, Any]:
        flat = self._items(None if length is None else 2 * length, depth)
        if len(flat) % 2:
            raise ValueError("a name without a value")
        return dict(zip(flat[::2], flat[1::2], strict=True))

    def _take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError("the body ends too soon")
        self._at += count
        return self._body[self._at - count : self._at]


# -- writing ----------------------------------------------------------------------------------------------------


def _out(out: bytearray, shape: Shape, value: Any) -> None:
    if isinstance(shape, StructureShape):
        known(shape, value)
        present = {name: one for name, one in value.items() if one is not None}
        _head(out, 5, len(present))
        for name, one in present.items():
            _text(out, name)
            _out(out, shape.members[name], one)
    elif isinstance(shape, ListShape):
        _head(out, 4, len(value))
        for one in value:
            _out(out, shape.member, one)
    elif isinstance(shape, MapShape):
        _head(out, 5, len(value))
        for name, one in value.items():
            _text(out, name)
            _out(out, shape.value, one)
    else:
        _scalar(out, shape, value)


def _scalar(out: bytearray, shape: Shape, value: Any) -> None:
    if isinstance(value, bool):
        out.append(0xF5 if value else 0xF4)
    elif isinstance(value, datetime):
        _head(out, 6, EPOCH_TAG)
        _double(out, round(value.timestamp(), 3))
    elif isinstance(value, bytes):
        _head(out, 2, len(value))
        out += value
    elif shape.type_name in ("float", "double"):
        _double(out, float(value))
    elif isinstance(value, int):
        _head(out, 0 if value >= 0 else 1, value if value >= 0 else -1 - value)
    else:
        _text(out, str(value))


def _double(out: bytearray, value: float) -> None:
    out.append(0xFB)
    out += struct.pack(">d", value if math.isfinite(value) else math.nan)


def _text(out: bytearray, text: str) -> None:
    encoded = text.encode("utf-8", "replace")
    _head(out, 3, len(encoded))
    out += encoded


def _head(out: bytearray, major: int, argument: int) -> None:
    if argument < 24:
        out.append(major << 5 | argument)
        return
    size = next(size for size in (1, 2, 4, 8) if argument < 1 << 8 * size)
    out.append(major << 5 | 23 + size.bit_length())
    out += argument.to_bytes(size, "big")
