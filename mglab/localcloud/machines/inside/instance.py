"""The instance that a stand-in was called in, as its driver wrote it down (``config.json``)."""

from __future__ import annotations

import json

from mglab.localcloud.machines.inside import proctree
from mglab.localcloud.machines.inside.scripts import Place


class Instance:
    """The instance that a stand-in was called in."""

    def __init__(self, config: str) -> None:
        with open(config, encoding="utf-8") as file:
            values = json.load(file)
        self.place = Place(values["root"], values["commands"], values["copies"])
        self.environment: dict[str, str] = values["environment"]
        self.init_pid_file: str = values["init_pid_file"]
        self.bashrc: str = values["bashrc"]

    @property
    def token(self) -> str:
        return self.environment[proctree.TOKEN_VARIABLE]

    def init_pid(self) -> int:
        """Read the process id of the instance's init."""
        with open(self.init_pid_file, encoding="ascii") as file:
            return int(file.read())
