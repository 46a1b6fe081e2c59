"""What cloud-init does for SSH on an instance's first boot: a host key, and the key pair's public half.

    /etc/ssh/ssh_host_ed25519_key    made anew, also in the copy of an image that carries its source's
    ~ec2-user/.ssh/authorized_keys   the public key, added to what an image brought along
    ~root/.ssh/authorized_keys       the same, but it only says who to log in as (Amazon Linux)

All of it is the instance's own: it survives reboots, goes into its images, and whoever is inside may change it.
"""

from __future__ import annotations

import os

from mglab.localcloud.machines.inside.paths import inside

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
AUTHORIZED_KEYS = {"ec2-user": "/home/ec2-user/.ssh/authorized_keys", "root": "/root/.ssh/authorized_keys"}
"""The users that Amazon Linux knows, and the file that says whose key lets one in as each."""
_ONLY_TO_BE_TOLD = (
    "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,"
    r"""command="echo 'Please login as the user \"ec2-user\" rather than the user \"root\".';echo;sleep 10;exit 142" """
)


def first_boot(root: str, host_name: str, public_key: str) -> None:
    """Give a tree that has not run as this instance yet its keys; no public key: none is added."""
    _make_host_key(root, host_name)
    if public_key:
        _authorize(root, AUTHORIZED_KEYS["ec2-user"], public_key)
        _authorize(root, AUTHORIZED_KEYS["root"], _ONLY_TO_BE_TOLD + public_key)


def _make_host_key(root: str, host_name: str) -> None:
    # loaded here: it takes longer than all the rest of a boot's preparation
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    _put(inside(root, HOST_KEY), private, 0o600)
    _put(inside(root, f"{HOST_KEY}.pub"), public + f" root@{host_name}\n".encode(), 0o644)


def _authorize(root: str, path: str, line: str) -> None:
    """Add a line to a file of authorized keys, unless it is there."""
    target = inside(root, path)
    known = _read(target)
    if line not in known.splitlines():
        whole = known + ("\n" if known and not known.endswith("\n") else "") + line + "\n"
        _put(target, whole.encode(), 0o600)


def _read(target: str) -> str:
    try:
        with open(target, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _put(target: str, content: bytes, mode: int) -> None:
    """Replace a file as a whole; only its owner can ever read a private one."""
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    unfinished = f"{target}.new"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.chmod(unfinished, mode)
    os.rename(unfinished, target)
