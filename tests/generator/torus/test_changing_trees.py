# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrapped model whose layers come and go: LoRAs, replaced modules, contexts inside contexts."""

from __future__ import annotations

import pytest
import tiny_models
import torch
from torch import nn

from generator.torus import TorusModule, wrap
from generator.torus.law import violation

peft = pytest.importorskip("peft")
EXACT = 1e-12


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator("cpu").manual_seed(5))


class Denoiser:
    """A UNet with words of its own."""

    shape, shift, scale = (1, 4, 16, 24), (8, 16), 1.0
    targets = ("conv1", "conv2", "to_q", "conv_in", "downsamplers.0.conv", "conv_shortcut")

    def __init__(self) -> None:
        self.model = tiny_models.unet("sd1").double()
        self.words = noise(1, 7, tiny_models.TEXT_WIDTH)

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        return self.model(latents, 500, self.words).sample


class Encoder:
    """The half of a VAE whose downsampling pads by itself."""

    shape, shift, scale = (1, 3, 48, 64), (8, 24), 1 / 8
    targets = ("conv1", "conv2", "conv_in", "downsamplers.0.conv", "conv_shortcut")

    def __init__(self) -> None:
        self.model = tiny_models.vae().double()

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.model.encode(pixels).latent_dist.mean


def law(network) -> float:
    return violation(network, noise(*network.shape), network.shift, network.scale)


def add_lora(network, name: str = "default") -> None:
    """A LoRA that changes something: peft starts with zeros in ``lora_B``."""
    config = peft.LoraConfig(r=2, target_modules=list(network.targets), init_lora_weights=False)
    torch.manual_seed(9)
    # A VAE has no loader for LoRAs of its own; peft puts the same layers into it.
    if hasattr(network.model, "add_adapter"):
        network.model.add_adapter(config, adapter_name=name)
    else:
        peft.inject_adapter_in_model(config, network.model, name)
    network.model.double()


def remove_lora(model: nn.Module) -> None:
    """Every adapted layer is the layer it adapted again."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if hasattr(child, "base_layer"):
                setattr(parent, name, child.base_layer)


def wrapped_parts(model: nn.Module) -> list[str]:
    return [name for name, part in model.named_modules() if isinstance(part, TorusModule)]


@pytest.fixture(params=[Denoiser, Encoder])
def network(request):
    with torch.no_grad():
        yield request.param()


def test_a_lora_loaded_before_is_wrapped(network):
    plain = network(noise(*network.shape))
    add_lora(network)
    assert not torch.allclose(network(noise(*network.shape)), plain), "the LoRA must change something"
    with wrap(network.model):
        assert law(network) < EXACT
    assert not wrapped_parts(network.model)


def test_a_lora_loaded_inside_is_wrapped_at_once_and_left_plain(network):
    with wrap(network.model):
        before = network(noise(*network.shape))
        add_lora(network)
        inside = network(noise(*network.shape))
        assert law(network) < EXACT
        assert not torch.allclose(inside, before)
    assert not wrapped_parts(network.model)
    assert law(network) > 0.01
    other = type(network)()
    add_lora(other)
    assert torch.equal(network(noise(*network.shape)), other(noise(*network.shape)))
    with wrap(other.model):
        assert torch.equal(other(noise(*network.shape)), inside), "when it was loaded makes no difference"


def test_a_lora_unloaded_inside_leaves_the_plain_model(network):
    plain = network(noise(*network.shape))
    add_lora(network)
    with wrap(network.model):
        remove_lora(network.model)
        assert law(network) < EXACT
    assert not wrapped_parts(network.model)
    assert torch.equal(network(noise(*network.shape)), plain)


def test_a_lora_that_came_and_went_inside_leaves_nothing(network):
    plain = network(noise(*network.shape))
    with wrap(network.model):
        add_lora(network)
        remove_lora(network.model)
        assert law(network) < EXACT
    assert not wrapped_parts(network.model)
    assert torch.equal(network(noise(*network.shape)), plain)


def test_a_lora_fused_inside_stays_in_the_plain_model():
    network = Denoiser()
    with torch.no_grad():
        with wrap(network.model):
            add_lora(network)
            apart = network(noise(*network.shape))
            network.model.fuse_lora()
            torch.testing.assert_close(network(noise(*network.shape)), apart, rtol=0, atol=1e-12)
            assert law(network) < EXACT
            network.model.unload_lora()
            assert law(network) < EXACT
        assert not wrapped_parts(network.model)
        assert law(network) > 0.01


def test_layers_built_as_plain_ones_are_wrapped_after_a_refresh(network):
    with wrap(network.model) as wrapped:
        add_lora(network)
        for name, part in network.model.named_modules():
            if isinstance(part, TorusModule) and "lora_" in name:
                part.__class__ = nn.Conv2d  # what another adapter library would have built
        assert law(network) > 1e-3, "the adapters must see an edge"
        wrapped.refresh()
        assert law(network) < EXACT
    assert not wrapped_parts(network.model)


def test_a_replaced_module_is_wrapped_after_a_refresh_and_nothing_is_left_behind():
    network = Denoiser()
    removed = network.model.conv_in
    with torch.no_grad(), wrap(network.model) as wrapped:
        torch.manual_seed(1)
        network.model.conv_in = nn.Conv2d(4, 16, 3, padding=1).double()
        assert law(network) > 1e-3
        wrapped.refresh()
        assert law(network) < EXACT
    assert type(removed) is nn.Conv2d
    assert not wrapped_parts(network.model)


def test_a_lora_loaded_in_an_inner_context_keeps_the_axes_of_the_outer_one(network):
    shift_x, shift_y = (0, network.shift[1]), (network.shift[0], 0)
    image = noise(*network.shape)
    with wrap(network.model, x=True, y=False):
        with wrap(network.model, x=False, y=True):
            add_lora(network)
            assert law(network) < EXACT
        assert violation(network, image, shift_x, network.scale) < EXACT
        assert violation(network, image, shift_y, network.scale) > 0.01
    assert not wrapped_parts(network.model)


def test_contexts_may_close_in_any_order():
    layer, image = nn.Conv2d(3, 3, 3, padding=1).double(), noise(1, 3, 8, 8)
    first, second = wrap(layer, x=True, y=False), wrap(layer, x=False, y=True)
    with torch.no_grad():
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert violation(layer, image, (3, 0)) < EXACT
        assert violation(layer, image, (0, 3)) > 0.01
        second.__exit__(None, None, None)
    assert type(layer) is nn.Conv2d


def test_a_lora_loaded_when_something_fails_is_left_plain():
    network = Denoiser()
    with pytest.raises(KeyError), wrap(network.model):
        add_lora(network)
        raise KeyError
    assert not wrapped_parts(network.model)
