"""Model answers: from saved data alone, no number that a table does not show, another text for another world."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas
import pytest
from pydantic import TypeAdapter

from mglab import display
from mglab.steps.monitoring import Metric
from mglab.study import answers, bands, hurry, outage, silence
from mglab.study.answers import slowness
from mglab.study.bands import Band
from mglab.study.client import Sample
from mglab.study.comparison import costs, recoveries
from mglab.study.disturbance import Disturbance
from mglab.study.growth import Growth
from mglab.study.held import Survival
from mglab.study.surge import Surge
from mglab.study.timeline import Event
from mglab.study.views import Summary, View
from tests.pure.numbers_told import numbers
from tests.pure.test_surge import BORNE, SEEN

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
A, B = "192.168.0.57", "192.168.1.93"
NODE_A, NODE_B = "54.80.0.4", "54.80.0.5"
DIED, CAME, OTHER = "i-0123456789abcdef0", "i-…f1111", "i-…e2222"
GONE_ = "i-…cdef0"


def shown(*tables: Iterable[Any]) -> set[str]:
    """Give every number that the tables show."""
    return {number for rows in tables for number in numbers(display.table(list(rows)).text)}


def saved(kind: Any, value: Any) -> Any:
    """Write a result as it is kept, and read it back: nothing but what was saved comes through."""
    return TypeAdapter(kind).validate_python(json.loads(json.dumps(TypeAdapter(kind).dump_python(value, mode="json"))))


def at(after_s: float) -> datetime:
    return START + timedelta(seconds=after_s)


def sample(after_s: float, responder: str | None = A, address: str = NODE_A, failure: str = "") -> Sample:
    took, reply = (0.0, "") if failure else (1.2, "a reply")
    return Sample(at(after_s), address, 40000, 0.5, 1.0, took, None if failure else responder, reply, failure)


def lost(after_s: float, address: str = NODE_A) -> Sample:
    return sample(after_s, None, address, "timed out")


def event(after_s: float, who: str, what: str) -> Event:
    return Event(at(after_s), who, what)


def pulse(*failing: tuple[float, float], until_s: float = 400) -> tuple[Sample, ...]:
    """Ask every two seconds, each zone in turn; zone A fails in the stretches that are given."""
    asked = []
    for n in range(int(until_s // 2)):
        fails = n % 2 == 0 and any(low <= 2 * n <= high for low, high in failing)
        asked.append(lost(2 * n) if fails else sample(2 * n, B if n % 2 else A, NODE_B if n % 2 else NODE_A))
    return tuple(asked)


TERMINATED = Disturbance(
    name="terminate-1",
    did="one instance terminated",
    disturbed=(DIED,),
    began=START,
    ended=at(390),
    samples=pulse((1, 61)),
    events=(
        event(-1, "group", f"{GONE_}: InService"),
        event(0, "us", f"{GONE_}: terminated by us"),
        event(31.5, "EC2", f"{GONE_}: terminated"),
        event(44.2, "group", f"{GONE_}: Terminating"),
        event(44.2, "balancer", f"{GONE_}: draining"),
        event(46.1, "group", f"{CAME}: Pending"),
        event(63.7, "DNS", "us-east-1a: no longer listed"),
        event(71.3, "group", f"{CAME}: InService"),
        event(72.9, "balancer", f"{CAME}: initial"),
        event(348.3, "balancer", f"{CAME}: healthy"),
        event(350.6, "DNS", "us-east-1a: in DNS"),
    ),
    survivals=(
        Survival("us-east-1a", NODE_A, 30.0, "reset", 0.2),
        Survival("us-east-1b", NODE_B, 30.0, "answered: In 2004 ...", 0.5),
    ),
)
IN_DNS_ALL_ALONG = tuple(it for it in TERMINATED.events if it.lane != "DNS")
ALL = replace(
    TERMINATED, events=IN_DNS_ALL_ALONG, name="terminate-2", did="two instances terminated",
    disturbed=(DIED, "i-0123456789abce2222"),
    samples=tuple(lost(2 * n, (NODE_A, NODE_B)[n % 2]) if 10 < n < 150 else sample(2 * n) for n in range(200)),
)  # fmt: skip
KEPT_OPEN = tuple(replace(one, outcome="answered: In 2004 ...") for one in TERMINATED.survivals)
DRAINED = replace(
    TERMINATED, name="deregister", did="one target deregistered", samples=pulse(), survivals=KEPT_OPEN,
    events=(event(0, "us", f"{GONE_}: deregistered by us"), event(3, "balancer", f"{GONE_}: draining")),
)  # fmt: skip
SILENT = replace(
    TERMINATED,
    name="stop-service",
    did="the service stopped",
    samples=pulse((0, 140)),
    events=(
        event(-9, "balancer", f"{GONE_}: healthy"),
        event(-9, "group", f"{GONE_}: InService"),
        event(0, "us", f"{GONE_}: MusicGuru stopped"),
        event(100, "us", f"{GONE_}: health check stopped"),
        event(140, "balancer", f"{GONE_}: unhealthy"),
        event(300, "us", f"{GONE_}: rebooted"),
        event(380, "balancer", f"{GONE_}: healthy"),
    ),
    survivals=(),
)


CLOSED = Disturbance(
    name="closed-health-port", did="the health port closed, then opened", disturbed=(), began=START, ended=at(310),
    samples=pulse(until_s=300), survivals=(),
    events=(event(0, "us", "port 5001 closed"), event(70.5, "balancer", "i-…cdef0: unhealthy"),
            event(250, "us", "port 5001 opened")),
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """What might have happened in step 85."""

    one: Disturbance = TERMINATED
    all: Disturbance = ALL
    drained: Disturbance = DRAINED
    silent: Disturbance = SILENT
    closed: Disturbance = CLOSED
    backend: str = "local"

    def told(self) -> str:
        kept = [saved(Disturbance, it) for it in (self.one, self.all, self.drained, self.silent, self.closed)]
        one, both, drained, silent, closed = kept
        told = answers.question_2([one, both], drained=drained, silent=silent, closed=closed, backend=self.backend)
        return "\n".join(told)

    def tables(self) -> set[str]:
        every = (self.one, self.all, self.drained, self.silent, self.closed)
        addresses = {it.address for one in every for it in one.samples}
        return addresses | shown(
            costs(*every), recoveries(*every), outage.durations(self.one), outage.durations(self.all), self.one.felt,
            silence.phases(self.silent), answers.measured_2(*every),
        )  # fmt: skip


def without(one: Disturbance, *words: str) -> Disturbance:
    return replace(one, events=tuple(it for it in one.events if not any(word in it.what for word in words)))


def changed(one: Disturbance, then: str, now: str) -> Disturbance:
    return replace(one, events=tuple(replace(it, what=it.what.replace(then, now)) for it in one.events))


SAID = ("Terminating", "draining", "Pending", "InService", "initial", "healthy", "DNS", "listed")
UNNOTICED = without(TERMINATED, *SAID)
WORLDS = {
    "as usual": (World(), ["deregistered, which is what a group does", "nobody failed later", "nobody to turn to",
                           "every zone's address stays in the answer",
                           "An announced loss cost the clients nothing", "to a port on which nobody listened",
                           "replaced nothing", "constants of its model"]),
    "on AWS": (World(backend="aws"), ["every duration was measured on AWS"]),
    "nobody felt it": (World(one=replace(TERMINATED, samples=pulse())), ["No client noticed"]),
    "the probes found out": (World(one=changed(TERMINATED, "draining", "unhealthy")), ["its own probes had failed"]),
    "nobody found out": (World(one=UNNOTICED),
                         ["not seen", "Then the replacement: none was seen", "No zone was seen to leave DNS"]),
    "they failed on": (World(one=replace(TERMINATED, samples=pulse((1, 300)))), ["requests failed even later"]),
    "everywhere": (World(one=replace(TERMINATED, samples=(*pulse(until_s=380), lost(381), lost(382, NODE_B)))),
                   ["The failures were spread over"]),
    "a zone leaves in any case": (World(all=replace(ALL, events=TERMINATED.events)),
                                  ["With two instances terminated a zone left DNS after 63.7 s"]),
    "losing all costs no more": (World(all=replace(ALL, samples=pulse((1, 61)))), ["did not cost the clients more"]),
    "the check opens nothing": (World(closed=replace(CLOSED, samples=pulse((80, 200), until_s=300))),
                                ["and 31 of 150 requests failed"]),
    "no verdict": (World(closed=replace(CLOSED, events=())), ["no target was seen to become unhealthy"]),
    "good order costs as much": (World(drained=replace(DRAINED, samples=pulse((1, 61)))),
                                 ["it is the open connections it spared", "however orderly the leave"]),
    "good order saves nothing": (World(drained=replace(TERMINATED, did="one target deregistered")),
                                 ["the good order saved nobody anything"]),
    "nobody needs the service": (World(silent=replace(SILENT, samples=pulse())), ["No client failed while"]),
    "the check notices at once": (World(silent=replace(SILENT, events=tuple(
        replace(it, at=at(5)) if "unhealthy" in it.what else it for it in SILENT.events))),
        ["the balancer changed its word in that time"]),
    "the group replaces it": (World(silent=replace(SILENT, events=(
        *SILENT.events, event(320, "group", f"{GONE_}: Terminating")))), ["The group's own word changed"]),
}  # fmt: skip


@pytest.mark.parametrize("world", WORLDS)
def test_question_2_says_what_its_world_was_like_and_no_number_that_is_in_no_table(world: str) -> None:
    here, expected = WORLDS[world]
    told = here.told()
    for words in expected:
        assert words in told, told
    assert numbers(told) and numbers(told) <= here.tables()


def test_no_two_worlds_get_the_same_answer() -> None:
    told = [here.told() for here, _ in WORLDS.values()]
    assert len(set(told)) == len(told)


def test_a_claim_of_the_usual_world_is_not_made_in_the_others() -> None:
    for world, (here, _) in WORLDS.items():
        told = here.told()
        assert ("No client noticed" in told) == (not here.one.failed), world
        kept_all = {it.group for it in silence.phases(here.silent)} == {"InService"}
        assert ("replaced nothing" in told) == kept_all, world
        assert ("constants of its model" in told) == (here.backend == "local"), world


def test_the_longest_stretch_without_an_answer_is_between_two_answers_with_a_failure_between() -> None:
    asked = (sample(0), lost(3), lost(6), sample(10), sample(90), lost(92), sample(95))
    measured = answers.measured_2(replace(TERMINATED, samples=asked))
    assert [(it.what.split(": ")[1], it.value) for it in measured[:2]] == [
        ("requests that failed", "3 of 7"),
        ("longest stretch without an answer", "10 s"),
    ]
    quiet = answers.measured_2(replace(TERMINATED, samples=pulse()))
    assert quiet[1].value == "none"
    cut_off = answers.measured_2(replace(TERMINATED, samples=(sample(0), lost(3))))
    assert cut_off[1].value == "not measured"


# -- question 1 --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    about: str
    statement: str
    because: str


FOUND = [
    Finding("Order", "Asked by name, nobody takes turns.", "runs test: z = 0.26, p = 0.794; 61 : 59"),
    Finding("Address", "Through one zone's address the responder never changes", "2 of 2 addresses had one responder"),
    Finding("Mechanism", "DNS picks the zone.", "all of the above; 17 of 17"),
]


def test_question_1_adds_no_number_to_the_findings() -> None:
    told = "\n".join(answers.question_1(saved(list[Finding], FOUND), backend="local"))
    assert numbers(told) == {"0.26", "0.794", "2"}
    assert told.startswith("DNS picks the zone.\nAsked by name, nobody takes turns (runs test: z = 0.26, p = 0.794). ")
    assert "AWS documents" in told and "local cloud's own keyed one" in told
    assert "local" not in "\n".join(answers.question_1(FOUND, backend="aws"))


def test_question_1_measured_is_numbers_without_what_they_mean() -> None:
    assert [(it.what, it.value) for it in answers.measured_1(FOUND)] == [
        ("Order", "runs test: z = 0.26, p = 0.794"),
        ("Address", "2 of 2 addresses had one responder"),
    ]


def test_question_1_says_when_there_is_no_finding() -> None:
    assert answers.question_1([], backend="local") == ["Whether there is a pattern was not measured in this run."]


# -- step 83 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "words"),
    [
        (CLOSED, "none of the 150 requests failed"),
        (replace(CLOSED, samples=pulse((80, 200), until_s=300)), "31 of 150 requests failed"),
        (replace(CLOSED, events=()), "no target was seen to become unhealthy"),
    ],
    ids=["it fails open", "it does not", "no verdict"],
)
def test_step_83_says_whether_anybody_was_served_with_no_number_that_does_not_stand_beside_it(
    world: Disturbance, words: str
) -> None:
    told = "\n".join(answers.step_83(saved(Disturbance, world), backend="local"))
    assert words in told
    assert ("without a healthy target in any zone sends to all" in told) == (words.startswith("none"))
    assert numbers(told) <= shown(answers.measured_83(world), world.felt)


# -- scale under load -----------------------------------------------------------------------------------------

UNANSWERED = tuple(lost(60 + n) for n in range(40))
LOADS = {
    "as usual": (SEEN, ["fired 540 s after the load came on", "first answered 720 s", "low alarm fired after 1020 s",
                        "size after 1380 s", "The way back is the longer one"]),
    "nothing was to be scaled": (BORNE, ["The load was borne", "Which way is the longer one was not measured"]),
    "nobody came": (replace(SEEN, newcomer="", answered_at=None), ["nobody new answered"]),
    "it never came back": (replace(SEEN, is_back=False), ["was not seen to come back", "was not measured"]),
    "it was gone at once": (replace(SEEN, ended=SEEN.load_off + timedelta(minutes=2)),
                            ["the low alarm was not seen to fire", "the way back was not the longer one"]),
    "users suffered": (replace(SEEN, samples=tuple(replace(it, at=SEEN.began + timedelta(seconds=1 + n)) for n, it in
                                                   enumerate(UNANSWERED)) + tuple(
        replace(sample(0), at=SEEN.load_off + timedelta(seconds=n)) for n in range(40))),
        ["40 of 40 requests unanswered under it", "The scaling came too late"]),
    "nobody else asked": (replace(SEEN, samples=()), ["What a user felt was not measured"]),
}  # fmt: skip


@pytest.mark.parametrize("world", LOADS)
def test_scaling_under_load_is_told_with_no_number_that_its_own_tables_do_not_show(world: str) -> None:
    here, expected = LOADS[world]
    told = "\n".join(answers.under_load(saved(Surge, here), backend="local"))
    for words in expected:
        assert words in told, told
    both_ways = here.answered_at is not None and here.is_back
    longer = both_ways and here.ended - here.load_off > (here.answered_at or here.ended) - here.began
    assert ("The way back is the longer one" in told) == longer
    assert numbers(told) <= shown(here.felt, here.story, answers.measured_load(here))


# -- question 3 --------------------------------------------------------------------------------------------


def grown(*stages: tuple[str, float, str], samples: Sequence[Sample] = pulse(until_s=50)) -> Growth:
    bands = tuple(
        Band(name, seconds, 0.5, kind, "", None, holds_up=True, starts_s=0.0, source="", began=START, ended=START)
        for name, seconds, kind in stages
    )
    return Growth(CAME, 30, 5, (event(0, "us", "minimum raised to 3"),), (), bands, tuple(samples))


BOOT = ("boot", 31.5, "modelled")
CHECK = ("registration delay", 92.4, "modelled")
ANSWER = ("first answer", 1.3, "measured")
GROWTHS = {
    "the check is longest": (grown(BOOT, CHECK, ANSWER),
                             ["waiting for another's verdict", "interval", "cost the clients nothing"]),
    "the boot is longest": (grown((BOOT[0], 200.5, BOOT[2]), CHECK, ANSWER), ["an image in which everything"]),
    "all of it seen": (grown(("registration delay", 40.25, "measured"), ("first check passes", 12.5, "measured")),
                       ["All of it is measured", "is sent nothing until its registration"]),
    "the balancer's steps were not told apart": (
        grown(("registration + registration delay + first check passes", 80.5, "modelled"), ANSWER),
        ["is sent nothing until its registration", "waiting for another's verdict"]),
    "unknown stages": (grown(("something new", 12.5, "measured")), ["something new 12.5 s"]),
    "clients suffered": (grown(BOOT, ANSWER, samples=[sample(0), lost(2)]), ["growing was not free"]),
    "nobody asked": (grown(BOOT, ANSWER, samples=[]), ["What clients felt meanwhile was not measured"]),
}  # fmt: skip


@pytest.mark.parametrize("world", GROWTHS)
def test_question_3_says_where_the_time_went_and_no_number_that_is_in_no_table(world: str) -> None:
    here, expected = GROWTHS[world]
    told = "\n".join(answers.question_3(saved(Growth, here), backend="local"))
    for words in expected:
        assert words in told, told
    assert numbers(told) <= shown(here.bands, here.felt, answers.measured_3(here))
    assert ("has to be measured on AWS" in told) == any(it.kind.startswith("modelled") for it in here.bands)


MEANT = {
    "request": slowness.DECIDING,
    "decision": slowness.DECIDING,
    "launch": slowness.DECIDING,
    "pending": slowness.PENDING,
    "boot": slowness.BOOTING,
    "service starts": slowness.BOOTING,
    "registration": slowness.VERDICT,
    "registration delay": slowness.VERDICT,
    "first check passes": slowness.VERDICT,
    "first answer": slowness.REACHING,
}


def test_question_3_knows_every_band_that_a_run_can_have() -> None:
    every = (*bands.COMMON, *bands.ITSELF, *bands.BALANCER, bands.CHECKED, bands.REACHED)
    assert {one.band for one in every} == set(MEANT)
    assert {cause.why for cause in MEANT.values()} == {cause.why for cause in slowness.CAUSES}


@pytest.mark.parametrize("band", MEANT)
def test_question_3_gives_each_band_the_cause_that_is_meant_for_it_and_no_other(band: str) -> None:
    told = "\n".join(answers.question_3(grown((band, 40.5, "measured")), backend="aws"))
    assert [cause for cause in slowness.CAUSES if cause.why in told] == [MEANT[band]]
    assert MEANT[band].shorter in told


def test_question_3_tells_what_was_tried_to_make_it_faster() -> None:
    tried = [hurry.Finding("Pre-baked image", "No difference that one could see.")]
    told = answers.question_3(grown(BOOT, CHECK, ANSWER), tried, backend="local")
    assert "Tried: pre-baked image. No difference that one could see." in told


def test_question_3_measures_its_parts() -> None:
    assert [(it.what, it.value) for it in answers.measured_3(grown(BOOT, CHECK, ANSWER))] == [
        ("from the request to the first answer", "125.2 s"),
        ("of it modelled", "123.9 s"),
        ("of it measured", "1.3 s"),
        ("the longest stage: registration delay", "92.4 s"),
        ("its share of the whole", "73.8 %"),
        ("requests that failed meanwhile", "0 of 25"),
    ]


def test_question_3_says_when_no_stage_was_seen() -> None:
    assert answers.measured_3(grown()) == []
    assert "was not measured" in answers.question_3(grown(), backend="aws")[0]


# -- monitoring --------------------------------------------------------------------------------------------

STATISTIC = {"Active flows": "Average", "Unhealthy hosts": "Minimum", "Healthy hosts": "Maximum"}
MINUTES = pandas.date_range(START, periods=6, freq="min", name="time")


def view(name: str, **columns: Sequence[float | None]) -> View:
    frame = pandas.DataFrame({label: pandas.Series(list(it), dtype="float64") for label, it in columns.items()})
    lines = [Metric(label, "AWS/NetworkELB", label, (), STATISTIC.get(label, "Sum")) for label in columns]
    return View(name, lines, frame.set_index(MINUTES))


HOSTS: dict[str, Sequence[float | None]] = {
    "Healthy hosts": [1, 1, 1, 0, 0, 1],
    "Healthy hosts (us-east-1a)": [1, 1, 0, 0, 0, 1],
    "Healthy hosts (us-east-1b)": [1, 1, 1, 0, 0, 1],
    "Unhealthy hosts": [0, 0, 0, 0, 0, 0],
}
TRAFFIC: dict[str, Sequence[float | None]] = {
    "New flows": [20, 21, 23, 17, 13, 29],
    "Active flows": [1, 1, 2, 1, 3, 1],
    "Processed bytes": [700, 701, 702, 100, 90, 800],
    "Target resets": [0, 0, 4, 11, 0, 0],
    "Load balancer resets": [0, 0, 0, 2, 0, 0],
    "Client resets": [0] * 6,
    "Processed packets": [None] * 6,
    "Fail-open flows": [None, None, None, 17, 13, None],
}
TABS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "as usual": (HOSTS, TRAFFIC, ["no healthy target at all", "deregistered, not judged", "not the sum over the zones",
                                  "fails open", "no client resets", "would not show the outage", "denser among",
                                  "Processed packets; empty is not zero"]),
    "nothing was lost": (HOSTS | {name: [2] * 6 for name in HOSTS}, TRAFFIC, ["saw no target lost"]),
    "judged unhealthy": (HOSTS | {"Unhealthy hosts": [0, 0, 1, 2, 2, 0]}, TRAFFIC, ["Unhealthy hosts reached 2"]),
    "nothing published": ({name: [None] * 6 for name in HOSTS}, {name: [None] * 6 for name in TRAFFIC},
                          ["nothing was published", "Resets have no data points", "share no minute"]),
    "no traffic without hosts": (HOSTS, TRAFFIC | {"New flows": [20, 21, 23, 0, 0, 29], "Target resets": [0] * 6,
                                                   "Fail-open flows": [None] * 6}, ["traffic ended with the targets"]),
    "no resets": (HOSTS, TRAFFIC | {name: [0] * 6 for name in TRAFFIC if "resets" in name}, ["only the hosts' graph"]),
}  # fmt: skip


@pytest.mark.parametrize("world", TABS)
def test_the_tabs_are_told_from_their_summaries_with_no_number_that_is_in_no_table(world: str) -> None:
    hosts, traffic, expected = TABS[world]
    left, right = view("Target group", **hosts), view("Load balancer", **traffic)
    minutes = answers.together(left, right)
    lines = [saved(list[Summary], it.summary) for it in (left, right)]
    kept = saved(list[answers.Together], minutes)
    told = "\n".join([*answers.step_87(lines[0]), *answers.step_88(lines[1]), *answers.evaluation(*lines, kept)])
    for words in expected:
        assert words in told, told
    assert numbers(told) <= shown(left.summary, right.summary, minutes)


def test_what_stands_beside_the_prediction_of_the_tabs_is_in_their_tables() -> None:
    left, right = view("Target group", **HOSTS), view("Load balancer", **TRAFFIC)
    minutes = answers.together(left, right)
    told = {it.what: it.value for it in answers.measured_tabs(left.summary, right.summary, minutes)}
    assert told["Healthy hosts"] == "0 to 1" and told["Unhealthy hosts"] == "0 to 0"
    assert told["Target resets"] == "15 in all" and told["New flows with 0 healthy hosts"] == "30 in 2 min"
    assert numbers(" ".join(told.values())) <= shown(left.summary, right.summary, minutes)
    silent = view("Load balancer", **{name: [None] * 6 for name in TRAFFIC})
    assert {it.value for it in answers.measured_tabs([], silent.summary, [])} == {"no data points"}


def test_the_two_tabs_are_put_on_one_clock_over_all_zones() -> None:
    minutes = answers.together(view("Target group", **HOSTS), view("Load balancer", **TRAFFIC))
    assert [(it.healthy, it.minutes, it.flows, it.resets, it.resets_in_100) for it in minutes] == [
        (0, 2, 30.0, 13.0, 43.3),
        (1, 1, 23.0, 4.0, 17.4),
        (2, 3, 70.0, 0.0, 0.0),
    ]


def test_the_net_of_numbers_catches_one_that_is_in_no_table() -> None:
    assert numbers("9 of 129 requests to 54.80.0.4 failed after 46.4 s in us-east-1a (step 69, EC2)") == {
        *("9", "129", "54.80.0.4", "46.4"),
    }
    assert not {"47"} <= shown(outage.durations(TERMINATED))
