"""The one room for AWS's wire protocols: requests in, answers and refusals out.

Three protocols, told apart by the service's model and the request's headers (aws-facts 4.5):

    ec2     a form in, XML out; lists are ``Name.1``; errors in ``Response/Errors``
    query   the same with ``Name.member.1`` and an ``OpResult`` wrapper: elbv2, autoscaling, sts
    json    JSON 1.0 with ``X-Amz-Target``: cloudwatch from today's clients (older ones send it query)

A handler never sees any of it: it takes a dict with AWS's own member names (numbers are numbers, times
are aware datetimes) and returns one. Everything about names and types comes from botocore's models, in one
pass over the shape. A member that is None or absent is left out; one that the model does not know is our
mistake and raises. The CBOR protocol is left out: no client of ours chooses it.
"""

from __future__ import annotations

import gzip
import secrets
import uuid
import zlib
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple

import botocore.session
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel

from mglab.localcloud.api import wire_json, wire_query, wire_xml
from mglab.localcloud.api.faults import ApiError

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


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Request(NamedTuple):
    """One request, read."""

    operation: str
    params: dict[str, Any]
    json: bool


def parse(service: str, headers: Mapping[str, str], body: bytes) -> Request:
    """Read a request: which operation, with which parameters; raises ApiError when it cannot be read."""
    body = _decompressed(headers, body)
    if speaks_json(headers):
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        model = _operation(service, operation)
        return Request(operation, _complete(model, wire_json.read(model.input_shape, body)), True)
    form = wire_query.form(body)
    operation = form.get("Action", "")
    model = _operation(service, operation)
    version = form.get("Version", _model(service).api_version)
    if version != _model(service).api_version:
        raise ApiError("NoSuchVersion", f"The requested version ({version}) of service {service} does not exist.")
    params = wire_query.read(model.input_shape, form, ec2=_protocol(service) == "ec2")
    return Request(operation, _complete(model, params), False)


def answer(service: str, operation: str, result: Mapping[str, Any], *, json: bool = False) -> Answer:
    """Write what a handler returned."""
    model = _operation(service, operation)
    request_id = _request_id()
    if json:
        return _json_answer(200, wire_json.write(model.output_shape, result), request_id)
    namespace = _namespace(service)
    ec2 = _protocol(service) == "ec2"
    return _xml_answer(200, wire_xml.result(operation, model.output_shape, result, namespace, request_id, ec2=ec2))


def plain(content_type: str, body: bytes) -> Answer:
    """Write a body that is no document of the protocol."""
    return Answer(200, [("Content-Type", content_type), ("x-amzn-RequestId", _request_id())], body)


def refusal(service: str | None, error: ApiError, *, json: bool = False) -> Answer:
    """Write an error; ``service`` is None when it could not be told."""
    request_id = _request_id()
    if json:
        shape = _error_shape(service, error.code) if service else error.code
        answer = _json_answer(error.status, wire_json.error(shape, error.message), request_id)
        fault = "Receiver" if error.status >= 500 else "Sender"
        return answer._replace(headers=[*answer.headers, ("x-amzn-query-error", f"{error.code};{fault}")])
    if service and _protocol(service) == "ec2":
        return _xml_answer(error.status, wire_xml.ec2_error(error.code, error.message, request_id))
    namespace = _namespace(service) if service else ""
    text = wire_xml.query_error(error.code, error.message, error.status, namespace, request_id)
    return _xml_answer(error.status, text)


def speaks_json(headers: Mapping[str, str]) -> bool:
    """Say whether a request is in the JSON protocol; header names are lower case."""
    return "x-amz-target" in headers


def _complete(model: OperationModel, params: dict[str, Any]) -> dict[str, Any]:
    """Refuse a request without a parameter that the model requires; a client other than boto3 may send one."""
    shape = model.input_shape
    absent = [name for name in shape.required_members if name not in params] if shape is not None else []
    if not absent:
        return params
    if _protocol(model.service_model.service_name) == "ec2":
        raise ApiError("MissingParameter", f"The request must contain the parameter {absent[0]}")
    what = (
        f"Value null at '{absent[0][0].lower()}{absent[0][1:]}' failed to satisfy constraint: Member must not be null"
    )
    raise ApiError("ValidationError", f"1 validation error detected: {what}")


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
def _operation(service: str, operation: str) -> OperationModel:
    try:
        return _model(service).operation_model(operation)
    except OperationNotFoundError:
        message = f"The action {operation} is not valid for this web service." if operation else "Missing Action"
        raise ApiError("InvalidAction" if operation else "MissingAction", message) from None


@cache
def _protocol(service: str) -> str:
    metadata = _model(service).metadata
    protocols = metadata.get("protocols", [metadata["protocol"]])
    return "ec2" if "ec2" in protocols else "query"


@cache
def _namespace(service: str) -> str:
    return _model(service).metadata.get("xmlNamespace", "")


@cache
def _error_shape(service: str, code: str) -> str:
    """Name the model's shape of an error code, which is what JSON clients look up their exception class by."""
    for shape in _model(service).error_shapes:
        if shape.metadata.get("error", {}).get("code", shape.name) == code:
            return shape.name
    return code


def _request_id() -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def _xml_answer(status: int, text: str) -> Answer:
    return Answer(status, [("Content-Type", "text/xml;charset=UTF-8")], text.encode())


def _json_answer(status: int, body: bytes, request_id: str) -> Answer:
    return Answer(status, [("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-RequestId", request_id)], body)
