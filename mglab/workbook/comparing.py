"""``mglab compare``: read two runs' kept experiments from their folders, and draw them over each other.

Nothing is asked of any cloud: what was measured lies in ``outputs/<run>/experiments`` and in the run's ledger. The
figures go beside the runs, as PDF and PNG: ``outputs/compare-<run>-<run>/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mglab.clock import Clock
from mglab.errors import OutputsUnwritable
from mglab.ledger import Ledger
from mglab.study import compare, kept, speed_plots
from mglab.study.compare import Kept, Run
from mglab.study.disturbance import Disturbance
from mglab.study.growth import Growth
from mglab.study.health_port import ClosedHealthPort
from mglab.study.hurry import Trials
from mglab.study.launches import TemplateTest
from mglab.study.pattern import Pattern
from mglab.study.provisioning import provisioned
from mglab.study.replies import Replies
from mglab.study.surge import Surge
from mglab.workbook import state

KINDS: dict[str, type[Any]] = {
    "grow": Growth,
    "faster-checks": Growth,
    "faster-image": Trials,
    "terminate-1": Disturbance,
    "terminate-2": Disturbance,
    "terminate-3": Disturbance,
    "deregister": Disturbance,
    "stop-service": Disturbance,
    "closed-health-port": ClosedHealthPort,
    "surge": Surge,
    "pattern": Pattern,
    "template-test": TemplateTest,
    "two-responders": Replies,
}
"""What every kept experiment is; a file of another name is not one that is known."""

PATIENT_LOOK_S = 15.0
"""How far apart the waits of the steps look at most."""


def run_in(folder: Path) -> Run:
    """Read what a run has measured; an experiment of an unknown shape is told apart from one that is not there."""
    record = state.read(folder)
    found: dict[str, Kept] = {}
    unread, untimed, places = [], [], []
    for path in sorted((folder / "experiments").glob("*.json")):
        read = kept.read(path, KINDS[path.stem]) if path.stem in KINDS else None
        if read is None:
            unread.append(path.stem)
            continue
        places.append(read[0])
        result = read[1].seen if isinstance(read[1], ClosedHealthPort) else read[1]
        if isinstance(result, Kept):
            found[path.stem] = result
        else:
            untimed.append(path.stem)
    rate = 1.0 if record.get("backend") == "aws" else float(record.get("rate") or 60.0)
    entries = Ledger(folder / "ledger.jsonl", Clock(), places[-1]).entries() if places else []
    return Run(
        name=folder.name,
        place=" and ".join(dict.fromkeys(places)) or "nowhere",
        rate=rate,
        experiments=found,
        unread=tuple(unread),
        untimed=tuple(untimed),
        provisioned=provisioned(entries, max(PATIENT_LOOK_S, compare.LOOK_FLOOR_WALL_S * rate)),
    )


def draw(first: Run, second: Run, folder: Path) -> list[Path]:
    """Draw every experiment that both runs have into the folder; gives the files."""
    names = (f"{first.name} ({first.place})", f"{second.name} ({second.place})")
    drawn: list[Path] = []
    for name in compare.shared(first, second):
        one, other = first.experiments[name], second.experiments[name]
        figures = {}
        if isinstance(one, Growth) and isinstance(other, Growth):
            series = {names[0]: one.bands, names[1]: other.bands}
            figures[f"{name}-waterfall"] = speed_plots.waterfalls({f"{name}: request to first answer": series})
        if isinstance(one, Growth | Disturbance) and isinstance(other, Growth | Disturbance):
            walks = compare.walks(one), compare.walks(other)
            figures[f"{name}-timeline"] = speed_plots.timelines(*walks, names, title=f"{name}: what was said of whom")
        for stem, figure in figures.items():
            drawn += [_saved(figure, folder / f"{stem}{suffix}") for suffix in (".pdf", ".png")]
    return drawn


def _saved(figure: Figure, path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except OSError as error:
        raise OutputsUnwritable(
            f"cannot write {path}: {error.strerror}", hint="free some space, then run this again"
        ) from None
    return path
