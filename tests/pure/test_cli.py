"""The command line: wrong names are refused in one line before anything starts; errors become exit codes."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from mglab import cli, grammar, testing
from mglab.errors import CloudUnavailable, LabError, NotebookFailed, TeardownIncomplete, UsageError
from mglab.workbook import clouds, runner, state

CLOUD = {
    "name": "default", "pid": 7, "endpoint": "http://127.0.0.1:4000", "region": "us-east-1", "rate": 60.0,
    "access_key_id": "ASIA", "secret_access_key": "s'ecret", "session_token": None,
    "client_environment": {"MGLAB_RESOLVER": "/r"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was started")

    monkeypatch.setattr(runner, "carry_out", refused)
    monkeypatch.setattr(clouds, "ask", refused)
    monkeypatch.setenv("MGLAB_OUTPUTS", str(tmp_path))
    monkeypatch.setattr(testing.subprocess, "call", refused)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rnu", "there is no command 'rnu'; did you mean 'run'?"),
        ("tset", "there is no command 'tset'; did you mean 'test'?"),
        ("run --bakend local", "run does not know '--bakend'; did you mean '--backend'?"),
        ("run --backend awz", "there is no backend 'awz'; did you mean 'aws'?"),
        ("run --from 77", "there is no notebook '77'; did you mean '07'?"),
        ("run --to 02_vcp", "there is no notebook '02_vcp'; did you mean '02_vpc'?"),
        ("run --from 05 --to 02", "--from 05 comes after --to 02; swap them"),
        ("run -p minimun=1", "there is no parameter 'minimun'; did you mean 'minimum'?"),
        ("run -p minimum=two", "parameter minimum cannot be 'two'; it is declared as int"),
        ("run -p minimum=9",
         "minimum 9, desired 2, maximum 3 do not fit; they must rise: minimum <= desired <= maximum"),
        ("run -p minimum", "-p minimum is no parameter; give name=value, for example -p desired=2"),
        ("run -p backend=aws", "backend is an option, not a parameter; give --backend aws"),
        ("run --edition refrence", "there is no edition 'refrence'; did you mean 'reference'?"),
        ("lab --edition studnt", "there is no edition 'studnt'; did you mean 'student'?"),
        ("run --rate 0", "the clock cannot run at rate 0; give 1 to 3600; 60 is usual"),
        ("run --rate fast", "the clock cannot run at rate fast; give 1 to 3600; 60 is usual"),
        ("run --run a/b", "'a/b' cannot name a run; up to 48 letters, digits, dots, hyphens, underscores"),
        ("run --backend aws --knob boot_s=1",
         "only a local cloud has knobs; leave --knob away, or use --backend local"),
        ("run --knob boots=1", "there is no knob 'boots'; did you mean 'boot_s'?"),
        ("run --knob boot_s=long", "knob boot_s cannot be 'long'; give a number from 0 to 86400 (lab seconds)"),
        ("cloud knobs --knob boot_s", "'boot_s' turns no knob; give NAME=VALUE, for example publication_delay_s=0"),
        ("cloud upp", "there is no 'cloud upp'; did you mean 'up'?"),
        ("cloud set", "'cloud set' sets what?; give NAME=VALUE; mglab cloud knobs lists the names"),
        ("cloud status rate=60", "'cloud status' sets nothing; mglab cloud set rate=60"),
        ("cloud set --rat 60", "cloud does not know '--rat'; did you mean '--rate'?"),
        ("ssh", "the following arguments are required: NAME|INSTANCE_ID; see mglab ssh --help"),
        ("ssh --backend awz one", "there is no backend 'awz'; did you mean 'aws'?"),
        ("status --run nope", "there is no run 'nope'; carry one out first: python3 -m mglab run"),
        ("pdf --run nope", "there is no run 'nope'; carry one out first: python3 -m mglab run"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_one_line_and_exit_code_2(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words.split()) == 2
    assert capsys.readouterr().err == f"mglab: {said}\n"


@pytest.mark.parametrize("name", grammar.grammar()[1])
def test_every_command_teaches_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0 and "exit codes:" in said and f"mglab {name}" in said


@pytest.mark.parametrize(
    ("error", "code"),
    [(LabError("x"), 1), (UsageError("x"), 2), (TeardownIncomplete("x"), 3), (CloudUnavailable("x"), 4),
     (NotebookFailed("x"), 1), (KeyboardInterrupt(), 130), (OSError(errno.ENOSPC, "No space left on device"), 1)],
)  # fmt: skip
def test_an_error_is_an_exit_code_and_no_traceback(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(options: object) -> int:
        raise error

    monkeypatch.setattr(runner, "run", fails)
    assert cli.main(["run"]) == code
    said = capsys.readouterr().err
    assert said.startswith("mglab: ") and "Traceback" not in said


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(options: object) -> int:
        raise OSError(errno.EBADF, "bug")

    monkeypatch.setattr(runner, "run", fails)
    with pytest.raises(OSError, match="bug"):
        cli.main(["run"])


def test_run_hands_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[runner.Options] = []
    monkeypatch.setattr(runner, "run", lambda options: seen.append(options) or 0)
    options = "--author Ada --edition student -p minimum=1 -p maximum=4"
    words = f"run --backend aws --from 02 --to 05 --keep --run x {options}"
    assert cli.main(words.split()) == 0
    told = seen[0]
    assert (told.backend, told.first, told.last, told.keep) == ("aws", "02", "05", True)
    assert (told.run, told.author, told.edition) == ("x", "Ada", "student")
    assert told.parameters == {"minimum": "1", "maximum": "4"}
    assert cli.main(["run"]) == 0
    assert seen[1].edition == ""


SPREAD = ["-n", "3", "--dist", "loadfile"]
USUAL = ["tests/notebooks", "tests/local", "tests/pure"]


@pytest.mark.parametrize(
    ("words", "called"),
    [
        ("test", [[*USUAL, *SPREAD]]),
        ("test -k cost -x", [[*USUAL, *SPREAD, "-k", "cost", "-x"]]),
        ("test tests/pure -q", [["tests/pure", "-q"]]),
        ("test tests/pure/test_cli.py::test_a_bug", [["tests/pure/test_cli.py::test_a_bug"]]),
        ("test --all -q", [[*USUAL, "tests/conformance", "tests/campaigns", *SPREAD, "-q"], ["tests/rates", "-q"]]),
    ],
)
def test_test_hands_the_rest_to_pytest(words: str, called: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(testing.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(testing.subprocess, "call", lambda command, cwd: seen.append(command) or 0)
    assert cli.main(words.split()) == 0
    assert [command[1:] for command in seen] == [["-m", "pytest", *one] for one in called]


def test_tests_that_time_what_they_run_wait_for_the_others_to_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing.subprocess, "call", lambda command, cwd: 5 if "-n" in command else 0)
    assert cli.main(["test", "--all"]) == 5


def test_cloud_env_can_be_evaluated_by_a_shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clouds, "ask", lambda *_: CLOUD)
    assert cli.main(["cloud", "env"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4000" in said
    assert """export AWS_SECRET_ACCESS_KEY='s'"'"'ecret'""" in said
    assert "export MGLAB_RESOLVER=/r" in said


def test_cloud_status_shows_no_secret(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(clouds, "ask", lambda *_: CLOUD)
    assert cli.main(["cloud", "status", "--json"]) == 0
    assert "secret" not in str(json.loads(capsys.readouterr().out))


def test_cloud_knobs_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cloud", "knobs", "--json"]) == 0
    told = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert {"rate", "academy", "throttling", "capacity", "consistency_s", "zone_outage"} <= set(told)
    assert told["core_share"]["while it runs"] == "no" and told["boot_s"]["while it runs"] == "yes"
    assert told["publication_delay_s"]["default"] == 90 and told["publication_delay_s"]["unit"] == "lab seconds"
    assert cli.main(["cloud", "knobs"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in told)


def test_cloud_up_hands_knobs_on_and_says_which_it_could_not_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    running = {**CLOUD, "knobs": {"boot_s": 5.0}, "other_knobs": "boot_s is 5, not 0"}
    monkeypatch.setattr(clouds, "ask", lambda *words: asked.append(words) or running)
    assert cli.main(["cloud", "up", "--knob", "boot_s=0", "--knob", "image_s=1"]) == 0
    assert asked == [("up", "default", 60.0, ["boot_s=0", "image_s=1"], [])]
    said = capsys.readouterr().out
    assert "process 7, boot_s=5\n" in said and "keeps its knobs: boot_s is 5, not 0" in said


def test_cloud_set_hands_its_words_on_and_shows_what_is_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    told = {"academy": True, "throttling": 0.2, "capacity": ["us-east-1a"], "session": "running",
            "session_ends_at": 1795658285.5}  # fmt: skip
    running = {**CLOUD, "rate": 600.0, "knobs": {"boot_s": 5.0}, "settings": told}
    monkeypatch.setattr(clouds, "ask", lambda *words: asked.append(words) or running)
    assert cli.main(["cloud", "set", "rate=600", "--name", "x", "throttling=0.2"]) == 0
    assert asked == [("set", "x", 60.0, [], ["rate=600", "throttling=0.2"])]
    said = capsys.readouterr().out
    assert "rate 600, process 7, boot_s=5, academy=on, throttling=0.2, capacity=us-east-1a" in said
    assert "session=running, session_ends_at=01:58:05Z\n" in said
    assert cli.main(["cloud", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == told


def test_cloud_up_takes_the_same_words_and_says_what_a_running_one_is_not_set_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    running = {**CLOUD, "not_set": "academy=on"}
    monkeypatch.setattr(clouds, "ask", lambda *words: asked.append(words) or running)
    assert cli.main(["cloud", "up", "academy=on"]) == 0
    assert asked == [("up", "default", 60.0, [], ["academy=on"])]
    assert "was not set to academy=on: mglab cloud set academy=on" in capsys.readouterr().out


def test_a_cloud_that_is_down_is_exit_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clouds, "ask", lambda *_: None)
    assert cli.main(["cloud", "status", "--name", "x"]) == 4
    assert "python3 -m mglab cloud up --name x" in capsys.readouterr().err


TOLD = {"status": "passed", "seconds": 9.0, "kernel_s": 2.0, "waiting_s": 4.0, "aws_waited_s": 240.0}
IN_PIECES = {
    "run": "x", "backend": "local", "status": "incomplete", "teardown": "kept",
    "notebooks": {"00_preflight": TOLD, "03_security_group": {"status": "failed", "error": "no"}},
    "pieces": [
        {"started": "2026-01-01T10:00:00", "finished": "2026-01-01T10:01:00", "from": "", "to": "03",
         "status": "failed", "around": {"(folio)": 1.0}},
        {"started": "2026-01-01T11:00:00", "from": "04", "to": "", "around": {}},
    ],
}  # fmt: skip


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    state.write(tmp_path / "x", IN_PIECES)
    monkeypatch.setattr(clouds, "ask", lambda *_: None)


@pytest.mark.usefixtures("in_pieces")
@pytest.mark.parametrize(
    ("name", "said"), [("9", "09_why_is_it_slow: not run"), ("03", "03_security_group: failed no")]
)
def test_check_knows_the_notebooks_that_were_not_run(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", name, "--run", "x"]) == 1
    assert capsys.readouterr().out.strip() == said


@pytest.mark.usefixtures("in_pieces")
def test_status_tells_the_pieces_and_where_the_time_went(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--run", "x"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "piece 1: 2026-01-01T10:00:00 to 2026-01-01T10:01:00, the first notebook to 03: failed" in lines
    assert "piece 2: 2026-01-01T11:00:00 to now, 04 to the last:" in lines
    assert {"00_preflight 9 2 4 3 240", "together 10 2 4 4 240"} <= set(lines)


@pytest.mark.usefixtures("in_pieces")
def test_status_gives_the_same_table_to_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--run", "x", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["times"]
    assert [row["where"] for row in rows] == ["00_preflight", "(folio)", "together"]
    assert rows[0]["aws_waited_s"] == 240
