"""When a recurring action is due: cron's five fields."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mglab.localcloud.rules.recurrence import next_after, parsed

SATURDAY_NOON = datetime(2023, 9, 16, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "due"),
    [
        ("* * * * *", "UTC", "2023-09-16T12:01"),
        ("30 0 1 1,6,12 *", "UTC", "2023-12-01T00:30"),
        ("0 9 * * 1-5", "UTC", "2023-09-18T09:00"),
        ("0 9 * * MON", "UTC", "2023-09-18T09:00"),
        ("*/15 12 * * *", "UTC", "2023-09-16T12:15"),
        ("5/20 * * * *", "UTC", "2023-09-16T12:05"),
        ("0 0 29 2 *", "UTC", "2024-02-29T00:00"),
        ("0 12 * * 0", "UTC", "2023-09-17T12:00"),
        ("0 12 * * 7", "UTC", "2023-09-17T12:00"),
        ("0 0 20 * 1", "UTC", "2023-09-18T00:00"),  # either of two restricted days
        ("0 9 * * *", "Europe/Berlin", "2023-09-17T07:00"),
        ("0 12 * jan *", "UTC", "2024-01-01T12:00"),
    ],
)
def test_the_next_time(text: str, zone: str, due: str) -> None:
    at = next_after(parsed(text), SATURDAY_NOON.timestamp(), zone)
    assert at is not None
    assert datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M") == due


def test_a_day_that_never_comes() -> None:
    assert next_after(parsed("0 0 31 2 *"), SATURDAY_NOON.timestamp()) is None


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "* * 0 * *", "a * * * *", "5-1 * * * *", "*/0 * * * *"])
def test_what_is_no_recurrence_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)
