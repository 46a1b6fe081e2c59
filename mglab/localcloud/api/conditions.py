"""Under which conditions the account is used at present: what is set, and how its session stands.

``ec2_state.World`` owns them, with all else that EC2 remembers. They are values, so they can be saved and restored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mglab.localcloud.rules.academy import Session, caller
from mglab.localcloud.settings import Settings


@dataclass
class Conditions:
    """What holds now. Times are lab epoch seconds."""

    settings: Settings = Settings()
    session: Session | None = None
    """Of a Learner Lab; None outside of one."""
    stopped_by_session: list[str] = field(default_factory=list)
    """Instances that a session's end has stopped: the next one starts them."""
    cut_off_since: dict[str, float] = field(default_factory=dict)
    """Zones in an outage, and since when."""

    def change(self, settings: Settings, now: float) -> None:
        """Let other settings hold from now on."""
        self.settings = settings
        zones = settings.faults.zone_outage
        self.cut_off_since = {zone: self.cut_off_since.get(zone, now) for zone in zones}
        if not settings.academy:
            self.session, self.stopped_by_session = None, []

    def caller(self, account: str) -> str:
        """Give the ARN of whoever calls."""
        return caller(account, self.settings.academy)

    @property
    def told(self) -> dict[str, Any]:
        """Give what is set, as JSON can carry it."""
        known = self.settings.changed
        if self.session is not None:
            known |= {"session": self.session.standing, "session_ends_at": self.session.ends_at}
        return known
