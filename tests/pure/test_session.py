"""A session: parameters, which cloud, what is refused, and AWS's refusals in this project's words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mglab import session
from mglab.config import Config, configured, from_home, halves, run_name
from mglab.errors import AwsError, CloudUnavailable, Denied, LabError, NotFound, Throttled, UsageError

NOWHERE = "http://127.0.0.1:9"  # the discard port: refused at once
EXPIRED = {"Error": {"Code": "ExpiredToken", "Message": "The security token included in the request is expired"}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no AWS settings and no cloud."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "MGLAB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("MGLAB_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MGLAB_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path


def write_cloud(home: Path, **changes: Any) -> None:
    cloud = {
        "name": "default", "pid": os.getpid(), "endpoint": NOWHERE, "access_key_id": "local", "secret_access_key": "x",
        "session_token": None, "region": "us-east-1", "rate": 60, "wall_epoch": 0, "lab_epoch": 0, "resolver": "",
    }  # fmt: skip
    folder = home / "state" / "clouds" / "default"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cloud.json").write_text(json.dumps({**cloud, **changes}))


# -- parameters ---------------------------------------------------------------------------------------------


def test_a_parameter_replaces_one_value() -> None:
    assert configured(Config(), {"maximum": 4}) == Config(maximum=4)


def test_parameters_come_as_text_too() -> None:
    given = {"maximum": "4", "target_cpu_percent": "30", "zones": "us-east-1b, us-east-1c", "existing_key": "true"}
    config = configured(Config(), given)
    assert (config.maximum, config.target_cpu_percent, config.existing_key) == (4, 30.0, True)
    assert config.zones == ("us-east-1b", "us-east-1c")


def test_an_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="no parameter 'instance_typ'") as refusal:
        session.connect(instance_typ="t3.micro")
    assert "instance_type" in refusal.value.hint


@pytest.mark.parametrize(
    "given",
    [
        {"maximum": "many"}, {"maximum": 1}, {"service_port": 0}, {"service_port": 5001}, {"existing_key": "perhaps"},
        {"vpc_cidr": "192.168.0.0/28"}, {"vpc_cidr": "192.168.0.1/23"}, {"vpc_cidr": "10.0.0.0/8"}, {"maximum": 2.5},
        {"zones": "us-east-1a"}, {"zones": "us-east-1a,us-east-1a"}, {"load_balancer_name": "MG LB"},
        {"load_balancer_name": "internal-MGLB"}, {"target_group_name": "x" * 33}, {"target_cpu_percent": 0},
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refusal:
        configured(Config(), given)
    assert refusal.value.hint


def test_the_vpc_is_divided_into_two_equal_halves() -> None:
    assert halves("192.168.0.0/23") == ("192.168.0.0/24", "192.168.1.0/24")


@pytest.mark.parametrize("name", ["../elsewhere", "a b", ".hidden", "x" * 49])
def test_a_run_is_named_like_a_folder(name: str) -> None:
    with pytest.raises(UsageError):
        run_name(name, {})


def test_the_run_comes_from_the_caller_then_the_environment() -> None:
    assert run_name("mine", {"MGLAB_RUN": "other"}) == "mine"
    assert run_name("", {"MGLAB_RUN": "other"}) == "other"
    assert run_name("", {}) == "default"


# -- the local cloud ----------------------------------------------------------------------------------------


def test_without_a_cloud_it_says_how_to_start_one() -> None:
    with pytest.raises(CloudUnavailable, match="'default' is not running") as refusal:
        session.connect()
    assert "python3 -m mglab cloud up" in refusal.value.hint


def test_a_dead_cloud_is_told_from_one_that_was_never_there(home: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    write_cloud(home, pid=ended.pid)
    with pytest.raises(CloudUnavailable, match="has died"):
        session.connect()


def test_a_cloud_that_does_not_answer_says_so(home: Path) -> None:
    write_cloud(home)
    with pytest.raises(CloudUnavailable, match="'default' does not answer") as refusal:
        session.connect()
    assert "control.log" in refusal.value.hint


@pytest.mark.parametrize(
    "endpoint", ["https://ec2.us-east-1.amazonaws.com", "http://192.0.2.1:80", "http://localhost.example"]
)
def test_a_local_cloud_that_is_not_on_this_host_is_refused(home: Path, endpoint: str) -> None:
    write_cloud(home, endpoint=endpoint)
    with pytest.raises(CloudUnavailable, match="not on this host"):
        session.connect()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "endpoint": ""}'])
def test_a_broken_cloud_file_is_named(home: Path, text: str) -> None:
    write_cloud(home)
    (home / "state" / "clouds" / "default" / "cloud.json").write_text(text)
    with pytest.raises(CloudUnavailable, match=r"cloud\.json cannot be read"):
        session.connect()


@pytest.mark.parametrize("backend", ["loca", "AWS", "azure"])
def test_an_unknown_backend_is_refused(backend: str) -> None:
    with pytest.raises(UsageError, match="no backend") as refusal:
        session.connect(backend=backend)
    assert "local" in refusal.value.hint or "aws" in refusal.value.hint


# -- AWS ----------------------------------------------------------------------------------------------------


def test_aws_without_credentials_says_where_to_get_some() -> None:
    with pytest.raises(CloudUnavailable, match="no AWS credentials") as refusal:
        session.connect(backend="aws")
    assert "Learner Lab" in refusal.value.hint


@pytest.mark.parametrize(
    "variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"]
)
def test_aws_refuses_an_endpoint_in_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, NOWHERE)
    with pytest.raises(UsageError, match=variable) as refusal:
        session.connect(backend="aws")
    assert "backend local" in refusal.value.hint


@pytest.mark.parametrize(
    "settings",
    [
        f"[default]\nendpoint_url = {NOWHERE}\n",
        f"[default]\nservices = mine\n[services mine]\nec2 =\n  endpoint_url = {NOWHERE}\n",
    ],
)
def test_aws_refuses_an_endpoint_in_the_profile(home: Path, settings: str) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(settings)
    with pytest.raises(UsageError, match="profile"):
        session.connect(backend="aws")


def test_an_endpoint_that_the_sdk_ignores_is_no_reason_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    with pytest.raises(CloudUnavailable, match="no AWS credentials"):
        session.connect(backend="aws")


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CloudUnavailable, match="nobody"):
        session.connect(backend="aws")


def test_an_ended_academy_session_is_noticed_though_sts_answers() -> None:
    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Account": "123456789012"}

    class Ec2:
        def describe_availability_zones(self) -> None:
            raise session.translated(EXPIRED, "DescribeAvailabilityZones", {})

    with pytest.raises(CloudUnavailable, match="refuses these credentials"):
        session._identified({"sts": Sts(), "ec2": Ec2()}, "AWS")


# -- AWS's refusals -----------------------------------------------------------------------------------------

REFUSALS = [
    ("InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist", NotFound),
    ("LoadBalancerNotFound", "One or more load balancers not found", NotFound),
    ("InvalidLaunchTemplateName.NotFoundException", "...with template name x, does not exist.", NotFound),
    ("ValidationError", "AutoScalingGroup name not found - null", NotFound),
    ("ValidationError", "Desired capacity:4 must be between the specified min size:2 and max size:3", AwsError),
    ("UnauthorizedOperation", "You are not authorized to perform this operation.", Denied),
    ("ExpiredToken", "The security token included in the request is expired", Denied),
    ("RequestLimitExceeded", "Request limit exceeded.", Throttled),
    ("VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit", AwsError),
    ("DependencyViolation", "The vpc 'vpc-0123456789abcdef0' has dependencies and cannot be deleted.", AwsError),
]


@pytest.mark.parametrize(("code", "message", "kind"), REFUSALS, ids=lambda it: str(it)[:30])
def test_a_refusal_becomes_one_of_ours(code: str, message: str, kind: type[AwsError]) -> None:
    error = session.translated({"Error": {"Code": code, "Message": message}}, "DoIt", {})
    assert type(error) is kind
    assert (error.code, error.operation) == (code, "DoIt")
    assert message in error.message and code in error.message


@pytest.mark.parametrize("code", ["VcpuLimitExceeded", "UnauthorizedOperation", "ExpiredToken", "DependencyViolation"])
def test_the_labs_common_refusals_say_what_to_do(code: str) -> None:
    assert session.translated({"Error": {"Code": code, "Message": "no"}}, "DoIt", {}).hint


def test_the_resource_is_kept() -> None:
    told = {"Error": {"Code": "DependencyViolation", "Message": "resource sg-0123456789abcdef0 has a dependent object"}}
    assert session.translated(told, "DeleteSecurityGroup", {}).resource == "sg-0123456789abcdef0"
    untold = {"Error": {"Code": "LoadBalancerNotFound", "Message": "One or more load balancers not found"}}
    assert session.translated(untold, "X", {"LoadBalancerArn": "arn:lb"}).resource == "arn:lb"


def test_a_query_compatible_code_counts_before_the_shape_name() -> None:
    parsed = {"Error": {"Code": "InvalidParameterValueException", "QueryErrorCode": "InvalidParameterValue"}}
    assert session.translated(parsed, "GetMetricData", {}).code == "InvalidParameterValue"


def test_the_package_itself_imports_nothing_that_has_to_be_installed() -> None:
    program = "import sys, mglab; assert not {'boto3', 'botocore', 'pandas'} & set(sys.modules); print(mglab.connect)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr


def test_errors_are_one_family() -> None:
    assert issubclass(AwsError, LabError) and issubclass(UsageError, LabError)


def test_a_path_in_the_users_home_does_not_say_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert from_home(Path("/home/ada/.local/state/mglab/keys/k.pem")) == "~/.local/state/mglab/keys/k.pem"
    assert from_home(Path("/srv/keys/k.pem")) == "/srv/keys/k.pem"
