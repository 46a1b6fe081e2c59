"""The cloud's supervisor: start, tick, stop.

It is the control plane: it owns the world, answers the API on the loopback, ticks some twenty times a wall
second, and holds the data plane as its one child. Who dies takes the rest along: the data plane sees its
line close and ends every machine; a data plane that is gone ends the supervisor with a word in the log.

A cloud that nobody has asked anything for ``idle_stop_s`` wall seconds stops by itself. What was in it is kept
(``keeper``), and comes back when it is started again (``revival``).
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mglab.clock import AdjustableClock
from mglab.errors import CloudUnavailable
from mglab.localcloud import addresses, control, link, revival, statefile, steering
from mglab.localcloud.api import app, moto_room, server
from mglab.localcloud.api.signature import Credentials, Verifier
from mglab.localcloud.controlplane import ControlPlane, tick
from mglab.localcloud.keeper import Keeper
from mglab.localcloud.knobs import DEFAULTS, Knobs
from mglab.localcloud.snapshot import Identity

log = logging.getLogger("mglab.localcloud")

TICK_S = 0.05
DATA_PLANE_BOUND_S = 30.0
SLOT_PATIENCE_S = 5.0
"""How long a data plane may take to find out that its supervisor was killed, and to give the addresses free."""
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
    statefile.await_data_plane(options.directory)
    kept, lost = revival.found(options.directory)
    if kept:
        plan, slot = addresses.claim(kept.identity.slot, SLOT_PATIENCE_S)
    else:
        plan, slot = addresses.claim(addresses.preferred(str(options.directory)))
    sockets = revival.sockets_folder(kept)
    try:
        place = Place(plan, slot, sockets / "resolver", sockets / "control", addresses.ssh_port(plan))
        world = revival.begun(_beginning(options, place), kept)
        _serve(options, place, replace(world, notes=(*lost, *world.notes)), stopping)
    finally:
        statefile.remove(options.directory)
        shutil.rmtree(sockets, ignore_errors=True)


def _beginning(options: Options, place: Place) -> revival.Beginning:
    return revival.Beginning(
        options.directory, options.servers, options.rate, options.seed, options.knobs, place.plan, place.ssh_port
    )


def _serve(options: Options, place: Place, world: revival.World, stopping: threading.Event) -> None:
    cloud, verifier, activity = world.cloud, world.verifier, Activity()
    keeper = Keeper(cloud, options.directory)
    endpoint = _endpoint(_noting(_api(world, keeper, options.seed), activity), world.port)
    keeper.start(lambda: _identity(verifier, endpoint, place))
    data_plane = link.start(options.directory, place.resolver, place.slot.fileno())

    notes = (*world.notes, *_moved(world.port, endpoint))

    def published() -> dict[str, Any]:
        state = _state(options, cloud, endpoint.endpoint, verifier.credentials, place, notes)
        statefile.write(options.directory, state)
        return state

    def set_(words: Sequence[str]) -> dict[str, Any]:
        activity.last = time.monotonic()
        state = steered.set(words)
        keeper.keep("Set")
        return state

    clock = cloud.clock
    assert isinstance(clock, AdjustableClock)
    steered = steering.Steering(cloud, clock, verifier, options.directory, published)
    channel = control.Channel(place.control, set_)
    try:
        _first_tick(cloud, data_plane)
        steered.set(() if world.port else options.settings, running=False)
        log.info("cloud %s serves at %s, process %d", options.name, endpoint.endpoint, os.getpid())
        for note in notes:
            log.info(note)
        _run(cloud, data_plane, keeper, stopping, activity, options.idle_stop_s, published)
    finally:
        channel.close()
        endpoint.close()
        keeper.stop()
        data_plane.stop()


def _api(world: revival.World, keeper: Keeper, seed: int) -> app.Application:
    cloud, verifier = world.cloud, world.verifier
    services = cloud.services(verifier.credentials.access_key_id)
    return app.application(services, cloud.lock, verifier, moto_room.answer, cloud.doorman(seed), keeper.keep)


def _endpoint(api: app.Application, port: int) -> server.Server:
    """Listen at the port of the cloud's earlier life, for sessions that know it; at any other when it is taken."""
    try:
        return server.serve(api, port)
    except OSError:
        return server.serve(api)


def _moved(port: int, endpoint: server.Server) -> tuple[str, ...]:
    if port in (0, endpoint.port):
        return ()
    return (f"its port {port} is taken, it answers at {endpoint.port}: open sessions have to connect anew",)


def _identity(verifier: Verifier, endpoint: server.Server, place: Place) -> Identity:
    keys = [[it.access_key_id, it.secret_access_key, it.session_token] for it in _every_key(verifier)]
    return Identity(keys, verifier.any_region, endpoint.port, place.plan.slot, str(place.resolver))


def _every_key(verifier: Verifier) -> tuple[Credentials, ...]:
    return (verifier.credentials, *verifier.expired)


def _run(
    cloud: ControlPlane,
    data_plane: link.DataPlane,
    keeper: Keeper,
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
            keeper.note()
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


def _state(
    options: Options, cloud: ControlPlane, endpoint: str, keys: Credentials, place: Place, notes: tuple[str, ...]
) -> dict[str, Any]:
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
        "notes": list(notes),
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
