"""Reading a group's settings from a request, and refusing what AWS refuses.

Wordings: aws-facts 3.7 rows 41-50. A launch template's content is looked at only now, when a group takes it
(aws-facts 3.3). What the local cloud does not model is refused by name, never ignored.
"""

from __future__ import annotations

from mglab.localcloud.api.autoscaling_state import Attachment, Cloud, Params, Tag
from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, refuse_members, require
from mglab.localcloud.api.compute import SubnetView
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.autoscaler import TERMINATION_POLICIES, Subnet

HEALTH_CHECK_TYPES = ("EC2", "ELB")
NOT_MODELLED = (
    "MixedInstancesPolicy", "InstanceId", "PlacementGroup", "MaxInstanceLifetime", "AvailabilityZoneIds",
    "InstanceLifecyclePolicy", "Operator",
)
KEPT = ("CapacityRebalance", "Context", "DesiredCapacityType")
"""Without an effect here: there are no spot instances, no weights, and the context is for the eye."""
DEFAULT_ONLY: Params = {
    "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
    "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
    "AvailabilityZoneImpairmentPolicy": {"ZonalShiftEnabled": False},
    "InstanceMaintenancePolicy": {"MinHealthyPercentage": -1, "MaxHealthyPercentage": -1},
    "DeletionProtection": "none",
}
"""AWS's defaults, which may be said; anything else is refused."""
MOST_TARGET_GROUPS = 50
"""Per group (aws-facts 2.1, quotas)."""


def check_sizes(minimum: int, maximum: int, desired: int | None) -> None:
    """Refuse sizes that contradict each other (aws-facts 3.7 rows 41, 42)."""
    for member, value in (("MinSize", minimum), ("MaxSize", maximum), ("DesiredCapacity", desired)):
        if value is not None and value < 0:
            raise constraint(value, member, "Member must have value greater than or equal to 0")
    if minimum > maximum:
        raise invalid(f"Max bound, {maximum}, must be greater than or equal to min bound, {minimum}")
    if desired is not None and not minimum <= desired <= maximum:
        raise invalid(
            f"Desired capacity:{desired} must be between the specified min size:{minimum} and max size:{maximum}"
        )


def check_desired(desired: int, minimum: int, maximum: int) -> None:
    """Refuse a SetDesiredCapacity out of range (aws-facts 3.7 row 43)."""
    side, bound = ("above max", maximum) if desired > maximum else ("below min", minimum)
    if not minimum <= desired <= maximum:
        raise invalid(f"New SetDesiredCapacity value {desired} is {side} value {bound} for the AutoScalingGroup.")


def check_modelled(params: Params) -> None:
    """Refuse settings whose effect is not modelled."""
    refuse_members(params, *NOT_MODELLED)
    for member, default in DEFAULT_ONLY.items():
        if params.get(member, default) != default:
            raise invalid(f"The local cloud models {member} only as {default}.")
    if params.get("DesiredCapacityType", "units") != "units":
        raise invalid("The local cloud counts a group's capacity in units.")
    if params.get("LoadBalancerNames"):
        raise invalid("Provided Load Balancers may not be valid. Please ensure they exist and try again.")
    name = params.get("LaunchConfigurationName")
    if name:
        raise invalid(f"Launch configuration name not found - Launch configuration {name} not found")


def kept(params: Params) -> Params:
    """Read what is only given back."""
    return {member: params[member] for member in KEPT if params.get(member) is not None}


def template(cloud: Cloud, given: Params | None) -> tuple[str, str, str]:
    """Read (id, name, version as written) of a launch template that could be launched."""
    if not given:
        raise invalid(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
            "MixedInstancesPolicy parameter."
        )
    template_id, name = given.get("LaunchTemplateId"), given.get("LaunchTemplateName")
    if (template_id is None) == (name is None):
        raise invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
    version = given.get("Version") or "$Default"
    try:
        return (*cloud.compute.check_template(template_id, name, version), version)
    except ApiError as error:
        raise invalid(f"You must use a valid fully-formed launch template. {error.message}") from error


def subnets(cloud: Cloud, params: Params) -> tuple[Subnet, ...]:
    """Read where the group may launch: subnets, or the default ones of zones."""
    ids = [each.strip() for each in (params.get("VPCZoneIdentifier") or "").split(",") if each.strip()]
    zones = params.get("AvailabilityZones") or []
    if not ids and not zones:
        raise invalid("At least one Availability Zone or VPC Subnet is required.")
    defaults = [] if ids else [_default(cloud, zone) for zone in sorted(set(zones))]
    found = [_subnet(cloud, each) for each in dict.fromkeys(ids)] or defaults
    if len({view.vpc_id for view in found}) > 1:
        raise invalid("All subnets of an AutoScalingGroup must be in the same VPC.")
    if zones and set(zones) != {view.zone for view in found}:
        raise invalid("The availability zones of the specified subnets and the Auto Scaling group do not match")
    return tuple(Subnet(view.subnet_id, view.zone) for view in found)


def by_zones(params: Params) -> bool:
    """Say whether zones alone are given: no subnets are shown then."""
    return bool(params.get("AvailabilityZones")) and not params.get("VPCZoneIdentifier")


def _subnet(cloud: Cloud, subnet_id: str) -> SubnetView:
    view = cloud.compute.subnet(subnet_id)
    if view is None:
        raise invalid(f"The subnet ID '{subnet_id}' does not exist")
    return view


def _default(cloud: Cloud, zone: str) -> SubnetView:
    view = cloud.compute.default_subnet(zone)
    if view is None:
        raise invalid(f"Invalid availability zones: [{zone}]")
    return view


def target_group_arns(cloud: Cloud, params: Params) -> list[str]:
    """Read the target groups, given as such or as traffic sources (aws-facts 3.7 row 48)."""
    arns = [*(params.get("TargetGroupARNs") or ()), *traffic_sources(params)]
    if len(set(arns)) > MOST_TARGET_GROUPS:
        raise invalid(f"Only {MOST_TARGET_GROUPS} target groups are allowed for an AutoScalingGroup.")
    for arn in arns:
        if not cloud.elbv2.target_group_exists(arn):
            raise invalid("Provided Target Groups may not be valid. Please ensure they exist and try again.")
    return list(dict.fromkeys(arns))


def traffic_sources(params: Params) -> list[str]:
    """Read the identifiers of traffic sources; only target groups are modelled."""
    given = params.get("TrafficSources") or ()
    for source in given:
        require(source, "Identifier")
        if source.get("Type", "elbv2") != "elbv2":
            raise invalid(f"The local cloud has no traffic sources of type {source['Type']}; use elbv2.")
    return [source["Identifier"] for source in given]


def attachments(cloud: Cloud, params: Params) -> list[Attachment]:
    """Read the target groups of a new group."""
    return [Attachment(arn) for arn in target_group_arns(cloud, params)]


def health_check_type(params: Params, default: str = "EC2") -> str:
    """Read which checks replace a member; EC2's can never be turned off (aws-facts 2.1)."""
    value: str = params.get("HealthCheckType") or default
    unknown = [each for each in value.split(",") if each.strip() not in HEALTH_CHECK_TYPES]
    if unknown:
        raise invalid(f"The local cloud has no health checks of type {unknown[0]}; use EC2, ELB or EC2,ELB.")
    return value


def termination_policies(params: Params, default: tuple[str, ...] = ("Default",)) -> tuple[str, ...]:
    """Read whom scale-in takes."""
    given = tuple(params.get("TerminationPolicies") or default)
    for policy in given:
        if policy not in TERMINATION_POLICIES:
            raise invalid(f"Termination policy {policy} is invalid. Valid types: {', '.join(TERMINATION_POLICIES)}.")
    return given


def tags(given: list[Params]) -> dict[str, Tag]:
    """Read a group's tags."""
    for tag in given:
        require(tag, "Key")
        if tag["Key"].startswith("aws:"):
            raise invalid("Tag keys starting with 'aws:' are reserved for system use.")
    return {tag["Key"]: Tag(tag.get("Value") or "", bool(tag.get("PropagateAtLaunch"))) for tag in given}
