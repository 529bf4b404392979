# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on disk: what was written is read again, whenever the writer died, and nothing of it can do harm."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dream_textures_addon.spool import MAX_BROKEN, Spool, SpoolFullError, SpoolLimits
from dream_textures_addon.spool_entry import EntryError, SpoolEntry, Stage
from dream_textures_addon.wire import protocol
from tests.faults import ends

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


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool."""
    made = Spool(tmp_path / "jobs", UNLIMITED)
    yield made
    made.close()


def next_start(spool: Spool) -> Spool:
    """The spool of the Blender that starts after this one has ended."""
    spool.close()
    return Spool(spool.root, UNLIMITED)


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
from tests.addon.test_spool import PIXELS, UNLIMITED, entry, result
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


def broken(owner: Path) -> list[str]:
    """Puts jobs into a folder that are broken in different ways; what they are."""
    good = entry()
    text = json.dumps(good.to_json())
    cases = {
        "cut off": text[:-20],
        "empty": "",
        "another job's": text,
        "no JSON": b"\xff\xfe\x00",
        "deep": "[" * 100_000,
        "too long": json.dumps({**good.to_json(), "blend": "x" * (2 << 20)}),
        "of the future": json.dumps({**good.to_json(), "format": 99}),
        "without request": json.dumps({**good.to_json(), "request": None}),
        "not a number": text.replace("1.5", "NaN"),
    }
    for case in cases.values():
        write_entry(owner / uuid.uuid4().hex, f"{case}\n" if isinstance(case, str) else case)
    (owner / uuid.uuid4().hex).mkdir()
    (owner / "a stray file").write_text("hello")
    return [*cases, "an empty folder", "a stray file"]


def test_broken_jobs_are_set_aside_and_the_others_come_back(spool: Spool) -> None:
    good = entry()
    with abandoned(spool.root) as owner:
        count = len(broken(owner))
        write_entry(owner / good.id, json.dumps(good.to_json()) + "\n")
    left = spool.adopt()
    assert left.entries == [good]
    assert len(left.broken) == count
    kept_aside = list(spool.root.glob("broken-*"))
    assert len(kept_aside) == MAX_BROKEN, "they must not pile up"
    assert next_start(spool).adopt().broken == [], "they are named once"


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_is_not_followed(spool: Spool, tmp_path: Path) -> None:
    good = entry()
    outside = write_entry(tmp_path / good.id, json.dumps(good.to_json()) + "\n")
    with abandoned(spool.root) as owner:
        (owner / good.id).symlink_to(outside)
    left = spool.adopt()
    assert (left.entries, len(left.broken)) == ([], 1)
    assert (outside / "job.json").is_file()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    changes=st.dictionaries(st.sampled_from([*SpoolEntry.__dataclass_fields__, "format"]), JSON, max_size=4)
)
@settings(max_examples=200, deadline=None)
def test_whatever_a_job_says_it_is_sound_or_refused(changes: dict[str, Any]) -> None:
    good = entry().to_json()
    try:
        read = SpoolEntry.from_json({**good, **changes})
    except EntryError as error:
        assert str(error).endswith(".")
        return
    again = json.loads(json.dumps(read.to_json()))
    assert SpoolEntry.from_json(again) == read


@given(data=st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode() + b"\n"))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_lies_in_a_jobs_files_the_start_goes_on(tmp_path: Path, data: bytes) -> None:
    spool = Spool(tmp_path / uuid.uuid4().hex, UNLIMITED)
    good = entry()
    with abandoned(spool.root) as owner:
        write_entry(owner / uuid.uuid4().hex, data)
        folder = write_entry(owner / good.id, json.dumps(good.to_json()) + "\n")
        for name in ("source.frame", "0-basecolor.frame", "9-basecolor.frame", "99-evil.frame"):
            (folder / name).write_bytes(data)
    left = spool.adopt()
    assert left.entries == [good]
    assert len(left.broken) == 1
    assert spool.results(good) == []
    with pytest.raises(EntryError):
        spool.source(good)
    spool.close()


def test_a_source_that_was_changed_is_refused(spool: Spool) -> None:
    kept = entry()
    spool.put(kept, PIXELS)
    (path,) = spool.root.rglob("source.frame")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(EntryError, match="damaged"):
        spool.source(kept)


def test_a_result_of_another_job_is_left_out(spool: Spool) -> None:
    kept = entry()
    spool.put(kept, PIXELS)
    spool.add_result(result(kept.id))
    (path,) = spool.root.rglob("0-basecolor.frame")
    path.rename(path.with_name("1-basecolor.frame"))
    assert spool.results(kept) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"image": protocol.Array("uint8", (48,), bytes(48))},
        {"image": protocol.Array("uint8", (4, 4, 2), bytes(32))},
        {"image": protocol.Array("float32", (2, 2), bytes(16))},
        {"recipe": {}},
        {"recipe": {"version": 1, "prompt": ["a list"]}},
        {"seams": {"x": 5}},
        {"seams": {"x": {"ratio": 10**400}}},
        {"seams": {"x": {"ratio": [1]}}},
        {"before": {"y": "none"}},
    ],
)
def test_a_result_that_could_not_be_drawn_is_left_out(spool: Spool, changes: dict[str, Any]) -> None:
    kept = entry()
    spool.put(kept, PIXELS)
    sound = result(kept.id)
    spool.add_result(sound)
    spool.add_result(replace(result(kept.id, 1), **changes))
    assert spool.arrived(kept.id) == {(0, "basecolor"), (1, "basecolor")}
    assert spool.results(kept) == [sound]


def test_a_failure_is_kept_as_one_line_that_can_be_drawn() -> None:
    failed = entry().failed("It stopped:\n\ud800 \0 'why'" + "!" * 20_000)
    assert SpoolEntry.from_json(json.loads(json.dumps(failed.to_json()))) == failed
    assert failed.failure.startswith("It stopped:")


def test_a_title_is_short() -> None:
    assert entry(request=protocol.Request(prompt="  red \n brick ")).title == "red brick"
    assert entry(request=protocol.Request(prompt="a\0b\u202e")).title == "a b"
    for words in ("brick " * 1000, "x" * 5000):
        assert 0 < len(entry(request=protocol.Request(prompt=words)).title) <= 61


@pytest.mark.parametrize("name", ["..", "../../etc", "", "A" * 32, "a" * 31, "lock"])
def test_no_job_names_a_path(spool: Spool, name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a job"):
        spool.put(entry(id=name), PIXELS)
    assert not any(path.name == "job.json" for path in spool.root.rglob("*"))


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
