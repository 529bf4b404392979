# SPDX-License-Identifier: GPL-3.0-or-later
"""The law ``f(roll(x)) == roll(f(x))`` for the networks of every family, in float64 and with random weights.

``docs/torus-law.md`` shows the same as a table, from the same networks.
"""

from __future__ import annotations

import pytest
import small_models
import torch
from periodic_axis import PeriodicAxis

from generator.torus import TorusModule, stride_of, wrap
from generator.torus.law import violation

AXES = {"x": -1, "y": -2}


@pytest.fixture(scope="module", params=small_models.EXACT)
def cases(request):
    """A family, in all its directions."""
    with torch.no_grad():
        yield small_models.EXACT[request.param]()


def test_a_wrapped_network_keeps_the_law_and_is_itself_afterwards(cases):
    for case in cases:
        classes = [type(part) for part in case.module.modules()]
        assert violation(case.run, case.image, case.shift, case.scale) > 0.005, "unwrapped it must break it"
        with wrap(case.module):
            assert any(isinstance(part, TorusModule) for part in case.module.modules())
            assert violation(case.run, case.image, case.shift, case.scale) <= case.bound
        assert [type(part) for part in case.module.modules()] == classes


@pytest.mark.parametrize("axis", AXES)
def test_one_axis_alone_is_wrapped_and_the_other_keeps_every_bit(cases, axis):
    for case in cases:
        down, right = case.shift
        along, across = ((0, right), (down, 0)) if axis == "x" else ((down, 0), (0, right))
        plain = case.run(case.image)
        with PeriodicAxis(AXES[axis]):
            expected = case.run(case.image)
        with wrap(case.module, x=axis == "x", y=axis == "y"):
            assert torch.equal(case.run(case.image), expected), "the other axis must be as it was"
            assert violation(case.run, case.image, along, case.scale) <= case.bound
            assert violation(case.run, case.image, across, case.scale) > 0.005
        assert torch.equal(case.run(case.image), plain)


def test_the_stride_is_the_one_that_the_law_holds_for(cases):
    """At a size that is one unit short of a multiple, a network with a stride breaks the law."""
    for case in cases:
        if case.direction == "decode":
            continue
        assert stride_of(case.module) == case.stride
        if case.stride > 1 and case.direction != "condition":
            half = case.stride // 2
            with wrap(case.module):
                assert violation(case.run, case.image, (0, half), case.scale) > 1e-4, (
                    "half a stride is too little"
                )


def test_the_stride_of_a_stranger_is_not_guessed():
    with pytest.raises(ValueError, match="not known"):
        stride_of(torch.nn.Conv2d(3, 3, 3))


def test_a_size_that_the_stride_does_not_divide_breaks_the_law():
    case = small_models.unet("SD 1.x")
    with torch.no_grad(), wrap(case.module):
        assert violation(case.run, small_models.noise(1, 4, 24, 36), (0, 8)) > 0.01


def test_a_layer_whose_owner_pads_keeps_its_zeros_on_the_other_axis():
    """Away from the wrapped border a downsampling layer does as ever, to the last bit."""
    case = small_models.autoencoder_kl()[0]
    layer = next(part for part in case.module.modules() if type(part).__name__ == "Downsample2D")
    pixels = small_models.noise(1, layer.channels, 8, 12)
    with torch.no_grad():
        plain = layer(pixels)
        with wrap(layer, x=True, y=False):
            assert torch.equal(layer(pixels)[..., :-1], plain[..., :-1])
            assert not torch.equal(layer(pixels), plain)
        with wrap(layer, x=False, y=True):
            assert torch.equal(layer(pixels)[..., :-1, :], plain[..., :-1, :])
            assert not torch.equal(layer(pixels), plain)


def test_half_precision_keeps_the_law_as_well_as_it_can():
    case = small_models.autoencoder_kl()[1]
    case.module.bfloat16()
    image = case.image.bfloat16()
    with wrap(case.module):
        assert violation(case.run, image, case.shift, case.scale) < 0.02
