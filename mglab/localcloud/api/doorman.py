"""The doorman who minds the account's conditions: may this request be answered now?

A policy that denies it comes first (a Learner Lab's, or one that is set), then chance (throttling), then memory: what
was made only just now may not be known yet (eventual consistency). What other services do inside, an Auto Scaling
group's launches for one, comes through no door.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from mglab.localcloud.api.conditions import Conditions
from mglab.localcloud.api.faults import ApiError, refused
from mglab.localcloud.rules import academy, faults

Now = Callable[[], float]


class Doorman:
    """Asked before a request is handled, and told what came of it. Everything is called under the cloud's one lock."""

    def __init__(
        self, conditions: Callable[[], Conditions], now: Now, chance: Random, account: str, region: str
    ) -> None:
        self._conditions = conditions
        self._now = now
        self._chance = chance
        self._account = account
        self._region = region
        self._made: dict[str, float] = {}
        """What was made while EC2 is eventually consistent, and when."""

    def admit(self, service: str, operation: str, params: Mapping[str, Any], region: str) -> None:
        """Let a request pass; raises ApiError when it may not."""
        conditions = self._conditions()
        self._check_policies(conditions, service, operation, params, region)
        if service != "sts" and faults.is_throttled(conditions.settings.faults, self._chance):
            raise refused(faults.throttled(service))
        if service == "ec2":
            self._check_known(conditions.settings.faults.consistency_s, params)

    def note(self, service: str, operation: str, body: bytes) -> None:
        """Remember what an answered request has made."""
        prefix = faults.MADE_BY.get(operation)
        if service == "ec2" and prefix and self._conditions().settings.faults.consistency_s:
            for found in re.findall(rf"\b{prefix}-[0-9a-f]{{17}}\b".encode(), body):
                self._made[found.decode()] = self._now()

    def _check_policies(
        self, conditions: Conditions, service: str, operation: str, params: Mapping[str, Any], region: str
    ) -> None:
        abroad = conditions.settings.academy and region not in academy.REGIONS and service != "sts"
        if abroad or academy.is_denied(service, operation, conditions.session, conditions.settings.deny):
            arn = conditions.caller(self._account)
            raise refused(academy.denial(service, operation, params, self._account, region, arn=arn))
        if region != self._region:
            raise ApiError("AuthFailure", f"The local cloud is in {self._region} alone, not in {region}.", 403)

    def _check_known(self, consistency_s: float, params: Mapping[str, Any]) -> None:
        now = self._now()
        self._made = {made: at for made, at in self._made.items() if now - at < consistency_s}
        for named in faults.named_in(params) if self._made else ():
            at = self._made.get(named)
            if at is not None and faults.is_unknown(now - at, consistency_s, self._chance):
                raise refused(faults.unknown(named))
