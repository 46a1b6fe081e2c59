"""Trees come whole or not at all, with modes and links, and nothing in them names the folder they lie in."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from mglab.errors import LabError
from mglab.localcloud.machines import catalogue, images
from mglab.localcloud.machines.images import copy_tree, delete_tree, sweep, trees, without_host_paths
from mglab.localcloud.machines.inside.paths import inside


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "instances" / "i-1"
    (root / "home/ec2-user").mkdir(parents=True)
    (root / "home/ec2-user/run.sh").write_text("#!/bin/sh\n")
    (root / "home/ec2-user/run.sh").chmod(0o751)
    (root / "home/ec2-user/binary").write_bytes(b"\0" + str(root).encode())
    (root / "home/ec2-user/large").write_bytes(b"x" * (images.LARGEST_TEXT + 1))
    (root / "home/ec2-user/text").write_text(f"cd {root}/opt && {tmp_path}/commands/python3 {root}\n")
    (root / "etc").symlink_to("/etc")
    (root / "relative").symlink_to("home/ec2-user")
    (root / "own").symlink_to(root / "home")
    (root / "dangling").symlink_to("/no/such/file")
    os.mkfifo(root / "fifo")
    (root / "closed").mkdir(mode=0o500)
    return root


def test_a_copy_has_the_same_modes_links_and_contents(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "images" / "ami-1"
    copy_tree(tree, copy)
    assert stat.S_IMODE((copy / "home/ec2-user/run.sh").stat().st_mode) == 0o751
    assert stat.S_IMODE((copy / "closed").stat().st_mode) == 0o500
    assert (copy / "home/ec2-user/large").stat().st_size == images.LARGEST_TEXT + 1
    assert (copy / "home/ec2-user/run.sh").stat().st_mtime == (tree / "home/ec2-user/run.sh").stat().st_mtime
    assert os.readlink(copy / "etc") == "/etc"
    assert os.readlink(copy / "relative") == "home/ec2-user"
    assert os.readlink(copy / "dangling") == "/no/such/file"
    assert stat.S_ISFIFO((copy / "fifo").stat().st_mode)
    assert trees(tmp_path / "images") == ("ami-1",)


def test_a_copy_forgets_the_folder_that_its_source_lay_in(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "images" / "ami-1"
    copy_tree(tree, copy, clean=without_host_paths((tmp_path / "commands", "/usr/bin"), (tree, "")))
    assert (copy / "home/ec2-user/text").read_text() == "cd /opt && /usr/bin/python3 /\n"
    assert (copy / "home/ec2-user/binary").read_bytes() == b"\0" + str(tree).encode()
    assert os.readlink(copy / "own") == str(copy / "home")


def test_a_full_disk_leaves_no_half_tree(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(reading: int, writing: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(images, "_shared", lambda reading, writing: False)
    monkeypatch.setattr(images, "_copied", full)
    with pytest.raises(LabError, match="the disk is full: ami-1 could not be made"):
        copy_tree(tree, tmp_path / "images" / "ami-1")
    assert list((tmp_path / "images").iterdir()) == []


def test_deleting_takes_closed_folders_with_it_and_never_what_a_link_names(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tree / "out").symlink_to(outside)
    delete_tree(tree)
    delete_tree(tree)
    assert outside.is_dir()
    assert list(tree.parent.iterdir()) == []


def test_what_an_interrupted_copy_has_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / f"{images.UNFINISHED}ami-1" / "home").mkdir(parents=True)
    (tmp_path / "ami-2").mkdir()
    assert trees(tmp_path) == ("ami-2",)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ami-2"]


@pytest.mark.parametrize(
    ("path", "lies_at"),
    [
        ("/home/ec2-user/x", "/home/ec2-user/x"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("/escape/passwd", "/etc/passwd"),
        ("/var/run/x", "/run/x"),
        ("/up/x", "/x"),
    ],
)
def test_no_path_leads_out_of_a_tree(tmp_path: Path, path: str, lies_at: str) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "escape").symlink_to("/etc")
    (tmp_path / "var/run").symlink_to("../run")
    (tmp_path / "up").symlink_to("../../../..")
    assert inside(str(tmp_path), path) == str(tmp_path) + lies_at


def test_a_link_to_itself_is_an_error_as_on_any_system(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("/loop")
    with pytest.raises(OSError, match="Too many levels"):
        inside(str(tmp_path), "/loop/x")


def test_the_catalogue_has_an_empty_home_and_project_2s_without_a_health_check(tmp_path: Path) -> None:
    servers = tmp_path / "servers"
    servers.mkdir()
    with pytest.raises(LabError, match=r"has no MusicGuruServer.py, songs.csv"):
        catalogue.seed(tmp_path, servers, base_image_id="ami-base", project2_image_id="ami-p2")
    for name in (*catalogue.SERVER_FILES, "HealthCheck.py"):
        (servers / name).write_text("")
    for _ in range(2):
        catalogue.seed(tmp_path, servers, base_image_id="ami-base", project2_image_id="ami-p2")
    home = tmp_path / "images/ami-p2/home/ec2-user"
    assert sorted(path.name for path in home.iterdir()) == ["MusicGuruServer.py", "run.sh", "songs.csv"]
    assert os.access(home / "run.sh", os.X_OK)
    assert list((tmp_path / "images/ami-base/home/ec2-user").iterdir()) == []
