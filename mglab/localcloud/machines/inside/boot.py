"""What an instance does when it starts, in cloud-init's order.

    every boot     host name; bootcmd of the user-data
    first boot     write_files of the user-data
    every boot     scripts in /var/lib/cloud/scripts/per-boot, by name
    first boot     scripts in /var/lib/cloud/scripts/per-instance; runcmd; the user-data's own scripts

So a per-boot script that write_files puts there runs on the first boot already, and one that a user-data
*script* puts there runs from the second: as on AWS. "First" means first with this instance's id: the marks lie
in /var/lib/cloud/instances/<id>/sem, so an instance launched from an image of another one starts afresh. Each part
has its mark, set before it begins: a first boot that the host's end cuts short goes on with the next part.
Standard output and error of all this, and of what it leaves running, is the console.
"""

from __future__ import annotations

import base64
import os
import re
import signal
from typing import Any, NamedTuple

from mglab.localcloud.machines.inside.paths import inside, within
from mglab.localcloud.machines.inside.scripts import CannotRun, Place, argv

SCRIPTS = "/var/lib/cloud/scripts"
INSTANCES = "/var/lib/cloud/instances"
LINK = "/var/lib/cloud/instance"
CONSOLE = "/var/log/console.log"
OUTPUT_LOG = "/var/log/cloud-init-output.log"


class Boot(NamedTuple):
    """One start of one instance, as the driver wrote it down (``config.json``)."""

    instance_id: str
    host_name: str
    private_address: str
    number: int
    place: Place
    environment: dict[str, str]
    user_data: bytes
    files: tuple[dict[str, Any], ...]
    boot_commands: bytes
    run_commands: bytes
    scripts: tuple[dict[str, Any], ...]
    complaints: tuple[str, ...]


def read(values: dict[str, Any]) -> Boot:
    """Read a boot from the driver's JSON, bytes being base64 there."""
    plan = values["plan"]
    return Boot(
        values["instance_id"],
        values["host_name"],
        values["private_address"],
        values["number"],
        Place(values["root"], values["commands"], values["copies"]),
        values["environment"],
        base64.b64decode(values["user_data"]),
        tuple({**file, "content": base64.b64decode(file["content"])} for file in plan["files"]),
        base64.b64decode(plan["boot_commands"]),
        base64.b64decode(plan["run_commands"]),
        tuple({**script, "content": base64.b64decode(script["content"])} for script in plan["scripts"]),
        tuple(plan["complaints"]),
    )


def run(boot: Boot) -> None:
    """Carry out the boot sequence; a script that fails is reported and the next one runs."""
    own = f"{INSTANCES}/{boot.instance_id}"
    say(f"Linux on {boot.host_name} ({boot.instance_id}, {boot.private_address}), boot {boot.number}")
    if not os.path.isdir(inside(boot.place.root, own)):
        _prepare(boot, own)
    _put(boot, "/etc/hostname", boot.host_name.encode() + b"\n")
    _commands(boot, f"{own}/boot-commands", boot.boot_commands)
    if _first(boot, f"{own}/sem/config_write_files"):
        for file in boot.files:
            _write_file(boot, file)
    _folder(boot, f"{SCRIPTS}/per-boot")
    if _first(boot, f"{own}/sem/config_scripts_per_instance"):
        _folder(boot, f"{SCRIPTS}/per-instance")
    if _first(boot, f"{own}/sem/config_scripts_user"):
        _commands(boot, f"{own}/scripts/runcmd", boot.run_commands)
        for script in boot.scripts:
            _commands(boot, f"{own}/scripts/{os.path.basename(script['name'])}", script["content"])
    say(f"cloud-init finished; {boot.host_name} login:")


def say(line: str) -> None:
    """Write a line to the console."""
    os.write(1, f"{line}\n".encode(errors="replace"))


def _first(boot: Boot, mark: str) -> bool:
    """Say whether a part has not been begun before, and mark it as begun."""
    if os.path.exists(inside(boot.place.root, mark)):
        return False
    _put(boot, mark, b"")
    return True


def _prepare(boot: Boot, own: str) -> None:
    os.makedirs(inside(boot.place.root, f"{own}/scripts"), exist_ok=True)
    if boot.user_data:
        _put(boot, f"{own}/user-data.txt", boot.user_data, 0o600)
    link = boot.place.root + LINK
    if os.path.islink(link):
        os.unlink(link)
    if not os.path.lexists(link):
        os.symlink(f"instances/{boot.instance_id}", link)
    for complaint in boot.complaints:
        say(f"cloud-init[WARNING]: {complaint}")


def _put(boot: Boot, path: str, content: bytes, mode: int = 0o644, *, append: bool = False) -> None:
    """Write a file at an instance path, never outside the tree."""
    target = inside(boot.place.root, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "ab" if append else "wb") as file:
        file.write(content)
    os.chmod(target, mode)


def _write_file(boot: Boot, file: dict[str, Any]) -> None:
    path = file["path"].replace("~ec2-user", "/home/ec2-user", 1)
    try:
        _put(boot, path, file["content"], file["mode"], append=file["append"])
    except OSError as error:
        say(f"cloud-init[WARNING]: write_files: {path}: {error.strerror}")
    else:
        say(f"cloud-init: wrote {path} ({len(file['content'])} bytes, {file['mode']:04o})")


def _folder(boot: Boot, folder: str) -> None:
    """Run the executable files of a folder, in the order of their names, as run-parts does."""
    path = inside(boot.place.root, folder)
    for name in sorted(os.listdir(path)) if os.path.isdir(path) else ():
        script = inside(boot.place.root, f"{folder}/{name}")
        if os.path.isfile(script) and os.access(script, os.X_OK):
            _run(boot, script)


def _commands(boot: Boot, path: str, content: bytes) -> None:
    """Write a script of the user-data where cloud-init keeps it, and run it."""
    if content:
        _put(boot, path, content, 0o700)
        _run(boot, inside(boot.place.root, path))


def _run(boot: Boot, script: str) -> None:
    shown = within(boot.place.root, script)
    say(f"cloud-init: running {shown}")
    try:
        code = _wait(argv(script, [], boot.place), boot.environment)
    except (CannotRun, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else re.sub(r"^.*: ", "", str(error))
        say(f"cloud-init[WARNING]: Failed to run {shown}: {reason}")
        return
    if code != 0:
        say(f"cloud-init[WARNING]: Failed to run {shown}: exit status {code}")


def _wait(words: list[str], environment: dict[str, str]) -> int:
    """Run a program to its end; the signals that Python ignores are as usual in it."""
    pid = os.posix_spawn(words[0], words, environment, setsigdef=(signal.SIGPIPE, signal.SIGXFSZ))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
