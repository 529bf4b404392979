# SPDX-License-Identifier: GPL-3.0-or-later
"""The real generator with faults inside: ``faulty_generator.py FOLDER``. FOLDER counts how often each struck.

A request's negative prompt names its fault. What is broken lies below everything that is to cope with it: the
denoiser's class and the loading of a pipeline in diffusers, the drawing of a material in the built-in model.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from generator.streams import claim_standard_streams

commands, events = claim_standard_streams()

from generator import diffusion, engine, procedural_model  # noqa: E402
from generator.diffusion import opening  # noqa: E402
from generator.serve import serve  # noqa: E402

FOLDER = Path(sys.argv[1])
fault = ""


def first_time() -> bool:
    """Whether the fault strikes for the first time, over all starts of this program."""
    mark = FOLDER / fault.replace(" ", "-")
    fresh = not mark.exists()
    mark.touch()
    return fresh


def strike() -> None:
    """What is fatal wherever it happens."""
    if fault == "always crashes" or (fault == "crashes once" and first_time()):
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "hangs with the lock once" and first_time():
        ctypes.PyDLL(None).sleep(600)  # in C, with Python's global lock held
    if fault == "prints":
        os.write(1, b"a C library that prints\n")
        print("a Python library that prints")


def break_engine() -> None:
    original = engine.Engine.run

    def run(self: Any, job: str, request: Any, *rest: Any) -> None:
        global fault
        fault = request.negative_prompt
        original(self, job, request, *rest)

    engine.Engine.run = run


def break_drawing() -> None:
    original = procedural_model.ProceduralModel.generate

    def generate(self: Any, request: Any, source: Any, progress: Any) -> Iterator[Any]:
        for made in original(self, request, source, progress):
            strike()
            yield made

    procedural_model.ProceduralModel.generate = generate


def break_diffusers() -> None:
    """Only once it is wanted: importing torch takes its time."""
    import torch
    from diffusers import UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    forward, from_pretrained = UNet2DConditionModel.forward, StableDiffusionPipeline.from_pretrained
    calls = 0

    def broken_forward(self: Any, sample: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if fault == "always out of memory" or (fault == "out of memory once" and calls > 2 and first_time()):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if fault == "unknown error":
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        made = forward(self, sample, *arguments, **named)
        half = sample.dtype != torch.float32
        if fault == "not a number" or (fault == "not a number in half precision" and half):
            made[0].fill_(float("nan"))
        return made

    def broken_loading(*arguments: Any, **named: Any) -> Any:
        if fault == "loads slowly":
            time.sleep(3)
        if fault == "dies loading once" and first_time():
            os.kill(os.getpid(), signal.SIGKILL)
        return from_pretrained(*arguments, **named)

    UNet2DConditionModel.forward = broken_forward
    StableDiffusionPipeline.from_pretrained = broken_loading


def break_loading() -> None:
    original, broken = opening._stay_offline, False

    def stay_offline() -> None:
        nonlocal broken
        original()
        if not broken:
            break_diffusers()
            broken = True

    opening._stay_offline = stay_offline


break_engine()
break_drawing()
break_loading()
# Asking torch which devices there are would import it at each of many starts.
diffusion.devices = lambda: [{"id": "cpu", "kind": "cpu", "name": "CPU"}]
sys.exit(serve(commands, events))
