"""The images that are there before the lab begins.

AWS offers Amazon Linux 2023 to everybody; and the lab's user owns "the AMI you made in Project 2": the same
with the MusicGuru server in /home/ec2-user, a ``run.sh`` that starts it, and a per-boot script that runs
``run.sh``. It has no health check: adding that is the Preliminary. Every text in here works on Amazon Linux
as it stands (2023 has no cron; cloud-init runs what lies in ``scripts/per-boot`` on each boot).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mglab.errors import LabError
from mglab.localcloud.machines.images import build

FOLDERS = (
    *("etc", "home/ec2-user", "mnt", "opt", "root", "run", "srv", "tmp", "usr/local/bin", "usr/local/sbin"),
    *("var/log", "var/tmp", "var/lib/cloud/instances"),
    *("var/lib/cloud/scripts/per-boot", "var/lib/cloud/scripts/per-instance"),
)

FILES = {
    "etc/os-release": """\
NAME="Amazon Linux"
VERSION="2023"
ID="amzn"
ID_LIKE="fedora"
VERSION_ID="2023"
PRETTY_NAME="Amazon Linux 2023"
""",
    "etc/system-release": "Amazon Linux release 2023 (Amazon Linux)\n",
    "etc/hosts": "127.0.0.1   localhost localhost.localdomain\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/bash\n",
    "etc/image-id": 'image_name="al2023-ami"\nimage_version="2023"\nimage_arch="x86_64"\n',
}

SERVER_FILES = ("MusicGuruServer.py", "songs.csv")

RUN_SH = """\
#!/bin/sh
# Starts the MusicGuru server. Runs on each boot: /var/lib/cloud/scripts/per-boot/start-musicguru
here=$(cd "$(dirname "$0")" && pwd)
python3 "$here/MusicGuruServer.py" &
"""

START_MUSICGURU = """\
#!/bin/sh
# cloud-init runs this on each boot, as root.
exec sudo -u ec2-user /home/ec2-user/run.sh
"""


def seed(directory: Path, servers: Path, *, base_image_id: str, project2_image_id: str) -> None:
    """Put the two images under ``directory/images``; those that are there stay as they are."""
    missing = [name for name in SERVER_FILES if not (servers / name).is_file()]
    if missing:
        raise LabError(f"{servers} has no {', '.join(missing)}", hint="the image of Project 2 is made from servers/")
    images = directory / "images"
    images.mkdir(parents=True, exist_ok=True)
    if not (images / base_image_id).exists():
        build(images / base_image_id, amazon_linux)
    if not (images / project2_image_id).exists():
        build(images / project2_image_id, lambda root: project2(root, servers))


def amazon_linux(root: Path) -> None:
    """Lay out what the lab touches of Amazon Linux 2023, with an empty home."""
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    for name, text in FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    os.symlink("../run", root / "var/run")


def project2(root: Path, servers: Path) -> None:
    """Lay out the image of Project 2: Amazon Linux, the server, and what starts it."""
    amazon_linux(root)
    home = root / "home/ec2-user"
    for name in SERVER_FILES:
        shutil.copyfile(servers / name, home / name)
    _program(home / "run.sh", RUN_SH)
    _program(root / "var/lib/cloud/scripts/per-boot/start-musicguru", START_MUSICGURU)


def _program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
