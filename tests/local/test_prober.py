"""Health checks over real connections: runs of outcomes, beats, and what is not dialled at all."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mglab.localcloud.seam import Probe, ProbeReport
from mglab.localcloud.wires.loop import Loop
from mglab.localcloud.wires.prober import Prober, after, next_beat
from tests.local.wirekit import Echo, address, eventually, listen

INTERVAL_S = 0.05


@pytest.fixture
def prober() -> Iterator[Prober]:
    loop = Loop("prober under test")
    loop.start()
    prober = Prober(loop)
    yield prober
    prober.stop()
    loop.stop()


def probe_of(to: tuple[str, int], target_id: str = "i-a", starts_at: float = 0.0) -> Probe:
    return Probe("arn:mgtg", target_id, 5000, "us-east-1a", *to, address(), INTERVAL_S, 0.1, starts_at)


def only(prober: Prober) -> ProbeReport:
    reports = prober.reports()
    return reports[0] if reports else ProbeReport(("", "", 0, ""), False, 0, 0)


@pytest.mark.fact("1.5/pass")
def test_a_listening_target_passes_from_the_nodes_own_address(prober: Prober) -> None:
    service = Echo("i-a", address())
    probe = probe_of(service.address)
    prober.apply([probe])
    eventually(lambda: only(prober).streak >= 3)
    report = only(prober)
    assert report.passed and report.key == probe.key and report.streak == report.total
    assert {peer[0] for peer in service.peers} == {probe.source_address}
    service.close()


def test_what_a_check_takes_is_counted_for_its_node_and_its_instance(prober: Prober) -> None:
    """A target that never closes is not waited for longer than a second; it has had a handshake and our FIN."""
    silent = listen(address())
    prober.apply([replace(probe_of(silent.getsockname()), interval_s=600.0, load_balancer="net/MGLB/1")])
    eventually(lambda: prober.packets)
    assert prober.packets == {("net/MGLB/1", "us-east-1a", "arn:mgtg"): 5}
    traffic = prober.traffic["i-a"]
    assert (traffic.packets_in, traffic.packets_out) == (3, 2)
    assert traffic.bytes_in > 3 * 40 and traffic.bytes_out > 2 * 40
    silent.close()


@pytest.mark.fact("1.5/fail")
def test_a_closed_port_is_refused_and_the_run_turns_when_it_opens(prober: Prober) -> None:
    where = address()
    prober.apply([probe_of((where, 21700))])
    eventually(lambda: only(prober).streak >= 3)
    assert not only(prober).passed and only(prober).failure == "refused"
    service = Echo("i-a", where, 21700)
    eventually(lambda: only(prober).passed)
    eventually(lambda: only(prober).streak >= 2)
    assert only(prober).failure == "" and only(prober).total > only(prober).streak
    service.close()


@pytest.mark.fact("1.5/fail")
def test_a_dropped_target_times_out_without_being_dialled(prober: Prober) -> None:
    service = Echo("i-a", address())
    prober.apply([replace(probe_of(service.address), verdict="dropped")])
    eventually(lambda: only(prober).streak >= 2)
    assert not only(prober).passed and only(prober).failure == "timed out"
    assert service.peers == []
    service.close()


@pytest.mark.fact("1.5/fail")
def test_a_target_that_does_not_answer_is_waited_for_a_second_and_dialled_once_at_a_time(prober: Prober) -> None:
    full = listen(address(), backlog=0)
    filler = socket.create_connection(full.getsockname(), 5)
    began = time.time()
    prober.apply([probe_of(full.getsockname())])
    eventually(lambda: only(prober).total >= 2)
    report = only(prober)
    assert report.failure == "timed out"
    assert report.at - began >= 2 * 1.0
    filler.close()
    full.close()


def test_nothing_is_probed_before_its_time(prober: Prober) -> None:
    service = Echo("i-a", address())
    starts_at = time.time() + 0.5
    prober.apply([probe_of(service.address, starts_at=starts_at)])
    eventually(lambda: only(prober).total == 1)
    assert only(prober).at >= starts_at
    service.close()


def test_a_check_that_was_absent_begins_anew(prober: Prober) -> None:
    service = Echo("i-a", address())
    probe = probe_of(service.address)
    prober.apply([probe])
    eventually(lambda: only(prober).total >= 3)
    prober.apply([])
    assert prober.reports() == ()
    prober.apply([replace(probe, starts_at=time.time() + 60)])
    assert prober.reports() == ()
    service.close()


def test_other_settings_keep_the_run(prober: Prober) -> None:
    service = Echo("i-a", address())
    probe = probe_of(service.address)
    prober.apply([probe])
    eventually(lambda: only(prober).total >= 2)
    total = only(prober).total
    prober.apply([replace(probe, verdict="dropped")])
    eventually(lambda: not only(prober).passed)
    assert only(prober).total > total and only(prober).streak < only(prober).total
    service.close()


def test_checks_of_many_targets_do_not_wait_for_each_other(prober: Prober) -> None:
    full = listen(address(), backlog=0)
    filler = socket.create_connection(full.getsockname(), 5)
    service = Echo("i-b", address())
    prober.apply([probe_of(full.getsockname(), "i-a"), probe_of(service.address, "i-b")])
    eventually(lambda: only(prober).key[1] == "i-b" and only(prober).total >= 5)
    filler.close()
    full.close()
    service.close()


def test_beats_that_were_missed_are_skipped() -> None:
    assert next_beat(10.0, 5.0, now=10.0) == 15.0
    assert next_beat(10.0, 5.0, now=14.9) == 15.0
    assert next_beat(10.0, 5.0, now=27.0) == 30.0


def test_a_run_begins_again_when_the_outcome_changes() -> None:
    report = ProbeReport(("tg", "i-a", 5000, "a"), False, 0, 0)
    history = []
    for failure in ("", "", "refused", "timed out", ""):
        report = after(report, failure, at=1.0)
        history.append((report.passed, report.streak, report.total))
    assert history == [(True, 1, 1), (True, 2, 2), (False, 1, 3), (False, 2, 4), (True, 1, 5)]
