"""Requests written by hand: signed or not, in every protocol, over a plain HTTP connection."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.local.cloud_under_test import Cloud

FORM = "application/x-www-form-urlencoded; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    body: bytes
    headers: http.client.HTTPMessage

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def send(
    cloud: Cloud, method: str, path: str, headers: Mapping[str, str], body: bytes | Iterable[bytes] | None = None
) -> Reply:
    """Send one request as it stands."""
    place = urlsplit(cloud.state["endpoint"])
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
    connection.request(method, path, body, dict(headers), encode_chunked=not isinstance(body, bytes | None))
    response = connection.getresponse()
    reply = Reply(response.status, response.read(), response.headers)
    connection.close()
    return reply


def credentials(cloud: Cloud, **changes: str) -> Credentials:
    """Give the owner's key, or one that is wrong in a part."""
    state = {**cloud.state, **changes}
    return Credentials(state["access_key_id"], state["secret_access_key"], changes.get("token"))


def signed(
    cloud: Cloud, service: str, body: bytes, path: str = "/", key: Credentials | None = None, region: str = "us-east-1",
    **more: str,
) -> dict[str, str]:  # fmt: skip
    """Give the headers of a POST signed by the owner."""
    headers = {"Content-Type": FORM, **{name.replace("_", "-"): value for name, value in more.items()}}
    request = AWSRequest("POST", cloud.state["endpoint"] + path, headers=headers, data=body)
    SigV4Auth(key or credentials(cloud), service, region).add_auth(request)
    return dict(request.headers.items())


def call(cloud: Cloud, service: str, action: str, version: str, **params: str) -> Reply:
    """Call an action with a form, as an older SDK does."""
    body = urlencode({"Action": action, "Version": version, **params}).encode()
    return send(cloud, "POST", "/", signed(cloud, service, body), body)


def presigned(cloud: Cloud, service: str, query: str, holds_s: int = 60, key: Credentials | None = None) -> str:
    """Give the path of a GET that carries its signature in its query."""
    request = AWSRequest("GET", f"{cloud.state['endpoint']}/?{query}")
    SigV4QueryAuth(key or credentials(cloud), service, "us-east-1", expires=holds_s).add_auth(request)
    return "/?" + urlsplit(str(request.url)).query


def at_another_time(patch: pytest.MonkeyPatch, minutes: float) -> datetime:
    """Let requests be signed by a clock that is so many minutes ahead of ours; give what it shows."""
    shown = datetime.now(UTC) + timedelta(minutes=minutes)
    patch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: shown.replace(tzinfo=None))
    return shown
