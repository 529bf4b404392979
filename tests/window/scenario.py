# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist does, done in a real window; runs inside Blender: ``--python scenario.py -- ZIP FOLDER``.

It steps through `story` from a timer, so that Blender draws and handles events in between, writes what it saw
to ``FOLDER/result.json``, and quits.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import addon_utils
import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import hands
import setting_up

ZIP, FOLDER = sys.argv[sys.argv.index("--") + 1 :]
PROMPT = "mossy red brick wall"
CROP = "980x800+340+56"
"""The part of the screen that the guide shows: the cube and the sidebar beside it."""
EDITOR = "1320x856+0+28"
"""The largest editor with its sidebar."""
ADDON = "bl_ext.user_default.dream_textures_addon"
seen: dict[str, Any] = {"checks": [], "error": ""}


class Pulse:
    """A timer of the artist's Blender; its longest pause is how long everything stood still."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.longest = 0.0
        bpy.app.timers.register(self.beat, first_interval=0.01, persistent=True)

    def beat(self) -> float:
        """Called by Blender as often as it can."""
        now = time.monotonic()
        self.longest, self.last = max(self.longest, now - self.last), now
        return 0.01

    def start(self) -> None:
        """Measure from now on."""
        self.last, self.longest = time.monotonic(), 0.0


def check(what: str, holds: object) -> None:
    """Note a statement that must be true."""
    seen["checks"].append([what, bool(holds)])
    print(f"{'ok' if holds else 'FAILED'}: {what}", flush=True)


def part(name: str) -> ModuleType:
    """A module of the installed add-on."""
    return importlib.import_module(f"{ADDON}.{name}")


def cube() -> bpy.types.Object:
    return bpy.data.objects["Cube"]


def pictures() -> list[str]:
    """The images that the cube's material uses."""
    material = cube().active_material
    nodes = material.node_tree.nodes if material and material.node_tree else []
    return sorted(node.image.name for node in nodes if node.type == "TEX_IMAGE" and node.image)


def latest() -> Any:
    return part("runtime_state").runtime().board.latest


def until(condition: Any, seconds: float, what: str) -> hands.Steps:
    """Wait for something, as long as Blender stays alive."""
    deadline = time.monotonic() + seconds * hands.PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:g} s in vain: {what}")
        yield 0.05


def install() -> hands.Steps:
    bpy.ops.extensions.package_install_files(
        filepath=ZIP, repo="user_default", enable_on_install=True, overwrite=True
    )
    yield 0.5
    check("the add-on is enabled", ADDON in bpy.context.preferences.addons)
    check("Blender has no complaint about it", addon_utils._extensions_warnings_get() == {})


def artists_own_action() -> hands.Steps:
    """Something to undo that is not ours: the cube goes one metre along X."""
    x, y = hands.middle("WINDOW")
    yield from hands.move(x, y)
    for key, letter in (("G", "g"), ("X", "x"), ("ONE", "1")):
        yield from hands.press(key, x, y, unicode=letter)
    yield from hands.press("RET", x, y)
    yield 0.3
    check("the artist moved the cube", abs(cube().location.x - 1) < 1e-6)


def type_the_prompt() -> hands.Steps:
    places: list[tuple[int, int]] = []
    yield from hands.find_field("dtex.prompt", lambda x, y: places.append((x, y)))
    check("the prompt's field is in the sidebar", places)
    x, y = places[0]
    yield from hands.click(x, y)
    yield from hands.press("A", x, y, ctrl=True)
    yield from hands.write(PROMPT, x, y)
    yield from hands.press("RET", x, y)
    yield 0.2
    check("the typed prompt is in the settings", bpy.context.scene.dtex.prompt == PROMPT)
    settings = bpy.context.scene.dtex
    settings.random_seed, settings.seed, settings.mapping_scale = False, 7, 2.0


def push(command: str, what: str, editor: str = "VIEW_3D") -> hands.Steps:
    places: list[tuple[int, int]] = []
    yield from hands.find_button(command, lambda x, y: places.append((x, y)), editor)
    check(f"the button {what} is in the sidebar", places)
    yield from hands.click(*places[0])


def generate(pulse: Pulse) -> hands.Steps:
    """Press the button, look at the progress, wait for the material."""
    before = pictures()
    yield from push("dtex.generate", "Generate")
    pulse.start()
    started = time.monotonic()
    yield from until(lambda: latest() is not None, 5, "the job")
    check("the operator returned before the texture was there", not latest().over)
    progress: list[float] = []

    def working() -> bool:
        progress.append(latest().progress)
        return latest().results

    yield from until(working, 150, "the first result")
    seen["gap_while_generating"] = round(pulse.longest, 3)
    pulse.start()
    yield from until(lambda: latest().over and pictures() != before, 60, "the material")
    yield 0.5
    seen["gap_while_delivering"] = round(pulse.longest, 3)
    seen["seconds_to_material"] = round(time.monotonic() - started, 2)
    seen["progress"] = sorted({round(value, 3) for value in progress})
    check("progress was seen to grow", len(seen["progress"]) >= 3)
    check("the job ended well", latest().state.value == "done")
    seen["pictures"] = pictures()
    check("the cube's material has the pictures", len(pictures()) >= 4)


def undo_and_redo() -> hands.Steps:
    """Ctrl-Z takes back exactly our step, then the artist's; Ctrl-Shift-Z brings both again."""
    x, y = hands.middle("WINDOW")
    ours = pictures()
    yield from hands.move(x, y)
    yield from hands.press("Z", x, y, ctrl=True)
    yield 0.5
    check("undo takes our material away", pictures() != ours)
    check("undo leaves the artist's action alone", abs(cube().location.x - 1) < 1e-6)
    yield from hands.press("Z", x, y, ctrl=True, shift=True)
    yield 0.5
    check("redo brings our material back", pictures() == ours)
    for _ in range(2):
        yield from hands.press("Z", x, y, ctrl=True)
        yield 0.5
    check("a second undo takes the artist's action back", abs(cube().location.x) < 1e-6)
    for _ in range(2):
        yield from hands.press("Z", x, y, ctrl=True, shift=True)
        yield 0.5
    check("two redos bring both back", pictures() == ours and abs(cube().location.x - 1) < 1e-6)


def cancel() -> hands.Steps:
    """A long job, taken back with the button that appears while it runs."""
    before = pictures()
    bpy.context.scene.dtex.size = "4096"
    yield from push("dtex.generate", "Generate")
    yield from until(lambda: latest().state.value == "running", 30, "the long job")
    yield 0.5
    hands.photograph(f"{FOLDER}/running.png")
    yield from push("dtex.cancel", "Cancel")
    asked = time.monotonic()
    yield from until(lambda: latest().over, 40, "the end of the cancelled job")
    seen["seconds_to_cancel"] = round(time.monotonic() - asked, 2)
    yield 0.3
    check("a cancellation takes less than 15 seconds", seen["seconds_to_cancel"] < 15)
    check("the job says that it was cancelled", latest().state.value == "cancelled")
    check("a cancelled job changes nothing", pictures() == before)


def show() -> hands.Steps:
    """The picture for the guide: the cube with its material, the tab beside it."""
    x, y = hands.middle("WINDOW")
    space = hands.area().spaces.active
    space.shading.type = "MATERIAL"
    space.overlay.show_cursor = space.overlay.show_floor = space.overlay.show_axis_x = (
        space.overlay.show_axis_y
    ) = False
    space.region_3d.view_distance = 5.0
    # The default cube's sides are unwrapped lying down; turned over, its courses of bricks are level.
    cube().rotation_euler.x = math.pi / 2
    space.region_3d.view_location = cube().location
    yield from hands.move(x, y + 250)
    yield 8.0
    photograph_for_the_guide("sidebar.png", "-crop", CROP)


def photograph_for_the_guide(name: str, *options: str) -> None:
    """What the guide shows, as a small file."""
    hands.photograph(f"PNG8:{FOLDER}/{name}", *options, "+repage", "+dither", "-colors", "255", "-strip")


def photo_of_a_wall() -> bpy.types.Image:
    """A part of the wall, as a camera would have caught it: it tiles in neither direction."""
    wall = next(image for image in bpy.data.images if image.name.endswith("_basecolor"))
    pixels = np.empty(wall.size[0] * wall.size[1] * wall.channels, np.float32)
    wall.pixels.foreach_get(pixels)
    part = pixels.reshape(wall.size[1], wall.size[0], wall.channels)[90:560, 70:710]
    image = bpy.data.images.new("photo.png", part.shape[1], part.shape[0])
    opaque = np.ones((*part.shape[:2], 4), np.float32)
    opaque[..., :3] = part[..., :3]
    image.pixels.foreach_set(opaque.ravel())
    image.update()
    return image


def make_seamless() -> hands.Steps:
    """In an Image Editor: the photo alone, one button, and then three by three of what came back."""
    hands.area().type = "IMAGE_EDITOR"
    yield 0.5
    space = hands.area("IMAGE_EDITOR").spaces.active
    space.image = photo = photo_of_a_wall()
    yield from hands.open_tab("Dream Textures", "IMAGE_EDITOR")
    materials = pictures()
    yield from push("dtex.show_tiled", "Show 3 × 3", "IMAGE_EDITOR")
    yield 1.0
    check("the photo is seen three by three", space.show_repeat and 3 <= repeats_seen(space) < 3.3)
    hands.photograph(f"{FOLDER}/photo.png", "-crop", CROP, "+repage")
    yield from push("dtex.show_tiled", "Show 3 × 3", "IMAGE_EDITOR")
    yield 0.5
    check("and alone again", not space.show_repeat and 1 <= repeats_seen(space) < 1.1)
    yield from push("dtex.make_seamless", "Make Seamless", "IMAGE_EDITOR")
    yield from until(lambda: "photo Seamless" in bpy.data.images, 60, "the image that tiles")
    yield 1.0
    report = latest().results[0].seams
    check("the new image tiles", all(report[axis]["tiles"] for axis in "xy"))
    check("the editor shows it in place of the photo", space.image.name == "photo Seamless")
    check("three by three of it are seen", space.show_repeat and 3 <= repeats_seen(space) < 3.3)
    check("the photo is still there", photo.name == "photo.png" and photo.size[0] == 640)
    check("the material is as it was", pictures() == materials)
    photograph_for_the_guide("make_seamless.png", "-crop", EDITOR, "-resize", "1040x")
    x, y = hands.middle("WINDOW", "IMAGE_EDITOR")
    yield from hands.move(x, y)
    yield from hands.press("Z", x, y, ctrl=True)
    yield 0.5
    check("one undo takes the new image away", "photo Seamless" not in bpy.data.images)
    check("and nothing else", pictures() == materials)
    hands.area("IMAGE_EDITOR").type = "VIEW_3D"
    yield 0.5


def repeats_seen(space: bpy.types.SpaceImageEditor) -> float:
    """How many of its image fit into the editor beside the sidebar, across or upwards, whichever is fewer."""
    place = hands.region("WINDOW", "IMAGE_EDITOR")
    room = hands.region("UI", "IMAGE_EDITOR").x - place.x
    width, height = space.image.size
    across, upwards = space.zoom
    return min(room / (width * across), place.height / (height * upwards))


def kill_the_generator() -> hands.Steps:
    """The generator dies unnoticed while it is idle; the next job is written to a pipe that nobody reads."""
    settings = bpy.context.scene.dtex
    settings.size, settings.width, settings.height = "custom", 128, 128
    os.kill(part("runtime_state").runtime().session.pid, signal.SIGKILL)
    bpy.ops.dtex.generate("INVOKE_DEFAULT")
    before = pictures()
    yield from until(
        lambda: latest().over and pictures() != before, 60, "the job after the generator was killed"
    )
    check("a generator that was killed is replaced, and Blender lives", latest().state.value == "done")


def story() -> hands.Steps:
    pulse = Pulse()
    yield 1.0
    yield from install()
    yield from setting_up.set_up(part, check, until, FOLDER, ADDON)
    yield from hands.open_tab("Dream Textures")
    check("the tab is open", hands.region("UI").active_panel_category == "Dream Textures")
    hands.photograph(f"{FOLDER}/empty.png")
    yield from type_the_prompt()
    yield from artists_own_action()
    pulse.start()
    yield 2.0
    seen["gap_while_idle"] = round(pulse.longest, 3)
    yield from generate(pulse)
    hands.photograph(f"{FOLDER}/made.png")
    yield from undo_and_redo()
    yield from show()
    hands.area().spaces.active.shading.type = "SOLID"
    yield from make_seamless()
    yield from kill_the_generator()
    yield from cancel()
    # Blender quits in the middle of a job: what it started must end with it.
    bpy.context.scene.dtex.size = "4096"
    bpy.ops.dtex.generate("INVOKE_DEFAULT")
    yield from until(lambda: latest().state.value == "running", 30, "the last job")


steps = story()


def advance() -> float | None:
    """One step of the story; a failure is noted, and Blender quits either way."""
    try:
        return next(steps)
    except StopIteration:
        pass
    except Exception:
        seen["error"] = traceback.format_exc()
        print(seen["error"], flush=True)
        hands.photograph(f"{FOLDER}/failure.png")
    Path(FOLDER, "result.json").write_text(json.dumps(seen, indent=1), encoding="utf-8")
    bpy.ops.wm.quit_blender()
    return None


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.show_developer_ui = True
bpy.app.timers.register(advance, first_interval=1.0, persistent=True)
