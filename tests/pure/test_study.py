"""The experiments' own thinking: conclusions, durations and stages, from samples and events made by hand."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import matplotlib
import pytest
from matplotlib.figure import Figure

from mglab.clock import Clock
from mglab.ledger import Ledger
from mglab.steps import monitoring, scaling
from mglab.steps.monitoring import AlarmChange
from mglab.steps.scaling import Activity
from mglab.study import accounts, comparison, house, kept, load, outage, outage_plot, silence
from mglab.study.client import Sample, failure_of, responder_of
from mglab.study.counted import Counted
from mglab.study.disturbance import Disturbance, Seen
from mglab.study.held import Survival
from mglab.study.timeline import Event

A, B, NEW = "192.168.0.57", "192.168.1.93", "192.168.0.201"
NODE_A, NODE_B = "127.65.0.4", "127.65.0.5"
START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def sample(responder: str | None, address: str = NODE_A, after_s: float = 0, failure: str = "") -> Sample:
    return Sample(START + timedelta(seconds=after_s), address, 40000, 0.5, 1.0, 1.2, responder, "a reply", failure)


def event(after_s: float, lane: str, what: str) -> Event:
    return Event(START + timedelta(seconds=after_s), lane, what)


DIED, CAME = "i-0123456789abcdef0", "i-…f1111"
OUTAGE = Disturbance(
    name="terminate-1",
    did="one instance terminated",
    disturbed=(DIED,),
    began=START,
    ended=START + timedelta(seconds=200),
    samples=(sample(A), sample(None, after_s=2, failure="timed out"), sample(B, NODE_B, 4), sample(B, NODE_B, 5)),
    events=(
        event(-1, "group", "i-…cdef0: InService"),
        event(0, "us", "i-…cdef0: terminated by us"),
        event(30, "EC2", "i-…cdef0: terminated"),
        event(31, "group", "i-…cdef0: Terminating"),
        event(32, "group", f"{CAME}: Pending"),
        event(50, "group", f"{CAME}: InService"),
        event(60, "DNS", "us-east-1a: no longer listed"),
        event(140, "balancer", f"{CAME}: healthy"),
        event(141, "DNS", "us-east-1a: in DNS"),
    ),
    survivals=(
        Survival("us-east-1a", NODE_A, 30.0, "reset", 0.2),
        Survival("us-east-1b", NODE_B, 30.0, "answered: In 2004 ...", 0.5),
    ),
)


def test_an_outage_says_what_the_client_felt_and_when() -> None:
    felt = {one.outcome: (one.requests, one.first_s, one.last_s) for one in OUTAGE.felt}
    assert felt == {f"answered by {B}": (2, 4.0, 5.0), f"answered by {A}": (1, 0.0, 0.0), "timed out": (1, 2.0, 2.0)}


def test_an_outage_says_how_long_each_part_took_and_what_was_not_seen() -> None:
    took = {one.part: one.seconds for one in outage.durations(OUTAGE)}
    assert took["the group takes note"] == 31.0
    assert took["the replacement is in service"] == 50.0
    assert took["its zone leaves DNS"] == 60.0
    assert took["the balancer calls it healthy"] == 140.0
    assert took["the balancer stops sending to it"] is None


def test_what_an_experiment_cost_is_counted_from_its_requests_and_its_open_connections() -> None:
    (cost,) = comparison.costs(OUTAGE)
    assert (cost.requests, cost.failed, cost.availability, cost.how) == (4, 1, 75.0, "1 timed out")
    assert (cost.survived, cost.lasted_s, cost.lost_s) == ("1 of 2", 200.0, 50.0)
    assert cost.budget == pytest.approx(100 * 50 / 2592, abs=0.01)


def test_who_noticed_and_when_is_read_from_what_each_said() -> None:
    (told,) = comparison.recoveries(OUTAGE)
    assert (told.first_failure_s, told.last_failure_s) == (2.0, 2.0)
    assert (told.group_s, told.launch_s, told.in_service_s, told.healthy_s) == (31.0, 32.0, 50.0, 140.0)
    assert told.balancer_s is None


QUIET = Disturbance(
    name="stop-service",
    did="the service stopped",
    disturbed=(DIED,),
    began=START,
    ended=START + timedelta(seconds=400),
    samples=(sample(A, after_s=-5), sample(None, after_s=10, failure="reset"), sample(B, NODE_B, 150)),
    events=(
        event(-9, "balancer", "i-…cdef0: healthy"),
        event(-9, "group", "i-…cdef0: InService"),
        event(-9, "EC2", "i-…cdef0: running"),
        event(0, "us", "i-…cdef0: MusicGuru stopped"),
        event(100, "us", "i-…cdef0: health check stopped"),
        event(140, "balancer", "i-…cdef0: unhealthy"),
        event(300, "us", "i-…cdef0: rebooted"),
        event(380, "balancer", "i-…cdef0: healthy"),
    ),
    survivals=(),
)


def test_a_stopped_service_is_told_phase_by_phase() -> None:
    told = [(one.phase, one.failed, one.balancer, one.group) for one in silence.phases(QUIET)]
    assert told == [
        ("MusicGuru stopped", 1, "healthy", "InService"),
        ("health check stopped", 0, "healthy -> unhealthy", "InService"),
        ("rebooted", 0, "unhealthy -> healthy", "InService"),
    ]


@pytest.mark.parametrize(("rate", "beat_s"), [(60, 0.05), (20, 0.15), (1, 0.5), (3600, 0.05)])
def test_the_pulse_beats_about_every_three_lab_seconds_within_bounds(rate: float, beat_s: float) -> None:
    assert load.beat_s(rate) == pytest.approx(beat_s)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (TimeoutError(), "timed out"),
        (ConnectionRefusedError(), "refused"),
        (ConnectionResetError(), "reset"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
    ],
)
def test_a_socket_error_has_a_word(error: OSError, word: str) -> None:
    assert failure_of(error) == word


def test_the_responder_stands_at_the_end_of_the_reply() -> None:
    assert responder_of("In 2004 the number 7. song was Float On - Modest Mouse (192.168.0.57)") == "192.168.0.57"
    assert responder_of("In 1990 a song (192.168.0.57) by nobody") is None


@dataclass(frozen=True)
class Measured:
    at: datetime
    samples: tuple[Sample, ...]


def lab(folder: Path, place: str = "local/here", vpc: str = "") -> Any:
    ledger = Ledger(folder / "ledger.jsonl", Clock(), place)
    if vpc:
        ledger.made("1-3", "vpc", "MusicGuruVPC", vpc)
    return SimpleNamespace(folder=folder, ledger=ledger)


def test_an_experiment_is_done_once_and_comes_back_as_it_was(tmp_path: Path) -> None:
    done: list[int] = []

    def measure() -> Measured:
        done.append(1)
        return Measured(START, (sample(A), sample(None, failure="refused")))

    first = kept.once(lab(tmp_path), "it", Measured, measure)
    assert kept.once(lab(tmp_path), "it", Measured, measure) == first and len(done) == 1
    kept.once(lab(tmp_path), "it", Measured, measure, again=True)
    assert len(done) == 2


def test_what_was_measured_elsewhere_is_not_shown_here(tmp_path: Path) -> None:
    kept.once(lab(tmp_path), "it", Measured, lambda: Measured(START, ()))
    there = kept.once(lab(tmp_path, "aws/1/us-east-1"), "it", Measured, lambda: Measured(START, (sample(A),)))
    assert len(there.samples) == 1


def test_a_run_that_is_done_again_measures_again(tmp_path: Path) -> None:
    kept.once(lab(tmp_path, vpc="vpc-1"), "it", Measured, lambda: Measured(START, ()))
    lab(tmp_path).ledger.removed("99", "vpc", "MusicGuruVPC", "vpc-1")
    torn_down = kept.once(lab(tmp_path), "it", Measured, lambda: Measured(START, (sample(A),)))
    assert torn_down.samples == ()
    again = kept.once(lab(tmp_path, vpc="vpc-2"), "it", Measured, lambda: Measured(START, (sample(A),)))
    assert len(again.samples) == 1


FAILED = replace(sample(A), failure="refused", responder=None)


def minutes(*values: float) -> tuple[tuple[datetime, float], ...]:
    """Give a point a minute, the second one's minute being that of the first act."""
    return tuple((START + timedelta(minutes=n - 1), value) for n, value in enumerate(values))


COUNTED = (
    Counted("Healthy hosts (us-east-1a)", "Maximum", minutes(1, 1, 0, 1)),
    Counted("Healthy hosts (us-east-1b)", "Maximum", minutes(1, 1, 1, 1)),
    Counted("New flows", "Sum", minutes(60, 50, 40, 60)),
    Counted("Target resets", "Sum", minutes(0, 0, 0, 0)),
    Counted("Fail-open flows", "Sum", minutes(0, 3)),
)


def test_the_minute_with_fewer_healthy_hosts_counts_when_it_is_over() -> None:
    seen = replace(OUTAGE, began=START, counted=COUNTED)
    assert seen.counted_fewer("x") == Seen("x", 120.0, "CloudWatch: HealthyHostCount")
    assert replace(seen, counted=COUNTED[1:]).counted_fewer("x") == Seen("x", None, "not seen")


def test_cloudwatch_s_counts_stand_between_what_was_felt_and_what_was_said() -> None:
    figure = outage_plot.outage(replace(OUTAGE, counted=COUNTED), title="t")
    _, hosts, flows, _ = figure.axes
    assert [it.get_text() for it in hosts.get_legend().get_texts()] == ["us-east-1a", "us-east-1b"]
    assert [it.get_text() for it in flows.get_legend().get_texts()] == ["New flows", "Fail-open flows"]


def test_a_line_of_zeros_is_not_hidden_by_the_frame_nor_a_legend_by_a_line() -> None:
    _, hosts, flows, _ = outage_plot.outage(replace(OUTAGE, counted=COUNTED), title="t").axes
    for ax in (hosts, flows):
        assert ax.get_ylim()[0] < 0
        assert ax.get_legend().get_frame_on() and ax.get_legend().get_zorder() > max(it.zorder for it in ax.lines)


def test_one_that_was_there_before_the_replacement_is_no_newcomer() -> None:
    old, new = (replace(sample(who), at=START + timedelta(seconds=s)) for who, s in ((B, 1), (NEW, 90)))
    launched = Event(START + timedelta(seconds=30), "group", "i-…00009: Pending")
    before = replace(sample(A), at=START - timedelta(seconds=5))
    seen = replace(OUTAGE, began=START, samples=(before, old, new), events=(launched,), disturbed=())
    assert seen.newcomer_answers("x") == Seen("x", 90.0, f"client: answered by {NEW}")
    assert replace(seen, events=()).newcomer_answers("x") == Seen("x", 1.0, f"client: answered by {B}")


@pytest.mark.parametrize("minutes_shown", [3, 8, 9, 14, 40, 75])
def test_an_axis_of_time_has_enough_ticks_to_be_read_by(minutes_shown: int) -> None:
    end = START + timedelta(minutes=minutes_shown)
    figure = outage_plot.outage(replace(OUTAGE, events=(*OUTAGE.events, Event(end, "us", "x: y"))), title="t")
    figure.canvas.draw()
    (low, high), ticks = figure.axes[-1].get_xlim(), figure.axes[-1].get_xticks()
    assert 3 <= sum(low <= tick <= high for tick in ticks) <= 9


def test_every_figure_draws_from_little_and_from_nothing() -> None:
    for figure in (
        outage_plot.outage(OUTAGE, title="t"),
        outage_plot.outage(replace(OUTAGE, samples=(FAILED,)), title="t"),
        outage_plot.outage(replace(OUTAGE, counted=COUNTED), title="t"),
    ):
        figure.canvas.draw()


# -- one clock ----------------------------------------------------------------------------------------------


LAUNCH, TERMINATE = f"Launching a new EC2 instance: i-0000000000{CAME[-5:]}", f"Terminating EC2 instance: {DIED}"
ACCOUNTS = (
    event(31, "activity", f"{TERMINATE}: begins"),
    event(33, "activity", f"{LAUNCH}: begins"),
    event(49, "activity", f"{LAUNCH}: Successful"),
    event(90, "alarm", "AlarmHigh: Alarm updated from OK to ALARM"),
)


def lanes_of(figure: Figure) -> dict[str, list[str]]:
    """Give every lane's name, and the words that stand in its row."""
    figure.canvas.draw()
    said = figure.axes[1]
    names = [label.get_text() for label in said.get_yticklabels()]
    return {name: [it.get_text() for it in said.texts if it.xy[1] == row] for row, name in enumerate(names)}


def test_the_services_own_histories_stand_on_the_clock_of_the_looks() -> None:
    lanes = lanes_of(outage_plot.outage(replace(OUTAGE, events=(*OUTAGE.events, *ACCOUNTS)), title="t"))
    assert lanes["i-…cdef0 activity"] == ["terminate"] and lanes[f"{CAME} activity"] == ["launch"]
    assert lanes["AlarmHigh alarm"] == ["OK", "ALARM"]
    assert list(lanes).index(f"{CAME} activity") == list(lanes).index(f"{CAME} group") + 2  # the balancer's between


def test_without_their_histories_there_is_no_lane_for_them() -> None:
    assert not [name for name in lanes_of(outage_plot.outage(OUTAGE, title="t")) if "activity" in name]


def test_an_activity_that_failed_or_was_cut_off_is_drawn_too() -> None:
    failed = event(60, "activity", f"{LAUNCH}: Failed")
    ended = event(40, "activity", f"{TERMINATE}: Successful")  # begun before all that was watched
    nameless = event(70, "activity", "Launching a new EC2 instance.  Status Reason: no: room: Failed")
    lanes = lanes_of(outage_plot.outage(replace(OUTAGE, events=(*OUTAGE.events, ended, failed, nameless)), title="t"))
    assert lanes[f"{CAME} activity"] == ["launch: Failed"] and lanes["group activity"] == ["launch: Failed"]
    assert lanes["i-…cdef0 activity"] == ["terminate"]


CHANGES = [
    AlarmChange(START + timedelta(seconds=5), "TargetTracking-MGAS-AlarmLow-1", "OK", "ALARM", ""),
    AlarmChange(START + timedelta(seconds=9), "TargetTracking-MGAS-AlarmHigh-2", "INSUFFICIENT_DATA", "OK", ""),
]


def test_what_is_told_of_the_histories_can_be_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Activity(START, START + timedelta(seconds=8), 8.0, "Successful", TERMINATE, "At ...", 100, "a")
    old = replace(done, started=START - timedelta(seconds=9), ended=None)
    asked: list[datetime | None] = []

    def alarm_history(_: Any, since: datetime | None = None) -> list[AlarmChange]:
        asked.append(since)
        return CHANGES

    monkeypatch.setattr(monitoring, "alarm_history", alarm_history)
    monkeypatch.setattr(scaling, "activities", lambda _: [old, done])
    told = accounts.since(cast(Any, None), START)
    assert [event.lane for event in told] == ["activity", "alarm", "activity", "alarm"] and asked == [START]
    assert accounts.doing(told[0].what) == accounts.Doing("terminate", DIED, "begins")
    assert accounts.doing(told[2].what) == accounts.Doing("terminate", DIED, "Successful")
    assert accounts.turn(told[1].what) == accounts.Turn("AlarmLow", "OK", "ALARM")
    assert accounts.turn(told[3].what) == accounts.Turn("AlarmHigh", "INSUFFICIENT_DATA", "OK")


# -- one style ----------------------------------------------------------------------------------------------


def test_a_students_own_figure_keeps_its_own_looks() -> None:
    before = dict(matplotlib.rcParams)
    figure = outage_plot.outage(OUTAGE, title="t")
    figure.savefig(io.BytesIO(), format="svg")
    assert dict(matplotlib.rcParams) == before


def test_the_sheet_is_in_force_when_a_figure_is_painted() -> None:
    with matplotlib.rc_context({"grid.color": "red", "svg.fonttype": "none"}):
        svg = io.BytesIO()
        outage_plot.outage(OUTAGE, title="t").savefig(svg, format="svg")
    words = svg.getvalue().decode()
    assert house.GRID.lower() in words and "#ff0000" not in words and "<text" not in words


def test_the_palette_is_the_sheets() -> None:
    assert len({*house.COLOURS}) == len(house.MARKERS) == 7
    assert set(house.TINTS) - set(house.COLOURS) == {"#005F47"}  # a darker green: a filled bar needs more contrast
