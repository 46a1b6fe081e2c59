"""What a model forbids is refused in AWS's words, every breach at once."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from mglab.localcloud.api import wire_constraints
from mglab.localcloud.api.faults import ApiError

MODEL = botocore.session.get_session().get_service_model("elbv2")
ARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/x/0123456789abcdef"
ONE = "1 validation error detected"
AT = "failed to satisfy constraint: Member must"

# (operation, parameters, what is said)
BREACHES: list[tuple[str, dict[str, Any], str]] = [
    ("ModifyTargetGroup", {"TargetGroupArn": ARN, "HealthCheckIntervalSeconds": 600},
     f"{ONE}: Value '600' at 'healthCheckIntervalSeconds' {AT} have value less than or equal to 300"),
    ("ModifyTargetGroup", {},
     f"{ONE}: Value null at 'targetGroupArn' {AT} not be null"),
    ("RegisterTargets", {"TargetGroupArn": ARN, "Targets": [{"Id": "i-1"}, {"Id": "i-2", "Port": 0}]},
     f"{ONE}: Value '0' at 'targets.2.member.port' {AT} have value greater than or equal to 1"),
    ("CreateLoadBalancer", {"Name": "x", "Scheme": "open", "Type": "net"},
     f"2 validation errors detected: Value 'open' at 'scheme' {AT} satisfy enum value set: "
     f"[internet-facing, internal]; Value 'net' at 'type' {AT} satisfy enum value set: "
     "[application, network, gateway]"),
    ("AddTags", {"ResourceArns": [ARN], "Tags": [{"Key": "k" * 129}]},
     f"{ONE}: Value '{'k' * 129}' at 'tags.1.member.key' {AT} have length less than or equal to 128"),
    ("AddTags", {"ResourceArns": [ARN], "Tags": []},
     f"{ONE}: Value '[]' at 'tags' {AT} have length greater than or equal to 1"),
    ("ModifyListenerAttributes", {"ListenerArn": ARN, "Attributes": [{"Key": "a b", "Value": "1"}]},
     f"{ONE}: Value 'a b' at 'attributes.1.member.key' {AT} satisfy regular expression pattern: "
     "^[a-zA-Z0-9._]+$"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "params", "said"), BREACHES, ids=[f"{b[0]}-{n}" for n, b in enumerate(BREACHES)])
def test_a_breach_is_told(operation: str, params: dict[str, Any], said: str) -> None:
    with pytest.raises(ApiError) as refused:
        wire_constraints.check(MODEL.operation_model(operation).input_shape, params)
    assert (refused.value.code, refused.value.message) == ("ValidationError", said)


def test_what_the_model_allows_passes() -> None:
    shape = MODEL.operation_model("AddTags").input_shape
    wire_constraints.check(shape, {"ResourceArns": [ARN], "Tags": [{"Key": "Größe der Gruppe: 2", "Value": ""}]})
