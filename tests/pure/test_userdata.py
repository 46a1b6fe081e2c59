"""User-data becomes a plan; what cannot be read becomes a line for the console, never a failure."""

from __future__ import annotations

import base64
import gzip
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from mglab.localcloud.machines import userdata
from mglab.localcloud.machines.userdata import Plan, PlannedFile, PlannedScript, plan


def test_nothing_asks_for_nothing() -> None:
    assert plan(b"") == Plan()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_a_script_is_run_once_raw_or_zipped(pack: object) -> None:
    script = b"#!/bin/bash\necho hello\n"
    assert plan(pack(script)) == Plan(scripts=(PlannedScript("part-001", script),))  # type: ignore[operator]


def test_write_files_says_where_what_and_how() -> None:
    zipped = base64.b64encode(gzip.compress(b"zipped")).decode()
    found = plan(
        f"""\
#cloud-config
write_files:
  - {{path: /a, content: plain}}
  - {{path: /b, content: cGxhaW4=, encoding: b64, permissions: '0755', owner: 'ec2-user:ec2-user'}}
  - {{path: /c, content: {zipped}, encoding: gz+b64, permissions: 0600, append: true}}
  - {{path: /d, content: !!binary cGxhaW4=}}
  - {{path: /e}}
""".encode()
    )
    assert found == Plan(
        files=(
            PlannedFile("/a", b"plain"),
            PlannedFile("/b", b"plain", 0o755),
            PlannedFile("/c", b"zipped", 0o600, append=True),
            PlannedFile("/d", b"plain"),
            PlannedFile("/e", b""),
        )
    )


def test_commands_are_lines_of_shell_or_lists_of_words() -> None:
    found = plan(b"#cloud-config\nbootcmd: [date]\nruncmd:\n  - echo $HOME > /tmp/x\n  - [touch, a b, '$HOME']\n")
    assert found.boot_commands == b"#!/bin/sh\ndate\n"
    assert found.run_commands == b"#!/bin/sh\necho $HOME > /tmp/x\ntouch 'a b' '$HOME'\n"
    assert found.complaints == ()


def test_multi_part_may_hold_several_of_each_and_a_later_key_replaces_an_earlier() -> None:
    message = MIMEMultipart()
    for kind, text in (
        ("cloud-config", "#cloud-config\nruncmd: [one]\nbootcmd: [zero]\n"),
        ("x-shellscript", "#!/bin/sh\nfirst\n"),
        ("cloud-config", "#cloud-config\nruncmd: [two]\n"),
        ("x-shellscript", "#!/bin/sh\nsecond\n"),
    ):
        message.attach(MIMEText(text, kind))
    found = plan(message.as_bytes())
    assert found.boot_commands == b"#!/bin/sh\nzero\n"
    assert found.run_commands == b"#!/bin/sh\ntwo\n"
    assert [script.content.strip() for script in found.scripts] == [b"#!/bin/sh\nfirst", b"#!/bin/sh\nsecond"]


@pytest.mark.parametrize(
    ("user_data", "said"),
    [
        (b"echo hello\n", "Unhandled non-multipart (text/x-not-multipart) userdata: 'b'echo hello\\n'...'"),
        (b"\x00\xff\xfe", "Unhandled non-multipart"),
        (b"#cloud-config\nruncmd: [\n", "Failed loading yaml blob. Invalid format at line 3 column 1"),
        (b"#cloud-config\n- a\n", "Yaml load allows a mapping, but got list"),
        (b"#cloud-config\n\xff\n", "Failed loading yaml blob"),
        (b"#cloud-config\npackages: [httpd]\n", "packages: not acted on by the local cloud"),
        (b"#cloud-config\nruncmd: ls\n", "runcmd: a list was expected, not str"),
        (b"#cloud-config\nruncmd: [{a: b}]\n", "unable to shellify type dict"),
        (b"#cloud-config\nwrite_files: /etc/x\n", "write_files: a list was expected"),
        (b"#cloud-config\nwrite_files: [{content: x}]\n", "No path provided to write for entry 1"),
        (b"#cloud-config\nwrite_files: [{path: x}]\n", "an absolute path was expected"),
        (b"#cloud-config\nwrite_files: [{path: /x, encoding: b64, content: '*'}]\n", "content is not base64"),
        (b"#cloud-config\nwrite_files: [{path: /x, encoding: rot13}]\n", "Unknown encoding type rot13"),
        (b"#cloud-config\nwrite_files: [{path: /x, permissions: rwx}]\n", "Undecodable permissions 'rwx' of /x"),
        (b"\x1f\x8bnot really", "gzip that cannot be unpacked"),
        (gzip.compress(b"#!/bin/sh\n", mtime=0)[:-8], "gzip that is cut short"),
    ],
)
def test_what_cannot_be_read_is_said(user_data: bytes, said: str) -> None:
    assert said in " ".join(plan(user_data).complaints)


def test_one_bad_entry_spoils_nothing_else() -> None:
    found = plan(b"#cloud-config\nwrite_files: [{content: x}, {path: /b}]\nruncmd: 3\nbootcmd: [date]\n")
    assert found.files == (PlannedFile("/b", b""),)
    assert found.boot_commands == b"#!/bin/sh\ndate\n"
    assert len(found.complaints) == 2


def test_a_bomb_is_not_unpacked() -> None:
    found = plan(gzip.compress(b"#!" + bytes(userdata.MOST_BYTES)))
    assert found.scripts == ()
    assert "more than" in found.complaints[0]
