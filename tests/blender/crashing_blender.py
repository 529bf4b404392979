# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender of its own, for tests that kill it: ``crashing_blender.py MODULE COMMAND [FILE]``.

``leave`` leaves a finished texture, one that is being made and one that waits, says so, and goes on until it is
killed. ``recover`` looks what was left, resumes and places all of it, and says what came of that, as JSON. The user's
folder is named by ``BLENDER_USER_RESOURCES``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import bpy

MODULE = sys.argv[1]
LARGE = {"width": 1024, "height": 1024}
SMALL = {"width": 64, "height": 64}


def submodule(name: str) -> Any:
    """A module of the installed add-on."""
    return sys.modules[f"{MODULE}.{name}"]


def pump_until(condition: Callable[[], bool]) -> None:
    """Pump as the timer would."""
    end = time.monotonic() + 120.0
    while not condition():
        if time.monotonic() > end:
            sys.exit("waited in vain")
        submodule("pump").drain()
        time.sleep(0.02)


def start(**wishes: Any) -> Any:
    """Start a job as the button does in a window."""
    settings = bpy.context.scene.dtex
    settings.size, settings.random_seed = "custom", False
    for name, value in wishes.items():
        setattr(settings, name, value)
    compose = submodule("compose")
    return submodule("submission").start(bpy.context, compose.Wishes(settings), compose.compose_texture)


def leave(path: str) -> None:
    """Start three jobs, and be killed while the second is made."""
    done = start(prompt="red bricks", seed=1, **SMALL)
    bpy.ops.wm.read_homefile(use_factory_startup=True)  # so that it cannot be placed
    pump_until(lambda: done.over and done.target.ready)
    bpy.ops.wm.save_as_mainfile(filepath=path)
    photo = bpy.data.images.new("photo", 32, 32)
    running = start(prompt="blue tiles", seed=2, **LARGE)
    start(prompt="oak planks", seed=3, source=photo, target="new", **SMALL)
    pump_until(lambda: running.state.value in ("loading", "running"))
    keeper = submodule("runtime_state").runtime().keeper
    keeper.picture(keeper.entry(running.id), 0).exception(10)  # so that it is written down
    print(f"left {submodule('runtime_state').runtime().session.pid}", flush=True)
    pump_until(lambda: False)


def recover(path: str) -> None:
    """Open the file again and take up what was left."""
    bpy.ops.wm.open_mainfile(filepath=path)
    state = submodule("runtime_state").runtime()
    bpy.ops.dtex.find_jobs()
    offers = {offer.entry.title: (offer.finished, offer.line) for offer in state.offers}
    unfinished = [offer for offer in state.offers if not offer.finished]
    heading = submodule("offers").heading(unfinished)
    (finished,) = [offer.id for offer in state.offers if offer.finished]
    bpy.ops.dtex.resume_jobs()
    cube = bpy.data.objects["Cube"]
    resumed = [node.image.name for node in cube.active_material.node_tree.nodes if node.type == "TEX_IMAGE"]
    bpy.ops.dtex.place_job(job=finished)
    placed = [node.image.name for node in cube.active_material.node_tree.nodes if node.type == "TEX_IMAGE"]
    answer = {
        "offers": offers,
        "heading": heading,
        "resumed": sorted(resumed),
        "placed": sorted(placed),
        "images": sorted(image.name for image in bpy.data.images),
        "left": len(state.offers),
        "seeds": sorted(job.request.seed for job in state.board),
    }
    bpy.ops.preferences.addon_disable(module=MODULE)
    print(json.dumps(answer), flush=True)


bpy.ops.preferences.addon_enable(module=MODULE)
{"leave": leave, "recover": recover}[sys.argv[2]](sys.argv[3])
sys.stdout.flush()
os._exit(0)  # Blender 4.2 as a module crashes in its own ending
