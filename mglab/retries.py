"""What AWS refuses only for a moment is asked again, in one place: too many requests, and what was made just now.

EC2 is eventually consistent: a call that names a resource may not find it for some seconds after another call has made
it. A session remembers what it has made itself; such a NotFound is waited out for a minute, any other is the truth.
Throttling is waited out with growing pauses, as AWS advises, before the SDK's own tries are spent. Pauses are lab time.
"""

from __future__ import annotations

import json
import random
import re
from typing import Any

from mglab.clock import Clock

NOT_FOUND = re.compile(r"NotFound|NoSuch|InvalidAMIID\.Unavailable")
THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"})
RESOURCE = re.compile(r"arn:[^\s'\"]+|\b(?:vpc|subnet|igw|rtb|sg|ami|i|lt|eni|snap|vol|key)-[0-9a-f]{8,17}\b")

NEW_S = 60.0
LOOK_AGAIN_S = 2.0
MOST_TRIES = 8
LONGEST_PAUSE_S = 20.0
_MAKES, _REMOVES = ("Create", "Run", "Register"), ("Delete", "Terminate", "Deregister")


class Patience:
    """What one session has made, and when (lab seconds since 1970)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: dict[str, float] = {}

    def note(self, operation: str, answer: Any, parameters: Any) -> None:
        """Remember what an operation has made, forget what it has removed."""
        if operation.startswith(_MAKES):
            self._made |= dict.fromkeys(_named(answer), self._clock.time())
        elif operation.startswith(_REMOVES):
            for gone in _named(parameters):
                self._made.pop(gone, None)

    def pause_s(self, code: str, message: str, tries: int) -> float | None:
        """Say after how many wall seconds a refused request is worth another try; None: it is not."""
        if code in THROTTLED and tries < MOST_TRIES:
            longest_s = min(LONGEST_PAUSE_S, 2.0**tries)
            return self._clock.wall_seconds(longest_s * random.uniform(0.5, 1))
        if NOT_FOUND.search(code) and any(self._is_new(name) for name in RESOURCE.findall(message)):
            return self._clock.wall_seconds(LOOK_AGAIN_S)
        return None

    def _is_new(self, name: str) -> bool:
        return self._clock.time() < self._made.get(name, float("-inf")) + NEW_S


def absorb(events: Any, clock: Clock) -> None:
    """Make every client of this session try again what is refused only for a moment."""
    patience = Patience(clock)

    def note(http_response: Any, parsed: Any, model: Any, context: dict[str, Any], **_: Any) -> None:
        if http_response.status_code < 300:
            patience.note(model.name, parsed, context.get("mglab_parameters"))

    def again(response: Any, attempts: int, **_: Any) -> float | None:
        refusal = response[1].get("Error", {}) if response else {}
        code = str(refusal.get("QueryErrorCode") or refusal.get("Code") or "")
        return patience.pause_s(code, str(refusal.get("Message") or ""), attempts)

    events.register_first("after-call", note)
    events.register_first("needs-retry", again)


def _named(value: Any) -> list[str]:
    return RESOURCE.findall(json.dumps(value, default=str))
