"""How high did the traffic of a node rise in this minute?

PeakPacketsPerSecond and PeakBytesPerSecond are the highest averages over ten seconds within a minute (aws-facts
4.1). Totals are looked at whenever the cloud ticks; a window ends at the first look that is ten seconds or more
after its beginning, and its rate is what came divided by the seconds that really passed. So a clock too fast for
ten seconds makes the windows longer, never the rates wrong. A window belongs to the minute in which it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

WINDOW_S = 10.0


@dataclass(frozen=True)
class Peak:
    """The window that is open, and the highest rates of the windows that have ended in this minute."""

    began: float
    """Lab seconds; ``packets`` and ``bytes`` are the totals of that moment."""
    packets: int
    bytes: int
    packets_per_s: float = 0.0
    bytes_per_s: float = 0.0


def seen(peak: Peak | None, at: float, packets: int, bytes_: int) -> Peak:
    """Look at the totals: end the window if it is time, begin anew if they fell (another data plane counts)."""
    if peak is None or packets < peak.packets or bytes_ < peak.bytes:
        began = Peak(at, packets, bytes_)
        return began if peak is None else replace(began, packets_per_s=peak.packets_per_s, bytes_per_s=peak.bytes_per_s)
    passed_s = at - peak.began
    if passed_s < WINDOW_S:
        return peak
    return Peak(
        at,
        packets,
        bytes_,
        max(peak.packets_per_s, (packets - peak.packets) / passed_s),
        max(peak.bytes_per_s, (bytes_ - peak.bytes) / passed_s),
    )


def next_minute(peak: Peak) -> Peak:
    """Begin a minute; the open window goes on."""
    return replace(peak, packets_per_s=0.0, bytes_per_s=0.0)
