"""The folio's PDF against ``jupyter nbconvert --to webpdf``: the same executed notebooks, in one run.

The peer prints each notebook by a browser; it needs ``pip install "nbconvert[webpdf]"`` and a Chromium, playwright's
own or the system's. What it makes is thirteen PDFs without contents, links or evidence lists; what it costs is
compared all the same, for it is what one would use instead.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from mglab.bench.rounds import Contestant

SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PEER = "nbconvert --to webpdf"


def contestants(run_folder: Path, scratch: Path) -> list[Contestant]:
    """Give our command and, where it can run here, the peer's."""
    notebooks = sorted(str(path) for path in (run_folder / "notebooks").glob("*.ipynb"))
    ours = (sys.executable, "-m", "mglab", "pdf", "--run", run_folder.name, "--out", str(scratch / "folio.pdf"))
    found = [Contestant("mglab pdf", ours)]
    if not missing():
        peer = (
            sys.executable, "-m", "nbconvert", "--to", "webpdf", "--disable-chromium-sandbox", "--output-dir",
            str(scratch / "webpdf"), *notebooks,
        )  # fmt: skip
        found.append(Contestant(PEER, peer, _browsers(scratch)))
    return found


def missing() -> str:
    """Say why the peer cannot run here; empty when it can."""
    if importlib.util.find_spec("playwright") is None:
        return f'{PEER} is not installed: pip install "nbconvert[webpdf]"'
    if not (_own_browser() or _system_browser()):
        return f"{PEER} has no Chromium: playwright install chromium, or the system's (apt install chromium)"
    return ""


def _own_browser() -> bool:
    return Path(_playwright_path()).exists()


def _playwright_path() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return str(playwright.chromium.executable_path)


def _system_browser() -> str:
    return next((found for name in SYSTEM_BROWSERS if (found := shutil.which(name))), "")


def _browsers(scratch: Path) -> dict[str, str]:
    """Show playwright the system's Chromium where it looks for its own, if it has none."""
    if _own_browser():
        return {}
    own = Path(_playwright_path())  # .../chromium-1255/chrome-linux64/chrome
    revision = own.parents[1].name.partition("-")[2]
    shell = "chrome-headless-shell"
    for place in (
        f"{own.parents[1].name}/{own.parent.name}/{own.name}",
        f"chromium_headless_shell-{revision}/{shell}-linux64/{shell}",
    ):
        link = scratch / "browsers" / place
        link.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(_system_browser(), link)
    return {"PLAYWRIGHT_BROWSERS_PATH": str(scratch / "browsers")}
