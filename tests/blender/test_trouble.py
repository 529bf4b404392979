# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancelling, queueing, and generators that fail: the artist reads a sentence and Blender goes on."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest

from .conftest import own_nodes, submodule

LONG = {"prompt": "red bricks", "width": 2048, "height": 2048, "count": 8}
"""A job that takes long enough to be cancelled."""


def program(folder: Path, name: str, text: str) -> str:
    """A program that stands in for a generator."""
    path = folder / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_cancelling_ends_the_job_and_changes_nothing(
    cube: bpy.types.Object, runtime: Any, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    job = start(**LONG)
    drain(lambda: job.state.value in ("loading", "running"))
    assert bpy.ops.dtex.cancel() == {"FINISHED"}
    drain(lambda: job.over, seconds=20.0)
    assert job.state.value == "cancelled"
    assert not own_nodes(cube.active_material)
    assert not bpy.ops.dtex.cancel.poll()
    assert bpy.ops.dtex.generate(prompt="red bricks", width=64) == {"FINISHED"}


def test_what_waits_behind_a_cancelled_job_is_made(
    cube: bpy.types.Object, scene: bpy.types.Scene, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    first = start(**LONG)
    second = start(prompt="blue tiles", width=64, height=64, count=1)
    assert runtime_states(first, second) == ["queued", "queued"]
    bpy.ops.dtex.cancel()
    drain(lambda: second.target.settled)
    assert runtime_states(first, second) == ["cancelled", "done"]
    assert own_nodes(cube.active_material)["basecolor"].image.name.startswith("blue-tiles")


def test_everything_can_be_cancelled_at_once(
    cube: bpy.types.Object, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    jobs = [start(**LONG), start(prompt="blue tiles", width=64, height=64)]
    bpy.ops.dtex.cancel(everything=True)
    drain(lambda: all(job.over for job in jobs), seconds=20.0)
    assert runtime_states(*jobs) == ["cancelled", "cancelled"]


def runtime_states(*jobs: Any) -> list[str]:
    """The states of jobs by name."""
    return [job.state.value for job in jobs]


def test_jobs_are_made_in_their_order(
    cube: bpy.types.Object, start: Callable[..., Any], drain: Callable[..., None]
) -> None:
    jobs = [start(prompt=prompt, width=64, height=64) for prompt in ("red bricks", "blue tiles")]
    drain(lambda: all(job.target.settled for job in jobs))
    assert own_nodes(cube.active_material)["basecolor"].image.name.startswith("blue-tiles")
    assert [image.name for image in bpy.data.images if image.name.startswith("red-bricks")]


def test_a_python_that_is_not_there_is_named(
    cube: bpy.types.Object, runtime: Any, generator_python: Callable[[str], None]
) -> None:
    generator_python("/nowhere/bin/python3")
    with pytest.raises(RuntimeError, match="There is no Python at /nowhere/bin/python3"):
        bpy.ops.dtex.generate(prompt="red bricks")
    assert runtime.problem is not None
    assert not own_nodes(cube.active_material)
    generator_python("")
    assert bpy.ops.dtex.generate(prompt="red bricks", width=64) == {"FINISHED"}
    assert runtime.problem is None


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")
@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho this is no frame\n"])
def test_a_generator_that_cannot_start_is_reported_in_a_sentence(
    cube: bpy.types.Object,
    runtime: Any,
    generator_python: Callable[[str], None],
    tmp_path: Path,
    text: str,
) -> None:
    generator_python(program(tmp_path, "python3", text))
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.dtex.generate(prompt="red bricks")
    assert "Traceback" not in str(caught.value).splitlines()[0]
    job = runtime.board.latest
    assert job.state.value == "failed"
    assert job.failure
    assert job.advice
    assert job.failure in submodule("operators.copy_report").report_text(runtime)
    generator_python("")
    assert bpy.ops.dtex.generate(prompt="red bricks", width=64) == {"FINISHED"}


def test_a_model_folder_without_a_model_is_explained(scene: bpy.types.Scene, tmp_path: Path) -> None:
    scene.dtex.model = "folder"
    with pytest.raises(RuntimeError, match="Choose the folder of a model"):
        bpy.ops.dtex.generate(prompt="red bricks")
    scene.dtex.model_folder = str(tmp_path)
    with pytest.raises(RuntimeError, match=r"model_index\.json"):
        bpy.ops.dtex.generate(prompt="red bricks")


def test_images_made_before_a_failure_are_kept(cube: bpy.types.Object, runtime: Any) -> None:
    protocol, pump = submodule("wire").protocol, submodule("pump")
    bpy.ops.dtex.generate(prompt="red bricks", seed=7, width=32, maps={"basecolor", "roughness"})
    first = list(runtime.board.latest.results)
    plan = runtime.board.latest.target.destination
    request = protocol.Request(
        prompt="red bricks", seed=7, count=2, width=32, height=32, maps=("basecolor", "roughness")
    )
    job = runtime.board.add("broken", request, submodule("delivery").Delivery(plan, runtime.document))
    half = protocol.Result("broken", 1, 8, "basecolor", {}, first[0].recipe, 0.1, first[0].image)
    for result in first:
        pump.take(
            protocol.Result(
                "broken", 0, 7, result.map, result.seams, result.recipe, result.relief, result.image
            )
        )
    pump.take(half)
    pump.take(protocol.Failed("broken", "out_of_memory", "There is not enough memory.", "Choose less."))
    pump.deliver_job(job)
    assert job.target.indices == [0]
    assert own_nodes(cube.active_material)["basecolor"].image.name == "red-bricks_7_basecolor.001"
    assert job.failure == "There is not enough memory."


def test_what_goes_wrong_on_delivery_is_reported_and_the_pump_goes_on(
    cube: bpy.types.Object,
    start: Callable[..., Any],
    drain: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_arguments: Any) -> None:
        raise RuntimeError("the sky is falling")

    job = start(prompt="red bricks", width=64, height=64)
    with monkeypatch.context() as patch:
        patch.setattr(submodule("delivery").materials, "build", fail)
        drain(lambda: job.target.settled)
    assert job.state.value == "failed"
    assert "the sky is falling" in job.failure
    assert "Traceback" in job.traceback
    again = start(prompt="red bricks", width=64, height=64)
    drain(lambda: again.target.settled)
    assert own_nodes(cube.active_material)
