# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on disk: what was written is read again, whenever the writer died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dream_textures_addon.spool import Spool, SpoolFullError, SpoolLimits
from dream_textures_addon.spool_entry import Stage
from dream_textures_addon.wire import protocol
from tests.faults import ends

from .spooling import PIXELS, REPOSITORY, UNLIMITED, abandoned, entry, next_start, result, write_entry


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool."""
    made = Spool(tmp_path / "jobs", UNLIMITED)
    yield made
    made.close()


def test_a_job_comes_back_as_it_was(spool: Spool) -> None:
    kept = entry(stage=Stage.RUNNING, tries=3, version="1.2.3", failure="It rained.")
    spool.put(kept, PIXELS)
    results = [result(kept.id, index, name) for index in (0, 1) for name in ("basecolor", "height")]
    for item in results:
        spool.add_result(item)
    later = next_start(spool)
    left = later.adopt()
    assert left.entries == [kept]
    assert left.arrived[kept.id] == {(0, "basecolor"), (0, "height"), (1, "basecolor"), (1, "height")}
    assert later.results(kept) == results
    assert later.results(kept, ("height",)) == results[1::2]
    source = later.source(kept)
    assert source is not None
    assert (source.shape, bytes(source.data)) == (PIXELS.shape, PIXELS.data)
    assert later.source(entry(request=protocol.Request(prompt="no source"))) is None


def test_what_is_adopted_belongs_to_the_new_owner_and_can_be_dropped(spool: Spool) -> None:
    kept = entry()
    spool.put(kept, PIXELS)
    later = next_start(spool)
    later.adopt()
    assert kept.id in later
    later.update(entry(id=kept.id, stage=Stage.DONE))
    third = next_start(later)
    (found,) = third.adopt().entries
    assert found.stage is Stage.DONE
    third.drop(kept.id)
    assert next_start(third).adopt().entries == []
    assert not [path for path in spool.root.rglob("*") if path.is_file() and path.name != "lock"]


def test_jobs_come_back_in_the_order_in_which_they_were_added(spool: Spool) -> None:
    jobs = [entry(added=float(second)) for second in (3, 1, 2)]
    for item in jobs:
        spool.put(item, PIXELS)
    assert [item.added for item in next_start(spool).adopt().entries] == [1.0, 2.0, 3.0]


def test_a_result_that_arrives_again_replaces_the_first(spool: Spool) -> None:
    kept = entry()
    spool.put(kept, PIXELS)
    for level in (1, 2):
        spool.add_result(result(kept.id, level=level))
    (found,) = spool.results(kept)
    assert set(found.image.data) == {2}


def test_a_living_blenders_jobs_are_left_alone(spool: Spool) -> None:
    spool.put(entry(), PIXELS)
    other = Spool(spool.root, UNLIMITED)
    assert other.adopt().entries == []
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from tests.addon import conftest; from dream_textures_addon.spool import Spool;"
        "print(len(Spool(Path(sys.argv[1])).adopt().entries))"
    )
    command = [sys.executable, "-c", program, str(spool.root), str(REPOSITORY)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert answer.stdout == "0\n", "another process must not take them either"
    spool.close()
    assert len(other.adopt().entries) == 1
    other.close()
    ends("Queue", "Two Blenders run at once", "neither takes the other's jobs")


WRITER = """
import itertools, sys, uuid
from pathlib import Path
from tests.addon import conftest
from tests.addon.spooling import PIXELS, UNLIMITED, entry, result
from dream_textures_addon.spool import Spool
from dream_textures_addon.spool_entry import Stage
spool = Spool(Path(sys.argv[1]), UNLIMITED)
for number in itertools.count():
    job = entry(added=float(number))
    spool.put(job, PIXELS)
    spool.update(entry(id=job.id, added=job.added, stage=Stage.RUNNING))
    for index in (0, 1):
        for name in ("basecolor", "height"):
            spool.add_result(result(job.id, index, name, side=64))
    spool.update(entry(id=job.id, added=job.added, stage=Stage.DONE))
    if number % 3 == 0:
        spool.drop(job.id)
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("delay", [0.0, 0.003, 0.006, 0.011])
def test_killed_in_the_middle_of_a_write_no_job_is_half_there(tmp_path: Path, delay: float) -> None:
    root = tmp_path / "jobs"
    command = [sys.executable, "-c", WRITER, str(root)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 5:
                break
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
    spool = Spool(root, UNLIMITED)
    left = spool.adopt()
    assert left.broken == []
    assert len(left.entries) >= 4
    done = [item for item in left.entries if item.stage is Stage.DONE]
    assert len(done) >= len(left.entries) - 1
    for item in done:
        assert len(spool.results(item)) == 4
        assert spool.source(item) is not None
    assert not list(root.rglob("*.part"))
    assert not [*root.rglob("gone-*"), *root.rglob("new-*")]
    spool.close()
    ends("Disk", "Blender is killed while it writes down a job", "every job is whole, or as it was before")


def test_an_interrupted_deletion_is_finished_by_the_next_start(spool: Spool) -> None:
    with abandoned(spool.root) as owner:
        write_entry(owner / f"gone-{uuid.uuid4().hex}", "anything")
    left = spool.adopt()
    assert (left.entries, left.broken) == ([], [])
    assert not list(spool.root.rglob("gone-*"))


def test_only_so_many_jobs_and_bytes_are_kept(tmp_path: Path) -> None:
    few = Spool(tmp_path / "few", SpoolLimits(jobs=2, free=0))
    for _ in range(2):
        few.put(entry(), PIXELS)
    with pytest.raises(SpoolFullError, match="wait to be placed"):
        few.put(entry(), PIXELS)
    small = Spool(tmp_path / "small", SpoolLimits(bytes=20_000, free=0))
    kept = entry()
    small.put(kept, PIXELS)
    small.add_result(result(kept.id, side=64))
    with pytest.raises(SpoolFullError, match="wait to be placed"):
        small.add_result(result(kept.id, 1, side=64))
    assert small.size < 20_000
    small.drop(kept.id)
    assert small.size == 0
    roomy = Spool(tmp_path / "roomy", SpoolLimits(free=1 << 62))
    with pytest.raises(SpoolFullError, match="almost full"):
        roomy.put(entry(), PIXELS)
    for made in (few, small, roomy):
        made.close()


def test_what_is_not_kept_is_left_alone(spool: Spool) -> None:
    stranger = entry()
    spool.update(stranger)
    spool.add_result(result(stranger.id))
    spool.drop(stranger.id)
    assert not spool.root.exists()
