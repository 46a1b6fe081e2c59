"""Instance types: what each is made of, and which zones offer it.

The catalogue is moto's copy of AWS's own answers. DescribeInstanceTypes gives pages of 100 at most, as on AWS; filters
read the same members that the answer shows. What else of EC2 depends on the type (cores, boot mode, CPU credits) asks
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mglab.localcloud.api import moto_room
from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_state import World, dry_run
from mglab.localcloud.api.faults import ApiError

TYPES_AT_MOST, OFFERINGS_AT_MOST = 100, 1000  # the API's largest pages


class Types:
    """The console's page "Instance Types"."""

    def __init__(self, world: World) -> None:
        self._world = world

    def describe_instance_types(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say what instance types are made of."""
        dry_run(params)
        catalogue = moto_room.instance_types()
        names = params.get("InstanceTypes", [])
        unknown = [name for name in names if name not in catalogue]
        if unknown:
            message = f"The following supplied instance types do not exist: [{', '.join(unknown)}]"
            raise ApiError("InvalidInstanceType", message)
        chosen = [catalogue[name] for name in names or sorted(catalogue)]
        found = select(chosen, params.get("Filters", []), _READERS, _no_tags)
        whole = {"MaxResults": TYPES_AT_MOST, **params} if not names else params
        shown, token = page(found, whole, least=5, most=TYPES_AT_MOST, beside=("InstanceTypes", "instanceTypes"))
        return {"InstanceTypes": list(shown), **token}

    def describe_instance_type_offerings(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say which types are offered in the region, or in which of its zones."""
        dry_run(params)
        offered = moto_room.offerings(params.get("LocationType", "region"))
        found = select(offered, params.get("Filters", []), _OFFERING_READERS, _no_tags)
        shown, token = page(found, {"MaxResults": OFFERINGS_AT_MOST, **params}, least=5, most=OFFERINGS_AT_MOST)
        return {"InstanceTypeOfferings": list(shown), **token}


def cpu_options(instance_type: str) -> dict[str, int]:
    """Give the type's cores, and threads on each."""
    known = moto_room.instance_types()[instance_type]["VCpuInfo"]
    return {"CoreCount": known["DefaultCores"], "ThreadsPerCore": known["DefaultThreadsPerCore"]}


def vcpus(instance_type: str) -> int:
    """Count the type's vCPUs."""
    return int(moto_room.instance_types()[instance_type]["VCpuInfo"]["DefaultVCpus"])


def boot_mode(instance_type: str) -> str:
    """Say how an image that prefers UEFI boots on the type."""
    modes = moto_room.instance_types()[instance_type].get("SupportedBootModes", ())
    return "uefi" if "uefi" in modes else "legacy-bios"


def is_nitro(instance_type: str) -> bool:
    """Say whether the type runs on AWS's own hypervisor, whose hosts check attached volumes too."""
    return moto_room.instance_types()[instance_type].get("Hypervisor") == "nitro"


def default_credits(instance_type: str) -> str | None:
    """Say what a type does when its CPU credits are used up; None for one that has none."""
    if not moto_room.instance_types()[instance_type].get("BurstablePerformanceSupported"):
        return None
    return "standard" if instance_type.startswith("t2.") else "unlimited"


def _no_tags(_: Any) -> Mapping[str, str]:
    return {}


def _read(path: str) -> Reader:
    """Read a member by its way through the answer: ``VCpuInfo.DefaultVCpus``."""
    names = path.split(".")

    def read(thing: Any) -> Iterable[str | None]:
        for name in names:
            thing = thing.get(name) if isinstance(thing, Mapping) else None
        return [_text(each) for each in _many(thing)]

    return read


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else () if value is None else (value,)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_READERS: dict[str, Reader] = {
    "auto-recovery-supported": _read("AutoRecoverySupported"),
    "bare-metal": _read("BareMetal"),
    "burstable-performance-supported": _read("BurstablePerformanceSupported"),
    "current-generation": _read("CurrentGeneration"),
    "dedicated-hosts-supported": _read("DedicatedHostsSupported"),
    "ebs-info.ebs-optimized-support": _read("EbsInfo.EbsOptimizedSupport"),
    "ebs-info.encryption-support": _read("EbsInfo.EncryptionSupport"),
    "ebs-info.nvme-support": _read("EbsInfo.NvmeSupport"),
    "free-tier-eligible": _read("FreeTierEligible"),
    "hibernation-supported": _read("HibernationSupported"),
    "hypervisor": _read("Hypervisor"),
    "instance-storage-supported": _read("InstanceStorageSupported"),
    "instance-type": _read("InstanceType"),
    "memory-info.size-in-mib": _read("MemoryInfo.SizeInMiB"),
    "network-info.ena-support": _read("NetworkInfo.EnaSupport"),
    "network-info.ipv4-addresses-per-interface": _read("NetworkInfo.Ipv4AddressesPerInterface"),
    "network-info.ipv6-supported": _read("NetworkInfo.Ipv6Supported"),
    "network-info.maximum-network-interfaces": _read("NetworkInfo.MaximumNetworkInterfaces"),
    "network-info.network-performance": _read("NetworkInfo.NetworkPerformance"),
    "nitro-enclaves-support": _read("NitroEnclavesSupport"),
    "nitro-tpm-support": _read("NitroTpmSupport"),
    "processor-info.supported-architecture": _read("ProcessorInfo.SupportedArchitectures"),
    "processor-info.sustained-clock-speed-in-ghz": _read("ProcessorInfo.SustainedClockSpeedInGhz"),
    "supported-boot-mode": _read("SupportedBootModes"),
    "supported-root-device-type": _read("SupportedRootDeviceTypes"),
    "supported-usage-class": _read("SupportedUsageClasses"),
    "supported-virtualization-type": _read("SupportedVirtualizationTypes"),
    "vcpu-info.default-cores": _read("VCpuInfo.DefaultCores"),
    "vcpu-info.default-threads-per-core": _read("VCpuInfo.DefaultThreadsPerCore"),
    "vcpu-info.default-vcpus": _read("VCpuInfo.DefaultVCpus"),
}
_OFFERING_READERS: dict[str, Reader] = {"instance-type": _read("InstanceType"), "location": _read("Location")}
