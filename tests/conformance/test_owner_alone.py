"""Only its owner may use a cloud: another user of the same machine can neither call it nor read its secret.

Running as root, the tests become that other user (``nobody``); an ordinary user cannot, and the tests say so.
"""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.local.cloud_under_test import Cloud, command_of, family

NOBODY = 65534
READABLE = 'for name; do if [ -r "$name" ]; then printf "%s\\n" "$name"; fi; done'
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def readable_by_another(*paths: Path) -> list[str]:
    """Have another user look at these; give those that it could open."""
    done = subprocess.run(
        ["/bin/sh", "-c", READABLE, "sh", *map(str, paths)], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
        capture_output=True, text=True, check=True, env={},
    )  # fmt: skip
    return done.stdout.splitlines()


def asked(cloud: Cloud, headers: dict[str, str]) -> tuple[int, str]:
    """Ask for an action that would cost something, signed or not; give the status and what was said."""
    body = b"Action=CreateVpc&CidrBlock=10.0.0.0%2F16&Version=2016-11-15"
    request = urllib.request.Request(cloud.state["endpoint"], body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@as_root
def test_another_user_can_open_nothing_of_it(cloud: Cloud) -> None:
    hidden = [cloud.directory, *sorted(cloud.directory.rglob("*"))[:200], Path(cloud.state["resolver"])]
    assert readable_by_another(*hidden) == []
    assert readable_by_another(Path("/etc/passwd")) == ["/etc/passwd"], "it can read what is everybody's"


@as_root
def test_another_user_sees_no_secret_in_its_processes(cloud: Cloud) -> None:
    pids = list(family(cloud))
    secret = cloud.state["secret_access_key"]
    assert pids and not [pid for pid in pids if secret in command_of(pid)]
    assert readable_by_another(*(Path(f"/proc/{pid}/environ") for pid in pids)) == []


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "AWS4-HMAC-SHA256 Credential={key}/20261126/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0123",
        "AWS4-HMAC-SHA256 nonsense",
        "Basic bm9ib2R5Om5vYm9keQ==",
    ],
    ids=["none", "forged", "malformed", "of another kind"],
)
def test_without_a_valid_signature_nothing_is_done(cloud: Cloud, authorization: str) -> None:
    ec2 = cloud.client("ec2")
    before = ec2.describe_vpcs()["Vpcs"]
    told = authorization.format(key=cloud.state["access_key_id"])
    status, said = asked(cloud, {"Authorization": told, "X-Amz-Date": "20261126T000000Z"} if told else {})
    assert status in (400, 401, 403) and "<Vpc" not in said
    assert ec2.describe_vpcs()["Vpcs"] == before


@pytest.mark.parametrize("header", [{"Host": "musicguru.example"}, {"Origin": "https://musicguru.example"}])
def test_a_foreign_host_or_a_web_page_is_refused_whatever_it_brings(cloud: Cloud, header: dict[str, str]) -> None:
    status, said = asked(cloud, header)
    assert status == 403 and "AccessDenied" in said
