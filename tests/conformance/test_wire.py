"""How a client reaches the cloud: by endpoint and credentials alone (aws-facts 4.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.local.cloud_under_test import Cloud

SERVICES = (
    ("ec2", "describe_vpcs", "Vpcs"),
    ("elbv2", "describe_load_balancers", "LoadBalancers"),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"),
    ("cloudwatch", "describe_alarms", "MetricAlarms"),
    ("sts", "get_caller_identity", "Account"),
)


@pytest.mark.fact("4.5/endpoint")
@pytest.mark.parametrize("service, operation, member", SERVICES, ids=lambda it: it)
def test_boto3_needs_an_endpoint_and_credentials(cloud: Cloud, service: str, operation: str, member: str) -> None:
    answer: dict[str, Any] = getattr(cloud.client(service), operation)()
    assert member in answer


@pytest.mark.fact("4.5/endpoint")
@pytest.mark.parametrize("service, operation, member", SERVICES, ids=lambda it: it)
def test_the_aws_cli_needs_no_more(aws: Aws, service: str, operation: str, member: str) -> None:
    assert member in aws(service, operation.replace("_", "-"))
