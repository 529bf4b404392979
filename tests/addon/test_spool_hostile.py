# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever lies in the spool's folder, Blender starts, and nothing of it can do harm."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dream_textures_addon.spool import MAX_BROKEN, Spool
from dream_textures_addon.spool_entry import EntryError, SpoolEntry
from dream_textures_addon.wire import protocol

from .spooling import PIXELS, UNLIMITED, abandoned, entry, next_start, result, write_entry


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool."""
    made = Spool(tmp_path / "jobs", UNLIMITED)
    yield made
    made.close()


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
