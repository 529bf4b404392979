# SPDX-License-Identifier: GPL-3.0-or-later
"""The cheap ways to wrap on a processor give what the plain ones give."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from generator.torus import borders, extend, wrap  # noqa: E402

BORDERS = [(1, 1, 1, 1), (0, 2, 3, 1), (12, 12, 9, 9)]


def image(rows: int, columns: int, channels: int = 3, last: bool = True) -> torch.Tensor:
    random = torch.Generator().manual_seed(rows)
    made = torch.randn(2, channels, rows, columns, dtype=torch.float64, generator=random)
    return made.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


@pytest.mark.parametrize("border", BORDERS)
def test_one_copy_is_the_same_as_two(border: tuple[int, int, int, int]) -> None:
    pixels = image(9, 12)
    assert borders.gathers(pixels, border)
    made = borders.gathered(pixels, border)
    assert torch.equal(made, extend(pixels, *border))
    assert made.is_contiguous(memory_format=torch.channels_last)


def test_what_cannot_be_copied_so_goes_the_other_way() -> None:
    border = (1, 1, 1, 1)
    assert not borders.gathers(image(9, 12, last=False), border)
    assert not borders.gathers(image(9, 12)[0], border)
    assert not borders.gathers(image(9, 12), (13, 13, 1, 1))
    layer = nn.Conv2d(3, 4, 3, padding=1).double()
    pixels = image(9, 12)
    with wrap(layer):
        torch.testing.assert_close(layer(pixels), layer(pixels.contiguous()), rtol=0, atol=1e-14)
        torch.testing.assert_close(layer(pixels)[0], layer(pixels[0]), rtol=0, atol=1e-14)


def test_gradients_flow_through_a_border_first_seen_without_them() -> None:
    pixels = image(7, 11)
    with torch.inference_mode():
        borders.gathered(pixels, (1, 1, 1, 1))
    pixels = pixels.clone().requires_grad_()
    borders.gathered(pixels, (1, 1, 1, 1)).sum().backward()
    assert pixels.grad is not None and float(pixels.grad.sum()) == 2 * 3 * 9 * 13


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("border", BORDERS)
def test_what_is_learnt_from_is_the_same_and_so_is_its_gradient(
    border: tuple[int, int, int, int], last: bool
) -> None:
    pixels = image(9, 12, last=last)
    assert borders.learns(pixels, border)
    made = borders.learnt_from(pixels, border)
    assert torch.equal(made, extend(pixels, *border))
    assert made.is_contiguous(memory_format=torch.channels_last) == last
    above = torch.randn(made.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def gradient(function: Any) -> torch.Tensor:
        return torch.func.grad(lambda given: (function(given).square() * above).sum())(pixels)

    mine = gradient(lambda given: borders.learnt_from(given, border))
    torch.testing.assert_close(mine, gradient(lambda given: extend(given, *border)), rtol=0, atol=1e-13)
    small = image(2, 3, 1, last).requires_grad_()
    assert torch.autograd.gradgradcheck(
        lambda given: borders.learnt_from(given, (1, 2, 2, 0)).square(), small
    )


def test_a_clip_without_a_batch_is_wrapped_in_the_image_plane_alone() -> None:
    layer = nn.Conv3d(3, 4, 3, padding=1).double()
    clip = torch.randn(3, 5, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for wanted in (True, False):
        with wrap(layer), torch.set_grad_enabled(wanted):
            torch.testing.assert_close(layer(clip), layer(clip[None])[0], rtol=0, atol=1e-12)


def test_a_border_wider_than_the_image_is_learnt_from_another_way() -> None:
    layer = nn.Conv2d(3, 4, 9, padding=4).double()
    pixels = image(3, 12).requires_grad_()
    assert not borders.learns(pixels, (4, 4, 4, 4))
    with wrap(layer):
        layer(pixels).square().sum().backward()
    assert pixels.grad is not None
    with wrap(layer), torch.no_grad():
        torch.testing.assert_close(layer(pixels.roll(1, -2)), layer(pixels).roll(1, -2))


KERNELS = {
    "3 x 3": {"kernel_size": 3, "padding": 1},
    "5 x 3": {"kernel_size": (5, 3), "padding": (2, 1)},
    "1 x 5": {"kernel_size": (1, 5), "padding": (0, 2)},
    "same": {"kernel_size": 3, "padding": "same"},
    "grouped": {"kernel_size": 3, "padding": 1, "groups": 3, "bias": False},
}


@pytest.mark.parametrize("axes", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("settings", KERNELS.values(), ids=KERNELS.keys())
def test_strips_are_the_same_as_a_border(
    settings: dict[str, object], axes: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 6, **settings).double()  # type: ignore[arg-type]
    pixels, plain = image(129, 140), layer(image(129, 140))
    with wrap(layer, *axes):
        widths = layer._reversed_padding_repeated_twice
        assert borders.strips_pay(pixels, tuple(widths), layer.kernel_size)  # type: ignore[arg-type]
        by_strips = layer(pixels)
        rolled = layer(pixels.roll((5, 70), (-2, -1)))
        monkeypatch.setattr(borders, "STRIPS_FROM", 1000)
        by_border = layer(pixels)
    torch.testing.assert_close(by_strips, by_border, rtol=0, atol=1e-13)
    if all(axes):
        torch.testing.assert_close(rolled, by_strips.roll((5, 70), (-2, -1)), rtol=0, atol=1e-13)
    # Away from the borders that wrap, not a bit is other than without.
    inner = (..., slice(2, -2) if axes[1] else slice(None), slice(2, -2) if axes[0] else slice(None))
    assert torch.equal(by_strips[inner], plain[inner])


@pytest.mark.parametrize("axes", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("kernel", [(3, 3), (1, 3), (3, 1)])
def test_what_a_line_lacks_can_be_added_to_it(
    kernel: tuple[int, int], axes: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 6, kernel, padding="same").double().to(memory_format=torch.channels_last)
    pixels = image(129, 140)
    taken: list[bool] = []
    lines = borders._convolved_with_lines
    monkeypatch.setattr(borders, "_convolved_with_lines", lambda *given: taken.append(True) or lines(*given))
    with torch.no_grad(), wrap(layer, *axes):
        plain = F.conv2d(pixels, layer.weight, layer.bias, padding="same")
        by_lines = layer(pixels)
        assert taken, "This way was not gone at all."
        monkeypatch.setattr(borders, "STRIPS_FROM", 1000)
        by_border = layer(pixels)
    torch.testing.assert_close(by_lines, by_border, rtol=0, atol=1e-13)
    assert torch.equal(by_lines[..., 1:-1, 1:-1], plain[..., 1:-1, 1:-1])


@pytest.mark.parametrize("border", BORDERS)
def test_a_compiler_reads_the_same_border(border: tuple[int, int, int, int]) -> None:
    pixels = image(9, 12)
    assert torch.equal(borders.indexed(pixels, border), extend(pixels, *border))


def test_who_replays_work_can_keep_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(borders, "_KEPT", {})
    monkeypatch.setattr(borders, "_MOST_KEPT", 2)
    made = [borders.gathered(image(rows, 12), (1, 1, 1, 1)) for rows in (5, 6)]
    kept = borders.kept_places()
    assert [len(places) for places in kept] == [2 * 7 * 14, 2 * 8 * 14]
    borders.gathered(image(7, 12), (1, 1, 1, 1))
    assert len(borders.kept_places()) == 1  # others may go, those that somebody holds do not
    assert torch.equal(made[0], extend(image(5, 12), 1, 1, 1, 1))
    assert int(kept[0].max()) == 2 * 5 * 12 - 1


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": 3, "padding": 2},
        {"kernel_size": 4, "padding": "same"},
    ],
)
def test_where_strips_do_not_fit_a_border_is_copied(settings: dict[str, object]) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, **settings).double()  # type: ignore[arg-type]
    pixels = image(128, 128)
    widths = layer._reversed_padding_repeated_twice
    expected = F.conv2d(extend(pixels, *widths), layer.weight, layer.bias, layer.stride, 0, layer.dilation)
    with wrap(layer):
        torch.testing.assert_close(layer(pixels), expected, rtol=0, atol=1e-13)
