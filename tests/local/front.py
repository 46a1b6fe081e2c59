"""A cloud's door on a free port, with a clock that the test turns: for tests of the API alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import RLock
from time import time
from typing import Any

import boto3
from botocore.config import Config

from mglab.localcloud.addresses import AddressPlan
from mglab.localcloud.api import moto_room
from mglab.localcloud.api.app import application
from mglab.localcloud.api.ec2 import Ec2
from mglab.localcloud.api.server import Server, serve
from mglab.localcloud.api.signature import Credentials, Verifier
from mglab.localcloud.api.sts import Sts
from mglab.localcloud.seam import Observed

KEY = Credentials("AKIALOCALCLOUD000001", "a-secret-of-this-test-only")
LAB_EPOCH = 1_694_836_800.0  # 16 September 2023, 04:00 UTC: the handout's
BASE_IMAGE, PROJECT2_IMAGE = "ami-0aaaaaaaaaaaaaaaa", "ami-0bbbbbbbbbbbbbbbb"


@dataclass
class LabTime:
    """A clock that stands still until it is turned."""

    seconds: float = LAB_EPOCH

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Front:
    """The door, what is behind it, and the clock."""

    server: Server
    ec2: Ec2
    time: LabTime
    directory: Path
    lock: Any
    copied: set[str] = field(default_factory=set)
    copies: bool = True
    """Whether the pretended data plane copies images when it may."""

    def client(self, service: str, **settings: Any) -> Any:
        """Make a boto3 client of the owner's."""
        settings = {"aws_access_key_id": KEY.access_key_id, "aws_secret_access_key": KEY.secret_access_key, **settings}
        settings.setdefault("region_name", moto_room.REGION)
        config = Config(retries={"total_max_attempts": 1})
        return boto3.client(service, endpoint_url=self.server.endpoint, config=config, **settings)

    def advance(self, lab_seconds: float, step: float = 5.0) -> None:
        """Let lab time pass, with a tick at every step."""
        end = self.time.seconds + lab_seconds
        while self.time.seconds < end:
            self.time.seconds = min(end, self.time.seconds + step)
            self.tick()

    def tick(self) -> None:
        """Do what the reconciler does: observe, then tick."""
        with self.lock:
            self.ec2.observe(Observed(images=tuple(self._images())))
            self.ec2.tick(self.time.seconds)

    def _images(self) -> set[str]:
        off = {m.instance_id for m in self.ec2.machines() if m.power == "off"}
        if self.copies:
            for image in self.ec2.images():
                if image.no_reboot or image.source_instance_id is None or image.source_instance_id in off:
                    self.copied.add(image.image_id)
        return self.copied


@contextmanager
def open_front(directory: Path, **services: object) -> Iterator[Front]:
    """Serve EC2, STS and the given services until the block ends."""
    clock, lock = LabTime(), RLock()
    ec2 = Ec2(clock, AddressPlan(64), Random(7), directory, BASE_IMAGE, PROJECT2_IMAGE)
    verifier = Verifier(KEY, moto_room.REGION, time)
    everything = {"ec2": ec2, "sts": Sts(moto_room.ACCOUNT, KEY.access_key_id), **services}
    server = serve(application(everything, lock, verifier, moto_room.answer))
    try:
        yield Front(server, ec2, clock, directory, lock)
    finally:
        server.close()
