"""What each button asks AWS for, as the lab sheet says, without a cloud."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import botocore.session
import botocore.validate
import pytest
import yaml

from mglab.config import RUN_TAG, Config
from mglab.errors import CheckFailed, UsageError
from mglab.steps import (
    balancing,
    ensure,
    images,
    instances,
    inventory,
    monitoring,
    network,
    probing,
    scaling,
    security,
    teardown,
    templates,
    userdata,
)

CONFIG, RUN = Config(), "trial"
TEMPLATE = templates.LaunchTemplate(
    "MGLaunch", "lt-1", 1, 1, "ami-1", "t2.micro", "MusicGuruKey", "sg-1", public_address=True,
    delete_on_termination=True,
)  # fmt: skip


def subnet(name: str, zone: str) -> network.Subnet:
    return network.Subnet(name, "subnet-1", "available", "vpc-1", "192.168.0.0/24", zone, "use1-az1", 251)


REQUESTS = {
    "ec2.CreateVpc": network.vpc_request(CONFIG, RUN),
    "ec2.CreateSubnet": network.subnet_request(CONFIG, RUN, "vpc-1", 2, "us-east-1b"),
    "ec2.CreateInternetGateway": network.gateway_request(CONFIG, RUN),
    "ec2.CreateRoute": network.default_route_request("rtb-1", "igw-1"),
    "ec2.CreateSecurityGroup": security.security_group_request("MusicGuruSG", RUN, "vpc-1"),
    "ec2.AuthorizeSecurityGroupIngress": security.rule_request("sg-1", 5000, "0.0.0.0/0", "service"),
    "ec2.CreateKeyPair": security.key_pair_request(CONFIG, RUN),
    "ec2.RunInstances first": images.first_server_request(
        CONFIG, RUN, image_id="ami-1", user_data="#cloud-config\n", subnet_id="subnet-1", group_id="sg-1"
    ),
    "ec2.CreateImage": images.image_request(CONFIG, RUN, "i-1"),
    "ec2.CreateLaunchTemplate": templates.launch_template_request(CONFIG, RUN, "ami-1", "sg-1"),
    "ec2.RunInstances": templates.test_launch_request(CONFIG, RUN, TEMPLATE, subnet("public 1", "us-east-1a")),
    "elbv2.CreateTargetGroup": balancing.target_group_request(CONFIG, RUN, "vpc-1"),
    "elbv2.CreateLoadBalancer": balancing.load_balancer_request(CONFIG, RUN, ["subnet-1", "subnet-2"]),
    "elbv2.CreateListener": balancing.listener_request(CONFIG, RUN, "arn:lb", "arn:tg"),
    "autoscaling.CreateAutoScalingGroup": scaling.group_request(
        CONFIG, RUN, template_id="lt-1", subnet_ids=["subnet-1", "subnet-2"], target_group_arn="arn:tg"
    ),
    "autoscaling.EnableMetricsCollection": scaling.metrics_request(CONFIG),
    "autoscaling.PutScalingPolicy": scaling.target_tracking_request(CONFIG),
}


@pytest.mark.parametrize("call", REQUESTS)
def test_every_request_is_one_that_aws_knows(call: str) -> None:
    service, operation = call.split()[0].split(".")
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    report = botocore.validate.ParamValidator().validate(REQUESTS[call], model.input_shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("call", [call for call in REQUESTS if ".Create" in call and "Route" not in call])
def test_everything_made_carries_the_run(call: str) -> None:
    request = REQUESTS[call]
    pairs = [pair for spec in request.get("TagSpecifications", []) for pair in spec["Tags"]] or request["Tags"]
    assert ensure.tag(pairs, RUN_TAG) == RUN
    assert ensure.tag(pairs, "Name")


def test_5_the_second_subnet_is_the_second_half() -> None:
    assert REQUESTS["ec2.CreateSubnet"]["CidrBlock"] == "192.168.1.0/24"


def test_5_two_subnets_in_one_zone_are_refused() -> None:
    pair = ensure.Records((subnet("public 1", "us-east-1a"), subnet("public 2", "us-east-1a")))
    with pytest.raises(CheckFailed, match="share the zone us-east-1a"):
        network.require_different_zones(pair)


def test_35_the_security_group_is_in_the_interface_and_no_subnet_is() -> None:
    data = REQUESTS["ec2.CreateLaunchTemplate"]["LaunchTemplateData"]
    assert "SecurityGroupIds" not in data
    assert data["NetworkInterfaces"] == [
        {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "DeleteOnTermination": True, "Groups": ["sg-1"]}
    ]


def test_46_the_health_check_is_tcp_on_its_own_port() -> None:
    request = REQUESTS["elbv2.CreateTargetGroup"]
    assert (request["Protocol"], request["Port"]) == ("TCP", 5000)
    assert (request["HealthCheckProtocol"], request["HealthCheckPort"]) == ("TCP", "5001")


def test_51_the_load_balancer_is_a_network_one() -> None:
    assert REQUESTS["elbv2.CreateLoadBalancer"]["Type"] == "network"


def test_question_1_cross_zone_is_an_attribute_of_the_load_balancer() -> None:
    on, off = balancing.cross_zone_attribute(True), balancing.cross_zone_attribute(False)
    assert on == {"Key": "load_balancing.cross_zone.enabled", "Value": "true"} and off["Value"] == "false"


def test_69_no_additional_health_checks_and_72_the_sizes() -> None:
    request = REQUESTS["autoscaling.CreateAutoScalingGroup"]
    assert request["HealthCheckType"] == "EC2"
    assert (request["MinSize"], request["MaxSize"], request["DesiredCapacity"]) == (2, 3, 2)
    assert request["LaunchTemplate"]["Version"] == "$Latest"
    assert all(pair["PropagateAtLaunch"] for pair in request["Tags"])


def test_85_states_are_counted_in_words() -> None:
    assert instances.summary(["healthy", "initial", "healthy"]) == "2 healthy, 1 initial"
    assert instances.summary([]) == ""


def test_what_is_not_ours_is_refused() -> None:
    class Lab:
        run = RUN

    theirs = [{"Key": RUN_TAG, "Value": "other"}]
    with pytest.raises(UsageError, match="made by run 'other'"):
        ensure.refuse_foreign(Lab(), "load balancer", "MGLB", theirs, "load_balancer_name")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="outside this workbook"):
        ensure.refuse_foreign(Lab(), "load balancer", "MGLB", [], "load_balancer_name")  # type: ignore[arg-type]


# -- the Preliminary ----------------------------------------------------------------------------------------

HEALTH_CHECK = 'while True:\n    connection, _ = listener.accept()\n    connection.close()  # "bye" \\o/\n'


def test_user_data_is_yaml_that_brings_the_files_unchanged() -> None:
    text = userdata.health_check_config(HEALTH_CHECK)
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    files = {it["path"]: it["content"] for it in config["write_files"]}
    assert files["/home/ec2-user/HealthCheck.py"] == HEALTH_CHECK
    assert files["/home/ec2-user/add-health-check.sh"] == userdata.ADD_HEALTH_CHECK
    assert config["runcmd"] == [["sh", "/home/ec2-user/add-health-check.sh"]]


def test_user_data_keeps_to_aws_limit() -> None:
    with pytest.raises(UsageError, match="16384"):
        userdata.health_check_config("#" * 17_000 + "\n")


RUN_SCRIPTS = {
    "plain": "#!/bin/sh\n# mine\npython3 MusicGuruServer.py &\n",
    "foreground": "#!/bin/bash\n\npython3 MusicGuruServer.py\nexit 0\n",
    "no newline": "#!/bin/sh\npython3 MusicGuruServer.py &",
    "no header": "python3 MusicGuruServer.py &\nwait\n",
    "empty": "#!/bin/sh\n",
}


@pytest.mark.parametrize("before", RUN_SCRIPTS.values(), ids=list(RUN_SCRIPTS))
def test_the_health_check_is_started_whatever_run_sh_looks_like(tmp_path: Path, before: str) -> None:
    (tmp_path / "run.sh").write_text(before)
    shown = add_health_check(tmp_path)
    after = (tmp_path / "run.sh").read_text()
    commands = [line for line in after.splitlines() if line.strip() and not line.startswith("#")]
    assert "HealthCheck.py" in commands[0] and commands[0].endswith("&")
    assert set(before.splitlines()) <= set(after.splitlines())
    assert (tmp_path / "run.sh.before").read_text() == before
    assert "run.sh before:" in shown and "run.sh after:" in shown


def test_a_run_sh_with_a_start_function_is_asked_to_start_one_more(tmp_path: Path) -> None:
    before = 'start() { echo "starting $1"; }\n\nstart MusicGuruServer\n'
    (tmp_path / "run.sh").write_text(before)
    add_health_check(tmp_path)
    assert (tmp_path / "run.sh").read_text() == before + "start HealthCheck\n"


def test_adding_the_health_check_twice_adds_it_once(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(RUN_SCRIPTS["plain"])
    add_health_check(tmp_path)
    once = (tmp_path / "run.sh").read_text()
    add_health_check(tmp_path)
    assert (tmp_path / "run.sh").read_text() == once
    assert once.count("HealthCheck.py") == 1


def test_run_sh_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text(RUN_SCRIPTS["plain"])
    (tmp_path / "run.sh").chmod(0o755)
    add_health_check(tmp_path)
    assert (tmp_path / "run.sh").stat().st_mode & 0o777 == 0o755


def test_an_image_without_run_sh_says_so(tmp_path: Path) -> None:
    assert "there is no run.sh" in add_health_check(tmp_path, code=1)


def add_health_check(folder: Path, code: int = 0) -> str:
    """Run the script as the first boot would, from another folder."""
    (folder / userdata.SCRIPT_NAME).write_text(userdata.ADD_HEALTH_CHECK)
    (folder / "HealthCheck.py").write_text(HEALTH_CHECK)
    done = subprocess.run(
        ["sh", str(folder / userdata.SCRIPT_NAME)], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_the_newest_available_image_is_chosen() -> None:
    def answer(name: str, created: str, state: str = "available") -> dict[str, str]:
        return {"Name": name, "ImageId": f"ami-{name}", "State": state, "CreationDate": created}

    found = images.newest(
        [answer("old", "2023-01-01"), answer("new", "2024-01-01"), answer("pending", "2025-01-01", "pending")]
    )
    assert found is not None and found.name == "new"
    assert images.newest([]) is None


def test_a_transcript_reads_as_telnet() -> None:
    shown = probing._transcript("44.204.116.160", 5001, "44.204.116.160", "closed by the server")
    assert str(shown).splitlines()[1:] == [
        "Trying 44.204.116.160...",
        "Connected to 44.204.116.160.",
        "Escape character is '^]'.",
        "Connection closed by foreign host.",
    ]


# -- monitoring and teardown ----------------------------------------------------------------------------------


def test_dimensions_are_the_ends_of_the_arns() -> None:
    prefix = "arn:aws:elasticloadbalancing:us-east-1:1:"
    assert monitoring.dimension_of(f"{prefix}loadbalancer/net/MGLB/fea3") == "net/MGLB/fea3"
    assert monitoring.dimension_of(f"{prefix}targetgroup/MGTG/bc50") == "targetgroup/MGTG/bc50"


def test_87_hosts_are_read_with_the_target_group_and_the_right_statistic() -> None:
    lines = monitoring.target_group_lines("net/MGLB/1", "targetgroup/MGTG/2", ["us-east-1a", "us-east-1b"])
    assert [line.label for line in lines[:3]] == [
        "Healthy hosts", "Healthy hosts (us-east-1a)", "Healthy hosts (us-east-1b)",
    ]  # fmt: skip
    assert {(line.name, line.statistic) for line in lines} == {
        ("HealthyHostCount", "Maximum"), ("UnHealthyHostCount", "Minimum"),
    }  # fmt: skip
    assert all("TargetGroup" in dict(line.dimensions) for line in lines)


def test_88_traffic_is_read_by_load_balancer_alone() -> None:
    lines = monitoring.load_balancer_lines("net/MGLB/1", ["us-east-1a"])
    by_zone = [line for line in lines if len(line.dimensions) > 1]
    assert [(line.name, dict(line.dimensions)["AvailabilityZone"]) for line in by_zone] == [
        ("ZonalHealthStatus", "us-east-1a"),
    ]  # fmt: skip
    assert all(dict(line.dimensions)["LoadBalancer"] == "net/MGLB/1" for line in lines)
    assert {line.name for line in lines if line.unit == "Bytes"} == {"ProcessedBytes", "PeakBytesPerSecond"}
    query = monitoring.metric_query(3, lines[0])
    assert (query["Id"], query["MetricStat"]["Stat"], query["MetricStat"]["Period"]) == ("m3", "Sum", 60)


def test_activities_say_how_long_they_took() -> None:
    start = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    answer = {
        "StartTime": start, "EndTime": start.replace(minute=5, second=4), "StatusCode": "Successful", "Cause": "At ...",
        "Description": "Terminating EC2 instance: i-1", "Progress": 100, "ActivityId": "a",
    }  # fmt: skip
    assert scaling._read_activity(answer).seconds == 304
    running = {name: value for name, value in answer.items() if name != "EndTime"}
    assert scaling._read_activity(running).seconds is None


def test_99_things_are_removed_in_the_order_that_works() -> None:
    kinds = ["vpc", "subnet", "key-pair", "auto-scaling-group", "snapshot", "image", "load-balancer", "instance"]
    found = [inventory.Found(what, "x", f"{what}-1", "", RUN) for what in kinds]
    assert [it.what for it in teardown.plan(found)] == [
        "auto-scaling-group", "load-balancer", "instance", "subnet", "vpc", "image", "snapshot", "key-pair",
    ]  # fmt: skip


def test_99_every_kind_that_is_listed_can_be_removed() -> None:
    assert set(teardown.REMOVERS) == set(inventory.LISTINGS)
    assert set(teardown.LINGERING) <= set(inventory.LISTINGS)
