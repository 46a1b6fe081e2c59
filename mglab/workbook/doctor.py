"""``mglab doctor``: is this machine fit for the workbook? And, when a cloud answers, is the account?

The machine's questions need no cloud and make nothing but a socket on a loopback address that they close. The
account's questions are notebook 00's own (``preflight``).
"""

from __future__ import annotations

import errno
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mglab.config import outputs_folder, state_home
from mglab.errors import LabError
from mglab.workbook.preflight import Finding

ROOM_BYTES = 200_000_000
SECOND_LOOPBACK = "127.200.0.1"
PACKAGES = ("boto3", "ipykernel", "jupyterlab", "papermill", "moto", "typst")


def findings() -> list[Finding]:
    """Ask every question about this machine."""
    return [ask() for ask in QUESTIONS]


def _finding(question: str, found: str, advice: str = "") -> Finding:
    return Finding(question, found, "failed" if advice else "ok", advice, blocks=bool(advice))


def _python() -> Finding:
    return _finding("Which Python is it?", f"{platform.python_version()} at {sys.prefix}")


def _packages() -> Finding:
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if missing:
        advice = "remove .venv and run any mglab command, or install requirements.lock into this Python"
        return _finding("Are the packages there?", f"missing: {', '.join(missing)}", advice)
    return _finding("Are the packages there?", f"boto3 {version('boto3')}, moto {version('moto')}")


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _loopback() -> Finding:
    question = "Has every instance an address here?"
    try:
        with socket.socket() as listener:
            listener.bind((SECOND_LOOPBACK, 0))
    except OSError as error:
        words = f"{SECOND_LOOPBACK} cannot be used ({errno.errorcode.get(error.errno or 0, error)})"
        return _finding(question, words, "the local cloud wants Linux or WSL2; elsewhere use --backend aws")
    return _finding(question, "yes, all of 127.0.0.0/8")


def _folder(question: str, folder: Path, variable: str) -> Finding:
    """Ask whether a folder can be made and written, and has room."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return _finding(question, f"{there} is not writable", f"set {variable} to a folder that is")
    free = shutil.disk_usage(there).free
    if free < ROOM_BYTES:
        return _finding(question, f"{free / 1e6:.0f} MB free at {there}", f"free some space, or set {variable}")
    return _finding(question, f"yes, {folder}, {free / 1e9:.1f} GB free")


def _outputs() -> Finding:
    return _folder("Can the outputs be written?", outputs_folder(os.environ), "MGLAB_OUTPUTS")


def _state() -> Finding:
    return _folder("Can local clouds be kept?", state_home(os.environ), "MGLAB_STATE_HOME")


def _typesetting() -> Finding:
    question = "Can the folio be typeset?"
    try:
        import typst

        pdf = typst.compile(b"= MusicGuru", format="pdf")
    except (ImportError, RuntimeError) as error:
        return _finding(question, f"no: {error}", "reinstall the typst package")
    return _finding(question, f"yes, a page of {len(pdf)} bytes")


QUESTIONS: tuple[Callable[[], Finding], ...] = (_python, _packages, _loopback, _outputs, _state, _typesetting)


def account_findings(run: str, backend: str) -> list[Finding]:
    """Ask the account's questions; a cloud that does not answer is one finding."""
    from mglab.session import connect
    from mglab.workbook import preflight

    try:
        return preflight.findings(connect(run, backend))
    except LabError as error:
        is_aws = backend == "aws"
        found = error.message + ("" if is_aws else " (a run starts one of its own)")
        return [Finding("Does a cloud answer?", found, "failed" if is_aws else "warning", error.hint, blocks=is_aws)]
