# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are taken for LoRAs, and for which models; everything else ends in a sentence and changes nothing."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_loras
import tiny_transformers
import torch
from recorder import Recorder, loaded
from safetensors.torch import load_file, save_file

from generator import diffusion
from generator.diffusion.lora_files import look_into
from generator.engine import Engine
from generator.progress import GenerationError
from generator.protocol import Event, Failed, Lora, Request

REQUEST = Request(
    prompt="mossy red brick wall", model="tiny", width=64, height=64, num_inference_steps=2, seed=3,
    guidance_scale=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def good(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_loras.save_lora(tmp_path_factory.mktemp("loras") / "good", folders["sd1"], words=True)


@pytest.fixture(scope="module")
def sdxl(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_loras.save_lora(tmp_path_factory.mktemp("loras") / "sdxl", folders["sdxl"], words=True)


def make(model: Any, *loras: Lora, progress: Recorder | None = None) -> np.ndarray:
    return next(model.generate(replace(REQUEST, loras=loras), None, progress or Recorder()))


def test_a_file_and_a_folder_are_both_found(good, tmp_path):
    named = tmp_path / "other name.safetensors"
    shutil.copy(good, named)
    assert look_into(str(good)).path == look_into(str(good.parent)).path == good
    assert look_into(str(good)).name == "good"
    assert look_into(str(named)).name == "other name.safetensors"
    with pytest.raises(GenerationError, match="exactly one"):
        look_into(str(tmp_path.parent))


def test_one_in_the_cache_of_hugging_face_is_found_through_its_link(folders, good, tmp_path):
    cache = tmp_path / "models--someone--moss"
    (cache / "blobs").mkdir(parents=True)
    shutil.copy(good, cache / "blobs" / "0a1b2c")
    (cache / "snapshots" / "d3e4f5").mkdir(parents=True)
    link = cache / "snapshots" / "d3e4f5" / good.name
    try:
        link.symlink_to(cache / "blobs" / "0a1b2c")
    except OSError:
        pytest.skip("links cannot be made here")
    assert look_into(str(link)).name == look_into(str(link.parent)).name == "someone/moss"
    model = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())
    assert np.array_equal(make(model, Lora(str(link.parent))), make(model, Lora(str(good))))


def test_the_family_is_told_from_the_shapes(good, tmp_path):
    for width, family in ((768, "Stable Diffusion 1.x"), (2048, "Stable Diffusion XL"), (5, "")):
        name = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora"
        made = {f"{name}_A.weight": torch.zeros(4, width), f"{name}_B.weight": torch.zeros(1280, 4)}
        save_file(made, tmp_path / "it.safetensors")
        assert look_into(str(tmp_path / "it.safetensors")).made_for == family


class Sprung:
    """Were it ever unpickled, this would write a file."""

    def __init__(self, trap: Path) -> None:
        self._trap = trap

    def __reduce__(self) -> Any:
        return Path.touch, (self._trap,)


def missing(file: Path, good: Path) -> str:
    return "no_such_lora"


def a_pickle(file: Path, good: Path) -> str:
    file.with_suffix(".bin").write_bytes(pickle.dumps(Sprung(file.parent / "sprung")))
    file.with_suffix(".bin").rename(file)
    return "lora_broken"


def a_folder_with_a_pickle(file: Path, good: Path) -> str:
    file.mkdir()
    (file / "pytorch_lora_weights.bin").write_bytes(pickle.dumps(Sprung(file.parent / "sprung")))
    return "lora_unsafe"


def empty(file: Path, good: Path) -> str:
    file.touch()
    return "lora_broken"


def cut_off(file: Path, good: Path) -> str:
    file.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    return "lora_broken"


def an_endless_header(file: Path, good: Path) -> str:
    file.write_bytes((2**62).to_bytes(8, "little") + good.read_bytes()[8:])
    return "lora_broken"


def not_numbers(file: Path, good: Path) -> str:
    tensors = load_file(good)
    tensors[next(iter(tensors))].view(-1)[0] = float("nan")
    save_file(tensors, file)
    return "lora_broken"


def a_whole_model(file: Path, good: Path) -> str:
    save_file({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(4, 4)}, file)
    return "not_a_lora"


def one_half(file: Path, good: Path) -> str:
    save_file({name: tensor for name, tensor in load_file(good).items() if "lora_A" in name}, file)
    return "not_a_lora"


def a_loha(file: Path, good: Path) -> str:
    name = "lora_unet_mid_block_attentions_0_proj_in"
    save_file({f"{name}.hada_w1_a": torch.zeros(4, 4), f"{name}.hada_w1_b": torch.zeros(4, 4)}, file)
    return "lora_unsupported"


def a_dora(file: Path, good: Path) -> str:
    tensors = load_file(good)
    save_file({**tensors, next(iter(tensors)).replace("lora_A", "dora_scale"): torch.ones(4)}, file)
    return "lora_unsupported"


def one_for_layers_that_do_not_exist(file: Path, good: Path) -> str:
    tensors = {name.replace("attn", "another"): tensor for name, tensor in load_file(good).items()}
    save_file(tensors, file)
    return "lora_unsupported"


def one_of_other_shapes(file: Path, good: Path) -> str:
    tensors = load_file(good)
    save_file({name: torch.cat([tensor, tensor], -1) for name, tensor in tensors.items()}, file)
    return "lora_unsupported"


def one_of_foreign_names(file: Path, good: Path) -> str:
    save_file({f"net.{name}": tensor for name, tensor in load_file(good).items()}, file)
    return "lora_unsupported"


BAD = (
    missing, a_pickle, a_folder_with_a_pickle, empty, cut_off, an_endless_header, not_numbers, a_whole_model,
    one_half, a_loha, a_dora, one_for_layers_that_do_not_exist, one_of_other_shapes, one_of_foreign_names,
)  # fmt: skip


@pytest.fixture(scope="module")
def model(folders: dict[str, Path]) -> Any:
    return diffusion.load(folders["sd1"], "fp32", "cpu", Recorder())


@pytest.mark.parametrize("bad", BAD)
def test_what_is_of_no_use_is_said_and_changes_nothing(model, good, tmp_path, bad):
    file = tmp_path / "it.safetensors"
    kind = bad(file, good)
    plain, with_good = make(model), make(model, Lora(str(good), 0.5))
    state = loaded(model).loras.state
    with pytest.raises(GenerationError) as failed:
        make(model, Lora(str(good), 1.0), Lora(str(file)))
    assert failed.value.kind == kind
    assert "it" in failed.value.message
    assert failed.value.message.endswith(".")
    assert failed.value.advice
    assert loaded(model).loras.state == state
    assert not (tmp_path / "sprung").exists()
    assert np.array_equal(make(model, Lora(str(good), 0.5)), with_good)
    assert np.array_equal(make(model), plain)


def test_one_for_another_family_is_said_both_ways(folders, good, sdxl):
    for family, file in (("sdxl", good), ("sd1", sdxl)):
        model = diffusion.load(folders[family], "fp32", "cpu", Recorder())
        plain = make(model)
        with pytest.raises(GenerationError, match=f"not made for a model like {family}"):
            make(model, Lora(str(file)))
        assert np.array_equal(make(model), plain)


def test_both_text_encoders_of_sdxl_take_one(folders, sdxl, tmp_path):
    tensors = {name.replace("text_model.", ""): tensor for name, tensor in load_file(sdxl).items()}
    tensors |= {
        name.replace("text_encoder.", "text_encoder_2.text_model."): tensor.clone()
        for name, tensor in tensors.items()
        if name.startswith("text_encoder.")
    }
    save_file(tensors, tmp_path / "both.safetensors")
    model = diffusion.load(folders["sdxl"], "fp32", "cpu", Recorder())
    plain, once = make(model), make(model, Lora(str(sdxl)))
    names = {part for part, _ in loaded(model).loras._changed}
    assert names == {"unet", "text_encoder"}
    twice = make(model, Lora(str(tmp_path / "both.safetensors")))
    assert {part for part, _ in loaded(model).loras._changed} == {"unet", "text_encoder", "text_encoder_2"}
    assert not np.array_equal(once, twice)
    assert np.array_equal(make(model), plain)


def test_what_has_no_place_is_left_out_and_said(folders, good, tmp_path):
    tensors = load_file(good)
    name = next(name for name in tensors if name.startswith("unet.") and "lora_A" in name)
    for half in ("lora_A", "lora_B"):
        stray = name.replace("lora_A", half)
        tensors[stray.replace("attn", "another")] = tensors.pop(stray)
    save_file(tensors, tmp_path / "it.safetensors")
    model, progress = diffusion.load(folders["sd1"], "fp32", "cpu", Recorder()), Recorder()
    assert not np.array_equal(
        make(model, Lora(str(tmp_path / "it.safetensors")), progress=progress), make(model)
    )
    assert progress.notices == ["A part of the LoRA it.safetensors has no place in sd1 and is left out."]


def test_through_the_engine_it_is_one_failed_job(folders, tmp_path):
    events: list[Event] = []
    request = replace(REQUEST, model=str(folders["sd1"]), loras=(Lora(str(tmp_path / "gone.safetensors")),))
    Engine().run("job", request, None, events.append)
    assert isinstance(events[-1], Failed)
    assert events[-1].message.startswith("There is no LoRA at ")
    assert sum(isinstance(event, Failed) for event in events) == 1


TARGETS = {
    "sd3": ("attn.to_q", "attn.add_k_proj"),
    "flux": ("attn.to_q", "proj_mlp"),
    "z_image": ("attention.to_q", "attention.to_v"),
    "qwen_image": ("attn.to_q", "attn.add_k_proj"),
    "sana": ("attn1.to_q", "attn2.to_k"),
}


@pytest.mark.parametrize("family", TARGETS)
def test_transformers_take_them_where_diffusers_has_a_loader(tmp_path, family):
    folder = tiny_transformers.FAMILIES[family](tmp_path / family)
    file = tiny_loras.save_lora(tmp_path / "lora", folder, TARGETS[family])
    model = diffusion.load(folder, "fp32", "cpu", Recorder())
    plain, progress = make(model), Recorder()
    changed = make(model, Lora(str(file)), progress=progress)
    assert np.isfinite(changed).all()
    assert np.abs(changed - plain).mean() > 1e-4
    assert not any("left out" in notice for notice in progress.notices)
    assert len(loaded(model).loras._changed) == sum("lora_A" in name for name in load_file(file))
    assert np.array_equal(make(model), plain)


def test_where_there_is_no_loader_that_is_said(tmp_path, good):
    folder = tiny_transformers.FAMILIES["pixart"](tmp_path / "pixart")
    model = diffusion.load(folder, "fp32", "cpu", Recorder())
    plain = make(model)
    with pytest.raises(GenerationError, match="cannot take LoRAs"):
        make(model, Lora(str(good)))
    assert np.array_equal(make(model), plain)
