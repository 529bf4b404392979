# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full: one sentence, and no half file that looks like a whole one."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.faults import ends

resource = pytest.importorskip("resource", reason="limits the size of files as Unix does")

PROGRAM = str(Path(sysconfig.get_path("scripts")) / "dream-textures")
LIMIT = 20_000


def test_a_full_disk_ends_in_a_sentence_and_leaves_no_half_file(tmp_path: Path) -> None:
    """What it can write is limited to 20 KB a file: a base colour of 256 x 256 takes more."""
    out = tmp_path / "out"
    done = subprocess.run(
        [PROGRAM, "generate", "mossy red brick wall", "--size", "256", "--seed", "7", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT)),
    )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("dream-textures: ")
    assert last.endswith(".")
    assert "Traceback" not in done.stderr
    assert not [path for path in out.rglob("*") if path.is_file() and path.stat().st_size >= LIMIT]
    assert not list(out.rglob("*.part"))
    ends("Disk", "A file cannot be written on the command line", "exit status 2, no half file", last)
