"""Shared by all tests: the environment they start from, and the project's folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def _plain_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's AWS and lab settings; local clouds of tests live apart from the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "MGLAB_")) and name != "MGLAB_ENVIRONMENT":
                patch.delenv(name)
        patch.setenv("MGLAB_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def project() -> Path:
    """Give the checkout's folder."""
    return PROJECT
