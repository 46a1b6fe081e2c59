"""Set a cloud while it runs: its clock's rate, the account's conditions, the model's knobs; all of it or nothing.

The words are read first (``settings``), then everything is changed at one moment, under the cloud's lock, and the
cloud's own file is written anew: whoever follows its clock reads it there. "Start Lab" is ``academy=on``: it opens a
session of the Learner Lab with credentials of its own; those of the session before have expired.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mglab.clock import AdjustableClock
from mglab.errors import UsageError
from mglab.localcloud import settings
from mglab.localcloud.api import learner_lab
from mglab.localcloud.api.signature import Credentials, Verifier
from mglab.localcloud.controlplane import ControlPlane, delete_what_runs
from mglab.localcloud.rules.academy import KEY_PAIR, SESSION_S, Session

KEY_FILE = "labsuser.pem"


@dataclass(frozen=True)
class Steering:
    """Changes one cloud. ``publish`` writes its file and gives what it says."""

    cloud: ControlPlane
    clock: AdjustableClock
    verifier: Verifier
    directory: Path
    publish: Callable[[], dict[str, Any]]

    def set(self, words: Sequence[str], *, running: bool = True) -> dict[str, Any]:
        """Let these ``NAME=VALUE`` words hold from now on; raises UsageError, and then nothing has changed."""
        with self.cloud.lock:
            conditions = self.cloud.conditions()
            change = settings.read(words, conditions.settings, self.cloud.knobs, running=running)
            if change.starts_session and conditions.session and conditions.session.standing == "closed":
                raise UsageError("the Learner Lab's account is deactivated", hint="leave it first: academy=off")
            if change.rate is not None:
                self.clock.set_rate(change.rate)
            self.cloud.use_knobs(change.knobs)
            self._use(change)
            return self.publish()

    def _use(self, change: settings.Change) -> None:
        conditions, now = self.cloud.conditions(), self.clock.time()
        was_academy, session = conditions.settings.academy, conditions.session
        conditions.change(change.settings, now)
        if change.starts_session:
            if session is None or session.standing != "running":
                self._give_credentials(session=True)
            self.cloud.ec2.bring_key_pair(KEY_PAIR, vockey(self.directory / KEY_FILE))
            learner_lab.start(conditions, self.cloud.ec2, now, SESSION_S)
        if change.closes_account:
            conditions.session = Session(now, "closed")
            delete_what_runs(self.cloud, now)
        if was_academy and not change.settings.academy:
            self._give_credentials(session=False)
        if change.session_ends_s is not None and conditions.session is not None:
            conditions.session = Session(now + change.session_ends_s, conditions.session.standing)

    def _give_credentials(self, *, session: bool) -> None:
        self.verifier.expired = (*self.verifier.expired, self.verifier.credentials)
        self.verifier.credentials = new_credentials(session=session)
        self.verifier.any_region = session


def new_credentials(*, session: bool) -> Credentials:
    """Make an access key; a session's comes with a token."""
    kind, token = ("ASIA", secrets.token_urlsafe(256)) if session else ("AKIA", "")
    return Credentials(kind + secrets.token_hex(8).upper(), secrets.token_hex(20), token)


def vockey(file: Path) -> bytes:
    """Give the public half of the Learner Lab's key pair; its private half is kept in ``file``, for its owner alone."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    if not file.exists():
        key = rsa.generate_private_key(65537, 2048)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    private = load_pem_private_key(file.read_bytes(), None)
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
