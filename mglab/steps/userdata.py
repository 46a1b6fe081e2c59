"""User-data that adds the health check to a server's image, for cloud-init's first boot (Preliminary 2-3).

A ``#cloud-config`` with two files and one command: ``HealthCheck.py``, and a small shell script beside it
that adds one line to ``run.sh`` (once, with a backup) and prints ``run.sh`` before and after; what a first
boot prints lands in the instance's console log. The script works in its own folder and names no absolute
path. ``run.sh`` is what the image starts on each boot, so the health check starts at the next one.

EC2 takes at most 16 KB of user-data. Everything here is plain text, so that a notebook can show it.
"""

from __future__ import annotations

import gzip
import textwrap

from mglab.errors import UsageError

LIMIT_BYTES = 16 * 1024
HOME = "/home/ec2-user"
SCRIPT_NAME = "add-health-check.sh"
LAST_WORDS = "mglab: the health check starts with run.sh at the next boot"

# A run.sh with a start function of its own (ours) is asked to start one program more, at its end. Any other
# gets a line of its own ahead of its first command: there it is reached whatever run.sh ends with.
ADD_HEALTH_CHECK = r"""#!/bin/sh
# Adds the health check to run.sh, once; keeps the old one as run.sh.before.
cd "$(dirname "$0")" || exit 1
if [ ! -f run.sh ]; then
    echo "mglab: there is no run.sh beside $0: is this the image of your server?"
    exit 1
fi
echo "mglab: run.sh before:"
cat run.sh
if ! grep -q HealthCheck run.sh; then
    cp -p run.sh run.sh.before
    if grep -q '^start()' run.sh; then
        { cat run.sh.before; echo 'start HealthCheck'; } >run.sh
    else
        line='nohup python3 "$(dirname "$0")/HealthCheck.py" >/dev/null 2>&1 </dev/null &'
        awk -v line="$line" '
            !done && !/^[[:space:]]*(#|$)/ { print line; done = 1 }
            { print }
            END { if (!done) print line }' run.sh.before >run.sh
    fi
fi
chown --reference=run.sh HealthCheck.py run.sh.before "$0" 2>/dev/null
echo "mglab: run.sh after:"
cat run.sh
echo "LAST_WORDS"
""".replace("LAST_WORDS", LAST_WORDS)


def cloud_config(files: dict[str, str], command: list[str]) -> str:
    """Write a cloud-config: files with their text, then one command; refuses more than EC2 takes."""
    whole = _whole(files, command)
    _refuse_too_large(whole.encode("utf-8"), "make HealthCheck.py smaller: it is a tiny server")
    return whole


def server_config(files: dict[str, str]) -> bytes:
    """Write the user-data that brings the whole server to a plain image and starts it, packed as cloud-init unpacks it.

    ``files`` gives each file's text by its name; ``run.sh`` is what the first boot runs.
    """
    whole = _whole({f"{HOME}/{name}": text for name, text in files.items()}, ["sh", f"{HOME}/run.sh"])
    packed = gzip.compress(whole.encode("utf-8"), mtime=0)
    _refuse_too_large(packed, "keep less in servers/: what is larger belongs in an image")
    return packed


def _whole(files: dict[str, str], command: list[str]) -> str:
    entries = "".join(_entry(path, text) for path, text in files.items())
    return f"#cloud-config\nwrite_files:\n{entries}runcmd:\n- [{', '.join(command)}]\n"


def _refuse_too_large(user_data: bytes, hint: str) -> None:
    if len(user_data) > LIMIT_BYTES:
        raise UsageError(f"the user-data is {len(user_data)} bytes, EC2 takes {LIMIT_BYTES}", hint=hint)


def health_check_config(health_check: str) -> str:
    """Write the cloud-config that adds a health check with this source text."""
    files = {f"{HOME}/HealthCheck.py": health_check, f"{HOME}/{SCRIPT_NAME}": ADD_HEALTH_CHECK}
    return cloud_config(files, ["sh", f"{HOME}/{SCRIPT_NAME}"])


def _entry(path: str, text: str) -> str:
    """Write one file as a YAML block literal."""
    if not text.strip() or text[0] in " \n":
        raise UsageError(f"{path} would be empty or begin with a blank", hint="give it some text")
    return f"- path: {path}\n  permissions: '0755'\n  content: |\n{textwrap.indent(text.rstrip() + chr(10), '    ')}"
