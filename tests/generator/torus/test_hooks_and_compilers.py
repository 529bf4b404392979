# SPDX-License-Identifier: GPL-3.0-or-later
"""What accelerate, diffusers and torch.compile put around a module's ``forward`` neither breaks the law nor keeps
anything of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tiny_models
import torch
from torch import Tensor, nn

from generator.torus import TorusModule, wrap
from generator.torus.law import violation

EXACT = 1e-12
LATENTS, PIXELS = (1, 4, 16, 24), (1, 3, 48, 64)


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator("cpu").manual_seed(5))


def denoiser(model: nn.Module, dtype: torch.dtype = torch.float64) -> Callable[[Tensor], Tensor]:
    words = noise(1, 7, tiny_models.TEXT_WIDTH, dtype=dtype)
    return lambda latents: model(latents, torch.tensor(500), words, return_dict=False)[0]


def encoder(model: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda pixels: model.encode(pixels).latent_dist.mean


def check(model: nn.Module, inside: Callable[[Tensor], Tensor], shape, shift, scale, exact=EXACT) -> None:
    """The law holds while open, and afterwards every class and every bit is what it was."""
    dtype = next(p.dtype for p in model.parameters() if p.dtype.itemsize > 1)
    image = noise(*shape, dtype=dtype)
    with torch.no_grad():
        classes, plain = [type(part) for part in model.modules()], inside(image)
        assert violation(inside, image, shift, scale) > 0.01
        with wrap(model):
            assert any(isinstance(part, TorusModule) for part in model.modules())
            assert violation(inside, image, shift, scale) < exact
        assert [type(part) for part in model.modules()] == classes
        assert torch.equal(inside(image), plain)


def accelerate_hooks(model: nn.Module) -> None:
    hooks = pytest.importorskip("accelerate.hooks")
    for part in model.modules():
        hooks.add_hook_to_module(part, hooks.ModelHook())


def accelerate_offload(model: nn.Module) -> None:
    pytest.importorskip("accelerate").cpu_offload(model, execution_device=torch.device("cpu"))


def accelerate_alignment(model: nn.Module) -> None:
    hooks = pytest.importorskip("accelerate.hooks")
    hooks.attach_align_device_hook(model, execution_device=torch.device("cpu"), offload=False)


def group_offload(model: nn.Module) -> None:
    cpu = torch.device("cpu")
    model.enable_group_offload(onload_device=cpu, offload_device=cpu, offload_type="leaf_level")


OFFLOADERS = (accelerate_hooks, accelerate_offload, accelerate_alignment, group_offload)


@pytest.mark.parametrize("offload", OFFLOADERS, ids=lambda f: f.__name__)
def test_the_encoder_keeps_the_law_behind(offload):
    model = tiny_models.vae().double()
    offload(model)
    check(model, encoder(model), PIXELS, (8, 24), 1 / 8)


@pytest.mark.parametrize("offload", OFFLOADERS, ids=lambda f: f.__name__)
def test_the_denoiser_keeps_the_law_behind(offload):
    model = tiny_models.unet("sd1").double()
    offload(model)
    check(model, denoiser(model), LATENTS, (8, 16), 1)


def test_hooks_attached_while_open_keep_the_law_and_are_no_trap():
    model = tiny_models.vae().double()
    plain = encoder(model)(noise(*PIXELS))
    with torch.no_grad():
        with wrap(model):
            accelerate_hooks(model)
            assert violation(encoder(model), noise(*PIXELS), (8, 24), 1 / 8) < EXACT
        assert torch.equal(encoder(model)(noise(*PIXELS)), plain)
        assert not any(isinstance(part, TorusModule) for part in model.modules())


def test_the_law_holds_with_weights_kept_in_eight_bits():
    model = tiny_models.unet("sd1")
    model.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    check(model, denoiser(model, torch.float32), LATENTS, (8, 16), 1, exact=1e-4)


class Compilations:
    """How often torch.compile has compiled, and whether anything made it break a graph in two."""

    def __init__(self) -> None:
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()

    @property
    def count(self) -> int:
        return torch._dynamo.utils.counters["stats"]["unique_graphs"]

    @property
    def breaks(self) -> int:
        return sum(torch._dynamo.utils.counters["graph_break"].values())


@pytest.fixture
def compilations():
    yield Compilations()
    torch._dynamo.reset()


class Blocks(nn.Module):
    """All that is swapped: a downsampling with its own padding, and convolutions."""

    def __init__(self) -> None:
        from diffusers.models.downsampling import Downsample2D

        super().__init__()
        torch.manual_seed(3)
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 5, padding=2)
        self.down = Downsample2D(8, True, padding=0)

    def forward(self, image: Tensor) -> Tensor:
        return self.last(self.down(torch.tanh(self.first(image))))


def in_place(model: nn.Module) -> nn.Module:
    model.compile(backend="eager", fullgraph=True)
    return model


def around(model: nn.Module) -> nn.Module:
    return torch.compile(model, backend="eager", fullgraph=True)  # type: ignore[return-value]


@pytest.mark.parametrize("compiled", [in_place, around], ids=lambda f: f.__name__)
@pytest.mark.parametrize("inner", [False, True], ids=["wrapping the compiled", "wrapping what was compiled"])
def test_a_model_compiled_before_needs_no_more_than_one_more_compilation(compiled, inner, compilations):
    model, image = Blocks().double(), noise(1, 3, 16, 24)
    with torch.no_grad():
        eager = model(image)
        with wrap(model):
            expected = model(image)
        run = compiled(model)
        assert torch.equal(run(image), eager)
        assert compilations.count == 1
        for _ in range(3):
            with wrap(model if inner else run):
                assert torch.equal(run(image), expected)
                assert violation(run, image, (4, 6), 0.5) < EXACT
            assert torch.equal(run(image), eager)
        assert compilations.count == 2, "opened again, it must find what was compiled"
        with wrap(model, x=True, y=False):
            assert violation(run, image, (0, 6), 0.5) < EXACT
            assert violation(run, image, (4, 0), 0.5) > 0.01
        assert compilations.count == 3
        assert compilations.breaks == 0


def test_a_compiled_denoiser_keeps_the_law_and_is_itself_afterwards(compilations):
    small = {
        "block_out_channels": (16, 16),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "mid_block_type": None,  # what is compiled takes long, and there is nothing new in it
    }
    model = tiny_models.unet("sd1", **small).double()
    model.compile(backend="eager", fullgraph=True)
    check(model, denoiser(model), LATENTS, (8, 16), 1)
    once = compilations.count
    check(model, denoiser(model), LATENTS, (8, 16), 1)
    assert compilations.count == once == 2
    assert compilations.breaks == 0
