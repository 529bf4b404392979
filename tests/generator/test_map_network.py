# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps by a network: exact on the torus, the same with and without torch, and never in the way when it is damaged.

The weights are small and random: what a network makes of a picture is for `training.evaluate` to measure.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generator import maps
from generator.engine import Engine
from generator.map_making import FALLEN_BACK
from generator.maps import analyse, estimate, normal_from_height
from generator.maps.heights import height_from_slopes
from generator.maps.network import Plan, plan_of
from generator.maps.seeing import LARGEST, Network, _refined, read_network, see_material
from generator.material import MAPS, Material
from generator.networks import Weights, WeightsError
from generator.networks import weights as weights_module
from generator.networks.numpy_operations import NumpyOperations
from generator.pixels import reference, to_uint8, to_wire
from generator.protocol import Failed, Finished, Notice, Request, Result
from generator.resample import blur

PLAN = Plan((6, 8, 10), 2)


def _weights(plan: Plan = PLAN, seed: int = 1) -> Weights:
    rng = np.random.default_rng(seed)
    tensors = {
        name: (rng.standard_normal(shape) * np.sqrt(1.5 / np.prod(shape[1:]))).astype(np.float32)
        for name, shape in plan.shapes().items()
    }
    return Weights(tensors, plan.metadata())


def _file(path: Path, weights: Weights, kind: str = "F16") -> Path:
    """A safetensors file, written here so that nothing but NumPy is needed."""
    header, body = {"__metadata__": weights.metadata}, b""
    for name, values in weights.tensors.items():
        raw = values.astype("<f2" if kind == "F16" else "<f4").tobytes()
        header[name] = {  # type: ignore[assignment]
            "dtype": kind,
            "shape": list(values.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def _network(plan: Plan = PLAN) -> Network:
    operations = NumpyOperations()
    return Network(plan, operations.prepare(_weights(plan).tensors), operations)


def _picture(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((rows, columns, 3)).astype(np.float32)
    return np.clip(0.5 + 1.5 * blur(noise, 2.0), 0, 1)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with a network; the file's place."""
    monkeypatch.setattr(weights_module, "FOLDER", tmp_path)
    return _file(tmp_path / "maps.safetensors", _weights())


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without one."""
    monkeypatch.setattr(weights_module, "FOLDER", tmp_path)


def _agree(one: Material, other: Material, tolerance: float) -> None:
    assert one.relief == pytest.approx(other.relief, rel=tolerance)
    for name in MAPS:
        here, there = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(here, there, atol=tolerance, err_msg=name)


class TestTheTorus:
    @pytest.mark.parametrize("shift", [(16, 0), (32, -48), (48, 80)])
    def test_a_roll_by_the_stride_rolls_every_map_and_changes_nothing_else(
        self, shift: tuple[int, int]
    ) -> None:
        picture, network = _picture(64, 96), _network()
        assert PLAN.stride == 8
        here = see_material(network, picture)
        there = see_material(network, np.roll(picture, shift, axis=(0, 1)))
        rolled = {name: np.roll(getattr(here, name), shift, axis=(0, 1)) for name in MAPS}
        _agree(there, replace(here, **rolled), 1e-5)

    @pytest.mark.parametrize("shift", [(32, 0), (-32, 64)])
    def test_and_where_smaller_copies_are_looked_at_too_one_by_a_multiple_in_the_smallest(
        self, shift: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        picture, network = _picture(64, 96), _network()
        alone = see_material(network, picture)
        monkeypatch.setattr("generator.maps.seeing.NEAREST", 32)
        here = see_material(network, picture)
        assert np.abs(here.roughness - alone.roughness).max() > 0.01
        there = see_material(network, np.roll(picture, shift, axis=(0, 1)))
        rolled = {name: np.roll(getattr(here, name), shift, axis=(0, 1)) for name in MAPS}
        _agree(there, replace(here, **rolled), 1e-5)

    @pytest.mark.parametrize(("turns", "mirrored"), [(1, False), (2, True), (3, True)])
    def test_a_picture_turned_or_mirrored_has_its_maps_turned_or_mirrored(
        self, turns: int, mirrored: bool
    ) -> None:
        picture, network = _picture(64, 96), _network()

        def moved(field: np.ndarray) -> np.ndarray:
            return np.ascontiguousarray(np.rot90(field[:, ::-1] if mirrored else field, turns))

        here, there = see_material(network, picture), see_material(network, moved(picture))
        names = ("basecolor", "roughness", "height", "ao", "metallic")
        turned = {name: moved(getattr(here, name)) for name in names}
        normal = normal_from_height(turned["height"], here.relief)
        _agree(there, replace(here, normal=normal, **turned), 1e-4)

    def test_the_whole_picture_counts_everywhere(self) -> None:
        """The mean over the torus: a change far away is seen, where convolutions alone would not reach."""
        picture = _picture(256, 256)
        changed = picture.copy()
        # As many pixels of each colour as before, so that mean and contrast stay; only their order is another.
        block = changed[96:160, 96:160].reshape(-1, 3)
        changed[96:160, 96:160] = np.sort(block, axis=0).reshape(64, 64, 3)

        def difference(network: Network) -> float:
            one, other = see_material(network, picture), see_material(network, changed)
            return float(np.abs(one.roughness[0, 0] - other.roughness[0, 0]))

        blind = _weights()
        for name, values in blind.tensors.items():
            if name.startswith("all.") or name.endswith(("gate.weight", "gate.bias")):
                values[:] = 0
        operations = NumpyOperations()
        without = Network(PLAN, operations.prepare(blind.tensors), operations)
        assert difference(_network()) > 1e-5 > 10 * difference(without)

    @pytest.mark.parametrize("shape", [(1, 1), (7, 5), (16, 16), (50, 100), (129, 64), (30, 31)])
    @pytest.mark.parametrize("axes", [(True, True), (True, False), (False, False)])
    def test_any_size_and_any_axes_will_do(self, shape: tuple[int, int], axes: tuple[bool, bool]) -> None:
        made = see_material(_network(), _picture(*shape), axes)
        for name in MAPS:
            field = getattr(made, name)
            assert field.shape[:2] == shape and field.dtype == np.float32
            assert np.isfinite(field).all()
            if name != "normal":
                assert field.min() >= 0 and field.max() <= 1
        np.testing.assert_allclose(np.linalg.norm(made.normal, axis=2), 1, atol=1e-5)
        assert made.relief > 0

    def test_an_axis_that_does_not_wrap_does_not_see_the_other_edge(self) -> None:
        picture = _picture(64, 64)
        picture[:, :32] *= 0.2
        changed = picture.copy()
        changed[:, -3:] = np.roll(picture[:, -3:], 32, axis=0)  # the same mean and contrast, elsewhere

        def difference(axes: tuple[bool, bool]) -> float:
            one, other = (see_material(_small_reach(), p, axes) for p in (picture, changed))
            return float(np.abs(one.roughness - other.roughness)[:, :6].max())

        assert difference((True, True)) > 20 * difference((False, True))

    def test_the_height_has_the_normals(self) -> None:
        made = see_material(_network(), _picture(64, 80))
        assert made.height.min() == 0 and made.height.max() == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(made.normal, normal_from_height(made.height, made.relief), atol=1e-4)


def _small_reach() -> Network:
    """A network without the mean over everything, which sees no farther than its convolutions."""
    weights = _weights(Plan((6,), 1))
    weights.tensors["all.b.weight"][:] = 0
    operations = NumpyOperations()
    return Network(Plan((6,), 1), operations.prepare(weights.tensors), operations)


def test_large_pictures_are_seen_through_a_smaller_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LARGEST >= 1024
    monkeypatch.setattr("generator.maps.seeing.LARGEST", 64)
    picture, network = _picture(256, 384), _network()
    for name in ("head.weight", "head.bias"):  # a light hand, as a trained network has
        network.weights[name][:] *= np.float32(0.005)
    made = see_material(network, picture)
    assert made.height.shape == (256, 384)
    # Fine parts of the picture are still in the base colour: they are in the picture itself.
    fine = picture - blur(picture, 4.0)
    kept = made.basecolor - blur(made.basecolor, 4.0)
    assert np.corrcoef(fine.ravel(), kept.ravel())[0, 1] > 0.6


def test_broad_features_come_from_the_small_copy_and_fine_ones_from_the_large() -> None:
    rng = np.random.default_rng(0)

    def seen(side: int, level: float, grain: float = 0.0) -> dict[str, np.ndarray]:
        noise = grain * rng.standard_normal((side, side)).astype(np.float32)
        return {
            "height": noise + np.float32(level),
            "roughness": np.clip(noise + np.float32(level), 0, 1),
        } | {name: np.full((side, side), level, np.float32) for name in ("metallic", "ao")}

    small, large = seen(32, 0.3), seen(64, 0.7, 0.1)
    made = _refined(small, large)
    # Heights are in pixels: the same slope is twice as high in a copy twice as large.
    np.testing.assert_allclose(made["height"].mean(), 2 * small["height"].mean(), atol=0.02)
    for name in ("roughness", "ao"):
        np.testing.assert_allclose(made[name].mean(), small[name].mean(), atol=0.02)
    fine, wanted = (field - blur(field, 1.0) for field in (made["height"], large["height"]))
    assert np.corrcoef(fine.ravel(), wanted.ravel())[0, 1] > 0.8


def test_numpy_and_torch_see_the_same(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = _file(tmp_path / "w.safetensors", _weights(), "F32")
    picture = _picture(48, 64)
    network = read_network(path)
    assert network.operations.name == "torch"
    _agree(see_material(network, picture), see_material(_network(), picture), 1e-4)


class TestHeightFromSlopes:
    def _hills(self) -> np.ndarray:
        field = blur(np.random.default_rng(3).standard_normal((64, 96)).astype(np.float32), 3.0)
        return (field - field.mean()) * 20

    def _slopes(self, height: np.ndarray) -> np.ndarray:
        normal = normal_from_height(height, 1 / 64)
        return np.stack((normal[..., 0], normal[..., 1])) / normal[..., 2]

    def test_true_slopes_give_the_true_height_whatever_the_coarse_one_says_of_fine_things(self) -> None:
        hills = self._hills()
        noise = np.random.default_rng(0).standard_normal(hills.shape).astype(np.float32)
        made = height_from_slopes(self._slopes(hills), hills + 0.3 * noise, 0.01)
        assert np.sqrt(np.mean((made - hills) ** 2)) < 0.1 * hills.std()

    def test_without_slopes_the_coarse_height_gives_the_broad_parts(self) -> None:
        wave = np.tile(np.cos(2 * np.pi * np.arange(256) / 256), (8, 1)).astype(np.float32)
        ripple = np.tile(np.cos(2 * np.pi * np.arange(256) / 8), (8, 1)).astype(np.float32)
        flat = np.zeros((2, 8, 256), np.float32)
        assert height_from_slopes(flat, wave).std() > 0.9 * wave.std()
        assert height_from_slopes(flat, ripple).std() < 0.05 * ripple.std()


class TestWeights:
    def test_halves_are_enough(self, tmp_path: Path) -> None:
        whole = read_network(_file(tmp_path / "32.safetensors", _weights(), "F32"))
        half = read_network(_file(tmp_path / "16.safetensors", _weights(), "F16"))
        picture = _picture(32, 32)
        _agree(see_material(half, picture), see_material(whole, picture), 0.02)

    @pytest.mark.parametrize(
        "metadata",
        [{}, {"widths": "6 8 10"}, {"widths": "6 8", "blocks": "2"}, {"widths": "6 8 10", "blocks": "3"},
         {"widths": "a b", "blocks": "2"}, {"widths": "6 8 10", "blocks": "-1"}, {"widths": "0", "blocks": "1"},
         {"widths": "999999999", "blocks": "1"}, {"widths": "6 8 10", "blocks": "1000000000"}],
    )  # fmt: skip
    def test_another_networks_weights_are_a_sentence(self, metadata: dict[str, str]) -> None:
        with pytest.raises(WeightsError, match="not those of an estimator of maps"):
            plan_of(Weights(_weights().tensors, metadata))


def _order(picture: np.ndarray, **fields: object) -> tuple[Request, object]:
    pixels = to_uint8(picture)
    given = {
        "task": "maps",
        "source": reference(pixels),
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "maps": MAPS,
        **fields,
    }
    return Request(**given), to_wire(pixels)  # type: ignore[arg-type]


def _run(picture: np.ndarray, **fields: object) -> tuple[list, dict[str, Material]]:
    """The engine's events, and the material that it kept."""
    request, source = _order(picture, **fields)
    events: list = []
    kept: dict[str, Material] = {}
    engine = Engine()
    engine.run("j", request, source, events.append, keep=lambda i, r, m, s: kept.update(made=m))  # type: ignore[arg-type]
    return events, kept


class TestTheEngine:
    def test_the_network_is_the_default_and_the_recipe_says_so(self, shipped: Path) -> None:
        picture = _picture(48, 48)
        events, kept = _run(picture)
        assert isinstance(events[-1], Finished)
        assert {e.recipe["maps_from"] for e in events if isinstance(e, Result)} == {"network"}
        shown = to_uint8(picture).astype(np.float32) / 255
        _agree(kept["made"], see_material(read_network(shipped), shown), 1e-6)
        assert np.abs(kept["made"].basecolor - shown).mean() > 1e-3

    def test_analysis_is_there_on_request(self, shipped: Path) -> None:
        picture = _picture(48, 48)
        events, kept = _run(picture, maps_from="analysis")
        assert {e.recipe["maps_from"] for e in events if isinstance(e, Result)} == {"analysis"}
        _agree(kept["made"], analyse(to_uint8(picture).astype(np.float32) / 255), 1e-6)

    @pytest.mark.usefixtures("bare")
    def test_without_a_network_analysis_makes_them_and_nothing_is_said(self) -> None:
        events, _ = _run(_picture(48, 48))
        assert isinstance(events[-1], Finished) and not any(isinstance(e, Notice) for e in events)
        assert {e.recipe["maps_from"] for e in events if isinstance(e, Result)} == {"analysis"}
        assert maps.settle("auto") == "analysis"

    @pytest.mark.usefixtures("bare")
    def test_a_network_that_is_asked_for_by_name_and_is_not_there_is_a_sentence(self) -> None:
        events, _ = _run(_picture(48, 48), maps_from="network")
        failed = events[-1]
        assert isinstance(failed, Failed) and failed.kind == "no_network"
        assert "not part of this installation" in failed.message and "image analysis" in failed.advice

    @pytest.mark.parametrize("damage", ["cut", "other", "empty"])
    def test_a_damaged_network_costs_a_notice_and_no_maps(self, shipped: Path, damage: str) -> None:
        data = shipped.read_bytes()
        if damage == "other":
            _file(shipped, Weights({"a": np.zeros(3, np.float32)}, {}))
        else:
            shipped.write_bytes(data[: len(data) // 2] if damage == "cut" else b"")
        picture = _picture(48, 48)
        events, kept = _run(picture)
        assert isinstance(events[-1], Finished)
        said = [e.message for e in events if isinstance(e, Notice)]
        assert len(said) == 1 and said[0].startswith(FALLEN_BACK.partition("{")[0])
        assert {e.recipe["maps_from"] for e in events if isinstance(e, Result)} == {"analysis"}
        _agree(kept["made"], analyse(to_uint8(picture).astype(np.float32) / 255), 1e-6)

    def test_axes_that_do_not_tile_are_honoured(self, shipped: Path) -> None:
        ramp = np.repeat(np.linspace(0.1, 0.9, 64, dtype=np.float32)[None, :, None], 3, axis=2)
        picture = np.repeat(ramp, 64, axis=0)
        _, kept = _run(picture, seamless="y")
        shown = to_uint8(picture).astype(np.float32) / 255
        expected = see_material(read_network(shipped), shown, (False, True))
        _agree(kept["made"], expected, 1e-6)

    def test_a_procedural_material_keeps_its_own_maps(self, shipped: Path) -> None:
        events: list = []
        request = Request(prompt="moss", width=32, height=32, maps=("basecolor",))
        Engine().run("j", request, None, events.append)
        assert {e.recipe["maps_from"] for e in events if isinstance(e, Result)} == {"auto"}

    def test_words_over_a_picture_start_from_the_networks_maps(self, shipped: Path) -> None:
        picture = _picture(48, 48)
        _, seen = _run(picture, task="texture", prompt="snow", strength=0.0)
        expected = see_material(read_network(shipped), to_uint8(picture).astype(np.float32) / 255)
        np.testing.assert_allclose(seen["made"].roughness, expected.roughness, atol=1e-5)

    def test_a_cancelled_job_ends_within_the_network(self, shipped: Path) -> None:
        class Stop(Exception):
            pass

        calls = 0

        def check() -> None:
            nonlocal calls
            calls += 1
            if calls > 3:
                raise Stop

        with pytest.raises(Stop):
            estimate(_picture(32, 32), check=check)
        assert calls == 4
