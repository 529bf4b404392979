# SPDX-License-Identifier: GPL-3.0-or-later
"""However the weights come in, early or late, mapped or cast: they are those of the files in the format wanted."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
from recorder import Recorder, loaded
from safetensors.torch import load_file, save_file

from generator import diffusion
from generator.diffusion import ahead, casting, free_memory
from generator.diffusion.folder import read_folder
from generator.diffusion.ladder import Measure, Plan
from generator.diffusion.loading import Reader

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
PARTS = ("unet", "vae", "text_encoder")
FORMATS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder stored in float16, as most are."""
    folder = tiny_models.save_sd(tmp_path_factory.mktemp("half") / "wall-model")
    change(folder, lambda tensors: {name: tensor.half() for name, tensor in tensors.items()})
    return folder


def change(folder: Path, function: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    for part in PARTS:
        file = next((folder / part).glob("*.safetensors"))
        save_file(function(load_file(file)), file, metadata={"format": "pt"})


def read(folder: Path, dtype: torch.dtype = torch.float32, *measures: Measure) -> Any:
    return Reader(read_folder(folder)).read(Plan(CPU, dtype, measures), Recorder()).pipeline


def assert_as_stored(pipeline: Any, folder: Path, dtype: torch.dtype) -> None:
    for part in PARTS:
        stored = load_file(next((folder / part).glob("*.safetensors")))
        found = getattr(pipeline, part).state_dict()
        assert set(found) == set(stored)
        for name, tensor in found.items():
            assert tensor.dtype == dtype, (part, name)
            assert torch.equal(tensor, stored[name].to(dtype)), (part, name)


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize("stored", ["fp32", "fp16"])
def test_every_weight_is_the_file_s_in_the_format_wanted(folders, half, stored, precision):
    folder = half if stored == "fp16" else folders["sd1"]
    model = diffusion.load(folder, precision, "cpu", Recorder())
    assert_as_stored(loaded(model).pipeline, folder, FORMATS[precision])


def test_convolutions_come_in_the_order_that_they_are_computed_in(half):
    pipeline = read(half, torch.bfloat16)
    weight = pipeline.unet.down_blocks[0].resnets[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    before = weight.data_ptr()
    pipeline.unet.to(memory_format=torch.channels_last)
    assert pipeline.unet.down_blocks[0].resnets[0].conv1.weight.data_ptr() == before, "nothing is left to do"


def test_without_plenty_of_room_weights_come_one_by_one_and_stored_ones_stay_mapped(half, monkeypatch):
    monkeypatch.setattr(free_memory, "available", lambda _device: 1 << 10)
    monkeypatch.setattr(casting, "Ahead", None)
    assert_as_stored(read(half), half, torch.float32)
    pipeline = read(half, torch.float16)
    assert_as_stored(pipeline, half, torch.float16)
    weight = pipeline.unet.down_blocks[0].resnets[0].conv1.weight
    assert weight.untyped_storage().nbytes() >= weight.nbytes
    assert not weight.is_contiguous(memory_format=torch.channels_last), "a copy would be"


def test_what_goes_wrong_beside_the_imports_is_made_good_afterwards(half, monkeypatch):
    def exhausted(*_: object) -> Any:
        raise MemoryError

    monkeypatch.setattr(ahead, "brought", exhausted)
    assert_as_stored(read(half), half, torch.float32)


def test_weights_that_were_begun_for_another_plan_are_dropped(half):
    reader = Reader(read_folder(half))
    reader.begin(CPU, torch.bfloat16)
    assert_as_stored(reader.read(Plan(CPU, torch.float32), Recorder()).pipeline, half, torch.float32)
    assert reader.held == 0
    reader.begin(CPU, torch.float32)
    narrow = reader.read(Plan(CPU, torch.float32, (Measure.FP8,)), Recorder()).pipeline
    assert narrow.unet.down_blocks[0].resnets[0].conv1.weight.dtype == torch.float8_e4m3fn
    assert narrow.vae.dtype == torch.float32
    assert not any(thread.name == "weights" for thread in threading.enumerate())


def test_a_part_stored_in_two_formats_loses_nothing(half, tmp_path):
    folder = shutil.copytree(half, tmp_path / "mixed")
    fine = torch.full((8,), 1 / 3)

    def mix(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {
            name: fine if name == "decoder.conv_norm_out.bias" else tensor for name, tensor in tensors.items()
        }

    change(folder, mix)
    pipeline = read(folder)
    assert torch.equal(pipeline.vae.decoder.conv_norm_out.bias, fine)
    assert_as_stored(pipeline, folder, torch.float32)


def test_names_from_older_releases_are_understood(half, tmp_path):
    """Stable Diffusion 1.5's own autoencoder still calls its queries by their old name."""
    folder = shutil.copytree(half, tmp_path / "old")
    names = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}

    def rename(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        renamed = {}
        for name, tensor in tensors.items():
            for new, old in names.items() if "mid_block.attentions" in name and "attn1" not in name else ():
                name = name.replace(new, old)
            renamed[name] = tensor
        return renamed

    vae = next((folder / "vae").glob("*.safetensors"))
    save_file(rename(load_file(vae)), vae, metadata={"format": "pt"})
    text = next((folder / "text_encoder").glob("*.safetensors"))
    tensors = {
        f"text_model.{name.removeprefix('text_model.')}": value for name, value in load_file(text).items()
    }
    save_file(tensors, text, metadata={"format": "pt"})
    assert_as_stored(read(folder), half, torch.float32)


def imported(folder: Path, before: str) -> set[str]:
    """The libraries' modules that a first image imports after ``before`` was run, in a process of its own."""
    program = (
        "import os, sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from recorder import Recorder; from generator import diffusion; from generator.protocol import Request\n"
        f"{before}; known = set(sys.modules)\n"
        f"model = diffusion.load(Path({str(folder)!r}), 'fp32', 'cpu', Recorder())\n"
        "request = Request(prompt='moss', model='tiny', width=64, height=64, num_inference_steps=1, seed=1)\n"
        "next(model.generate(request, None, Recorder()))\n"
        "print(*sorted(set(sys.modules) - known))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_a_first_image_imports_no_more_than_its_own_pipeline(half):
    found = imported(half, "pass")
    assert "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion" in found
    assert "diffusers.pipelines.auto_pipeline" not in found


def test_after_the_preparation_a_first_image_imports_next_to_nothing(half):
    found = imported(half, "diffusion.devices(); diffusion.prepare()")
    large = {
        name for name in found if name.partition(".")[0] in ("torch", "transformers", "accelerate", "peft")
    }
    assert not large
    # The schedulers that the model's own one can be replaced by.
    assert {name for name in found if name.startswith("diffusers.") and ".schedul" not in name} == set()
