"""The model's knobs: each has a source, and a wrong name or value is refused before a cloud starts."""

from __future__ import annotations

from dataclasses import fields

import pytest

from mglab.errors import UsageError
from mglab.localcloud.knobs import DEFAULTS, Knobs, difference, listing, turned


def test_nothing_turned_is_the_defaults() -> None:
    assert turned([]) == DEFAULTS
    assert DEFAULTS.changed == {}


def test_what_is_turned_is_shown_and_the_last_word_holds() -> None:
    knobs = turned(["publication_delay_s=0", "core_share=0.5", "publication_delay_s=1.5", "initial_passes=5"])
    assert knobs.changed == {"publication_delay_s": 1.5, "core_share": 0.5, "initial_passes": 5}
    assert turned(["boot_s=30"]).changed == {}


@pytest.mark.parametrize(
    ("word", "said", "next_"),
    [
        ("publication_delay=1", "there is no knob 'publication_delay'", "did you mean 'publication_delay_s'?"),
        ("xyz=1", "there is no knob 'xyz'", "each knob there is: alarm_low_factor, boot_s, core_share,"),
        ("boot_s", "'boot_s' turns no knob", "give NAME=VALUE"),
        ("boot_s=long", "knob boot_s cannot be 'long'", "give a number from 0 to 86400 (lab seconds)"),
        ("boot_s=-1", "knob boot_s cannot be '-1'", "give a number from 0 to 86400"),
        ("boot_s=nan", "knob boot_s cannot be 'nan'", "give a number"),
        ("core_share=0", "knob core_share cannot be '0'", "give a number from 0.001 to 64 (of a host core)"),
        ("initial_passes=1.5", "knob initial_passes cannot be '1.5'", "give a whole number from 1 to 10 (checks)"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(word: str, said: str, next_: str) -> None:
    with pytest.raises(UsageError) as refused:
        turned([word])
    assert refused.value.message == said
    assert refused.value.hint.startswith(next_)


def test_a_running_cloud_says_where_it_is_not_as_asked() -> None:
    assert difference({}, DEFAULTS) == ""
    assert difference({"boot_s": 5.0}, turned(["boot_s=5"])) == ""
    assert difference({"boot_s": 5.0}, DEFAULTS) == "boot_s is 5, not 30"
    assert difference({}, turned(["core_share=0.5"])) == "core_share is 0.08, not 0.5"


def test_every_knob_names_its_source_and_lies_within_its_limits() -> None:
    assert [it["name"] for it in listing()] == [each.name for each in fields(Knobs)]
    for each in fields(Knobs):
        assert each.metadata["source"] and each.metadata["says"]
        assert each.metadata["least"] <= each.default <= each.metadata["most"]
        assert isinstance(each.default, int) or each.name.endswith(("_s", "_share", "_factor"))
