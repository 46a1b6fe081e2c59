"""A counter of CPU time never falls: not when a process dies between two readings, not when it boots again."""

from __future__ import annotations

from mglab.localcloud.machines.cpu import Counter, Usage, measure
from mglab.localcloud.machines.inside.proctree import Process

NEVER_A_PID = 2**26  # the kernel's own limit is 2**22


def test_a_reading_that_falls_is_not_believed() -> None:
    counter = Counter()
    seen = []
    for reading in (5, 9, 7, 8, 12):
        counter.see(reading)
        seen.append(counter.total_ns)
    assert seen == [5, 9, 9, 9, 12]


def test_boots_add_up() -> None:
    counter = Counter()
    for readings in ((3, 4), (1, 2)):
        counter.boot()
        for reading in readings:
            counter.see(reading)
    assert counter.total_ns == 6


def test_finished_children_count_where_they_were_waited_for() -> None:
    gone = Process(NEVER_A_PID, 1, "S", 0, reaped_ns=30)
    zombie = Process(NEVER_A_PID + 1, 1, "Z", 0, reaped_ns=0)
    assert measure([gone, zombie], reaped_ns=4) == Usage(cpu_ns=34, processes=1)
