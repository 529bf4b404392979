# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions that go around: what the last token is told differs from the first as any two neighbours do."""

from __future__ import annotations

import math

import pytest
import small_models
import small_transformers
import torch
from diffusers.models.embeddings import PatchEmbed
from small_models import noise

from generator.torus import TorusModule, periodic_positions, positions
from generator.torus.law import violation

GRID = (16, 24)
HALF = torch.tensor([0.5])
ROTARY = ("Flux", "Qwen-Image", "Z-Image")


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def sd3_patches() -> PatchEmbed:
    return PatchEmbed(64, 64, patch_size=2, in_channels=4, embed_dim=64, pos_embed_max_size=96)


def pixart_patches(size: int = 64) -> PatchEmbed:
    return PatchEmbed(size, size, patch_size=2, in_channels=4, embed_dim=64, interpolation_scale=2)


def sana_patches() -> PatchEmbed:
    return PatchEmbed(32, 32, patch_size=1, in_channels=4, embed_dim=64)


PATCHES = {"SD3": sd3_patches, "PixArt": pixart_patches, "Sana": sana_patches}


def told(embed: PatchEmbed, grid: tuple[int, int]) -> torch.Tensor:
    """What is added to each token, ``(rows, columns, D)``: the embedding of latents that say nothing."""
    if embed.proj.bias is not None:
        embed.proj.bias.zero_()
    rows, columns = (length // embed.patch_size for length in grid)
    return embed(torch.zeros(1, 4, *grid))[0].unflatten(0, (rows, columns))


def turns(denoiser: small_transformers.Denoiser, grid: tuple[int, int]) -> torch.Tensor:
    """The complex factor of every token and channel, ``(rows, columns, D / 2)``."""
    rows, columns = (length // 2 for length in grid)
    ids = torch.cartesian_prod(torch.zeros(1), torch.arange(float(rows)), torch.arange(float(columns)))
    if denoiser.family == "Flux":
        cosines, sines = denoiser.module.pos_embed(ids)
        factors = torch.complex(cosines, sines)[:, ::2]
        assert torch.equal(factors, torch.complex(cosines, sines)[:, 1::2])
    elif denoiser.family == "Qwen-Image":
        factors, _ = denoiser.module.pos_embed([(1, rows, columns)], torch.device("cpu"), 7)
    else:
        factors = denoiser.module.rope_embedder(ids.long())
    return factors.unflatten(0, (rows, columns))


def step(factors: torch.Tensor, axis: int) -> torch.Tensor:
    """By how much each token is turned against the next, the last against the first included."""
    return factors.roll(-1, axis) * factors.conj()


@pytest.mark.parametrize("family", ROTARY)
def test_rotary_positions_differ_by_the_same_turn_everywhere(family):
    denoiser = small_transformers.POSITIONED[family]()
    plain = turns(denoiser, GRID)
    for axis in (0, 1):
        assert (step(plain, axis) - step(plain, axis).mean(axis, keepdim=True)).abs().max() > 0.1
    with periodic_positions(denoiser.module, GRID):
        periodic = turns(denoiser, GRID)
        for axis in (0, 1):
            torch.testing.assert_close(step(periodic, axis), step(periodic, axis)[:1, :1].expand_as(plain))
    assert periodic.dtype == plain.dtype
    assert torch.equal(turns(denoiser, GRID), plain)


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("family", ROTARY)
def test_rotary_positions_of_the_other_axis_keep_every_bit(family, axis):
    denoiser = small_transformers.POSITIONED[family]()
    plain = turns(denoiser, GRID)
    with periodic_positions(denoiser.module, GRID, x=axis == "x", y=axis == "y"):
        changed = (turns(denoiser, GRID) != plain).flatten(0, 1).any(0)
    frame, rows = 2, 7  # channels of each in the small models
    assert changed[frame:].any()
    assert not changed[:frame].any()
    assert not (changed[frame + rows :] if axis == "y" else changed[: frame + rows]).any()


def test_a_frequency_moves_to_the_nearest_whole_number_of_periods():
    frequencies = torch.tensor([1.0, 0.1, 0.001], dtype=torch.float64)
    moved = positions.nearest_harmonic(frequencies, 32)
    torch.testing.assert_close(moved * 32 / (2 * math.pi), torch.tensor([5.0, 1.0, 0.0], dtype=torch.float64))
    assert (moved - frequencies).abs().max() <= math.pi / 32


@pytest.mark.parametrize("build", [small_transformers.flux, small_transformers.qwen_image])
def test_without_text_a_rotary_transformer_keeps_the_law(build):
    """What remains with text is the place of the words, and 1e-7 is the precision of the model's own tables."""
    alone, told = build(words=0), build()
    image = noise(1, 4, *GRID)
    with periodic_positions(alone.module, GRID), periodic_positions(told.module, GRID):
        assert violation(lambda z: alone.call(z, HALF), image, (4, -6)) < 1e-6
        assert violation(lambda z: told.call(z, HALF), image, (4, -6)) > 1e-4
    assert violation(lambda z: alone.call(z, HALF), image, (4, -6)) > 1e-3


@pytest.mark.parametrize("build", PATCHES.values(), ids=PATCHES)
def test_sin_cos_positions_are_as_smooth_across_the_border_as_inside(build):
    embed, grid = build(), (32, 48)
    for open_ in (False, True):
        with periodic_positions(embed, grid, x=open_, y=open_):
            table = told(embed, grid)
        for axis in (0, 1):
            jumps = (table - table.roll(1, axis)).norm(dim=-1).amax(1 - axis)
            border, inside = jumps[0], jumps[1:].max()
            assert border <= 1.01 * inside if open_ else border > 2 * inside


@pytest.mark.parametrize("build", PATCHES.values(), ids=PATCHES)
@pytest.mark.parametrize("axis", ["x", "y"])
def test_sin_cos_positions_of_the_other_axis_keep_every_bit(build, axis):
    embed, grid = build(), (32, 48)
    plain = told(embed, grid)
    with periodic_positions(embed, grid, x=axis == "x", y=axis == "y"):
        columns, rows = (told(embed, grid) != plain).any(0).any(0).chunk(2)
    assert (columns if axis == "x" else rows).any()
    assert not (rows if axis == "x" else columns).any()


@pytest.mark.parametrize(
    "build", [*PATCHES.values(), lambda: pixart_patches(32)], ids=[*PATCHES, "stretched"]
)
def test_frequencies_that_already_fit_stay_what_the_model_has_learnt(build, monkeypatch):
    """Were every frequency a harmonic, nothing would change: order, phases and scale of the table are the model's."""
    embed, grid = build(), (32, 48)
    plain = told(embed, grid)
    monkeypatch.setattr(positions, "nearest_harmonic", lambda frequencies, length: frequencies)
    with periodic_positions(embed, grid):
        torch.testing.assert_close(told(embed, grid), plain, rtol=0, atol=2e-5)


@pytest.mark.parametrize("family", small_transformers.POSITIONED)
def test_afterwards_the_model_is_itself_to_the_last_bit(family):
    denoiser = small_transformers.POSITIONED[family]()
    image, states = noise(1, 4, *GRID), list(denoiser.module.state_dict())
    plain = denoiser.call(image, HALF)
    with periodic_positions(denoiser.module, GRID):
        changed = denoiser.call(image, HALF)
        assert changed.dtype == plain.dtype
        assert not torch.equal(changed, plain)
        with periodic_positions(denoiser.module, GRID):
            assert torch.equal(denoiser.call(image, HALF), changed)
        assert torch.equal(denoiser.call(image, HALF), changed)
        assert list(denoiser.module.state_dict()) == states
    assert torch.equal(denoiser.call(image, HALF), plain)
    with pytest.raises(KeyError), periodic_positions(denoiser.module, GRID):
        raise KeyError
    assert torch.equal(denoiser.call(image, HALF), plain)
    assert not any(isinstance(part, TorusModule) for part in denoiser.module.modules())


@pytest.mark.parametrize("family", ["Flux", "Qwen-Image", "SD3", "PixArt"])
def test_the_same_is_computed_behind_offloading_hooks(family):
    hooks = pytest.importorskip("accelerate.hooks")
    denoiser = small_transformers.POSITIONED[family]()
    with periodic_positions(denoiser.module, GRID):
        expected = denoiser.call(noise(1, 4, *GRID), HALF)
    for part in denoiser.module.modules():
        hooks.add_hook_to_module(part, hooks.ModelHook())
    with periodic_positions(denoiser.module, GRID):
        assert torch.equal(denoiser.call(noise(1, 4, *GRID), HALF), expected)


@pytest.mark.parametrize("build", PATCHES.values(), ids=PATCHES)
def test_the_precision_of_the_model_stays(build):
    embed = build().to(torch.bfloat16)
    with periodic_positions(embed, (32, 48)):
        assert embed(torch.zeros(1, 4, 32, 48, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_another_grid_has_other_positions():
    denoiser = small_transformers.qwen_image()
    for grid in ((16, 24), (24, 16), (16, 24)):
        with periodic_positions(denoiser.module, grid):
            factors = turns(denoiser, grid)
            torch.testing.assert_close(step(factors, 1), step(factors, 1)[:1, :1].expand_as(factors))


def test_a_compiled_transformer_follows():
    torch._dynamo.reset()
    denoiser, image = small_transformers.flux(), noise(1, 4, *GRID)
    plain = denoiser.call(image, HALF)
    with periodic_positions(denoiser.module, GRID):
        periodic = denoiser.call(image, HALF)
    denoiser.module.compile(backend="eager", fullgraph=True)
    for _ in range(2):
        torch.testing.assert_close(denoiser.call(image, HALF), plain, rtol=0, atol=1e-6)
        with periodic_positions(denoiser.module, GRID):
            torch.testing.assert_close(denoiser.call(image, HALF), periodic, rtol=0, atol=1e-6)
    torch._dynamo.reset()


def test_a_model_without_positions_is_left_alone():
    case = small_models.unet("SD 1.x")
    assert not positions.has_positions(case.module)
    with periodic_positions(case.module, GRID):
        assert not any(isinstance(part, TorusModule) for part in case.module.modules())
