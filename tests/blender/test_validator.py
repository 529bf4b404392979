# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's own validator, a program that needs no Blender, accepts the built zip."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_blenders_own_validator_accepts_the_zip(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "build_addon.py"), "--out", str(tmp_path)], check=True)
    (built,) = tmp_path.glob("dream_textures_addon-*.zip")
    blender = importlib.util.find_spec("bpy")
    assert blender is not None
    assert blender.origin is not None
    (scripts,) = Path(blender.origin).parent.glob("[0-9].[0-9]/scripts")
    tool = scripts / "addons_core/bl_pkg/cli/blender_ext.py"
    tags = scripts / "modules/_bpy_internal/extensions/tags.py"
    done = subprocess.run(
        [sys.executable, "-I", str(tool), "validate", str(built), "--valid-tags", str(tags)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Success" in done.stdout
