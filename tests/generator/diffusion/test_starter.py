# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that ships with the product, with its real weights, through the code that runs every other folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from PIL import Image
from recorder import Recorder
from tiny_loras import save_lora
from tiny_models import save_sd

from generator import models, seams
from generator.engine import Engine
from generator.material import FloatArray
from generator.models import STARTER_FOLDER, Model
from generator.protocol import STARTER, Failed, Lora, Request
from generator.torus import wrap
from generator.torus.law import violation

ROOT = Path(__file__).resolve().parents[3]
SIZE = 128


@pytest.fixture(scope="module")
def starter() -> Iterator[Model]:
    """The model as a job gets it, on the CPU."""
    torch.set_num_threads(1)
    model = models.load(STARTER, "fp32", "cpu", Recorder())
    yield model
    model.close()


def pictures(model: Model, prompt: str, source: FloatArray | None = None, **more) -> list[FloatArray]:
    request = Request(
        prompt=prompt, model=STARTER, **{"width": SIZE, "height": SIZE, "maps": ("basecolor",), **more}
    )
    found = list(model.generate(model.settle(request), source, Recorder()))
    assert all(isinstance(picture, np.ndarray) for picture in found)
    return found  # type: ignore[return-value]


def test_it_fits_where_it_has_to() -> None:
    sizes = [path.stat().st_size for path in STARTER_FOLDER.rglob("*") if path.is_file()]
    assert sum(sizes) <= 60_000_000
    assert max(sizes) < 45_000_000
    assert not [path for path in STARTER_FOLDER.rglob("*") if path.suffix in (".bin", ".ckpt", ".pt", ".py")]
    card = (STARTER_FOLDER / "README.md").read_text(encoding="utf-8")
    assert "experimental" in card.lower()
    assert "family right" in card, "its figures are in its card"


def test_diffusers_loads_it_without_custom_code() -> None:
    pipeline = DiffusionPipeline.from_pretrained(STARTER_FOLDER, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    seed = torch.Generator().manual_seed(0)
    made = pipeline("red brick", num_inference_steps=2, width=SIZE, height=SIZE, generator=seed).images[0]  # type: ignore[operator]
    assert made.size == (SIZE, SIZE)


def test_it_is_offered_and_says_what_it_was_made_for() -> None:
    (info,) = [info for info in models.installed() if info.name == STARTER]
    assert (info.kind, info.native_size, info.steps, info.guidance) == ("diffusion", 512, 20, 2.5)
    assert "experimental" in info.description


def test_the_law_holds_for_all_of_it() -> None:
    """What is learnt changes nothing: rolled noise is rolled velocities, rolled latents are rolled pixels."""
    pipeline = DiffusionPipeline.from_pretrained(STARTER_FOLDER, local_files_only=True)
    random = torch.Generator().manual_seed(0)
    tokens = pipeline.tokenizer("mossy brick", return_tensors="pt").input_ids  # type: ignore[attr-defined]
    words = pipeline.text_encoder(tokens).last_hidden_state.double().detach()  # type: ignore[attr-defined]
    unet, codec = pipeline.unet.double(), pipeline.vae.double()  # type: ignore[attr-defined]
    latents = torch.randn((1, 4, 16, 24), dtype=torch.float64, generator=random)
    pixels = torch.rand((1, 3, 64, 96), dtype=torch.float64, generator=random) * 2 - 1
    with torch.no_grad(), wrap(unet), wrap(codec):
        assert violation(lambda x: unet(x, 500, words).sample, latents, (8, 16), 1.0) < 1e-9
        assert violation(lambda x: codec.decode(x).sample, latents, (3, 5), 4.0) < 1e-9
        assert violation(lambda x: codec.encode(x).latents, pixels, (24, 40), 1 / 4) < 1e-9


def test_it_listens_to_colours(starter: Model) -> None:
    red, blue = (pictures(starter, f"{word} moss", seed=1)[0].mean((0, 1)) for word in ("red", "blue"))
    assert red[0] > red[2] + 0.1
    assert blue[2] > blue[0] + 0.1


def test_it_listens_to_materials(starter: Model) -> None:
    """Lava glows in places, plaster is even."""
    lava, plaster = (pictures(starter, word, seed=1)[0] for word in ("lava", "white plaster"))
    assert lava.std((0, 1)).max() > 2 * plaster.std((0, 1)).max()


def test_a_seed_is_a_picture(starter: Model) -> None:
    one, other = pictures(starter, "old brick", seed=5, count=2)
    (again,) = pictures(starter, "old brick", seed=6)
    assert np.abs(one - other).mean() > 0.02
    assert np.abs(other - again).max() < 1e-3


def test_from_a_picture_it_goes_farther_the_stronger(starter: Model) -> None:
    source = np.full((SIZE, SIZE, 3), 0.5, np.float32)
    source[:, ::16] = 0.2
    apart = [
        float(np.abs(pictures(starter, "red lava", source, seed=2, strength=strength)[0] - source).mean())
        for strength in (0.2, 0.5, 0.8)
    ]
    assert apart == sorted(apart)
    assert apart[-1] > 1.5 * apart[0]


def test_its_pictures_tile(starter: Model) -> None:
    for seed, words in enumerate(("gravel", "moss", "rust", "green grass")):
        report = seams.measure(pictures(starter, words, seed=seed)[0])
        assert report.x.tiles is not False
        assert report.y.tiles is not False


def test_from_the_command_line_and_from_a_photo(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:96, 0:128]
    photo = np.stack([80 + columns, 60 + rows, 50 + rows // 2], -1).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    common = [
        "--model",
        STARTER,
        "--size",
        str(SIZE),
        "--seed",
        "7",
        "--out",
        str(tmp_path),
        "--json",
        "--no-sheet",
    ]
    for more in (["weathered turquoise planks"], ["moss", "--source", str(tmp_path / "photo.png")]):
        done = subprocess.run(
            [sys.executable, "-m", "generator", "generate", *more, *common],
            capture_output=True, text=True, check=False, cwd=ROOT, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        recipe = next(event for line in done.stdout.splitlines() if "recipe" in (event := json.loads(line)))
        assert recipe["recipe"]["model"] == STARTER
        assert recipe["recipe"]["num_inference_steps"] == 20
    assert len(list(tmp_path.glob("weathered-turquoise-planks_7_*.png"))) == 6


def test_a_lora_for_another_model_ends_in_a_sentence(tmp_path: Path) -> None:
    file = save_lora(tmp_path / "lora", save_sd(tmp_path / "sd"))
    request = Request(
        prompt="brick",
        model=STARTER,
        width=SIZE,
        height=SIZE,
        num_inference_steps=1,
        loras=(Lora(str(file)),),
    )
    events: list = []
    Engine().run("job", request, None, events.append)
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert "LoRA" in failed.message
    assert "Traceback" not in failed.message
