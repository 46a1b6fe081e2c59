"""An instance is real processes: it boots, answers, reboots, and nothing of it is left behind."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from mglab.localcloud.machines.images import copy_tree
from mglab.localcloud.machines.process import ProcessDriver
from mglab.localcloud.seam import MachineSpec
from tests.local.machinery import ask, console, echo_image, left_of, next_block, script, spec, until

ESCAPES = """\
#!/bin/sh
setsid sleep 600 &
nohup sleep 601 >/dev/null 2>&1 &
(setsid sh -c 'setsid sleep 602 & exit' &)
trap '' TERM HUP INT
sh -c "trap '' TERM; while :; do sleep 603; done" &
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[ProcessDriver]:
    driver = ProcessDriver(tmp_path, tmp_path / "resolver")
    echo_image(tmp_path)
    yield driver
    driver.close()
    assert left_of(f"{driver.cloud.token}-*") == []


@pytest.fixture
def block() -> int:
    return next_block()


def tree_of(driver: ProcessDriver, machine: MachineSpec) -> Path:
    tree = driver.cloud.tree(machine.instance_id)
    if not tree.exists():
        tree.parent.mkdir(exist_ok=True)
        copy_tree(driver.cloud.directory / "images/ami-echo", tree)
    return tree


def booted(driver: ProcessDriver, machine: MachineSpec) -> Path:
    tree = tree_of(driver, machine)
    driver.boot(machine)
    until(lambda: "login:" in console(driver.cloud.directory, machine.instance_id), "the boot sequence ends")
    return tree


def test_an_instance_answers_on_its_loopback_address_and_reports_its_private_one(
    driver: ProcessDriver, block: int
) -> None:
    machine = spec(57, block)
    booted(driver, machine)
    until(lambda: ask(machine.loopback_address), "the service answers")
    assert ask(machine.loopback_address, "2004") == "2004 from 192.168.0.57 (ip-192-168-0-57) to 127.0.0.1"


def test_two_instances_listen_on_the_same_port_at_once(driver: ProcessDriver, block: int) -> None:
    one, two = spec(11, block), spec(12, block)
    booted(driver, one)
    booted(driver, two)
    until(lambda: "192.168.0.11" in ask(one.loopback_address), "the first answers")
    until(lambda: "192.168.0.12" in ask(two.loopback_address), "the second answers")


def test_a_reboot_runs_per_boot_scripts_again_and_user_data_not(driver: ProcessDriver, block: int) -> None:
    user_data = b"#!/bin/bash\necho first >> /var/log/marks\n"
    machine = spec(21, block, user_data=user_data)
    tree = tree_of(driver, machine)
    script(tree / "var/lib/cloud/scripts/per-boot/mark", "#!/bin/sh\necho each >> /var/log/marks\n")
    marks = tree / "var/log/marks"
    booted(driver, machine)
    assert marks.read_text().split() == ["each", "first"]
    until(lambda: ask(machine.loopback_address), "the service answers")
    driver.halt(machine.instance_id)
    assert ask(machine.loopback_address) == ""
    driver.boot(spec(21, block, user_data=user_data, boots=2))
    until(lambda: marks.read_text().split() == ["each", "first", "each"], "the second boot marks once")
    until(lambda: ask(machine.loopback_address), "the service answers at once, though connections linger")


def test_an_image_of_an_instance_runs_the_user_data_of_the_new_one(driver: ProcessDriver, block: int) -> None:
    old, new = (spec(n, block, user_data=f"#!/bin/sh\necho {n} >> /opt/mark\n".encode()) for n in (31, 32))
    tree = booted(driver, old)
    driver.halt(old.instance_id)
    copy_tree(tree, driver.cloud.tree(new.instance_id))
    assert (booted(driver, new) / "opt/mark").read_text().split() == ["31", "32"]


def test_absolute_paths_land_in_the_tree_and_the_texts_stay_as_written(driver: ProcessDriver, block: int) -> None:
    unlikely = f"mglab-test-{os.getpid()}"
    cloud_config = f"""\
#cloud-config
write_files:
  - path: /opt/{unlikely}/run.sh
    permissions: '0755'
    content: |
      #!/bin/bash
      cd /opt/{unlikely}
      echo "ran in $(basename "$PWD")" > /var/tmp/{unlikely}
      ./second.sh
  - path: /opt/{unlikely}/second.sh
    permissions: '0755'
    content: |
      #!/bin/sh
      . /opt/{unlikely}/names
      [ -f /etc/os-release ] && echo "$name" >> /tmp/{unlikely}
      echo "python3 /home/ec2-user/HealthCheck.py &" >> /home/ec2-user/run.sh
  - path: /opt/{unlikely}/names
    content: name=second
runcmd:
  - /opt/{unlikely}/run.sh
  - [touch, "/srv/{unlikely} two"]
  - su - ec2-user -c 'pwd > ~/home; echo $USER >> /home/ec2-user/home'
"""
    machine = spec(41, block, user_data=cloud_config.encode())
    tree = booted(driver, machine)
    assert (tree / f"var/tmp/{unlikely}").read_text() == f"ran in {unlikely}\n"
    assert (tree / f"tmp/{unlikely}").read_text() == "second\n"
    assert (tree / f"srv/{unlikely} two").exists()
    assert (tree / "home/ec2-user/home").read_text().split() == [f"{tree}/home/ec2-user", "ec2-user"]
    assert (tree / "home/ec2-user/run.sh").read_text().endswith("\npython3 /home/ec2-user/HealthCheck.py &\n")
    assert f"cd /opt/{unlikely}\n" in (tree / f"opt/{unlikely}/run.sh").read_text()
    for folder in ("/opt", "/var/tmp", "/tmp", "/srv"):
        assert not [name for name in os.listdir(folder) if name.startswith(unlikely)]


def test_what_user_data_gets_wrong_is_said_on_the_console(driver: ProcessDriver, block: int) -> None:
    booted(driver, spec(51, block, user_data=b"#cloud-config\nruncmd: [\n"))
    booted(driver, spec(52, block, user_data=b"#!/bin/sh\nexit 3\n"))
    booted(driver, spec(53, block, user_data=b"#!/bin/sh\r\necho hello\r\n"))
    booted(driver, spec(54, block, user_data=b"#!/bin/sh\nyum install -y httpd\n"))
    said = [console(driver.cloud.directory, spec(n, block).instance_id) for n in (51, 52, 53, 54)]
    assert "Failed loading yaml blob" in said[0]
    assert "scripts/part-001: exit status 3" in said[1]
    assert "scripts/part-001: No such file or directory" in said[2]
    assert "yum: not available on the local cloud" in said[3]


def test_pkill_ends_the_instances_own_programs_only(driver: ProcessDriver, block: int) -> None:
    one, two = spec(61, block, user_data=b"#!/bin/sh\npkill -f 'python3 echo.py'\n"), spec(62, block)
    booted(driver, two)
    until(lambda: ask(two.loopback_address), "the other answers")
    booted(driver, one)
    until(lambda: not ask(one.loopback_address), "its own server is gone")
    assert ask(two.loopback_address)


def test_reboot_and_poweroff_said_inside(driver: ProcessDriver, block: int) -> None:
    machine = spec(71, block)
    tree = tree_of(driver, machine)
    restarts = "#!/bin/sh\necho x >> /var/log/boots\n[ $(wc -l < /var/log/boots) -lt 2 ] && reboot || poweroff\n"
    script(tree / "var/lib/cloud/scripts/per-boot/again", restarts)
    driver.boot(machine)
    until(lambda: driver.exit_status(machine.instance_id) == 0, "it powers off")
    assert (tree / "var/log/boots").read_text() == "x\nx\n"


def test_cpu_time_rises_with_work_finished_children_included_and_never_falls(driver: ProcessDriver, block: int) -> None:
    machine = spec(81, block)
    work = "#!/bin/sh\nfor i in 1 2 3 4; do python3 -c 'sum(range(2_000_000))'; done\ntouch /tmp/done\n"
    tree = tree_of(driver, machine)
    script(tree / "var/lib/cloud/scripts/per-boot/work", work)
    driver.boot(machine)
    readings: list[int] = []

    def look() -> bool:
        readings.append(driver.measure()[machine.instance_id].cpu_ns)
        return (tree / "tmp/done").exists()

    until(look, "the work is done")
    assert readings == sorted(readings)
    assert readings[-1] > 50_000_000
    assert len({reading % 10_000_000 for reading in readings}) > 2, "finer than ticks of 10 ms"
    driver.halt(machine.instance_id)
    driver.boot(spec(81, block, boots=2))
    assert driver.measure()[machine.instance_id].cpu_ns >= readings[-1]


def test_halting_leaves_nothing_of_what_tries_to_get_away(driver: ProcessDriver, block: int) -> None:
    machine = spec(91, block, user_data=ESCAPES.encode())
    booted(driver, machine)
    token = driver.cloud.token_of(machine.instance_id)
    until(lambda: len(left_of(token)) >= 5, "everything runs")
    driver.halt(machine.instance_id)
    assert left_of(token) == []


def test_killing_an_init_leaves_nothing_behind(driver: ProcessDriver, block: int) -> None:
    machine = spec(101, block, user_data=ESCAPES.encode())
    booted(driver, machine)
    token = driver.cloud.token_of(machine.instance_id)
    until(lambda: len(left_of(token)) >= 5, "everything runs")
    driver.measure()
    os.kill(int((driver.cloud.side(machine.instance_id) / "pid").read_text()), signal.SIGKILL)
    until(lambda: driver.exit_status(machine.instance_id) == -signal.SIGKILL, "it is seen")
    driver.halt(machine.instance_id)
    assert left_of(token) == []


def test_what_somebody_who_logs_in_starts_belongs_to_the_instance(driver: ProcessDriver, block: int) -> None:
    machine = spec(105, block)
    booted(driver, machine)
    before = driver.measure()[machine.instance_id].cpu_ns
    assert logged_in(driver, machine, "python3 -c 'sum(range(3_000_000))'; exit 9") == b"9"
    assert driver.measure()[machine.instance_id].cpu_ns > before + 20_000_000, "its CPU time counts"
    assert logged_in(driver, machine, "kill -KILL $$") == b"-9"
    assert logged_in(driver, machine, "setsid sleep 604 >/dev/null 2>&1 &") == b"0"
    driver.halt(machine.instance_id)
    assert left_of(driver.cloud.token_of(machine.instance_id)) == []
    with pytest.raises(OSError, match="is not running"):
        driver.start_session(machine.instance_id, b"{}", ())


def logged_in(driver: ProcessDriver, machine: MachineSpec, command: str) -> bytes:
    """Run a command as the SSH server would; give the exit status that its init tells."""
    asked = {"user": "ec2-user", "command": command, "on_terminal": False, "variables": {}}
    status, told = os.pipe()
    with open(os.devnull, "r+b") as nothing, os.fdopen(status, "rb") as answer:
        streams = [nothing.fileno()] * 3
        driver.start_session(machine.instance_id, json.dumps(asked).encode(), [*streams, told])
        os.close(told)
        return answer.read()


def test_each_instance_has_a_host_key_of_its_own_for_life(driver: ProcessDriver, block: int) -> None:
    old, new = spec(106, block, public_key="ssh-ed25519 AAAA one"), spec(107, block, public_key="ssh-ed25519 BBBB two")
    tree = booted(driver, old)
    host_key = (tree / "etc/ssh/ssh_host_ed25519_key").read_bytes()
    assert (tree / "etc/ssh/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    driver.halt(old.instance_id)
    driver.boot(dataclasses.replace(old, boots=2))
    assert (tree / "etc/ssh/ssh_host_ed25519_key").read_bytes() == host_key
    driver.halt(old.instance_id)
    copy_tree(tree, driver.cloud.tree(new.instance_id))
    copy = booted(driver, new)
    assert (copy / "etc/ssh/ssh_host_ed25519_key").read_bytes() != host_key
    assert (copy / "home/ec2-user/.ssh/authorized_keys").read_text() == "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n"


HOLDER = """\
import sys
from pathlib import Path
from mglab.localcloud.machines.process import ProcessDriver
from tests.local.machinery import spec
driver = ProcessDriver(Path(sys.argv[1]), Path(sys.argv[1]) / "resolver")
for number in (111, 112):
    driver.boot(spec(number, int(sys.argv[2]), user_data=Path(sys.argv[3]).read_bytes()))
print(driver.cloud.token, flush=True)
sys.stdin.read()
"""


def test_killing_the_data_plane_leaves_nothing_behind(driver: ProcessDriver, block: int, tmp_path: Path) -> None:
    other = tmp_path / "other cloud"
    escapes = tmp_path / "escapes"
    escapes.write_text(ESCAPES)
    (other / "instances").mkdir(parents=True)
    for number in (111, 112):
        copy_tree(tmp_path / "images/ami-echo", other / "instances" / spec(number, block).instance_id)
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(other), str(block), str(escapes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    with holder:
        assert holder.stdout is not None
        token = holder.stdout.readline().strip()
        for number in (111, 112):
            machine_id = spec(number, block).instance_id
            until(lambda: "login:" in console(other, machine_id), "the boot sequence ends")  # noqa: B023
        until(lambda: len(left_of(f"{token}-*")) >= 10, "everything runs")
        holder.kill()
    until(lambda: left_of(f"{token}-*") == [], "nothing is left", bound_s=10)
