"""Launch templates: named, numbered versions of what RunInstances would be told.

A template's contents are looked at only when something is launched from it or a group is made with it
(aws-facts 3.3); ``$Default`` stays version 1 until it is moved. Errors: aws-facts 3.7 rows 24-25.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mglab.localcloud.api.ec2_filters import page, select
from mglab.localcloud.api.ec2_state import (
    ACCOUNT,
    Template,
    TemplateVersion,
    World,
    dry_run,
    new_id,
    tag_list,
    tags_for,
    when,
)
from mglab.localcloud.api.faults import ApiError

CREATED_BY = f"arn:aws:iam::{ACCOUNT}:root"
NAME = re.compile(r"[a-zA-Z0-9().\-/_]{3,128}")


def find_template(world: World, template_id: str | None, name: str | None) -> Template:
    """Find a template by id or else by name; raises ApiError."""
    if template_id:
        found = world.templates.get(template_id)
        if found is None:
            message = f"The specified launch template, with template ID {template_id}, does not exist."
            raise ApiError("InvalidLaunchTemplateId.NotFound", message)
        return found
    if not name:
        message = "Either provide launch template ID or launch template name."
        raise ApiError("MissingParameter", message)
    for template in world.templates.values():
        if template.name == name:
            return template
    message = f"The specified launch template, with template name {name}, does not exist."
    raise ApiError("InvalidLaunchTemplateName.NotFoundException", message)


def find_version(template: Template, version: str | None) -> TemplateVersion:
    """Find ``$Latest``, ``$Default`` (also for none given) or a number; raises ApiError."""
    if version == "$Latest":
        return template.versions[-1]
    if version in (None, "", "$Default"):
        version = str(template.default)
    for candidate in template.versions:
        if str(candidate.number) == version:
            return candidate
    message = f"Could not find the specified version {version} for the launch template with ID {template.template_id}."
    raise ApiError("InvalidLaunchTemplateId.VersionNotFound", message)


class Templates:
    """The console's page "Launch Templates"."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_launch_template(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make a template and its version 1."""
        name = params["LaunchTemplateName"]
        if not NAME.fullmatch(name):
            message = f"Invalid launch template name: {name}. It must be 3-128 letters, digits or ().-/_"
            raise ApiError("InvalidLaunchTemplateName.MalformedException", message)
        if any(template.name == name for template in self._world.templates.values()):
            raise ApiError("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
        data = _contents(params)
        dry_run(params)
        now = self._world.now()
        version = TemplateVersion(1, data, params.get("VersionDescription"), now)
        template = Template(new_id("lt"), name, now, [version])
        self._world.templates[template.template_id] = template
        self._world.tag(template.template_id, tags_for("launch-template", params.get("TagSpecifications", [])))
        return {"LaunchTemplate": self._document(template)}

    def create_launch_template_version(self, params: dict[str, Any]) -> dict[str, Any]:
        """Add a version; the default stays where it is."""
        template = self._named(params)
        source = params.get("SourceVersion")
        base = find_version(template, source).data if source else {}
        number = template.versions[-1].number + 1
        data = {**base, **_contents(params)}
        dry_run(params)
        version = TemplateVersion(number, data, params.get("VersionDescription"), self._world.now())
        template.versions.append(version)
        return {"LaunchTemplateVersion": _version_document(template, version)}

    def modify_launch_template(self, params: dict[str, Any]) -> dict[str, Any]:
        """Move the default version."""
        template = self._named(params)
        version = find_version(template, params.get("DefaultVersion"))
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

    def describe_launch_templates(self, params: dict[str, Any]) -> dict[str, Any]:
        """List templates."""
        world = self._world
        wanted = [find_template(world, i, None) for i in params.get("LaunchTemplateIds", [])]
        wanted += [find_template(world, None, name) for name in params.get("LaunchTemplateNames", [])]
        found = select(
            wanted or list(world.templates.values()),
            params.get("Filters", []),
            {"launch-template-name": lambda t: (t.name,), "create-time": lambda t: (when(t.created_at).isoformat(),)},
            lambda t: world.tags(t.template_id),
        )
        shown, token = page(found, params)
        return {"LaunchTemplates": [self._document(template) for template in shown], **token}

    def describe_launch_template_versions(self, params: dict[str, Any]) -> dict[str, Any]:
        """List versions, the newest first."""
        names = params.get("Versions", [])
        if params.get("LaunchTemplateId") or params.get("LaunchTemplateName"):
            template = self._named(params)
            versions = [find_version(template, name) for name in names] or list(reversed(template.versions))
            found = [(template, version) for version in versions]
        elif names and set(names) <= {"$Latest", "$Default"}:
            found = [(t, find_version(t, name)) for t in self._world.templates.values() for name in names]
        else:
            raise ApiError("MissingParameter", "Either provide launch template ID or launch template name.")
        shown, token = page(found, params)
        return {"LaunchTemplateVersions": [_version_document(t, version) for t, version in shown], **token}

    def _named(self, params: Mapping[str, Any]) -> Template:
        return find_template(self._world, params.get("LaunchTemplateId"), params.get("LaunchTemplateName"))

    def _document(self, template: Template) -> dict[str, Any]:
        return {
            "LaunchTemplateId": template.template_id,
            "LaunchTemplateName": template.name,
            "CreateTime": when(template.created_at),
            "CreatedBy": CREATED_BY,
            "DefaultVersionNumber": template.default,
            "LatestVersionNumber": template.versions[-1].number,
            "Tags": tag_list(self._world.tags(template.template_id)),
        }


def _contents(params: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = params.get("LaunchTemplateData", {})
    if not data:
        raise ApiError("MissingParameter", "The request must contain the parameter LaunchTemplateData")
    return data


def _version_document(template: Template, version: TemplateVersion) -> dict[str, Any]:
    return {
        "LaunchTemplateId": template.template_id,
        "LaunchTemplateName": template.name,
        "VersionNumber": version.number,
        "VersionDescription": version.description,
        "CreateTime": when(version.created_at),
        "CreatedBy": CREATED_BY,
        "DefaultVersion": version.number == template.default,
        "LaunchTemplateData": version.data,
    }
