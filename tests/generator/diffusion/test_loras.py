# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRAs through the product: they change what they should, add up, leave no trace, and the result still tiles."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_loras
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from recorder import Recorder, loaded
from safetensors.torch import load_file, save_file
from torch import Tensor

from generator import diffusion, seams
from generator.diffusion import attempts, hardware
from generator.diffusion import loras as lora_module
from generator.diffusion.ladder import Measure
from generator.engine import Engine
from generator.pixels import from_wire
from generator.progress import CancelledError
from generator.protocol import Event, Finished, Lora, Request, Result
from generator.torus import wrap
from generator.torus.law import violation

REQUEST = Request(
    prompt="mossy red brick wall", model="tiny", width=128, height=128, num_inference_steps=2, seed=3,
    guidance_scale=4,
)  # fmt: skip
UNET_FILE = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def files(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("loras")
    sd1 = folders["sd1"]
    return {
        "attention": tiny_loras.save_lora(root / "attention", sd1, words=True, seed=5),
        "convolutions": tiny_loras.save_lora(root / "convolutions", sd1, tiny_loras.CONVOLUTIONS, seed=6),
        "kohya": tiny_loras.save_kohya(root / "kohya.safetensors", sd1),
        "sdxl": tiny_loras.save_lora(root / "sdxl", folders["sdxl"], words=True, seed=7),
    }


@pytest.fixture(scope="module")
def model(folders: dict[str, Path]) -> Any:
    return load(folders["sd1"])


def load(folder: Path, precision: str = "fp32") -> Any:
    return diffusion.load(folder, precision, "cpu", Recorder())


def make(
    model: Any, *loras: Lora, progress: Recorder | None = None, request: Request = REQUEST
) -> np.ndarray:
    return next(model.generate(replace(request, loras=loras), None, progress or Recorder()))


def weights(model: Any) -> dict[str, Tensor]:
    """A copy of every weight and buffer of a model, by part and name."""
    pipeline = loaded(model).pipeline
    parts = {name: part for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module)}
    return {
        f"{name}.{key}": tensor.clone()
        for name, part in parts.items()
        for key, tensor in part.state_dict().items()
    }


def same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    def bits(tensor: Tensor) -> Tensor:
        return tensor.flatten().view(torch.uint8)

    return one.keys() == other.keys() and all(torch.equal(bits(one[key]), bits(other[key])) for key in one)


def changed(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {key for key in one if not torch.equal(one[key], other[key])}


@pytest.mark.parametrize("kind", ["attention", "convolutions", "kohya"])
def test_a_lora_changes_the_picture_as_far_as_its_weight_says(model, files, kind):
    plain, file = make(model), str(files[kind])
    differences = [np.abs(make(model, Lora(file, weight)) - plain).mean() for weight in (0.0, 0.25, 1.0)]
    assert differences[0] == 0
    assert 0.001 < differences[1] < differences[2]
    assert not np.allclose(make(model, Lora(file, -0.25)), make(model, Lora(file, 0.25)), atol=0.01)


def test_it_is_what_diffusers_makes_of_it(model, files, folders):
    file = files["attention"]
    make(model, Lora(str(file), 0.7))
    theirs: Any = StableDiffusionPipeline.from_pretrained(folders["sd1"], local_files_only=True)
    theirs.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name="it")
    theirs.set_adapters(["it"], [0.7])
    ours = loaded(model).pipeline
    generator = torch.Generator().manual_seed(0)
    latents, words = torch.randn(1, 4, 16, 16, generator=generator), torch.arange(10)[None]
    with torch.no_grad():
        said = [pipeline.text_encoder(words)[0] for pipeline in (ours, theirs)]
        seen = [pipeline.unet(latents, 500, said[1]).sample for pipeline in (ours, theirs)]
    assert torch.allclose(*said, atol=1e-5)
    assert torch.allclose(*seen, atol=1e-4)


def test_the_kohya_format_is_read_with_its_alphas_and_convolutions(model, files):
    make(model)
    plain, tensors = weights(model), load_file(files["kohya"])
    make(model, Lora(str(files["kohya"]), 0.5))
    now, missing = weights(model), []
    for key in (key.removesuffix(".alpha") for key in tensors if key.endswith(".alpha")):
        expected = tiny_loras.product(tensors, key) * 0.5
        place = (
            key.replace("lora_te_text_model", "text_encoder").replace("lora_unet", "unet").replace("_", "")
        )
        name = next(name for name in plain if re.sub(r"text_model|[._]", "", name) == f"{place}weight")
        if not torch.allclose(now[name] - plain[name], expected, atol=1e-5):
            missing.append(name)
    assert not missing
    assert len(changed(plain, now)) == sum(key.endswith(".alpha") for key in tensors)


def test_words_are_read_anew_under_another_lora(model, files, tmp_path):
    tensors = load_file(files["kohya"])
    words = {name: tensor for name, tensor in tensors.items() if name.startswith("lora_te")}
    save_file(words, tmp_path / "words.safetensors")
    pictures = [make(model, Lora(str(tmp_path / "words.safetensors"), weight)) for weight in (0.0, 0.5, 1.0)]
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])
    assert np.array_equal(make(model), pictures[0])


def test_several_add_up(model, files):
    one, other = Lora(str(files["attention"]), 0.5), Lora(str(files["kohya"]), -0.75)
    states = []
    for loras in ((), (one,), (other,), (one, other)):
        make(model, *loras)
        states.append(weights(model))
    plain, first, second, both = states
    name = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    assert name in changed(plain, first) & changed(plain, second)
    for key in plain:
        if plain[key].is_floating_point():
            assert torch.allclose(
                both[key] - plain[key], first[key] + second[key] - 2 * plain[key], atol=1e-4
            )


def test_the_same_file_twice_is_its_weights_added_up(model, files):
    half = Lora(str(files["attention"]), 0.5)
    assert np.array_equal(make(model, half, half), make(model, Lora(half.file, 1.0)))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_taken_away_the_model_is_what_it_was_to_the_last_bit(folders, files, precision):
    model = load(folders["sd1"], precision)
    stored = hashlib.sha256((folders["sd1"] / UNET_FILE).read_bytes()).digest()
    picture, before = make(model), weights(model)
    make(model, Lora(str(files["attention"])), Lora(str(files["kohya"]), 1.3))
    assert not same_bits(weights(model), before)
    make(model, Lora(str(files["kohya"]), 0.2))
    assert np.array_equal(make(model), picture)
    assert same_bits(weights(model), before)
    assert hashlib.sha256((folders["sd1"] / UNET_FILE).read_bytes()).digest() == stored


def test_no_copy_of_the_model_is_kept_and_no_weight_moves(folders, files):
    model = load(folders["sd1"])
    make(model)
    addresses = [tensor.data_ptr() for tensor in loaded(model).denoiser.parameters()]
    make(model, Lora(str(files["kohya"])))
    assert [tensor.data_ptr() for tensor in loaded(model).denoiser.parameters()] == addresses
    assert loaded(model).loras._originals._copies == {}


def test_what_the_model_s_files_do_not_hold_is_given_back_all_the_same(folders, files):
    model = load(folders["sd1"])
    make(model)
    with torch.no_grad():
        for tensor in loaded(model).pipeline.unet.parameters():
            tensor.mul_(1.001)
    before = weights(model)
    make(model, Lora(str(files["convolutions"])))
    assert not same_bits(weights(model), before)
    make(model)
    assert same_bits(weights(model), before)


def test_what_a_lora_was_before_does_not_matter(model, folders, files):
    lora = Lora(str(files["convolutions"]), 0.8)
    make(model, Lora(str(files["kohya"]), 2.0))
    picture = make(model, lora)
    assert np.array_equal(picture, make(load(folders["sd1"]), lora))
    model._attempts.let_go()  # as where the weights have to lie differently
    assert np.array_equal(picture, make(model, lora))


def test_a_file_is_read_once_while_only_weights_change(folders, files):
    model, progress = load(folders["sd1"]), Recorder()
    for weight in (0.5, 0.5, 1.0):
        make(model, Lora(str(files["attention"]), weight), progress=progress)
    make(model, Lora(str(files["attention"]), 1.0), Lora(str(files["kohya"])), progress=progress)
    assert progress.loadings.count("Loading the LoRA attention") == 1
    assert progress.loadings.count("Loading the LoRA kohya.safetensors") == 1
    assert progress.loadings.count("Adding the LoRAs to the model") == 3


def test_a_file_that_was_replaced_is_read_again(model, files, folders, tmp_path):
    file = shutil.copy(files["convolutions"], tmp_path / "it.safetensors")
    first, state = make(model, Lora(str(file))), loaded(model).loras.state
    shutil.copy(tiny_loras.save_lora(tmp_path / "new", folders["sd1"], ("to_q",), seed=9), file)
    assert not np.allclose(make(model, Lora(str(file))), first, atol=0.01)
    assert loaded(model).loras.state != state


def test_a_model_whose_files_changed_meanwhile_is_read_again(folders, files, tmp_path):
    folder = shutil.copytree(folders["sd1"], tmp_path / "sd1")
    model, progress = load(folder), Recorder()
    make(model, Lora(str(files["attention"])))
    content = (folder / UNET_FILE).read_bytes()
    (folder / UNET_FILE).unlink()  # another file, since the old one is still mapped
    (folder / UNET_FILE).write_bytes(content)
    make(model, progress=progress)
    assert progress.loadings.count("Loading sd1") == 1
    assert np.array_equal(make(model), make(load(folders["sd1"])))


@pytest.mark.parametrize("kind", ["convolutions", "kohya"])
def test_the_law_of_the_torus_holds_with_convolutions_in_a_lora(folders, files, kind):
    model = load(folders["sd1"])
    make(model, Lora(str(files[kind])))
    unet, words = loaded(model).pipeline.unet, torch.randn(1, 7, 32)
    latents = torch.randn(1, 4, 16, 24)

    def denoise(image: Tensor) -> Tensor:
        return unet(image, 500, words).sample

    assert violation(denoise, latents, (8, 8)) > 0.01
    with wrap(unet):
        assert violation(denoise, latents, (8, 8)) < 1e-5


def test_the_same_material_comes_from_its_recipe_and_every_map_tiles(folders, files):
    lora = Lora(str(files["kohya"]), 0.6)
    request = replace(REQUEST, model=str(folders["sd1"]), loras=(lora,))

    def run(request: Request) -> dict[str, Result]:
        events: list[Event] = []
        Engine().run("job", request, None, events.append)
        assert isinstance(events[-1], Finished), events[-1]
        return {event.map: event for event in events if isinstance(event, Result)}

    results = run(request)
    recipe = results["basecolor"].recipe
    assert recipe["loras"] == [{"file": lora.file, "weight": 0.6}]
    for name, result in results.items():
        assert result.seams["x"]["tiles"] is not False, name
        assert result.seams["y"]["tiles"] is not False, name
    again = run(replace(Request.from_json(recipe), maps=("basecolor",)))
    without = run(replace(request, loras=(), maps=("basecolor",)))
    picture = from_wire(results["basecolor"].image)
    assert np.array_equal(from_wire(again["basecolor"].image), picture)
    assert not np.array_equal(from_wire(without["basecolor"].image), picture)


def test_a_picture_tiles_along_one_axis_alone_where_that_is_asked_for(model, files):
    request = replace(REQUEST, width=256, height=256, seamless="x")
    picture = make(model, Lora(str(files["kohya"])), request=request)
    assert seams.measure(picture, guess=True).x.tiles is not False
    assert loaded(model).laws.complaint(torch.float32, True, False) is None


class Impatient(Recorder):
    """Cancels at the n-th time that it is asked, from the first word of a LoRA on."""

    def __init__(self, patience: int) -> None:
        super().__init__()
        self._patience = patience

    def check(self) -> None:
        if any("LoRA" in what for what in self.loadings):
            self._patience -= 1
            if self._patience < 0:
                raise CancelledError

    def loading(self, what: str, fraction: float | None = None) -> None:
        super().loading(what, fraction)
        self.check()


@pytest.mark.parametrize("patience", [0, 2, 40])
def test_cancelled_at_any_moment_the_model_stays_sound(folders, files, patience):
    model = load(folders["sd1"])
    picture, before = make(model), weights(model)
    loras = Lora(str(files["attention"])), Lora(str(files["kohya"]))
    with pytest.raises(CancelledError):
        make(model, *loras, progress=Impatient(patience))
    with pytest.raises(CancelledError):
        make(model, loras[1], progress=Impatient(patience))
    assert np.array_equal(make(model), picture)
    assert same_bits(weights(model), before)
    with pytest.raises(CancelledError):
        make(model, *loras, progress=Impatient(patience))
    assert np.array_equal(make(model, *loras), make(load(folders["sd1"]), *loras))


def starting_with(monkeypatch: pytest.MonkeyPatch, measures: Sequence[Measure]) -> None:
    """Makes every model start with these measures; the CPU is as if it were a card with memory of its own."""
    plain = attempts.Attempts._first
    monkeypatch.setattr(attempts.Attempts, "_first", lambda self, job: plain(self, job).having(measures))
    monkeypatch.setattr(hardware, "has_own_memory", lambda _device: True)


@pytest.mark.parametrize("measure", [Measure.MODEL_OFFLOAD, Measure.GROUP_OFFLOAD])
def test_weights_that_wait_in_main_memory_take_loras_all_the_same(folders, files, monkeypatch, measure):
    loras = Lora(str(files["attention"])), Lora(str(files["kohya"]), 0.4)
    expected = [make(load(folders["sd1"]), *some) for some in ((), loras)]
    starting_with(monkeypatch, [measure])
    model = load(folders["sd1"])
    assert np.array_equal(make(model), expected[0])
    assert loaded(model).plan.measures == (measure,)
    assert np.array_equal(make(model, *loras), expected[1])
    assert np.array_equal(make(model), expected[0])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_in_eight_bits_take_loras_and_give_them_back(folders, files, monkeypatch, precision):
    lora = Lora(str(files["attention"]), 0.5)
    plain, wide = make(load(folders["sd1"], precision)), make(load(folders["sd1"], precision), lora)
    starting_with(monkeypatch, [Measure.FP8])
    model = load(folders["sd1"], precision)
    picture, before = make(model), weights(model)
    name = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    assert before[name].dtype == torch.float8_e4m3fn
    narrow = make(model, lora)
    assert np.abs(narrow - wide).mean() < np.abs(plain - wide).mean() / 2
    assert loaded(model).loras._originals._copies == {}
    assert np.array_equal(make(model), picture)
    assert same_bits(weights(model), before)


def test_memory_that_runs_out_while_a_lora_is_added_is_made_good(folders, files, monkeypatch):
    lora, calls, merged = Lora(str(files["kohya"]), 0.6), [0], lora_module.merged
    plain, expected = make(load(folders["sd1"])), make(load(folders["sd1"]), lora)

    def exhausted(*arguments: Any) -> Tensor:
        calls[0] += 1
        if calls[0] == 40:
            raise MemoryError
        return merged(*arguments)

    monkeypatch.setattr(lora_module, "merged", exhausted)
    monkeypatch.setattr(hardware, "has_own_memory", lambda _device: True)
    monkeypatch.setattr(hardware, "keeps_fp8", lambda _device: False)
    model, progress = load(folders["sd1"]), Recorder()
    assert np.array_equal(make(model, lora, progress=progress), expected)
    assert progress.notices == [
        "There was not enough memory at first; parts of the model waited in main memory."
    ]
    assert np.array_equal(make(model), plain)
