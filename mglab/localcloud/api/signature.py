"""Only its owner may use a cloud: every request must carry a valid AWS Signature Version 4.

The client signs a canonical form of method, path, query, headers and the body's hash with a key derived from
its secret, the day, the region and the service; we compute the same and compare in constant time. Time is
wall time, within fifteen minutes, because that is what clients sign with whatever the lab's clock says. A presigned
URL carries the same in its query, and says itself for how long it holds. A cloud has one access key; it may come with a
session token, and those of sessions that are over have expired. The words of each refusal are AWS's: aws-facts 3.7
rows 52-53; ec2 has its own, and its own status codes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

from mglab.localcloud.api.faults import ApiError

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW_S = 15 * 60.0  # what AWS allows between a request's date and its own
FORBIDDEN = 403
UNAUTHORIZED = 401
BAD = 400
LONGEST_PRESIGNED_S = 7 * 86400.0
_CREDENTIAL = re.compile(r"([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request")
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM}\s+Credential=(?P<key>[^/,\s]+)/(?P<day>\d{{8}})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)/aws4_request"
    r"\s*,\s*SignedHeaders=(?P<headers>[a-z0-9;_-]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class HttpRequest(NamedTuple):
    """A request as it came; header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Scope(NamedTuple):
    """Who signed, for what."""

    access_key_id: str
    day: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    at: str
    """When it was signed, as the client wrote it."""
    holds_s: float | None = None
    """For how long a presigned URL holds; None for a request that was signed for now."""


@dataclass(frozen=True)
class Credentials:
    """The one key of a cloud; ``session_token`` is empty for a key that lasts."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""


def scope_of(headers: Mapping[str, str], query: str = "") -> Scope | None:
    """Read what a request claims, in its header or its query; None when it carries no signature that we know."""
    if "authorization" not in headers and "X-Amz-Signature=" in query:
        return _presigned(dict(parse_qsl(query, keep_blank_values=True)))
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", "").strip())
    if not found:
        return None
    signed = tuple(found["headers"].split(";"))
    return Scope(
        found["key"], found["day"], found["region"], found["service"], signed, found["signature"],
        headers.get("x-amz-date", ""),
    )  # fmt: skip


def _presigned(fields: Mapping[str, str]) -> Scope | None:
    credential = _CREDENTIAL.fullmatch(fields.get("X-Amz-Credential", ""))
    holds = fields.get("X-Amz-Expires", "")
    if fields.get("X-Amz-Algorithm") != ALGORITHM or credential is None or not holds.isdecimal():
        return None
    signed = tuple(fields.get("X-Amz-SignedHeaders", "").split(";"))
    key, day, region, service = credential.groups()
    at, signature = fields.get("X-Amz-Date", ""), fields["X-Amz-Signature"]
    return Scope(key, day, region, service, signed, signature, at, float(holds))


@dataclass
class Verifier:
    """Checks requests against a cloud's key; ``wall`` gives real seconds since 1970."""

    credentials: Credentials
    region: str
    wall: Callable[[], float]
    expired: tuple[Credentials, ...] = ()
    """Those of sessions that are over."""
    any_region: bool = False
    """Whether a policy, not the key, says where requests may be made."""

    def check(self, request: HttpRequest) -> Scope:
        """Give the scope of a request signed by the owner; raises ApiError for any other."""
        scope = scope_of(request.headers, request.query)
        if scope is None:
            raise _unsigned(request.headers)
        ec2 = scope.service == "ec2"
        keys = self._keys_of(scope, request, ec2)
        self._check_scope(scope, ec2)
        self._check_date(scope, ec2)
        if not hmac.compare_digest(_signature(request, scope, keys), scope.signature):
            raise _wrong_signature(ec2)
        if keys != self.credentials:
            raise _session_over(ec2)
        return scope

    def _keys_of(self, scope: Scope, request: HttpRequest, ec2: bool) -> Credentials:
        claimed = f"{scope.access_key_id}\n{_token(request)}".encode()
        for keys in (self.credentials, *self.expired):
            if hmac.compare_digest(claimed, f"{keys.access_key_id}\n{keys.session_token}".encode()):
                return keys
        raise _unknown_key(ec2)

    def _check_scope(self, scope: Scope, ec2: bool) -> None:
        if scope.region != self.region and not self.any_region:
            message = f"Credential should be scoped to a valid region, not '{scope.region}'. "
            raise ApiError("SignatureDoesNotMatch", message, FORBIDDEN) if not ec2 else _wrong_signature(ec2)
        must_sign = {"host"} if scope.holds_s is not None else {"host", "x-amz-date"}
        if not must_sign <= set(scope.signed_headers):
            raise _wrong_signature(ec2)

    def _check_date(self, scope: Scope, ec2: bool) -> None:
        try:
            moment = datetime.strptime(scope.at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise _wrong_signature(ec2) from None
        if not scope.at.startswith(scope.day):
            raise _wrong_day(scope, ec2)
        now = self.wall()
        if moment - now > CLOCK_SKEW_S:
            raise _too_early(scope.at, now, ec2)
        holds_s = CLOCK_SKEW_S if scope.holds_s is None else min(scope.holds_s, LONGEST_PRESIGNED_S)
        if now - moment > holds_s:
            raise _expired(scope.at, now, holds_s, ec2)


def _token(request: HttpRequest) -> str:
    """Give the session token that a request carries, in a header or in its query."""
    in_query = dict(parse_qsl(request.query)) if "X-Amz-Security-Token=" in request.query else {}
    return request.headers.get("x-amz-security-token") or in_query.get("X-Amz-Security-Token", "")


def _signature(request: HttpRequest, scope: Scope, keys: Credentials) -> str:
    canonical = canonical_request(request, scope.signed_headers)
    named = f"{scope.day}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join((ALGORITHM, scope.at, named, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in (scope.day, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def canonical_request(request: HttpRequest, signed_headers: tuple[str, ...]) -> str:
    """Write a request in the one form that both sides sign."""
    query = parse_qsl(request.query, keep_blank_values=True)
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in query if name != "X-Amz-Signature")
    headers = [f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed_headers]
    return "\n".join(
        (
            request.method,
            quote(quote(unquote(request.path) or "/", safe="/~"), safe="/~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(headers),
            ";".join(signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _unsigned(headers: Mapping[str, str]) -> ApiError:
    given = headers.get("authorization", "")
    if not given:
        return ApiError("MissingAuthenticationToken", "Request is missing Authentication Token", FORBIDDEN)
    wanting = [name for name in ("Credential", "Signature", "SignedHeaders") if f"{name}=" not in given]
    told = [f"Authorization header requires '{name}' parameter." for name in wanting]
    if "x-amz-date" not in headers and "date" not in headers:
        told.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    return ApiError("IncompleteSignature", " ".join([*told, f"Authorization={given}"]), BAD)


def _unknown_key(ec2: bool) -> ApiError:
    if ec2:
        return _wrong_signature(ec2)
    return ApiError("InvalidClientTokenId", "The security token included in the request is invalid.", FORBIDDEN)


def _session_over(ec2: bool) -> ApiError:
    if ec2:
        return ApiError("RequestExpired", "Request has expired.", BAD)
    return ApiError("ExpiredToken", "The security token included in the request is expired", FORBIDDEN)


def _wrong_signature(ec2: bool) -> ApiError:
    if ec2:
        return ApiError("AuthFailure", "AWS was not able to validate the provided access credentials", UNAUTHORIZED)
    message = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
        "Access Key and signing method. Consult the service documentation for details."
    )
    return ApiError("SignatureDoesNotMatch", message, FORBIDDEN)


def _wrong_day(scope: Scope, ec2: bool) -> ApiError:
    if ec2:
        return _wrong_signature(ec2)
    message = (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        f"'{scope.day}' != '{scope.at[:8]}', from '{scope.at}'."
    )
    return ApiError("SignatureDoesNotMatch", message, FORBIDDEN)


def _too_early(signed_at: str, wall: float, ec2: bool) -> ApiError:
    if ec2:
        return _wrong_signature(ec2)
    here, bound = _stamp(wall), _stamp(wall + CLOCK_SKEW_S)
    message = f"Signature not yet current: {signed_at} is still later than {bound} ({here} + 15 min.)"
    return ApiError("SignatureDoesNotMatch", message, FORBIDDEN)


def _expired(signed_at: str, wall: float, holds_s: float, ec2: bool) -> ApiError:
    if ec2:
        return ApiError("RequestExpired", "Request has expired.", BAD)
    here, bound = _stamp(wall), _stamp(wall - holds_s)
    message = f"Signature expired: {signed_at} is now earlier than {bound} ({here} - {holds_s / 60:g} min.)"
    return ApiError("SignatureDoesNotMatch", message, FORBIDDEN)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
