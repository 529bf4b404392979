# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves the weights: AdamW for all, or Muon (Jordan et al. 2024) for convolutions and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from generator.diffusion.hardware import has_bf16

_NARROW = 8
"""Matrices with fewer rows or columns are left to AdamW: there is little to make orthogonal in them."""


class Muon(torch.optim.Optimizer):
    """Momentum whose every matrix is made nearly orthogonal before it is followed (Jordan et al. 2024).

    As ``torch.optim.Muon``, which works in bfloat16 on every device, and takes more than twice as long on processors
    that have no instructions for it. Here these work in float32.
    """

    def __init__(self, matrices: list[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum})
        self._narrow = all(has_bf16(leaf.device) for leaf in matrices)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every matrix; each must have a gradient."""
        for group in self.param_groups:
            for leaf in group["params"]:
                state = self.state[leaf]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(leaf)
                buffer = state["momentum_buffer"].lerp_(leaf.grad, 1 - group["momentum"])
                wanted = leaf.grad.lerp(buffer, group["momentum"])
                direction = orthogonal(wanted.bfloat16() if self._narrow else wanted).to(leaf.dtype)
                scale = max(1.0, leaf.shape[0] / leaf.shape[1]) ** 0.5
                leaf.add_(direction, alpha=-group["lr"] * scale)


def orthogonal(matrix: Tensor, rounds: int = 5) -> Tensor:
    """The matrix with singular values of about 1, by a Newton-Schulz iteration of the fifth order."""
    first, second, third = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        gram = x @ x.T
        x = first * x + (second * gram + third * (gram @ gram)) @ x
    return x.T if tall else x


def _channels_last(value: Tensor) -> bool:
    last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
    return last and not value.is_contiguous()


class Optimisers:
    """The optimisers of a run, and the leaves that they move; a leaf of Muon's is a matrix of ``(O, C * K * K)``.

    Muon moves convolutions and, where ``linear`` says so, the other matrices, but for embeddings.
    """

    def __init__(
        self,
        start: Mapping[str, Tensor],
        rate: float,
        decay: float,
        matrix_rate: float | None,
        linear: bool = False,
    ) -> None:
        self._shapes = {name: value.shape for name, value in start.items()}
        self._last = {name for name, value in start.items() if _channels_last(value)}
        self.leaves: dict[str, Tensor] = {}
        matrices, others = [], []
        for name, value in start.items():
            inner = value.ndim == 4 or (linear and value.ndim == 2 and "embedding" not in name)
            muon = matrix_rate is not None and inner and min(value.shape[0], value[0].numel()) > _NARROW
            matrix = (
                (value.permute(0, 2, 3, 1) if name in self._last else value).flatten(1) if muon else value
            )
            leaf = matrix.clone().requires_grad_()
            self.leaves[name] = leaf
            (matrices if muon else others).append(leaf)
        self.all: list[torch.optim.Optimizer] = []
        self._rates: list[float] = []
        if others:
            self.all.append(torch.optim.AdamW(others, lr=rate, weight_decay=decay))
            self._rates.append(rate)
        if matrices and matrix_rate is not None:
            self.all.append(Muon(matrices, matrix_rate))
            self._rates.append(matrix_rate)

    def shaped(self, leaves: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Leaves, or tensors like them, in the shapes that the network knows."""
        return {name: self._shaped(name, leaf) for name, leaf in leaves.items()}

    def _shaped(self, name: str, leaf: Tensor) -> Tensor:
        shape = self._shapes[name]
        if name not in self._last or leaf.ndim == 4:
            return leaf.view(shape)
        out, channels, rows, columns = shape  # the columns lie in the order that convolutions want
        return leaf.view(out, rows, columns, channels).permute(0, 3, 1, 2)

    def step(self, share: float, clip: float) -> None:
        """One step along the leaves' gradients, at this share of each rate; then the gradients are gone."""
        torch.nn.utils.clip_grad_norm_(self.leaves.values(), clip)
        for optimiser, rate in zip(self.all, self._rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def states(self) -> dict[str, dict[str, Tensor]]:
        """What each leaf's optimiser remembers, but for how many steps it took."""
        found = {}
        for name, leaf in self.leaves.items():
            state = next((o.state[leaf] for o in self.all if leaf in o.state), {})
            found[name] = {key: value for key, value in state.items() if key != "step"}
        return found

    def remember(self, name: str, state: Mapping[str, Tensor], step: int) -> None:
        """Put a saved state back."""
        leaf = self.leaves[name]
        for optimiser in self.all:
            if any(leaf is one for group in optimiser.param_groups for one in group["params"]):
                adam = isinstance(optimiser, torch.optim.AdamW)
                optimiser.state[leaf] = {**({"step": torch.tensor(float(step))} if adam else {}), **state}


def moments(names: Sequence[str], leaf: str) -> dict[str, str]:
    """The entries of a checkpoint that hold the state of ``leaf``, by what they are."""
    end = f".{leaf}"
    heads = {name: name.partition(".")[0] for name in names if name.endswith(end)}
    return {
        head: name
        for name, head in heads.items()
        if head not in ("weights", "averaged") and name == head + end
    }
