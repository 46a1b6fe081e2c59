"""Enter a Python environment that has the packages; build one when there is none.

The interpreter that was called is used when it has what pyproject.toml asks for (an activated conda
environment or venv, a container's Python). Otherwise ``.venv`` is built from requirements.lock, which holds a
hash for every file and no host: with uv when it is there, else with venv and pip. The project itself is then
registered in it, so that JupyterLab's export menu and the ``mglab`` command know it; its build backend
(hatchling) comes from the lock too, so this last step needs no network.

The stamp (lock, project file, Python, place) is written last: an install that broke off is simply redone.
A file lock lets two commands start at once. A checkout that cannot be written to gets its environment in the
user's cache folder.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
STAMP = "mglab-stamp"
READY = "MGLAB_ENVIRONMENT"  # set for the interpreter that we start again in: its prefix needs no second look
LAST_WORDS = 40  # lines of an installer's output kept for an error


class SetupFailed(Exception):
    """The environment could not be made; the message is one line that says what to do."""


def enter(arguments: list[str]) -> None:
    """Return when this interpreter will do; otherwise start the same command again in one that will."""
    if os.environ.get(READY) == sys.prefix or not (CHECKOUT / "requirements.lock").exists():
        return
    folder = chosen_folder()
    if Path(sys.prefix).resolve() != folder.resolve() and has_packages():
        make_importable()
        return
    try:
        python = ready_environment(folder)
    except SetupFailed as failure:
        sys.exit(f"mglab: {failure}")
    except KeyboardInterrupt:
        sys.stderr.write("\nmglab: interrupted; the next command starts the setup again\n")
        sys.exit(130)
    start_again(python, folder, arguments)


# -- is this interpreter enough? ---------------------------------------------------------------------------


def has_packages(project_file: Path = CHECKOUT / "pyproject.toml") -> bool:
    """Say whether every package that the project needs is installed here, exact pins at that version."""
    with project_file.open("rb") as file:
        requirements = tomllib.load(file)["project"]["dependencies"]
    return all(is_installed(requirement) for requirement in requirements)


def is_installed(requirement: str) -> bool:
    """Say whether one requirement is met, as far as a name and an ``==`` tell."""
    match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:==\s*([^,;\s]+))?", requirement)
    assert match, requirement
    name, pin = match.groups()
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return pin is None or version == pin


def make_importable() -> None:
    """Let child processes import the package from any folder when it is not installed here."""
    try:
        importlib.metadata.version("mglab")
    except importlib.metadata.PackageNotFoundError:
        paths = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)


# -- where it goes, and whether it is ready ----------------------------------------------------------------


def chosen_folder() -> Path:
    """Give the folder of the environment: ``.venv`` in the checkout, or one in the cache if that is read-only."""
    beside = CHECKOUT / ".venv"
    if is_ready(beside) or os.access(CHECKOUT, os.W_OK):
        return beside
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return beside  # a user without a home: what cannot be written is said there
    place = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
    return cache / "mglab" / f"venv-{place}"


def stamp_for(folder: Path) -> str:
    """Name everything that an environment depends on; another name means that it must be built again."""
    digest = hashlib.sha256()
    for path in (CHECKOUT / "requirements.lock", CHECKOUT / "pyproject.toml"):
        digest.update(path.read_bytes())
    digest.update(f"{CHECKOUT}\n{folder.resolve()}\n".encode())
    return f"{digest.hexdigest()} python {sys.version_info.major}.{sys.version_info.minor}\n"


def python_of(folder: Path) -> Path:
    """Give the interpreter inside an environment."""
    return folder / "bin" / "python"


def is_ready(folder: Path) -> bool:
    """Say whether the environment is whole, and made of today's lock by this Python."""
    stamp = folder / STAMP
    with contextlib.suppress(OSError):
        return stamp.read_text("utf-8") == stamp_for(folder) and python_of(folder).exists()
    return False


def ready_environment(folder: Path) -> Path:
    """Build the environment unless it is there, one process at a time, and give its interpreter."""
    if not is_ready(folder):
        with only_one(folder):
            if not is_ready(folder):
                build(folder)
    return python_of(folder)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the lock beside the environment; a second process says what it waits for."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = folder.with_name(folder.name + ".lock").open("w")
    except OSError as error:
        raise SetupFailed(
            f"no place to install the packages: {error.filename} is not writable ({error.strerror}); "
            "make the checkout writable, or set XDG_CACHE_HOME to a folder that is"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another mglab command is setting up the packages; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


# -- building ----------------------------------------------------------------------------------------------


def build(folder: Path) -> None:
    """Make the environment, install what is locked, register the project, and stamp it last of all."""
    uv = working_uv()
    say(f"setting up {folder} once, with {'uv' if uv else 'pip'} (about {'15 seconds' if uv else 'a minute'})")
    started = time.monotonic()
    steps = uv_steps(uv, folder) if uv else pip_steps(folder)
    for step in steps:
        run_step(step)
    (folder / STAMP).write_text(stamp_for(folder), "utf-8")
    say(f"ready after {time.monotonic() - started:.0f} s")


def working_uv() -> str | None:
    """Give uv's path if it is there and starts."""
    uv = shutil.which("uv")
    if uv is None:
        return None
    tried = subprocess.run([uv, "--version"], capture_output=True, check=False)
    return uv if tried.returncode == 0 else None


def uv_steps(uv: str, folder: Path) -> list[list[str]]:
    """List uv's commands for the environment."""
    install = [uv, "pip", "install", "--python", str(python_of(folder))]
    return [
        [uv, "venv", "--no-project", "--clear", "--python", base_python(), str(folder)],
        [*install, "--compile-bytecode", "--require-hashes", "-r", str(CHECKOUT / "requirements.lock")],
        [*install, "--offline", "--no-deps", "--no-build-isolation", "-e", str(CHECKOUT)],
    ]


def pip_steps(folder: Path) -> list[list[str]]:
    """List venv's and pip's commands for the environment."""
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise SetupFailed(f"this Python cannot make virtual environments; {venv_package()}")
    install = [str(python_of(folder)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    return [
        [base_python(), "-m", "venv", "--clear", str(folder)],
        [*install, "--require-hashes", "-r", str(CHECKOUT / "requirements.lock")],
        [*install, "--no-index", "--no-deps", "--no-build-isolation", "-e", str(CHECKOUT)],
    ]


def venv_package() -> str:
    """Name the package that brings venv and ensurepip."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if shutil.which("apt"):
        return f"install the package that holds them: sudo apt install {version}-venv"
    return "install your system's package with the venv and ensurepip modules, or uv"


def base_python() -> str:
    """Give the interpreter below any virtual environment that we may be in."""
    return getattr(sys, "_base_executable", "") or sys.executable


def run_step(command: list[str]) -> None:
    """Run one installer command quietly; if it fails, its last words are the error."""
    environment = {**os.environ, "PIP_USER": "0"}
    environment.pop("PYTHONHOME", None)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env=environment, cwd=CHECKOUT,
    ) as process:
        assert process.stdout is not None
        words = show_progress(process.stdout)
    if process.returncode != 0:
        raise SetupFailed(
            f"the packages could not be installed: {last_words(words)} "
            "(is there a network, and room on the disk? the next command tries again)"
        )


def show_progress(output: Iterator[str]) -> list[str]:
    """Show what an installer says on one line of a terminal; give its last lines."""
    words: list[str] = []
    started = time.monotonic()
    for line in output:
        words = [*words, line.strip()][-LAST_WORDS:] if line.strip() else words
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            text = f"mglab: {time.monotonic() - started:4.0f} s  {line.strip()}"
            sys.stderr.write(f"\r\x1b[2K{text[:width]}")
            sys.stderr.flush()
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[2K")
    return words


def last_words(words: list[str]) -> str:
    """Pick the lines that say what went wrong: the last marked as an error, with its cause, else the last one."""
    words = [line for line in words if "See above" not in line]
    raised = [line for line in words if re.match(r"\w+Error: ", line)]
    errors = [line for line in words if re.match(r"(?i)error\b|×", line)]
    causes = [line for line in words if re.match(r"(?i)(cause|caused by)\b|╰", line)]
    network = re.findall(r"Failed to (?:establish a new connection|resolve)[^\"')]*", "\n".join(words))
    chosen = [*errors[-1:], *causes[-1:], *raised[-1:], *network[-1:]] or words[-1:] or ["it said nothing"]
    return ": ".join(re.sub(r"(?i)^(error:?|×|╰─▶|caused? ?(by)?:?)\s*", "", line) for line in chosen)


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"mglab: {text}\n")
    sys.stderr.flush()


# -- going there -------------------------------------------------------------------------------------------


def start_again(python: Path, folder: Path, arguments: list[str]) -> None:
    """Replace this process by the same command in the environment, as if that had been activated."""
    environment = {**os.environ, READY: str(folder), "VIRTUAL_ENV": str(folder)}
    environment["PATH"] = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    environment.pop("PYTHONHOME", None)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(str(python), [str(python), "-m", "mglab", *arguments], environment)
