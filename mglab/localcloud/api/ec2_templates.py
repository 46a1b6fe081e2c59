"""Launch templates: named, numbered versions of what RunInstances would be told.

A template's contents are looked at only when something is launched from it or a group is made with it
(aws-facts 3.3); ``$Default`` stays version 1 until it is moved. A version's number is never given twice. Which of
template and version is asked for wrongly decides the words of the refusal (aws-facts 3.3, 3.7 rows 24-25), and these
differ from call to call.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_state import (
    ACCOUNT,
    Instance,
    Template,
    TemplateVersion,
    World,
    dry_run,
    new_id,
    tag_list,
    tags_for,
    to_the_second,
)
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.wire_xml import iso8601

CREATED_BY = f"arn:aws:iam::{ACCOUNT}:root"
NAME = re.compile(r"[a-zA-Z0-9().\-/_]{3,128}")
VERSIONS_AT_MOST, TEMPLATES_AT_MOST = 200, 200  # the API's largest pages, and versions deleted in one call
NAMED = ("$Latest", "$Default")
WHICH_VERSIONS = (
    "To describe the launch template data for all your launch templates, for ‘--versions’ specify ‘$Latest’, "
    "‘$Default’, or both, and omit ‘--launch-template-id’, ‘--launch-template-name’, and version numbers. To describe "
    "the launch template data for a specific launch template, specify ‘--launch-template-id’ or "
    "‘--launch-template-name’, and for ‘--versions’ specify one or more of the following values: ‘$Latest’, "
    "‘$Default’, or one or more version numbers."
)  # wire text of DescribeLaunchTemplateVersions: clients are told in the CLI's words


def find_template(world: World, template_id: str | None, name: str | None) -> Template:
    """Find a template by id or else by name; raises ApiError (aws-facts 3.7 row 25)."""
    if template_id:
        found = world.templates.get(_checked_id(template_id))
        if found is None:
            message = f"The specified launch template, with template ID {template_id}, does not exist."
            raise ApiError("InvalidLaunchTemplateId.NotFound", message)
        return found
    if not name:
        message = "The request must contain the parameter launch template ID or launch template name"
        raise ApiError("MissingParameter", message)
    for template in world.templates.values():
        if template.name == name:
            return template
    message = f"The specified launch template, with template name {name}, does not exist."
    raise ApiError("InvalidLaunchTemplateName.NotFoundException", message)


def find_version(template: Template, version: str | None) -> TemplateVersion:
    """Find ``$Latest``, ``$Default`` (also for none given) or a number; raises ApiError."""
    found = _version(template, version or "$Default")
    if found is None:
        raise ApiError(
            "InvalidLaunchTemplateId.VersionNotFound",
            f"Could not find the specified version {version} for the launch template with ID {template.template_id}.",
        )
    return found


class Templates:
    """The console's page "Launch Templates"."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_launch_template(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make a template and its version 1."""
        name, token = _checked_name(params["LaunchTemplateName"]), params.get("ClientToken", "")
        data, tags = _contents(params), tags_for("launch-template", params.get("TagSpecifications", []))
        for template in self._world.templates.values():
            if token and template.client_token == token and (template.name, template.versions[0].data) == (name, data):
                return {"LaunchTemplate": self._document(template)}
            if template.name == name:
                message = "Launch template name already in use."
                raise ApiError("InvalidLaunchTemplateName.AlreadyExistsException", message)
        dry_run(params)
        now = self._world.now()
        version = TemplateVersion(1, data, params.get("VersionDescription"), now)
        template = Template(new_id("lt"), name, now, [version], client_token=token)
        self._world.templates[template.template_id] = template
        self._world.tag(template.template_id, tags)
        return {"LaunchTemplate": self._document(template)}

    def create_launch_template_version(self, params: dict[str, Any]) -> dict[str, Any]:
        """Add a version; the default stays where it is."""
        template = self._named(params)
        source = params.get("SourceVersion")
        base = find_version(template, source).data if source else {}
        data = {**base, **_contents(params)}
        dry_run(params)
        template.numbered += 1
        version = TemplateVersion(template.numbered, data, params.get("VersionDescription"), self._world.now())
        template.versions.append(version)
        return {"LaunchTemplateVersion": _version_document(template, version)}

    def get_launch_template_data(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give contents that would launch an instance like this one."""
        instance = self._world.instance(params["InstanceId"])
        dry_run(params)
        return {"LaunchTemplateData": _like(self._world, instance)}

    def modify_launch_template(self, params: dict[str, Any]) -> dict[str, Any]:
        """Move the default version."""
        if params.get("LaunchTemplateId") and params.get("LaunchTemplateName"):
            message = "Either provide launch template ID or launch template name to modify the template."
            raise ApiError("InvalidParameterCombination", message)
        template, wanted = self._named(params), params.get("DefaultVersion")
        version = _version(template, wanted or "$Default")
        if version is None:
            message = f"The launch template version {wanted} is not found for the specified launch template."
            raise ApiError("InvalidLaunchTemplateId.VersionNotFound", message)
        dry_run(params)
        template.default = version.number
        return {"LaunchTemplate": self._document(template)}

    def delete_launch_template(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a template with all its versions; what was launched from it lives on."""
        template = self._named(params)
        dry_run(params)
        document = self._document(template)
        del self._world.templates[template.template_id]
        self._world.untag(template.template_id)
        return {"LaunchTemplate": document}

    def delete_launch_template_versions(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete versions; the default one stays, and each that cannot be deleted is answered with its reason."""
        template, numbers = self._named(params), params["Versions"]
        if len(numbers) > VERSIONS_AT_MOST:
            message = f"You can delete up to {VERSIONS_AT_MOST} launch template versions in a single request."
            raise ApiError("InvalidParameterValue", message)
        dry_run(params)
        done: list[dict[str, Any]] = []
        undone: list[dict[str, Any]] = []
        for number in numbers:
            refused = _delete_version(template, number)
            entry = {**_names(template), "VersionNumber": int(number) if number.isdigit() else None}
            if refused:
                undone.append({**entry, "ResponseError": refused})
            else:
                done.append(entry)
        return {
            "SuccessfullyDeletedLaunchTemplateVersions": done,
            "UnsuccessfullyDeletedLaunchTemplateVersions": undone,
        }

    def describe_launch_templates(self, params: dict[str, Any]) -> dict[str, Any]:
        """List templates."""
        dry_run(params)
        world, names = self._world, params.get("LaunchTemplateNames", [])
        wanted = [find_template(world, template_id, None) for template_id in params.get("LaunchTemplateIds", [])]
        if set(names) - {template.name for template in world.templates.values()}:
            message = "At least one of the launch templates specified in the request does not exist."
            raise ApiError("InvalidLaunchTemplateName.NotFoundException", message)
        wanted += [find_template(world, None, name) for name in names]
        found = select(
            wanted or list(world.templates.values()),
            params.get("Filters", []),
            _READERS,
            lambda t: world.tags(t.template_id),
        )
        shown, token = page(found, params, most=TEMPLATES_AT_MOST)
        return {"LaunchTemplates": [self._document(template) for template in shown], **token}

    def describe_launch_template_versions(self, params: dict[str, Any]) -> dict[str, Any]:
        """List versions of one template, the newest first, or the named ones of every template."""
        dry_run(params)
        names = params.get("Versions", [])
        if params.get("LaunchTemplateId") or params.get("LaunchTemplateName"):
            template = self._named(params)
            versions = [find_version(template, name) for name in names] or _between(template, params)
            pairs = [(template, version) for version in versions]
        elif names and set(names) <= set(NAMED):
            pairs = [(t, find_version(t, name)) for t in self._world.templates.values() for name in names]
        else:
            raise ApiError("InvalidParameterValue" if names else "MissingParameter", WHICH_VERSIONS)
        found = select(_each_once(pairs), params.get("Filters", []), _VERSION_READERS, lambda pair: {})
        shown, token = page(found, params, most=VERSIONS_AT_MOST)
        return {"LaunchTemplateVersions": [_version_document(t, version) for t, version in shown], **token}

    def _named(self, params: Mapping[str, Any]) -> Template:
        return find_template(self._world, params.get("LaunchTemplateId"), params.get("LaunchTemplateName"))

    def _document(self, template: Template) -> dict[str, Any]:
        return {
            **_names(template),
            "CreateTime": to_the_second(template.created_at),
            "CreatedBy": CREATED_BY,
            "DefaultVersionNumber": template.default,
            "LatestVersionNumber": template.versions[-1].number,
            "Operator": {"Managed": False},
            "Tags": tag_list(self._world.tags(template.template_id)) or None,
        }


Pair = tuple[Template, TemplateVersion]


def _checked_id(template_id: str) -> str:
    if not re.fullmatch(r"lt-[0-9a-f]{17}", template_id):
        message = (
            f"The specified launch template ID '{template_id}' is malformed. Specify the launch template ID in the "
            "form lt-xxxxxxxxxxxxxxxxx."
        )
        raise ApiError("InvalidLaunchTemplateId.Malformed", message)
    return template_id


def _checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        message = (
            "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the "
            "following characters: - ( ) . / _"
        )
        raise ApiError("InvalidLaunchTemplateName.MalformedException", message)
    return name


def _contents(params: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = params.get("LaunchTemplateData", {})
    if not data:
        raise ApiError("MissingParameter", "The request must contain the parameter LaunchTemplateData")
    return data


def _like(world: World, instance: Instance) -> dict[str, Any]:
    """Write an instance down as a template's contents."""
    interface, tags = instance.interface, world.tags(instance.instance_id)
    own = {key: value for key, value in tags.items() if not key.startswith("aws:")}
    nic = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": instance.wants_public_address,
        "DeleteOnTermination": interface.delete_on_termination,
        "Description": interface.description,
        "Groups": list(interface.group_ids),
        "SubnetId": interface.subnet_id,
    }
    return {
        "ImageId": instance.image_id,
        "InstanceType": instance.instance_type,
        "KeyName": instance.key_name,
        "Monitoring": {"Enabled": instance.monitoring},
        "Placement": {"AvailabilityZone": interface.zone, "GroupName": "", "Tenancy": "default"},
        "DisableApiTermination": instance.refuses_termination,
        "InstanceInitiatedShutdownBehavior": instance.shutdown_behavior,
        "UserData": base64.b64encode(instance.user_data).decode() or None,
        "NetworkInterfaces": [nic],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": tag_list(own)}] if own else None,
    }


def _version(template: Template, version: str) -> TemplateVersion | None:
    if version == "$Latest":
        return template.versions[-1]
    wanted = str(template.default) if version == "$Default" else version
    return next((it for it in template.versions if str(it.number) == wanted), None)


def _between(template: Template, params: Mapping[str, Any]) -> list[TemplateVersion]:
    least = _number(params.get("MinVersion"), 1)
    most = _number(params.get("MaxVersion"), template.numbered)
    return [version for version in reversed(template.versions) if least <= version.number <= most]


def _number(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if not text.isdigit():
        raise ApiError("InvalidParameterValue", f"Value ({text}) for parameter version is invalid.")
    return int(text)


def _each_once(pairs: Iterable[Pair]) -> list[Pair]:
    return list({(template.template_id, version.number): (template, version) for template, version in pairs}.values())


def _delete_version(template: Template, number: str) -> dict[str, str] | None:
    """Delete a version; give the reason when it cannot be."""
    found = next((version for version in template.versions if str(version.number) == number), None)
    if found is None:
        message = f"Could not find launch template version {number}."
        return {"Code": "launchTemplateVersionDoesNotExist", "Message": message}
    if found.number == template.default:
        message = "The default version of a launch template cannot be deleted."
        return {"Code": "unexpectedError", "Message": message}
    template.versions.remove(found)
    return None


def _names(template: Template) -> dict[str, str]:
    return {"LaunchTemplateId": template.template_id, "LaunchTemplateName": template.name}


def _version_document(template: Template, version: TemplateVersion) -> dict[str, Any]:
    return {
        **_names(template),
        "VersionNumber": version.number,
        "VersionDescription": version.description,
        "CreateTime": to_the_second(version.created_at),
        "CreatedBy": CREATED_BY,
        "DefaultVersion": version.number == template.default,
        "LaunchTemplateData": version.data,
        "Operator": {"Managed": False},
    }


def _member(*names: str) -> Reader:
    """Read a member of a version's contents."""

    def read(pair: Pair) -> Iterable[str | None]:
        value: Any = pair[1].data
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return () if value is None else (str(value).lower() if isinstance(value, bool) else str(value),)

    return read


_READERS: dict[str, Reader] = {
    "launch-template-name": lambda t: (t.name,),
    "create-time": lambda t: (iso8601(to_the_second(t.created_at)),),
}
_VERSION_READERS: dict[str, Reader] = {
    "create-time": lambda pair: (iso8601(to_the_second(pair[1].created_at)),),
    "is-default-version": lambda pair: ("true" if pair[1].number == pair[0].default else "false",),
    "image-id": _member("ImageId"),
    "instance-type": _member("InstanceType"),
    "ebs-optimized": _member("EbsOptimized"),
    "iam-instance-profile": _member("IamInstanceProfile", "Arn"),
    "kernel-id": _member("KernelId"),
    "ram-disk-id": _member("RamDiskId"),
    "http-endpoint": _member("MetadataOptions", "HttpEndpoint"),
    "http-protocol-ipv4": _member("MetadataOptions", "HttpProtocolIpv4"),
    "http-tokens": _member("MetadataOptions", "HttpTokens"),
    "host-resource-group-arn": _member("Placement", "HostResourceGroupArn"),
    "license-configuration-arn": lambda pair: (
        each.get("LicenseConfigurationArn") for each in pair[1].data.get("LicenseSpecifications", ())
    ),
    "network-card-index": lambda pair: (
        str(each.get("NetworkCardIndex", 0)) for each in pair[1].data.get("NetworkInterfaces", ())
    ),
}
