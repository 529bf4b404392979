# SPDX-License-Identifier: GPL-3.0-or-later
"""The built extension in a real Blender with its window open: clicks, typing, undo, and a true screenshot.

    python tests/window/run.py [--out FOLDER] [--strict]

It builds the zip, makes a Debian with Blender in a folder (once), plays ``scenario.py`` on a virtual screen and
judges what that saw. Exit status 0 when all is well, 1 when not. Where such a Debian cannot be made it says why and
ends with 0, or with ``--strict`` with 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import debian

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE = 900.0
LONGEST_GAP = 1.5
"""Seconds for which Blender may stand still; or three times as long as it does without us, on a busy machine,
since drawing in software takes the most of them."""


def main() -> int:
    """Run the whole test."""
    parser = argparse.ArgumentParser(description="Test the extension in Blender's window.")
    parser.add_argument("--out", type=Path, help="keep the screenshots, the log and the findings here")
    parser.add_argument("--strict", action="store_true", help="fail where the test cannot be run")
    options = parser.parse_args()
    try:
        root = debian.prepare()
    except debian.Unavailable as error:
        print(f"Skipped: {error}")
        return int(options.strict)
    with tempfile.TemporaryDirectory(prefix="dream-textures-window-") as temporary:
        out = options.out.resolve() if options.out else Path(temporary) / "out"
        out.mkdir(parents=True, exist_ok=True)
        for left_over in ("log", "orphans", "result.json"):
            (out / left_over).unlink(missing_ok=True)
        dist = Path(temporary) / "dist"
        subprocess.run(
            [sys.executable, str(ROOT / "build_addon.py"), "--out", str(dist)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (package,) = dist.glob("*.zip")
        status = debian.enter(
            root,
            ["sh", "/test/screen.sh", "--python", "/test/scenario.py", "--", f"/dist/{package.name}", "/out"],
            {"/test": HERE, "/addon": ROOT / "tests" / "addon", "/dist": dist, "/out": out},
            {"BLENDER_USER_RESOURCES": "/tmp/blender", "PYTHONDONTWRITEBYTECODE": "1"},
            PATIENCE,
        )
        return judge(status, out)


def judge(status: int, out: Path) -> int:
    """Print what was found; 0 when all of it is as it should be."""
    result = out / "result.json"
    log = (out / "log").read_text(errors="replace") if (out / "log").exists() else ""
    seen: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {"checks": [], "error": ""}
    wrong = [what for what, holds in seen["checks"] if not holds]
    if status == 124:
        wrong.append(f"Blender did not end within {PATIENCE:g} seconds")
    elif status:
        wrong.append(f"Blender ended with status {status}")
    if not result.exists():
        wrong.append("the scenario did not come to its end")
    if seen["error"]:
        wrong.append(seen["error"])
    if "Traceback" in log:
        wrong.append("there is a Traceback in the log")
    if (out / "orphans").exists() and (out / "orphans").read_text().strip():
        wrong.append("a generator outlived Blender")
    for name in ("gap_while_generating", "gap_while_delivering"):
        if seen.get(name, 0.0) > max(LONGEST_GAP, 3 * seen.get("gap_while_idle", 0.0)):
            wrong.append(f"{name}: Blender stood still for {seen[name]} s")
    for what, holds in seen["checks"]:
        print(f"{'ok    ' if holds else 'FAILED'} {what}")
    for name, value in seen.items():
        if name not in ("checks", "error"):
            print(f"       {name}: {value}")
    if wrong:
        print("\n".join(["", *wrong, "", "The end of Blender's log:", *log.splitlines()[-40:]]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
