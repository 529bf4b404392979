# SPDX-License-Identifier: GPL-3.0-or-later
"""Three Blenders, one after the other, in a real window: ``--python crash_scenario.py -- ACT ZIP FOLDER``.

The first is killed in the middle of its jobs. The second must offer them by itself, makes them when a button is
clicked, and is closed in the middle of another. The third must offer that one. Each writes ``FOLDER/ACT.json``.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import hands

ACT, ZIP, FOLDER = sys.argv[sys.argv.index("--") + 1 :]
ADDON = "bl_ext.user_default.dream_textures_addon"
seen: dict[str, Any] = {"checks": [], "error": ""}


def check(what: str, holds: object) -> None:
    """Note a statement that must be true."""
    seen["checks"].append([what, bool(holds)])
    print(f"{'ok' if holds else 'FAILED'}: {what}", flush=True)


def part(name: str) -> ModuleType:
    """A module of the installed add-on."""
    return importlib.import_module(f"{ADDON}.{name}")


def state() -> Any:
    """What runs while the add-on is enabled."""
    return part("runtime_state").runtime()


def until(condition: Any, seconds: float, what: str) -> hands.Steps:
    """Wait for something, as long as Blender stays alive."""
    deadline = time.monotonic() + seconds * hands.PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:g} s in vain: {what}")
        yield 0.05


def generate(prompt: str, side: int, seed: int) -> Any:
    """Press Generate with these settings; the new job."""
    settings = bpy.context.scene.dtex
    settings.prompt, settings.size, settings.width, settings.height = prompt, "custom", side, side
    settings.random_seed, settings.seed = False, seed
    bpy.ops.dtex.generate("INVOKE_DEFAULT")
    return state().board.latest


def pictures() -> list[str]:
    """The images that the cube's material uses."""
    material = bpy.data.objects["Cube"].active_material
    nodes = material.node_tree.nodes if material and material.node_tree else []
    return sorted(node.image.name for node in nodes if node.type == "TEX_IMAGE" and node.image)


def push(command: str, what: str, across: float = 1 / 3) -> hands.Steps:
    """Find a button in the sidebar, so far to the right, and click it."""
    places: list[tuple[int, int]] = []
    yield from hands.find_button(command, lambda x, y: places.append((x, y)), across=across)
    check(f"the button {what} is in the sidebar", places)
    yield from hands.click(*places[0])


def offered() -> dict[str, bool]:
    """What is offered, by its words, and whether it is finished."""
    return {offer.entry.title: offer.finished for offer in state().offers}


def crash() -> hands.Steps:
    """One texture finished for a file that was closed, one being made, two waiting; then the end without a word."""
    bpy.ops.extensions.package_install_files(
        filepath=ZIP, repo="user_default", enable_on_install=True, overwrite=True
    )
    yield 0.5
    done = generate("grey sand", 256, 1)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    yield from until(lambda: done.over and done.target.ready, 90, "the first texture")
    check("it was not put into another file", not pictures())
    yield from hands.open_tab("Dream Textures")
    running = generate("blue tiles", 4096, 2)
    generate("oak planks", 256, 3)
    last = generate("rusty metal", 256, 4)
    yield from until(lambda: running.state.value == "running", 60, "the second texture")
    yield from push("dtex.move_job", "Move Down", 0.74)
    hands.photograph(f"{FOLDER}/queue.png")
    check("a click changes the order", state().board.waiting[0].title == last.title)
    write_down()
    os.kill(os.getpid(), signal.SIGKILL)
    yield 1.0


def recover() -> hands.Steps:
    """Everything is offered, and made after one click; then Blender is closed in the middle of another."""
    bpy.ops.preferences.addon_enable(module=ADDON)
    yield from until(lambda: len(state().offers) == 4, 30, "the offers of the Blender that was killed")
    words = {"grey sand": True, "blue tiles": False, "oak planks": False, "rusty metal": False}
    check("each is offered as what it is", offered() == words)
    yield from hands.open_tab("Dream Textures")
    yield 2.0
    hands.photograph(f"{FOLDER}/offers.png")
    check("nothing starts by itself", state().board.active is None and state().session is None)
    yield from push("dtex.place_job", "Apply to Active")
    yield from until(lambda: any("grey-sand" in name for name in pictures()), 60, "the finished texture")
    yield from push("dtex.resume_jobs", "Resume")
    yield from until(lambda: "blue tiles" not in offered(), 30, "what was resumed")
    large = state().board.latest
    yield from until(lambda: large.state.value == "running", 60, "what was resumed to be made")
    bpy.ops.dtex.resume_jobs("INVOKE_DEFAULT")
    yield from until(lambda: not offered(), 30, "the others")
    hands.photograph(f"{FOLDER}/resumed.png")
    bpy.ops.dtex.cancel()
    yield from until(lambda: not offered() and state().board.active is None, 240, "all that were resumed")
    # At once, while the last is still being encoded: it must not get lost.
    job = generate("white marble", 2048, 5)
    yield from until(lambda: job.state.value == "running", 60, "the last job")
    made = {image.name for image in bpy.data.images}
    expected = {"grey-sand_1_basecolor", "oak-planks_3_basecolor", "rusty-metal_4_basecolor"}
    check("all but the cancelled one are made, with their seeds", expected <= made)


def reopen() -> hands.Steps:
    """What was being made when Blender was closed is offered, and nothing else."""
    bpy.ops.preferences.addon_enable(module=ADDON)
    yield from until(lambda: state().offers, 30, "the offer of the Blender that was closed")
    check("what was being made when Blender was closed is offered", offered() == {"white marble": False})
    yield from hands.open_tab("Dream Textures")
    yield from push("dtex.discard_jobs", "Discard", 0.81)
    yield 0.5
    check("what is discarded is gone", not offered())


steps = {"crash": crash, "recover": recover, "reopen": reopen}[ACT]()


def write_down() -> None:
    """Keep what was seen."""
    Path(FOLDER, f"{ACT}.json").write_text(json.dumps(seen, indent=1), encoding="utf-8")


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
    write_down()
    bpy.ops.wm.quit_blender()
    return None


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.show_developer_ui = True
bpy.app.timers.register(advance, first_interval=1.0, persistent=True)
