"""Which numbers a text tells: for the rule that a model answer has none that no table shows."""

from __future__ import annotations

import re

SHEET = re.compile(r"(?i)\bsteps? \d+|\bquestion \d|\bEC2\b")
"""The sheet's own numbering, and a name: they measure nothing."""
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)*(?!\w)")


def numbers(text: str) -> set[str]:
    """Give every number and address in a text; digits inside a name (us-east-1a) are none."""
    return set(NUMBER.findall(SHEET.sub("", text)))
