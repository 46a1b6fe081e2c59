"""What may be set on a running cloud: words are read as a whole, or refused before anything has changed."""

from __future__ import annotations

import pytest

from mglab.errors import UsageError
from mglab.localcloud import settings
from mglab.localcloud.api import moto_room
from mglab.localcloud.knobs import DEFAULTS
from mglab.localcloud.settings import Change, Settings

ORDINARY = Settings()


def read(*words: str, before: Settings = ORDINARY, running: bool = True) -> Change:
    return settings.read(words, before, DEFAULTS, running=running)


def test_words_change_what_they_name_and_nothing_else() -> None:
    change = read("throttling=0.2", "capacity=us-east-1b,us-east-1a", "boot_s=1", "rate=600")
    assert change.settings.changed == {"throttling": 0.2, "capacity": ["us-east-1b", "us-east-1a"]}
    assert change.knobs.changed == {"boot_s": 1.0} and change.rate == 600
    assert not change.starts_session and change.session_ends_s is None


def test_a_fault_is_ended_by_none_off_or_nothing() -> None:
    before = read("throttling=0.2", "zone_outage=us-east-1a", "deny=ec2:CreateVpc", "vcpu_limit=4").settings
    for word in ("none", "off", ""):
        ended = read(*(f"{name}={word}" for name in ("throttling", "zone_outage", "deny", "vcpu_limit")), before=before)
        assert ended.settings == Settings()


def test_a_learner_lab_is_started_ended_and_left() -> None:
    started = read("academy=on", "session_ends_s=60")
    assert started.settings.academy and started.starts_session and started.session_ends_s == 60
    assert started.settings.most_vcpus == 32 and Settings().most_vcpus == 0
    left = read("academy=off", before=started.settings)
    assert left.settings == Settings() and not left.starts_session
    closed = read("academy=closed")
    assert closed.settings.academy and closed.closes_account and not closed.starts_session
    assert read("vcpu_limit=0", before=started.settings).settings.most_vcpus == 0


@pytest.mark.parametrize(
    ("word", "said", "hint"),
    [
        ("throtling=1", "there is nothing to set called 'throtling'", "did you mean 'throttling'?"),
        ("boot=1", "there is nothing to set called 'boot'", "did you mean 'boot_s'?"),
        ("academy", "'academy' sets nothing", "give NAME=VALUE, for example throttling=0.2"),
        ("academy=maybe", "academy cannot be 'maybe'", "give on, off or closed"),
        ("throttling=2", "throttling cannot be '2'", "give a number from 0 to 0.95"),
        ("consistency_s=soon", "consistency_s cannot be 'soon'", "give a number from 0 to 86400"),
        ("rate=0", "rate cannot be '0'", "give a number from 1 to 3600"),
        ("capacity=us-east-1g", "capacity cannot be 'us-east-1g'", "did you mean 'us-east-1f'?"),
        ("deny=s3:GetObject", "deny cannot be 's3:GetObject'", "give actions, for example ec2:CreateVpc"),
        ("boot_s=long", "knob boot_s cannot be 'long'", "give a number from 0 to 86400 (lab seconds)"),
        ("session_ends_s=60", "session_ends_s is a Learner Lab's", "give academy=on as well"),
        ("core_share=1", "knob core_share cannot be turned while the cloud runs",
         "a point of CPUUtilization covers up to five minutes, and would be measured with two shares; "
         "start a cloud with it: mglab cloud up --knob core_share=1"),
    ],
)  # fmt: skip
def test_a_word_that_cannot_be_is_refused_with_what_would_do(word: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        read("throttling=0.5", word)
    assert (refused.value.message, refused.value.hint) == (said, hint)


def test_a_knob_that_is_for_life_may_be_given_at_the_start() -> None:
    for name in settings.FIXED:
        with pytest.raises(UsageError, match=f"knob {name} cannot be turned"):
            read(f"{name}=1")
        assert read(f"{name}=1", running=False).knobs.changed == {name: 1.0}


def test_the_zones_are_those_of_the_cloud() -> None:
    assert tuple(moto_room.ZONE_IDS) == settings.ZONES


def test_every_name_is_listed_once_with_whether_a_running_cloud_takes_it() -> None:
    rows = {row["name"]: row for row in settings.listing()}
    assert len(rows) == len(settings.listing())
    assert {name for name, row in rows.items() if row["while it runs"] == "no"} == set(settings.FIXED)
    assert all(row["says"] and row["unit"] and row["source"] for row in rows.values())
