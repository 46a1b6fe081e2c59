"""docs/conformance.md says what the tests show, and no certain row of AWS's behaviour is missing from them."""

from __future__ import annotations

from dataclasses import fields

from mglab.localcloud.knobs import Knobs
from tests.conformance import table
from tests.conformance.facts import CONFIDENCE


def test_every_key_is_there_once_and_every_row_says_something() -> None:
    rows = table.all_facts()
    assert len({it.key for it in rows}) == len(rows)
    assert all(it.confidence in CONFIDENCE and it.says for it in rows)


def test_a_test_names_only_rows_that_there_are() -> None:
    assert set(table.shown()) <= {it.key for it in table.all_facts()}


NOT_OF_THIS_LAB = ("1.6/ip-targets", "1.6/internal-error")
"""States that no step of the sheet can bring about."""


def test_what_is_certain_is_neither_a_knob_nor_left_out() -> None:
    certain = [it for it in table.all_facts() if it.confidence in "DR"]
    assert tuple(it.key for it in certain if it.knob or it.left_out) == NOT_OF_THIS_LAB


def test_every_row_is_held_or_turned_or_left_out_with_a_reason() -> None:
    tests = table.shown()
    assert [it.key for it in table.all_facts() if table.state_of(it, tests) == "open"] == []


def test_a_knob_that_a_row_names_is_there() -> None:
    assert {it.knob for it in table.all_facts()} - {""} <= {it.name for it in fields(Knobs)}


def test_the_page_is_the_one_that_the_tests_give() -> None:
    assert table.TABLE.read_text("utf-8") == table.text(), "write it anew: python -m tests.conformance.table"
