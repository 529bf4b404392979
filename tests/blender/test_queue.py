# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue: its order, taking jobs out of it, and making after all what was not made."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest

from tests.faults import ends

from .conftest import own_nodes, submodule
from .test_panels import drawn

LONG = {"prompt": "red bricks", "width": 2048, "height": 2048, "count": 4}
"""A job that keeps the generator busy until it is cancelled."""
SHORT = {"width": 64, "height": 64, "count": 1}


def is_running(job: Any) -> Callable[[], bool]:
    """Whether the generator has begun with a job."""
    return lambda: job.state.value in ("loading", "running")


def settle(runtime: Any) -> None:
    """Wait until everything is on disk that is to be."""
    runtime.keeper.picture(submodule("spool_entry").SpoolEntry("0" * 32, None), 0).exception(10)


def kept(runtime: Any) -> set[str]:
    """The titles of the jobs that lie on disk."""
    settle(runtime)
    return {path.parent.name for path in runtime.keeper.folder.rglob("job.json")}


@pytest.fixture
def queue(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> list[Any]:
    """A job that runs, and three that wait behind it."""
    first = start(**LONG)
    jobs = [first, *(start(prompt=words, **SHORT) for words in ("blue tiles", "oak planks", "grey sand"))]
    drain(is_running(first))
    return jobs


def test_jobs_are_made_in_the_order_that_the_artist_gives_them(
    queue: list[Any], runtime: Any, drain: Callable[..., None]
) -> None:
    first, tiles, planks, sand = queue
    assert [job.title for job in runtime.board.waiting] == ["blue tiles", "oak planks", "grey sand"]
    bpy.ops.dtex.move_job(job=sand.id, to="first")
    bpy.ops.dtex.move_job(job=tiles.id, to="down")
    assert [job.title for job in runtime.board.waiting] == ["grey sand", "oak planks", "blue tiles"]
    with pytest.raises(RuntimeError, match="not being made"):
        bpy.ops.dtex.cancel(job="nobody")
    bpy.ops.dtex.cancel()
    ended: list[str] = []

    def all_over() -> bool:
        ended.extend(job.title for job in queue if job.over and job.title not in ended)
        return all(job.over for job in queue)

    drain(all_over)
    drain(lambda: all(job.target.settled for job in (tiles, planks, sand)))
    assert first.state.value == "cancelled"
    assert ended == ["red bricks", "grey sand", "oak planks", "blue tiles"]


def test_the_running_job_cannot_be_overtaken(
    queue: list[Any], runtime: Any, drain: Callable[..., None]
) -> None:
    assert bpy.ops.dtex.move_job(job=queue[0].id, to="last") == {"CANCELLED"}
    bpy.ops.dtex.move_job(job=queue[3].id, to="first")
    assert runtime.board.active is queue[0]
    bpy.ops.dtex.cancel(everything=True)
    drain(lambda: all(job.over for job in queue))


def test_the_panel_says_when_the_generator_is_silent(
    queue: list[Any], runtime: Any, drain: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = "No sign of life from the generator for"
    drain(lambda: queue[0].state.value == "running")
    assert not any(silent in text for text in drawn(width=1000).texts)
    with monkeypatch.context() as patch:
        patch.setattr(submodule("session_state").Watch, "silent_seconds", 25.0)
        assert f"{silent} 25 s" in drawn(width=1000).texts
    bpy.ops.dtex.cancel(everything=True)
    drain(lambda: all(job.over for job in queue))


def test_one_that_waits_can_be_taken_out(queue: list[Any], runtime: Any, drain: Callable[..., None]) -> None:
    bpy.ops.dtex.cancel(job=queue[2].id)
    drain(lambda: queue[2].over)
    assert [job.state.value for job in queue[1:]] == ["queued", "cancelled", "queued"]
    assert queue[2].id not in kept(runtime)
    assert {job.id for job in (queue[0], queue[1], queue[3])} <= kept(runtime)
    bpy.ops.dtex.cancel(everything=True)
    drain(lambda: all(job.over for job in queue))
    assert not {job.id for job in queue} & kept(runtime)


def test_the_panel_shows_what_waits_and_what_was_not_made(
    queue: list[Any], runtime: Any, drain: Callable[..., None]
) -> None:
    panel = drawn()
    assert "Next: 3" in panel.texts
    waiting = ("blue tiles", "oak planks", "grey sand")
    assert [text for text in panel.texts if text in waiting] == list(waiting)
    assert sum(name.startswith("dtex.move_job") for name in panel.operators) == 9
    assert panel.disabled.count("dtex.move_job") == 3, "the first cannot go up, nor the last down"
    assert "dtex.cancel: Cancel All 4" in panel.operators
    bpy.ops.dtex.cancel(everything=True)
    drain(lambda: all(job.over for job in queue))
    panel = drawn()
    assert "Not Made: 3" in panel.texts
    assert "dtex.retry: Retry All" in panel.operators
    assert "dtex.retry" in panel.operators, "beside the latest"
    bpy.ops.dtex.discard_jobs(group="not_made")
    assert not runtime.board.not_made


def test_a_cancelled_job_is_made_after_all_with_the_same_seed_for_the_same_object(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    first = start(prompt="red bricks", seed=77, **SHORT)
    bpy.ops.dtex.cancel()
    drain(lambda: first.over)
    bpy.context.view_layer.objects.active = bpy.data.objects["Camera"]
    bpy.context.scene.dtex.seed = 5
    assert bpy.ops.dtex.retry() == {"FINISHED"}
    again = runtime.board.latest
    assert (again.request, again.state.value) == (first.request, "done")
    assert own_nodes(bpy.data.objects["Cube"].active_material)["basecolor"].image.name.startswith(
        "red-bricks_77"
    )
    assert not runtime.board.not_made
    assert not bpy.ops.dtex.retry.poll()
    assert again.id not in kept(runtime), "what is placed need not be kept"


def test_a_retry_survives_an_undo(
    scene: bpy.types.Scene, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    bpy.ops.ed.undo_push(message="Start")
    bpy.data.objects["Cube"].location.x = 1.0
    bpy.ops.ed.undo_push(message="Move")
    job = start(prompt="red bricks", **SHORT)
    bpy.ops.dtex.cancel()
    drain(lambda: job.over)
    bpy.ops.ed.undo()
    bpy.ops.dtex.retry(job=job.id)
    assert own_nodes(bpy.data.objects["Cube"].active_material)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_what_failed_with_its_source_is_made_after_all(
    cube: bpy.types.Object, runtime: Any, generator_python: Callable[[str], None], tmp_path: Path
) -> None:
    photo = bpy.data.images.new("photo", 64, 64)
    program = tmp_path / "python3"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    generator_python(str(program))
    with pytest.raises(RuntimeError):
        bpy.ops.dtex.make_maps(source="photo")
    failed = runtime.board.latest
    assert failed.failure in " ".join(drawn(width=4000).texts)
    assert "dtex.retry" in drawn().operators
    generator_python("")
    bpy.data.images.remove(photo)
    assert bpy.ops.dtex.retry() == {"FINISHED"}
    assert own_nodes(cube.active_material)["normal"].image.size[0] == 64


def test_a_job_that_ends_its_generator_twice_is_set_aside_and_can_be_tried_again(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(prompt="red bricks", width=1024, height=1024, count=1)
    behind = start(prompt="blue tiles", target="new", **SHORT)
    for deaths in (1, 2):
        drain(lambda: job.begun and runtime.session.pid is not None and runtime.session.hello is not None)
        job.begun = False
        runtime.session._child.kill()
        drain(lambda: job.over or len(job.notices) == deaths)  # noqa: B023
    drain(lambda: behind.target.settled)
    assert (job.state.value, behind.state.value) == ("failed", "done"), "the others go on"
    panel = drawn(width=4000)
    assert job.failure.rstrip(".") in " ".join(panel.texts)
    assert {"dtex.retry: ", "dtex.copy_report"} <= set(panel.operators)
    assert job.failure in submodule("operators.copy_report").report_text(runtime, job.id)
    assert bpy.ops.dtex.retry(job=job.id) == {"FINISHED"}
    assert any(image.name.startswith("red-bricks") for image in bpy.data.images)


def test_what_was_not_made_stays_in_the_list_but_does_not_pile_up(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    limit = submodule("jobs").MAX_NOT_MADE
    for number in range(limit + 3):
        job = start(prompt=f"bricks {number}", **SHORT)
        bpy.ops.dtex.cancel(job=job.id)
        drain(lambda: job.over)  # noqa: B023
    start(prompt="blue tiles", **SHORT)
    assert [job.title for job in runtime.board.not_made] == [
        f"bricks {number}" for number in range(3, limit + 3)
    ]
    drain(lambda: runtime.board.latest.target.settled)


def test_nothing_piles_up_over_many_jobs(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    def held() -> tuple[int, int, int, int]:
        preview = submodule("preview")
        files = [path for path in runtime.keeper.folder.rglob("*") if path.is_file()]
        return len(runtime.board), len(preview._collection), threading.active_count(), len(files)

    counts = []
    for number in range(24):
        job = start(prompt="red bricks", seed=number, width=32, height=32, count=1)
        if number % 4 == 3:
            bpy.ops.dtex.cancel(job=job.id)
        drain(lambda: job.over and (job.target.settled or job.state.value == "cancelled"))  # noqa: B023
        bpy.ops.dtex.discard_jobs(group="not_made")
        kept(runtime)
        counts.append(held())
    assert set(counts[12:]) <= set(counts[:12])
    assert not runtime.keeper._entries


def test_a_texture_that_is_not_placed_yet_survives_the_next_generate(
    cube: bpy.types.Object,
    runtime: Any,
    start: Callable[..., Any],
    drain: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(submodule("pump"), "may_change_data", lambda: False)  # the artist drags something
        first = start(prompt="red bricks", **SHORT)
        drain(lambda: first.over)
        second = start(prompt="blue tiles", target="new", **SHORT)
    drain(lambda: first.target.settled and second.target.settled)
    assert {image.name.partition("_")[0] for image in bpy.data.images} >= {"red-bricks", "blue-tiles"}


def test_a_texture_for_another_file_waits_and_can_be_placed(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(prompt="red bricks", width=256, height=256, count=1)
    drain(is_running(job))
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    drain(lambda: job.over and job.target.ready)
    assert not own_nodes(bpy.data.objects["Cube"].active_material)
    bpy.ops.dtex.generate(prompt="blue tiles", width=32)
    assert job.id in kept(runtime), "it is not placed yet"
    panel = drawn(width=1000)
    assert "“red bricks” was finished for another file." in panel.texts
    assert "dtex.place_job: Apply to Active" in panel.operators
    ends(
        "Queue",
        "Another file is opened in mid-run",
        "made, and waits until it is placed",
        "“red bricks” was finished for another file.",
    )
    assert bpy.ops.dtex.place_job(job=job.id) == {"FINISHED"}
    assert own_nodes(bpy.data.objects["Cube"].active_material)["basecolor"].image.name.startswith(
        "red-bricks"
    )
    assert job.id not in kept(runtime)


def test_an_image_for_another_file_waits_and_can_be_added(
    scene: bpy.types.Scene, runtime: Any, drain: Callable[..., None]
) -> None:
    photo = bpy.data.images.new("photo", 64, 64)
    photo.generated_type = "COLOR_GRID"
    compose, seamless = submodule("compose"), submodule("seamless")
    job = submodule("submission").start(
        bpy.context,
        compose.Wishes(scene.dtex),
        lambda context, wishes: seamless.compose(context, wishes, photo, False, False),
    )
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    drain(lambda: job.over and job.target.ready)
    bpy.ops.dtex.generate(prompt="blue tiles", width=32)
    assert "dtex.place_job: Add to This File" in drawn().operators
    bpy.ops.dtex.place_job(job=job.id)
    assert bpy.data.images["photo Seamless"].size[0] == 64
