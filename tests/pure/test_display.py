"""How records look: the same columns and cells in the notebook, in text and in the folio."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mglab import display
from mglab.display import column, label, mask_account, status, table, text_of


@dataclass(frozen=True)
class Subnet:
    subnet_id: str = field(metadata=column("Subnet ID", "id"))
    zone: str | None = field(metadata=column("Availability Zone"))
    free: int = field(metadata=column("Free addresses", "number"))
    raw: str = field(default="secret", repr=False)


SUBNET = Subnet("subnet-0912769b84cd9cab8", "us-east-1a", 251)


def test_a_record_names_its_own_columns_and_hides_what_it_hides_from_repr() -> None:
    shown = table([SUBNET])
    assert [one.label for one in shown.columns] == ["Subnet ID", "Availability Zone", "Free addresses"]
    assert [one.kind for one in shown.columns] == ["id", "text", "number"]
    assert shown.rows == (("subnet-0912769b84cd9cab8", "us-east-1a", "251"),)
    assert "secret" not in shown.text + shown._repr_html_() + str(shown.to_json())


def test_one_record_alone_is_a_table_of_one_row() -> None:
    assert table(SUBNET).rows == table([SUBNET]).rows
    assert len(table(None)) == 0


def test_what_is_no_record_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="not of str"):
        table(["vpc-1"])
    with pytest.raises(ValueError, match="the kinds are text, id"):
        column("X", "colour")


def test_mappings_are_read_with_the_columns_of_all_and_the_kinds_of_what_they_hold() -> None:
    shown = table(
        [
            {"name": None, "vpc_id": "vpc-0e7154df9707d78be", "cidr": "192.168.0.0/23", "created": None},
            {"name": "MusicGuruVPC", "state": "available", "created": datetime(2023, 9, 16, 4, 4, 12, tzinfo=UTC)},
            {"load_balancer_arns": ["arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/MGLB/1"], "n": 3},
        ]
    )
    kinds = {one.key: one.kind for one in shown.columns}
    assert kinds == {
        "name": "text",
        "vpc_id": "id",
        "cidr": "address",
        "created": "time",
        "state": "status",
        "load_balancer_arns": "arn",
        "n": "number",
    }
    assert shown.rows[0][:4] == ("—", "vpc-0e7154df9707d78be", "192.168.0.0/23", "—")
    assert shown.rows[1][3] == "2023-09-16T04:04:12Z"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        ("", "—"),
        (float("nan"), "—"),
        (True, "yes"),
        (0, "0"),
        (78.0, "78"),
        (0.12345, "0.123"),
        (0.00001, "1.00e-05"),
        (timedelta(seconds=90), "90 s"),
        (["a", None], "a, —"),
        ({"k": 1}, "k = 1"),
        (datetime(2023, 9, 16, 4, 4, 12, 999), "2023-09-16T04:04:12Z"),
        (datetime(2023, 9, 16, 16, 4, tzinfo=timezone(timedelta(hours=12))), "2023-09-16T04:04:00Z"),
    ],
)
def test_every_cell_becomes_text_once(value: Any, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("key", "heading"),
    [
        ("vpc_id", "VPC ID"),
        ("HealthCheckPort", "Health check port"),
        ("load_balancer_arns", "Load balancer ARNs"),
        ("interval_s", "Interval (s)"),
        ("DNSName", "DNS name"),
    ],
)
def test_names_from_code_become_headings(key: str, heading: str) -> None:
    assert label(key) == heading


def test_html_and_markdown_show_hostile_text_as_it_is() -> None:
    shown = table([{"song": "<script>alert(1)</script> | *x* $y$\nz"}], title="<b>")
    assert "<script>" not in shown._repr_html_()
    assert "&lt;script&gt;" in shown._repr_html_()
    row = shown._repr_markdown_().splitlines()[-1]
    assert row == r"|\<script\>alert(1)\</script\> \| \*x\* \$y\$ z|"


def test_a_status_has_a_glyph_beside_its_colour() -> None:
    glyphs = {word: status(word).glyph for word in ("healthy", "unhealthy", "draining", "unused", "In Service", "odd")}
    assert glyphs == {"healthy": "✓", "unhealthy": "✗", "draining": "◐", "unused": "○", "In Service": "✓", "odd": "•"}
    assert status("shutting-down").mood == "waiting"
    assert "✓" in table([{"state": "running"}])._repr_html_()


def test_text_sets_numbers_flush_right() -> None:
    lines = table([{"name": "a", "port": 5}, {"name": "b", "port": 5000}]).text.splitlines()
    assert lines[2:] == ["a        5", "b     5000"]
    assert table([]).text == "(no rows)"


def test_a_table_of_a_table_is_the_same_table() -> None:
    assert table(table([{"a": "1"}])).rows == (("1",),)


def test_a_pandas_frame_is_read_like_records() -> None:
    class Frame:
        columns = ("target", "requests")

        def to_dict(self, orient: str) -> list[dict[str, Any]]:
            assert orient == "records"
            return [{"target": "192.168.0.57", "requests": 12}]

    assert table(Frame()).rows == (("192.168.0.57", "12"),)


def test_an_account_is_masked_but_for_its_ends() -> None:
    assert mask_account("998393112629") == "9983****2629"
    assert mask_account("") == ""
    assert set(display.PALETTE) >= {"green", "vermillion", "orange"}
