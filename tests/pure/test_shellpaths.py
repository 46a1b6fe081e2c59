"""Every path that begins a word of a script begins with the instance's root; text stays text."""

from __future__ import annotations

import subprocess

import pytest

from mglab.localcloud.machines.inside.shellpaths import COMMANDS, RUN_SCRIPT, Mapping
from mglab.localcloud.machines.inside.shellreader import mapped_script
from mglab.localcloud.machines.inside.standins import _STAND_INS

MAPPING = Mapping("/R/i-1", "/B")


def mapped(text: str, mapping: Mapping = MAPPING) -> str:
    return mapped_script(text, mapping)


@pytest.mark.parametrize(
    ("script", "runs_as"),
    [
        ("cd /home/ec2-user", "cd /R/i-1/home/ec2-user"),
        ("cat \"/opt/my file\" '/srv/x'", "cat \"/R/i-1/opt/my file\" '/R/i-1/srv/x'"),
        ("python3 x >>/var/log/x.log 2>&1 </etc/y &", "python3 x >>/R/i-1/var/log/x.log 2>&1 </R/i-1/etc/y &"),
        ("cmd &>/tmp/all", "cmd &>/R/i-1/tmp/all"),
        ("LOG=/var/log/x cmd --to=/tmp/x -o/tmp/y", "LOG=/R/i-1/var/log/x cmd --to=/R/i-1/tmp/x -o/R/i-1/tmp/y"),
        ("[ -f /etc/os-release ] && exit", "[ -f /R/i-1/etc/os-release ] && exit"),
        ('x="$(cat /etc/a)"; y=`cat /etc/b`', 'x="$(cat /R/i-1/etc/a)"; y=`cat /R/i-1/etc/b`'),
        ("diff <(cat /etc/a) b", "diff <(cat /R/i-1/etc/a) b"),
        ("log=${LOG:-/var/log/x}", "log=${LOG:-/R/i-1/var/log/x}"),
        ("files=(/etc/a\n /etc/b); ls /", "files=(/R/i-1/etc/a\n /R/i-1/etc/b); ls /R/i-1/"),
        ("ls ~ec2-user/x", "ls /R/i-1/home/ec2-user/x"),
        ("PATH=/usr/local/bin:/usr/bin:/opt/bin", "PATH=/B:/R/i-1/usr/local/bin:/usr/bin:/R/i-1/opt/bin"),
        ("for f in /etc/*; do rm $f; done", "for f in /R/i-1/etc/*; do rm $f; done"),
        ("case $1 in /opt/*) cd /srv;; esac; cd /tmp", "case $1 in /R/i-1/opt/*) cd /R/i-1/srv;; esac; cd /R/i-1/tmp"),
        ("trap 'rm /run/pid' EXIT", "trap 'rm /R/i-1/run/pid' EXIT"),
        ("cat /home/../etc/x", "cat /R/i-1/etc/x"),
        ("cat /var/../../../etc/x", "cat /R/i-1/etc/x"),
        ("nohup setsid /opt/run &", "nohup setsid /B/run-script /R/i-1/opt/run &"),
        ("(./a; ../b) | $HOME/c", "(/B/run-script ./a; /B/run-script ../b) | /B/run-script $HOME/c"),
        (
            "if /opt/check; then exec /opt/go; fi",
            "if /B/run-script /R/i-1/opt/check; then exec /B/run-script /R/i-1/opt/go; fi",
        ),
        ("/usr/bin/python3 x; /sbin/reboot", "/B/python3 x; /B/reboot"),
        (". /etc/defaults", '. "$(/B/run-script --copy /R/i-1/etc/defaults)"'),
        ("sed -i 's|/home/a|/home/b|' /home/x", "sed -i 's|/home/a|/home/b|' /R/i-1/home/x"),
        ("grep -q '/opt/x' /etc/y", "grep -q '/opt/x' /R/i-1/etc/y"),
        ("echo 'run /opt/x' >> /home/run.sh", "echo 'run /opt/x' >> /R/i-1/home/run.sh"),
        ("echo /opt/x | tee -a /etc/y", "echo /opt/x | tee -a /R/i-1/etc/y"),
        (
            "cat > /opt/x <<'EOF'\ncd /home/y\nEOF\ncd /srv",
            "cat > /R/i-1/opt/x <<'EOF'\ncd /home/y\nEOF\ncd /R/i-1/srv",
        ),
        ("tee /a <<-E | cat\n\t/home/y\n\tE\ncd /srv", "tee /a <<-E | cat\n\t/home/y\n\tE\ncd /R/i-1/srv"),
    ],
)
def test_paths_that_begin_a_word_are_mapped(script: str, runs_as: str) -> None:
    assert mapped(script) == runs_as


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/bash",
        "# see /home/ec2-user, it's there",
        "/usr/bin/id; /bin/true > /dev/null",
        "curl http://host/home/x",
        "su ec2-user -c 'cd /home/ec2-user'",
        'echo "it\'s /opt/x"',
        "x=$((1 + 2)); ((i++)); y=${#z}",
        "scp a host:/home/x",
        "cat <<< '/home/x'",
        "ls /homework /etc.d",
        "echo 'unfinished /opt/x",
        "cat <<EOF\n/opt/x",
        "echo $(",
    ],
)
def test_anything_else_is_left_as_it_is(script: str) -> None:
    assert mapped(script) == script


def test_a_path_that_is_mapped_already_stays() -> None:
    inside_home = Mapping("/home/me/cloud/i-1", "/home/me/side/commands")
    once = mapped("cd /opt; PATH=/opt/a:/opt/b; ./x; cat ${A:-/tmp/y}", inside_home)
    assert mapped(once, inside_home).count("/home/me/cloud/i-1") == once.count("/home/me/cloud/i-1")


def test_an_awkward_root_still_stands_for_itself() -> None:
    awkward = Mapping("/R o'ot $x", "/B b")
    script = mapped("printf '%s\\n' x; set -- /opt/a \"/opt/b\" '/opt/c'", awkward) + '; printf "%s\\n" "$@"'
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[1:] == [f"/R o'ot $x/opt/{name}" for name in "abc"]


def test_every_command_that_is_replaced_has_a_stand_in() -> None:
    assert {*COMMANDS, RUN_SCRIPT} - {"python3", "python"} == set(_STAND_INS)
