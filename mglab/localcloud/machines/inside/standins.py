"""Stand-ins for commands that would leave the instance, and ``run-script``.

An instance of the process driver shares the host's users, processes and system. So ``sudo`` changes the
home and not the user, ``pkill`` and ``ps`` see the instance's own processes (``processes.py``), ``reboot``
restarts the instance, and what would change the host (``yum``, ``systemctl``) says that it is not available here.
Each is a two-line file in the folder that comes first in PATH; it starts this module with the command's name.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable

from mglab.localcloud.machines.inside import processes
from mglab.localcloud.machines.inside.instance import Instance
from mglab.localcloud.machines.inside.paths import is_under
from mglab.localcloud.machines.inside.scripts import (
    NOT_FOUND,
    SHELLS,
    CannotRun,
    argv,
    host_path,
    mapped_copy,
    shell,
    shell_program,
    which,
)
from mglab.localcloud.machines.inside.shellpaths import RUN_SCRIPT
from mglab.localcloud.machines.inside.shellreader import mapped_script

HOMES = {"root": "/root", "ec2-user": "/home/ec2-user"}
USER_OPTIONS_WITH_VALUE = {"-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-G", "-s", "-w"}


def main(arguments: list[str]) -> int:
    """Run ``[command, config, arguments...]``; give the exit status when it does not become another program."""
    name, config, *rest = arguments
    instance = Instance(config)
    os.environ[processes.BASH_KILL] = instance.environment[processes.BASH_KILL]  # a shell on the way may drop it
    try:
        return _STAND_INS[name](instance, name, rest) or 0
    except CannotRun as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.code


def become(words: list[str]) -> int:
    """Become another program."""
    sys.stdout.flush()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        raise CannotRun(f"{words[0]}: {error.strerror}", NOT_FOUND) from error


def run_command(instance: Instance, words: list[str]) -> int:
    """Become a command as a shell would find it: by path, or through PATH with the stand-ins first."""
    name, rest = words[0], words[1:]
    if "/" in name:
        return become(argv(host_path(name, instance.place), rest, instance.place))
    found = which(name, f"{instance.place.commands}:{os.environ.get('PATH', os.defpath)}")
    if found is None:
        raise CannotRun(f"{name}: command not found", NOT_FOUND)
    return become(argv(found, rest, instance.place) if is_under(instance.place.root, found) else [found, *rest])


def run_script(instance: Instance, name: str, rest: list[str]) -> int:
    """``run-script PROGRAM ...``; or ``--copy FILE``: print the file to be sourced in its place."""
    if rest[:1] == ["--copy"]:
        path = host_path(rest[1], instance.place)
        print(mapped_copy(path, instance.place) if os.path.isfile(path) else path)
        return 0
    return run_command(instance, rest)


def run_shell(instance: Instance, name: str, rest: list[str]) -> int:
    """``sh``, ``bash``: map what is to be run, whether ``-c TEXT``, a file or standard input."""
    options: list[str] = []
    while rest and re.match(r"[-+].", rest[0]) and rest[0] != "--":
        options.append(rest.pop(0))
        if options[-1] in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file") and rest:
            options.append(rest.pop(0))
    if any(re.match(r"-[a-z]*c", option) for option in options) and rest:
        text, rest = mapped_script(rest[0], instance.place.mapping), rest[1:]
        return become([*shell_program(name), *options, text, *rest])
    if rest and "-s" not in options:
        path = host_path(rest[0], instance.place)
        if not os.path.isfile(path):
            raise CannotRun(f"{rest[0]}: No such file or directory", NOT_FOUND)
        return become(shell(name, options, path, rest[1:], instance.place))
    if sys.stdin.isatty():
        prompt = ["--rcfile", instance.bashrc] if name == "bash" else []
        return become([*shell_program(name), *prompt, *options])
    text = mapped_script(sys.stdin.read(), instance.place.mapping)
    return become([*shell_program(name), *(o for o in options if o != "-s"), "-c", text, name, *rest])


def sudo(instance: Instance, name: str, rest: list[str]) -> int:
    """``sudo``, ``runuser -u``: take the user's home and name; there is no other user to become."""
    user, login = "root", False
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        login = login or option in ("-i", "--login")
        if option == "--":
            break
        if option in ("-u", "--user") and rest:
            user = rest.pop(0)
        elif option.startswith(("-u", "--user=")):
            user = option.removeprefix("--user=").removeprefix("-u")
        elif option in USER_OPTIONS_WITH_VALUE and rest:
            rest.pop(0)
    _take_identity(instance, user, login)
    while rest and re.match(r"[A-Za-z_]\w*=", rest[0]):
        variable, _, value = rest.pop(0).partition("=")
        os.environ[variable] = value
    return run_command(instance, rest or ["bash"])


def su(instance: Instance, name: str, rest: list[str]) -> int:
    """``su [-] USER -c TEXT``, ``runuser -l USER -c TEXT``."""
    if name == "runuser" and any(word.startswith(("-u", "--user")) for word in rest):
        return sudo(instance, name, rest)
    words, command, login = [], None, False
    while rest:
        word = rest.pop(0)
        if word in ("-c", "--command") and rest:
            command = rest.pop(0)
        elif word in ("-", "-l", "--login"):
            login = True
        elif word in USER_OPTIONS_WITH_VALUE and rest:
            rest.pop(0)
        elif not word.startswith("-"):
            words.append(word)
    _take_identity(instance, words[0] if words else "root", login)
    return run_shell(instance, "bash", ["-c", command, "bash", *words[1:]] if command is not None else words[1:])


def _take_identity(instance: Instance, user: str, login: bool) -> None:
    home = instance.place.root + HOMES.get(user, f"/home/{user}")
    os.environ.update(instance.environment, HOME=home, USER=user, LOGNAME=user)
    if login and os.path.isdir(home):
        os.chdir(home)


def host_name(instance: Instance, name: str, rest: list[str]) -> int:
    """``hostname [-s|-f|-i|-I]``: the instance's."""
    own = instance.environment["MGLAB_HOST"]
    answers = {"-s": own.split(".")[0], "-f": own if "." in own else f"{own}.ec2.internal"}
    private = instance.environment["MGLAB_PRIVATE"]
    answers |= {"-i": private, "-I": private, "--fqdn": answers["-f"], "--short": answers["-s"]}
    print(answers.get(rest[0] if rest else "", own))
    return 0


def whoami(instance: Instance, name: str, rest: list[str]) -> int:
    """Print the user that ``sudo`` and ``su`` have made of this shell."""
    print(os.environ.get("USER", "root"))
    return 0


def restart(instance: Instance, name: str, rest: list[str]) -> int:
    """``reboot``, ``shutdown``, ``poweroff``, ``halt``, ``init 0|6``: of the instance."""
    again = name == "reboot" or "-r" in rest or "--reboot" in rest or rest[:1] == ["6"]
    os.kill(instance.init_pid(), signal.SIGUSR1 if again else signal.SIGUSR2)
    return 0


def nothing(instance: Instance, name: str, rest: list[str]) -> int:
    """``chown``, ``chgrp``: every file belongs to the one user there is."""
    return 0


def not_available(instance: Instance, name: str, rest: list[str]) -> int:
    """Say that a command is not available, rather than let it change the host."""
    print(f"{name}: not available on the local cloud: it would change the host, not the instance", file=sys.stderr)
    return 1


_STAND_INS: dict[str, Callable[[Instance, str, list[str]], int]] = {
    RUN_SCRIPT: run_script,
    **dict.fromkeys(SHELLS, run_shell),
    "sudo": sudo,
    **dict.fromkeys(("su", "runuser"), su),
    "hostname": host_name,
    "whoami": whoami,
    **dict.fromkeys(("pgrep", "pkill", "killall"), processes.find),
    "kill": processes.kill,
    "ps": processes.show,
    **dict.fromkeys(("reboot", "poweroff", "shutdown", "halt", "init", "telinit"), restart),
    **dict.fromkeys(("chown", "chgrp"), nothing),
    **dict.fromkeys(("systemctl", "service", "yum", "dnf", "crontab", "useradd", "usermod", "fuser"), not_available),
}
