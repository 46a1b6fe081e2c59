"""Entering an environment: when it is whole, where it goes, and what a failure says."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from mglab import __main__ as entry
from mglab import bootstrap


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "requirements.lock").write_text("a==1\n")
    (folder / "pyproject.toml").write_text('[project]\ndependencies = ["a==1"]\n')
    monkeypatch.setattr(bootstrap, "CHECKOUT", folder)
    return folder


def make(folder: Path) -> None:
    """Leave what a finished build leaves."""
    python = bootstrap.python_of(folder)
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch()
    (folder / bootstrap.STAMP).write_text(bootstrap.stamp_for(folder))


def test_an_environment_is_ready_when_its_stamp_fits(checkout: Path) -> None:
    folder = checkout / ".venv"
    assert not bootstrap.is_ready(folder)
    make(folder)
    assert bootstrap.is_ready(folder)


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_changed_project_file_asks_for_a_new_environment(checkout: Path, changed: str) -> None:
    make(checkout / ".venv")
    (checkout / changed).write_text("changed")
    assert not bootstrap.is_ready(checkout / ".venv")


def test_another_python_or_a_moved_checkout_asks_for_a_new_environment(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkout / ".venv"
    stamp = bootstrap.stamp_for(folder)
    assert f"python {sys.version_info.major}.{sys.version_info.minor}" in stamp
    assert bootstrap.stamp_for(checkout / "elsewhere") != stamp


def test_an_environment_without_its_interpreter_is_not_ready(checkout: Path) -> None:
    make(checkout / ".venv")
    bootstrap.python_of(checkout / ".venv").unlink()
    assert not bootstrap.is_ready(checkout / ".venv")


def test_a_broken_install_leaves_no_stamp_and_is_redone(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkout / ".venv"
    breaks = [[sys.executable, "-c", "print('error: no such host'); raise SystemExit(1)"]]
    monkeypatch.setattr(bootstrap, "working_uv", lambda: "uv")
    monkeypatch.setattr(bootstrap, "uv_steps", lambda uv, folder: breaks)
    with pytest.raises(bootstrap.SetupFailed, match="no such host"):
        bootstrap.ready_environment(folder)
    assert not bootstrap.is_ready(folder)
    works = [[sys.executable, "-c", f"import pathlib; p = pathlib.Path({str(bootstrap.python_of(folder))!r}); "
                                    "p.parent.mkdir(parents=True); p.touch()"]]  # fmt: skip
    monkeypatch.setattr(bootstrap, "uv_steps", lambda uv, folder: works)
    assert bootstrap.ready_environment(folder) == bootstrap.python_of(folder)
    assert bootstrap.is_ready(folder)


def test_two_at_once_build_one_environment(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, built = checkout / ".venv", []

    def build(place: Path) -> None:
        built.append(place)
        time.sleep(0.1)
        make(place)

    monkeypatch.setattr(bootstrap, "build", build)
    threads = [threading.Thread(target=bootstrap.ready_environment, args=(folder,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert built == [folder]


def test_a_read_only_checkout_has_its_environment_in_the_cache(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert bootstrap.chosen_folder() == checkout / ".venv"
    monkeypatch.setattr(bootstrap.os, "access", lambda path, mode: False)
    assert bootstrap.chosen_folder().parent == tmp_path / "cache" / "mglab"


def test_no_place_to_write_is_one_line(checkout: Path) -> None:
    (checkout / "file").write_text("")
    with pytest.raises(bootstrap.SetupFailed, match="not writable"), bootstrap.only_one(checkout / "file" / ".venv"):
        pass


def test_a_python_without_venv_is_told_its_package(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "/usr/bin/apt")
    with pytest.raises(bootstrap.SetupFailed, match=r"sudo apt install python3\.\d+-venv"):
        bootstrap.pip_steps(checkout / ".venv")


@pytest.mark.parametrize("find", [bootstrap.pip_steps, lambda folder: bootstrap.uv_steps("uv", folder)])
def test_the_install_is_hashed_and_the_project_registered_without_network(checkout: Path, find) -> None:  # type: ignore[no-untyped-def]
    make_it, packages, itself = find(checkout / ".venv")
    assert "venv" in make_it and "--clear" in make_it
    assert "--require-hashes" in packages and str(checkout / "requirements.lock") in packages
    assert {"--no-deps", "--no-build-isolation", "-e"} <= set(itself) and {"--no-index", "--offline"} & set(itself)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Collecting a", "ERROR: No matching distribution found for a"], "No matching distribution found for a"),
        (["error: Request failed", "  Caused by: dns error".strip()], "Request failed: dns error"),
        (
            ["WARNING: Retrying after NewConnectionError('Failed to establish a new connection: [Errno 111] Refused')",
             "ERROR: No matching distribution found for a"],
            "No matching distribution found for a: Failed to establish a new connection: [Errno 111] Refused",
        ),
        (
            ["OSError: Readme file does not exist", "× Encountered error while generating package metadata.",
             "╰─> See above for output."],
            "Encountered error while generating package metadata.: OSError: Readme file does not exist",
        ),
        (["the disk is full"], "the disk is full"),
        ([], "it said nothing"),
    ],
)  # fmt: skip
def test_an_installers_last_words(words: list[str], said: str) -> None:
    assert bootstrap.last_words(words) == said


@pytest.mark.parametrize(
    ("requirement", "met"),
    [("pytest>=1", True), ("PyTest", True), ("pytest==0.0.1", False), ("no-such-package-here>=1", False)],
)
def test_a_requirement_is_met_by_name_and_pin(requirement: str, met: bool) -> None:
    assert bootstrap.is_installed(requirement) is met


def test_an_interpreter_with_the_packages_is_used_as_it_is(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "pyproject.toml").write_text('[project]\ndependencies = ["pytest>=1"]\n')
    assert bootstrap.has_packages(checkout / "pyproject.toml")
    monkeypatch.setattr(bootstrap, "has_packages", lambda: True)
    monkeypatch.delenv(bootstrap.READY, raising=False)
    monkeypatch.setenv("PYTHONPATH", "")
    bootstrap.enter(["run"])  # returns: nothing was built, nothing replaced
    assert not (checkout / ".venv").exists()


def test_an_old_python_is_told_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/x" if name == "python3.12" else None)
    assert entry.too_old().endswith("try: python3.12 -m mglab")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "conda env create -f environment.yml" in entry.too_old()
