"""A lab session: which cloud, its clock, its clients, its ledger. Everything else takes it as first argument.

Two backends, one shape. ``local`` reads the local cloud's own file and hands endpoint, credentials and
region to every client; the SDK's session behind them knows only botocore's built-in defaults: no variable,
profile, proxy or configuration file of the environment is ever consulted, so no call can reach AWS.
``aws`` finds credentials as the SDK does and refuses a configured endpoint: what says "AWS" goes to AWS.

AWS's refusals become this project's errors in one place, by botocore's own ``after-call`` events: steps just
call ``lab.ec2.create_vpc(...)``. (botocore's waiters expect ClientError and sleep wall time; ``waits.until``
takes their place.) STS still answers after an Academy session has ended, EC2 does not: both are asked
before a session is handed out (aws-facts 5).
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import configprovider, exceptions
from botocore.config import Config as ClientConfig
from botocore.parsers import ResponseParserError
from botocore.session import Session as CoreSession

from mglab.clock import Clock, FollowedClock
from mglab.config import (
    DEFAULT_CLOUD,
    EDITIONS,
    Config,
    cloud_directory,
    configured,
    edition,
    nearest,
    outputs_folder,
    run_name,
    state_home,
)
from mglab.errors import AwsError, CloudUnavailable, Denied, LabError, NotFound, Throttled, UsageError
from mglab.ledger import Ledger, local_place
from mglab.retries import NOT_FOUND, RESOURCE, THROTTLED, absorb

BACKENDS = ("local", "aws")
SERVICES = ("ec2", "elbv2", "autoscaling", "cloudwatch", "sts")
RESOLVER_TIMEOUT_S = 5.0
LOCAL_READ_TIMEOUT_S = 30
"""The SDK's own is 60 s; a local cloud that is silent for half of it hangs."""
START_A_CLOUD = "start it: python3 -m mglab cloud up"
LOOK_AT_THE_NETWORK = "look at the network connection, then run the cell again"
GET_CREDENTIALS = (
    "copy fresh ones (Learner Lab: Start Lab, AWS Details, AWS CLI) into ~/.aws/credentials, or run `aws configure`"
)


@dataclass(frozen=True)
class Lab:
    """One run on one cloud."""

    config: Config
    clock: Clock
    ledger: Ledger
    backend: str
    run: str
    folder: Path
    """outputs/<run>: what may be handed in."""
    account: str
    region: str
    ec2: Any
    elbv2: Any
    autoscaling: Any
    cloudwatch: Any
    sts: Any
    keys_folder: Path
    """Where private keys are kept: the user's alone, outside outputs."""
    resolver: str = ""
    """The local cloud's name server (a Unix socket); empty on AWS."""
    ssh_port: int = 22
    """Where instances serve SSH: 22, or what stands for it where the local cloud may not have that port."""
    client_environment: Mapping[str, str] = field(default_factory=dict)
    """What a client program needs in its environment to find the cloud's names."""
    edition: str = EDITIONS[0]
    """``student``, or ``reference``: with model answers beside the student's commentary."""

    def resolve(self, name: str) -> list[str]:
        """Give the addresses behind a name, in the order answered; none when it does not resolve."""
        if _is_address(name):
            return [name]
        return _asked(self.resolver, name) if self.resolver else _looked_up(name)


def connect(run: str = "", backend: str = "", **overrides: Any) -> Lab:
    """Open a session for the run (else MGLAB_RUN) on the backend (else MGLAB_BACKEND, else the local cloud)."""
    environ = os.environ
    name = run_name(run, environ)
    where = backend or environ.get("MGLAB_BACKEND") or BACKENDS[0]
    if where not in BACKENDS:
        raise UsageError(f"there is no backend {where!r}", hint=nearest(where, BACKENDS, "backend"))
    config = configured(Config(), overrides)
    if where == "local":
        return _connect_local(name, config, environ)
    return _connect_aws(name, config, environ, told_region=str(overrides.get("region", "")))


# -- the local cloud ---------------------------------------------------------------------------------------


def _connect_local(run: str, config: Config, environ: Mapping[str, str]) -> Lab:
    directory = cloud_directory(environ)
    cloud = _read_cloud(directory)
    session = boto3.Session(botocore_session=unconfigured_session())
    silence = f"the local cloud {directory.name!r} does not answer"
    log = f"its log says why: {directory / 'log' / 'control.log'}"
    hint = f"{_start(directory.name)}, then run the cell again; {log}"
    translate_errors(session.events, on_silence=silence, hint=hint, when_denied=_DENIED_HERE)
    clock = FollowedClock(directory / "cloud.json")
    absorb(session.events, clock)
    clients = {service: _local_client(session, service, cloud) for service in SERVICES}
    account = _identified(clients, f"the local cloud {directory.name!r}")
    folder = outputs_folder(environ) / run
    return Lab(
        config=replace(config, region=cloud["region"]),
        clock=clock,
        ledger=Ledger(folder / "ledger.jsonl", clock, local_place(directory.name)),
        backend="local",
        run=run,
        folder=folder,
        account=account,
        region=cloud["region"],
        keys_folder=state_home(environ) / "keys" / f"local-{directory.name}",
        resolver=cloud.get("resolver") or "",
        ssh_port=int(cloud.get("ssh_port") or 22),
        client_environment=dict(cloud.get("client_environment") or {}),
        edition=edition("", environ),
        **clients,
    )


def _read_cloud(directory: Path) -> dict[str, Any]:
    """Read the cloud's own file; refuses one whose process is gone or whose endpoint is not on this host."""
    name = directory.name
    try:
        cloud = json.loads((directory / "cloud.json").read_text("utf-8"))
        pid, endpoint = int(cloud["pid"]), str(cloud["endpoint"])
    except FileNotFoundError:
        raise CloudUnavailable(f"the local cloud {name!r} is not running", hint=_start(name)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CloudUnavailable(f"{directory / 'cloud.json'} cannot be read: {error}", hint=_start(name)) from None
    if not _alive(pid):
        raise CloudUnavailable(f"the local cloud {name!r} has died (process {pid})", hint=_start(name))
    if not _on_loopback(endpoint):
        raise CloudUnavailable(
            f"the local cloud {name!r} names {endpoint}, which is not on this host",
            hint="remove that file and start the cloud again: python3 -m mglab cloud up",
        )
    return dict(cloud)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _on_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return _is_address(host) and ip_address(host).is_loopback


def _start(name: str) -> str:
    return START_A_CLOUD if name == DEFAULT_CLOUD else f"{START_A_CLOUD} --name {name}"


def unconfigured_session() -> CoreSession:
    """Make an SDK session that knows botocore's defaults and nothing of environment, profiles or files."""
    session = CoreSession()
    defaults = {
        name: configprovider.ConstantProvider(value=default)
        for name, (_, _, default, _) in configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    nowhere = configprovider.ConstantProvider(value=os.devnull)
    mapping = {**defaults, "config_file": nowhere, "credentials_file": nowhere}
    session.register_component("config_store", configprovider.ConfigValueStore(mapping=mapping))
    return session


def _local_client(session: boto3.Session, service: str, cloud: Mapping[str, Any]) -> Any:
    """Make a client with endpoint and credentials given outright; ``proxies={}`` keeps it off any proxy."""
    return session.client(  # type: ignore[call-overload]
        service,
        endpoint_url=cloud["endpoint"],
        region_name=cloud["region"],
        aws_access_key_id=cloud["access_key_id"],
        aws_secret_access_key=cloud["secret_access_key"],
        aws_session_token=cloud.get("session_token"),
        verify=False,  # plain HTTP on the loopback: there is no certificate to look at
        config=ClientConfig(
            proxies={}, retries={"mode": "standard", "total_max_attempts": 2}, read_timeout=LOCAL_READ_TIMEOUT_S
        ),
    )


# -- AWS ---------------------------------------------------------------------------------------------------


def _connect_aws(run: str, config: Config, environ: Mapping[str, str], *, told_region: str) -> Lab:
    try:
        session = boto3.Session()
        refuse_configured_endpoints(environ, session)
        region = told_region or session.region_name or config.region
        if session.get_credentials() is None:
            raise CloudUnavailable("no AWS credentials were found", hint=GET_CREDENTIALS)
        translate_errors(session.events, on_silence="AWS does not answer", hint=LOOK_AT_THE_NETWORK)
        clock = Clock()
        absorb(session.events, clock)
        clients = {service: _aws_client(session, service, region, environ) for service in SERVICES}
        account = _identified(clients, "AWS")
    except (exceptions.BotoCoreError, OSError, ValueError) as error:
        raise CloudUnavailable(f"the AWS configuration cannot be used: {error}", hint=GET_CREDENTIALS) from None
    folder = outputs_folder(environ) / run
    return Lab(
        config=replace(config, region=region),
        clock=clock,
        ledger=Ledger(folder / "ledger.jsonl", clock, f"aws/{account}/{region}"),
        backend="aws",
        run=run,
        folder=folder,
        account=account,
        region=region,
        keys_folder=state_home(environ) / "keys" / f"aws-{account}-{region}",
        edition=edition("", environ),
        **clients,
    )


def _aws_client(session: boto3.Session, service: str, region: str, environ: Mapping[str, str]) -> Any:
    """Make a client as the SDK is configured; an empty AWS_CA_BUNDLE counts as none."""
    verify = True if environ.get("AWS_CA_BUNDLE") == "" else None
    retries = ClientConfig(retries={"mode": "standard", "total_max_attempts": 6})
    client = session.client(service, region_name=region, verify=verify, config=retries)  # type: ignore[call-overload]
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    if not host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
        raise _configured_endpoint(client.meta.endpoint_url, f"the SDK's configuration for {service}")
    return client


def _identified(clients: Mapping[str, Any], where: str) -> str:
    """Give the account; asks EC2 too, since STS answers even when a session has ended."""
    try:
        account = str(clients["sts"].get_caller_identity()["Account"])
        clients["ec2"].describe_availability_zones()
    except Denied as refusal:
        raise CloudUnavailable(f"{where} refuses these credentials: {refusal.message}", hint=refusal.hint) from None
    return account


def refuse_configured_endpoints(environ: Mapping[str, str], session: boto3.Session) -> None:
    """Refuse AWS_ENDPOINT_URL* and a profile's endpoint_url, unless the SDK is told to ignore them itself."""
    core: Any = session._session
    if core.get_config_variable("ignore_configured_endpoint_urls"):
        return
    for name, value in environ.items():
        if re.fullmatch(r"AWS_ENDPOINT_URL(_[A-Z0-9_]+)?", name) and value:
            raise _configured_endpoint(value, f"the variable {name}")
    profile = core.get_scoped_config()
    services = core.full_config.get("services", {}).get(profile.get("services"), {})
    sections = {"the profile": profile, **{f"the profile's {name}": it for name, it in services.items()}}
    for source, settings in sections.items():
        if isinstance(settings, dict) and settings.get("endpoint_url"):
            raise _configured_endpoint(settings["endpoint_url"], source)


def _configured_endpoint(endpoint: str, source: str) -> UsageError:
    return UsageError(
        f"backend aws goes to AWS, but {source} points at {endpoint}",
        hint="unset it (or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true); for the local cloud use backend local",
    )


# -- names -------------------------------------------------------------------------------------------------


def _is_address(name: str) -> bool:
    try:
        return isinstance(ip_address(name), IPv4Address)
    except ValueError:
        return False


def _asked(resolver: str, name: str) -> list[str]:
    """Ask the local cloud's resolver: one request line, ``address ttl`` lines back."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", name):
        return []
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(RESOLVER_TIMEOUT_S)
            wire.connect(resolver)
            wire.sendall(f"A {name}\n".encode("ascii"))
            while piece := wire.recv(4096):
                answer += piece
    except OSError as error:
        raise CloudUnavailable(f"the local cloud's resolver does not answer: {error}", hint=START_A_CLOUD) from None
    return [line.split()[0] for line in answer.decode("ascii").splitlines() if line.strip()]


def _looked_up(name: str) -> list[str]:
    """Ask the host's resolver; a name that is not there (yet) gives nothing."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


# -- errors ------------------------------------------------------------------------------------------------

DENIED = frozenset(
    {
        *("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "OptInRequired", "Blocked"),
        *("AuthFailure", "SignatureDoesNotMatch", "InvalidClientTokenId", "UnrecognizedClientException"),
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "MissingAuthenticationToken"),
        *("IncompleteSignature", "PendingVerification"),
    }
)

_EXPIRED = f"the credentials have expired or are not valid: {GET_CREDENTIALS}; then run the cell again"
_DENIED = "this account may not do that; a Learner Lab session may have ended, or its course may not include it"
_DENIED_HERE = (
    "a Learner Lab's session may have ended (`mglab cloud status` says so; `mglab cloud set academy=on` starts one) "
    "or its course denies it; credentials of an earlier session have expired: restart the kernel to get the new ones"
)
_BUSY = "something still uses it; wait a minute and run again, or see what: python3 -m mglab orphans"
_TAKEN = "another run has that name: tear it down (python3 -m mglab teardown --run NAME), or give another name"
HINTS = {
    "VcpuLimitExceeded": "terminate instances that are not needed, lower the maximum, or ask AWS for a higher limit",
    "InstanceLimitExceeded": "terminate instances that are not needed; a Learner Lab runs at most 9 in a region",
    "InsufficientInstanceCapacity": "this zone is out of that type just now: try again, or give other zones",
    "Unsupported": "that zone does not offer the instance type: give other zones or another instance_type",
    "VpcLimitExceeded": "5 VPCs are the limit of a region: delete one that is not needed",
    "InternetGatewayLimitExceeded": "5 gateways are the limit of a region: delete one that is not needed",
    "DependencyViolation": _BUSY,
    "ResourceInUse": _BUSY,
    "ScalingActivityInProgress": "the group is still at work: wait a minute and run again",
    "DuplicateLoadBalancerName": _TAKEN,
    "DuplicateTargetGroupName": _TAKEN,
    "InvalidLaunchTemplateName.AlreadyExistsException": _TAKEN,
    "InvalidKeyPair.Duplicate": f"{_TAKEN}; to use a key of your own set existing_key",
    "InvalidAMIName.Duplicate": _TAKEN,
    "AlreadyExists": f"{_TAKEN}; a group just deleted takes some minutes to go",
    "InvalidKeyPair.NotFound": "make the key pair first (notebook 03), or give key_name and existing_key",
    "InvalidAMIID.NotFound": "make the image first (notebook 01), or give image_id",
    **dict.fromkeys(DENIED, _EXPIRED),
    **dict.fromkeys(("UnauthorizedOperation", "AccessDenied", "AccessDeniedException"), _DENIED),
    **dict.fromkeys(THROTTLED, "wait a minute and run the cell again"),
}
_SILENCE = (exceptions.HTTPClientError, exceptions.ConnectionError)
_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
)


def translate_errors(events: Any, *, on_silence: str, hint: str, when_denied: str = "") -> None:
    """Make every client of this session raise the project's errors in place of botocore's.

    ``hint`` is for a cloud that is silent, ``when_denied`` for one that refuses, in place of what is to be done on AWS.
    """

    def keep_parameters(params: Any, context: dict[str, Any], **_: Any) -> None:
        context["mglab_parameters"] = params

    def refused(http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        if http_response.status_code >= 300:
            error = translated(parsed, model.name, context.get("mglab_parameters") or {})
            if when_denied and isinstance(error, Denied):
                error.hint = when_denied
            raise error

    def unanswered(exception: Exception, **_: Any) -> None:
        error = _unavailable(exception, on_silence, hint)
        if error is not None:
            raise error from None

    events.register_first("before-parameter-build", keep_parameters)
    events.register_last("after-call", refused)
    events.register_last("after-call-error", unanswered)


def translated(parsed: Mapping[str, Any], operation: str, parameters: Mapping[str, Any]) -> AwsError:
    """Turn one refusal into an error of this project: code, operation and resource kept, a hint added."""
    refusal = parsed.get("Error", {})
    code = str(refusal.get("QueryErrorCode") or refusal.get("Code") or "Unknown")
    text = str(refusal.get("Message") or code)
    error = _kind(code, text)(
        f"{operation}: {text} ({code})",
        code=code,
        operation=operation,
        resource=_resource(text, parameters),
        hint=HINTS.get(code, ""),
    )
    return error


def _kind(code: str, text: str) -> type[AwsError]:
    if NOT_FOUND.search(code) or (code == "ValidationError" and "not found" in text):  # aws-facts 3.7, row 49
        return NotFound
    if code in DENIED:
        return Denied
    return Throttled if code in THROTTLED else AwsError


def _resource(text: str, parameters: Mapping[str, Any]) -> str:
    """Name what was refused: an id in AWS's sentence, else the first name or id that was asked for."""
    named = RESOURCE.search(text)
    if named:
        return named.group().rstrip(".,")
    asked = (value for name, value in parameters.items() if name.endswith(("Id", "Name", "Arn", "ARN")))
    return next((value for value in asked if isinstance(value, str)), "")


def _unavailable(exception: Exception, on_silence: str, hint: str) -> LabError | None:
    """Turn silence, babble or missing credentials into CloudUnavailable; anything else stays what it is."""
    if isinstance(exception, _NO_CREDENTIALS):
        return CloudUnavailable(f"no usable AWS credentials: {exception}", hint=GET_CREDENTIALS)
    if isinstance(exception, ResponseParserError):
        return CloudUnavailable(
            f"the answer is not AWS's language: {exception}", hint="run the cell again; see the cloud's log"
        )
    if isinstance(exception, _SILENCE):
        return CloudUnavailable(f"{on_silence}: {exception}", hint=hint)
    return None
