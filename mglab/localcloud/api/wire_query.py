"""Forms of the query and ec2 protocols, read into a handler's parameters.

A form is flat: ``NetworkInterface.1.SubnetId=subnet-1``. It is folded into a tree by its dots, then the
operation's input shape is walked once beside the tree. The two protocols differ in names only: ec2 takes
``queryName`` or the capitalised location name and numbers list items directly (``Name.1``), query puts
``member`` between (``Name.member.1``) unless the list is flattened.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

from mglab.localcloud.api.faults import ApiError

Tree = dict[str, Any]
LEAF = ""
"""Where a node keeps its own text: a name may be both a value and a prefix."""


def form(body: bytes) -> dict[str, str]:
    """Decode a form's body; what a presigned URL adds to it is no part of it."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=False)
        return {name: text for name, text in pairs if not name.startswith("X-Amz-")}
    except (UnicodeDecodeError, ValueError) as broken:
        raise ApiError("MalformedQueryString", "The query string contains a syntax error.") from broken


def read(shape: StructureShape | None, fields: dict[str, str], *, ec2: bool) -> dict[str, Any]:
    """Read a form as the parameters that the shape describes."""
    if shape is None:
        return {}
    tree: Tree = {}
    for name, text in fields.items():
        node = tree
        for part in name.split("."):
            node = node.setdefault(part, {})
        node[LEAF] = text
    return _Reader(ec2).structure(shape, tree)


def unknown(shape: StructureShape | None, fields: dict[str, str], *, ec2: bool) -> list[str]:
    """Name the parameters of a form that the shape does not know, in order, as far as the first dot."""
    names = dict.fromkeys(name.partition(".")[0] for name in fields)
    known = {"Action", "Version"} | _Reader(ec2).names(shape)
    return [name for name in names if name not in known]


class _Reader:
    """One protocol's way to find a member below a node."""

    def __init__(self, ec2: bool) -> None:
        self._ec2 = ec2

    def value(self, shape: Shape, node: Tree, where: str) -> Any:
        if isinstance(shape, StructureShape):
            return self.structure(shape, node)
        if isinstance(shape, ListShape):
            return self._list(shape, node, where)
        if isinstance(shape, MapShape):
            return self._map(shape, node, where)
        return scalar(shape, node.get(LEAF, ""), where)

    def structure(self, shape: StructureShape, node: Tree) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            wire_name = self._name(member, name)
            if isinstance(member, ListShape) and self._flattened_under_member(member):
                wire_name = member.member.serialization["name"]
            if wire_name in node:
                found[name] = self.value(member, node[wire_name], name)
        return found

    def names(self, shape: StructureShape | None) -> set[str]:
        """Give the names that the shape's members have on the wire."""
        return set() if shape is None else {self._name(member, name) for name, member in shape.members.items()}

    def _list(self, shape: ListShape, node: Tree, where: str) -> list[Any]:
        if not self._ec2 and not shape.serialization.get("flattened"):
            node = node.get(shape.member.serialization.get("name", "member"), {})
        return [self.value(shape.member, item, where) for item in _numbered(node)]

    def _map(self, shape: MapShape, node: Tree, where: str) -> dict[str, Any]:
        if not shape.serialization.get("flattened"):
            node = node.get("entry", {})
        key, value = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
        return {
            item.get(key, {}).get(LEAF, ""): self.value(shape.value, item.get(value, {}), where)
            for item in _numbered(node)
        }

    def _name(self, member: Shape, default: str) -> str:
        if not self._ec2:
            return str(member.serialization.get("name", default))
        name = str(member.serialization.get("queryName") or member.serialization.get("name", default))
        return name[0].upper() + name[1:] if "queryName" not in member.serialization else name

    def _flattened_under_member(self, member: ListShape) -> bool:
        return bool(not self._ec2 and member.serialization.get("flattened") and member.member.serialization.get("name"))


def _numbered(node: Tree) -> list[Tree]:
    return [node[number] for number in sorted((part for part in node if part.isdigit()), key=int)]


def scalar(shape: Shape, text: str, where: str) -> Any:
    """Read one value's text as the shape's type; raises ApiError when it is none."""
    try:
        return _READERS.get(shape.type_name, str)(text)
    except (ValueError, binascii.Error) as wrong:
        message = f"Value ({text}) for parameter {where} is invalid. Expected a {shape.type_name}."
        raise ApiError("InvalidParameterValue", message) from wrong


def timestamp(text: str | float) -> datetime:
    """Read a time in any form that AWS clients send; without a zone it is UTC."""
    moment = parse_timestamp(text)  # type: ignore[arg-type]
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_READERS: dict[str, Any] = {
    "boolean": _boolean,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "timestamp": timestamp,
    "blob": lambda text: base64.b64decode(text, validate=True),
}
