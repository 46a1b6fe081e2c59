"""``python -m mglab.localcloud up|down|set|status|knobs|serve``: the local cloud as a program of its own.

``up`` starts a supervisor in the background (or finds the one that runs) and prints what it says of itself
as JSON; ``down`` stops it, also one that is just starting, waits until it is gone and ends its world (with ``--keep``
it does not: the next ``up`` brings it back, as it does after a crash); ``up --fresh`` is ``down`` and ``up``;
``status`` prints the JSON or ``null``; ``set`` changes one that runs; ``knobs`` lists what may be set. Words that
cannot be are refused before anything else, with exit code 2.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mglab.errors import CloudUnavailable, LabError
from mglab.localcloud import control, knobs, settings, snapshot, statefile

START_BOUND_S = 60.0
STOP_BOUND_S = 10.0
LOOK_S = 0.02
LOG_TAIL_LINES = 6
ROOM_BYTES = 20_000_000  # images, instances and logs of a run come to about a tenth


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; give the exit code."""
    options = _parser().parse_intermixed_args(arguments)
    options.directory = options.directory.expanduser().resolve()
    commands = {
        "up": up, "down": down, "set": set_, "status": status, "knobs": lambda _: settings.listing(), "serve": serve,
    }  # fmt: skip
    try:
        options.knobs = knobs.turned(options.knob)
        running = options.command == "set"  # whose cloud knows what holds: here, only what could never be is refused
        change = settings.read(options.words, settings.Settings(academy=running), options.knobs, running=running)
        options.all_knobs = change.knobs
        result = commands[options.command](options)
    except LabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if options.command != "serve":
        print(json.dumps(result))
    return 0


def up(options: argparse.Namespace) -> dict[str, Any]:
    """Start the cloud, or find it running; give what it says of itself, and where its knobs are not as asked."""
    if options.fresh:
        down(options)
    found = statefile.read(options.directory)
    if found:
        return _compared(found, options) | {"notes": []}
    log = _log_file(options.directory)
    _require_room(options.directory)
    supervisor = _spawn(options, log)
    deadline = time.monotonic() + START_BOUND_S
    while time.monotonic() < deadline:
        if found := statefile.read(options.directory):
            if found["pid"] != supervisor.pid:  # somebody else's ``up`` was faster
                supervisor.terminate()
            return _compared(found, options)
        if supervisor.poll() is not None and not statefile.holder(options.directory):
            break
        time.sleep(LOOK_S)
    supervisor.terminate()
    raise CloudUnavailable(f"the local cloud did not start: {_tail(log)}", hint=f"read {log}")


def _holds(found: dict[str, Any], asked: settings.Change, word: str) -> bool:
    """Say whether a running cloud is set as a word asks; of a knob, ``other_knobs`` says so."""
    name = word.partition("=")[0]
    if name == "rate":
        return bool(found["rate"] == asked.rate)
    if name == "session_ends_s":
        return False
    wanted, known = asked.settings.changed, found.get("settings", {})
    return name not in settings.CONDITIONS or wanted.get(name) == known.get(name)


def down(options: argparse.Namespace) -> None:
    """Stop the cloud, wait until its supervisor is gone, and end its world; one that does not run is no error."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = statefile.holder(options.directory)
        if not pid or _ended(pid, number, options.directory):
            statefile.remove(options.directory)
            if not options.keep:
                snapshot.forget(options.directory)
            return
    raise CloudUnavailable(f"process {pid} of the local cloud does not end", hint="look at it with ps")


def _compared(found: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Add where a cloud is not as asked: a world keeps its own knobs and settings."""
    asked = settings.read(options.words, settings.Settings(), options.knobs, running=False)
    other = knobs.difference(found.get("knobs", {}), options.all_knobs)
    unlike = [word for word in options.words if not _holds(found, asked, word)]
    return found | ({"other_knobs": other} if other else {}) | ({"not_set": " ".join(unlike)} if unlike else {})


def set_(options: argparse.Namespace) -> dict[str, Any] | None:
    """Change a cloud that runs; give what it says of itself then, or None when it does not run."""
    found = statefile.read(options.directory)
    return control.ask(found["control"], options.words) if found else None


def status(options: argparse.Namespace) -> dict[str, Any] | None:
    """Give what the cloud says of itself, or None when it does not run."""
    return statefile.read(options.directory)


def serve(options: argparse.Namespace) -> None:
    """Be the supervisor, in the foreground."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    _log_file(options.directory)
    statefile.hold(options.directory)
    _forget_the_users_aws()
    from mglab.localcloud import daemon  # slow to load: from before it on, ``down`` finds us by the lock

    daemon.serve(
        daemon.Options(
            name=options.name,
            directory=options.directory,
            servers=options.servers,
            rate=options.rate,
            seed=options.seed,
            knobs=options.all_knobs,
            settings=tuple(options.words),
            idle_stop_s=options.idle_stop_s,
        )
    )


def _forget_the_users_aws() -> None:
    """Take away the variables and files that SDKs read unasked: none of it is meant for the control plane."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "BOTO_", "MOTO_")):
            del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _spawn(options: argparse.Namespace, log: Path) -> subprocess.Popen[bytes]:
    """Start a supervisor in a session of its own, which outlives us."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "mglab.localcloud", "serve", *_repeated(options)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _ended(pid: int, number: signal.Signals, directory: Path) -> bool:
    """Send the supervisor a signal and wait for its end; says whether it came in time."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if statefile.holder(directory) == pid:  # it is still the one that was meant
            signal.pidfd_send_signal(process, number)
            signal.pidfd_send_signal(process, signal.SIGCONT)  # one that is stopped would not see the other
        return bool(select.select([process], [], [], STOP_BOUND_S)[0])
    except ProcessLookupError:
        return True
    finally:
        os.close(process)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mglab.localcloud", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "set", "status", "knobs", "serve"))
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE", help="what to set, at the start or while it runs")
    parser.add_argument("--directory", type=Path, required=True, help="the cloud's own folder")
    parser.add_argument("--name", default="default")
    parser.add_argument("--rate", type=float, default=60.0, help="lab seconds per wall second")
    parser.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help="turn a knob of the model")
    parser.add_argument("--seed", type=int, default=0, help="of the modelled jitter")
    parser.add_argument("--idle-stop-s", type=float, default=4 * 3600.0, help="stop after so many quiet wall seconds")
    parser.add_argument("--fresh", action="store_true", help="up: begin a new world, whatever is kept or runs")
    parser.add_argument("--keep", action="store_true", help="down: keep the world for the next up")
    parser.add_argument("--servers", type=Path, default=Path(__file__).resolve().parents[2] / "servers")
    return parser


def _repeated(options: argparse.Namespace) -> list[str]:
    names = ("directory", "name", "rate", "seed", "idle_stop_s", "servers")
    words = [word for name in names for word in (f"--{name.replace('_', '-')}", str(getattr(options, name)))]
    return [*words, *(word for one in options.knob for word in ("--knob", one)), *options.words]


def _log_file(directory: Path) -> Path:
    """Make the cloud's folder, for its owner alone, and name the supervisor's log."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (directory / "log").mkdir(exist_ok=True)
    except OSError as error:
        raise CloudUnavailable(
            f"the local cloud cannot write {directory}: {error.strerror}",
            hint="set MGLAB_STATE_HOME to a folder you may write",
        ) from error
    return directory / "log" / "control.log"


def _require_room(directory: Path) -> None:
    """Refuse to start on a full disk, where not even a log could say why nothing works."""
    free = shutil.disk_usage(directory).free
    if free < ROOM_BYTES:
        raise CloudUnavailable(
            f"only {free / 1e6:.1f} MB are free for {directory}, and a local cloud wants {ROOM_BYTES / 1e6:.0f}",
            hint="free some space, or set MGLAB_STATE_HOME to a folder that has it",
        )


def _tail(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n    ".join(lines) or "it said nothing"


if __name__ == "__main__":
    sys.exit(main())
