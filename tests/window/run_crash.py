# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender that is killed, one that takes up its jobs, one that was closed in mid-run, each in a real window.

    python tests/window/run_crash.py [--out FOLDER] [--strict]

As ``run.py``, with ``crash_scenario.py``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import debian

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE = 900.0
ACTS = {"crash": 137, "recover": 0, "reopen": 0}
"""The acts in their order, and the status that Blender must end with; 137 is a kill."""


def main() -> int:
    """Play all acts in the same user's folder."""
    parser = argparse.ArgumentParser(description="Test what survives a crash of Blender, in its window.")
    parser.add_argument("--out", type=Path, help="keep the screenshots, the log and the findings here")
    parser.add_argument("--strict", action="store_true", help="fail where the test cannot be run")
    options = parser.parse_args()
    try:
        root = debian.prepare()
    except debian.Unavailable as error:
        print(f"Skipped: {error}")
        return int(options.strict)
    with tempfile.TemporaryDirectory(prefix="dream-textures-crash-") as temporary:
        out = options.out.resolve() if options.out else Path(temporary) / "out"
        user, dist = Path(temporary) / "user", Path(temporary) / "dist"
        out.mkdir(parents=True, exist_ok=True)
        user.mkdir()
        build = [sys.executable, str(ROOT / "build_addon.py"), "--out", str(dist)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        (package,) = dist.glob("*.zip")
        folders = {"/test": HERE, "/dist": dist, "/out": out, "/user": user}
        environment = {"BLENDER_USER_RESOURCES": "/user", "PYTHONDONTWRITEBYTECODE": "1"}
        return max(play(act, root, package.name, out, folders, environment) for act in ACTS)


def play(
    act: str, root: Path, package: str, out: Path, folders: dict[str, Path], environment: dict[str, str]
) -> int:
    """One Blender; 0 when all is as it should be."""
    for left_over in ("log", "orphans", f"{act}.json"):
        (out / left_over).unlink(missing_ok=True)
    script = [
        "sh",
        "/test/screen.sh",
        "--python",
        "/test/crash_scenario.py",
        "--",
        act,
        f"/dist/{package}",
        "/out",
    ]
    status = debian.enter(root, script, folders, environment, PATIENCE)
    log = (out / "log").read_text(errors="replace") if (out / "log").exists() else ""
    result = out / f"{act}.json"
    seen = json.loads(result.read_text()) if result.exists() else {"checks": [], "error": "It was cut short."}
    wrong = [what for what, holds in seen["checks"] if not holds]
    if status != ACTS[act]:
        wrong.append(f"Blender ended with status {status}, not {ACTS[act]}")
    if seen["error"]:
        wrong.append(seen["error"])
    if "Traceback" in log:
        wrong.append("there is a Traceback in the log")
    if (out / "orphans").exists() and (out / "orphans").read_text().strip():
        wrong.append("a generator outlived Blender")
    for what, holds in seen["checks"]:
        print(f"{'ok    ' if holds else 'FAILED'} {act}: {what}", flush=True)
    if wrong:
        print("\n".join(["", *wrong, "", "The end of Blender's log:", *log.splitlines()[-40:]]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
