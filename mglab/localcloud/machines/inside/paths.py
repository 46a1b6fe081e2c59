"""Where a path of the instance lies on the host, and back. Pure but for reading links.

An instance's root is a folder of the host. A path is followed as the kernel follows one after chroot:
``..`` stops at the root and an absolute link starts there again, so nothing is ever placed outside.
"""

from __future__ import annotations

import os
import re

FOLDERS = ("home", "root", "var", "etc", "opt", "srv", "tmp", "mnt", "media", "run", "data", "usr/local")
"""Top folders that belong to the instance. ``/usr/bin``, ``/bin``, ``/lib``, ``/dev``, ``/proc`` stay the host's."""

INSTANCE_PATH = r"/(?:" + "|".join(FOLDERS) + r")(?![\w.+-])"
MOST_LINKS = 40  # as the kernel's ELOOP


def inside(root: str, path: str) -> str:
    """Give the host path of an instance path, its last name not followed when it does not exist."""
    done: list[str] = []
    left = path.split("/")[::-1]
    links = 0
    while left:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            del done[-1:]
            continue
        here = "/".join([root, *done, name])
        if not os.path.islink(here):
            done.append(name)
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(40, "Too many levels of symbolic links", path)
        target = os.readlink(here)
        if target.startswith("/"):
            done = []
            target = within(root, target)
        left.extend(target.split("/")[::-1])
    return "/".join([root, *done])


def within(root: str, path: str) -> str:
    """Give the instance path of a host path that lies under the root; any other path as it is."""
    return (path[len(root) :] or "/") if is_under(root, path) else path


def is_under(root: str, path: str) -> bool:
    """Say whether a host path is the root or lies below it."""
    return path == root or path.startswith(root + "/")


def shown(text: str, root: str, commands: str = "") -> str:
    """Give a text as the instance's user would know it: without the folder that stands for its root."""
    if commands:
        text = re.sub(re.escape(commands) + r"(?=/)", "/usr/bin", text)
    return text.replace(root + "/", "/").replace(root, "/")
