# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to the model is settled once it is there, and stands in the recipe."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_loras
import tiny_models
import torch
from diffusers.pipelines.latent_consistency_models.pipeline_latent_consistency_text2img import (
    LatentConsistencyModelPipeline,
)
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from test_through_the_product import run

from generator.diffusion import schedulers
from generator.diffusion.few_steps import made_for
from generator.pixels import from_wire, reference
from generator.protocol import (
    SCHEDULERS,
    Event,
    Failed,
    Finished,
    Loading,
    Lora,
    Notice,
    Request,
    Result,
    Step,
)

ROOT = Path(__file__).resolve().parents[3]
REQUEST = Request(
    prompt="mossy brick", model="tiny", width=64, height=64, seed=3, maps=("basecolor",), precision="fp32"
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made for")


@pytest.fixture(scope="module")
def ordinary(places: Path) -> Path:
    return tiny_models.save_sd(places / "ordinary")


@pytest.fixture(scope="module")
def consistent(places: Path) -> Path:
    """A full latent consistency model: its unet is told the guidance scale."""
    unet = tiny_models.unet("sd1", time_cond_proj_dim=8)
    scheduler = LCMScheduler(clip_sample=False, steps_offset=1, **tiny_models.BETAS)
    folder = tiny_models.save_sd(places / "consistent", unet=unet, scheduler=scheduler)
    parts = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True).components
    LatentConsistencyModelPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return folder


def lcm_lora(places: Path, ordinary: Path) -> str:
    return str(tiny_loras.save_lora(places / "lcm-lora-sdv1-5", ordinary))


def recipe(events: list[Event]) -> dict:
    assert isinstance(events[-1], Finished), events[-1]
    (result,) = [event for event in events if isinstance(event, Result)]
    for axis in ("x", "y"):
        assert result.seams[axis]["tiles"] is not False
    return result.recipe


def numbers(made: dict) -> tuple[int, float, str]:
    return made["num_inference_steps"], made["guidance_scale"], made["scheduler"]


def picture(events: list[Event]) -> np.ndarray:
    (result,) = [event for event in events if isinstance(event, Result)]
    return from_wire(result.image)


def last_step(events: list[Event]) -> tuple[int, int]:
    step = [event for event in events if isinstance(event, Step)][-1]
    return step.step, step.steps


def notices(events: list[Event]) -> str:
    return " ".join(event.message for event in events if isinstance(event, Notice))


def test_an_ordinary_model_takes_its_time(ordinary: Path) -> None:
    events = run(replace(REQUEST, model=str(ordinary)))
    assert numbers(recipe(events)) == (25, 7.5, "")
    assert last_step(events)[0] >= 25


def test_a_full_consistency_model_is_told_its_guidance_and_runs_one_pass(consistent: Path) -> None:
    request = replace(REQUEST, model=str(consistent), negative_prompt="rust")
    events = run(request)
    assert numbers(recipe(events)) == (4, 8.0, "")
    assert last_step(events) == (4, 4)
    assert "does not take a negative prompt" in notices(events)
    assert not np.array_equal(picture(events), picture(run(replace(request, guidance_scale=2.0))))


def test_a_full_consistency_model_starts_from_an_image_as_well(consistent: Path) -> None:
    rows, columns = np.mgrid[0:64, 0:64] * (2 * np.pi / 64)
    wave = 128 + 60 * np.sin(3 * columns) + 50 * np.cos(2 * rows + columns)
    source = np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)
    events = run(replace(REQUEST, model=str(consistent), source=reference(source), strength=0.5), source)
    assert numbers(recipe(events)) == (4, 8.0, "")
    done, steps = last_step(events)
    assert done == steps


def test_a_lora_for_few_steps_brings_its_numbers_and_its_scheduler(places: Path, ordinary: Path) -> None:
    fast = Lora(lcm_lora(places, ordinary))
    events = run(replace(REQUEST, model=str(ordinary), loras=(fast,)))
    made = recipe(events)
    assert numbers(made) == (4, 1.0, "lcm")
    assert made["loras"] == [{"file": fast.file, "weight": 1.0}]
    assert last_step(events) == (4, 4)
    assert np.array_equal(picture(run(Request.from_json(made))), picture(events)), "the recipe makes it again"


def test_a_lora_that_is_no_use_is_refused_before_the_model_is_loaded(places: Path, ordinary: Path) -> None:
    request = replace(REQUEST, model=str(ordinary))
    (places / "pickled.pt").write_bytes(b"")
    for file, says in (("/nowhere/moss.safetensors", "no LoRA"), (str(places / "pickled.pt"), "pickle")):
        events = run(replace(request, loras=(Lora(file),)))
        assert isinstance(events[-1], Failed)
        assert says in events[-1].message
        assert not any(isinstance(event, Loading) for event in events), "nobody has waited for it"


def test_what_is_chosen_by_hand_wins_and_is_remarked_on_once(places: Path, ordinary: Path) -> None:
    fast = Lora(lcm_lora(places, ordinary))
    by_hand = replace(REQUEST, model=str(ordinary), loras=(fast,), num_inference_steps=25, guidance_scale=7.5)
    events = run(by_hand)
    assert numbers(recipe(events)) == (25, 7.5, "lcm")
    assert notices(events).count("guidance of 7.5") == 1


@pytest.mark.parametrize(
    ("name", "made"),
    [("schnell", (4, 0.0, "")), ("Z-Image-Turbo", (8, 0.0, "")), ("sd3.5-large-turbo", (4, 0.0, ""))],
)
def test_fast_transformers_run_as_they_were_made_for(places: Path, name: str, made: tuple) -> None:
    import tiny_transformers

    save = {
        "schnell": lambda folder: tiny_transformers.save_flux(folder, guidance_embeds=False),
        "Z-Image-Turbo": tiny_transformers.save_z_image,
        "sd3.5-large-turbo": tiny_transformers.save_sd3,
    }
    events = run(replace(REQUEST, model=str(save[name](places / name)), negative_prompt=""))
    assert isinstance(events[-1], Finished), events[-1]
    (result,) = [event for event in events if isinstance(event, Result)]
    assert numbers(result.recipe) == made
    assert last_step(events) == (made[0], made[0])


def test_a_joint_is_painted_with_what_the_model_was_made_for(consistent: Path) -> None:
    rows, columns = np.mgrid[0:64, 0:64]
    grey = 60 + 2 * columns + 20 * np.sin(rows / 5)
    pixels = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    request = replace(REQUEST, task="tile", model=str(consistent), source=reference(pixels), strength=0.5)
    events = run(request, pixels)
    assert not isinstance(events[-1], Failed), events[-1]
    (result,) = [event for event in events if isinstance(event, Result)]
    assert numbers(result.recipe) == (4, 8.0, "")


def test_the_listed_schedulers_are_those_that_there_are() -> None:
    assert tuple(schedulers.SCHEDULERS) == SCHEDULERS


@pytest.mark.parametrize("name", ["euler_trailing", "euler_a_trailing", "ddim_trailing"])
def test_few_steps_begin_at_pure_noise(name: str) -> None:
    own = schedulers.make_scheduler(LCMScheduler(**tiny_models.BETAS), "euler")
    trailing, usual = (schedulers.make_scheduler(own, each) for each in (name, name.replace("_trailing", "")))
    for scheduler in (trailing, usual):
        scheduler.set_timesteps(4)
    assert int(trailing.timesteps[0]) == 999
    assert [int(step) for step in trailing.timesteps] == [999, 749, 499, 249]
    assert [int(step) for step in usual.timesteps] != [999, 749, 499, 249]


def test_more_steps_than_consistency_was_trained_on_are_refused_in_a_sentence(consistent: Path) -> None:
    events = run(replace(REQUEST, model=str(consistent), num_inference_steps=51))
    assert isinstance(events[-1], Failed)
    assert "at most 50 steps" in events[-1].message
    assert events[-1].advice
    another = schedulers.make_scheduler(LCMScheduler(**tiny_models.BETAS), "euler")
    schedulers.check_steps(another, 51)


def test_trajectory_consistency_draws_some_of_its_noise_anew() -> None:
    own = LCMScheduler(**tiny_models.BETAS)
    ours, plain = (schedulers.make_scheduler(own, "tcd") for _ in range(2))
    noise, output = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    drawn = [torch.Generator().manual_seed(2) for _ in range(2)]
    schedulers.instrument(ours, [drawn[0]], noise, lambda _denoised: None)
    for scheduler in (ours, plain):
        scheduler.set_timesteps(4)
    # As the pipelines call it, with an eta of their own.
    made = ours.step(output, ours.timesteps[0], noise, eta=0.0, return_dict=False)[0]
    wanted = plain.step(output, plain.timesteps[0], noise, eta=0.3, generator=drawn[1], return_dict=False)[0]
    assert torch.equal(made, wanted)


def test_a_settled_name_is_one_of_the_schedulers(places: Path, ordinary: Path) -> None:
    for file in ("Hyper-SD15-8steps-lora", "Hyper-SD15-1step-lora", "sdxl_lightning_4step_lora", "TCD-lora"):
        lora = tiny_loras.save_lora(places / "some", ordinary)
        named = lora.rename(lora.with_name(f"{file}.safetensors"))
        made = made_for(ordinary, [Lora(str(named))])
        assert made.kind
        events = run(replace(REQUEST, model=str(ordinary), loras=(Lora(str(named)),)))
        assert numbers(recipe(events)) == (made.steps, 0.0, made.scheduler)


def test_the_command_line_leaves_the_numbers_to_the_lora(
    places: Path, ordinary: Path, tmp_path: Path
) -> None:
    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "generator", "generate", *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    common = (
        "brick",
        "--model",
        ordinary,
        "--size",
        64,
        "--seed",
        1,
        "--maps",
        "none",
        "--no-sheet",
        "--json",
    )
    done = call(*common, "--lora", f"{lcm_lora(places, ordinary)}:0.5", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"scheduler": "lcm"' in done.stdout
    assert '"weight": 0.5' in done.stdout
    (made,) = tmp_path.glob("*_basecolor.png")
    again = call("--recipe", made, "--model", "builtin:procedural", "--out", tmp_path / "again", "--json")
    assert again.returncode == 0, again.stderr
    assert '"num_inference_steps": 25' in again.stdout, "the LoRA's numbers were not those of another model"
