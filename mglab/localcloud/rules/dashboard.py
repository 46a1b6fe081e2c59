"""A dashboard's document, checked as CloudWatch checks it (API reference, "Dashboard Body Structure and Syntax").

A body has widgets on a grid of 24 columns; a widget has a type and its properties. What a widget shows is the
console's business: of a metric widget the rows of ``metrics`` are looked at, since that is where mistakes are made, and
AWS's sentences about them are recorded by others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mglab.localcloud.rules.document import InvalidDocument, Reader

TYPES = ("metric", "text", "log", "alarm", "explorer", "custom", "trace", "html", "chart")
MOST_WIDGETS, COLUMNS, MOST_ROWS = 500, 24, 1000
ROWS = 'Field "metrics" has to be an array of array of strings, with an optional metricRenderer object as last element'
NO_STRING = 'Invalid metric field type, only "String" type is allowed'


def check(document: Any) -> None:
    """Check a body; raises InvalidDocument with everything that is wrong."""
    read = Reader()
    if not isinstance(document, dict):
        read.wrong("", "Should be object")
    elif "widgets" not in document:
        read.wrong("", "Should have required property 'widgets'")
    else:
        widgets = read.list(document["widgets"], "/widgets")
        if len(widgets) > MOST_WIDGETS:
            read.wrong("/widgets", f"Should NOT have more than {MOST_WIDGETS} items")
        for number, widget in enumerate(widgets):
            _widget(read, widget, f"/widgets/{number}")
    if read.mistakes:
        raise InvalidDocument(read.mistakes)


def _widget(read: Reader, widget: Any, path: str) -> None:
    if not isinstance(widget, dict):
        read.wrong(path, "Should be object")
        return
    for name in ("type", "properties"):
        if name not in widget:
            read.wrong(path, f"Should have required property '{name}'")
    if "type" in widget and widget["type"] not in TYPES:
        read.wrong(f"{path}/type", "Should be equal to one of the allowed values")
    for name, least, most in (("x", 0, COLUMNS - 1), ("y", 0, None), ("width", 1, COLUMNS), ("height", 1, MOST_ROWS)):
        _place(read, widget, name, path, least, most)
    properties = widget.get("properties")
    if "properties" in widget and not isinstance(properties, dict):
        read.wrong(f"{path}/properties", "Should be object")
    elif widget.get("type") == "metric" and properties is not None:
        _metric(read, properties, f"{path}/properties")


def _place(read: Reader, widget: Mapping[str, Any], name: str, path: str, least: int, most: int | None) -> None:
    if name not in widget:
        return
    value = read.whole(widget, name, path, least)
    if value < least:
        read.wrong(f"{path}/{name}", f"Should be >= {least}")
    if most is not None and value > most:
        read.wrong(f"{path}/{name}", f"Should be <= {most}")


def _metric(read: Reader, properties: Mapping[str, Any], path: str) -> None:
    if "metrics" not in properties and "annotations" not in properties:
        read.wrong(path, "Should have required property 'metrics'")
    rows = read.list(properties.get("metrics"), f"{path}/metrics")
    for number, row in enumerate(rows):
        where = f"{path}/metrics/{number}"
        if not isinstance(row, list):
            read.wrong(where, "Should be array")
            read.wrong(where, ROWS)
            continue
        names = row[:-1] if row and isinstance(row[-1], dict) else row
        for place, name in enumerate(names):
            if not isinstance(name, str):
                read.wrong(f"{where}/{place}", NO_STRING)
