# SPDX-License-Identifier: GPL-3.0-or-later
"""Which folders are read, which are refused, and that a refusal is always a sentence with advice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models
import torch
from recorder import Recorder, loaded
from safetensors.torch import load_file, save_file

from generator import diffusion
from generator.diffusion.folder import display_name, read_folder
from generator.progress import CancelledError, GenerationError

WEIGHTS = "diffusion_pytorch_model.safetensors"


def load(folder: Path, precision: str = "fp32", device: str = "cpu"):
    return diffusion.load(folder, precision, device, Recorder())


def change_index(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        index = folder / "model_index.json"
        index.write_text(json.dumps({**json.loads(index.read_text()), **changes}))

    return change


def change_tensors(part: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        file = next((folder / part).glob("*.safetensors"))
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, metadata={"format": "pt"})

    return apply


def drop_a_matrix(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[next(name for name, tensor in tensors.items() if tensor.ndim == 2)]


def distort_a_matrix(tensors: dict[str, torch.Tensor]) -> None:
    tensors[next(name for name, tensor in tensors.items() if tensor.ndim == 2)] = torch.zeros(3, 3)


def cut_the_weights(folder: Path) -> None:
    file = folder / "unet" / WEIGHTS
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def pickle_the_weights(folder: Path) -> None:
    file = folder / "vae" / WEIGHTS
    torch.save(load_file(file), file.with_name("diffusion_pytorch_model.bin"))
    file.unlink()


def empty_the_tokenizer(folder: Path) -> None:
    for file in (folder / "tokenizer").glob("*"):
        if file.name != "tokenizer_config.json":
            file.unlink()


def swap_the_text_encoder(folder: Path) -> None:
    shutil.rmtree(folder / "unet")
    tiny_models.unet(cross_attention_dim=48).save_pretrained(folder / "unet")


def inpainting(folder: Path) -> None:
    shutil.rmtree(folder / "unet")
    tiny_models.unet(in_channels=9).save_pretrained(folder / "unet")


def shard_without_its_half(folder: Path) -> None:
    index = {"weight_map": {"a": WEIGHTS, "b": "diffusion_pytorch_model-00002-of-00002.safetensors"}}
    (folder / "unet" / f"{WEIGHTS}.index.json").write_text(json.dumps(index))


BROKEN: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "not JSON": (lambda folder: (folder / "model_index.json").write_text("{"), "model_broken", "model_index"),
    "no index": (lambda folder: (folder / "model_index.json").unlink(), "not_a_model", "model_index"),
    "no class": (change_index(_class_name=None), "model_broken", "pipeline"),
    "class of its own": (change_index(_class_name=["mine", "Mine"]), "model_broken", "pipeline"),
    "unknown class": (change_index(_class_name="FooPipeline"), "model_unsupported", "FooPipeline"),
    "video": (change_index(_class_name="LTXPipeline"), "model_unsupported", "LTXPipeline"),
    "audio": (change_index(_class_name="StableAudioPipeline"), "model_unsupported", "StableAudioPipeline"),
    "own code": (change_index(unet=["my_unet", "Mine"]), "model_unsafe", "own code"),
    "import of anything": (change_index(unet=["subprocess", "Popen"]), "model_unsafe", "own code"),
    "path": (change_index(unet=["../stable_diffusion", "Mine"]), "model_unsafe", "own code"),
    "unknown part": (change_index(unet=["diffusers", "Mine"]), "model_broken", "cannot be loaded"),
    "no unet": (lambda folder: shutil.rmtree(folder / "unet"), "model_broken", "unet"),
    "no scheduler": (lambda folder: shutil.rmtree(folder / "scheduler"), "model_broken", "scheduler"),
    "no tokenizer": (lambda folder: shutil.rmtree(folder / "tokenizer"), "model_broken", "tokenizer"),
    "no vocabulary": (empty_the_tokenizer, "model_broken", "vocabulary"),
    "no weights": (lambda folder: (folder / "unet" / WEIGHTS).unlink(), "model_broken", "unet"),
    "no configuration": (
        lambda folder: (folder / "unet/config.json").unlink(),
        "model_broken",
        "config.json",
    ),
    "half a download": (cut_the_weights, "model_broken", f"unet/{WEIGHTS} is damaged"),
    "half the shards": (shard_without_its_half, "model_broken", "00002-of-00002"),
    "pickle": (pickle_the_weights, "model_unsafe", "pickle"),
    "unet without a weight": (change_tensors("unet", drop_a_matrix), "model_broken", "unet"),
    "decoder without a weight": (change_tensors("vae", drop_a_matrix), "model_broken", "vae"),
    "text encoder without a weight": (
        change_tensors("text_encoder", drop_a_matrix),
        "model_broken",
        "text_encoder",
    ),
    "wrong shape": (change_tensors("unet", distort_a_matrix), "model_broken", "shape"),
    "wrong shape of words": (change_tensors("text_encoder", distort_a_matrix), "model_broken", "loaded"),
    "parts of two models": (swap_the_text_encoder, "model_broken", "do not belong together"),
    "inpainting": (inpainting, "model_unsupported", "9 channels"),
}


@pytest.mark.parametrize(("breaking", "kind", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_folder_that_cannot_be_used_is_refused_with_a_sentence(folders, tmp_path, breaking, kind, words):
    folder = shutil.copytree(folders["sd1"], tmp_path / "wall-model")
    breaking(folder)
    with pytest.raises(GenerationError) as caught:
        load(folder)
    assert caught.value.kind == kind
    assert "wall-model" in caught.value.message
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.advice.endswith(".")


def test_a_folder_with_foreign_code_beside_its_weights_never_runs_it(folders, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "sly")
    trace = tmp_path / "trace"
    (folder / "unet" / "my_unet.py").write_text(f"open({str(trace)!r}, 'w')\nclass Mine: pass\n")
    change_index(unet=["my_unet", "Mine"])(folder)
    with pytest.raises(GenerationError):
        load(folder)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("make", "kind"), [(lambda path: None, "no_such_model"), (Path.touch, "not_a_model")]
)
def test_what_is_no_folder_is_refused(tmp_path, make, kind):
    path = tmp_path / "model.safetensors"
    make(path)
    with pytest.raises(GenerationError) as caught:
        load(path)
    assert caught.value.kind == kind


def test_a_half_precision_variant_is_read_where_there_is_no_other(folders, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "half")
    for file in folder.glob("*/*.safetensors"):
        tensors = {name: tensor.half() for name, tensor in load_file(file).items()}
        save_file(tensors, file.with_suffix(".fp16.safetensors"), metadata={"format": "pt"})
        file.unlink()
    assert read_folder(folder).stored == "F16"
    assert loaded(load(folder)).pipeline.unet.dtype == torch.float32
    assert loaded(load(folder, "fp16")).pipeline.unet.dtype == torch.float16


def test_of_two_variants_the_fitting_one_is_read(folders, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "both")
    for file in folder.glob("*/*.safetensors"):
        tensors = {name: torch.zeros_like(tensor).half() for name, tensor in load_file(file).items()}
        save_file(tensors, file.with_suffix(".fp16.safetensors"), metadata={"format": "pt"})
    found = read_folder(folder)
    assert found.stored == "F32"
    assert (found.variant(half=True), found.variant(half=False)) == ("fp16", None)
    assert loaded(load(folder)).pipeline.unet.conv_in.weight.abs().max() > 0
    assert loaded(load(folder, "fp16")).pipeline.unet.conv_in.weight.abs().max() == 0


def test_a_variant_of_the_unet_alone_is_completed_by_the_plain_weights(folders, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "mixed")
    file = folder / "unet" / WEIGHTS
    file.rename(file.with_suffix(".fp16.safetensors"))
    assert read_folder(folder).variant(half=False) == "fp16"
    assert loaded(load(folder)).pipeline.unet.dtype == torch.float32


def test_a_safety_checker_is_neither_needed_nor_loaded(folders, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "checked")
    change_index(
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        feature_extractor=["transformers", "CLIPImageProcessor"],
        requires_safety_checker=True,
    )(folder)
    assert loaded(load(folder)).pipeline.safety_checker is None


def test_sdxl_s_decoder_stays_in_full_precision_beside_a_half_precision_unet(folders):
    pipeline = loaded(load(folders["sdxl"], "fp16")).pipeline
    assert (pipeline.unet.dtype, pipeline.vae.dtype) == (torch.float16, torch.float32)


def test_loading_says_what_it_does_and_can_be_cancelled(folders):
    progress = Recorder()
    diffusion.load(folders["sd1"], "fp32", "cpu", progress)
    assert any("sd1" in what for what in progress.loadings)

    class Cancelling(Recorder):
        def loading(self, what: str, fraction: float | None = None) -> None:
            raise CancelledError

    with pytest.raises(CancelledError):
        diffusion.load(folders["sd1"], "fp32", "cpu", Cancelling())


def test_a_model_in_the_hub_s_cache_is_called_by_its_name():
    path = Path("hub/models--owner--wall-model/snapshots/0123abc")
    assert display_name(path) == "owner/wall-model"


def test_importing_the_package_imports_neither_torch_nor_diffusers():
    program = (
        "import sys, generator.diffusion as d; assert d.available();"
        "print([name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_asks_no_hub_and_prints_nothing_on_stdout(folders):
    program = (
        "import os, sys; from pathlib import Path; from generator import diffusion\n"
        "for name in ('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'): os.environ.pop(name, None)\n"
        "class Quiet:\n"
        "    def loading(self, what, fraction=None): pass\n"
        "    step = notice = loading\n"
        f"diffusion.load(Path({str(folders['sd1'])!r}), 'fp32', 'cpu', Quiet())\n"
        "import huggingface_hub.constants as c; assert c.HF_HUB_OFFLINE\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "it/s" not in done.stderr
