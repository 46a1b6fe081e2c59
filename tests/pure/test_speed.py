"""Question 3 from histories made by hand: bounds, bands, what held things up, what a change changed, two runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import TypeAdapter

from mglab import cli
from mglab.config import Config, servers_folder
from mglab.errors import UsageError
from mglab.ledger import Entry
from mglab.steps import trials, userdata
from mglab.steps.monitoring import AlarmChange
from mglab.steps.network import Subnet
from mglab.steps.scaling import Activity
from mglab.steps.templates import LaunchTemplate
from mglab.study import bands, compare, hurry, moments, outage, provisioning, speed_plots
from mglab.study.bands import Band
from mglab.study.client import Sample
from mglab.study.disturbance import Disturbance
from mglab.study.growth import Growth
from mglab.study.health_port import ClosedHealthPort
from mglab.study.hurry import Trial, Trials
from mglab.study.moments import Moment
from mglab.study.pattern import Arm, Node, Pattern, Replica, Setting
from mglab.study.replies import Replies
from mglab.study.surge import Surge, Told, TrackingAlarm
from mglab.study.timeline import Event
from mglab.study.watch import Look
from mglab.workbook import comparing

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
WHO, ADDRESS = "i-…f1111", "192.168.0.57"
CAUSE = (
    "At 2026-11-23T10:00:01Z a user request update of AutoScalingGroup constraints to min: 3, max: 3, desired: 3 "
    "changing the desired capacity from 2 to 3.  At 2026-11-23T10:00:12Z an instance was started in response to a "
    "difference between desired and actual capacity, increasing the capacity from 2 to 3."
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def activity(started_s: float = 12.4, ended_s: float | None = 31.0) -> Activity:
    ended = None if ended_s is None else at(ended_s)
    return Activity(at(started_s), ended, None, "Successful", "Launching a new EC2 instance: i-0f1111", CAUSE, 100, "x")


def look(seconds: float, **said: str) -> Look:
    return Look(at(seconds), at(seconds + 1), {(who, WHO): state for who, state in said.items()})


def asked(seconds: float, failure: str = "", total_ms: float = 1.0, responder: str | None = None) -> Sample:
    return Sample(at(seconds), "127.65.0.3", 40000, 0.5, 1.0, total_ms, responder, "a reply", failure)


REGISTERING = {"group": "InService", "EC2": "running", "balancer": "initial", "checks": "Elb.RegistrationInProgress"}
LOOKS = (
    look(10),
    look(20, group="Pending", EC2="pending"),
    look(30, **REGISTERING),
    look(110, **REGISTERING),
    look(120, **{**REGISTERING, "checks": "Elb.InitialHealthChecking"}),
    look(130, group="InService", EC2="running", balancer="healthy"),
)
DIRECT = (
    asked(25, "refused"),
    asked(30, "timed out", 1000),
    asked(60, "timed out", 1000),
    asked(63, "refused"),
    asked(66, "refused"),
    asked(69, responder=ADDRESS),
    asked(72, responder=ADDRESS),
)
CLIENTS = (asked(128, responder="192.168.1.9"), asked(133, responder="192.168.1.9"), asked(136, responder=ADDRESS))
OURS = (Moment(moments.ASKED, at(0), at(0), "our own clock"),)


def history(
    rate: float = 60.0, direct: tuple[Sample, ...] = DIRECT, looks: tuple[Look, ...] = LOOKS
) -> moments.Moments:
    seen = [*OURS, *moments.of_looks(looks, WHO), moments.stamped(moments.LAUNCHED, at(13), "EC2's LaunchTime")]
    told = [*moments.ended_by(seen, activity()), *moments.of_activity(activity())]
    return moments.in_order([*told, *moments.of_asking(direct, rate), *moments.of_answer(CLIENTS, ADDRESS, rate)])


# -- moments ------------------------------------------------------------------------------------------------


def test_a_services_own_timestamp_is_true_to_the_second_it_is_given_in() -> None:
    known = history()
    assert (known[moments.ACCEPTED].since, known[moments.ACCEPTED].until) == (at(1), at(2))
    assert (known[moments.STARTED].since, known[moments.STARTED].until) == (at(12), at(12.4))  # StartTime draws it in
    assert known[moments.STARTED].source == "the activity's Cause, to the second; StartTime"


def test_what_has_no_timestamp_lies_between_the_looks_and_an_end_time_draws_it_in() -> None:
    known = history()
    assert (known[moments.RUNNING].since, known[moments.RUNNING].until) == (at(20), at(31))
    assert (known[moments.PROBED].since, known[moments.PROBED].until) == (at(110), at(121))
    ended = moments.ended_by([known[moments.RUNNING]], activity(ended_s=25.5))
    assert ended[0].until == at(25.5) and ended[0].source.endswith("EndTime")


def test_a_target_that_was_healthy_at_the_next_look_was_probed_before_that() -> None:
    known = history(looks=(*LOOKS[:4], LOOKS[5]))
    assert (known[moments.PROBED].since, known[moments.PROBED].until) == (at(110), at(131))


def test_only_the_last_silence_before_the_first_answer_counts() -> None:
    known = history()
    assert known[moments.AWAKE].since == at(60)  # not at 25, when the address refused because nothing stood behind it
    assert known[moments.AWAKE].until == at(63) + timedelta(milliseconds=60)
    assert known[moments.SERVING].since == at(66)


def test_who_is_never_silent_or_never_answers_has_no_such_mark() -> None:
    assert [one.name for one in moments.of_asking([asked(1, "refused"), asked(2, responder=ADDRESS)], 1.0)] == [
        "serving"
    ]
    assert moments.of_asking([asked(1, "timed out"), asked(2, "refused")], 1.0) == []
    assert moments.of_asking([], 1.0) == []


def test_bounds_are_drawn_in_by_the_order_of_things() -> None:
    late = Moment(moments.RUNNING, at(5), at(40), "a look")
    early = Moment(moments.AWAKE, at(20), at(30), "requests")
    known = moments.in_order([Moment(moments.LAUNCHED, at(10), at(10), "EC2"), late, early])
    assert (known[moments.RUNNING].since, known[moments.RUNNING].until) == (at(10), at(30))


# -- bands --------------------------------------------------------------------------------------------------


def by_name(cut: tuple[Band, ...]) -> dict[str, Band]:
    return {band.band: band for band in cut}


def test_on_the_local_cloud_each_band_says_whether_it_was_measured_or_modelled() -> None:
    kinds = {band.band: band.kind for band in bands.cut(history(), "local", 60.0)}
    assert kinds == {
        "request": "measured", "decision": "modelled", "launch": "measured", "pending": "modelled",
        "boot": "modelled", "service starts": "measured", "registration": "measured",
        "registration delay": "modelled", "first check passes": "modelled", "first answer": "measured",
    }  # fmt: skip


def test_on_aws_the_same_history_has_measured_bands_only() -> None:
    cut = bands.cut(history(1.0), "aws", 1.0)
    assert {band.kind for band in cut} == {"measured"} and {band.basis for band in cut} == {"timed from outside"}
    assert all("aws-facts" not in str(vars(band)) for band in cut)


def test_the_bands_that_were_waited_for_add_up_to_the_whole() -> None:
    cut = bands.cut(history(), "local", 60.0)
    waited = [band for band in cut if band.holds_up]
    assert "boot" not in by_name(tuple(waited)) and "registration delay" in by_name(tuple(waited))
    assert sum(band.seconds for band in waited) == pytest.approx(bands.whole_s(cut), abs=0.05 * len(waited))
    last, spare_s = bands.slack(cut)
    assert last is not None and last.band == "service starts"
    assert spare_s == pytest.approx(
        (history()[moments.PROBED].at - history()[moments.SERVING].at).total_seconds(), abs=0.2
    )


def test_a_service_that_is_late_holds_the_balancer_up() -> None:
    late = tuple(replace(one, at=one.at + timedelta(seconds=56)) for one in DIRECT if one.responder or one.failure)
    cut = by_name(bands.cut(history(direct=late), "local", 60.0))
    assert cut["boot"].holds_up and cut["service starts"].holds_up and not cut["registration delay"].holds_up


def test_a_service_that_answers_after_its_health_check_holds_the_first_answer_up() -> None:
    late = tuple(replace(one, at=one.at + timedelta(seconds=65)) for one in DIRECT)
    cut = by_name(bands.cut(history(direct=late), "local", 60.0))
    assert not cut["first check passes"].holds_up and cut["service starts"].holds_up
    assert cut["first answer"].starts_s == pytest.approx(cut["service starts"].ends_s, abs=0.1)


def test_real_work_is_told_in_wall_time_too() -> None:
    start = by_name(bands.cut(history(), "local", 60.0))["service starts"]
    assert start.wall_ms == pytest.approx(1000 * start.seconds / 60, rel=0.02)
    assert by_name(bands.cut(history(), "local", 60.0))["boot"].wall_ms is None


def test_what_was_not_seen_joins_its_neighbour_and_counts_as_modelled() -> None:
    known = {name: mark for name, mark in history().items() if name not in (moments.AWAKE, moments.STARTED)}
    cut = by_name(bands.cut(known, "local", 60.0))
    assert cut["boot + service starts"].kind == "modelled" and cut["decision + launch"].kind == "modelled"
    assert bands.cut({}, "local", 60.0) == ()


# -- what would make it faster ------------------------------------------------------------------------------


def growth(cut: tuple[Band, ...] | None = None, *, interval_s: int = 30, healthy_threshold: int = 5) -> Growth:
    known = bands.cut(history(), "local", 60.0) if cut is None else cut
    events = (Event(at(0), "us", "minimum raised to 3"), Event(at(20), "group", f"{WHO}: Pending"))
    return Growth(WHO, interval_s, healthy_threshold, events, tuple(history().values()), known, CLIENTS)


def trial(way: str, start_s: float, within_s: float = 1.0) -> Trial:
    found = [Moment(moments.ASKED, at(0), at(0), "ours"), Moment(moments.AWAKE, at(40), at(40), "its own address")]
    serving = at(40 + start_s)
    wide = timedelta(seconds=within_s)
    known = moments.in_order([*found, Moment(moments.SERVING, serving - wide, serving + wide, "its own address")])
    return Trial(way, WHO, tuple(known.values()), bands.along(hurry.ALONE, known, "local", 60.0))


def both(image_s: float, user_data_s: float, within_s: float = 1.0) -> Trials:
    ways = ((trials.FROM_IMAGE, image_s), (trials.FROM_USER_DATA, user_data_s))
    return Trials(tuple(trial(way, seconds, within_s) for way, seconds in ways for _ in range(2)))


def statement(attempt: str, *told: Any) -> str:
    return next(found.statement for found in hurry.findings(*told) if found.attempt.startswith(attempt))


def test_an_image_saves_what_is_more_than_the_looks_can_miss() -> None:
    assert "The image saves 20.0 s (0.33 s of real work)" in statement("Pre-baked", growth(), growth(), both(10, 30))
    assert "No difference that one could see" in statement("Pre-baked", growth(), growth(), both(10, 11))


def test_a_start_that_nobody_waited_for_is_told_as_such() -> None:
    _, spare_s = bands.slack(growth().bands)
    assert f"ready {spare_s:.1f} s too early: nobody waited" in statement(
        "Pre-baked", growth(), growth(), both(10, 30)
    )  # fmt: skip


def test_a_difference_in_a_band_that_was_not_changed_is_chance() -> None:
    slower = tuple(
        replace(band, seconds=band.seconds + 90) if band.band in ("boot", "first check passes") else band
        for band in growth().bands
    )
    found = {
        change.band: change.reading
        for change in hurry.changes(growth(), growth(slower, interval_s=10, healthy_threshold=2), both(10, 30))
        if change.tried == hurry.CHECKS
    }
    assert found["boot"] == "chance: this was not changed"
    assert found["first check passes"] == "slower"
    assert found["pending"] == "no change that the looks can tell"


def test_the_settings_arithmetic_and_the_delay_come_from_the_data() -> None:
    quick = growth(interval_s=10, healthy_threshold=2)
    assert "after 150 s, now 20 s" in statement("Health check", growth(), quick, both(10, 30))
    delay = by_name(growth().bands)["registration delay"].seconds
    assert f"took {delay:.1f} s" in statement("What no setting", growth(), quick, both(10, 30))


def test_what_was_not_seen_is_said_to_be_not_measured() -> None:
    blind = growth(())
    assert all("ot measured" in found.statement for found in hurry.findings(blind, blind, Trials(()))[:3])


def test_at_the_walls_own_pace_nothing_is_said_of_a_fast_clock() -> None:
    aws = growth(bands.cut(history(1.0), "aws", 1.0))
    assert len(hurry.findings(aws, aws, both(10, 30))) == 3


# -- trial instances ----------------------------------------------------------------------------------------


def test_the_user_data_brings_every_file_of_the_server_and_fits() -> None:
    packed = userdata.server_config({name: (servers_folder() / name).read_text("utf-8") for name in trials.FILES})
    assert packed[:2] == b"\x1f\x8b" and len(packed) <= userdata.LIMIT_BYTES


def test_too_much_of_a_server_is_refused() -> None:
    noise = Random(1).randbytes(20_000).hex()
    with pytest.raises(UsageError, match="EC2 takes 16384"):
        userdata.server_config({"run.sh": noise})


def test_both_ways_are_asked_for_alike_but_for_what_brings_the_server() -> None:
    template = LaunchTemplate("MGLaunch", "lt-1", 1, 1, "ami-1", "t2.micro", "key", "sg-1", True, True)
    subnet = Subnet("public 1", "subnet-1", "available", "vpc-1", "192.168.0.0/24", "us-east-1a", "use1-az2", 251)
    recipes = trials.Recipe(trials.FROM_IMAGE, "ami-1"), trials.Recipe(trials.FROM_USER_DATA, "ami-2", b"data")
    one, other = (trials.request(Config(), "r", recipe, template, subnet) for recipe in recipes)
    assert {key for key in other if one.get(key) != other[key]} == {"ImageId", "UserData", "TagSpecifications"}


# -- two runs -----------------------------------------------------------------------------------------------


def disturbance(lost: str, came: str, *, shift_s: float = 0.0, last: str = "InService") -> Disturbance:
    said = (
        (-9, "group", f"{lost}: InService"), (-9, "EC2", f"{lost}: running"), (0, "us", f"{lost}: terminated by us"),
        (30, "EC2", f"{lost}: terminated"), (31, "group", f"{lost}: Terminating"), (32, "group", f"{came}: Pending"),
        (50 + shift_s, "group", f"{came}: {last}"),
    )  # fmt: skip
    events = tuple(Event(at(seconds), who, what) for seconds, who, what in said)
    return Disturbance("terminate-1", "one terminated", (f"i-0000000{lost[-5:]}",), at(0), at(90), (), events, ())


def run(name: str, **experiments: Any) -> compare.Run:
    named = {key.replace("_", "-"): value for key, value in experiments.items()}
    return compare.Run(name, f"local/run-{name}", 60.0, named)


A = run("a", grow=growth(), terminate_1=disturbance("i-…aaaaa", "i-…bbbbb"))


def test_other_ids_are_no_other_sequence() -> None:
    other = run("b", grow=growth(), terminate_1=disturbance("i-…ccccc", "i-…ddddd"))
    assert {row.equal for row in compare.states(A, other)} == {"yes"}
    assert {row.agrees for row in compare.differences(A, other)} == {"yes"}


def test_another_state_and_another_length_are_told() -> None:
    other = run("b", terminate_1=disturbance("i-…ccccc", "i-…ddddd", shift_s=60, last="Terminating"))
    told = {(row.who, row.subject): row.equal for row in compare.states(A, other)}
    assert told["group", "new 1"] == "no" and told["group", "disturbed 1"] == "yes"
    moments = {row.band: row for row in compare.differences(A, other)}
    assert moments["the replacement is in service"].agrees == "not in both"


def test_a_state_too_short_for_a_look_is_named() -> None:
    quick = disturbance("i-…ccccc", "i-…ddddd")
    quick = replace(quick, events=tuple(event for event in quick.events if not event.what.endswith("Pending")))
    (row,) = compare.other_states(compare.states(A, run("b", terminate_1=quick)))
    assert (row.who, row.subject, row.equal) == ("group", "new 1", "all but Pending")


def test_the_models_error_is_told_band_by_band() -> None:
    measured = tuple(replace(band, seconds=2 * band.seconds, kind="measured") for band in growth().bands)
    row = next(
        row for row in compare.differences(A, run("b", grow=growth(measured))) if row.band == "registration delay"
    )
    assert (row.kinds, row.ratio, row.agrees) == ("modelled, measured", 2.0, "no")
    assert row.difference_s == row.first_s


def test_what_only_one_run_has_is_said() -> None:
    assert compare.lacking(A, run("b", grow=growth())) == ["terminate-1 is in run a alone"]
    assert compare.differences(A, run("b")) == []
    assert compare.lacking(replace(A, unread=("grow",)), A)[0] == "grow of run a cannot be read: measure it again"


def entry(seconds: float, kind: str, what: str, **more: Any) -> Entry:
    return Entry(at(seconds).isoformat(), kind, "local/x", "", what, more.pop("key", ""), "", more)


def wait(seconds: float, what: str, *states: tuple[float, str]) -> Entry:
    told = [{"at": at(after).isoformat(), "state": state} for after, state in states]
    return entry(seconds, "wait", what, transitions=told)


def test_what_aws_took_to_make_things_is_read_from_the_ledger() -> None:
    entries = [
        entry(0, "made", "image", key="x"),
        wait(190, "image x", (1, "pending"), (189, "available")),
        entry(200, "made", "load-balancer", key="MGLB"),
        wait(201, "load balancer MGLB", (201, "active")),  # nobody saw it become so
    ]
    (made,) = provisioning.provisioned(entries, 15.0)
    assert (made.what, made.seconds, made.within_s) == ("image until it is available", 181.5, 7.5)
    two = replace(run("a"), provisioned=(made,)), replace(run("b"), provisioned=(replace(made, seconds=300.0),))
    (row,) = compare.differences(*two)
    assert (row.experiment, row.difference_s, row.agrees) == ("making", 118.5, "no")


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MGLAB_OUTPUTS", str(tmp_path))
    monkeypatch.delenv("MGLAB_RUN", raising=False)
    for name in ("rehearsal", "real"):
        folder = tmp_path / name / "experiments"
        folder.mkdir(parents=True)
        (tmp_path / name / "run.json").write_text(json.dumps({"backend": "local", "rate": 60.0}))
        keep(folder / "grow.json", Growth, growth())
        keep(folder / "faster-image.json", Trials, both(10, 30))
    keep(
        tmp_path / "real" / "experiments" / "terminate-1.json", Disturbance, disturbance("i-…aaaaa", "i-…bbbbb")
    )  # fmt: skip
    return tmp_path


def keep(path: Path, kind: type[Any], result: Any) -> None:
    path.write_text(json.dumps({"place": "local/x", "result": TypeAdapter(kind).dump_python(result, mode="json")}))


def test_compare_prints_a_table_and_draws_both_runs(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "rehearsal", "real"]) == 0
    said = capsys.readouterr().out
    assert "registration delay" in said and "terminate-1 is in run real alone" in said
    drawn = sorted(path.name for path in (outputs / "compare-rehearsal-real").iterdir())
    assert drawn == [f"grow-{what}.{kind}" for what in ("timeline", "waterfall") for kind in ("pdf", "png")]


def test_compare_speaks_json(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (outputs / "real" / "experiments" / "grow.json").write_text('{"place": "local/x", "result": {"stages": []}}')
    assert cli.main(["compare", "rehearsal", "real", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["lacking"] == ["grow of run real cannot be read: measure it again", "terminate-1 is in run real alone"]
    assert {row["experiment"] for row in told["bands"]} == {"faster-image"} and told["figures"] == []


# -- every experiment is of a kind that is known -------------------------------------------------------------


NODES = (Node("us-east-1a", "127.65.0.3"), Node("us-east-1b", "127.65.0.4"))
THREE = Setting(False, NODES, tuple(
    Replica("MG", f"i-{n}", zone, f"192.168.{n}.5") for n, zone in enumerate(("us-east-1a", "us-east-1a", "us-east-1b"))
))  # fmt: skip


def arm(*answers: int, through: str = "the name") -> Arm:
    """Ask three instances, each of which answers so often."""
    samples = [asked(0, responder=f"192.168.{n}.5") for n, count in enumerate(answers) for _ in range(count)]
    return Arm(through, 1, False, THREE, tuple(samples))


def told_events(*said: tuple[float, str, str]) -> tuple[Event, ...]:
    return tuple(Event(at(seconds), who, what) for seconds, who, what in said)


def other(name: str, ended_s: float, *said: tuple[float, str, str], disturbed: str = "") -> Disturbance:
    lost = (disturbed,) if disturbed else ()
    return Disturbance(name, name, lost, at(0), at(ended_s), (asked(1, responder=ADDRESS),), told_events(*said), ())


LOST = "i-…aaaaa"
DEREGISTERED = other(
    "deregister", 420, (0, "us", f"{LOST}: deregistered by us"), (3, "balancer", f"{LOST}: draining"),
    (304, "balancer", f"{LOST}: no longer listed"), disturbed="i-0aaaaa",
)  # fmt: skip
SILENT = other(
    "stop-service", 400, (-9, "balancer", f"{LOST}: healthy"), (0, "us", f"{LOST}: MusicGuru stopped"),
    (150, "us", f"{LOST}: health check stopped"), (210, "balancer", f"{LOST}: unhealthy"),
    (300, "us", f"{LOST}: rebooted"), disturbed="i-0aaaaa",
)  # fmt: skip
CLOSED = other(
    "closed-health-port", 310, (0, "us", "port 5001 closed"), (70, "balancer", f"{LOST}: unhealthy"),
    (120, "us", "port 5001 opened"),
)  # fmt: skip
HIGH, LOW = "TargetTracking-MGAS-AlarmHigh-1", "TargetTracking-MGAS-AlarmLow-2"
LOADED = Surge(
    steps=((at(0), 400.0),), load_off=at(600), ended=at(2000), newcomer=WHO, answered_at=at(590), is_back=True,
    minutes=(), samples=(),
    told=Told((), (), (), (), (
        TrackingAlarm("high", HIGH, 50.0, (AlarmChange(at(400), HIGH, "OK", "ALARM", ""),), "ALARM"),
        TrackingAlarm("low", LOW, 35.0, (AlarmChange(at(1700), LOW, "OK", "ALARM", ""),), "ALARM"),
    ), ()),
)  # fmt: skip


def timed(**experiments: Any) -> dict[str, float | None]:
    return {row.band: row.first_s for row in compare.differences(run("a", **experiments), run("b", **experiments))}


def test_each_experiment_has_durations_of_its_own() -> None:
    assert timed(deregister=DEREGISTERED) == {"the target drains": 3.0, "it has drained": 304.0}
    assert timed(stop_service=SILENT) == {
        "MusicGuru stopped, until what came next": 150.0,
        "health check stopped, until what came next": 150.0,
        "rebooted, until what came next": 100.0,
        "health check stopped to the verdict unhealthy": 60.0,
    }
    assert timed(closed_health_port=CLOSED) == {
        "port closed to the first target unhealthy": 70.0, "port opened to every target healthy": 190.0,
    }  # fmt: skip
    assert timed(surge=LOADED) == {
        "load on to the high alarm": 400.0, "high alarm to the newcomer's first answer": 190.0,
        "load off to the low alarm": 1100.0, "low alarm to the group at its old size": 300.0,
    }  # fmt: skip


def test_a_surge_that_came_to_nothing_is_not_in_both() -> None:
    borne = replace(LOADED, answered_at=None, is_back=False)
    rows = {row.band: row for row in compare.differences(run("a", surge=LOADED), run("b", surge=borne))}
    assert rows["high alarm to the newcomer's first answer"].agrees == "not in both"
    assert rows["load on to the high alarm"].agrees == "yes"


def test_question_1_is_compared_by_its_shares() -> None:
    first = run("a", pattern=Pattern(100, (arm(30, 20, 50), arm(through="us-east-1b"))))
    second = run("b", pattern=Pattern(100, (arm(20, 40, 40),)))
    told = {row.arm: (row.first, row.second) for row in compare.shares(first, second)}
    assert told["3 instances, through the name"] == (
        "us-east-1a 30 + 20, us-east-1b 50", "us-east-1a 40 + 20, us-east-1b 40",
    )  # fmt: skip
    assert told["3 instances, through us-east-1b"] == ("nobody answered", "not asked")
    assert compare.shares(first, run("c")) == [] and compare.differences(first, second) == []


def test_every_file_is_compared_or_named(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("rehearsal", "real"):
        folder = outputs / name / "experiments"
        keep(folder / "closed-health-port.json", ClosedHealthPort, ClosedHealthPort((), CLOSED))
        keep(folder / "surge.json", Surge, LOADED)
        keep(folder / "pattern.json", Pattern, Pattern(100, (arm(30, 20, 50),)))
        keep(folder / "two-responders.json", Replies, Replies("", ()))
        (folder / "deregister.json").write_text("{}")
    (outputs / "real" / "experiments" / "notes.json").write_text("[]")
    assert cli.main(["compare", "rehearsal", "real", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"closed-health-port", "surge"} <= {row["experiment"] for row in told["bands"]} and told["shares"]
    assert told["lacking"] == [
        "deregister of run rehearsal cannot be read: measure it again",
        "deregister of run real cannot be read: measure it again",
        "notes of run real cannot be read: measure it again",
        "terminate-1 is in run real alone",
        "two-responders has no durations: there is nothing to compare",
    ]


def test_every_experiment_that_is_kept_has_its_kind() -> None:
    code = "".join(path.read_text("utf-8") for path in Path(compare.__file__).parent.glob("*.py"))
    names = set(re.findall(r'(?:once|staged)\(lab, f?"([a-z0-9{}-]+)"', code))
    terminated = {f"terminate-{count}" for count in outage.IN_WORDS}
    assert "terminate-{count}" in names and names - {"terminate-{count}"} | terminated == set(comparing.KINDS)


def test_compare_names_the_nearest_run(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "rehersal", "real"]) == 2
    assert capsys.readouterr().err == "mglab: there is no run 'rehersal'; did you mean 'rehearsal'?\n"


# -- figures ------------------------------------------------------------------------------------------------


def test_every_figure_draws_from_little_and_from_nothing() -> None:
    walks = compare.walks(disturbance("i-…aaaaa", "i-…bbbbb"))
    for figure in (
        speed_plots.waterfall(growth().bands, title="t"),
        speed_plots.waterfall((), title="t"),
        speed_plots.waterfalls({"x": {"a": growth().bands, "b": ()}, "y": both(10, 30).rows}, title="t"),
        speed_plots.timelines(walks, {}, ("a", "b"), title="t"),
        speed_plots.timelines({}, {}, ("a", "b"), title="t"),
    ):
        figure.canvas.draw()
