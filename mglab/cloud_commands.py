"""``mglab cloud``: start, set, stop, describe a local cloud."""

from __future__ import annotations

import argparse
import os
import shlex
from typing import Any

from mglab import config
from mglab.commands import print_json, print_table
from mglab.errors import CloudUnavailable, UsageError


def cloud(options: argparse.Namespace) -> int:
    """Start, set, stop or describe a local cloud."""
    from mglab.workbook import clouds

    if options.verb == "knobs":
        return _list_knobs(clouds.knobs(options.knobs), as_json=options.json)
    _check_words(options)
    for flag, verb in (("fresh", "up"), ("keep", "down")):
        if getattr(options, flag) and options.verb != verb:
            raise UsageError(f"--{flag} is for 'cloud {verb}'", hint=f"mglab cloud {verb} --{flag}")
    name = options.name or os.environ.get("MGLAB_CLOUD") or config.DEFAULT_CLOUD
    if options.verb == "down":
        clouds.ask("down", name, words=["--keep"] if options.keep else [])
        print("null" if options.json else f"cloud {name} is down" + (", and kept" if clouds.kept(name) else ""))
        return 0
    verb = options.verb if options.verb in ("up", "set") else "status"
    words = [*options.words, "--fresh"] if options.fresh else options.words
    cloud = clouds.ask(verb, name, options.rate, options.knobs, words)
    if cloud is None:
        comes_back = ", with what was in it" if clouds.kept(name) else ""
        named = "" if name == config.DEFAULT_CLOUD else f" --name {name}"
        hint = f"start it{comes_back}: python3 -m mglab cloud up{named}"
        raise CloudUnavailable(f"the local cloud {name!r} is not running", hint=hint)
    if options.verb == "env":
        known = clouds.environment_of(cloud)
        lines = [f"export {variable}={shlex.quote(value)}" for variable, value in known.items()]
        return print_json(known) if options.json else print("\n".join(lines)) or 0
    if options.json:
        return print_json(clouds.shown(cloud))
    told = f"rate {cloud['rate']:g}, process {cloud['pid']}"
    told += clouds.knobs_in_words(cloud) + clouds.settings_in_words(cloud)
    print(f"cloud {name}: {cloud['endpoint']}, {cloud['region']}, {told}")
    for note in cloud.get("notes", []) if verb == "up" else []:
        print(note)
    if other := cloud.get("other_knobs"):
        print(f"it was there already and keeps its knobs: {other}; for others, first: mglab cloud down")
    if other := cloud.get("not_set"):
        print(f"it was running already and was not set to {other}: mglab cloud set {other}")
    return 0


def _check_words(options: argparse.Namespace) -> None:
    if options.words and options.verb not in ("up", "set"):
        raise UsageError(f"'cloud {options.verb}' sets nothing", hint=f"mglab cloud set {' '.join(options.words)}")
    if options.verb == "set" and not options.words:
        raise UsageError("'cloud set' sets what?", hint="give NAME=VALUE; mglab cloud knobs lists the names")


def _list_knobs(knobs: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        return print_json(knobs)
    print_table(knobs, "")
    print("the sources are rows of the facts about AWS that the model was written from; none is a promise of AWS")
    return 0
