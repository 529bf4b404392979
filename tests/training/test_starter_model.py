# SPDX-License-Identifier: GPL-3.0-or-later
"""The starter from nothing, very small: every part is trained, stopped and resumed; the product runs what comes out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from diffusers import DiffusionPipeline  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from generator import seams  # noqa: E402
from generator.torus import TorusModule, wrap  # noqa: E402
from generator.torus.law import violation  # noqa: E402
from training.loop import Settings  # noqa: E402
from training.starter import __main__ as everything  # noqa: E402
from training.starter import (  # noqa: E402
    autoencoder,
    data,
    denoiser,
    evaluate,
    export,
    judges,
    latents,
    measures,
    unpack,
    words,
)
from training.starter.asking import Maker  # noqa: E402
from training.starter.meanings import meanings, read_right  # noqa: E402
from training.starter.noise import Noising, sample, scheduler, times  # noqa: E402
from training.starter.tokens import make_tokenizer, vocabulary  # noqa: E402

TINY = (16, 32, 32)
QUICK = Settings(4, 1e-3, warm_up=2, average=0.9)


class Made(NamedTuple):
    """Folders of everything that was made."""

    pictures: Path
    codec: Path
    reader: Path
    latents: Path
    network: Path
    model: Path
    judge: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """All parts, each trained for a few steps."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("starter")
    pictures = data.build("train", 10, 32, root, workers=1)
    codec = autoencoder.run(pictures, root / "autoencoder", QUICK, width=8, batch=2)
    reader = words.run(root / "words", QUICK, batch=4, captions=20, width=48, layers=1)
    encoded = latents.build(pictures, root / "latents", codec, reader, moved=2, said=2)
    network = denoiser.run([encoded], root / "denoiser", codec, reader, QUICK, batch=2, widths=TINY)
    model = export.assemble(codec, reader, network, root / "model")
    judge = judges.run(pictures, pictures, root / "judges", QUICK, batch=4, widths=(8, 8, 8, 8))
    return Made(pictures, codec, reader, encoded, network, model, judge)


def test_every_word_is_one_token_and_the_same_at_every_run(made: Made, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    for name in ("vocab.json", "merges.txt"):
        assert (tmp_path / name).read_bytes() == (made.reader / "tokenizer" / name).read_bytes()
    assert all(len(row) == 3 for row in tokenizer(vocabulary())["input_ids"])  # between the two marks
    unknown = tokenizer("turquoise zoxiplanks", add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(unknown).strip() == "turquoise zoxiplanks" and len(unknown) > 2


def test_a_text_encoder_comes_to_read_what_it_is_shown(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    how = Settings(60, 4e-3, warm_up=5, average=0.8)
    folder = words.run(tmp_path, how, batch=8, captions=8, width=48, layers=1)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["family"] < 0.6 * log[0]["family"]
    assert sorted(path.name for path in folder.iterdir()) == ["text_encoder", "tokenizer"]


def test_meanings_tell_what_words_ask_for() -> None:
    meant = meanings(["mossy red brick", "white herringbone tiles"])
    exact = {name: torch.nn.functional.one_hot(meant[name], 60).float() for name in ("family",)}
    exact |= {name: meant[name] * 2 - 1 for name in ("colours", "structure")}
    assert set(read_right(exact, meant).values()) == {1.0}
    swapped = {name: values.flip(0) for name, values in exact.items()}
    assert read_right(swapped, meant)["family"] == 0.0


def test_the_autoencoder_and_the_denoiser_keep_the_law(made: Made) -> None:
    parts = denoiser.read_parts(made.codec, made.reader, torch.device("cpu"))
    unet = denoiser.UNet2DConditionModel.from_pretrained(made.network).double()
    said, codec = parts.said(["red brick"]).double(), parts.codec.double()
    random = torch.Generator().manual_seed(0)
    field = torch.randn((1, 4, 8, 8), generator=random, dtype=torch.float64)
    pixels = torch.rand((1, 3, 64, 64), generator=random, dtype=torch.float64)
    with wrap(unet), wrap(codec), torch.no_grad():
        assert violation(lambda x: unet(x, 500, said).sample, field, (4, -4)) < 1e-12
        assert violation(lambda x: codec.decode(x).sample, field, (3, 1), 4) < 1e-12
        assert violation(lambda x: codec.encode(x).latents, pixels, (8, -16), 1 / 4) < 1e-12


@pytest.mark.parametrize("part", ["autoencoder", "denoiser"])
def test_a_run_in_pieces_is_the_run_in_one_piece(made: Made, tmp_path: Path, part: str, monkeypatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(denoiser, "sample", lambda velocity, told, nothing, noise: noise)

    def run(out: Path, often: float = 60) -> Path:
        if part == "autoencoder":
            return autoencoder.run(made.pictures, out, QUICK, width=8, batch=2, checkpoint_minutes=often)
        return denoiser.run(
            [made.latents] * 2,
            out,
            made.codec,
            made.reader,
            QUICK,
            batch=4,
            widths=TINY,
            checkpoint_minutes=often,
        )

    whole = run(tmp_path / "whole")
    kind = autoencoder.Losses if part == "autoencoder" else denoiser.Losses
    original = kind.__call__

    def until(self, weights, step):
        if step == 2:
            raise KeyboardInterrupt
        return original(self, weights, step)

    monkeypatch.setattr(kind, "__call__", until)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "pieces", 0)
    monkeypatch.setattr(kind, "__call__", original)
    pieces = run(tmp_path / "pieces")
    name = "diffusion_pytorch_model.safetensors"
    one, other = load_file(whole / name), load_file(pieces / name)
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    assert (tmp_path / "pieces" / "sheet.jpg").is_file() and (tmp_path / "pieces" / "curve.png").is_file()


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (4, 2, 1), (5, 2, 2)])
def test_what_is_learnt_is_what_the_product_computes(kernel: int, stride: int, padding: int) -> None:
    """Values and gradients are those of a circular border, whether gradients are wanted or not."""
    layer = torch.nn.Conv2d(3, 5, kernel, stride, padding, dtype=torch.float64)
    random = torch.Generator().manual_seed(0)
    one = torch.randn((2, 3, 8, 12), generator=random, dtype=torch.float64).requires_grad_()
    other = one.detach().clone().requires_grad_()
    framed = torch.nn.functional.pad(one, (padding,) * 4, mode="circular")
    expected = torch.nn.functional.conv2d(framed, layer.weight, layer.bias, stride)
    (by_hand,) = torch.autograd.grad(expected.square().sum(), one)
    with wrap(layer):
        assert isinstance(layer, TorusModule)
        found = layer(other)
        (learnt,) = torch.autograd.grad(found.square().sum(), other)
        with torch.no_grad():
            assert torch.allclose(layer(other), expected, atol=1e-12)
    assert torch.allclose(found, expected, atol=1e-12) and torch.allclose(learnt, by_hand, atol=1e-12)
    assert type(layer) is torch.nn.Conv2d


def test_latents_of_another_autoencoder_are_refused(made: Made, tmp_path: Path) -> None:
    other = autoencoder.run(made.pictures, tmp_path / "other", Settings(1, 1e-3), width=8, batch=2)
    with pytest.raises(ValueError, match="another autoencoder"):
        latents.build(made.pictures, made.latents.parent, other, made.reader, moved=2, said=2)
    with pytest.raises(ValueError, match="not those of this autoencoder"):
        denoiser.run([made.latents], tmp_path / "out", other, made.reader, QUICK, batch=2, widths=TINY)


def test_latents_are_what_the_autoencoder_sees(made: Made) -> None:
    found = latents.Latents(made.latents, torch.device("cpu"))
    scale = denoiser.read_parts(made.codec, made.reader, torch.device("cpu")).codec.config["scaling_factor"]
    assert found.tori.fields.shape == (20, 8, 8, 4) and scale > 0
    assert 0.5 < float(found.tori.fields.float().std()) < 2
    drawn, tokens = found.drawn(torch.tensor([3]), torch.Generator().manual_seed(0))
    assert drawn.shape == (1, 4, 8, 8)
    assert any(torch.equal(tokens[0], row) for row in found.tokens[3].long())


def test_a_perfect_denoiser_finds_the_way_back() -> None:
    """Whoever tells the true velocity is led from pure noise to the picture by the model's own scheduler."""
    clean = torch.randn((1, 4, 4, 4), generator=torch.Generator().manual_seed(1))
    kept = scheduler().alphas_cumprod
    assert float(kept[-1]) < 1e-7

    def velocity(latents, time, told):
        signal, deviation = (
            kept[time].sqrt()[:, None, None, None],
            (1 - kept[time]).sqrt()[:, None, None, None],
        )
        noise = (latents - signal * clean) / deviation
        return signal * noise - deviation * clean

    none = torch.zeros(1, 2, 2)
    noise = torch.randn((1, 4, 4, 4), generator=torch.Generator().manual_seed(2))
    assert torch.allclose(sample(velocity, none, none, noise, steps=10), clean, atol=1e-3)


def test_noise_is_asked_for_at_all_times_and_counts_from_the_first() -> None:
    drawn = times(1000, torch.Generator().manual_seed(0))
    assert sorted(drawn.tolist()) == list(range(1000))
    noising = Noising(torch.device("cpu"))
    weight = noising.weight(torch.arange(1000))
    assert weight[999] == 1 and weight[0] < 0.05 and torch.all(weight[1:] >= weight[:-1] - 1e-6)


def test_the_model_is_small_names_no_place_and_says_what_it_is(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in made.model.rglob("*.json"):
        assert str(made.model.parent) not in path.read_text(encoding="utf-8"), path
    card = (made.model / "README.md").read_text(encoding="utf-8")
    assert "multiples of\n  16 pixels" in card and "4 steps" in card
    export.add_figures(made.model, "| 1 |")
    export.add_figures(made.model, "| 2 |")
    card = (made.model / "README.md").read_text(encoding="utf-8")
    assert card.count("## Figures") == 1 and "| 2 |" in card and "| 1 |" not in card
    monkeypatch.setattr(export, "LARGEST_FILE", 1000)
    with pytest.raises(ValueError, match="may be shipped"):
        export.weigh(made.model)


def test_what_is_shipped_can_be_trained_further(made: Made, tmp_path: Path, capsys) -> None:
    """Taken apart, the parts are what they were, to half precision, and one more step can be made of them."""
    root = tmp_path / "again"
    assert unpack.main(["--model", str(made.model), "--root", str(root)]) == 0
    assert str(root / "denoiser") in capsys.readouterr().out
    state = load_file(root / "denoiser" / "checkpoint.safetensors")
    before = load_file(made.network / "diffusion_pytorch_model.safetensors")
    assert {name.removeprefix("weights.") for name in state if name.startswith("weights.")} == set(before)
    assert torch.equal(state["averaged.conv_in.bias"], before["conv_in.bias"].half().float())
    codec, reader = root / "autoencoder" / "model", root / "words" / "model"
    with pytest.raises(ValueError, match="is finished"):
        words.run(root / "words", QUICK, batch=4, captions=20, width=48, layers=1)
    encoded = latents.build(made.pictures, tmp_path, codec, reader, moved=2, said=2)
    more = denoiser.settings(5, 1e-9, 1e-9)
    network = denoiser.run([encoded], root / "denoiser", codec, reader, more, batch=2, widths=TINY)
    after = load_file(network / "diffusion_pytorch_model.safetensors")
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=2e-3, atol=1e-5)
    log = [json.loads(line) for line in (root / "denoiser" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [4, 5]
    pictures = {(split, 32): 4 for split in ("judges", "trial", "train")}
    effort = everything.Effort((9, 2), (9, 4), (2, 2), (6, 4), captions=8, width=8)  # of another shape
    work = everything.Work(root, effort, pictures, everything.Clock(60), 0)
    assert work.words() and work.autoencoder() and not work._trained("denoiser", everything.NETWORK, 6)
    assert work.data() and work.latents() and work.denoiser()
    state = json.loads((root / "denoiser" / "model" / "config.json").read_text(encoding="utf-8"))
    assert tuple(state["block_out_channels"]) == TINY
    assert unpack.main(["--model", str(made.model), "--root", str(root)]) == 1
    assert "has been begun" in capsys.readouterr().err
    assert unpack.main(["--model", str(tmp_path), "--root", str(tmp_path / "other")]) == 1
    assert "training.json" in capsys.readouterr().err and not (tmp_path / "other").exists()


def test_diffusers_loads_it_without_custom_code(made: Made) -> None:
    pipeline = DiffusionPipeline.from_pretrained(made.model, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("red brick", width=64, height=64, num_inference_steps=2).images[0]
    assert isinstance(picture, Image.Image) and picture.size == (64, 64)


def test_the_product_makes_pictures_with_it_that_tile(made: Made) -> None:
    maker = Maker(made.model, "fp32", steps=3)
    picture = maker.make("weathered turquoise planks", 96, 1)
    assert picture.shape == (96, 96, 3) and maker.progress.notices == []
    report = seams.measure(picture)
    assert report.x.tiles is not False and report.y.tiles is not False
    source = np.random.default_rng(0).random((96, 96, 3)).astype(np.float32)
    near, far = (maker.make("red brick", 96, 1, source, strength) for strength in (0.34, 1.0))
    assert not np.array_equal(near, far)
    maker.close()


def test_the_judges_do_not_know_where_the_borders_are(made: Made) -> None:
    judge, about = judges.read_judge(made.judge)
    assert 0 <= float(about["family"]) <= 1
    pixels = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0)) * 2 - 1
    one, other = (judges.verdicts(judge, field) for field in (pixels, pixels.roll((16, -32), (2, 3))))
    for scores, rolled in zip(one, other, strict=True):
        assert torch.allclose(scores, rolled, atol=1e-4)


def test_judges_are_told_a_colour_only_where_one_is_named() -> None:
    scenes = [
        data.Scene(0, "brick", text, 0)
        for text in ("red brick", "brick", "red and blue brick", "navy blue brick")
    ]
    families, colours = judges.answers(scenes)
    assert set(families.tolist()) == {judges.FAMILIES.index("brick")}
    blue, red = judges.COLOURS.index("blue"), judges.COLOURS.index("red")
    assert colours.tolist() == [red, -1, -1, blue]


def test_one_command_judges_and_draws(made: Made, tmp_path: Path, capsys) -> None:
    arguments = ["--model", str(made.model), "--judges", str(made.judge), "--out", str(tmp_path)]
    arguments += ["--count", "3", "--size", "64", "--few", "2", "--sheet", "2", "--sheet-size", "64"]
    arguments += ["--steps", "2", "--precision", "fp32", "--card"]
    assert evaluate.main(arguments) == 0
    page = (tmp_path / "starter-evaluation.md").read_text(encoding="utf-8")
    assert page.strip() in capsys.readouterr().out
    assert "| family right |" in page and "Of 3 prompts" in page and "64 x 64" in page
    assert "fp32, 2 steps" in page and "8 steps (3 prompts): family right" in page
    assert (made.model / "README.md").read_text(encoding="utf-8").count("| family right |") == 1
    assert Image.open(tmp_path / "images" / "starter_sheet.jpg").width > 100
    assert Image.open(tmp_path / "images" / "starter_side_by_side.jpg").width > 100
    assert evaluate.main([*arguments, "--judges", str(tmp_path / "none")]) == 1
    assert "no judges" in capsys.readouterr().err


def test_figures_know_what_moves() -> None:
    rising, falling = (0.1, 0.2, 0.3, 0.4), (0.1, 0.3, 0.2, 0.4)

    def figures(left: tuple[float, ...], reached: tuple[float, ...]) -> measures.Figures:
        quick = measures.Fast(100, 8, 0.8, 0.9, 0.9, 0.9)
        times = (measures.Timing("fp32", 20, 9.0, 15.0), measures.Timing("fp32", 8, 2.0, 3.0))
        return measures.Figures(500, 256, 0.9, 0.9, 0.95, 0.95, 1.0, 0.8, left, reached, quick, 512, times)

    assert figures(rising, rising).moves
    assert not figures(rising, falling).moves and not figures(falling, rising).moves
    assert figures(rising, rising).short == [] and figures(falling, rising).short == ["from a picture"]
    poor = dataclasses.replace(
        figures(rising, rising),
        family=0.7,
        colour=0.8,
        diversity=0.4,
        seam=1.1,
        times=(measures.Timing("fp32", 20, 16.0, 15.0),),
    )
    assert poor.short == ["family", "colour", "diversity", "seam", "seconds"]


def test_one_command_makes_it_all_again_and_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    torch.set_num_threads(1)
    pictures = {("judges", 32): 4, ("trial", 32): 4, ("train", 32): 4}
    pictures |= {("train", 64): 4, ("train", 96): 4}
    monkeypatch.setattr(everything, "PICTURES", pictures)
    effort = everything.Effort((2, 2), (2, 4), (2, 2), (4, 4), captions=8, widths=TINY, width=8)
    monkeypatch.setattr(everything, "ON_A_PROCESSOR", effort)
    monkeypatch.setattr(everything, "device", lambda: torch.device("cpu"))
    monkeypatch.setattr(evaluate, "main", lambda arguments: int("--card" not in arguments))
    assert everything.main(["--root", str(tmp_path), "--minutes", "0"]) == 0
    assert "Time is up" in capsys.readouterr().out
    assert everything.main(["--root", str(tmp_path), "--minutes", "60"]) == 0
    assert (tmp_path / "model" / "model_index.json").is_file()
    assert sorted(path.name for path in (tmp_path / "latents").iterdir()) == [
        "train-32",
        "train-64",
        "train-96",
    ]
    log = tmp_path / "denoiser" / "log.jsonl"
    written = log.read_text(encoding="utf-8")
    assert json.loads(written.splitlines()[-1])["step"] == 4
    assert everything.main(["--root", str(tmp_path), "--minutes", "60"]) == 0
    assert log.read_text(encoding="utf-8") == written
