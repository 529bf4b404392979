# SPDX-License-Identifier: GPL-3.0-or-later
"""What survives the end of Blender, of the add-on, and of the disk's free space."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import pytest

from tests.faults import ends

from .conftest import MODULE, RESOURCES, ROOT, own_nodes, submodule
from .test_panels import drawn
from .test_queue import SHORT, is_running, settle

SCRIPT = Path(__file__).with_name("crashing_blender.py")


def alive(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True


def blender(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Another Blender, with a user's folder of its own."""
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(folder)}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), MODULE, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_blender_loses_no_job(installed: ModuleType, tmp_path: Path) -> None:
    user, file = tmp_path / "user", str(tmp_path / "wall.blend")
    shutil.copytree(RESOURCES, user, ignore=shutil.ignore_patterns("jobs"))
    with blender(user, "leave", file) as first:
        assert first.stdout is not None
        said = next(line for line in first.stdout if line.startswith("left "))
        generator = int(said.split()[1])
        assert alive(generator)
        first.send_signal(signal.SIGKILL)
    with blender(user, "recover", file) as second:
        output, _ = second.communicate(timeout=120)
    assert second.returncode == 0, output
    answer = json.loads(output.splitlines()[-1])
    assert answer["offers"] == {
        "red bricks": [True, "finished"],
        "blue tiles": [False, "was being made"],
        "oak planks": [False, "was waiting"],
    }
    assert {"blue-tiles_2_basecolor", "oak-planks_3_basecolor"} <= set(answer["images"])
    assert "oak-planks_3_normal" in answer["resumed"], "the last one was for a new material of the cube"
    assert "red-bricks_1_normal" in answer["placed"]
    assert answer["seeds"] == [1, 2, 3]
    assert answer["left"] == 0
    assert not list((user).rglob("job.json")), "what is placed is not kept"
    assert not alive(generator), "a generator ends with its Blender"
    ends(
        "Queue",
        "Blender is killed in mid-run, with a texture that waits and one that is not placed",
        "all are offered at the next start; resumed with their seeds, and placed",
        answer["heading"],
    )


@pytest.fixture
def reenable(installed: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Disables the add-on and enables it again, or installs it once more over itself; the new runtime."""

    def again(update: bool = False) -> Any:
        if update:
            folder = tmp_path_factory.mktemp("update")
            subprocess.run([sys.executable, str(ROOT / "build_addon.py"), "--out", str(folder)], check=True)
            (built,) = folder.glob("*.zip")
            bpy.ops.extensions.package_install_files(
                filepath=str(built), repo="user_default", enable_on_install=True, overwrite=True
            )
        else:
            bpy.ops.preferences.addon_disable(module=MODULE)
            bpy.ops.preferences.addon_enable(module=MODULE)
        bpy.ops.dtex.find_jobs()
        return submodule("runtime_state").runtime()

    yield again
    for group in ("unfinished", "finished"):
        bpy.ops.dtex.discard_jobs(group=group)


@pytest.mark.parametrize("update", [False, True], ids=["disabled", "updated"])
def test_in_mid_run_nothing_is_lost_and_no_process_is_left(
    update: bool,
    scene: bpy.types.Scene,
    runtime: Any,
    start: Callable[..., Any],
    drain: Callable[..., None],
    reenable: Callable[..., Any],
) -> None:
    done = start(prompt="grey sand", seed=5, **SHORT)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    drain(lambda: done.over and done.target.ready)
    large = {"size": "custom", "width": 1024, "height": 1024}
    job = start(prompt="red bricks", random_seed=False, seed=7, **large)
    drain(is_running(job))
    generator = runtime.session.pid
    state = reenable(update)
    assert state is not runtime
    assert not alive(generator)
    assert {offer.entry.title: offer.finished for offer in state.offers} == {
        "grey sand": True,
        "red bricks": False,
    }
    panel = drawn(width=1000)
    assert "1 texture was finished but not placed when Blender closed." in panel.texts
    assert "1 texture was not finished when Blender closed." in panel.texts
    assert "red bricks: was being made" in panel.texts
    assert {"dtex.resume_jobs", "dtex.place_job: Apply to Active", "dtex.save_maps: "} <= set(panel.operators)
    preview = submodule("preview")
    assert preview.key_of(done.id, 0) in preview._collection, "with its picture"
    assert state.board.active is None, "nothing starts by itself"
    ends(
        "Queue",
        f"The add-on is {'updated' if update else 'disabled'} in mid-run",
        "no process is left; offered when it is enabled again, and resumed",
        "1 texture was not finished when Blender closed.",
    )
    bpy.ops.dtex.resume_jobs()
    cube = bpy.data.objects["Cube"]
    assert own_nodes(cube.active_material)["basecolor"].image.name == "red-bricks_7_basecolor"
    bpy.ops.dtex.place_job(job=done.id)
    assert own_nodes(cube.active_material)["basecolor"].image.name == "grey-sand_5_basecolor"
    assert reenable().offers == []


def test_offers_can_be_saved_or_discarded(
    scene: bpy.types.Scene,
    start: Callable[..., Any],
    drain: Callable[..., None],
    reenable: Callable[..., Any],
    tmp_path: Path,
) -> None:
    done = start(prompt="grey sand", seed=5, **SHORT)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    drain(lambda: done.over and done.target.ready)
    state = reenable()
    assert bpy.ops.dtex.save_maps(job=done.id, directory=str(tmp_path)) == {"FINISHED"}
    assert len(list(tmp_path.glob("grey-sand_5_*.png"))) == 6
    assert [offer.id for offer in state.offers] == [done.id], "a copy in a folder is not its place"
    bpy.ops.dtex.discard_jobs(job=done.id)
    assert (state.offers, reenable().offers) == ([], [])


def test_for_another_file_it_is_made_and_waits(
    scene: bpy.types.Scene,
    start: Callable[..., Any],
    reenable: Callable[..., Any],
    tmp_path: Path,
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "wall.blend"))
    job = start(prompt="red bricks", **SHORT)
    reenable()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.dtex.resume_jobs()
    assert not own_nodes(bpy.data.objects["Cube"].active_material)
    bpy.ops.dtex.place_job(job=job.id)
    assert own_nodes(bpy.data.objects["Cube"].active_material)


def test_what_was_kept_by_a_stranger_is_refused_in_a_sentence(
    scene: bpy.types.Scene, runtime: Any, reenable: Callable[..., Any]
) -> None:
    entries, protocol = submodule("spool_entry"), submodule("wire").protocol
    for number, plan in enumerate(({}, {"kind": "material"}, {"kind": "rocket"})):
        request = protocol.Request(prompt="red bricks", width=32, height=32)
        runtime.keeper.put(entries.SpoolEntry(f"{number:032x}", request, plan))
    state = reenable()
    assert len(state.offers) == 3
    with pytest.raises(RuntimeError):
        bpy.ops.dtex.resume_jobs()
    assert len(state.offers) == 3, "they stay until they are discarded"
    assert all(offer.problem.endswith(".") for offer in state.offers)
    assert state.offers[0].problem in " ".join(drawn(width=4000).texts)


def test_a_job_that_cannot_be_read_is_named_and_set_aside(
    scene: bpy.types.Scene, runtime: Any, start: Callable[..., Any], reenable: Callable[..., Any]
) -> None:
    job = start(prompt="red bricks", **SHORT)
    settle(runtime)
    (path,) = [path for path in runtime.keeper.folder.rglob("job.json") if path.parent.name == job.id]
    path.write_bytes(path.read_bytes()[:40])
    state = reenable()
    assert state.offers == []
    sentence = next(text for text in drawn(width=9000).texts if "cannot be read" in text)
    assert sentence.startswith("1 texture that was kept on disk cannot be read and is set aside in ")
    assert (state.set_aside[0] / "job.json").is_file()
    ends(
        "Queue", "A job on disk is damaged", "set aside under another name, the others are offered", sentence
    )


def test_a_destination_is_found_again_by_name_and_only_in_its_own_file(scene: bpy.types.Scene) -> None:
    plans, compose = submodule("plans"), submodule("compose")
    scene.dtex.prompt, scene.dtex.displacement, scene.dtex.mapping_scale = "red bricks", "both", 2.5
    chosen = compose.compose_texture(bpy.context, compose.Wishes(scene.dtex)).destination
    plain = json.loads(json.dumps(plans.to_plain(chosen)))
    assert plans.from_plain(plain, True) == (chosen, True)
    elsewhere, here = plans.from_plain(plain, False)
    assert (elsewhere.target.thing, elsewhere.target.material, here) == (None, None, False)
    assert elsewhere.options == chosen.options
    bpy.data.objects["Cube"].name = "Wall"
    assert plans.from_plain(plain, True)[1] is False, "the object has another name now"


STRANGE = (None, True, -1, 10**30, 2.5, 1e300, "", "x", "a\0b", "\ud800", "x" * 5000, [], [1], {}, {"a": 1})


def test_whatever_a_plan_says_it_is_read_or_refused(scene: bpy.types.Scene) -> None:
    plans, compose, seamless = submodule("plans"), submodule("compose"), submodule("seamless")
    error = submodule("spool_entry").EntryError
    scene.dtex.prompt = "red bricks"
    photo = bpy.data.images.new("photo", 32, 32)
    wishes = compose.Wishes(scene.dtex)
    orders = (
        compose.compose_texture(bpy.context, wishes),
        seamless.compose(bpy.context, wishes, photo, False, True),
        submodule("upscale_order").compose_image(bpy.context, wishes, photo, 2),
    )
    refused = 0
    for order in orders:
        plain = plans.to_plain(order.destination)
        assert type(plans.from_plain(plain, True)[0]) is type(order.destination)
        for name in plain:
            for value in STRANGE:
                changed = json.loads(json.dumps({**plain, name: value}))
                try:
                    found, _here = plans.from_plain(changed, True)
                except error:
                    refused += 1
                else:
                    assert type(found) is type(order.destination)
                    assert isinstance(found.words, str)
    assert refused > 100


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file's size")
def test_a_file_that_cannot_be_written_is_packed_and_leaves_nothing(
    cube: bpy.types.Object,
    runtime: Any,
    start: Callable[..., Any],
    drain: Callable[..., None],
    tmp_path: Path,
) -> None:
    import resource

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "wall.blend"))
    job = start(prompt="red bricks", seed=7, width=256, height=256, count=1)
    pump = submodule("pump")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    while not (job.over and job.target.ready):
        for event in runtime.session.poll():
            pump.take(event)
        time.sleep(0.02)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))  # as a disk that is full in mid-file
    try:
        pump.drain()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert job.target.settled
    (sentence,) = [text for text in submodule("submission").sentences(job) if "cannot be written" in text]
    assert sentence.endswith("cannot be written: File too large. The images are packed instead.")
    assert own_nodes(bpy.data.objects["Cube"].active_material)["basecolor"].image.packed_file is not None
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".blend"]
    ends("Disk", "A map cannot be written beside the .blend", "packed into it; no file is left", sentence)


def small_disk(folder: Path) -> bool:
    """Mount a file system of 300 kB, where this may be done."""
    folder.mkdir()
    if shutil.which("mount") is None or os.name == "nt":
        return False
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_full_disk_packs_the_images_and_leaves_no_half_written_file(
    cube: bpy.types.Object, runtime: Any, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    if not small_disk(disk):
        pytest.skip("no small file system can be mounted here")
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(disk / "wall.blend"), compress=True)
        assert bpy.ops.dtex.generate(prompt="red bricks", width=256) == {"FINISHED"}
        said = " ".join(submodule("submission").sentences(runtime.board.latest))
        assert "No space left on device. The images are packed instead." in said
        image = own_nodes(bpy.data.objects["Cube"].active_material)["basecolor"].image
        assert image.packed_file is not None
        assert image.size[0] == 256
        assert not [path for path in disk.rglob("*") if path.is_file() and path.suffix != ".blend"]
        with pytest.raises(RuntimeError, match="No space left on device"):
            bpy.ops.dtex.save_maps(directory=str(disk / "copies"))
        assert not [path for path in disk.rglob("*") if path.is_file() and path.suffix != ".blend"]
    finally:
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        deadline = time.monotonic() + 5.0
        while subprocess.run(["umount", str(disk)], capture_output=True).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.1)
