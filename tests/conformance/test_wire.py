"""How a client reaches the cloud: by endpoint and credentials alone, in every protocol (aws-facts 4.4, 4.5)."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from tests.conformance import wire_kit
from tests.conformance.aws_cli import Aws
from tests.conformance.points import lab_now, minutes, publish, refusal, some_time_ago
from tests.conformance.wire_kit import call, credentials, presigned, send, signed
from tests.local.cloud_under_test import Cloud

SERVICES = (
    ("ec2", "describe_vpcs", "Vpcs"),
    ("elbv2", "describe_load_balancers", "LoadBalancers"),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"),
    ("cloudwatch", "describe_alarms", "MetricAlarms"),
    ("sts", "get_caller_identity", "Account"),
)
EC2, ELB, ASG, CW, STS = "2016-11-15", "2015-12-01", "2011-01-01", "2010-08-01", "2011-06-15"
TARGET = "GraniteServiceVersion20100801"
JSON_TYPE = "application/x-amz-json-1.0"
DESCRIBE = f"Action=DescribeVpcs&Version={EC2}"
WHO = f"Action=GetCallerIdentity&Version={STS}"
ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.mark.fact("4.5/endpoint", "4.5/protocols")
@pytest.mark.parametrize("service, operation, member", SERVICES, ids=lambda it: it)
def test_boto3_needs_an_endpoint_and_credentials(cloud: Cloud, service: str, operation: str, member: str) -> None:
    answer: dict[str, Any] = getattr(cloud.client(service), operation)()
    assert member in answer


@pytest.mark.fact("4.5/endpoint")
@pytest.mark.parametrize("service, operation, member", SERVICES, ids=lambda it: it)
def test_the_aws_cli_needs_no_more(aws: Aws, service: str, operation: str, member: str) -> None:
    assert member in aws(service, operation.replace("_", "-"))


@pytest.mark.fact("0/10")
def test_boto3_speaks_json_to_cloudwatch_and_knows_no_waiter_of_groups(cloud: Cloud) -> None:
    client = cloud.client("cloudwatch")
    assert client.meta.service_model.resolved_protocol == "json"
    assert client.list_metrics()["ResponseMetadata"]["HTTPHeaders"]["content-type"] == JSON_TYPE
    assert cloud.client("autoscaling").waiter_names == []


# -- CloudWatch's three protocols -------------------------------------------------------------------------------


@pytest.mark.fact("4.4/json")
def test_json_carries_the_old_code_of_an_error_beside_the_shape(cloud: Cloud) -> None:
    of_nobody = {"AlarmName": "nobody", "StateValue": "OK", "StateReason": "x"}
    for operation, asked, shape in (
        ("SetAlarmState", of_nobody, "ResourceNotFound"),
        ("GetDashboard", {"DashboardName": "none"}, "DashboardNotFoundError"),
    ):
        body = json.dumps(asked).encode()
        headers = signed(cloud, "monitoring", body, Content_Type=JSON_TYPE, X_Amz_Target=f"{TARGET}.{operation}")
        reply = send(cloud, "POST", "/", headers, body)
        assert (reply.status, json.loads(reply.text)["__type"]) == (404, shape)
        assert reply.headers["x-amzn-query-error"] == "ResourceNotFound;Sender"
        assert reply.headers["Content-Type"] == JSON_TYPE and re.fullmatch(ID, reply.headers["x-amzn-RequestId"])
    answer = cloud.client("cloudwatch").describe_alarms(AlarmNames=["nobody"])
    assert answer["MetricAlarms"] == []


@pytest.mark.fact("4.4/json")
def test_json_that_cannot_be_read(cloud: Cloud) -> None:
    for operation, body, shape, status in (
        ("ListMetrics", b"{", "SerializationException", 400),
        ("ListMetrics", b'{"Namespace": 7}', "SerializationException", 400),
        ("ListMetrics", b"[" * 100_000, "SerializationException", 400),
        ("NoSuchThing", b"{}", "UnknownOperationException", 400),
    ):
        headers = signed(cloud, "monitoring", body, Content_Type=JSON_TYPE, X_Amz_Target=f"{TARGET}.{operation}")
        reply = send(cloud, "POST", "/", headers, body)
        assert (reply.status, json.loads(reply.text)["__type"]) == (status, shape)


@pytest.mark.fact("4.4/query")
def test_older_clients_send_cloudwatch_a_form(cloud: Cloud) -> None:
    at = some_time_ago(cloud)
    publish(cloud, "Lab/Form", "F", minutes(at, 3))
    stamps = {"StartTime": f"{at:%Y-%m-%dT%H:%M:%SZ}", "EndTime": f"{at + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"}
    reply = call(cloud, "monitoring", "GetMetricStatistics", CW, Namespace="Lab/Form", MetricName="F", Period="60",
                 **stamps, **{"Statistics.member.1": "Sum"})  # fmt: skip
    assert reply.status == 200 and "<Sum>3.0</Sum>" in reply.text
    assert f"<Timestamp>{at:%Y-%m-%dT%H:%M:%S}.000Z</Timestamp>" in reply.text
    assert '<GetMetricStatisticsResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">' in reply.text
    reply = call(cloud, "monitoring", "DescribeAlarms", CW, StateValue="BAD")
    assert reply.status == 400 and "<Type>Sender</Type><Code>ValidationError</Code>" in reply.text


@pytest.mark.fact("4.4/cbor")
def test_the_newest_clients_send_cloudwatch_cbor(cloud: Cloud) -> None:
    """Written and read by botocore's own code for the protocol."""
    model = botocore.session.get_session().get_service_model("cloudwatch")

    def ask(operation: str, **params: Any) -> dict[str, Any]:
        shape = model.operation_model(operation)
        request = create_serializer("smithy-rpc-v2-cbor").serialize_to_request(params, shape)
        headers = {name.replace("-", "_"): value for name, value in request["headers"].items()}
        reply = send(cloud, "POST", request["url_path"],
                     signed(cloud, "monitoring", request["body"], request["url_path"], **headers),
                     request["body"])  # fmt: skip
        assert reply.headers["smithy-protocol"] == "rpc-v2-cbor"
        assert reply.headers["Content-Type"] == "application/cbor"
        answer = {"body": reply.body, "headers": reply.headers, "status_code": reply.status}
        return dict(create_parser("smithy-rpc-v2-cbor").parse(answer, shape.output_shape))

    at = some_time_ago(cloud)
    ask("PutMetricData", Namespace="Lab/Cbor", MetricData=[
        {"MetricName": "C", "Timestamp": at, "Value": 1.5, "Dimensions": [{"Name": "Host", "Value": "h" * 300}]},
    ])  # fmt: skip
    (metric,) = ask("ListMetrics", Namespace="Lab/Cbor")["Metrics"]
    asked = [{"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}]
    span = {"StartTime": at, "EndTime": at + timedelta(minutes=5)}
    (result,) = ask("GetMetricData", MetricDataQueries=asked, **span)["MetricDataResults"]
    assert (result["Timestamps"], result["Values"], result["StatusCode"]) == ([at], [1.5], "Complete")
    refused = ask("SetAlarmState", AlarmName="nobody", StateValue="OK", StateReason="x")
    assert (refused["Error"]["Code"], refused["ResponseMetadata"]["HTTPStatusCode"]) == ("ResourceNotFound", 404)


# -- what is wrong with a request -------------------------------------------------------------------------------


@pytest.mark.fact("4.5/unknown-action")
def test_an_action_that_there_is_not(cloud: Cloud) -> None:
    reply = call(cloud, "ec2", "MakeTea", EC2)
    assert reply.status == 400
    assert "<Code>InvalidAction</Code><Message>The action MakeTea is not valid for this web service.</Message>" in (
        reply.text
    )
    for service, version in (("elasticloadbalancing", ELB), ("autoscaling", ASG), ("monitoring", CW), ("sts", STS)):
        reply = call(cloud, service, "MakeTea", version)
        told = f"<Code>InvalidAction</Code><Message>Could not find operation MakeTea for version {version}</Message>"
        assert reply.status == 400 and told in reply.text


@pytest.mark.fact("4.5/missing-parameter")
def test_a_parameter_that_is_not_there(cloud: Cloud) -> None:
    reply = call(cloud, "ec2", "DeleteSubnet", EC2)
    assert reply.status == 400
    assert "<Code>MissingParameter</Code><Message>The request must contain the parameter SubnetId</Message>" in (
        reply.text
    )
    null = "failed to satisfy constraint: Member must not be null"
    reply = call(cloud, "elasticloadbalancing", "CreateTargetGroup", ELB)
    assert f"<Code>ValidationError</Code><Message>1 validation error detected: Value null at 'name' {null}" in (
        reply.text
    )
    reply = call(cloud, "monitoring", "SetAlarmState", CW, AlarmName="a")
    told = f"2 validation errors detected: Value null at 'stateValue' {null}; Value null at 'stateReason' {null}"
    assert f"<Message>{told}</Message>" in reply.text
    reply = call(cloud, "monitoring", "PutMetricData", CW, Namespace="N", **{"MetricData.member.1.Value": "1"})
    assert f"Value null at 'metricData.1.member.metricName' {null}" in reply.text


@pytest.mark.fact("4.5/unknown-parameter")
def test_a_parameter_that_there_is_not(cloud: Cloud) -> None:
    """EC2 refuses it by its name up to the first dot; the others pass over it."""
    reply = call(cloud, "ec2", "DescribeVpcs", EC2, **{"Tea.1.Sugar": "two"})
    assert reply.status == 400
    assert "<Code>UnknownParameter</Code><Message>The parameter Tea is not recognized</Message>" in reply.text
    assert call(cloud, "autoscaling", "DescribeAutoScalingGroups", ASG, Tea="1").status == 200


def test_a_value_of_the_wrong_type(cloud: Cloud) -> None:
    reply = call(cloud, "ec2", "DescribeInstances", EC2, MaxResults="many")
    assert reply.status == 400 and "<Code>InvalidParameterValue</Code>" in reply.text


@pytest.mark.fact("4.5/request-id")
def test_every_answer_has_a_request_id_of_its_own(cloud: Cloud) -> None:
    body = DESCRIBE.encode()
    first, second = (send(cloud, "POST", "/", signed(cloud, "ec2", body), body) for _ in range(2))
    found = [re.search(f"<requestId>({ID})</requestId>", one.text) for one in (first, second)]
    assert found[0] and found[1] and found[0][1] != found[1][1]
    assert first.headers["x-amzn-RequestId"] == found[0][1]
    reply = call(cloud, "ec2", "MakeTea", EC2)
    assert re.search(f"<RequestID>{ID}</RequestID>", reply.text)
    reply = call(cloud, "sts", "GetCallerIdentity", STS)
    assert re.search(f"<ResponseMetadata><RequestId>{ID}</RequestId></ResponseMetadata>", reply.text)
    reply = call(cloud, "sts", "MakeTea", STS)
    assert re.search(f"<RequestId>{ID}</RequestId></ErrorResponse>", reply.text)


# -- who signs --------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.7/53", "4.5/signed")
@pytest.mark.parametrize("wrong", [{"access_key_id": "AKIASOMEONEELSE00001"}, {"token": "stolen"}], ids=str)
def test_a_key_or_a_token_that_is_not_the_owner_s(cloud: Cloud, wrong: dict[str, str]) -> None:
    key = credentials(cloud, **wrong)
    reply = send(cloud, "POST", "/", signed(cloud, "ec2", DESCRIBE.encode(), key=key), DESCRIBE.encode())
    told = "<Code>AuthFailure</Code><Message>AWS was not able to validate the provided access credentials</Message>"
    assert reply.status == 401 and told in reply.text
    reply = send(cloud, "POST", "/", signed(cloud, "sts", WHO.encode(), key=key), WHO.encode())
    told = "<Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message>"
    assert reply.status == 403 and told in reply.text


@pytest.mark.fact("4.5/signed")
def test_a_wrong_secret_a_changed_body_and_no_signature(cloud: Cloud) -> None:
    body, key = WHO.encode(), credentials(cloud, secret_access_key="not the secret")
    for headers, sent in ((signed(cloud, "sts", body, key=key), body), (signed(cloud, "sts", body), body + b"&A=1")):
        reply = send(cloud, "POST", "/", headers, sent)
        assert reply.status == 403 and "<Code>SignatureDoesNotMatch</Code>" in reply.text
    reply = send(cloud, "POST", "/", {"Content-Type": wire_kit.FORM}, body)
    assert reply.status == 403 and "<Code>MissingAuthenticationToken</Code>" in reply.text
    reply = send(cloud, "POST", "/", {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}, body)
    assert reply.status == 400 and "<Code>IncompleteSignature</Code>" in reply.text
    assert "Authorization header requires 'Signature' parameter." in reply.text


@pytest.mark.fact("4.5/skew")
def test_a_clock_that_is_wrong(cloud: Cloud) -> None:
    body = WHO.encode()
    with pytest.MonkeyPatch.context() as patch:
        shown = wire_kit.at_another_time(patch, -20)
        reply = send(cloud, "POST", "/", signed(cloud, "sts", body), body)
        ec2 = send(cloud, "POST", "/", signed(cloud, "ec2", DESCRIBE.encode()), DESCRIBE.encode())
    assert reply.status == 403 and "<Code>SignatureDoesNotMatch</Code>" in reply.text
    assert re.search(rf"Signature expired: {shown:%Y%m%dT%H%M%SZ} is now earlier than \S{{16}} \(\S{{16}} - 15 min\.\)",
                     reply.text)  # fmt: skip
    assert ec2.status == 400 and "<Code>RequestExpired</Code><Message>Request has expired.</Message>" in ec2.text
    with pytest.MonkeyPatch.context() as patch:
        shown = wire_kit.at_another_time(patch, 20)
        reply = send(cloud, "POST", "/", signed(cloud, "sts", body), body)
    assert re.search(rf"Signature not yet current: {shown:%Y%m%dT%H%M%SZ} is still later than \S{{16}} "
                     r"\(\S{16} \+ 15 min\.\)", reply.text)  # fmt: skip


@pytest.mark.fact("4.5/presigned")
def test_a_presigned_url(cloud: Cloud) -> None:
    path = presigned(cloud, "sts", WHO)
    assert "<Account>000000000000</Account>" in send(cloud, "GET", path, {}).text
    assert "<vpcSet>" in send(cloud, "GET", presigned(cloud, "ec2", DESCRIBE), {}).text
    assert send(cloud, "GET", path.replace("GetCallerIdentity", "GetSessionToken"), {}).status == 403
    assert send(cloud, "GET", path, {"Origin": "http://a.page"}).status == 403
    token = credentials(cloud, token="stolen")
    assert send(cloud, "GET", presigned(cloud, "sts", WHO, key=token), {}).status == 403
    with pytest.MonkeyPatch.context() as patch:
        wire_kit.at_another_time(patch, -2)
        late, early = presigned(cloud, "sts", WHO, 60), presigned(cloud, "sts", WHO, 600)
    assert "SignatureDoesNotMatch" in send(cloud, "GET", late, {}).text
    assert send(cloud, "GET", early, {}).status == 200


def test_another_region(cloud: Cloud) -> None:
    body = WHO.encode()
    reply = send(cloud, "POST", "/", signed(cloud, "sts", body, region="eu-west-1"), body)
    assert reply.status == 403
    assert "Credential should be scoped to a valid region, not 'eu-west-1'." in reply.text


# -- HTTP -------------------------------------------------------------------------------------------------------


def test_a_body_may_come_in_chunks(cloud: Cloud) -> None:
    body = WHO.encode()
    headers = signed(cloud, "sts", body) | {"Transfer-Encoding": "chunked"}
    reply = send(cloud, "POST", "/", headers, iter((body[:10], body[10:])))
    assert reply.status == 200 and "<Account>" in reply.text
    endless = (b"x" * 65536 for _ in range(10**6))
    with pytest.raises(OSError):
        send(cloud, "POST", "/", headers, endless)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods_are_not_allowed(cloud: Cloud, method: str) -> None:
    reply = send(cloud, method, f"/?{WHO}", {})
    assert (reply.status, reply.body, reply.headers["Allow"]) == (405, b"", "GET, POST")


def test_a_body_that_is_too_long(cloud: Cloud) -> None:
    assert send(cloud, "POST", "/", {"Content-Length": str(10**9)}, None).status == 413


@pytest.mark.fact("4.5/endpoint-variable")
def test_an_environment_variable_turns_every_client(cloud: Cloud) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", cloud.state["endpoint"])
        patch.setenv("AWS_ACCESS_KEY_ID", cloud.state["access_key_id"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", cloud.state["secret_access_key"])
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        session = boto3.Session(region_name="us-east-1")
        assert session.client("sts").get_caller_identity()["Account"] == "000000000000"
        assert session.client("ec2").describe_vpcs()["Vpcs"]
        patch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:9")
        patch.delenv("AWS_ENDPOINT_URL")
        patch.setenv("AWS_ENDPOINT_URL_STS", cloud.state["endpoint"])
        assert session.client("cloudwatch").meta.endpoint_url == "http://127.0.0.1:9"
        assert boto3.Session(region_name="us-east-1").client("sts").get_caller_identity()["Account"]


@pytest.mark.fact("4.5/protocols")
def test_services_of_other_names_are_not_here(cloud: Cloud) -> None:
    code, message, _ = refusal(cloud, "list_buckets", service="s3")
    assert "no service s3" in message or code == "UnknownService"
    assert lab_now(cloud) is not None
