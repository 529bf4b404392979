# SPDX-License-Identifier: GPL-3.0-or-later
"""What models and LoRAs were made for, told from the files that their makers publish."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generator import models
from generator.diffusion.few_steps import LCM, MadeFor, made_for, of_folder, remark
from generator.protocol import Lora, Request

ROOT = Path(__file__).resolve().parents[2]
TRAILING = {"timestep_spacing": "trailing", "prediction_type": "epsilon"}
SD, XL, FLUX = "StableDiffusionPipeline", "StableDiffusionXLPipeline", "FluxPipeline"


def model(
    folder: Path,
    pipeline: str = SD,
    scheduler: dict[str, Any] | None = None,
    unet: dict[str, Any] | None = None,
    transformer: dict[str, Any] | None = None,
) -> Path:
    """A folder with the configuration files of a model and none of its weights."""
    parts = {"model_index.json": {"_class_name": pipeline}}
    parts["scheduler/scheduler_config.json"] = scheduler or {"_class_name": "PNDMScheduler"}
    if transformer is None:
        parts["unet/config.json"] = unet or {}
    else:
        parts["transformer/config.json"] = transformer
    for name, value in parts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    return folder


def lora(file: Path, **metadata: str) -> Lora:
    """A LoRA's file, with what it says of itself."""
    safetensors = pytest.importorskip("safetensors.numpy")
    file.parent.mkdir(parents=True, exist_ok=True)
    safetensors.save_file({"down": np.zeros((1, 2), np.float32)}, file, metadata=metadata or None)
    return Lora(str(file))


def test_an_ordinary_model_is_run_as_it_always_was(tmp_path: Path) -> None:
    assert of_folder(model(tmp_path / "stable-diffusion-v1-5")) == MadeFor("", 25, 7.5, "")
    assert of_folder(model(tmp_path / "base-xl", XL)).guidance == 5.0


def test_whoever_made_a_model_may_say_what_it_is_made_for(tmp_path: Path) -> None:
    folder = model(tmp_path / "small-turbo")
    assert of_folder(folder).kind == "Turbo"
    (folder / "made_for.json").write_text('{"steps": 20, "guidance": 3}')
    assert of_folder(folder) == MadeFor("", 20, 3.0)
    wrong = ("[", "[20, 3]", '{"steps": 20}', '{"steps": "20", "guidance": 3}', '{"steps": 0, "guidance": 3}')
    more = (
        '{"steps": 9999, "guidance": 3}',
        '{"steps": 20, "guidance": NaN}',
        '{"steps": true, "guidance": 3}',
    )
    for text in (*wrong, *more):
        (folder / "made_for.json").write_text(text)
        assert of_folder(folder).kind == "Turbo", text


@pytest.mark.parametrize(
    ("name", "parts", "made"),
    [
        (
            "LCM_Dreamshaper_v7",
            {"scheduler": {"_class_name": "LCMScheduler"}, "unet": {"time_cond_proj_dim": 256}},
            MadeFor(LCM, 4, 8.0, "", embedded=True),
        ),
        (
            "one-of-mine",  # the unet alone was exchanged
            {"unet": {"time_cond_proj_dim": 256}},
            MadeFor(LCM, 4, 8.0, "lcm", embedded=True),
        ),
        ("fused", {"scheduler": {"_class_name": "LCMScheduler"}}, MadeFor(LCM, 4, 1.0, "")),
        ("fused", {"scheduler": {"_class_name": "TCDScheduler"}}, MadeFor("TCD", 4, 0.0, "")),
        (
            "my-model",
            {"pipeline": XL, "scheduler": {"_class_name": "EulerAncestralDiscreteScheduler", **TRAILING}},
            MadeFor("Turbo", 4, 0.0, ""),
        ),
        (
            "sdxl-lightning-8step",
            {"pipeline": XL, "scheduler": {"_class_name": "EulerDiscreteScheduler", **TRAILING}},
            MadeFor("Lightning", 8, 0.0, ""),
        ),
        (
            "DreamShaperXL_Lightning",
            {"pipeline": XL, "scheduler": {"_class_name": "DPMSolverMultistepScheduler"}},
            MadeFor("Lightning", 4, 0.0, "euler_trailing"),
        ),
        ("dreamshaper-xl-v2-turbo", {"pipeline": XL}, MadeFor("Turbo", 4, 0.0, "euler_a_trailing")),
        (
            "hash-only",
            {"pipeline": XL, "unet": {"_name_or_path": "/home/me/models/SDXLTurbo"}},
            MadeFor("Turbo", 4, 0.0, "euler_a_trailing"),
        ),
        ("Hyper-SD15-2steps", {}, MadeFor("Hyper-SD", 2, 0.0, "ddim_trailing")),
        ("Hyper-SDXL-1step-Unet", {"pipeline": XL}, MadeFor("Hyper-SD", 1, 0.0, "tcd")),
        ("dmd2-sdxl-4step", {"pipeline": XL}, MadeFor("DMD2", 4, 0.0, "lcm")),
        ("FLUX", {"pipeline": FLUX, "transformer": {}}, MadeFor("schnell", 4, 0.0, "", embedded=True)),
        (
            "FLUX.1-dev",
            {"pipeline": FLUX, "transformer": {"guidance_embeds": True}},
            MadeFor("", 28, 3.5, "", embedded=True),
        ),
        (
            "Z-Image-Turbo",
            {"pipeline": "ZImagePipeline", "transformer": {}},
            MadeFor("Turbo", 8, 0.0, ""),
        ),
        (
            "z",
            {"pipeline": "ZImagePipeline", "transformer": {}, "scheduler": {"shift": 3.0}},
            MadeFor("Turbo", 8, 0.0, ""),
        ),
        (
            "Z-Image",
            {"pipeline": "ZImagePipeline", "transformer": {}, "scheduler": {"shift": 6.0}},
            MadeFor("", 50, 5.0, ""),
        ),
        (
            "stable-diffusion-3.5-large-turbo",
            {"pipeline": "StableDiffusion3Pipeline", "transformer": {"qk_norm": "rms_norm"}},
            MadeFor("Turbo", 4, 0.0, ""),
        ),
        ("PixArt", {"pipeline": "PixArtAlphaPipeline", "transformer": {}}, MadeFor("", 20, 4.5, "")),
    ],
)
def test_a_folder_is_recognised(tmp_path: Path, name: str, parts: dict[str, Any], made: MadeFor) -> None:
    assert of_folder(model(tmp_path / name, **parts)) == made


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        # Pure noise at the start for the sake of dark and bright pictures, not of few steps.
        ("zero-snr", {"_class_name": "EulerDiscreteScheduler", **TRAILING, "rescale_betas_zero_snr": True}),
        ("v", {"_class_name": "EulerDiscreteScheduler", **TRAILING, "prediction_type": "v_prediction"}),
        ("hyper-realistic-vision", None),
        ("turbocharger", None),
        ("model-500steps", None),
        ("broken", {"_class_name": ["LCMScheduler"], "timestep_spacing": {}}),
    ],
)
def test_an_ordinary_model_is_not_taken_for_a_fast_one(
    tmp_path: Path, name: str, scheduler: dict[str, Any] | None
) -> None:
    assert of_folder(model(tmp_path / name, scheduler=scheduler)) == MadeFor()


def test_files_that_cannot_be_read_tell_nothing(tmp_path: Path) -> None:
    folder = model(tmp_path / "m")
    (folder / "unet" / "config.json").write_text("[" * 100_000)
    (folder / "scheduler" / "scheduler_config.json").write_bytes(b"\xff\xfe{")
    assert of_folder(folder) == MadeFor()
    assert of_folder(tmp_path / "nowhere") == MadeFor()


def test_a_model_in_the_hub_cache_has_the_name_of_its_repository(tmp_path: Path) -> None:
    folder = tmp_path / "models--stabilityai--sd-turbo" / "snapshots" / ("0" * 40)
    assert of_folder(model(folder)) == MadeFor("Turbo", 4, 0.0, "euler_a_trailing")


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("lcm-lora-sdv1-5/pytorch_lora_weights.safetensors", MadeFor(LCM, 4, 1.0, "lcm")),
        ("LCM_LoRA_Weights_SD15.safetensors", MadeFor(LCM, 4, 1.0, "lcm")),
        ("sdxl_lightning_4step_lora.safetensors", MadeFor("Lightning", 4, 0.0, "euler_trailing")),
        ("sdxl_lightning_2step_lora.safetensors", MadeFor("Lightning", 2, 0.0, "euler_trailing")),
        ("Hyper-SD15-8steps-lora.safetensors", MadeFor("Hyper-SD", 8, 0.0, "ddim_trailing")),
        ("Hyper-SDXL-12steps-CFG-lora.safetensors", MadeFor("Hyper-SD", 12, 5.0, "ddim_trailing")),
        ("Hyper-SD15-1step-lora.safetensors", MadeFor("Hyper-SD", 1, 0.0, "tcd")),
        ("TCD-SDXL-LoRA/pytorch_lora_weights.safetensors", MadeFor("TCD", 4, 0.0, "tcd")),
        (
            f"models--h1t--TCD-SD15-LoRA/snapshots/{'a' * 40}/pytorch_lora_weights.safetensors",
            MadeFor("TCD", 4, 0.0, "tcd"),
        ),
        ("sd_xl_turbo_lora_v1.safetensors", MadeFor("Turbo", 4, 0.0, "euler_a_trailing")),
        ("dmd2_sdxl_4step_lora.safetensors", MadeFor("DMD2", 4, 0.0, "lcm")),
        ("lightning-bolts.safetensors", MadeFor()),
        ("rust-style-sdxl-turbo.safetensors", MadeFor()),
        ("mossy-2000steps.safetensors", MadeFor()),
        ("lcm-collection/rusty-iron.safetensors", MadeFor()),
    ],
)
def test_a_lora_is_recognised(tmp_path: Path, file: str, made: MadeFor) -> None:
    given = lora(tmp_path / file)
    assert made_for(model(tmp_path / "ordinary"), [given]) == made


def test_a_folder_stands_for_the_lora_in_it(tmp_path: Path) -> None:
    lora(tmp_path / "lcm-lora-sdv1-5" / "pytorch_lora_weights.safetensors")
    made = made_for(model(tmp_path / "ordinary"), [Lora(str(tmp_path / "lcm-lora-sdv1-5"))])
    assert made.kind == LCM


def test_what_a_lora_says_of_itself_counts_before_its_name(tmp_path: Path) -> None:
    renamed = lora(tmp_path / "fast.safetensors", **{"modelspec.title": "Hyper-SD15-4steps"})
    assert made_for(model(tmp_path / "ordinary"), [renamed]) == MadeFor("Hyper-SD", 4, 0.0, "ddim_trailing")


def test_the_lora_for_few_steps_decides_wherever_it_stands(tmp_path: Path) -> None:
    style, fast = lora(tmp_path / "moss.safetensors"), lora(tmp_path / "lcm-lora.safetensors")
    folder = model(tmp_path / "ordinary")
    assert made_for(folder, [style, fast]).kind == made_for(folder, [fast, style]).kind == LCM
    for weight in (0.0, -1.0):
        assert made_for(folder, [style, Lora(fast.file, weight)]) == MadeFor(), (
            "it does nothing, or the opposite"
        )


def test_on_a_flow_model_the_scheduler_stays_the_models_own(tmp_path: Path) -> None:
    flux = model(tmp_path / "dev", FLUX, transformer={"guidance_embeds": True})
    hyper = lora(tmp_path / "Hyper-FLUX.1-dev-8steps-lora.safetensors")
    assert made_for(flux, [hyper]) == MadeFor("Hyper-SD", 8, 3.5, "", embedded=True)
    qwen = model(tmp_path / "qwen", "QwenImagePipeline", transformer={})
    lightning = lora(tmp_path / "Qwen-Image-Lightning-4steps-V1.0.safetensors")
    assert made_for(qwen, [lightning]) == MadeFor("Lightning", 4, 0.0, "")
    alpha = lora(tmp_path / "FLUX.1-Turbo-Alpha" / "diffusion_pytorch_model.safetensors")
    assert made_for(flux, [alpha]) == MadeFor("Turbo", 8, 3.5, "", embedded=True)


def test_a_lora_that_is_not_there_or_broken_tells_nothing(tmp_path: Path) -> None:
    folder = model(tmp_path / "ordinary")
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 100)
    assert (
        made_for(folder, [Lora(str(tmp_path / "broken.safetensors")), Lora("nowhere.safetensors")])
        == MadeFor()
    )


def test_it_is_said_in_a_few_honest_words() -> None:
    assert MadeFor("Turbo", 4, 0.0).sentence == "Turbo: 4 steps, no guidance"
    assert MadeFor("Hyper-SD", 1, 0.0).sentence == "Hyper-SD: 1 step, no guidance"
    assert MadeFor(LCM, 4, 8.0, embedded=True).sentence == "Latent consistency (LCM): 4 steps, guidance 8"
    assert MadeFor(LCM, 4, 1.0).sentence == "Latent consistency (LCM): 4 steps, no guidance"
    assert MadeFor().sentence == "25 steps, guidance 7.5"


def test_numbers_by_hand_that_make_no_sense_are_remarked_on_in_one_sentence() -> None:
    turbo = MadeFor("Turbo", 4, 0.0)
    by_hand = Request("brick", num_inference_steps=25, guidance_scale=7.5)
    said = remark(by_hand, turbo)
    assert said is not None
    assert "Turbo: 4 steps, no guidance" in said
    assert "guidance of 7.5" in said
    assert "25 steps" in said
    assert remark(by_hand, MadeFor()) is None, "an ordinary model is run as one likes"
    assert remark(Request("brick").settled(4, 0.0), turbo) is None
    assert remark(Request("brick").settled(8, 1.5), turbo) is None, "a little more of both is a choice"
    embedded = remark(by_hand, MadeFor("schnell", 4, 0.0, embedded=True))
    assert embedded is not None
    assert "guidance of" not in embedded


def test_the_list_of_models_says_what_each_was_made_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path / "sd-turbo")
    monkeypatch.setenv(models.MODEL_FOLDERS, str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    (found,) = [item for item in models.installed() if item.name == str(folder)]
    assert (found.few_steps, found.steps, found.guidance) == ("Turbo", 4, 0.0)
    assert (found.numbers, found.folder) == ("Turbo: 4 steps, no guidance", str(folder))
    assert json.loads(json.dumps(found.to_json()))["numbers"] == found.numbers


def test_recognising_a_model_imports_no_large_library(tmp_path: Path) -> None:
    folder, file = model(tmp_path / "ordinary"), lora(tmp_path / "lcm-lora.safetensors").file
    code = (
        "import sys; from pathlib import Path; from generator.protocol import Lora\n"
        "from generator.diffusion.few_steps import made_for\n"
        f"assert made_for(Path({str(folder)!r}), [Lora({file!r})]).kind\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
