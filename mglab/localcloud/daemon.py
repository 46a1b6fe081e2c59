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
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mglab.clock import AdjustableClock, starting_now
from mglab.errors import CloudUnavailable
from mglab.localcloud import addresses, control, link, statefile, steering
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
    settings: tuple[str, ...] = ()
    """``NAME=VALUE`` words that hold from the start."""
    idle_stop_s: float = 4 * 3600.0


@dataclass(frozen=True)
class Place:
    """Where on this host a cloud's sockets are. ``slot`` keeps other clouds off its addresses."""

    plan: addresses.AddressPlan
    slot: socket.socket
    resolver: Path
    control: Path
    ssh_port: int


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
        place = Place(plan, slot, sockets / "resolver", sockets / "control", addresses.ssh_port(plan))
        _serve(options, place, stopping)
    finally:
        statefile.remove(options.directory)
        shutil.rmtree(sockets, ignore_errors=True)


def _serve(options: Options, place: Place, stopping: threading.Event) -> None:
    clock = AdjustableClock(starting_now(options.rate))
    _fresh_trees(options)
    cloud = create(clock, place.plan, options.directory, options.seed, options.knobs, place.ssh_port)
    activity = Activity()
    verifier = Verifier(steering.new_credentials(session=False), moto_room.REGION, time.time)
    services = cloud.services(verifier.credentials.access_key_id)
    api = app.application(services, cloud.lock, verifier, moto_room.answer, cloud.doorman(options.seed))
    endpoint = server.serve(_noting(api, activity))
    data_plane = link.start(options.directory, place.resolver, place.slot.fileno())

    def published() -> dict[str, Any]:
        state = _state(options, cloud, endpoint.endpoint, verifier.credentials, place)
        statefile.write(options.directory, state)
        return state

    def set_(words: Sequence[str]) -> dict[str, Any]:
        activity.last = time.monotonic()
        return steered.set(words)

    steered = steering.Steering(cloud, clock, verifier, options.directory, published)
    channel = control.Channel(place.control, set_)
    try:
        _first_tick(cloud, data_plane)
        steered.set(options.settings, running=False)
        log.info("cloud %s serves at %s, process %d", options.name, endpoint.endpoint, os.getpid())
        _run(cloud, data_plane, stopping, activity, options.idle_stop_s, published)
    finally:
        channel.close()
        endpoint.close()
        data_plane.stop()


def _run(
    cloud: ControlPlane,
    data_plane: link.DataPlane,
    stopping: threading.Event,
    activity: Activity,
    idle_stop_s: float,
    publish: Callable[[], Any],
) -> None:
    """Tick until something says stop; a session that has ended meanwhile is told in the cloud's file."""
    sent, troubles, told = None, frozenset[str](), cloud.conditions().told
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
            if (now_told := cloud.conditions().told) != told:
                told = now_told
                publish()
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


def _state(options: Options, cloud: ControlPlane, endpoint: str, keys: Credentials, place: Place) -> dict[str, Any]:
    clock = cloud.clock
    return {
        "name": options.name,
        "pid": os.getpid(),
        "endpoint": endpoint,
        "access_key_id": keys.access_key_id,
        "secret_access_key": keys.secret_access_key,
        "session_token": keys.session_token or None,
        "region": moto_room.REGION,
        "account": moto_room.ACCOUNT,
        "rate": clock.rate,
        "knobs": cloud.knobs.changed,
        "settings": cloud.conditions().told,
        "wall_epoch": clock.wall_epoch,
        "lab_epoch": clock.lab_epoch,
        "resolver": str(place.resolver),
        "control": str(place.control),
        "client_environment": {"PYTHONPATH": str(SHIM), "MGLAB_RESOLVER": str(place.resolver)},
        "ssh_port": place.ssh_port,
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
