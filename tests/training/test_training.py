# SPDX-License-Identifier: GPL-3.0-or-later
"""Training itself: it learns, it goes on where it was stopped, and the evaluation tells good maps from bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import load_file  # noqa: E402

from generator.maps import analyse, seeing  # noqa: E402
from generator.maps.network import Plan, see  # noqa: E402
from generator.maps.seeing import read_network, see_material  # noqa: E402
from generator.networks.torch_operations import TorchOperations  # noqa: E402
from training import evaluate, optimisers  # noqa: E402
from training.dataset import Materials, build  # noqa: E402
from training.loop import Settings, train  # noqa: E402
from training.maps import evaluation  # noqa: E402
from training.maps.__main__ import main, run, start  # noqa: E402
from training.maps.losses import surfaces_of  # noqa: E402
from training.maps.samples import Draw, cast_in_metal, surface_of  # noqa: E402
from training.optimisers import orthogonal  # noqa: E402
from training.photos import photograph  # noqa: E402

SMALL = Plan((8, 12), 1)
SIZES = ((32, 2),)


def _train(data: Path, out: Path, steps: int, stop: int | None = None) -> dict[str, torch.Tensor]:
    settings = Settings(steps=steps, rate=2e-3, matrix_rate=4e-3, warm_up=5)
    if stop is not None:
        # A run that is killed: the schedule is that of the whole, only time runs out.
        import training.maps.__main__ as command

        original = command.train

        def stopped(start, losses, given, folder, minutes, look):
            def until(weights, step):
                if step == stop:
                    raise KeyboardInterrupt
                return losses(weights, step)

            return original(start, until, given, folder, minutes, checkpoint_minutes=0.0, look=look)

        command.train = stopped
        try:
            with pytest.raises(KeyboardInterrupt):
                run([data], out, SMALL, settings, 60, sizes=SIZES)
        finally:
            command.train = original
        return {}
    return load_file(run([data], out, SMALL, settings, 60, sizes=SIZES))


def test_a_run_in_pieces_is_the_run_in_one_piece(data: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole = _train(data, tmp_path / "whole", 8)
    _train(data, tmp_path / "pieces", 8, stop=3)
    pieces = _train(data, tmp_path / "pieces", 8)
    assert whole.keys() == pieces.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, pieces[name]), name
    assert (tmp_path / "pieces" / "curve.png").is_file() and (tmp_path / "pieces" / "sheet.jpg").is_file()


def test_muon_follows_every_direction_alike() -> None:
    for shape in ((12, 40), (40, 12)):
        values = torch.linalg.svdvals(
            orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(1)))
        )
        assert values.min() > 0.5 and values.max() < 1.4


@pytest.mark.parametrize("native", [True, False])
def test_muon_works_in_bfloat16_where_that_is_native(native: bool, monkeypatch) -> None:
    monkeypatch.setattr(optimisers, "has_bf16", lambda device: native)
    seen = []
    monkeypatch.setattr(
        optimisers, "orthogonal", lambda matrix: seen.append(matrix.dtype) or orthogonal(matrix)
    )
    start = {"conv.weight": torch.randn((12, 10, 1, 1), generator=torch.Generator().manual_seed(1))}
    moving = optimisers.Optimisers(start, 1e-3, 0.0, 0.1)
    (moving.leaves["conv.weight"] * torch.linspace(-1, 1, 10)).square().sum().backward()
    moving.step(1.0, 1.0)
    assert seen == [torch.bfloat16 if native else torch.float32]
    moved = moving.leaves["conv.weight"].detach() - start["conv.weight"].flatten(1)
    assert moved.dtype == torch.float32
    values = torch.linalg.svdvals(moved / 0.1)
    assert values.min() > 0.4 and values.max() < 1.6


def test_what_was_drawn_before_changes_no_batch(materials: Materials) -> None:
    used = Draw(materials, 3)
    for step in range(4):
        used.batch(step, 4, 32)
    here, there = used.batch(2, 4, 32)[0], Draw(materials, 3).batch(2, 4, 32)[0]
    for name, field in vars(here).items():
        assert torch.equal(field, getattr(there, name)), name


def test_a_cast_keeps_the_shape_and_is_metal(materials: Materials) -> None:
    fields = {name: field for name, field in vars(surface_of(materials[0])).items() if name != "normal"}
    for seed in range(6):
        cast = cast_in_metal(fields, np.random.default_rng(seed))
        assert torch.equal(cast["height"], fields["height"]) and cast["metallic"].mean() > 0.4
        assert all(cast[k].min() >= 0 and cast[k].max() <= 1 for k in ("colour", "metallic", "roughness"))


def test_it_learns(materials: Materials, tmp_path: Path) -> None:
    """Shown one picture again and again, a small network comes to see its maps."""
    truth = surface_of(materials[2], 32)
    picture = photograph(truth, ["flat"], torch.Generator().manual_seed(0), clean=True)
    operations = TorchOperations()

    def losses(weights, _step):
        seen, _ = surfaces_of(see(operations, weights, SMALL, picture), picture)
        return {
            "normal": (seen.normal - truth.normal).abs().mean(),
            "roughness": (seen.roughness - truth.roughness).abs().mean(),
        }

    first = float(sum(losses(start(SMALL, 0), 0).values()))
    weights, step, _ = train(start(SMALL, 0), losses, Settings(steps=150, rate=4e-3, average=0.9), tmp_path)
    assert step == 150
    assert float(sum(losses(weights, 0).values())) < 0.45 * first
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 140 or log[-1]["step"] == 150
    assert log[-1]["loss"] < log[0]["loss"]


def test_another_networks_checkpoint_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    common = ["--data", str(data), "--out", str(tmp_path), "--steps", "0"]
    assert main([*common, "--widths", "8", "12", "--blocks", "1"]) == 0
    assert main([*common, "--widths", "8", "12", "--blocks", "2"]) == 1
    assert "another network" in capsys.readouterr().err


def test_what_is_trained_is_what_the_product_runs(
    data: Path, materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look by the product's own NumPy arithmetic gives the maps that the loss saw."""
    monkeypatch.setattr(seeing, "_begun", seeing._glance)
    monkeypatch.setattr(seeing, "DEPTH", 1.0)
    monkeypatch.setattr(seeing, "CERTAINTY", 1.0)
    settings = Settings(steps=2)
    path = run([data], tmp_path, SMALL, settings, 60, sizes=SIZES)
    weights = {name: tensor.float() for name, tensor in load_file(path).items()}
    weights["head.weight"] *= 20
    picture = photograph(surface_of(materials[4]), ["flat"], torch.Generator().manual_seed(0))
    expected, _ = surfaces_of(see(TorchOperations(), weights, SMALL, picture), picture)
    network = read_network(path)
    network.weights["head.weight"].mul_(20)  # type: ignore[union-attr]
    made = evaluation.to_surface(see_material(network, picture[0].permute(1, 2, 0).numpy()))
    for name in ("colour", "height", "normal", "roughness", "metallic", "ao"):
        np.testing.assert_allclose(getattr(made, name), getattr(expected, name), atol=2e-4, err_msg=name)


def test_the_evaluation_finds_no_error_in_the_truth_and_some_in_everything_else(materials: Materials) -> None:
    truth = surface_of(materials[0])
    random = torch.Generator().manual_seed(0)
    assert all(value < 0.05 for value in evaluation.errors(truth, truth, random).values())
    found = evaluation.measure(materials, {"analysis": analyse}, 2)
    assert len(found) == 2 * 5
    for measure in evaluation.MEASURES:
        kinds = [row for row in found if not (measure == "basecolor" and row.kind == "flat")]
        assert measure == "metallic" or all(row.errors[measure] > 0 for row in kinds), measure
    assert evaluation.mean(found, "basecolor", kind="flat") < evaluation.mean(found, "basecolor", kind="sun")


def test_one_command_prints_the_table_and_draws_the_sheet(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "upscaler_table", lambda folder: f"\nof {folder.name}\n")
    held_out = build("held-out", 2, 64, tmp_path, workers=1)
    larger = build("held-out", 1, 96, tmp_path, workers=1)
    weights = run([data], tmp_path / "run", SMALL, Settings(steps=1), 60, sizes=SIZES)
    arguments = ["--count", "2", "--weights", str(weights), "--out", str(tmp_path), "--card", "--data"]
    assert evaluate.main([*arguments, str(data)]) == 1
    assert "which networks are trained on" in capsys.readouterr().err
    arguments += [str(held_out), str(larger)]
    assert evaluate.main(arguments) == 0
    page = (tmp_path / "maps-evaluation.md").read_text()
    assert page.strip() in capsys.readouterr().out
    assert page.endswith(f"of {held_out.name}\n") and "## At 96 pixels, 1 materials" in page
    assert "network / analysis" in page and "normal, degrees" in page
    card = weights.with_suffix(".md").read_text()
    assert "28 procedural materials" in card and "normal, degrees" in card and "cobblestone" in card
