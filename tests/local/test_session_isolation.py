"""Backend ``local`` talks to the local cloud only, whatever the environment says about AWS."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from mglab import session
from mglab.errors import CloudUnavailable, Denied, NotFound
from mglab.session import Lab

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::000000000000:root</Arn><UserId>U</UserId><Account>000000000000</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
REFUSAL = (
    "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>r</RequestID></Response>"
)
REAL_KEY = "AKIAREALLOOKINGKEY01"


class Cloud(ThreadingHTTPServer):
    """Answers what a session asks before it begins, refuses everything else, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.requests: list[tuple[str, str]] = []
        self.refusal = ("InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Cloud

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.requests.append((self.headers["Authorization"], body))
        known = "GetCallerIdentity" in body or "DescribeAvailabilityZones" in body
        text = IDENTITY if known else REFUSAL.format(*self.server.refusal)
        self.send_response(200 if known else 400)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    server = Cloud()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    folder = tmp_path / "state" / "clouds" / "default"
    folder.mkdir(parents=True)
    resolver = str(tmp_path / "names")
    (folder / "cloud.json").write_text(
        json.dumps(
            {
                "name": "default", "pid": os.getpid(), "endpoint": server.endpoint, "access_key_id": "LOCALKEY",
                "secret_access_key": "local", "session_token": None, "region": "us-east-1", "rate": 60.0,
                "wall_epoch": 0.0, "lab_epoch": 0.0, "resolver": resolver,
                "client_environment": {"MGLAB_RESOLVER": resolver},
            }
        )
    )  # fmt: skip
    for name in [name for name in os.environ if name.startswith("MGLAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MGLAB_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MGLAB_OUTPUTS", str(tmp_path / "outputs"))
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def real_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set everything in the environment that could lead an SDK to AWS, or astray."""
    home = tmp_path / "home" / ".aws"
    home.mkdir(parents=True)
    endpoint = "https://ec2.us-east-1.amazonaws.com"
    (home / "config").write_text(
        f"[default]\nregion = eu-west-1\nendpoint_url = {endpoint}\nuse_fips_endpoint = true\nservices = s\n"
        f"[services s]\nec2 =\n  endpoint_url = {endpoint}\nsts =\n  endpoint_url = {endpoint}\n"
        "[profile student]\nregion = us-west-2\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = default\n"
    )
    (home / "credentials").write_text(f"[default]\naws_access_key_id = {REAL_KEY}\naws_secret_access_key = real\n")
    settings = {
        "HOME": str(home.parent), "AWS_ACCESS_KEY_ID": REAL_KEY, "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "realtoken", "AWS_PROFILE": "student", "AWS_DEFAULT_PROFILE": "nobody",
        "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_EC2": endpoint, "AWS_ENDPOINT_URL_STS": endpoint, "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_CA_BUNDLE": "", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_DATA_PATH": str(home), "AWS_MAX_ATTEMPTS": "9",
        "AWS_CONFIG_FILE": str(home / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "HTTP_PROXY": "http://192.0.2.1:3128", "http_proxy": "http://192.0.2.1:3128", "HTTPS_PROXY": "http://192.0.2.1:3128",
        "ALL_PROXY": "http://192.0.2.1:3128", "NO_PROXY": "", "no_proxy": "",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Refuse to look up or connect to anything but the loopback; keeps what was asked for."""
    asked: list[str] = []
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

    def lookup(host: Any, *rest: Any, **named: Any) -> Any:
        asked.append(str(host))
        assert ip_address(str(host)).is_loopback, f"looked up {host}"
        return real_lookup(host, *rest, **named)

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            asked.append(address[0])
            assert ip_address(address[0]).is_loopback, f"connected to {address}"
        real_connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return asked


def every_client(lab: Lab) -> list[Any]:
    return [lab.ec2, lab.elbv2, lab.autoscaling, lab.cloudwatch, lab.sts]


def test_no_call_leaves_this_host(cloud: Cloud, real_account: None, loopback_only: list[str]) -> None:
    lab = session.connect("trial")
    assert lab.account == "000000000000"
    assert [client.meta.endpoint_url for client in every_client(lab)] == [cloud.endpoint] * 5
    assert {client.meta.region_name for client in every_client(lab)} == {"us-east-1"}
    with pytest.raises(NotFound):
        lab.ec2.describe_vpcs()
    assert set(loopback_only) == {"127.0.0.1"}


def test_every_call_is_signed_with_the_clouds_own_key(cloud: Cloud, real_account: None) -> None:
    lab = session.connect("trial")
    for call in (lab.ec2.describe_vpcs, lab.elbv2.describe_load_balancers, lab.autoscaling.describe_policies):
        with pytest.raises(NotFound):
            call()
    assert len(cloud.requests) == 5
    for authorization, body in cloud.requests:
        assert "Credential=LOCALKEY/" in authorization
        assert REAL_KEY not in authorization + body and "realtoken" not in authorization + body


def test_the_session_knows_nothing_of_the_environment(real_account: None) -> None:
    core = session.unconfigured_session()
    for name in ("profile", "region", "ca_bundle", "use_fips_endpoint", "use_dualstack_endpoint", "data_path"):
        assert core.get_config_variable(name) is None
    assert core.full_config == {"profiles": {}}
    assert core.get_config_variable("parameter_validation") is True


def test_the_lab_is_where_the_cloud_says(cloud: Cloud, tmp_path: Path) -> None:
    lab = session.connect("trial", instance_type="t3.micro")
    assert (lab.run, lab.backend, lab.region, lab.clock.rate) == ("trial", "local", "us-east-1", 60.0)
    assert lab.folder == tmp_path / "outputs" / "trial"
    assert lab.ledger.place == "local/default"
    assert lab.config.instance_type == "t3.micro"
    assert lab.client_environment == {"MGLAB_RESOLVER": str(tmp_path / "names")}
    assert tmp_path / "outputs" not in lab.keys_folder.parents


def test_a_refusal_is_translated_once(cloud: Cloud) -> None:
    lab = session.connect("trial")
    with pytest.raises(NotFound) as refusal:
        lab.ec2.describe_vpcs(VpcIds=["vpc-0123456789abcdef0"])
    error = refusal.value
    assert (error.code, error.operation, error.resource) == (
        "InvalidVpcID.NotFound", "DescribeVpcs", "vpc-0123456789abcdef0",
    )  # fmt: skip
    cloud.refusal = ("UnauthorizedOperation", "You are not authorized to perform this operation.")
    with pytest.raises(Denied) as denial:
        lab.ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)
    assert denial.value.hint and denial.value.resource == "ami-1"


def test_a_cloud_that_goes_away_is_said_to_be_away(cloud: Cloud) -> None:
    lab = session.connect("trial")
    cloud.shutdown()
    cloud.server_close()
    with pytest.raises(CloudUnavailable, match="does not answer") as refusal:
        lab.ec2.describe_vpcs()
    assert "control.log" in refusal.value.hint


def test_names_are_asked_of_the_clouds_resolver(cloud: Cloud, tmp_path: Path) -> None:
    answers = {
        "A MGLB-0123.elb.us-east-1.amazonaws.com\n": "127.65.0.1 60\n127.65.0.2 60\n",
        "A gone.elb.us-east-1.amazonaws.com\n": "",
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "names"))
        listener.listen(5)
        threading.Thread(target=_serve_names, args=(listener, answers), daemon=True).start()
        lab = session.connect("trial")
        assert lab.resolve("MGLB-0123.elb.us-east-1.amazonaws.com") == ["127.65.0.1", "127.65.0.2"]
        assert lab.resolve("gone.elb.us-east-1.amazonaws.com") == []
        assert lab.resolve("127.65.0.9") == ["127.65.0.9"]
        assert lab.resolve("no name\nA two lines") == []


def test_a_resolver_that_is_gone_says_so(cloud: Cloud) -> None:
    with pytest.raises(CloudUnavailable, match="resolver"):
        session.connect("trial").resolve("MGLB-0123.elb.us-east-1.amazonaws.com")


def _serve_names(listener: socket.socket, answers: dict[str, str]) -> None:
    for _ in answers:
        wire, _ = listener.accept()
        with wire:
            wire.sendall(answers[wire.makefile().readline()].encode())
