"""Answers of the query and ec2 protocols, written as XML in one pass over the output shape.

The two differ in their envelope only. Times are ISO 8601 in UTC with milliseconds, truth is ``true`` or
``false``, a list is wrapped (``<subnetSet><item>``) unless its shape is flattened.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import ListShape, MapShape, Shape, StructureShape

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def result(
    operation: str,
    shape: StructureShape | None,
    values: Mapping[str, Any],
    namespace: str,
    request_id: str,
    *,
    ec2: bool,
) -> str:
    """Write an operation's result in its envelope."""
    out: list[str] = []
    if shape is not None:
        structure(out, shape, values)
    body = "".join(out)
    if ec2:
        inner = f"<requestId>{request_id}</requestId>{body}"
    else:
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        wrapped = f"<{wrapper}>{body}</{wrapper}>" if wrapper else body
        inner = f"{wrapped}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    return f'{DECLARATION}<{operation}Response xmlns="{namespace}">{inner}</{operation}Response>'


def query_error(code: str, message: str, status: int, namespace: str, request_id: str) -> str:
    """Write an error of the query protocol."""
    fault = "Receiver" if status >= 500 else "Sender"
    error = f"<Type>{fault}</Type><Code>{text(code)}</Code><Message>{text(message)}</Message>"
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return (
        f"{DECLARATION}<ErrorResponse{attribute}><Error>{error}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def ec2_error(code: str, message: str, request_id: str) -> str:
    """Write an error of the ec2 protocol."""
    error = f"<Code>{text(code)}</Code><Message>{text(message)}</Message>"
    return (
        f"{DECLARATION}<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    )


def structure(out: list[str], shape: StructureShape, values: Mapping[str, Any]) -> None:
    """Write the members that are there, in the model's order."""
    members = shape.members
    known(shape, values)
    for name, member in members.items():
        value = values.get(name)
        if value is not None:
            _element(out, member, str(member.serialization.get("name", name)), value)


def known(shape: StructureShape, values: Mapping[str, Any]) -> None:
    """Raise when a result has a member that the model does not: a handler's slip, never a client's."""
    unknown = [name for name in values if name not in shape.members]
    if unknown:
        raise ValueError(f"{shape.name} has no member {', '.join(sorted(unknown))}")


def _element(out: list[str], shape: Shape, name: str, value: Any) -> None:
    if isinstance(shape, ListShape):
        _list(out, shape, name, value)
    elif isinstance(shape, StructureShape):
        out.append(f"<{name}>")
        structure(out, shape, value)
        out.append(f"</{name}>")
    elif isinstance(shape, MapShape):
        _map(out, shape, name, value)
    else:
        out.append(f"<{name}>{scalar(shape, value)}</{name}>")


def _list(out: list[str], shape: ListShape, name: str, values: Any) -> None:
    if shape.serialization.get("flattened"):
        item = str(shape.member.serialization.get("name", name))
        for value in values:
            _element(out, shape.member, item, value)
        return
    item = str(shape.member.serialization.get("name", "member"))
    out.append(f"<{name}>")
    for value in values:
        _element(out, shape.member, item, value)
    out.append(f"</{name}>")


def _map(out: list[str], shape: MapShape, name: str, values: Mapping[str, Any]) -> None:
    key_name = str(shape.key.serialization.get("name", "key"))
    value_name = str(shape.value.serialization.get("name", "value"))
    flattened = shape.serialization.get("flattened")
    entry = name if flattened else "entry"
    if not flattened:
        out.append(f"<{name}>")
    for key, value in values.items():
        out.append(f"<{entry}><{key_name}>{text(str(key))}</{key_name}>")
        _element(out, shape.value, value_name, value)
        out.append(f"</{entry}>")
    if not flattened:
        out.append(f"</{name}>")


def scalar(shape: Shape, value: Any) -> str:
    """Write one value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return iso8601(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return text(str(value))


def iso8601(moment: datetime) -> str:
    """Write a time as AWS does: 2023-09-16T04:04:00.000Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def text(value: str) -> str:
    """Escape a string; what XML cannot carry becomes the replacement character."""
    return escape(_NOT_XML.sub("\ufffd", value))
