"""The door of a cloud: one WSGI application for every AWS service.

A request passes four doormen before a handler sees it: it must name this host, come from no web page, be
signed by the owner (RunInstances executes code), and be one that AWS's model knows. Then the one lock is
taken, a fifth (``doorman``) looks at the account's conditions, and the handler is called; what it defers is finished
when the lock is free again. A service is an object, or several (``pages``), whose methods are the snake_case of the
operations; a refusal is an ApiError. Where there is no such method, or it has looked and returned None, the fallback
(moto) answers. Whatever else a handler raises is our mistake: the client gets ``InternalFailure``, the log gets the
traceback.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any, Protocol

from botocore import xform_name

from mglab.localcloud.api import wire
from mglab.localcloud.api.deferred import Deferred, Plain
from mglab.localcloud.api.doorman import Doorman
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.signature import HttpRequest, Verifier, scope_of

log = logging.getLogger(__name__)

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Handler = Callable[[dict[str, Any]], Mapping[str, Any] | Deferred | None]


class Fallback(Protocol):
    """Answers operations that no page of ours has."""

    def __call__(self, service: str, operation: str, request: HttpRequest) -> wire.Answer | None:
        """Answer one request, or give None when it does not answer this operation."""


def application(
    services: Mapping[str, object],
    lock: AbstractContextManager[Any],
    verifier: Verifier,
    fallback: Fallback | None = None,
    doorman: Doorman | None = None,
    keep: Callable[[str], None] = lambda operation: None,
) -> Application:
    """Make the WSGI application; ``services`` maps botocore's service names to handlers.

    ``keep`` is told of each operation that was carried out, and its answer goes out when it returns.
    """

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = _respond(environ, services, lock, verifier, fallback, doorman, keep)
        headers = [*answer.headers, ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.body]

    return app


def _respond(
    environ: Environ,
    services: Mapping[str, object],
    lock: AbstractContextManager[Any],
    verifier: Verifier,
    fallback: Fallback | None,
    doorman: Doorman | None,
    keep: Callable[[str], None],
) -> wire.Answer:
    headers = request_headers(environ)
    dialect = wire.dialect_of(headers)
    claimed = scope_of(headers, environ.get("QUERY_STRING", ""))
    service = wire.SERVICE_OF_SCOPE.get(claimed.service) if claimed else None
    named = wire.operation_named(headers, environ.get("PATH_INFO", "/"))
    try:
        request = _admitted(environ, headers, verifier)
        if service is None or claimed is None:
            raise ApiError("UnknownService", f"This cloud has no service {claimed.service if claimed else ''}.")
        with lock:
            operation, answer = _dispatched(service, claimed.region, request, services, fallback, doorman)
        keep(operation)
        return answer if isinstance(answer, wire.Answer) else answer()
    except ApiError as error:
        return wire.refusal(service, error, dialect, named)
    except Exception:
        log.exception("a handler of %s failed", service)
        failure = ApiError("InternalFailure", "An internal error has occurred; the cloud's log has it.", 500)
        return wire.refusal(service, failure, dialect, named)


def _admitted(environ: Environ, headers: Mapping[str, str], verifier: Verifier) -> HttpRequest:
    """Read a request that its owner sent to this very host; raises ApiError for any other."""
    port = environ.get("SERVER_PORT", "")
    if headers.get("host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        raise ApiError("AccessDenied", "This endpoint answers to its own loopback address only.", 403)
    if "origin" in headers:
        raise ApiError("AccessDenied", "This endpoint does not answer to web pages.", 403)
    path, query = environ.get("PATH_INFO", "/"), environ.get("QUERY_STRING", "")
    request = HttpRequest(environ["REQUEST_METHOD"], path, query, headers, _body(environ))
    verifier.check(request)
    if request.method == "GET":
        request = request._replace(body=request.query.encode())
    return request


def _dispatched(
    service: str,
    region: str,
    request: HttpRequest,
    services: Mapping[str, object],
    fallback: Fallback | None,
    doorman: Doorman | None,
) -> tuple[str, wire.Answer | Callable[[], wire.Answer]]:
    """Call the handler; give the operation and its answer, or what makes that outside of the lock."""
    asked = wire.parse(service, request.headers, request.body, request.path)
    if doorman is None:
        return asked.operation, _handled(service, asked, request, services, fallback)
    doorman.admit(service, asked.operation, asked.params, region)
    answer = _handled(service, asked, request, services, fallback)
    if isinstance(answer, wire.Answer):
        doorman.note(service, asked.operation, answer.body)
    return asked.operation, answer


def _handled(
    service: str,
    asked: wire.Request,
    request: HttpRequest,
    services: Mapping[str, object],
    fallback: Fallback | None,
) -> wire.Answer | Callable[[], wire.Answer]:
    operation, params, dialect = asked
    handler = find_handler(services.get(service), operation)
    result = handler(params) if handler is not None else None
    if isinstance(result, Deferred):
        return lambda: _finished(service, operation, result, dialect)
    if result is not None:
        return wire.answer(service, operation, result, dialect)
    answer = fallback(service, operation, request) if fallback else None
    if answer is None:
        raise ApiError("InvalidAction", f"The local cloud does not answer {operation} of {service}.")
    return wire.with_request_id(answer)


def _finished(service: str, operation: str, deferred: Deferred, dialect: wire.Dialect) -> wire.Answer:
    result = deferred.finish()
    if isinstance(result, Plain):
        return wire.plain(result.content_type, result.body)
    return wire.answer(service, operation, result, dialect)


def find_handler(service: object | None, operation: str) -> Handler | None:
    """Find the method that answers an operation."""
    name = xform_name(operation)
    for page in getattr(service, "pages", (service,)):
        handler = getattr(page, name, None)
        if callable(handler):
            found: Handler = handler
            return found
    return None


def request_headers(environ: Environ) -> dict[str, str]:
    """Give a request's headers, their names in lower case."""
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


def _body(environ: Environ) -> bytes:
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise ApiError("InvalidRequest", "Content-Length is not a number.") from None
    if length < 0 or length > wire.MOST_BODY_BYTES:
        raise ApiError("RequestEntityTooLarge", "The request body is too large.", 413)
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    return body
