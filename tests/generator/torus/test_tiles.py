# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures made of tiles: as those made in one piece, without a seam anywhere, and in bounded memory."""

from __future__ import annotations

import pytest
import tiny_models
import torch
from torch.nn import functional as F

from generator.torus import wrap
from generator.torus.tiles import Tiles, tiled

SMALL = Tiles(side=24, margin=6, overlap=4)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator("cpu").manual_seed(3))


def enlarge(image: torch.Tensor) -> torch.Tensor:
    """A decoder that looks at nothing but the cell itself."""
    return F.interpolate(image, scale_factor=8, mode="nearest")


def blur(image: torch.Tensor) -> torch.Tensor:
    """A decoder that looks six cells far and puts zeros around its input."""
    return F.avg_pool2d(image, 13, 1, 6, count_include_pad=True)


@pytest.mark.parametrize("size", [(24, 24), (25, 40), (63, 24), (50, 71)])
@pytest.mark.parametrize("axes", [(True, True), (True, False), (False, False)])
def test_the_weights_add_up_to_one_everywhere(size, axes):
    image = noise(1, 2, *size)
    made = tiled(enlarge, image, SMALL, (1, 8), *axes)
    torch.testing.assert_close(made, enlarge(image))


def test_the_same_holds_on_the_way_down():
    image = noise(2, 3, 8 * 50, 8 * 31)
    made = tiled(lambda pixels: F.avg_pool2d(pixels, 8), image, SMALL, (8, 1))
    torch.testing.assert_close(made, F.avg_pool2d(image, 8))


def test_an_axis_that_wraps_sees_the_opposite_side_and_one_that_does_not_sees_the_models_own_padding():
    image = noise(1, 1, 60, 70)
    around = F.pad(image, (6, 6, 0, 0), mode="circular")
    expected = F.avg_pool2d(F.pad(around, (0, 0, 6, 6)), 13, 1)
    torch.testing.assert_close(tiled(blur, image, SMALL, (1, 1), x=True, y=False), expected)


def test_an_axis_within_one_tile_is_left_to_the_coder():
    seen = []

    def coder(piece: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(piece.shape[-2:]))
        return piece

    tiled(coder, noise(1, 1, 20, 100), SMALL, (1, 1))
    assert {shape[0] for shape in seen} == {20}
    assert all(shape[1] <= SMALL.side for shape in seen)
    assert len(seen) > 1


def test_no_tile_is_larger_than_asked_for():
    seen = []
    tiled(lambda piece: seen.append(max(piece.shape[-2:])) or piece, noise(1, 1, 90, 101), SMALL, (1, 1))
    assert max(seen) <= SMALL.side


def seam_ratios(pixels: torch.Tensor, line: int) -> torch.Tensor:
    """The jump at ``line`` over the mean jump, along both axes."""
    jumps = [(pixels - pixels.roll(1, axis)).abs() for axis in (-1, -2)]
    lines = [
        jump.mean(dim=(0, 1, 2 if axis == -1 else 3)) for jump, axis in zip(jumps, (-1, -2), strict=True)
    ]
    return torch.stack([means[line] / means.mean() for means in lines])


@pytest.mark.parametrize("line", [0, 256], ids=["at the border", "where tiles meet"])
def test_a_decoder_in_tiles_is_close_to_the_whole_and_shows_no_seam(line):
    model = tiny_models.vae()
    added = []
    with torch.no_grad(), wrap(model):
        for seed in range(2):
            latents = torch.randn(1, 4, 64, 64, generator=torch.Generator("cpu").manual_seed(seed))
            whole = model.decode(latents).sample
            made = tiled(lambda z: model.decode(z).sample, latents, Tiles(48, 12, 8), (1, 8))
            assert float((made - whole).abs().mean()) < 0.1 * float(whole.std())
            # A random decoder's own lines differ by a fifth, so what the tiles add to this very line is measured.
            added.append(seam_ratios(made, line) - seam_ratios(whole, line))
    assert float(torch.stack(added).abs().max()) < 0.05


def test_an_encoder_in_tiles_is_close_to_the_whole():
    model = tiny_models.loud_vae()
    pixels = noise(1, 3, 512, 384).clamp(-1, 1)
    with torch.no_grad(), wrap(model):
        whole = model.encode(pixels).latent_dist.mean
        made = tiled(
            lambda p: model.encode(p).latent_dist.mean, pixels, Tiles(side=40, margin=12, overlap=4), (8, 1)
        )
    assert made.shape == whole.shape
    assert float((made - whole).abs().mean()) < 0.1 * float(whole.std())


def test_it_can_be_stopped_at_every_tile():
    calls = []

    def check() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise KeyError

    with pytest.raises(KeyError):
        tiled(lambda piece: piece, noise(1, 1, 100, 100), SMALL, (1, 1), check=check)
    assert len(calls) == 3


@pytest.mark.parametrize("lengths", [(24, 12, 2), (24, 6, 3), (24, 6, 12), (24, -1, 4)])
def test_tiles_without_room_are_refused(lengths):
    with pytest.raises(ValueError, match="no room"):
        Tiles(*lengths)


def test_a_size_that_is_no_whole_number_of_cells_is_refused():
    with pytest.raises(ValueError, match="whole number"):
        tiled(lambda pixels: pixels, noise(1, 3, 60, 64), SMALL, (8, 1))
