# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the spool share: jobs, results, and the folders that dead Blenders leave."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dream_textures_addon.spool import Spool, SpoolLimits
from dream_textures_addon.spool_entry import SpoolEntry
from dream_textures_addon.wire import protocol

REPOSITORY = Path(__file__).resolve().parents[2]
PIXELS = protocol.Array("uint8", (2, 4, 3), bytes(range(24)))
SOURCE = protocol.ImageRef(hashlib.sha256(PIXELS.data).hexdigest(), 4, 2, "wall.png")
REQUEST = protocol.Request(
    prompt="mossy “red” brick \U0001f9f1", seed=2**60, count=2, maps=("basecolor", "height"), source=SOURCE
)
PLAN = {"kind": "material", "words": "brick", "nested": {"scale": 2.5, "list": [1, None, True]}}
UNLIMITED = SpoolLimits(free=0)


def entry(**changes: Any) -> SpoolEntry:
    """A job as it is kept."""
    values = {
        "id": uuid.uuid4().hex,
        "request": REQUEST,
        "plan": PLAN,
        "added": 1.5,
        "blend": "/a/wall.blend",
    }
    return SpoolEntry(**{**values, **changes})


def result(
    job: str, index: int = 0, name: str = "basecolor", side: int = 8, level: int = 7
) -> protocol.Result:
    """One map of a job."""
    image = protocol.Array("uint8", (side, side, 3), bytes([level]) * (side * side * 3))
    seams = {"x": {"tiles": True, "ratio": 1.25}}
    return protocol.Result(job, index, 7, name, seams, REQUEST.for_image(index).to_json(), 0.03, image)


def next_start(spool: Spool) -> Spool:
    """The spool of the Blender that starts after this one has ended."""
    spool.close()
    return Spool(spool.root, UNLIMITED)


@contextlib.contextmanager
def abandoned(root: Path) -> Iterator[Path]:
    """The folder of a Blender that is no more."""
    owner = root / uuid.uuid4().hex
    owner.mkdir(parents=True)
    yield owner
    (owner / "lock").touch()


def write_entry(folder: Path, text: str | bytes) -> Path:
    """A job's folder with this in its file."""
    folder.mkdir()
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "job.json").write_bytes(data)
    return folder
