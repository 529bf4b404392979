# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared roll: every network around a denoiser sees the same place of the torus, and nobody else notices."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
import small_models
import small_transformers
import torch
from diffusers import DPMSolverMultistepScheduler
from small_models import noise
from torch import Tensor, nn

from generator.torus import is_exact, on_torus, rolled, stride_of, wrap
from generator.torus.law import violation

GRID = (8, 12)
HALF = torch.tensor([0.5])


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


class Still(nn.Module):
    """A denoiser that records what it sees and says it back."""

    config = {"patch_size": 2}

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, hidden_states: Tensor, timestep: Tensor, return_dict: bool = True) -> object:
        self.seen.append(hidden_states)
        return SimpleNamespace(sample=hidden_states) if return_dict else (hidden_states, "more")


def offset(before: Tensor, after: Tensor) -> tuple[int, int]:
    """By how much one image must be rolled to be the other."""
    found = [
        (down, right)
        for down in range(before.shape[-2])
        for right in range(before.shape[-1])
        if torch.equal(before.roll((down, right), (-2, -1)), after)
    ]
    assert len(found) == 1
    return found[0]


def offsets(seed: int, times: range, x: bool = True, y: bool = True) -> list[tuple[int, int]]:
    model, image = Still(), noise(1, 4, *GRID)
    with rolled([model], GRID, seed, x, y):
        for time in times:
            (answer, more) = model(image, torch.tensor([time, time]), return_dict=False)
            assert torch.equal(answer, image)
            assert more == "more"
    return [offset(image, seen) for seen in model.seen]


@pytest.mark.parametrize("family", small_transformers.POSITIONED)
def test_a_denoiser_is_rolled_and_its_answer_rolled_back(family):
    """In every layout: what comes out is what the model says of the rolled latents, for one offset exactly."""
    denoiser, image = small_transformers.POSITIONED[family](), noise(1, 4, *GRID)
    plain = denoiser.call(image, HALF)
    with rolled([denoiser.module], GRID, seed=3):
        answer = denoiser.call(image, HALF)
    stride = stride_of(denoiser.module)

    def apart(place: tuple[int, int]) -> float:
        found = denoiser.call(image.roll(place, (-2, -1)), HALF).roll([-step for step in place], (-2, -1))
        return float((found - answer).abs().max())

    # Sums of products may differ in their last digit with where in memory they lie, on some processors.
    places = itertools.product(range(0, GRID[0], stride), range(0, GRID[1], stride))
    fitting = [place for place in places if apart(place) < 1e-13]
    assert len(fitting) == 1
    assert fitting[0] != (0, 0)
    assert torch.allclose(denoiser.call(image, HALF), plain, rtol=0, atol=1e-13)


def test_offsets_are_multiples_of_the_stride_and_reach_every_place():
    assert set(offsets(0, range(400))) == set(itertools.product(range(0, 8, 2), range(0, 12, 2)))


def test_offsets_come_from_the_seed_and_the_time_alone():
    assert offsets(1, range(20)) == offsets(1, range(20))
    assert offsets(1, range(20)) != offsets(2, range(20))
    assert offsets(1, range(20)) == offsets(1, range(19, -1, -1))[::-1]


def test_one_axis_alone_is_rolled():
    both, only_x, only_y = (
        offsets(1, range(20)),
        offsets(1, range(20), y=False),
        offsets(1, range(20), x=False),
    )
    assert only_x == [(0, right) for _, right in both]
    assert only_y == [(down, 0) for down, _ in both]


@pytest.mark.parametrize("positional", [True, False])
def test_an_image_may_be_given_by_position_or_by_name(positional):
    model, image = Still(), noise(1, 4, *GRID)
    with rolled([model], GRID, seed=3):
        answer = model(image, 7.0) if positional else model(timestep=7.0, hidden_states=image)
    assert not torch.equal(model.seen[0], image)
    assert torch.equal(answer.sample, image)


def test_tokens_after_the_image_stay_where_they_are():
    """Models that edit are given a second picture behind the first."""
    denoiser, image = small_transformers.flux(), noise(1, 4, *GRID)
    tokens = torch.cat((small_transformers.packed(image), noise(1, 24, 16, seed=8)), dim=1)
    ids = torch.cartesian_prod(torch.arange(2.0), torch.arange(4.0), torch.arange(6.0))
    seen: list[Tensor] = []
    denoiser.module.x_embedder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with rolled([denoiser.module], GRID, seed=3):
        denoiser.module(
            tokens,
            noise(1, 7, small_models.WORDS),
            noise(1, small_models.WORDS),
            torch.tensor([0.5]),
            ids,
            torch.zeros(7, 3),
        )
    assert torch.equal(seen[0][:, 24:], tokens[:, 24:])
    offset(image, small_transformers.unpacked(seen[0][:, :24], image))
    assert not torch.equal(seen[0][:, :24], tokens[:, :24])


def test_hooks_are_gone_afterwards_also_after_an_exception():
    model = Still()
    with pytest.raises(KeyError), rolled([model], GRID, seed=3):
        assert model._forward_pre_hooks
        raise KeyError
    assert not model._forward_pre_hooks
    assert not model._forward_hooks
    with rolled([model], GRID, seed=3, x=False, y=False):
        assert not model._forward_pre_hooks


UNET, STRIDE = "SD 1.x inpainting", 8


def test_a_controlnet_and_an_adapter_share_the_offset():
    """Wrapped networks of convolutions do not care where they are; they would if their inputs lay apart."""
    unet, control = small_models.unet(UNET).module, small_models.controlnet("SD 1.x").module
    adapter = small_models.t2i_adapter("full_adapter").module
    grid = (2 * STRIDE, 3 * STRIDE)
    latents, picture = noise(1, 9, *grid), noise(1, 3, 8 * grid[0], 8 * grid[1], seed=6)
    words = small_models.conditions("SD 1.x")["encoder_hidden_states"]

    def denoise(time: int) -> Tensor:
        down, middle = control(latents[:, :4], time, words, controlnet_cond=picture, return_dict=False)
        features = adapter(picture)
        return unet(
            latents,
            time,
            words,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            down_intrablock_additional_residuals=features,
        ).sample

    with wrap(unet), wrap(control), wrap(adapter):
        expected = denoise(500)
        for seed in range(3):
            with rolled([unet, control, adapter], grid, seed):
                torch.testing.assert_close(denoise(500), expected, rtol=0, atol=1e-12)
        with rolled([unet], grid, seed=1):
            assert not torch.allclose(denoise(500), expected, atol=1e-3), (
                "the ControlNet must have been left behind"
            )


def test_a_scheduler_that_remembers_earlier_steps_notices_nothing():
    case = small_models.unet("SDXL")

    def sample() -> Tensor:
        scheduler = DPMSolverMultistepScheduler(solver_order=3)
        scheduler.set_timesteps(5)
        latents = case.image
        for time in scheduler.timesteps:
            words = small_models.conditions("SDXL")
            latents = scheduler.step(case.module(latents, time, **words).sample, time, latents).prev_sample
        return latents

    with wrap(case.module):
        expected = sample()
        with rolled([case.module], case.shape[-2:], seed=3):
            torch.testing.assert_close(sample(), expected, rtol=1e-9, atol=1e-9)


def test_a_compiled_denoiser_is_rolled_outside_of_its_graph():
    torch._dynamo.reset()
    denoiser, image = small_transformers.sd3(), noise(1, 4, *GRID)
    given = (image, noise(1, 7, small_models.WORDS), noise(1, small_models.WORDS), torch.tensor([500.0]))
    with rolled([denoiser.module], GRID, seed=3):
        expected = denoiser.module(*given, return_dict=False)[0]
    compiled = torch.compile(denoiser.module, backend="eager", fullgraph=True)
    with rolled([compiled], GRID, seed=3):
        torch.testing.assert_close(compiled(*given, return_dict=False)[0], expected, rtol=0, atol=1e-6)
    torch._dynamo.reset()


@pytest.mark.parametrize(
    "family", ["SD 1.x", "SDXL refiner", "ControlNet", "Sana", *small_transformers.POSITIONED]
)
def test_it_is_known_which_models_are_exact(family):
    positioned = small_transformers.POSITIONED.get(family)
    module = positioned().module if positioned else small_models.EXACT[family]()[0].module
    assert is_exact(module) is (positioned is None)
    assert stride_of(module) == {"Sana": 1, **dict.fromkeys(small_transformers.POSITIONED, 2)}.get(family, 8)


def test_an_exact_denoiser_is_not_rolled_on_the_torus():
    case = small_models.unet("SDXL")
    with on_torus([case.module], case.shape[-2:], seed=1):
        assert not case.module._forward_pre_hooks
        assert violation(case.run, case.image, case.shift) <= case.bound


@pytest.mark.parametrize("family", small_transformers.POSITIONED)
def test_another_denoiser_is_rolled_on_the_torus_and_has_periodic_positions(family):
    denoiser, image = small_transformers.POSITIONED[family](), noise(1, 4, *GRID)
    plain = denoiser.call(image, HALF)
    with rolled([denoiser.module], GRID, seed=3):
        only_rolled = denoiser.call(image, HALF)
    with on_torus([denoiser.module], GRID, seed=3):
        both = denoiser.call(image, HALF)
        assert denoiser.module._forward_pre_hooks
    assert not torch.equal(both, plain)
    assert not torch.equal(both, only_rolled)
    assert torch.equal(denoiser.call(image, HALF), plain)


def test_without_an_axis_the_torus_touches_nothing():
    denoiser, image = small_transformers.sd3(), noise(1, 4, *GRID)
    plain = denoiser.call(image, HALF)
    with on_torus([denoiser.module], GRID, seed=3, x=False, y=False):
        assert torch.equal(denoiser.call(image, HALF), plain)
