"""Tables fit the page: which form they take, and that nothing is lost on the way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mglab.display import Column, table
from mglab.folio import tables

ARN = "arn:aws:elasticloadbalancing:us-east-1:998393112629:loadbalancer/net/MGLB/fea3c292d7c800c3"


def instances(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": f"MGAS-{i}",
            "instance_id": f"i-{i:017x}",
            "state": "running",
            "zone": f"us-east-1{'ab'[i % 2]}",
            "private_ip": f"192.168.{i % 2}.{100 + i}",
            "public_ip": f"54.204.116.{160 + i}",
            **more,
        }
        for i in range(count)
    ]


def arranged(rows: Any) -> dict[str, Any]:
    shown = table(rows)
    return tables.arrange(shown.columns, shown.rows)


def words_of(form: dict[str, Any]) -> list[str]:
    cells = [cell["s"] for part in form["parts"] for row in part["rows"] for cell in row]
    cells += [cell["s"] for part in form["parts"] for line in part["below"] for cell in line["cells"]]
    cells += [cell["s"] for cell in form["pairs"] + form["common"]]
    if form["turned"]:
        lines = [form["turned"]["head"], *form["turned"]["lines"]]
        cells += [cell["s"] for line in lines for cell in line["cells"]]
    return cells


def test_a_small_table_keeps_its_form() -> None:
    form = arranged([{"name": "public 1", "cidr": "192.168.0.0/24"}, {"name": "public 2", "cidr": "192.168.1.0/24"}])
    assert [part["widths"] for part in form["parts"]] == [None]
    assert form["parts"][0]["size"] == 9.0


def test_one_wide_row_becomes_pairs() -> None:
    form = arranged({"name": "MGTG", "arn": ARN, "protocol": "TCP", "port": 5000, "vpc_id": "vpc-0e7154df9707d78be"})
    assert [pair["label"] for pair in form["pairs"]] == ["Name", "ARN", "Protocol", "Port", "VPC ID"]
    assert form["parts"] == []


def test_two_rows_with_much_to_say_are_turned() -> None:
    rows = [{"name": n, "lb_arn": ARN, "tg_arn": ARN, "port": 5000} for n in ("MGLB", "MGLB-two")]
    turned = arranged(rows)["turned"]
    assert [cell["s"] for cell in turned["head"]["cells"]] == ["MGLB", "MGLB-two"]
    assert [line["label"] for line in turned["lines"]] == ["Lb ARN", "Tg ARN", "Port"]


def test_what_every_row_says_is_said_once() -> None:
    form = arranged(instances(8, instance_type="t2.micro", image_id="ami-0f7e6d5c4b3a29180"))
    assert [cell["label"] for cell in form["common"]] == ["State", "Instance type", "Image ID"]
    assert [head["label"] for head in form["parts"][0]["head"]] == [
        "Name",
        "Instance ID",
        "Zone",
        "Private IP",
        "Public IP",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        instances(8, load_balancer=ARN),
        [{**one, "arn": f"{ARN}/{i}", "note": "drained " * i} for i, one in enumerate(instances(5))],
        [{f"column_{c}": f"value {c} {r}" for c in range(30)} for r in range(6)],
        [{f"column_{c}": f"value {c} {r}" for c in range(30)} for r in range(9)],
        [{**one, "cause": f"At {i} one was " + "taken out of service " * i} for i, one in enumerate(instances(7))],
        [{"a": "q" * 10_000, "b": "word " * 2_000}] * 4 + [{"a": "x", "b": "y"}],
    ],
)
def test_wide_tables_fit_in_readable_letters_and_lose_nothing(rows: list[dict[str, Any]]) -> None:
    form = arranged(rows)
    for part in form["parts"]:
        assert part["size"] >= 7.5
        assert sum(part["widths"] or [0]) <= tables.PAGE_PT + 1
    shown = words_of(form)
    assert {cell for row in table(rows).rows for cell in row} <= set(shown)


def test_groups_of_columns_repeat_what_names_the_rows() -> None:
    form = arranged([{"name": f"row {r}", **{f"column_{c}": f"value {c} {r}" for c in range(30)}} for r in range(9)])
    assert len(form["parts"]) > 1
    assert {part["head"][0]["label"] for part in form["parts"]} == {"Name"}


def test_no_group_of_columns_is_a_lone_one_beside_full_ones() -> None:
    for columns in range(8, 31):
        form = arranged([{"name": f"row {r}", **{f"c{c}": f"value_{c}_{r}" for c in range(columns)}} for r in range(9)])
        counts = [len(part["head"]) - 1 for part in form["parts"]]
        assert sum(counts) == columns and (len(counts) == 1 or min(counts) > 1), counts


def test_a_few_rows_of_very_many_columns_are_turned_instead_of_grouped() -> None:
    form = arranged([{"name": f"row {r}", **{f"c{c}": f"value {c} {r}" for c in range(20)}} for r in range(6)])
    assert form["parts"] == [] and len(form["turned"]["lines"]) == 20


def test_sentences_stand_below_their_row_instead_of_in_a_sliver() -> None:
    cause = "At 2026-11-26T03:05:45Z an instance was taken out of service in response to an EC2 health check. "
    rows = [{"start": f"2026-11-26T03:0{i}:45Z", "did": f"Launching i-{i:017x}", "cause": cause * (1 + i % 3)} for i in
            range(9)]  # fmt: skip
    (part,) = arranged(rows)["parts"]
    assert [head["label"] for head in part["head"]] == ["Start", "Did"]
    assert [line["label"] for line in part["below"]] == ["Cause"]
    assert [cell["s"] for cell in part["below"][0]["cells"]] == [str(row["cause"]) for row in rows]


def test_narrowed_columns_share_the_page_so_that_rows_are_low() -> None:
    long, short = "By name, it does not matter how many ask at once", "chi-square of independence"
    rows = [
        {"hypothesis": f"{long} {n}", "test": f"{short} {n}", "answers": 240 + n, "statistic": 0.79 + n, "p": n / 100,
         "p, all tests together": 1 / (n + 1), "verdict": f"nothing speaks against number {n}"} for n in range(9)
    ]  # fmt: skip
    (part,) = arranged(rows)["parts"]
    assert sum(part["widths"]) <= tables.PAGE_PT + 1
    assert max(tables._row_lines(row, part) for row in part["rows"]) <= 2


WHOLE = ["192.168.1.156", "(192.168.0.70)", "192.168.0.0/23", "i-0be2f3a4b5c6d7e8f", "i-…d3786:", "us-east-1a,"]
WHOLE += ["subnet-0f4dc79ac84b5553c", "2026-11-26T03:05:45Z"]
BREAKING = ["pre-baked", "client-7", "ab/cd.ef-gh", "elasticloadbalancing:Describe*", "10", ""]


def test_tables_and_template_agree_on_what_stays_on_one_line() -> None:
    template = Path(tables.__file__).with_name("folio.typ").read_text(encoding="utf-8")
    (written,) = re.findall(r'#let whole-word = regex\("(.*)"\)', template)
    theirs = re.compile(written.replace("\\\\", "\\"))
    for one in (*WHOLE, *BREAKING):
        assert bool(theirs.search(one)) == bool(tables.WHOLE.fullmatch(one)) == (one in WHOLE), one


def test_no_rows_and_no_columns_are_not_an_error() -> None:
    assert tables.arrange((), ()) == {"pairs": [], "turned": None, "common": [], "parts": [], "lines": 0}
    empty = tables.arrange((Column("a", "A"), Column("b", "B")), ())
    assert empty["parts"][0]["rows"] == []


def test_long_tables_know_that_they_are_long() -> None:
    assert arranged(instances(40))["lines"] > 40
    assert arranged({"name": "x", "text": "q" * 10_000})["lines"] > 100


def test_a_status_cell_carries_its_glyph() -> None:
    cell = arranged([{"name": "a", "state": "healthy"}])["parts"][0]["rows"][0][1]
    assert (cell["s"], cell["glyph"]) == ("healthy", "✓")


def test_pandas_html_is_read_with_its_numbers() -> None:
    markup = """<style>td {}</style><table class="dataframe">
    <thead><tr><th></th><th>target</th><th>requests</th></tr></thead>
    <tbody><tr><th>0</th><td>192.168.0.57 &lt;b&gt;</td><td>1,234</td></tr>
    <tr><th>1</th><td>x<br>y</td><td>7</td></tr></tbody></table>"""
    (shown,) = tables.html_tables(markup)
    assert [one.label for one in shown.columns] == ["", "target", "requests"]
    assert [one.kind for one in shown.columns] == ["number", "text", "number"]
    assert shown.rows == (("0", "192.168.0.57 <b>", "1,234"), ("1", "x\ny", "7"))


def test_uneven_html_is_made_even() -> None:
    (shown,) = tables.html_tables(
        "<table><tr><th>a<th>b</tr><tr><td colspan=2>wide</td></tr><tr><td>1</td></tr></table>"
    )
    assert all(len(row) == len(shown.columns) for row in shown.rows)
