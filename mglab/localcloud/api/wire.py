"""The one room for AWS's wire protocols: requests in, answers and refusals out.

Four protocols, told apart by the service's model and the request's headers (aws-facts 4.5):

    ec2     a form in, XML out; lists are ``Name.1``; errors in ``Response/Errors``
    query   the same with ``Name.member.1`` and an ``OpResult`` wrapper: elbv2, autoscaling, sts
    json    JSON 1.0 with ``X-Amz-Target``: cloudwatch from today's clients (older ones send it query)
    cbor    Smithy RPC v2 with the operation in the path: cloudwatch from the newest SDKs

A handler never sees any of it: it takes a dict with AWS's own member names (numbers are numbers, times
are aware datetimes) and returns one. Everything about names and types comes from botocore's models, in one
pass over the shape. A member that is None or absent is left out; one that the model does not know is our
mistake and raises. Of a request, EC2 refuses a parameter that it does not know; the others pass over it.
"""

from __future__ import annotations

import gzip
import re
import secrets
import uuid
import zlib
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any, Literal, NamedTuple

import botocore.session
from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    OperationNotFoundError,
    ServiceModel,
    Shape,
    StructureShape,
)

from mglab.localcloud.api import wire_cbor, wire_constraints, wire_json, wire_query, wire_xml
from mglab.localcloud.api.faults import ApiError, missing_members

SERVICE_OF_SCOPE = {
    "ec2": "ec2",
    "elasticloadbalancing": "elbv2",
    "autoscaling": "autoscaling",
    "monitoring": "cloudwatch",
    "sts": "sts",
    "iam": "iam",
}
"""What a signature's scope calls a service -> what botocore calls it."""
MOST_BODY_BYTES = 4 * 1024 * 1024
Dialect = Literal["xml", "json", "cbor"]
"""In what a request and its answer are written; which kind of XML follows from the service."""
_REQUEST_ID = re.compile(rb"<(request(?:Id|ID)|Request(?:Id|ID))>[^<]*</\1>")


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Request(NamedTuple):
    """One request, read."""

    operation: str
    params: dict[str, Any]
    dialect: Dialect


def parse(service: str, headers: Mapping[str, str], body: bytes, path: str = "/") -> Request:
    """Read a request: which operation, with which parameters; raises ApiError when it cannot be read."""
    body = _decompressed(headers, body)
    dialect = dialect_of(headers)
    if dialect == "xml":
        return _parsed_form(service, wire_query.form(body))
    named = operation_named(headers, path)
    model = _operation(service, named)
    if model is None:
        raise ApiError("UnknownOperationException", "", 400 if dialect == "json" else 404)
    read = wire_json.read if dialect == "json" else wire_cbor.read
    return Request(named, _complete(model, read(model.input_shape, body)), dialect)


def _parsed_form(service: str, form: dict[str, str]) -> Request:
    operation, ec2 = form.get("Action", ""), _protocol(service) == "ec2"
    version = form.get("Version", _model(service).api_version)
    if not operation:
        raise ApiError("MissingAction", "Missing Action")
    model = _operation(service, operation)
    if model is None:
        plain = f"The action {operation} is not valid for this web service."
        coral = f"Could not find operation {operation} for version {version}"
        raise ApiError("InvalidAction", plain if ec2 else coral)
    if version != _model(service).api_version:
        raise ApiError("NoSuchVersion", f"The requested version ({version}) of service {service} does not exist.")
    unknown = wire_query.unknown(model.input_shape, form, ec2=ec2) if ec2 else []
    if unknown:
        raise ApiError("UnknownParameter", f"The parameter {unknown[0]} is not recognized")
    return Request(operation, _complete(model, wire_query.read(model.input_shape, form, ec2=ec2)), "xml")


def answer(service: str, operation: str, result: Mapping[str, Any], dialect: Dialect = "xml") -> Answer:
    """Write what a handler returned."""
    model = _operation(service, operation)
    assert model is not None
    request_id = _request_id()
    if dialect != "xml":
        write = wire_json.write if dialect == "json" else wire_cbor.write
        return _document(dialect, 200, write(model.output_shape, result), request_id)
    namespace = _namespace(service)
    ec2 = _protocol(service) == "ec2"
    text = wire_xml.result(operation, model.output_shape, result, namespace, request_id, ec2=ec2)
    return _xml_answer(200, text, request_id)


def plain(content_type: str, body: bytes) -> Answer:
    """Write a body that is no document of the protocol."""
    return Answer(200, [("Content-Type", content_type), ("x-amzn-RequestId", _request_id())], body)


def with_request_id(answer: Answer) -> Answer:
    """Give an answer that moto wrote a request id of its own."""
    request_id = _request_id()
    body = _REQUEST_ID.sub(rf"<\1>{request_id}</\1>".encode(), answer.body)
    return answer._replace(body=body, headers=[*answer.headers, ("x-amzn-RequestId", request_id)])


def refusal(service: str | None, error: ApiError, dialect: Dialect = "xml", operation: str = "") -> Answer:
    """Write an error; ``service`` is None when it could not be told, ``operation`` empty when it stands in a form."""
    request_id = _request_id()
    if dialect != "xml":
        shape = _error_shape(service, operation, error.code) if service else error.code
        write = wire_json.error if dialect == "json" else wire_cbor.error
        answer = _document(dialect, error.status, write(shape, error.message), request_id)
        fault = "Receiver" if error.status >= 500 else "Sender"
        return answer._replace(headers=[*answer.headers, ("x-amzn-query-error", f"{error.code};{fault}")])
    if service and _protocol(service) == "ec2":
        return _xml_answer(error.status, wire_xml.ec2_error(error.code, error.message, request_id), request_id)
    namespace = _namespace(service) if service else ""
    text = wire_xml.query_error(error.code, error.message, error.status, namespace, request_id)
    return _xml_answer(error.status, text, request_id)


def operation_named(headers: Mapping[str, str], path: str) -> str:
    """Read the operation's name off a request whose body need not be read for it; empty for a form."""
    dialect = dialect_of(headers)
    if dialect == "cbor":
        return wire_cbor.operation_of(path)
    return headers["x-amz-target"].rpartition(".")[2] if dialect == "json" else ""


def dialect_of(headers: Mapping[str, str]) -> Dialect:
    """Say in what a request is written; header names are lower case."""
    if headers.get("smithy-protocol") == wire_cbor.PROTOCOL:
        return "cbor"
    return "json" if "x-amz-target" in headers else "xml"


def _complete(model: OperationModel, params: dict[str, Any]) -> dict[str, Any]:
    """Refuse a request without a parameter that the model requires; a client other than boto3 may send one."""
    shape = model.input_shape
    if model.service_model.service_name in wire_constraints.CHECKED:
        wire_constraints.check(shape, params)
    if shape is None:
        return params
    if _protocol(model.service_model.service_name) == "ec2":
        absent = [name for name in shape.required_members if name not in params]
        if absent:
            raise ApiError("MissingParameter", f"The request must contain the parameter {absent[0]}")
        return params
    absent = _absent(shape, params, "")
    if absent:
        raise missing_members(absent)
    return params


def _absent(shape: Shape, value: Any, where: str) -> list[str]:
    """Name the required members that are not there, at every depth: ``metricData.1.member.metricName``."""
    found: list[str] = []
    if isinstance(shape, StructureShape):
        before = f"{where}." if where else ""
        found = [before + _camel(name) for name in shape.required_members if name not in value]
        for name, one in value.items():
            found += _absent(shape.members[name], one, before + _camel(name))
    elif isinstance(shape, ListShape):
        for number, one in enumerate(value, 1):
            found += _absent(shape.member, one, f"{where}.{number}.member")
    elif isinstance(shape, MapShape):
        for name, one in value.items():
            found += _absent(shape.value, one, f"{where}.{name}.member")
    return found


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _decompressed(headers: Mapping[str, str], body: bytes) -> bytes:
    if headers.get("content-encoding") != "gzip":
        return body
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as stream:
            plain = stream.read(MOST_BODY_BYTES + 1)
    except (OSError, EOFError, zlib.error) as broken:
        raise ApiError("InvalidRequest", "The request body is not valid gzip.") from broken
    if len(plain) > MOST_BODY_BYTES:
        raise ApiError("RequestEntityTooLarge", "The request body is too large.", 413)
    return plain


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@cache
def _operation(service: str, operation: str) -> OperationModel | None:
    try:
        return _model(service).operation_model(operation)
    except OperationNotFoundError:
        return None


@cache
def _protocol(service: str) -> str:
    metadata = _model(service).metadata
    protocols = metadata.get("protocols", [metadata["protocol"]])
    return "ec2" if "ec2" in protocols else "query"


@cache
def _namespace(service: str) -> str:
    return _model(service).metadata.get("xmlNamespace", "")


@cache
def _error_shape(service: str, operation: str, code: str) -> str:
    """Name the model's shape of an error code, which is what clients look up their exception class by.

    Two shapes may share a code; the operation's own come first, then one that is called like the code.
    """
    model = _operation(service, operation)
    own = model.error_shapes if model is not None else []
    others = sorted(_model(service).error_shapes, key=lambda shape: shape.name != code)
    for shape in (*own, *others):
        if shape.metadata.get("error", {}).get("code", shape.name) == code:
            return shape.name
    return code


def _request_id() -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def _xml_answer(status: int, text: str, request_id: str) -> Answer:
    return Answer(status, [("Content-Type", "text/xml;charset=UTF-8"), ("x-amzn-RequestId", request_id)], text.encode())


def _document(dialect: Dialect, status: int, body: bytes, request_id: str) -> Answer:
    headers = [("x-amzn-RequestId", request_id)]
    if dialect == "cbor":
        headers += [("Content-Type", wire_cbor.CONTENT_TYPE), ("smithy-protocol", wire_cbor.PROTOCOL)]
    else:
        headers.append(("Content-Type", "application/x-amz-json-1.0"))
    return Answer(status, headers, body)
