"""placeholder until the way into instances lands"""
from __future__ import annotations

from mglab.session import Lab


def stop_service(lab: Lab, instance_id: str) -> None: ...
def stop_health_check(lab: Lab, instance_id: str) -> None: ...
