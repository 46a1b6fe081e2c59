"""How many CPU credits does a burstable instance have, and what does it use?

One credit is one vCPU busy for one minute. An instance earns them steadily while it runs, up to what it earns in
24 hours; T2 instances begin with launch credits, which are spent first and do not count towards that limit. The
figures are those of EC2's table of burstable types (User Guide, burstable performance instances).

Left out: what happens at zero. T2 (standard) would be slowed down to its baseline, T3 (unlimited) would go on and
be billed for surplus credits; here the balance just stays at zero.
"""

from __future__ import annotations

from dataclasses import dataclass

LAUNCH_CREDITS_PER_VCPU = 30.0
HOURS_KEPT = 24


@dataclass(frozen=True)
class Burstable:
    """What a type earns: credits an hour, for so many vCPUs, with or without launch credits."""

    credits_per_hour: float
    vcpus: int
    launch_credits: bool = False


TYPES: dict[str, Burstable] = {
    "t2.nano": Burstable(3, 1, True),
    "t2.micro": Burstable(6, 1, True),
    "t2.small": Burstable(12, 1, True),
    "t2.medium": Burstable(24, 2, True),
    "t2.large": Burstable(36, 2, True),
    "t2.xlarge": Burstable(54, 4, True),
    "t2.2xlarge": Burstable(81.6, 8, True),
    "t3.nano": Burstable(6, 2),
    "t3.micro": Burstable(12, 2),
    "t3.small": Burstable(24, 2),
    "t3.medium": Burstable(24, 2),
    "t3.large": Burstable(36, 2),
    "t3.xlarge": Burstable(96, 4),
    "t3.2xlarge": Burstable(192, 8),
}


@dataclass(frozen=True)
class Account:
    """An instance's credits."""

    launch: float
    earned: float = 0.0

    @property
    def balance(self) -> float:
        """Give CPUCreditBalance."""
        return self.launch + self.earned


def opened(kind: Burstable) -> Account:
    """Give what an instance has when it begins to run."""
    return Account(LAUNCH_CREDITS_PER_VCPU * kind.vcpus if kind.launch_credits else 0.0)


def used(kind: Burstable, percent: float, minutes: float) -> float:
    """Give CPUCreditUsage: the credits that so much CPUUtilization of all vCPUs takes."""
    return percent / 100 * kind.vcpus * minutes


def after(account: Account, kind: Burstable, usage: float, minutes: float) -> Account:
    """Give the account after some minutes: launch credits are spent first, then those that are earned."""
    from_launch = min(account.launch, usage)
    earned = account.earned + kind.credits_per_hour * minutes / 60 - (usage - from_launch)
    limit = kind.credits_per_hour * HOURS_KEPT
    return Account(account.launch - from_launch, min(max(earned, 0.0), limit))
