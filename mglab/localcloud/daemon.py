"""The cloud's supervisor: start, tick, stop.

It is the control plane: it owns the world, answers the API on the loopback, ticks some twenty times a wall
second, and holds the data plane as its one child. Who dies takes the rest along: the data plane sees its
line close and ends every machine; a data plane that is gone ends the supervisor with a word in the log.

A cloud that nobody has asked anything for ``idle_stop_s`` wall seconds stops by itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mglab.clock import Clock, starting_now
from mglab.errors import CloudUnavailable
from mglab.localcloud import addresses, link, statefile
from mglab.localcloud.api import app, moto_room, server
from mglab.localcloud.api.signature import Credentials, Verifier
from mglab.localcloud.controlplane import BASE_IMAGE_ID, PROJECT2_IMAGE_ID, ControlPlane, create, tick
from mglab.localcloud.knobs import DEFAULTS, Knobs
from mglab.localcloud.machines import catalogue

log = logging.getLogger("mglab.localcloud")

TICK_S = 0.05
DATA_PLANE_BOUND_S = 30.0
DISCARDED = ".discarded-"
SHIM = Path(__file__).parent / "machines" / "shim"


@dataclass(frozen=True)
class Options:
    """How a cloud is started. ``servers`` is the folder whose files the user's Project 2 image holds."""

    name: str
    directory: Path
    servers: Path
    rate: float = 60.0
    seed: int = 0
    knobs: Knobs = DEFAULTS
    idle_stop_s: float = 4 * 3600.0


@dataclass(frozen=True)
class Place:
    """Where on this host a cloud's sockets are. ``slot`` keeps other clouds off its addresses."""

    plan: addresses.AddressPlan
    slot: socket.socket
    resolver: Path


@dataclass
class Activity:
    """When anyone last asked the cloud for anything (wall monotonic seconds)."""

    last: float = field(default_factory=time.monotonic)


def serve(options: Options) -> None:
    """Run a cloud until it is told to stop, is left alone for too long, or loses its data plane.

    Its lock is held by this process (``statefile.hold``) and goes with it.
    """
    stopping = _stop_on_signals()
    plan, slot = addresses.claim()
    sockets = Path(tempfile.mkdtemp(prefix="mglab-"))
    try:
        _serve(options, Place(plan, slot, sockets / "resolver"), stopping)
    finally:
        statefile.remove(options.directory)
        shutil.rmtree(sockets, ignore_errors=True)


def _serve(options: Options, place: Place, stopping: threading.Event) -> None:
    clock = starting_now(options.rate)
    _fresh_trees(options)
    cloud = create(clock, place.plan, options.directory, options.seed, options.knobs)
    activity = Activity()
    keys = Credentials(access_key_id="AKIA" + secrets.token_hex(8).upper(), secret_access_key=secrets.token_hex(20))
    verifier = Verifier(keys, moto_room.REGION, time.time)
    api = app.application(cloud.services(keys.access_key_id), cloud.lock, verifier, moto_room.answer)
    endpoint = server.serve(_noting(api, activity))
    data_plane = link.start(options.directory, place.resolver, place.slot.fileno())
    try:
        _first_tick(cloud, data_plane)
        statefile.write(options.directory, _state(options, clock, endpoint.endpoint, keys, place.resolver))
        log.info("cloud %s serves at %s, process %d", options.name, endpoint.endpoint, os.getpid())
        _run(cloud, data_plane, stopping, activity, options.idle_stop_s)
    finally:
        endpoint.close()
        data_plane.stop()


def _run(
    cloud: ControlPlane, data_plane: link.DataPlane, stopping: threading.Event, activity: Activity, idle_stop_s: float
) -> None:
    """Tick until something says stop."""
    sent, troubles = None, frozenset[str]()
    while not stopping.wait(TICK_S):
        if not data_plane.alive():
            log.error("the data plane ended with code %s: see data.log; the cloud stops", data_plane.process.poll())
            return
        if time.monotonic() - activity.last > idle_stop_s:
            log.warning("nobody has asked this cloud for anything for %.0f s: it stops", idle_stop_s)
            return
        observed = data_plane.observed
        with cloud.lock:
            desired = tick(cloud, observed)
        if desired != sent:
            data_plane.want(desired)
            sent = desired
        troubles = _logged(troubles, frozenset(observed.troubles))
    log.info("told to stop")


def _logged(before: frozenset[str], now: frozenset[str]) -> frozenset[str]:
    """Log what the data plane could not do (a full disk, a port in use), once when it begins and when it is over."""
    for trouble in sorted(now - before):
        log.warning("trouble: %s", trouble)
    for trouble in sorted(before - now):
        log.info("no longer: %s", trouble)
    return now


def _first_tick(cloud: ControlPlane, data_plane: link.DataPlane) -> None:
    """Say what should be and wait for the data plane's first answer: a cloud without one is none."""
    with cloud.lock:
        data_plane.want(tick(cloud, data_plane.observed))
    if not data_plane.answered(DATA_PLANE_BOUND_S):
        raise CloudUnavailable("the data plane did not start", hint=f"read {data_plane.log}")


def _fresh_trees(options: Options) -> None:
    """Start from the seeded images alone: instances of an earlier life are gone."""
    for discarded in options.directory.glob(f"{DISCARDED}*"):
        shutil.rmtree(discarded, ignore_errors=True)
    for name in ("images", "instances"):
        _discard(options.directory / name)
        (options.directory / name).mkdir()
    catalogue.seed(options.directory, options.servers, base_image_id=BASE_IMAGE_ID, project2_image_id=PROJECT2_IMAGE_ID)


def _discard(folder: Path) -> None:
    """Put a folder out of the way at once and delete what can be: an earlier life may still be ending in it."""
    aside = Path(tempfile.mkdtemp(prefix=DISCARDED, dir=folder.parent))
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside / folder.name)
    shutil.rmtree(aside, ignore_errors=True)


def _state(options: Options, clock: Clock, endpoint: str, keys: Credentials, resolver: Path) -> dict[str, Any]:
    return {
        "name": options.name,
        "pid": os.getpid(),
        "endpoint": endpoint,
        "access_key_id": keys.access_key_id,
        "secret_access_key": keys.secret_access_key,
        "session_token": None,
        "region": moto_room.REGION,
        "account": moto_room.ACCOUNT,
        "rate": clock.rate,
        "knobs": options.knobs.changed,
        "wall_epoch": clock.wall_epoch,
        "lab_epoch": clock.lab_epoch,
        "resolver": str(resolver),
        "client_environment": {"PYTHONPATH": str(SHIM), "MGLAB_RESOLVER": str(resolver)},
        "log": str(options.directory / "log"),
    }


def _noting(application: Callable[..., Iterable[bytes]], activity: Activity) -> Callable[..., Iterable[bytes]]:
    """Let every request count as a sign of interest."""

    def noted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        activity.last = time.monotonic()
        return application(environ, start_response)

    return noted


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
