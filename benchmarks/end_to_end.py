# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole images, from words to pixels: the product's own path beside the plain pipeline and dream-textures' way."""

from __future__ import annotations

import copy
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from floors import summed_up
from full_models import kl_decoder, sdxl_unet, unet
from start_folder import VOCABULARY, tokenizer
from wrap_ways import WAYS

from generator.diffusion import families, sampling
from generator.diffusion.compiling import COMPILER
from generator.diffusion.ladder import Plan
from generator.diffusion.loaded import Loaded
from generator.diffusion.schedulers import make_scheduler
from generator.lifetime import STAYS
from generator.protocol import Request

PROMPT = "mossy red brick wall"
_ROUNDS = 3
HEAD = (
    "| model | images | steps | way | seconds | s an image | by plain |\n|---|---:|---:|---|---:|---:|---:|"
)


class Clock(Protocol):
    """As in ``speed.py``."""

    @property
    def left(self) -> float:
        """Seconds."""
        ...


def end_to_end(
    add: Callable[[str], None], device: torch.device, dtype: torch.dtype, reduced: bool, clock: Clock
) -> None:
    """Give ``add`` the table's rows, as far as there is time: 20 and 30 steps, one image and eight."""
    STAYS.set()  # measured is a program that has been running for a while
    for name, make, side in (("SD 1.5", _sd1, 512), ("SDXL", _sdxl, 1024)):
        if clock.left < 60:
            add(f"| {name} | | | no time was left | | | |")
            continue
        rival = make(device, dtype, reduced)
        loaded = Loaded(copy.copy(rival), families.UNET, Plan(device, dtype))  # the same weights
        loaded.place(loaded.plan)
        side = 128 if reduced else side
        for count, steps in ((1, 20), (1, 30), (8, 20)):
            if clock.left < 60:
                break
            _rows(add, loaded, rival, name, side, count, 4 if reduced else steps, clock)
        loaded.let_go()
        del loaded, rival
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _rows(
    add: Callable[[str], None],
    loaded: Loaded,
    rival: Any,
    name: str,
    side: int,
    count: int,
    steps: int,
    clock: Clock,
) -> None:
    request = Request(
        prompt=PROMPT, width=side, height=side, num_inference_steps=steps, guidance_scale=7.5, count=count,
        scheduler="dpmpp_2m",
    )  # fmt: skip
    ways: dict[str, Callable[[], None]] = {
        "plain": lambda: _plain(rival, request, "plain"),
        "dream-textures' way": lambda: _plain(rival, request, "dream-textures' way"),
        "ours": lambda: _ours(loaded, request),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for way, run in ways.items():  # what is seen for the first time is recorded, and compiled beside
        for _ in range(3 if way == "ours" else 1):
            run()
            if way == "ours":
                COMPILER.wait(max(1.0, min(240.0, clock.left - 30)))
    for _ in range(_ROUNDS):
        for way, run in ways.items():
            _wait_for(loaded.plan.device)
            started = time.perf_counter()
            run()
            _wait_for(loaded.plan.device)
            seconds[way].append(time.perf_counter() - started)
    best = {way: summed_up(taken, loaded.plan.device) for way, taken in seconds.items()}
    for way, taken in best.items():
        share = taken / best["plain"]
        label = f"{way} ({_engine(loaded)})" if way == "ours" else way
        add(f"| {name} | {count} | {steps} | {label} | {taken:.3f} | {taken / count:.3f} | {share:.3f} |")


def _engine(loaded: Loaded) -> str:
    found = loaded.acceleration
    if found is None:
        return "eager"
    replayed = found.graphs is not None and found.graphs.replayed > 0
    names = [
        name
        for name, used in (("graphs", replayed), ("compiled", found.ways.compiled and COMPILER.done))
        if used
    ]
    return " and ".join(names) or "eager"


def _ours(loaded: Loaded, request: Request) -> None:
    """What `generator.diffusion.model` does for a batch."""
    device, seeds = loaded.plan.device, [request.image_seed(index) for index in range(request.count)]
    with torch.no_grad(), loaded.on_torus((request.width, request.height), request.seed, True, True):
        made = sampling.denoise(
            loaded.pipeline, loaded.family, loaded.scheduler, request, seeds, None, lambda *_: None, device
        )
    for latents in made.split(1):
        with torch.no_grad(), loaded.codec_on_torus(True, True):
            loaded.codec.decode(latents, (True, True), _Silent())


def _plain(pipeline: Any, request: Request, way: str) -> None:
    """The pipeline as anybody calls it, its convolutions changed or not; pixels come back to main memory."""
    on_card = next(pipeline.unet.parameters()).device.type == "cuda"
    pipeline.scheduler = make_scheduler(pipeline.scheduler, request.scheduler)
    with WAYS[way](pipeline.unet), WAYS[way](pipeline.vae):
        for _ in range(1 if on_card else request.count):  # a processor gains nothing by a batch
            pipeline(
                request.prompt,
                width=request.width,
                height=request.height,
                num_inference_steps=request.num_inference_steps,
                guidance_scale=request.guidance_scale,
                num_images_per_prompt=request.count if on_card else 1,
                output_type="np",
            )


class _Silent:
    def check(self) -> None:
        pass

    def loading(self, what: str, fraction: float | None = None) -> None:
        pass

    def step(self, index: int, step: int, steps: int, preview: Any = None, together: int = 1) -> None:
        pass

    def notice(self, message: str) -> None:
        pass


def _sd1(device: torch.device, dtype: torch.dtype, reduced: bool) -> Any:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    width = 64 if reduced else 768
    return _finished(
        StableDiffusionPipeline(
            unet=unet(64, 1, device, dtype, reduced).module,  # type: ignore[arg-type]
            vae=kl_decoder(64, 1, device, dtype, reduced).module,  # type: ignore[arg-type]
            text_encoder=_text(width, 12, device, dtype, reduced),
            tokenizer=_tokenizer(),
            scheduler=_scheduler(),
            safety_checker=None,  # type: ignore[arg-type]
            feature_extractor=None,  # type: ignore[arg-type]
            requires_safety_checker=False,
        )
    )


def _sdxl(device: torch.device, dtype: torch.dtype, reduced: bool) -> Any:
    from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import StableDiffusionXLPipeline

    words = _tokenizer()
    return _finished(
        StableDiffusionXLPipeline(
            unet=sdxl_unet(64, 1, device, dtype, reduced).module,  # type: ignore[arg-type]
            vae=_narrow(kl_decoder(64, 1, device, dtype, reduced).module),  # type: ignore[arg-type]
            text_encoder=_text(64 if reduced else 768, 12, device, dtype, reduced),
            text_encoder_2=_text(64 if reduced else 1280, 32, device, dtype, reduced, projection=True),
            tokenizer=words,
            tokenizer_2=words,
            scheduler=_scheduler(),
            add_watermarker=False,
        )
    )


def _narrow(vae: Any) -> Any:
    """For all ways alike: a decoder that need not be made wider for every picture, as the mended ones for SDXL."""
    vae.register_to_config(force_upcast=False)
    return vae


def _finished(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _text(
    width: int, layers: int, device: torch.device, dtype: torch.dtype, reduced: bool, projection: bool = False
) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_attention_heads=width // 64,
        num_hidden_layers=2 if reduced else layers,
        projection_dim=width,
        vocab_size=VOCABULARY,
        bos_token_id=VOCABULARY - 2,
        eos_token_id=VOCABULARY - 1,
        pad_token_id=VOCABULARY - 1,
    )
    kind: Any = CLIPTextModelWithProjection if projection else CLIPTextModel
    with torch.device(device):
        return kind(config).eval().requires_grad_(False).to(dtype)


def _tokenizer() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return tokenizer(Path(folder) / "words")


def _scheduler() -> Any:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False
    )


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
