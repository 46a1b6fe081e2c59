"""Every error that the workbook raises on purpose, and what to do about each.

    LabError                     exit 1   something the user can cause or mend
    |-- UsageError               exit 2   a wrong name, option or parameter; nothing was started
    |-- CloudUnavailable         exit 4   no backend answers: dead local cloud, missing credentials
    |-- AwsError                          one ClientError, translated once (session.py)
    |   |-- NotFound                      the named resource is not there
    |   |-- Denied                        the account may not do this
    |   `-- Throttled                     too many calls; the SDK's retries are used up
    |-- WaitTimedOut                      a state did not come in its time; resumable
    |-- CheckFailed                       what a step should have left is not there
    |-- ServiceUnreachable                a client could not talk to the service
    |-- NotebookFailed                    a cell raised; the partial notebook is kept
    |-- OutputsUnwritable                 outputs/ is read-only or the disk is full
    `-- TeardownIncomplete       exit 3   something is left that costs money; it is named

An error says what happened, to what, and (``hint``) what to do next. Only ``cli.py`` turns one into an
exit code; nobody prints it on the way.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LabError(Exception):
    """What happened, to what; ``hint`` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """Show the sentence and the hint in a notebook, not IPython's frames."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(LabError):
    """A name, option or parameter that does not exist; nothing was started."""

    exit_code = 2


class CloudUnavailable(LabError):
    """No backend answers: the local cloud is down, or no credentials were found."""

    exit_code = 4


class AwsError(LabError):
    """One refusal by the API, with AWS's own code kept, and the resource it spoke of."""

    def __init__(self, message: str, *, code: str, operation: str, resource: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.operation = operation
        self.resource = resource


class NotFound(AwsError):
    """The resource that was named is not there (any more, or yet)."""


class Denied(AwsError):
    """The account or its session may not do this."""


class Throttled(AwsError):
    """Too many calls in too short a time; the SDK's own retries are used up."""


class WaitTimedOut(LabError):
    """A state did not come in its time. Running the same cell again waits on."""


class CheckFailed(LabError):
    """What a step should have left behind is not there."""


class ServiceUnreachable(LabError):
    """A client could not get an answer from the service."""


class NotebookFailed(LabError):
    """A notebook's cell raised; the partly executed notebook is kept."""


class OutputsUnwritable(LabError):
    """The outputs folder cannot be written: read-only, or the disk is full."""


class TeardownIncomplete(LabError):
    """Something is left behind that may cost money; the message names it."""

    exit_code = 3


def nearest(name: str, known: Iterable[str], noun: str) -> str:
    """Say which known name is nearest to a wrong one, or list them all: the hint of a UsageError."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"each {noun} there is: {', '.join(names)}"
