# SPDX-License-Identifier: GPL-3.0-or-later
"""The law of the torus: a wrapped module commutes with rolling, and is itself again afterwards."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from generator.torus import TorusModule, extend, wrap  # noqa: E402


def image(height: int = 12, width: int = 16, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator("cpu").manual_seed(7)
    return torch.randn(2, channels, height, width, dtype=torch.float64, generator=generator)


def convolution(**settings: object) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, 4, **{"kernel_size": 3, "padding": 1, **settings}).double()


CONVOLUTIONS = {
    "3x3": {},
    "5x3": {"kernel_size": (5, 3), "padding": (2, 1)},
    "same, dilated": {"padding": "same", "dilation": 2},
    "same, even kernel": {"kernel_size": 4, "padding": "same"},
    "strided": {"stride": 2},
    "grouped": {"groups": 1, "bias": False},
    "wider than the image": {"kernel_size": 27, "padding": 13},
}


@pytest.mark.parametrize("settings", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_a_wrapped_convolution_is_the_circular_one(settings):
    layer = convolution(**settings)
    left, right, top, bottom = layer._reversed_padding_repeated_twice
    around = image().repeat(1, 1, 5, 5)[:, :, 24 - top : 36 + bottom, 32 - left : 48 + right]
    expected = F.conv2d(around, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)
    with wrap(layer):
        torch.testing.assert_close(layer(image()), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate"])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_the_other_axis_keeps_its_padding_to_the_last_bit(axis, mode):
    layer = convolution(padding_mode=mode)
    plain = layer(image())
    with wrap(layer, x=axis == "x", y=axis == "y"):
        wrapped = layer(image())
    inner = (..., slice(1, -1)) if axis == "x" else (..., slice(1, -1), slice(None))
    assert torch.equal(wrapped[inner], plain[inner]), "away from the wrapped edges nothing may change"
    assert not torch.allclose(wrapped, plain)
    along, across = (-1, -2) if axis == "x" else (-2, -1)
    with wrap(layer, x=axis == "x", y=axis == "y"):
        torch.testing.assert_close(layer(image().roll(5, along)), wrapped.roll(5, along), rtol=0, atol=1e-13)
        assert not torch.allclose(layer(image().roll(5, across)), wrapped.roll(5, across))


def test_without_an_axis_nothing_is_touched():
    layer = convolution()
    with wrap(layer, x=False, y=False):
        assert type(layer) is nn.Conv2d


def test_pointwise_convolutions_are_left_alone():
    layer = nn.Conv2d(3, 3, 1)
    with wrap(layer):
        assert type(layer) is nn.Conv2d


def test_a_wrapped_module_is_still_what_it_was():
    class Special(nn.Conv2d):
        pass

    layer = Special(3, 3, 3, padding=1)
    before = list(layer.state_dict())
    with wrap(layer):
        assert isinstance(layer, Special)
        assert isinstance(layer, TorusModule)
        assert list(layer.state_dict()) == before
        assert type(layer).__name__ == "Special"
    assert type(layer) is Special
    assert "__class__" not in vars(layer)


def test_leaving_through_an_exception_restores_every_class():
    model = nn.Sequential(convolution(), nn.SiLU(), nn.Sequential(nn.Conv2d(4, 3, 3, padding=1)))
    classes = [type(part) for part in model.modules()]
    with pytest.raises(KeyError), wrap(model):
        raise KeyError
    assert [type(part) for part in model.modules()] == classes


def test_nested_contexts_add_their_axes_up_and_undo_only_their_own():
    layer = convolution()
    plain = layer(image())
    with wrap(layer, x=True, y=False):
        only_x = layer(image())
        with wrap(layer, x=False, y=True):
            both = layer(image())
        assert torch.equal(layer(image()), only_x)
        with wrap(layer, x=False, y=False):
            assert torch.equal(layer(image()), only_x)
    assert torch.equal(layer(image()), plain)
    with wrap(layer):
        assert torch.equal(layer(image()), both)


def test_other_modules_in_the_process_stay_as_they_are():
    layer, other = convolution(), convolution()
    before = other(image())
    with wrap(layer):
        assert torch.equal(other(image()), before)


@pytest.mark.parametrize("batch", [1, 2])
def test_the_border_keeps_the_channels_last_layout(batch):
    pixels = torch.randn(batch, 8, 6, 10).to(memory_format=torch.channels_last)
    bordered = extend(pixels, 1, 2, 0, 3)
    assert bordered.shape == (batch, 8, 9, 13)
    assert bordered.is_contiguous(memory_format=torch.channels_last)


def test_the_border_of_one_pixel_is_that_pixel():
    assert torch.equal(extend(torch.ones(1, 1, 1, 1), 2, 2, 1, 1), torch.ones(1, 1, 3, 5))


def test_a_wrapped_convolution_can_be_trained_through():
    layer, pixels = convolution(), image().requires_grad_()
    with wrap(layer):
        layer(pixels)[..., 0, 0].sum().backward()
    assert pixels.grad is not None
    assert pixels.grad[..., -1, -1].abs().min() > 0, "the far corner is the first pixel's neighbour"
