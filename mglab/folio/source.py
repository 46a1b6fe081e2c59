"""A cell's code as the folio shows it: what was done, without the words that only put it on show.

``evidence(lab, "The VPC", [vpc], ...)`` files and displays; its title, its rows, its step and its call stand
below it in print anyway. Such statements are left out, and a cell that holds nothing else shows no code.
Code that cannot be parsed is shown as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

ON_SHOW = frozenset({"evidence", "transcript", "figure", "commentary", "prediction", "answer", "beside", "insight"})


def shown(source: str) -> str:
    """Give the source without its statements that only display."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):
        return source
    hidden = {line for one in statements if _only_displays(one) for line in range(one.lineno, _end(one) + 1)}
    lines = source.splitlines()
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in hidden).strip("\n")


def withheld(source: str) -> bool:
    """Say whether a cell asks for an insight: it was made to show one, and the student's edition shows none."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):
        return False
    return any(_calls(one, {"insight"}) for one in statements)


def _only_displays(statement: ast.stmt) -> bool:
    return _calls(statement, ON_SHOW)


def _calls(statement: ast.stmt, names: Collection[str]) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Name)
        and statement.value.func.id in names
    )


def _end(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno
