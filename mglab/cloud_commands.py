"""``mglab cloud``: start, stop, describe a local cloud."""

from __future__ import annotations

import argparse
import os
import shlex
from typing import Any

from mglab import config
from mglab.commands import print_json, print_table
from mglab.errors import CloudUnavailable


def cloud(options: argparse.Namespace) -> int:
    """Start, stop or describe a local cloud."""
    from mglab.workbook import clouds

    if options.verb == "knobs":
        return _list_knobs(clouds.knobs(options.knobs), as_json=options.json)
    name = options.name or os.environ.get("MGLAB_CLOUD") or config.DEFAULT_CLOUD
    if options.verb == "down":
        clouds.ask("down", name)
        print("null" if options.json else f"cloud {name} is down")
        return 0
    cloud = clouds.ask("up" if options.verb == "up" else "status", name, options.rate, options.knobs)
    if cloud is None:
        hint = "start it: python3 -m mglab cloud up" + ("" if name == config.DEFAULT_CLOUD else f" --name {name}")
        raise CloudUnavailable(f"the local cloud {name!r} is not running", hint=hint)
    if options.verb == "env":
        known = clouds.environment_of(cloud)
        lines = [f"export {variable}={shlex.quote(value)}" for variable, value in known.items()]
        return print_json(known) if options.json else print("\n".join(lines)) or 0
    if options.json:
        return print_json(clouds.shown(cloud))
    told = f"rate {cloud['rate']:g}, process {cloud['pid']}{clouds.knobs_in_words(cloud)}"
    print(f"cloud {name}: {cloud['endpoint']}, {cloud['region']}, {told}")
    if other := cloud.get("other_knobs"):
        print(f"it was running already and keeps its knobs: {other}; for others, first: mglab cloud down")
    return 0


def _list_knobs(knobs: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        return print_json(knobs)
    print_table(knobs, "")
    print("the sources are rows of the facts about AWS that the model was written from; none is a promise of AWS")
    return 0
