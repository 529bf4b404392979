# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that keeps jobs on disk: it follows what happens to them, and costs nobody anything when it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dream_textures_addon.file_lock import FileLock, held
from dream_textures_addon.keeper import Keeper
from dream_textures_addon.offers import Offer, heading
from dream_textures_addon.spool import Leftovers, SpoolLimits
from dream_textures_addon.spool_entry import SpoolEntry, Stage
from dream_textures_addon.wire import protocol
from tests.faults import ends

from .spooling import PIXELS, UNLIMITED, entry, result


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    """A keeper with an empty folder."""
    made = Keeper(tmp_path / "jobs", UNLIMITED)
    yield made
    made.close()


def found_by_the_next(keeper: Keeper) -> Leftovers:
    """What the next Blender finds when this one has ended."""
    keeper.close()
    later = Keeper(keeper.folder, UNLIMITED)
    left = later.look().result(10)
    later.close()
    return left


def settle(keeper: Keeper) -> None:
    """Wait until all that was asked so far is done."""
    keeper.picture(entry(), 0).exception(10)


@pytest.mark.parametrize(
    ("events", "stage"),
    [
        ([], Stage.WAITING),
        ([protocol.Accepted], Stage.WAITING),
        ([lambda job: protocol.Loading(job, "a model")], Stage.RUNNING),
        ([lambda job: protocol.Step(job, 0, 1, 2), lambda job: protocol.Step(job, 0, 2, 2)], Stage.RUNNING),
        ([lambda job: protocol.Step(job, 0, 1, 2), lambda job: protocol.Finished(job, 1.0)], Stage.DONE),
        ([lambda job: protocol.Failed(job, "died", "It stopped.")], Stage.FAILED),
    ],
)
def test_it_follows_a_job(
    keeper: Keeper, events: list[Callable[[str], protocol.Event]], stage: Stage
) -> None:
    kept = entry()
    keeper.put(kept, PIXELS)
    for event in events:
        keeper.follow(event(kept.id), "1.0")
    (found,) = found_by_the_next(keeper).entries
    assert found.stage is stage
    assert found.tries == (1 if stage in (Stage.RUNNING, Stage.DONE) else 0)
    assert found.failure == ("It stopped." if stage is Stage.FAILED else "")


def test_results_come_back_with_the_version_that_made_them(keeper: Keeper) -> None:
    kept = entry()
    keeper.put(kept, PIXELS)
    keeper.follow(protocol.Loading(kept.id, "a model"), "1.0")
    keeper.follow(result(kept.id), "1.0")
    left = found_by_the_next(keeper)
    assert left.arrived[kept.id] == {(0, "basecolor")}
    assert left.entries[0].version == "1.0"


@pytest.mark.parametrize("ending", [protocol.Cancelled, None])
def test_what_was_cancelled_or_placed_is_gone(keeper: Keeper, ending: Any) -> None:
    kept = entry()
    keeper.put(kept, PIXELS)
    keeper.follow(result(kept.id))
    if ending is None:
        keeper.drop(kept.id)
    else:
        keeper.follow(ending(kept.id))
    keeper.follow(result(kept.id, 1))
    assert keeper.entry(kept.id) is None
    assert found_by_the_next(keeper).entries == []


def test_a_job_that_is_queued_once_more_keeps_what_it_has(keeper: Keeper) -> None:
    kept = entry(stage=Stage.FAILED, failure="It stopped.")
    keeper.put(kept, PIXELS)
    keeper.put(kept.anew())
    (found,) = found_by_the_next(keeper).entries
    assert (found.stage, found.failure) == (Stage.WAITING, "")


def test_it_leaves_no_thread_and_closes_within_its_limit(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    keeper = Keeper(tmp_path / "jobs", UNLIMITED)
    assert set(threading.enumerate()) == before, "an add-on that is only enabled costs nothing"
    keeper.put(entry(), PIXELS)
    keeper.close()
    keeper.close()
    assert set(threading.enumerate()) == before


def test_nothing_it_is_asked_waits_for_a_slow_disk(keeper: Keeper) -> None:
    keeper.folder.mkdir()
    with held(keeper.folder / "lock", 1.0):
        kept = entry()
        began = threading.active_count()
        keeper.put(kept, PIXELS)  # its thread now waits for the lock
        keeper.follow(result(kept.id))
        assert keeper.entry(kept.id) == kept
        assert threading.active_count() == began + 1
    settle(keeper)
    assert keeper.trouble == ""
    assert len(found_by_the_next(keeper).entries) == 1


def test_what_waits_for_a_disk_that_hangs_does_not_fill_the_memory(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = result("0" * 32)
    monkeypatch.setattr("dream_textures_addon.keeper.MAX_PENDING_BYTES", 2 * len(one.image.data))
    keeper.folder.mkdir()
    kept = entry()
    with held(keeper.folder / "lock", 1.0):
        keeper.put(kept, PIXELS)
        for index, name in ((0, "basecolor"), (0, "height"), (1, "basecolor")):
            keeper.follow(result(kept.id, index, name))
        assert "too slow" in keeper.trouble
        ends("Disk", "The disk for the jobs hangs", "they are made all the same", keeper.trouble)
    settle(keeper)
    keeper.follow(result(kept.id, 1, "height"))
    left = found_by_the_next(keeper)
    assert left.arrived[kept.id] == {(0, "basecolor"), (0, "height"), (1, "height")}


def test_a_folder_that_cannot_be_written_is_said_once_and_costs_no_job(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("in the way")
    keeper = Keeper(tmp_path / "jobs", UNLIMITED)
    assert keeper.look().result(10).entries == []
    kept = entry()
    keeper.put(kept, PIXELS)
    keeper.follow(result(kept.id))
    settle(keeper)
    assert keeper.trouble.startswith("Textures are not kept on disk until they are placed: ")
    ends("Disk", "The folder for the jobs cannot be written", "they are made all the same", keeper.trouble)
    (tmp_path / "jobs").unlink()
    keeper.put(entry(), PIXELS)
    settle(keeper)
    assert keeper.trouble == "", "it is taken back when it is over"
    keeper.close()


def small_disk(folder: Path) -> bool:
    """Mount a file system of one megabyte, where this may be done."""
    folder.mkdir()
    if shutil.which("mount") is None or os.name == "nt":
        return False
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_full_disk_costs_the_job_its_net_and_nothing_half_written_stays(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    if not small_disk(disk):
        pytest.skip("no small file system can be mounted here")
    keeper = Keeper(disk / "jobs", UNLIMITED)
    try:
        kept = entry()
        keeper.put(kept, PIXELS)
        for index in range(2):
            keeper.follow(result(kept.id, index, side=500))
        settle(keeper)
        assert "No space left" in keeper.trouble
        assert not list(disk.rglob("*.part"))
        keeper.follow(protocol.Finished(kept.id, 1.0))
        left = found_by_the_next(keeper)
        assert left.arrived[kept.id] == {(0, "basecolor")}, "what had room is kept"
    finally:
        keeper.close()
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file's size")
def test_a_write_that_fails_half_way_leaves_nothing_of_it(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from tests.addon import conftest\n"
        "from tests.addon.spooling import PIXELS, UNLIMITED, entry, result\n"
        "from tests.addon.test_spool_keeper import settle\n"
        "from dream_textures_addon.keeper import Keeper\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "keeper = Keeper(Path(sys.argv[1]), UNLIMITED)\n"
        "kept = entry()\n"
        "keeper.put(kept, PIXELS)\n"
        "keeper.follow(result(kept.id, 0, side=64))\n"
        "keeper.follow(result(kept.id, 1, side=512))\n"
        "settle(keeper)\n"
        "print(keeper.trouble)\n"
        "keeper.close()\n"
    )
    root = tmp_path / "jobs"
    command = [sys.executable, "-c", program, str(root)]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[2]
    )
    assert "File too large" in answer.stdout
    names = {path.name for path in root.rglob("*.frame")}
    assert names == {"source.frame", "0-basecolor.frame"}
    assert not list(root.rglob("*.part"))
    fault = "A finished map cannot be written down for the next start"
    ends("Disk", fault, "no half file, the job goes on", answer.stdout)


def test_too_many_jobs_are_said_in_a_sentence(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "jobs", SpoolLimits(jobs=1, free=0))
    keeper.put(entry(), PIXELS)
    keeper.put(entry(), PIXELS)
    settle(keeper)
    assert "wait to be placed or discarded" in keeper.trouble
    ends("Queue", "More jobs wait than may be kept on disk", "they are made all the same", keeper.trouble)
    keeper.close()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import sys, time; from pathlib import Path; from tests.addon import conftest\n"
        "from dream_textures_addon.file_lock import FileLock\n"
        "lock = FileLock.take(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[2]) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert FileLock.take(path) is None
        with pytest.raises(OSError, match="busy"), held(path, 0.1):
            pass
        holder.kill()
        holder.wait()
    lock = FileLock.take(path)
    assert lock is not None
    assert FileLock.take(path) is None, "not even the same process may hold it twice"
    lock.release()


def offer(stage: Stage, arrived: set[tuple[int, str]] | None = None, **changes: Any) -> Offer:
    """A job of two images as it is offered."""
    kept: SpoolEntry = entry(stage=stage, **changes)
    return Offer(kept, arrived or set())


ALL = {(index, name) for index in (0, 1) for name in ("basecolor", "height")}


def test_offers_say_what_became_of_them() -> None:
    assert offer(Stage.WAITING).line == "was waiting"
    assert offer(Stage.RUNNING, tries=1).line == "was being made"
    assert "3 times" in offer(Stage.RUNNING, tries=3).line
    some = offer(Stage.RUNNING, ALL - {(1, "height")}, tries=1)
    assert (some.whole, some.finished, some.line) == ([0], False, "was being made, 1 of 2 made")
    done = offer(Stage.DONE, ALL)
    assert (done.finished, done.line) == (True, "2 finished")
    assert not offer(Stage.DONE, ALL - {(0, "basecolor")}).finished, "what cannot be read must be made again"
    assert offer(Stage.FAILED, failure="It rained.").line == "It rained."
    assert heading([some]) == "1 texture was not finished when Blender closed."
    assert heading([done, done]) == "2 textures were finished but not placed when Blender closed."


def test_the_keeper_lives_until_the_interpreter_ends(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.addon import conftest\n"
        "from tests.addon.spooling import PIXELS, UNLIMITED, entry\n"
        "from dream_textures_addon.keeper import Keeper\n"
        "keeper = Keeper(Path(sys.argv[1]), UNLIMITED)\n"
        "for _ in range(20): keeper.put(entry(), PIXELS)\n"
        "keeper.drop(next(iter(keeper._entries)))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "jobs")]
    subprocess.run(command, check=True, cwd=Path(__file__).resolve().parents[2], timeout=60)
    keeper = Keeper(tmp_path / "jobs", UNLIMITED)
    assert len(keeper.look().result(10).entries) == 19, "what was asked last is done too"
    keeper.close()
