"""A cloud at each of two rates: what holds at one and not at the other is a fact about the clock, not about AWS.

Each file of tests has its own two clouds, so that files may run side by side and no test waits for another file's
resources. A test takes ``cloud`` and makes what it needs under names of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance import aws_cli
from tests.local.cloud_under_test import Cloud, started

RATES = (120.0, 300.0)


@pytest.fixture(scope="module", params=RATES, ids=lambda rate: f"rate{rate:g}")
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Give a running cloud, at each of the two rates."""
    with started(f"conformance-{request.param:g}", request.param) as running:
        yield running


@pytest.fixture(scope="module")
def aws(cloud: Cloud) -> aws_cli.Aws:
    """Give the AWS CLI, pointed at the cloud by its environment alone."""
    return aws_cli.Aws(cloud)
