"""The JSON 1.0 protocol: CloudWatch as today's clients speak it. Times are epoch seconds."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.wire_query import timestamp
from mglab.localcloud.api.wire_xml import known


def read(shape: StructureShape | None, body: bytes) -> dict[str, Any]:
    """Read a JSON body as the parameters that the shape describes."""
    try:
        document = json.loads(body or b"{}")
        return structure_in(shape, document) if shape is not None else {}
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError) as broken:
        raise ApiError("SerializationException", "The request body could not be read.") from broken


def write(shape: StructureShape | None, values: Mapping[str, Any]) -> bytes:
    """Write a result."""
    return json.dumps(_structure_out(shape, values) if shape is not None else {}).encode()


def error(shape_name: str, message: str) -> bytes:
    """Write an error's body."""
    return json.dumps({"__type": shape_name, "message": message}).encode()


def structure_in(shape: StructureShape, document: Mapping[str, Any]) -> dict[str, Any]:
    """Take what a decoded document has of the shape; what the model does not know is passed over, as AWS does."""
    return {
        name: _in(member, document[name]) for name, member in shape.members.items() if document.get(name) is not None
    }


def _in(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return structure_in(shape, value)
    if isinstance(shape, ListShape):
        return [_in(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _in(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return timestamp(value)
    if shape.type_name == "blob" and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    return _checked(shape, value)


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "string": str, "boolean": bool, "integer": int, "long": int, "float": (int, float), "double": (int, float),
}  # fmt: skip


def _checked(shape: Shape, value: Any) -> Any:
    """Give a value of the shape's type; raises TypeError for any other."""
    kind = _KINDS.get(shape.type_name, object)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool and kind is not object):
        raise TypeError(f"{shape.name} is no {shape.type_name}")
    return value


def _structure_out(shape: StructureShape, values: Mapping[str, Any]) -> dict[str, Any]:
    known(shape, values)
    return {name: _out(shape.members[name], value) for name, value in values.items() if value is not None}


def _out(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return _structure_out(shape, value)
    if isinstance(shape, ListShape):
        return [_out(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _out(shape.value, item) for key, item in value.items()}
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
