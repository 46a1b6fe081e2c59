"""The door: who is let in, how requests are read and answers written, for every protocol."""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Thread
from time import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from botocore.exceptions import ClientError

from mglab.localcloud.api import wire
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.signature import Credentials, HttpRequest, Verifier
from tests.local.front import KEY, Front, open_front

AT = datetime(2023, 9, 16, 4, 5, tzinfo=UTC)


class Monitoring:
    """Stands for CloudWatch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def get_metric_statistics(self, params: dict[str, Any]) -> dict[str, Any]:
        self.seen.append(params)
        return {"Label": params["MetricName"], "Datapoints": [{"Timestamp": AT, "Sum": 30.0, "Unit": None}]}

    def put_metric_data(self, params: dict[str, Any]) -> dict[str, Any]:
        self.seen.append(params)
        return {}

    def describe_alarms(self, params: dict[str, Any]) -> dict[str, Any]:
        raise ApiError("ResourceNotFound", "no such <alarm>", 404)

    def list_metrics(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Metrics": [], "Typo": 1}


class Balancing:
    """Stands for Elastic Load Balancing."""

    def describe_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        tags = [{"Key": "n", "Value": "<&>\x07"}]
        return {"TagDescriptions": [{"ResourceArn": arn, "Tags": tags} for arn in params["ResourceArns"]]}


@pytest.fixture(scope="module")
def monitoring() -> Monitoring:
    return Monitoring()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, monitoring: Monitoring) -> Iterator[Front]:
    directory: Path = tmp_path_factory.mktemp("cloud")
    with open_front(directory, cloudwatch=monitoring, elbv2=Balancing()) as opened:
        yield opened


def signed(front: Front, body: str, *, service: str = "ec2", region: str = "us-east-1", **more: str) -> dict[str, str]:
    """Give the headers of a request signed by the owner."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", **more}
    request = AWSRequest("POST", front.server.endpoint + "/", headers=headers, data=body)
    SigV4Auth(BotoCredentials(KEY.access_key_id, KEY.secret_access_key), service, region).add_auth(request)
    return dict(request.headers.items())


def post(front: Front, body: str, headers: dict[str, str]) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", front.server.port, timeout=10)
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    answer = response.status, response.read().decode(), response.headers
    connection.close()
    return answer


DESCRIBE = "Action=DescribeVpcs&Version=2016-11-15"


def test_the_owner_is_let_in(front: Front) -> None:
    status, text, _ = post(front, DESCRIBE, signed(front, DESCRIBE))
    assert status == 200 and "<DescribeVpcsResponse" in text


def test_the_same_connection_serves_call_after_call(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.server.port, timeout=10)
    connection.connect()
    socket = connection.sock
    for _ in range(3):
        connection.request("POST", "/", DESCRIBE, signed(front, DESCRIBE))
        assert connection.getresponse().read()
        assert connection.sock is socket
    connection.close()


def test_the_date_header_is_real_time(front: Front) -> None:
    _, _, headers = post(front, DESCRIBE, signed(front, DESCRIBE))
    assert abs(parsedate_to_datetime(headers["Date"]) - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("service", "code"),
    [("ec2", "AuthFailure"), ("sts", "InvalidClientTokenId"), ("cloudwatch", "InvalidClientTokenId")],
)
def test_a_wrong_key_is_refused_in_the_services_words(front: Front, service: str, code: str) -> None:
    client = front.client(service, aws_access_key_id="AKIASOMEONEELSE00001")
    call = {"ec2": "describe_vpcs", "sts": "get_caller_identity", "cloudwatch": "list_metrics"}[service]
    with pytest.raises(ClientError) as refused:
        getattr(client, call)()
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == (401 if service == "ec2" else 403)


@pytest.mark.parametrize(("service", "code"), [("ec2", "AuthFailure"), ("sts", "SignatureDoesNotMatch")])
def test_a_wrong_secret_is_refused(front: Front, service: str, code: str) -> None:
    client = front.client(service, aws_secret_access_key="not the secret")
    with pytest.raises(ClientError) as refused:
        client.describe_vpcs() if service == "ec2" else client.get_caller_identity()
    assert refused.value.response["Error"]["Code"] == code


def test_a_session_token_or_another_region_is_refused(front: Front) -> None:
    for settings in ({"aws_session_token": "stolen"}, {"region_name": "eu-west-1"}):
        with pytest.raises(ClientError, match="AuthFailure"):
            front.client("ec2", **settings).describe_vpcs()


def test_the_keys_of_a_session_that_is_over_have_expired() -> None:
    old, new = Credentials("ASIA1", "old", "token-1"), Credentials("ASIA2", "new", "token-2")
    verifier = Verifier(new, "us-east-1", time, expired=(old,))

    def checked(service: str, keys: Credentials) -> str:
        request = AWSRequest("POST", "http://127.0.0.1/", headers={"Host": "127.0.0.1"}, data="")
        boto = BotoCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
        SigV4Auth(boto, service, "us-east-1").add_auth(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            return verifier.check(HttpRequest("POST", "/", "", headers, b"")).access_key_id
        except ApiError as refused:
            return refused.code

    assert [checked(service, new) for service in ("ec2", "sts")] == ["ASIA2", "ASIA2"]
    assert [checked(service, old) for service in ("ec2", "sts")] == ["RequestExpired", "ExpiredToken"]
    stolen = Credentials("ASIA2", "new", "token-1")
    assert [checked(service, stolen) for service in ("ec2", "sts")] == ["AuthFailure", "InvalidClientTokenId"]


def test_no_signature_is_refused(front: Front) -> None:
    status, text, _ = post(front, DESCRIBE, {"Content-Type": "application/x-www-form-urlencoded"})
    assert status == 403 and "MissingAuthenticationToken" in text


def test_a_changed_body_is_refused(front: Front) -> None:
    status, text, _ = post(front, DESCRIBE + "&DryRun=true", signed(front, DESCRIBE))
    assert status == 401 and "AuthFailure" in text


def test_an_old_signature_is_refused(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    past = datetime.now(UTC) - timedelta(minutes=16)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: past.replace(tzinfo=None))
    headers = signed(front, DESCRIBE)
    assert headers["X-Amz-Date"].startswith(f"{past:%Y%m%dT%H%M}")
    status, text, _ = post(front, DESCRIBE, headers)
    assert status == 400 and "<Code>RequestExpired</Code>" in text


def test_a_foreign_host_is_refused_even_when_signed(front: Front) -> None:
    headers = signed(front, DESCRIBE, Host=f"rebound.example:{front.server.port}")
    status, text, _ = post(front, DESCRIBE, headers)
    assert status == 403 and "AccessDenied" in text


def test_localhost_is_this_host(front: Front) -> None:
    headers = signed(front, DESCRIBE, Host=f"localhost:{front.server.port}")
    assert post(front, DESCRIBE, headers)[0] == 200


def test_web_pages_are_refused(front: Front) -> None:
    headers = signed(front, DESCRIBE) | {"Origin": "http://127.0.0.1"}
    status, text, _ = post(front, DESCRIBE, headers)
    assert status == 403 and "web pages" in text


def test_other_services_do_not_exist_here(front: Front) -> None:
    with pytest.raises(ClientError, match="This cloud has no service s3"):
        front.client("s3").list_buckets()


def test_an_operation_that_nobody_answers_says_so(front: Front) -> None:
    with pytest.raises(ClientError, match=r"InvalidAction.*does not answer CreateNatGateway of ec2"):
        front.client("ec2").create_nat_gateway(SubnetId="subnet-0123abcd")
    body = "Action=Tick&Version=2016-11-15"
    status, text, _ = post(front, body, signed(front, body))
    assert status == 400 and "The action Tick is not valid for this web service." in text


def test_a_handlers_mistake_is_an_internal_failure_and_its_traceback_is_in_the_log(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(ClientError) as failed:
        front.client("cloudwatch").list_metrics()
    assert failed.value.response["Error"]["Code"] == "InternalFailure"
    assert "Typo" not in str(failed.value)
    assert "ListMetricsOutput has no member Typo" in caplog.text


def test_cloudwatch_in_json(front: Front, monitoring: Monitoring) -> None:
    answer = front.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/NetworkELB",
        MetricName="ProcessedBytes",
        Dimensions=[{"Name": "LoadBalancer", "Value": "net/MGLB/50dc6c495c0c9188"}],
        StartTime=AT,
        EndTime=AT + timedelta(minutes=5),
        Period=60,
        Statistics=["Sum"],
    )
    assert answer["Datapoints"] == [{"Timestamp": AT, "Sum": 30.0}]
    assert monitoring.seen[-1]["StartTime"] == AT
    assert monitoring.seen[-1]["Period"] == 60


def test_cloudwatch_in_json_refuses_with_the_old_code_too(front: Front) -> None:
    with pytest.raises(ClientError) as refused:
        front.client("cloudwatch").describe_alarms()
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
    assert refused.value.response["Error"]["Message"] == "no such <alarm>"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_cloudwatch_compressed(front: Front, monitoring: Monitoring) -> None:
    data = [{"MetricName": f"m{n}", "Value": float(n), "Timestamp": AT} for n in range(400)]
    front.client("cloudwatch").put_metric_data(Namespace="Lab", MetricData=data)
    assert monitoring.seen[-1]["MetricData"] == data


def test_cloudwatch_in_the_query_protocol_of_older_clients(front: Front, monitoring: Monitoring) -> None:
    body = (
        "Action=GetMetricStatistics&Version=2010-08-01&Namespace=N&MetricName=ProcessedBytes&Period=60"
        "&StartTime=2023-09-16T04%3A05%3A00Z&EndTime=2023-09-16T04%3A10%3A00Z&Statistics.member.1=Sum"
        "&Dimensions.member.1.Name=LoadBalancer&Dimensions.member.1.Value=net%2FMGLB"
    )
    status, text, headers = post(front, body, signed(front, body, service="monitoring"))
    assert status == 200 and headers["Content-Type"].startswith("text/xml")
    assert "<Timestamp>2023-09-16T04:05:00.000Z</Timestamp><Sum>30.0</Sum>" in text
    seen = monitoring.seen[-1]
    assert (seen["StartTime"], seen["Period"], seen["Statistics"]) == (AT, 60, ["Sum"])
    assert seen["Dimensions"] == [{"Name": "LoadBalancer", "Value": "net/MGLB"}]
    body = "Action=DescribeAlarms&Version=2010-08-01"
    status, text, _ = post(front, body, signed(front, body, service="monitoring"))
    assert status == 404
    assert "<Type>Sender</Type><Code>ResourceNotFound</Code><Message>no such &lt;alarm&gt;</Message>" in text


def test_the_query_protocol_carries_what_xml_cannot(front: Front) -> None:
    answer = front.client("elbv2").describe_tags(ResourceArns=["arn:1", "arn:2"])
    assert [d["ResourceArn"] for d in answer["TagDescriptions"]] == ["arn:1", "arn:2"]
    assert answer["TagDescriptions"][0]["Tags"] == [{"Key": "n", "Value": "<&>\ufffd"}]


def test_a_value_of_the_wrong_type_is_refused(front: Front) -> None:
    body = "Action=DescribeInstances&Version=2016-11-15&MaxResults=many"
    status, text, _ = post(front, body, signed(front, body))
    assert status == 400 and "Value (many) for parameter MaxResults is invalid" in text


def test_a_missing_parameter_is_named(front: Front) -> None:
    body = "Action=DeleteSubnet&Version=2016-11-15"
    status, text, _ = post(front, body, signed(front, body))
    assert status == 400 and "The request must contain the parameter SubnetId" in text


def test_an_unreadable_json_body_is_refused(front: Front) -> None:
    target = {
        "X-Amz-Target": "GraniteServiceVersion20100801.GetMetricData",
        "Content-Type": "application/x-amz-json-1.0",
    }
    status, text, _ = post(front, "{", signed(front, "{", service="monitoring", **target))
    assert status == 400 and json.loads(text)["__type"] == "SerializationException"


def test_lists_structures_and_truth_of_the_ec2_protocol() -> None:
    form = (
        "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=2&EbsOptimized=true&ImageId=ami-1"
        "&NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.AssociatePublicIpAddress=true"
        "&NetworkInterface.1.SecurityGroupId.2=sg-b&NetworkInterface.1.SecurityGroupId.1=sg-a"
        "&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=a.b"
    )
    operation, params, _ = wire.parse("ec2", {}, form.encode())
    assert operation == "RunInstances"
    assert params == {
        "MinCount": 1,
        "MaxCount": 2,
        "EbsOptimized": True,
        "ImageId": "ami-1",
        "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": ["sg-a", "sg-b"]}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "a.b"}]}],
    }


def test_many_clients_at_once(front: Front) -> None:
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            client = front.client("ec2")
            for _ in range(5):
                client.describe_images()
                client.describe_subnets()
        except BaseException as failed:
            failures.append(failed)

    threads = [Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_body_without_end_closes_the_connection(front: Front) -> None:
    address = urlsplit(front.server.endpoint)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.request("POST", "/", None, {"Content-Length": str(10**9)})
    response = connection.getresponse()
    assert response.status == 413
    assert response.headers["Connection"] == "close"
    connection.close()
