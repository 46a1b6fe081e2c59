"""Only its owner may use a cloud: every request must carry a valid AWS Signature Version 4.

The client signs a canonical form of method, path, query, headers and the body's hash with a key derived from
its secret, the day, the region and the service; we compute the same and compare in constant time. Time is
wall time, within fifteen minutes, because that is what clients sign with whatever the lab's clock says.
A cloud has one access key; a Learner Lab's comes with a session token, and those of its earlier sessions have expired.
Presigned URLs and chunked uploads are left out: nothing here uses them. The words of each refusal are AWS's: aws-facts
3.7 rows 52-53; ec2 has its own.
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


@dataclass(frozen=True)
class Credentials:
    """The one key of a cloud; ``session_token`` is empty for a key that lasts."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""


def scope_of(headers: Mapping[str, str]) -> Scope | None:
    """Read what a request claims; None when it carries no signature that we know."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", "").strip())
    if not found:
        return None
    signed = tuple(found["headers"].split(";"))
    return Scope(found["key"], found["day"], found["region"], found["service"], signed, found["signature"])


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
        scope = scope_of(request.headers)
        if scope is None:
            raise _unsigned(request.headers)
        ec2 = scope.service == "ec2"
        keys = self._keys_of(scope, request.headers, ec2)
        self._check_scope(scope, ec2)
        signed_at = request.headers.get("x-amz-date", "")
        self._check_date(signed_at, scope, ec2)
        if not hmac.compare_digest(_signature(request, scope, signed_at, keys), scope.signature):
            raise _wrong_signature(ec2)
        if keys != self.credentials:
            raise _session_over(ec2)
        return scope

    def _keys_of(self, scope: Scope, headers: Mapping[str, str], ec2: bool) -> Credentials:
        claimed = f"{scope.access_key_id}\n{headers.get('x-amz-security-token', '')}".encode()
        for keys in (self.credentials, *self.expired):
            if hmac.compare_digest(claimed, f"{keys.access_key_id}\n{keys.session_token}".encode()):
                return keys
        raise _unknown_key(ec2)

    def _check_scope(self, scope: Scope, ec2: bool) -> None:
        if scope.region != self.region and not self.any_region:
            message = f"Credential should be scoped to a valid region, not '{scope.region}'. "
            raise ApiError("AuthFailure" if ec2 else "SignatureDoesNotMatch", message, FORBIDDEN)
        if not {"host", "x-amz-date"} <= set(scope.signed_headers):
            raise _wrong_signature(ec2)

    def _check_date(self, signed_at: str, scope: Scope, ec2: bool) -> None:
        try:
            moment = datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise _wrong_signature(ec2) from None
        if not signed_at.startswith(scope.day):
            raise _wrong_signature(ec2)
        if abs(moment.timestamp() - self.wall()) > CLOCK_SKEW_S:
            raise _expired(signed_at, self.wall(), ec2)


def _signature(request: HttpRequest, scope: Scope, signed_at: str, keys: Credentials) -> str:
    canonical = canonical_request(request, scope.signed_headers)
    named = f"{scope.day}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join((ALGORITHM, signed_at, named, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in (scope.day, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def canonical_request(request: HttpRequest, signed_headers: tuple[str, ...]) -> str:
    """Write a request in the one form that both sides sign."""
    query = parse_qsl(request.query, keep_blank_values=True)
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in query)
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
    if headers.get("authorization"):
        return ApiError("IncompleteSignature", "Authorization header is not a valid AWS4-HMAC-SHA256 one.", FORBIDDEN)
    return ApiError("MissingAuthenticationToken", "Request is missing Authentication Token", FORBIDDEN)


def _unknown_key(ec2: bool) -> ApiError:
    if ec2:
        return ApiError("AuthFailure", "AWS was not able to validate the provided access credentials", FORBIDDEN)
    return ApiError("InvalidClientTokenId", "The security token included in the request is invalid.", FORBIDDEN)


def _session_over(ec2: bool) -> ApiError:
    if ec2:
        return ApiError("RequestExpired", "Request has expired.", FORBIDDEN)
    return ApiError("ExpiredToken", "The security token included in the request is expired", FORBIDDEN)


def _wrong_signature(ec2: bool) -> ApiError:
    if ec2:
        return ApiError("AuthFailure", "AWS was not able to validate the provided access credentials", FORBIDDEN)
    message = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
        "Access Key and signing method. Consult the service documentation for details."
    )
    return ApiError("SignatureDoesNotMatch", message, FORBIDDEN)


def _expired(signed_at: str, wall: float, ec2: bool) -> ApiError:
    if ec2:
        return ApiError("RequestExpired", "Request has expired.", FORBIDDEN)
    here = datetime.fromtimestamp(wall, UTC).strftime("%Y%m%dT%H%M%SZ")
    message = f"Signature expired: {signed_at} is too far from {here} (15 min. are allowed)."
    return ApiError("SignatureDoesNotMatch", message, FORBIDDEN)
