"""All instances and images of a cloud: makes what is into what should be.

``apply`` takes a whole snapshot, ``tick`` starts what is missing, ``report`` says what is. For each instance
one thing is done at a time, in a worker thread, so that a slow copy never holds up a flow or a probe. What
comes next is decided from the snapshot and from what is there, never from how it came about; so any number
of snapshots may be missed but the last:

    an image is due from it   copied once it is off (at once with ``no_reboot``), before it boots or goes
    absent, off or rebooting  halted
    absent                    its tree is deleted
    no tree yet               copied from its image
    more boots asked for      booted

An instance whose processes have ended by themselves (``poweroff``, a killed init) stays off until the
snapshot asks for another boot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mglab.errors import LabError
from mglab.localcloud.machines.cpu import Usage
from mglab.localcloud.machines.images import copy_tree, delete_tree, sweep, trees, without_host_paths
from mglab.localcloud.machines.process import ProcessDriver
from mglab.localcloud.rules.lifecycle import Power
from mglab.localcloud.seam import ImageSpec, MachineReport, MachineSpec

WORKERS = 4
RETRY_S = 5.0
"""How long after a failure (a full disk) the same thing is tried again."""
MEASURE_EVERY_S = 0.1

Job = Callable[[], None]


@dataclass
class _Work:
    """One thing at a time: what runs for an instance or image, and what went wrong last."""

    future: Future[None] | None = None
    trouble: str = ""
    retry_at: float = 0.0

    def is_free(self, now: float) -> bool:
        return self.future is None and now >= self.retry_at

    def settle(self, now: float) -> None:
        """Take in how the last job went. Only failures of the host's are troubles; anything else is a bug."""
        if self.future is None or not self.future.done():
            return
        error, self.future = self.future.exception(), None
        if error is None:
            self.trouble, self.retry_at = "", 0.0
        elif isinstance(error, (LabError, OSError)):
            self.trouble, self.retry_at = " ".join(str(error).split()), now + RETRY_S
        else:
            raise error


@dataclass
class _Machine:
    """An instance: what it should be (None: gone), how often it was booted, what is being done to it."""

    instance_id: str
    spec: MachineSpec | None = None
    boots: int = 0
    ended: str = ""
    powered_off: bool = False
    work: _Work = field(default_factory=_Work)


class Fleet:
    """The instances and images under one directory."""

    def __init__(self, directory: Path, resolver: Path) -> None:
        self._images_folder = directory.resolve() / "images"
        self._instances_folder = directory.resolve() / "instances"
        for folder in (self._images_folder, self._instances_folder):
            sweep(folder)
        self._driver = ProcessDriver(directory.resolve(), resolver)
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="fleet")
        self._machines: dict[str, _Machine] = {}
        self._images: dict[str, ImageSpec] = {}
        self._deletions: dict[str, _Work] = {}
        self._usage: dict[str, Usage] = {}
        self._measured_at = 0.0
        self._applied = False

    def apply(self, machines: tuple[MachineSpec, ...], images: tuple[ImageSpec, ...]) -> None:
        """Take in what should be; nothing is done yet."""
        wanted = {spec.instance_id: spec for spec in machines}
        for instance_id in wanted.keys() | set(trees(self._instances_folder)) | self._machines.keys():
            machine = self._machines.setdefault(instance_id, _Machine(instance_id))
            machine.spec = wanted.get(instance_id)
        self._images = {spec.image_id: spec for spec in images}
        self._applied = True

    def tick(self) -> None:
        """Start what can be started now; returns at once."""
        if not self._applied:
            return
        now = time.monotonic()
        for machine in list(self._machines.values()):
            machine.work.settle(now)
            if machine.work.is_free(now):
                self._begin(machine.work, self._next(machine))
        self._forget()
        self._delete_images(now)

    def report(self) -> tuple[tuple[MachineReport, ...], tuple[str, ...], tuple[str, ...]]:
        """Give what every instance does, which images are complete, and what could not be done."""
        self._measure()
        machines = tuple(self._report(machine) for _, machine in sorted(self._machines.items()))
        images = tuple(name for name in trees(self._images_folder) if name not in self._deletions)
        return machines, images, self._troubles()

    def root(self, instance_id: str) -> Path:
        """Say where an instance's file tree lies."""
        return self._driver.cloud.tree(instance_id)

    def start_session(self, instance_id: str, request: bytes, descriptors: Sequence[int]) -> None:
        """Start a program in an instance for somebody who logs in; raises OSError when that cannot be."""
        self._driver.start_session(instance_id, request, descriptors)

    def close(self) -> None:
        """End every process at once, then wait for what copies or deletes; trees stay."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._driver.close()
        self._workers.shutdown(wait=True)

    def _begin(self, work: _Work, job: Job | None) -> None:
        if job is not None:
            work.future = self._workers.submit(job)

    def _next(self, machine: _Machine) -> Job | None:
        """Decide what is to be done next for an instance."""
        spec, instance_id = machine.spec, machine.instance_id
        due = self._due_images(instance_id)
        live = [image for image in due if image.no_reboot]
        if live:
            return lambda: self._take_image(live[0])
        if self._driver.is_running(instance_id):
            return self._next_running(machine)
        if due:
            return lambda: self._take_image(due[0])
        if spec is None:
            return partial(self._destroy, instance_id) if self._has_tree(machine) else None
        if not self._has_tree(machine):
            return lambda: self._create(spec)
        if spec.power == "on" and spec.boots > machine.boots:
            return lambda: self._boot(machine, spec)
        return None

    def _next_running(self, machine: _Machine) -> Job | None:
        spec, status = machine.spec, self._driver.exit_status(machine.instance_id)
        if status is not None:
            machine.ended, machine.powered_off = _ending(status), status == 0
        stays = spec is not None and spec.power == "on" and spec.boots <= machine.boots
        return None if status is None and stays else lambda: self._driver.halt(machine.instance_id)

    def _due_images(self, instance_id: str) -> list[ImageSpec]:
        """Give the images that are still to be copied from an instance whose tree is there."""
        sources = [spec for spec in self._images.values() if spec.source_instance_id == instance_id]
        if not sources or not (self._instances_folder / instance_id).exists():
            return []
        return [spec for spec in sources if not (self._images_folder / spec.image_id).exists()]

    def _take_image(self, image: ImageSpec) -> None:
        source = self._driver.cloud.tree(str(image.source_instance_id))
        commands = self._driver.cloud.side(source.name) / "commands"
        clean = without_host_paths((commands, "/usr/bin"), (source, ""))
        copy_tree(source, self._images_folder / image.image_id, clean=clean)

    def _create(self, spec: MachineSpec) -> None:
        image = self._images_folder / spec.image_id
        if not image.is_dir():
            raise LabError(f"{spec.instance_id} cannot start: the files of image {spec.image_id} are not there")
        copy_tree(image, self._instances_folder / spec.instance_id)

    def _boot(self, machine: _Machine, spec: MachineSpec) -> None:
        machine.ended, machine.powered_off = "", False
        self._driver.boot(spec)
        machine.boots = spec.boots

    def _destroy(self, instance_id: str) -> None:
        self._driver.destroy(instance_id)
        delete_tree(self._instances_folder / instance_id)

    def _forget(self) -> None:
        """Drop instances that are gone from the snapshot and from the disk."""
        for instance_id, machine in list(self._machines.items()):
            gone = not self._has_tree(machine) and not self._driver.is_running(instance_id)
            if machine.spec is None and machine.work.future is None and gone:
                del self._machines[instance_id]

    def _delete_images(self, now: float) -> None:
        """Delete the images that should not be, but for those that an instance is still to be copied from."""
        needed = {m.spec.image_id for m in self._machines.values() if m.spec and not self._has_tree(m)}
        for image_id in set(trees(self._images_folder)) - self._images.keys() - needed:
            work = self._deletions.setdefault(image_id, _Work())
            if work.is_free(now):
                self._begin(work, partial(delete_tree, self._images_folder / image_id))
        for image_id, work in list(self._deletions.items()):
            work.settle(now)
            if work.future is None and not work.trouble:
                del self._deletions[image_id]

    def _has_tree(self, machine: _Machine) -> bool:
        return (self._instances_folder / machine.instance_id).exists()

    def _measure(self) -> None:
        if time.monotonic() - self._measured_at >= MEASURE_EVERY_S:
            self._usage = self._driver.measure()
            self._measured_at = time.monotonic()

    def _report(self, machine: _Machine) -> MachineReport:
        instance_id = machine.instance_id
        on = self._driver.is_running(instance_id) and self._driver.exit_status(instance_id) is None
        usage = self._usage.get(instance_id, Usage()) if on else Usage()
        cpu_ns = max(usage.cpu_ns, self._driver.used_ns(instance_id))
        power: Power = "on" if on else "off"
        return MachineReport(instance_id, power, machine.boots, cpu_ns, usage.processes, machine.powered_off)

    def _troubles(self) -> tuple[str, ...]:
        machines = [f"{m.instance_id}: {t}" for m in self._machines.values() for t in (m.work.trouble, m.ended) if t]
        deletions = [work.trouble for work in self._deletions.values() if work.trouble]
        return tuple(sorted(machines + deletions + self._orphaned_images()))

    def _orphaned_images(self) -> list[str]:
        """Name the images that can never come: their source is gone."""
        present = set(trees(self._images_folder))
        due = [spec for spec in self._images.values() if spec.source_instance_id and spec.image_id not in present]
        return [
            f"image {spec.image_id} cannot be made: its source {spec.source_instance_id} is gone"
            for spec in due
            if spec.source_instance_id not in self._machines
        ]


def _ending(status: int) -> str:
    """Say how an init ended by itself; nothing of a ``poweroff``."""
    if status < 0:
        return f"its init was killed (signal {-status}), and with it all its processes"
    return f"its init failed (exit status {status}), and with it all its processes" if status else ""
