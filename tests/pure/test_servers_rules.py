"""What the MusicGuru programs say, without a socket: replies, years, songs, and what Python they need."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SERVERS = Path(__file__).parents[2] / "servers"
PROGRAMS = sorted(SERVERS.glob("*.py"))


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SERVERS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


server = program("MusicGuruServer")
client = program("MusicGuruClient")
SONGS = server.load_songs(SERVERS / "songs.csv")


def test_the_reply_is_the_sheets_own() -> None:
    said = server.answer(b"2004\n", SONGS, "192.168.0.57", choose=lambda songs: songs[6])
    assert said == "In 2004 the number 7. song was Float On - Modest Mouse (192.168.0.57)"
    said = server.answer(b"1985\r\n", SONGS, "192.168.1.93", choose=lambda songs: songs[1])
    assert said == "In 1985 the number 2. song was Addicted To Love - Robert Palmer (192.168.1.93)"


def test_every_year_has_ten_songs_in_order() -> None:
    assert sorted(SONGS) == list(range(1950, 2010))
    assert all([rank for rank, _, _ in songs] == list(range(1, 11)) for songs in SONGS.values())


def test_no_song_breaks_the_one_line_reply() -> None:
    replies = [
        server.answer(str(year).encode(), SONGS, "192.168.100.100", choose=lambda _, one=song: one)
        for year, songs in SONGS.items()
        for song in songs
    ]
    assert all("\n" not in reply and "\r" not in reply for reply in replies)
    assert max(len(reply.encode()) for reply in replies) < client.LONGEST_REPLY


@pytest.mark.parametrize(
    ("line", "year"),
    [
        (b"1950\n", 1950), (b"2009\r\n", 2009), (b" 1985 \n", 1985), (b"1985", 1985),
        (b"1949\n", None), (b"2010\n", None), (b"0\n", None), (b"\n", None), (b"", None), (b"-1985\n", None),
        (b"19850\n", None), (b"1985.0\n", None), (b"1_985\n", None), (b"1985 1986\n", None), (b"year\n", None),
        ("１９８５\n".encode(), None), (b"\xff\xfe\x00\n", None),
    ],
)  # fmt: skip
def test_a_year_is_four_digits_in_range(line: bytes, year: int | None) -> None:
    assert server.parse_year(line) == year


@pytest.mark.parametrize("line", [b"1949\n", b"\xff\x00\x1b[2J\n", b"x" * 300, "naïve\r\n".encode()])
def test_a_bad_year_gets_one_clear_line(line: bytes) -> None:
    said = server.answer(line, SONGS, "10.0.0.1")
    assert said.startswith("Sorry, ") and said.endswith(" is not a year from 1950 to 2009 (10.0.0.1)")
    assert said.isascii() and said.isprintable() and len(said) < 200


def test_a_songs_file_with_a_year_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "songs.csv").write_text("year,rank,title,artist\n1950,1,A,B\n")
    with pytest.raises(ValueError, match="no song for 1951, 1952"):
        server.load_songs(tmp_path / "songs.csv")


@pytest.mark.parametrize(("asked", "used"), [(1950, 1950), (2009, 2009), (0, 1975), (1949, 1975), (2010, 1975)])
def test_the_client_takes_a_random_year_for_one_out_of_range(asked: int, used: int) -> None:
    assert client.usable_year(asked, choose=lambda first, last: 1975) == used


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_it_is_python_3_7_and_its_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 7))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names


def test_the_songs_source_is_named() -> None:
    assert "DigitalDreamDoor" in (SERVERS / "SOURCES.md").read_text("utf-8")
