"""A cloud's world at its start: the one that was kept, else a new one.

``down`` ends a world. Whatever else ends a cloud (a kill, a crash, the machine's restart, being left alone) does not:
the next ``up`` finds the same resources, keys, addresses and port, so that open sessions go on. In the world it is
as if every host had been restarted (``controlplane.host_restarted``), and lab time has gone on meanwhile.
A world that cannot be read, or that does not live, is put aside and said; the cloud then starts empty.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mglab.clock import AdjustableClock, starting_now
from mglab.localcloud import pointlog, snapshot
from mglab.localcloud.addresses import AddressPlan
from mglab.localcloud.api.ec2 import Setting
from mglab.localcloud.api.moto_room import REGION
from mglab.localcloud.api.signature import Credentials, Verifier
from mglab.localcloud.controlplane import BASE_IMAGE_ID, PROJECT2_IMAGE_ID, ControlPlane, create, host_restarted, tick
from mglab.localcloud.knobs import Knobs
from mglab.localcloud.machines import catalogue
from mglab.localcloud.renumber import renumbered
from mglab.localcloud.seam import Observed
from mglab.localcloud.snapshot import Found, Unreadable
from mglab.localcloud.steering import new_credentials

log = logging.getLogger("mglab.localcloud")

DISCARDED = ".discarded-"


@dataclass(frozen=True)
class Beginning:
    """What a cloud is started with."""

    directory: Path
    servers: Path
    rate: float
    seed: int
    knobs: Knobs
    plan: AddressPlan
    ssh_port: int


@dataclass(frozen=True)
class World:
    """A cloud's world, who it is for its clients, and what is to be told of how it came about."""

    cloud: ControlPlane
    verifier: Verifier
    port: int = 0
    """Where its endpoint was; 0: it has not been anywhere."""
    notes: tuple[str, ...] = ()


def found(directory: Path) -> tuple[Found | None, tuple[str, ...]]:
    """Find the world that was kept, if there is one that can be read; and what is to be told of one that cannot."""
    try:
        return snapshot.read(directory), ()
    except Unreadable as reason:
        return None, (_put_aside(directory, str(reason)),)


def sockets_folder(kept: Found | None) -> Path:
    """Make the folder of the cloud's sockets, the same as before where that is possible."""
    if kept is not None:
        before = Path(kept.identity.resolver).parent
        with contextlib.suppress(OSError):
            before.mkdir(mode=0o700, exist_ok=True)
            there = before.stat(follow_symlinks=False)
            if before.is_dir() and there.st_uid == os.geteuid() and not there.st_mode & 0o077:
                for name in ("resolver", "control"):
                    (before / name).unlink(missing_ok=True)
                return before
    return Path(tempfile.mkdtemp(prefix="mglab-"))


def begun(beginning: Beginning, kept: Found | None) -> World:
    """Give the world that was kept, risen again, else a new one."""
    _sweep(beginning.directory)
    if kept is None:
        return _new(beginning)
    try:
        return _back(beginning, kept)
    except Unreadable as reason:
        return _new(beginning, _put_aside(beginning.directory, str(reason)))
    except Exception as error:  # whatever it is: a cloud that starts empty is better than one that never starts
        log.exception("the world that was kept does not live")
        return _new(beginning, _put_aside(beginning.directory, f"it does not live: {error}"))


def _new(beginning: Beginning, *notes: str) -> World:
    for name in ("images", "instances"):
        _discard(beginning.directory / name)
        (beginning.directory / name).mkdir()
    _seed(beginning)
    clock = AdjustableClock(starting_now(beginning.rate))
    cloud = create(
        clock, beginning.plan, beginning.directory, beginning.seed, beginning.knobs, beginning.ssh_port
    )  # fmt: skip
    return World(cloud, Verifier(new_credentials(session=False), REGION, time.time), notes=notes)


def _back(beginning: Beginning, kept: Found) -> World:
    _seed(beginning)
    identity, slot = kept.identity, beginning.plan.slot
    notes = []
    packed = kept.packed
    if identity.slot != slot:
        packed = renumbered(packed, identity.slot, slot)
        notes.append(
            f"another cloud has its addresses 127.{identity.slot} and 127.{identity.slot + 1}: "
            f"they are 127.{slot} and 127.{slot + 1} now"
        )
    cloud = snapshot.unpack(packed)
    if not isinstance(cloud, ControlPlane):
        raise Unreadable(f"it holds a {type(cloud).__name__}, not a cloud")
    _restore_points(cloud, beginning.directory)
    host_restarted(cloud, Setting(beginning.directory, beginning.plan, beginning.ssh_port, _lost(cloud, beginning)))
    tick(cloud, Observed())
    notes.insert(0, _welcome(cloud, kept))
    valid, *expired = (Credentials(*each) for each in identity.keys)
    verifier = Verifier(valid, REGION, time.time, tuple(expired), identity.any_region)
    return World(cloud, verifier, identity.port, tuple(notes))


def _restore_points(cloud: ControlPlane, directory: Path) -> None:
    state = cloud.cloudwatch.state
    for key, sample in pointlog.read(directory):
        state.add(key, [sample])
    state.unsaved.clear()
    state.forget(cloud.clock.time())


def _lost(cloud: ControlPlane, beginning: Beginning) -> frozenset[str]:
    """Name the instances and images whose file trees should be there and are not."""
    instances = {each for each in cloud.booted if not (beginning.directory / "instances" / each).is_dir()}
    images = {spec.image_id for spec in cloud.ec2.images()}
    return frozenset(instances | {each for each in images if not (beginning.directory / "images" / each).is_dir()})


def _welcome(cloud: ControlPlane, kept: Found) -> str:
    boots = sum(machine.power == "on" for machine in cloud.ec2.machines())
    which = "no instance was running" if not boots else f"{boots} instance{'s boot' if boots > 1 else ' boots'} again"
    return f"it came back with what was in it, after {time.time() - kept.written_at:.0f} s: {which}"


def _put_aside(directory: Path, reason: str) -> str:
    aside = snapshot.put_aside(directory)
    note = f"the world that was kept cannot come back: {reason}; it lies in {aside}, and this cloud is empty"
    log.warning(note)
    return note


def _seed(beginning: Beginning) -> None:
    catalogue.seed(
        beginning.directory, beginning.servers, base_image_id=BASE_IMAGE_ID, project2_image_id=PROJECT2_IMAGE_ID
    )


def _sweep(directory: Path) -> None:
    for discarded in directory.glob(f"{DISCARDED}*"):
        shutil.rmtree(discarded, ignore_errors=True)


def _discard(folder: Path) -> None:
    """Put a folder out of the way at once and delete what can be: an earlier life may still be ending in it."""
    aside = Path(tempfile.mkdtemp(prefix=DISCARDED, dir=folder.parent))
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside / folder.name)
    shutil.rmtree(aside, ignore_errors=True)
