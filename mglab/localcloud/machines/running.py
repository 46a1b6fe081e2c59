"""The side folder of a running instance: what its processes need that is no part of its tree.

``DIR/running/<i-id>/`` has ``commands/`` (the stand-ins, first in PATH), ``copies/`` (mapped copies of shell
scripts), ``config.json`` (the boot, for the init) and two small files that the init keeps. It is made anew
at each boot and never copied into an image.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from mglab.localcloud.machines import sshkeys, userdata
from mglab.localcloud.machines.inside.boot import CONSOLE, INSTANCES
from mglab.localcloud.machines.inside.init import REAPED
from mglab.localcloud.machines.inside.paths import inside
from mglab.localcloud.machines.inside.processes import BASH_KILL, BASH_KILL_FUNCTION
from mglab.localcloud.machines.inside.proctree import TOKEN_VARIABLE
from mglab.localcloud.machines.inside.shellpaths import COMMANDS, RUN_SCRIPT
from mglab.localcloud.seam import MachineSpec

SHIM = Path(__file__).with_name("shim")
INSIDE = Path(__file__).with_name("inside") / "__main__.py"
PROMPT = """\
[ "$USER" = root ] && PS1='[root@{host} \\W]# ' || PS1="[$USER@{host} \\\\W]$ "
[ -r ~/.bashrc ] && . ~/.bashrc
"""
"""What an interactive shell reads: Amazon Linux's prompt; the host's own would name the host."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Cloud:
    """What every instance of one local cloud shares."""

    directory: Path
    resolver: Path

    @property
    def token(self) -> str:
        """Name the cloud in its processes' environments; the same after a restart, so leftovers are found."""
        return hashlib.sha256(os.fsencode(self.directory.resolve())).hexdigest()[:12]

    def token_of(self, instance_id: str) -> str:
        """Name an instance in its processes' environments."""
        return f"{self.token}-{instance_id}"

    def tree(self, instance_id: str) -> Path:
        """Say where an instance's root lies."""
        return self.directory.resolve() / "instances" / instance_id

    def side(self, instance_id: str) -> Path:
        """Say where an instance's side folder lies."""
        return self.directory.resolve() / "running" / instance_id


def interpreter() -> str:
    """Give the Python that instances run: the real one, without the packages of the workbook's own venv."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return base if os.access(base, os.X_OK) else sys.executable


def environment(spec: MachineSpec, cloud: Cloud) -> dict[str, str]:
    """Make the environment of an instance's programs; nothing of the host's own gets in."""
    root = cloud.tree(spec.instance_id)
    commands = cloud.side(spec.instance_id) / "commands"
    return {
        "PATH": f"{commands}:{root}/usr/local/bin:{SYSTEM_PATH}",
        "HOME": f"{root}/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "TMPDIR": f"{root}/tmp",
        "PIP_REQUIRE_VIRTUALENV": "1",  # pip would install into the host's Python
        BASH_KILL: BASH_KILL_FUNCTION.format(command=shlex.quote(str(commands / "kill"))),
        TOKEN_VARIABLE: cloud.token_of(spec.instance_id),
        **shim_environment(spec, cloud),
    }


def shim_environment(spec: MachineSpec, cloud: Cloud) -> dict[str, str]:
    """Give the variables by which the shim confines Python programs."""
    return {
        "PYTHONPATH": str(SHIM),
        "MGLAB_BIND": spec.loopback_address,
        "MGLAB_PRIVATE": spec.private_address,
        "MGLAB_HOST": spec.host_name,
        "MGLAB_VPC": spec.vpc_id,
        "MGLAB_RESOLVER": str(cloud.resolver),
    }


def prepare(spec: MachineSpec, cloud: Cloud) -> Path:
    """Make the side folder for one boot and give its ``config.json``."""
    side = cloud.side(spec.instance_id)
    remove(spec.instance_id, cloud)
    side.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (side / "commands").mkdir(parents=True)
    (side / "copies").mkdir()
    (side / "reaped").write_bytes(REAPED.pack(0))
    config = side / "config.json"
    config.write_text(json.dumps(_config(spec, cloud)), encoding="utf-8")
    _write_commands(side / "commands", config, spec, cloud)
    (side / "bashrc").write_text(PROMPT.format(host=spec.host_name.split(".")[0]), encoding="utf-8")
    root = str(cloud.tree(spec.instance_id))
    if not os.path.isdir(inside(root, f"{INSTANCES}/{spec.instance_id}")):
        _clear_console(root)
        sshkeys.first_boot(root, spec.host_name, spec.public_key)
    return config


def remove(instance_id: str, cloud: Cloud) -> None:
    """Delete an instance's side folder."""
    shutil.rmtree(cloud.side(instance_id), ignore_errors=True)


def clear(cloud: Cloud) -> None:
    """Delete the side folders of an earlier life of the cloud."""
    shutil.rmtree(cloud.directory / "running", ignore_errors=True)


def reaped_ns(instance_id: str, cloud: Cloud) -> int:
    """Read what the init has noted of the CPU time that it reaped; 0 before it runs."""
    try:
        content = (cloud.side(instance_id) / "reaped").read_bytes()
    except OSError:
        return 0
    return int(REAPED.unpack(content)[0]) if len(content) == REAPED.size else 0


def _clear_console(root: str) -> None:
    """Drop what the console of an image's source said: a new instance has a console of its own."""
    Path(inside(root, CONSOLE)).unlink(missing_ok=True)


def _config(spec: MachineSpec, cloud: Cloud) -> dict[str, object]:
    side = cloud.side(spec.instance_id)
    plan = userdata.plan(spec.user_data)
    return {
        "instance_id": spec.instance_id,
        "host_name": spec.host_name,
        "private_address": spec.private_address,
        "number": spec.boots,
        "root": str(cloud.tree(spec.instance_id)),
        "commands": str(side / "commands"),
        "copies": str(side / "copies"),
        "reaped_file": str(side / "reaped"),
        "init_pid_file": str(side / "pid"),
        "bashrc": str(side / "bashrc"),
        "environment": environment(spec, cloud),
        "user_data": _text(spec.user_data),
        "plan": {
            "files": [{**dataclasses.asdict(file), "content": _text(file.content)} for file in plan.files],
            "boot_commands": _text(plan.boot_commands),
            "run_commands": _text(plan.run_commands),
            "scripts": [{"name": script.name, "content": _text(script.content)} for script in plan.scripts],
            "complaints": plan.complaints,
        },
    }


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _write_commands(folder: Path, config: Path, spec: MachineSpec, cloud: Cloud) -> None:
    python = interpreter()
    start = shlex.join([python, "-S", "-E", str(INSIDE)])
    for name in (*COMMANDS - {"python3", "python"}, RUN_SCRIPT):
        _program(folder / name, f'exec {start} {name} {shlex.quote(str(config))} "$@"')
    for name in ("python3", "python"):
        _program(folder / name, _python(python, spec, cloud))


def _python(python: str, spec: MachineSpec, cloud: Cloud) -> str:
    """Start the interpreter with the shim, even where a script has cleared or changed the environment."""
    variables = {**shim_environment(spec, cloud), TOKEN_VARIABLE: cloud.token_of(spec.instance_id)}
    shim = shlex.quote(variables.pop("PYTHONPATH"))
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    return f'{exports}\nexport PYTHONPATH={shim}${{PYTHONPATH:+:$PYTHONPATH}}\nexec {shlex.quote(python)} "$@"'


def _program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
