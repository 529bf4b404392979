# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that really runs out, in a process that may have only so much, and memory that really comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_models

HERE, ROOT = Path(__file__).parent, Path(__file__).resolve().parents[3]
LIMITED = """
import json, resource, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from recorder import Recorder, loaded
import psutil, torch
from generator import diffusion
from generator.progress import GenerationError
from generator.protocol import Request
torch.set_num_threads(1)
request = Request(prompt="brick", model="tiny", width=64, height=64, num_inference_steps=1, seed=4)
model = diffusion.load(Path(sys.argv[2]), "fp32", "cpu", Recorder())
next(model.generate(request, None, Recorder()))  # whatever is allocated only once
held = psutil.Process().memory_info().vms

def told(size, megabytes):
    resource.setrlimit(resource.RLIMIT_AS, (held + (megabytes << 20), resource.RLIM_INFINITY))
    progress = Recorder()
    try:
        picture = next(model.generate(replace(request, width=size, height=size), None, progress))
        return [float(picture.std()), *progress.notices]
    except GenerationError as error:
        return [error.kind, error.message]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

# How much the tiles take depends on the machine's allocator: the first amount with which an image comes at all.
for megabytes in range(150, 1000, 40):
    first = told(768, megabytes)
    if first[0] != "out_of_memory":
        break
if len(first) == 1:  # a whole one: the amounts that are enough for tiles and for nothing more lie closer together
    for less in range(megabytes - 32, megabytes, 8):
        found = told(768, less)
        if found[0] != "out_of_memory" and len(found) == 2:
            first = found
            break
print(json.dumps([first, told(768, 20), told(768, 4000)]))
"""
RELEASED = """
import json, sys
from pathlib import Path
import psutil
from generator.diffusion.free_memory import held_privately
from generator.engine import Engine
from generator.protocol import Failed, Request
import torch
torch.set_num_threads(1)
request = Request(prompt="brick", model=sys.argv[1], width=64, height=64, num_inference_steps=1, precision="fp16",
                  maps=("basecolor",))
engine, events, held = Engine(), [], []
for _ in range(3):
    engine.run("job", request, None, events.append)
    loaded = held_privately()
    assert engine.loaded == sys.argv[1] == engine.release()
    held.append([loaded, held_privately()])
assert engine.loaded == "" == engine.release()
print(json.dumps([held, [event.message for event in events if isinstance(event, Failed)]]))
"""


def run(script: str, *arguments: object, state: Path) -> list:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DREAM_TEXTURES_STATE": str(state),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process cannot be given less memory")
def test_a_process_with_too_little_memory_makes_the_image_in_tiles_or_says_so_and_lives_on(
    folders, own_state
):
    wide = {"block_out_channels": (16, 16, 16, 16), "norm_num_groups": 4}
    folder = tiny_models.save_sd(own_state / "wide", vae=tiny_models.vae(**wide))
    tiled, failed, whole = run(LIMITED, HERE, folder, state=own_state)
    assert tiled[0] > 0.02
    assert len(tiled) == 2
    assert "the image was decoded in tiles" in tiled[1]
    assert failed[0] == "out_of_memory", failed
    assert "at 768 x 768" in failed[1]
    assert whole[0] > 0.02


def test_a_released_model_s_memory_comes_back_to_the_system(own_state):
    # Stored in another format than it computes in, so that reading makes a copy: 130 MB.
    unet = tiny_models.unet("sd1", block_out_channels=(128, 256, 256, 512))
    folder = tiny_models.save_sd(own_state / "large", unet=unet)
    weights = 2 * sum(tensor.numel() for tensor in unet.parameters())
    held, failed = run(RELEASED, folder, state=own_state)
    assert failed == []
    for loaded, released in held:
        assert loaded - released > 0.9 * weights
    assert held[2][1] - held[0][1] < 0.1 * weights, "nor does anything stay behind each time"
