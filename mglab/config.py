"""What the lab is called, how big it is, and where its files live: one frozen value.

The defaults are the lab sheet's own: a VPC of 192.168.0.0/23 in two equal halves, MusicGuru on port 5000,
its health check on 5001, a group of 2 to 3 ``t2.micro`` that tracks 50 % CPU with a warm-up of 300 s.
Notebook parameters and ``connect(...)`` replace single values; a name that does not exist is refused with
the nearest one that does, so a typing error never passes for a setting.

Files live in two places. Outputs (evidence, ledger, notebooks) may be handed in and hold nothing secret.
The state home (local clouds, private keys) is the user's alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from mglab.errors import UsageError
from mglab.errors import nearest as nearest  # also for those that refuse names of ours

RUN_TAG = "mglab:run"
DEFAULT_RUN = "default"
DEFAULT_CLOUD = "default"
EDITIONS = ("student", "reference")
"""A student's run states measurements and leaves the insight to the commentary; a reference run adds model answers."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")
_BALANCING_NAME = re.compile(r"(?!internal-)[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")  # aws-facts 1.1
_WORDS_OF_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SMALLEST_HALF = 28  # aws-facts 3.5: a subnet is /16 to /28


@dataclass(frozen=True)
class Config:
    """Every name and number of the lab; all may be given as notebook parameters."""

    region: str = "us-east-1"
    zones: tuple[str, ...] = ()
    """Two zones; empty: the first two that offer the instance type (the sheet took a and b)."""

    vpc_name: str = "MusicGuruVPC"
    vpc_cidr: str = "192.168.0.0/23"
    subnet_1_name: str = "public 1"
    subnet_2_name: str = "public 2"
    gateway_name: str = "MusicGuruGateway"
    security_group_name: str = "MusicGuruSG"
    first_security_group_name: str = "MusicGuruFirstSG"
    """Of the Preliminary's server, which runs in the default VPC: ours does not exist yet."""

    key_name: str = "MusicGuruKey"
    existing_key: bool = False
    """True: ``key_name`` is there already and is not ours, such as the Learner Lab's ``vockey``."""

    project2_image_name: str = "*Guru*"
    image_id: str = ""
    """The image made in Project 2; empty: the newest of one's own that ``project2_image_name`` fits."""
    image_name: str = "MusicGuru-with-health-check"
    server_name: str = "MusicGuru"
    test_name: str = "MG test"
    group_instance_name: str = "MG from MGAS"

    launch_template_name: str = "MGLaunch"
    instance_type: str = "t2.micro"
    target_group_name: str = "MGTG"
    load_balancer_name: str = "MGLB"
    group_name: str = "MGAS"
    policy_name: str = "MGTargetTracking"

    service_port: int = 5000
    health_port: int = 5001
    minimum: int = 2
    maximum: int = 3
    desired: int = 2
    target_cpu_percent: float = 50.0
    warmup_s: int = 300
    grace_period_s: int = 300
    """The console's default; the API's own would be 0 (aws-facts 2.1)."""

    @property
    def subnet_names(self) -> tuple[str, str]:
        """Give both subnets' names."""
        return self.subnet_1_name, self.subnet_2_name


def configured(config: Config, overrides: Mapping[str, Any]) -> Config:
    """Replace values by name; refuses names that do not exist and values that cannot be."""
    kinds = {field.name: field.default for field in fields(config)}
    values = {}
    for name, value in overrides.items():
        if name not in kinds:
            raise UsageError(f"there is no parameter {name!r}", hint=nearest(name, kinds, "parameter"))
        values[name] = _converted(name, value, kinds[name])
    changed = replace(config, **values)
    _check(changed)
    return changed


def _converted(name: str, value: Any, default: Any) -> Any:
    """Turn a parameter (often text from a command line) into the kind its default has."""
    try:
        if isinstance(default, bool):
            return _truth(value)
        if isinstance(default, tuple):
            parts = value.split(",") if isinstance(value, str) else value
            return tuple(str(part).strip() for part in parts if str(part).strip())
        if isinstance(default, int) and float(value) != int(float(value)):
            raise ValueError(value)
        return int(float(value)) if isinstance(default, int) else type(default)(value)
    except (TypeError, ValueError):
        kind = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        wanted = kind.get(type(default).__name__, "text")
        raise UsageError(f"parameter {name} cannot be {value!r}", hint=f"give {wanted}") from None


def _truth(value: Any) -> bool:
    word = str(value).lower()
    if word not in _WORDS_OF_TRUTH:
        raise ValueError(value)
    return _WORDS_OF_TRUTH[word]


def _check(config: Config) -> None:
    """Refuse what AWS would refuse later, in words of the parameter."""
    halves(config.vpc_cidr)
    for name in ("service_port", "health_port"):
        _demand(1 <= getattr(config, name) <= 65535, f"{name} is {getattr(config, name)}", "a port is 1 to 65535")
    _demand(config.service_port != config.health_port, "service_port and health_port are equal", "give two ports")
    _demand(
        0 <= config.minimum <= config.desired <= config.maximum,
        f"minimum {config.minimum}, desired {config.desired}, maximum {config.maximum} do not fit",
        "they must rise: minimum <= desired <= maximum",
    )
    _demand(0 < config.target_cpu_percent <= 100, f"target_cpu_percent is {config.target_cpu_percent}", "1 to 100")
    _demand(
        len(config.zones) in (0, 2) and len(set(config.zones)) == len(config.zones),
        f"zones are {', '.join(config.zones)}",
        "give two different zones, or none to have them chosen",
    )
    for name in ("load_balancer_name", "target_group_name"):
        value = getattr(config, name)
        _demand(bool(_BALANCING_NAME.fullmatch(value)), f"{name} is {value!r}", "up to 32 letters, digits and hyphens")


def _demand(holds: bool, message: str, hint: str) -> None:
    if not holds:
        raise UsageError(message, hint=hint)


def halves(cidr: str) -> tuple[str, str]:
    """Divide a network into two equal pieces (step 5)."""
    try:
        network = IPv4Network(cidr)
    except ValueError as error:
        raise UsageError(f"vpc_cidr {cidr!r} is no network: {error}", hint="for example 192.168.0.0/23") from None
    _demand(
        16 <= network.prefixlen < _SMALLEST_HALF,
        f"vpc_cidr {cidr} cannot be a VPC of two subnets",
        "its prefix must be /16 to /27 (aws-facts 3.5)",
    )
    first, second = network.subnets(prefixlen_diff=1)
    return str(first), str(second)


def run_name(run: str, environ: Mapping[str, str]) -> str:
    """Give the run's name: as told, else MGLAB_RUN, else ``default``; it becomes a folder and a tag."""
    name = run or environ.get("MGLAB_RUN") or DEFAULT_RUN
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a run", hint="up to 48 letters, digits, dots, hyphens, underscores")
    return name


def edition(told: str, environ: Mapping[str, str]) -> str:
    """Give the edition: as told, else MGLAB_EDITION, else the reference when headless and the student's by hand."""
    usual = "reference" if environ.get("MGLAB_HEADLESS") else "student"
    name = told or environ.get("MGLAB_EDITION") or usual
    if name not in EDITIONS:
        raise UsageError(f"there is no edition {name!r}", hint=nearest(name, EDITIONS, "edition"))
    return name


def project_folder() -> Path:
    """Give the folder that holds ``notebooks/``, ``servers/`` and this package."""
    return Path(__file__).resolve().parent.parent


def servers_folder() -> Path:
    """Give the folder with what goes into the machine image."""
    return project_folder() / "servers"


def outputs_folder(environ: Mapping[str, str]) -> Path:
    """Give the folder of all runs: MGLAB_OUTPUTS, else ``outputs/`` of the project."""
    told = environ.get("MGLAB_OUTPUTS")
    return _told_folder(told) if told else project_folder() / "outputs"


def state_home(environ: Mapping[str, str]) -> Path:
    """Give the folder of local clouds and private keys: never inside outputs."""
    told = environ.get("MGLAB_STATE_HOME")
    if told:
        return _told_folder(told)
    base = environ.get("XDG_STATE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".local" / "state") / "mglab"
    except RuntimeError:  # no HOME, and the system knows no home of this user: as in some containers
        raise UsageError("this user has no home folder", hint="set MGLAB_STATE_HOME to a folder of your own") from None


def _told_folder(text: str) -> Path:
    return Path(os.path.expanduser(text)).absolute()  # unlike Path's, it leaves a ~name that nobody has


def from_home(path: Path) -> str:
    """Write a path for people: what lies in the user's home begins with ~, so that no folio says whose home it is."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (RuntimeError, ValueError):  # no home, or elsewhere
        return str(path)


def cloud_directory(environ: Mapping[str, str]) -> Path:
    """Give the folder of the local cloud in use (MGLAB_CLOUD, else ``default``)."""
    name = environ.get("MGLAB_CLOUD") or DEFAULT_CLOUD
    if not _NAME.fullmatch(name.removeprefix("run-")):  # a run's own cloud is named after it
        raise UsageError(f"{name!r} cannot name a cloud", hint="up to 48 letters, digits, dots, hyphens, underscores")
    return state_home(environ) / "clouds" / name
